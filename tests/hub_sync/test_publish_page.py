"""The commands of docs/publish.md run as they are written there, and its one line loads what they published."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from dataset_builder.build import build
from schemas.recipe import BuildRecipe, load
from tests.conftest import ROOT
from tests.hub_sync.conftest import Client

PAGE = (ROOT / "docs" / "publish.md").read_text(encoding="utf-8")


def test_the_commands_work_as_they_are_written(
    hub_vqa2: Client, hub_python: Client, own_folder: Path, tmp_path: Path
) -> None:
    recipe = own_folder / "recipe.yaml"
    (told,) = re.findall(r"```yaml\nsources:\n  - name: mine\n    # ...\n(.*?)```", PAGE, re.DOTALL)
    recipe.write_text(recipe.read_text().replace("    licence: private\n", told))
    corpus = build(load(recipe, BuildRecipe), recipe, tmp_path / "my-clips-corpus").folder
    shutil.copytree(corpus, tmp_path / "at" / corpus.name)
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    told_of = {}
    for program, *arguments in commands:
        if program == "export":
            continue  # the token is in the environment of the tests
        assert program == "vqa2"
        done = hub_vqa2(*arguments, cwd=tmp_path / "at")
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
        told_of[arguments[0]] = done.stdout
    assert {"push", "verify", "pull", "diff"} == told_of.keys()
    assert (tmp_path / "at" / "corpus" / "manifest.json").is_file()
    (line,) = re.findall(r"`(load_dataset\(.*?\))`", PAGE)
    loaded = hub_python(f"from datasets import load_dataset; print({line})")
    assert loaded.returncode == 0, loaded.stderr
    assert "num_rows: 1" in loaded.stdout
