"""What docs/exports.md shows is true: its commands and its code run, and its table says what the exporters say."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import dataset_builder.exporters
from dataset_builder.exporting import is_folder
from schemas.plugins import load_plugin, plugin_names
from tests.conftest import ROOT, Cli

PAGE = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")


def test_the_table_says_what_the_exporters_say() -> None:
    rows = re.findall(r"^\| `(\w+)` \| a (file|folder) \| .+? \| (.+?) \|$", PAGE, re.MULTILINE)
    exporters = {name: load_plugin(dataset_builder.exporters, name) for name in plugin_names(dataset_builder.exporters)}
    assert {name: (kind, lost) for name, kind, lost in rows} == {
        name: ("folder" if is_folder(exporter) else "file", exporter.LOSES) for name, exporter in exporters.items()
    }


def test_the_commands_and_the_code_run_as_they_are_written(corpus: Path, tmp_path: Path, vqa2: Cli) -> None:
    shutil.move(corpus, tmp_path / "my-clips-corpus")
    (commands,) = re.findall(r"<!-- commands -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "vqa2"
        done = vqa2(*arguments, cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
