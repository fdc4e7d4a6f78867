"""A checkpoint folder: weights, tokenizer, how it is to be asked for a score, and what it was trained by and on."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer

from dataset_builder.corpus import replacing
from schemas.errors import CallError
from schemas.levels import LEVELS, WEIGHTS
from schemas.sample import MOTION
from stages.wording.prompts import PUBLISHED, SHORT
from training.config import MotionConfig
from training.feeds import Feed
from training.model import model_class
from training.preset import Preset
from training.slowfast import SlowFastFast
from training.tokens import Tokens

BLOCK = "vqa2.json"
RECORD = "training.json"
EXTRACTOR = "model.motion_extractor."
"""What the names of the motion extractor's tensors begin with in a checkpoint."""


class Scoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How this model is asked for a score: it belongs to the checkpoint, since another wording scores otherwise.

    Each prompt is followed by its prefix, and the next token's logits at `level_tokens` (ids of the words `levels`,
    worst first) are weighed by `weights`. A video prompt without `<motion>` is asked of the key frames alone.
    """

    video_prompt: str
    video_prompt_without_motion: str
    image_prompt: str
    video_prefix: str
    image_prefix: str
    levels: list[str]
    level_tokens: list[int]
    weights: list[float]

    def question(self, feed: Feed) -> str:
        """Give the prompt for one clip or image."""
        if feed.kind == "image":
            return self.image_prompt
        return self.video_prompt if feed.motion is not None else self.video_prompt_without_motion

    def shown(self, feed: Feed) -> Feed:
        """Give what the prompt shows of one clip or image."""
        return feed if MOTION in self.question(feed) else replace(feed, motion=None)

    def prefix(self, feed: Feed) -> str:
        """Give the beginning of the answer, up to the level word."""
        return self.image_prefix if feed.kind == "image" else self.video_prefix


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file `vqa2.json`: the scoring block, and the preset and seed that the untrained model is made of again.

    `system` is the system prompt of the model's conversations, "" = none.
    """

    scoring: Scoring
    preset: Preset
    seed: int
    system: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """A model of the family with all that asking it needs."""

    model: Any
    tokens: Tokens
    block: Block

    @property
    def config(self) -> MotionConfig:
        """The model's configuration."""
        config: MotionConfig = self.model.config
        return config


def scoring_of(tokens: Tokens) -> Scoring:
    """Make the scoring block: the paper's prompt, answer prefix and weights, the tokenizer's level tokens."""
    return Scoring(
        video_prompt=PUBLISHED["ugc/video"],
        video_prompt_without_motion=SHORT["ugc/video"],
        image_prompt=PUBLISHED["ours/ugc/image"],
        video_prefix="The quality of this video is",
        image_prefix="The quality of this image is",
        levels=list(LEVELS),
        level_tokens=list(tokens.levels()),
        weights=list(WEIGHTS),
    )


def save_checkpoint(folder: Path, checkpoint: Checkpoint, record: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all: beside its place first, then moved there."""
    with replacing(folder) as new:
        checkpoint.model.save_pretrained(new)
        checkpoint.tokens.tokenizer.save_pretrained(new)
        for name, content in ((BLOCK, checkpoint.block), (RECORD, record)):
            (new / name).write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint folder of `vqa2 train` or `vqa2 convert`. Raises CallError when it is none."""
    _require(folder)
    try:
        block = msgspec.json.decode((folder / BLOCK).read_bytes(), type=Block)
        model, told = model_class(_config(folder)).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        tokens = Tokens(AutoTokenizer.from_pretrained(folder, local_files_only=True), block.system)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CallError(f"{folder}: the model folder cannot be read: {error}") from None
    if wrong := sorted([*told["missing_keys"], *told["unexpected_keys"]]):
        raise CallError(f"{folder}: {len(wrong)} tensors are missing or of another model, as {wrong[0]}")
    if list(tokens.levels(block.scoring.levels)) != block.scoring.level_tokens:
        raise CallError(f"{folder}: the tokenizer's level tokens are not those of {BLOCK}: take both from one run")
    return Checkpoint(model.eval(), tokens, block)


def load_extractor(folder: Path) -> tuple[MotionConfig, SlowFastFast | None]:
    """Read a checkpoint's configuration and its motion extractor, None where that is a rule, and none of the rest.

    Raises CallError when the folder is no checkpoint, or cannot be read.
    """
    _require(folder)
    try:
        config = _config(folder)
        if config.motion_extractor == "frame_stats":
            return config, None
        state: dict[str, Tensor] = {}
        for path in sorted(folder.glob("model*.safetensors")):
            with safe_open(path, "pt") as file:
                state |= {k.removeprefix(EXTRACTOR): file.get_tensor(k) for k in file.keys() if k.startswith(EXTRACTOR)}  # noqa: SIM118 - it is no dict
        extractor = SlowFastFast()
        extractor.load_state_dict(state, assign=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CallError(f"{folder}: the model folder cannot be read: {error}") from None
    return config, extractor.eval()


def _config(folder: Path) -> MotionConfig:
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if not isinstance(config, MotionConfig):
        raise CallError(f"{folder}: holds a model of the type {config.model_type!r}, which reads no motion")
    return config


def _require(folder: Path) -> None:
    if not (folder / BLOCK).is_file():
        siblings = [p.name for p in folder.parent.iterdir() if p.is_dir()] if folder.parent.is_dir() else []
        near = difflib.get_close_matches(folder.name, [s for s in siblings if s != folder.name], 1)
        hint = (
            f"; did you mean {str(folder.with_name(near[0]))!r}?"
            if near
            else "; `vqa2 train` writes one, `vqa2 convert` too"
        )
        raise CallError(f"{folder}: no model folder (it has no {BLOCK}){hint}")
