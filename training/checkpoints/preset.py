"""Presets: model geometry, starting weights and the default stage schedule, by name; package data in `presets/`."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec

from schemas.errors import CallError
from schemas.recipe import TrainStage, load

FOLDER = files("training") / "presets"


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a training run starts from.

    `backbone` names the stock model (training.models.config.CONFIGS), `weights` a hub id (or folder) of its weights,
    None = random; `tokenizer` is a hub id (or folder), None = train one of `vocabulary` tokens on the corpus.
    `motion_weights` is a URL or file of SlowFast weights with pytorchvideo's names. `model` holds the arguments of the
    configuration; token ids come from the tokenizer. `keep_clips` decodes each clip once and holds what is fed of it in
    memory. `threads` is torch's, None = its default.
    """

    model: dict[str, Any]
    stages: list[TrainStage]
    backbone: Literal["llava-onevision", "qwen2.5-vl", "qwen3-vl"] = "llava-onevision"
    weights: str | None = None
    tokenizer: str | None = None
    vocabulary: int = 1024
    motion_weights: str | None = None
    keep_clips: bool = False
    threads: int | None = None

    def __post_init__(self) -> None:
        """Refuse a geometry without a language model."""
        text = self.model.get("text_config")
        if not isinstance(text, dict):
            raise CallError("model.text_config, the keys of the language model's geometry, is missing or no mapping")
        if not isinstance(text.get("vocab_size", 0), int):
            raise CallError(f"model.text_config.vocab_size is a whole number, got {text['vocab_size']!r}")


def preset_names() -> list[str]:
    """List the presets that the package holds."""
    return sorted(p.name.removesuffix(".yaml") for p in FOLDER.iterdir() if p.name.endswith(".yaml"))


def load_preset(name: str) -> Preset:
    """Read a preset by its name, or one of your own by the path of its YAML file.

    Raises CallError naming the nearest preset, RecipeError for a file that is none.
    """
    if name in preset_names():
        return load(Path(str(FOLDER / f"{name}.yaml")), Preset)
    if name.endswith((".yaml", ".yml")) and Path(name).is_file():
        return load(Path(name), Preset)
    near = difflib.get_close_matches(name, preset_names(), 1, cutoff=0.3)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(preset_names())}"
    raise CallError(f"no preset is called {name!r}; {hint}")
