"""Presets: model geometry, starting weights and the default stage schedule, by name; package data in `presets/`."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from schemas.errors import CallError
from schemas.recipe import TrainStage, convert


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


def preset_names() -> list[str]:
    """List the presets that the package holds."""
    folder = files("training") / "presets"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))


def load_preset(name: str) -> Preset:
    """Read a preset by its name, or one of your own by the path of its YAML file.

    Raises CallError naming the nearest preset.
    """
    if name in preset_names():
        text = (files("training") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    elif name.endswith((".yaml", ".yml")) and Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        near = difflib.get_close_matches(name, preset_names(), 1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(preset_names())}"
        raise CallError(f"no preset is called {name!r}; {hint}")
    return convert(yaml.safe_load(text), Preset, f"preset {name}")
