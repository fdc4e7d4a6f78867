"""The commands of docs/publish.md run as they are written there, and its one line loads what they published."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from dataset_builder.build import build
from schemas.recipe import BuildRecipe, load
from tests.conftest import ROOT
from tests.hub_sync.conftest import Client
from tests.hub_sync.hub import HubServer
from tests.hub_sync.models import STAGE, trained
from tests.hub_sync.test_push_model import report

PAGE, OF_MODELS = (ROOT / "docs" / "publish.md").read_text(encoding="utf-8").split("\n# Publishing a model\n")


def test_the_commands_work_as_they_are_written(
    hub_vqa2: Client, hub_python: Client, own_folder: Path, tmp_path: Path
) -> None:
    _built(own_folder, tmp_path)
    told_of = {}
    for program, *arguments in _commands(PAGE):
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


@pytest.mark.full
def test_the_commands_for_models_work_as_they_are_written(hub: HubServer, own_folder: Path, tmp_path: Path) -> None:
    corpus, at = _built(own_folder, tmp_path), tmp_path / "at"
    trained(corpus, at / "model", stages=[{**STAGE, "configs": ["stage1"], "batch": 1}])
    trained(corpus, at / "adapters", model=str(at / "model"), lora={"rank": 2})
    (at / "test.json").write_bytes(msgspec.json.encode(report("model")))
    for program, *arguments in _commands(OF_MODELS):
        command = ["-m", "vqa2"] if program == "vqa2" else ["-m", "huggingface_hub.cli.hf"]
        assert program in {"vqa2", "hf"}
        done = subprocess.run(
            [sys.executable, *command, *arguments],
            cwd=at,
            env=hub.environment(tmp_path / "hf-home"),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
    assert re.findall(r"\.mp4: 0\.\d{4}", done.stdout)
    assert {"lab/my-clips", "lab/my-model (model)", "lab/my-adapters (model)"} == {
        name for name in ("lab/my-clips", "lab/my-model (model)", "lab/my-adapters (model)") if hub.tags(name)
    }


def _built(own_folder: Path, tmp_path: Path) -> Path:
    """Build the corpus that the page speaks of, with the terms that it tells, and give its copy."""
    recipe = own_folder / "recipe.yaml"
    (told,) = re.findall(r"```yaml\nsources:\n  - name: mine\n    # ...\n(.*?)```", PAGE, re.DOTALL)
    recipe.write_text(recipe.read_text().replace("    licence: private\n", told))
    corpus = build(load(recipe, BuildRecipe), recipe, tmp_path / "my-clips-corpus").folder
    return Path(shutil.copytree(corpus, tmp_path / "at" / corpus.name))


def _commands(page: str) -> list[list[str]]:
    (block,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    lines = block.replace("\\\n", "").splitlines()
    return [shlex.split(line, comments=True) for line in lines]
