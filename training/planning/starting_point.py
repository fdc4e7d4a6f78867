"""What a training recipe starts from, as far as it can be known without reading any weights."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from schemas.errors import CallError
from schemas.recipe import TrainRecipe
from training.checkpoints.checkpoint import block_of, config_of
from training.checkpoints.preset import Preset, load_preset
from training.checkpoints.start import preset_config
from training.models.config import MotionConfig


@dataclass(frozen=True)
class StartingPoint:
    """The configuration and preset of a run, and the type of its weights where they do not learn."""

    config: MotionConfig
    preset: Preset
    frozen: Literal["float32", "bfloat16"]


def starting_point(recipe: TrainRecipe, base: Path) -> StartingPoint:
    """Find out what a recipe starts from. Raises CallError where it cannot be had."""
    preset = preset_of(recipe, base)
    if recipe.model is None:
        return StartingPoint(untrained_config(preset), preset, "bfloat16" if preset.weights else "float32")
    folder = base / recipe.model
    if not (folder / "config.json").is_file():  # adapters
        if (named := block_of(folder).base) and named.bits:
            raise CallError(
                f"{folder}: adapters to weights in {named.bits} bits, which cannot learn on: name its base as model"
            )
        if recipe.lora and recipe.lora.bits:
            raise CallError(
                f"lora: {folder} holds adapters, whose base is read as it is: leave out bits, or name the base as model"
            )
        return StartingPoint(untrained_config(preset), preset, "float32")
    config = config_of(folder)
    halved = "16" in str(getattr(config, "dtype", None))
    return StartingPoint(config, preset, "bfloat16" if halved else "float32")


def preset_of(recipe: TrainRecipe, base: Path) -> Preset:
    """Read the preset of a recipe: one of your own is given relative to it, like every path, or a checkpoint's.

    Raises CallError when there is none.
    """
    if recipe.model:
        return block_of(base / recipe.model).preset
    preset = load_preset(preset_path(recipe.preset, base))
    changed = msgspec.structs.replace(preset, model={**preset.model, **recipe.geometry})
    if recipe.geometry:
        _refuse_unknown(recipe.geometry, untrained_config(changed), "geometry")
    return changed


def _refuse_unknown(given: Mapping[str, Any], config: Any, at: str) -> None:
    """Raise CallError for a key that the configuration does not have: transformers takes any in silence."""
    known = [field.name for field in dataclasses.fields(config)]
    for key, value in given.items():
        if key not in known and key != "model_type":
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise CallError(f"{at}: unknown key {key!r}{hint}")
        inside = getattr(config, key, None)
        if isinstance(value, dict) and dataclasses.is_dataclass(inside):
            _refuse_unknown(value, inside, f"{at}.{key}")


def preset_path(preset: str, base: Path) -> str:
    """Give the name of a preset, or where a file of one's own is: relative to the recipe, like every path of it."""
    return str(base / preset) if preset.endswith((".yaml", ".yml")) else preset


def untrained_config(preset: Preset) -> MotionConfig:
    """Give a preset's configuration as it will be, without its tokenizer: one to be trained has `vocabulary` tokens."""
    if preset.tokenizer is not None:
        return preset_config(preset)
    text = dict(preset.model["text_config"])
    text["vocab_size"] = max(text.get("vocab_size", 0), preset.vocabulary)
    return preset_config(msgspec.structs.replace(preset, model={**preset.model, "text_config": text}))
