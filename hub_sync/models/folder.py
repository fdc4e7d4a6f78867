"""A model folder as it is published: its files, and what they say of themselves. Nothing of a model is loaded here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from hub_sync.naming import is_name
from hub_sync.preflight import limits, secrets, unsafe_names
from schemas.errors import CallError
from schemas.licence import Terms
from schemas.validate import Problem

BLOCK, RECORD, CONFIG, ADAPTER, CARD = "vqa2.json", "training.json", "config.json", "adapter_config.json", "README.md"
WEIGHTS = ".safetensors"
SENT = frozenset({WEIGHTS, ".json", ".jsonl", ".jinja", ".txt", ".model", ".png"})
"""Endings of files that a model folder has: weights, configuration, tokenizer, records of its training."""
PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".h5"})
"""Endings of files that may run code when they are loaded."""
ORIGINAL = "original/"
"""Where `vqa2 convert` keeps the small files of the checkpoint that it read, for the way back."""
CARRIED = (SENT - {WEIGHTS}) | {".md"}
"""Endings of files that lie there: configuration, tokenizer, records, and the original's own card."""
NOT_CARRIED = ".index.json"
"""Ending of an index of weights, which are not kept there."""
OF_GIT = f"{ORIGINAL}.gitattributes"
"""What the Hub puts beside a checkpoint: it is no part of a model, and would tell git what to do with ours."""
VOCABULARIES = frozenset({"tokenizer.json", "vocab.json", "merges.txt"})
"""Files of words, which hold anything that any text holds."""


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The corpus that a model was trained on: `tag` is where it is published, as the recipe says, REPO@TAG."""

    name: str
    manifest_sha256: str | None = None
    tag: str | None = None
    terms: Terms | None = None


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """What the training record says that a card tells: recipe, stages and tools as they stand there."""

    recipe: dict[str, Any] = {}
    recipe_sha256: str | None = None
    corpus_manifest_sha256: str | None = None
    data: Data | None = None
    stages: list[dict[str, Any]] = []
    tools: dict[str, str] = {}


class Scoring(msgspec.Struct, frozen=True, kw_only=True):
    """How the model is asked for a score."""

    video_prompt: str
    video_prefix: str
    levels: list[str]
    weights: list[float]


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The file `vqa2.json`, as far as a card tells it."""

    scoring: Scoring
    seed: int
    preset: dict[str, Any] = {}
    base: dict[str, Any] | None = None


class ModelFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A model folder: `adapter` is PEFT's configuration where it holds adapters alone, `config` that of a model."""

    path: Path
    files: list[str]
    block: Block
    training: Training
    config: dict[str, Any]
    adapter: dict[str, Any] | None

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self.path.resolve().name

    @property
    def manifest_sha256(self) -> str | None:
        """Which corpus it was trained on, where that is known."""
        data = self.training.data
        return (data.manifest_sha256 if data else None) or self.training.corpus_manifest_sha256

    def base_on_hub(self) -> str | None:
        """Name the model on the Hub that training began with; None for a folder, or no weights at all."""
        if self.block.base is not None or self.training.recipe.get("model"):
            return None
        weights = self.block.preset.get("weights")
        return weights if isinstance(weights, str) and is_name(weights) and not Path(weights).exists() else None


def is_model_folder(folder: Path) -> bool:
    """Say whether a folder is a model's rather than a corpus."""
    return (folder / BLOCK).is_file()


def is_of_a_model(path: str) -> bool:
    """Say whether a path of a repository is one that a model folder has."""
    return path == CARD or is_carried(path) or ("/" not in path and PurePosixPath(path).suffix in SENT)


def is_carried(path: str) -> bool:
    """Say whether a path is one that `vqa2 convert` keeps of the original: right below `original/`, and no weights."""
    name = path.removeprefix(ORIGINAL)
    if name == path or "/" in name or name.endswith(NOT_CARRIED):
        return False
    return PurePosixPath(name).suffix in CARRIED


def read_model(folder: Path) -> ModelFolder:
    """Read what a model folder says of itself. Raises CallError for a file that says it in no way that is known."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return ModelFolder(
        path=folder,
        files=[name for name in files if name not in {CARD, OF_GIT}],
        block=_read(folder / BLOCK, Block),
        training=_read(folder / RECORD, Training) if (folder / RECORD).is_file() else Training(),
        config=_read(folder / CONFIG, dict[str, Any]) if (folder / CONFIG).is_file() else {},
        adapter=_read(folder / ADAPTER, dict[str, Any]) if (folder / ADAPTER).is_file() else None,
    )


def problems_of_names(model: ModelFolder) -> Iterator[Problem]:
    """Find files that are not published, by their names, and what is missing to be a model."""
    yield from unsafe_names(model.path, model.files, "model folder")
    for name in model.files:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in PICKLED:
            yield Problem(name, 0, "", "may run code when it is loaded: publish weights as safetensors alone")
        elif not is_of_a_model(name):
            yield Problem(name, 0, "", "is no file of a model folder: take it out")
    if not any(name.endswith(WEIGHTS) for name in model.files):
        yield Problem(BLOCK, 0, "", "there are no weights beside it (no .safetensors)")
    if model.adapter is None and not model.config:
        yield Problem(BLOCK, 0, "", f"there is neither a {CONFIG} nor an {ADAPTER} beside it")


def problems_of_contents(folder: Path, sizes: Mapping[str, int], own_token: str | None) -> Iterator[Problem]:
    """Find secrets and personal paths in what is to be sent, and what is more than a repository takes."""
    yield from limits(sizes)
    yield from secrets(folder, [name for name in sizes if name.removeprefix(ORIGINAL) not in VOCABULARIES], own_token)


def _read(path: Path, what: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=what)
    except msgspec.DecodeError as error:
        raise CallError(f"{path}: {error}") from None
