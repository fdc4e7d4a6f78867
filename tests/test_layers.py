"""Who may import whom, read off the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "schemas": set(),
    "stages": {"schemas"},
    "dataset_builder": {"schemas", "stages"},
    "annotation": {"schemas", "stages", "dataset_builder"},
    "hub_sync": {"schemas", "stages", "dataset_builder"},
    "training": {"schemas", "stages", "dataset_builder"},
}
IN_TRAINING = ("models", "testsets", "inputs", "checkpoints", "inference", "evaluation", "planning", "trainer")
"""Folders of training/ in the order in which data flows: each may import itself and those before it."""
ONLY_IN = {
    "torch": {"training"},
    "transformers": {"training"},
    "accelerate": {"training"},
    "peft": {"training"},
    "huggingface_hub": {"hub_sync", "training"},  # training: transformers takes its config decorator from there
    "datasets": {"hub_sync"},
    "label_studio_sdk": {"annotation"},
}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_layers(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        names = imported(path)
        assert not (names & MAY_IMPORT.keys()) - MAY_IMPORT[package] - {package}, path
        assert "vqa2" not in names, path
        for library, homes in ONLY_IN.items():
            assert library not in names or package in homes, f"{path} imports {library}"


@pytest.mark.parametrize("folder", IN_TRAINING)
def test_layers_of_training(folder: str) -> None:
    above = {*IN_TRAINING[IN_TRAINING.index(folder) + 1 :], "commands", "converting", "serving"}
    for path in (ROOT / "training" / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = (isinstance(node, ast.ImportFrom) and node.module) or ""
            assert module != "training", f"{path}: name the folder that is imported from"
            assert not module.startswith("training.") or module.split(".")[1] not in above, f"{path}: {module}"


def test_no_import_cycles() -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in MAY_IMPORT
        for path in (ROOT / package).rglob("*.py")
    }
    edges: dict[str, set[str]] = {}
    for name, path in modules.items():
        edges[name] = set()
        # Only imports at the top of a module run when it is imported; a type checker's block never runs.
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module in modules:
                targets = {f"{node.module}.{alias.name}" for alias in node.names} & modules.keys()
                edges[name] |= targets or {node.module}
            elif isinstance(node, ast.Import):
                edges[name] |= {alias.name for alias in node.names} & modules.keys()
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path, name])
        if name not in done:
            for target in edges[name]:
                visit(target, (*path, name))
            done.add(name)

    for name in edges:
        visit(name, ())
