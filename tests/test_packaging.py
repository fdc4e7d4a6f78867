"""What is installed: our seven names and nobody else's, and nothing but them."""

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = {"dataset_builder", "annotation", "schemas", "stages", "training", "hub_sync", "vqa2"}


def test_the_top_level_names_belong_to_this_distribution_alone() -> None:
    owners = importlib.metadata.packages_distributions()
    for name in NAMES:
        assert set(owners.get(name, [])) <= {"vqa2"}, owners[name]


def test_the_wheel_holds_the_packages_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0].removesuffix(".py") for name in names if ".dist-info/" not in name}
    assert tops == NAMES
    for package in NAMES - {"vqa2"}:
        assert f"{package}/py.typed" in names
    assert any(name.startswith("training/presets/tiny") for name in names)
    assert any(name.startswith("schemas/jsonschema/") for name in names)


def test_the_extras_are_declared() -> None:
    extras = importlib.metadata.metadata("vqa2").get_all("Provides-Extra") or []
    assert {"train", "annotation", "hub", "ray", "dev"} <= set(extras)


@pytest.mark.parametrize("library", ["torch", "transformers", "av", "numpy", "pyarrow"])
def test_help_is_instant(library: str) -> None:
    script = (
        "import sys; sys.argv = ['vqa2', '--help']\nimport vqa2\n"
        f"try:\n    vqa2.main()\nfinally:\n    assert {library!r} not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "build" in done.stdout
