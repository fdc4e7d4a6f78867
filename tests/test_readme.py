"""Every command of the README runs, on a folder of three clips and a table, exactly as it is written there."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(marker: str) -> list[tuple[str, str]]:
    """Give (rest of the marker, text) of the code blocks that follow a comment `<!-- marker ... -->`."""
    return re.findall(rf"<!-- {marker}:? ?(.*?) -->\n```\w+\n(.*?)```", README, re.DOTALL)


def test_the_recipe_for_ones_own_clips_works_verbatim(tmp_path: Path, real_clips: dict[str, Path], vqa2: Cli) -> None:
    for name, text in blocks("file"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "clips").mkdir()
    rows = (tmp_path / "labels.csv").read_text().splitlines()[1:]
    for row, clip in zip(rows, real_clips.values(), strict=True):
        shutil.copy(clip, tmp_path / "clips" / row.split(",")[0])
    ((_, commands),) = blocks("commands")
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "vqa2"
        done = vqa2(*arguments, cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        if arguments[0] == "score":
            assert all(name.split(",")[0] in done.stdout for name in rows)
    assert not (tmp_path / "my-clips-corpus" / "quarantine.jsonl").read_text()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))))
def test_the_make_targets_exist(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_links_and_files_named_in_the_readme_exist() -> None:
    named = re.findall(r"\]\((?!http)([^)#]+)\)", README) + re.findall(r"^\| `(\w+/)` \|", README, re.MULTILINE)
    assert len(named) > 7
    for name in named:
        assert (ROOT / name).exists(), name
    for folder, model in re.findall(r"`(dataset_builder/\w+|stages)/<\w+>\.py` \| `([\w.]+)`", README):
        assert (ROOT / folder / model).is_file()
