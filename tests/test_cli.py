"""What a person meets: exit codes, one clear line, no traceback unless asked for, JSON for machines."""

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["biuld", "r.yaml"], 2, "Did you mean 'build'"),
        (["build", "--wokers", "3", "r.yaml"], 2, "--workers"),
        (["build", "recipe.yml"], 2, "did you mean 'recipe.yaml'"),
        (["build", "recipe.yaml", "sed=1"], 2, "unknown key 'sed'; did you mean 'seed'"),
        (["build", "recipe.yaml", "stages=[stage2-ucg]"], 2, "did you mean 'stage2-ugc'"),
        (["build", "recipe.yaml", "--out", "clips"], 2, "exists and is no corpus"),
        (["build", "recipe.yaml", "--out", "/proc/nowhere/c"], 2, "No such file or directory"),
        (["check", "clips"], 2, "is no corpus"),
        (["list", "stagse"], 2, "'stages'|stages"),
        (["schema", "sampel"], 2, "sample"),
        (["train", "recipe.yaml"], 2, "unknown key 'name'"),
        (["score", "no-model", "clips"], 2, "no-model"),
        (["demo", "--out", "clips"], 2, "holds no demo"),
    ],
)
def test_wrong_calls_are_one_clear_line(
    own_folder: Path, vqa2: Cli, arguments: list[str], code: int, words: str
) -> None:
    done = vqa2(*arguments, cwd=own_folder)
    assert done.returncode == code, done.stderr
    assert any(word in done.stderr for word in words.split("|")), done.stderr
    assert "Traceback" not in done.stderr


def test_a_traceback_on_demand(own_folder: Path, vqa2: Cli) -> None:
    assert "Traceback" in vqa2("--debug", "build", "none.yaml", cwd=own_folder).stderr


def test_build_check_export_by_command(own_folder: Path, vqa2: Cli) -> None:
    done = vqa2("build", "recipe.yaml", cwd=own_folder)
    assert done.returncode == 0, done.stderr
    assert "stage2-streaming" in done.stdout
    assert "labels.csv row 4 clip: cut.mp4: no readable video" in done.stdout
    assert vqa2("check", "own-corpus", cwd=own_folder).stdout.strip() == "own-corpus: no problems"

    again = vqa2("build", "recipe.yaml", "--json", "--workers", 1, "--out", "c2", cwd=own_folder)
    summary = json.loads(again.stdout)
    assert sum(summary["configs"]["stage3"].values()) == 7
    assert summary["quarantined"] == 21

    out = vqa2("export", "own-corpus", "stage2-ugc", "x.json", "--json", cwd=own_folder)
    assert json.loads(out.stdout)["samples"] == len(json.loads((own_folder / "x.json").read_text())) == 2
    wrong = vqa2("export", "own-corpus", "stage2-ugc", "x.json", "--to", "lava", cwd=own_folder)
    assert (wrong.returncode, "did you mean 'llava'" in wrong.stderr) == (2, True)

    next((own_folder / "own-corpus" / "media").rglob("*.mp4")).unlink()
    bad = vqa2("check", "own-corpus", "--json", cwd=own_folder)
    assert bad.returncode == 1
    (problem,) = json.loads(bad.stdout)["problems"]
    assert "the file is missing" in problem


def test_too_much_quarantine_can_fail_a_build(own_folder: Path, vqa2: Cli) -> None:
    done = vqa2("build", "recipe.yaml", "max_quarantine=3", cwd=own_folder)
    assert done.returncode == 1
    assert "21 inputs are in quarantine, the recipe allows 3" in done.stderr
    assert vqa2("build", "recipe.yaml", "max_quarantine=21", cwd=own_folder).returncode == 0


def test_list_shows_every_plugin(own_folder: Path, vqa2: Cli) -> None:
    found = json.loads(vqa2("list", "--json").stdout)
    assert {"stage1", "stage2-ugc", "stage2-streaming", "stage3", "stage3-mix"} == set(found["stages"])
    files = (ROOT / "dataset_builder" / "distortions").glob("[a-z]*.py")
    assert {path.stem for path in files} == set(found["distortions"])
    assert all(words for names in found.values() for words in names.values())
    (own_folder / "mine.py").write_text('"""My own."""\n')
    assert json.loads(vqa2("list", "sources", "--json", "--plugins", own_folder).stdout)["sources"]["mine"] == "My own."


def test_schemas_can_be_printed_and_written(tmp_path: Path, vqa2: Cli) -> None:
    assert json.loads(vqa2("schema", "sample").stdout)["$ref"] == "#/$defs/Sample"
    assert "sample" in vqa2("schema").stdout.split()
    assert vqa2("schema", "--write", tmp_path).returncode == 0
    assert (tmp_path / "sample.schema.json").is_file()
