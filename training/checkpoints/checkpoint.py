"""A checkpoint folder: weights, tokenizer, how it is to be asked for a score, and what it was trained by and on."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer

from dataset_builder.corpus import replacing
from schemas.errors import CallError
from schemas.levels import LEVELS, WEIGHTS
from schemas.sample import MOTION
from stages.wording.prompts import PUBLISHED, SHORT
from training.checkpoints.preset import Preset
from training.checkpoints.start import initial_model, model_config
from training.fitting import wants_memory
from training.inputs.feeds import Feed
from training.inputs.tokens import Tokens
from training.models.config import MotionConfig
from training.models.model import model_class
from training.models.slowfast import SlowFastFast

if TYPE_CHECKING:
    from peft import PeftModel

BLOCK = "vqa2.json"
RECORD = "training.json"
EXTRACTOR = "model.motion_extractor."
"""What the names of the motion extractor's tensors begin with in a checkpoint."""
ADAPTERS = "adapter_config.json"
"""Makes a folder one of adapters, which needs its base."""
OWN: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""How a folder is read: itself alone, and no code in it is run or offered to be."""
DAMAGED = (OSError, ValueError, RuntimeError, TypeError, KeyError, AttributeError, SafetensorError)
"""What libraries raise over files of a model that are damaged, or are not what their names say."""
WHOLE, PIECE = 1 << 26, 1 << 16
"""A file of at most WHOLE bytes is read whole for its identity; of a larger one its header, and of each tensor the
first PIECE bytes: whatever learns, learns there too."""


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


class Base(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The checkpoint that adapters belong to: its folder as seen from theirs, and what tells its weights from others.

    `bits` is how its language model was kept while they learnt, None = as it is.
    """

    path: str
    weights: str
    bits: Literal[4] | None = None


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file `vqa2.json`: the scoring block, and the preset and seed that the untrained model is made of again.

    `system` is the system prompt of the model's conversations, "" = none. `base` is given in a folder of adapters to a
    checkpoint; adapters without it belong to the untrained model.
    """

    scoring: Scoring
    preset: Preset
    seed: int
    system: str = ""
    base: Base | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A model of the family with all that asking it needs. `adapted` is PEFT's handle on one with adapters."""

    model: Any
    tokens: Tokens
    block: Block
    adapted: PeftModel | None = None

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


def save_checkpoint(
    folder: Path, checkpoint: Checkpoint, record: dict[str, Any], also: Callable[[Path], None] = lambda _: None
) -> None:
    """Write a checkpoint whole or not at all: beside its place first, then moved there. Of adapters, these alone.

    `also` writes what else is to stand in the folder.
    """
    with replacing(folder) as new:
        if checkpoint.adapted is None:
            checkpoint.model.save_pretrained(new)
        else:
            from training.checkpoints.adapters import save_adapters

            save_adapters(checkpoint.adapted, new, checkpoint.block.base.path if checkpoint.block.base else None)
        checkpoint.tokens.save(new)
        # Weights that are whole belong to no base, even where adapters went into them.
        block = checkpoint.block if checkpoint.adapted else msgspec.structs.replace(checkpoint.block, base=None)
        for name, content in ((BLOCK, block), (RECORD, record)):
            (new / name).write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        also(new)
        mode = (new / RECORD).stat().st_mode
        for path in new.iterdir():  # transformers writes weights for their owner's eyes alone
            path.chmod(mode)


def load_checkpoint(folder: Path, bits: Literal[4] | None = None) -> Checkpoint:
    """Read a checkpoint folder of `vqa2 train` or `vqa2 convert`, with `bits` its language model in so many.

    Adapters are put on their base, and added to its weights unless these are in 4 bits. Raises CallError when the
    folder is none, or the base is not there or another.
    """
    block = block_of(folder)
    if not (folder / ADAPTERS).is_file():
        config_of(folder)  # else a damaged one is told as what the tokenizer makes of it
    try:
        tokens = Tokens(AutoTokenizer.from_pretrained(folder, **OWN), block.system)
        model = _adapted(folder, block, tokens) if (folder / ADAPTERS).is_file() else _whole(folder, bits)
    except CallError:
        raise
    except DAMAGED as error:
        if wants_memory(error):
            raise
        raise CallError(f"{folder}: the model folder cannot be read: {_told(error)}") from None
    if list(tokens.levels(block.scoring.levels)) != block.scoring.level_tokens:
        raise CallError(f"{folder}: the tokenizer's level tokens are not those of {BLOCK}: take both from one run")
    return Checkpoint(model.eval(), tokens, block)


def block_of(folder: Path) -> Block:
    """Read how a checkpoint is to be asked, and none of its weights. Raises CallError when the folder is none."""
    _require(folder)
    try:
        return msgspec.json.decode((folder / BLOCK).read_bytes(), type=Block)
    except (OSError, msgspec.DecodeError) as error:
        raise CallError(f"{folder}: the model folder cannot be read: {error}") from None


def _whole(folder: Path, bits: Literal[4] | None) -> Any:
    how: dict[str, Any] = {}
    if bits:
        from training.checkpoints.adapters import four_bit, keep_learnable

        how["quantization_config"] = four_bit()
    model, told = model_class(config_of(folder)).from_pretrained(
        folder, **OWN, use_safetensors=True, output_loading_info=True, **how
    )
    if bits:
        keep_learnable(model)
    if wrong := sorted([*told["missing_keys"], *told["unexpected_keys"]]):
        raise CallError(f"{folder}: {len(wrong)} tensors are missing or of another model, as {wrong[0]}")
    return model


def _adapted(folder: Path, block: Block, tokens: Tokens) -> Any:
    from training.checkpoints.adapters import put_on

    if not (folder / "adapter_model.safetensors").is_file():
        raise CallError(f"{folder}: no adapter_model.safetensors in it; weights in other formats are not read")
    if block.base is None:
        base = initial_model(block.preset, model_config(block.preset, tokens), block.seed)
        return put_on(base, folder, merge=True)
    place = folder / block.base.path
    if not (place / BLOCK).is_file():
        raise CallError(f"{folder}: adapters to the checkpoint {block.base.path}, which is not there: put it there")
    if (found := identity(place)) != block.base.weights:
        raise CallError(f"{folder}: adapters to other weights ({block.base.weights}) than those of {place} ({found})")
    return put_on(load_checkpoint(place, block.base.bits).model, folder, merge=block.base.bits is None)


def identity(folder: Path) -> str:
    """Tell the weights of a model folder from others: a hash of names, sizes and parts of its files (12 hex digits).

    Raises CallError when the folder is none, or a file of it is damaged.
    """
    _require(folder)
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), folder / BLOCK]):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        if size <= WHOLE:
            digest.update(path.read_bytes())
        else:
            for piece in _pieces(path):
                digest.update(piece)
    return digest.hexdigest()[:12]


def _pieces(path: Path) -> Iterator[bytes]:
    """Give the header of a safetensors file, and the beginning of each of its tensors."""
    with path.open("rb") as file:
        try:
            header = file.read(int.from_bytes(file.read(8), "little"))
            told = msgspec.json.decode(header, type=dict[str, dict[str, Any]])
            tensors = [tensor for name, tensor in told.items() if name != "__metadata__"]
            places = sorted((int(start), int(end)) for start, end in (tensor["data_offsets"] for tensor in tensors))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
            raise CallError(f"{path}: no whole safetensors file: {error!r}") from None
        yield header
        for start, end in places:
            file.seek(8 + len(header) + start)
            yield file.read(min(PIECE, end - start))


def load_extractor(folder: Path) -> tuple[MotionConfig, SlowFastFast | None]:
    """Read a checkpoint's configuration and its motion extractor, None where that is a rule, and none of the rest.

    Raises CallError when the folder is no checkpoint, or cannot be read.
    """
    _require(folder)
    if (folder / ADAPTERS).is_file():
        checkpoint = load_checkpoint(folder)
        extractor = checkpoint.model.model.motion_extractor
        return checkpoint.config, getattr(extractor, "modules_to_save", {"default": extractor})["default"]
    try:
        config = config_of(folder)
        if config.motion_extractor != "slowfast":
            return config, None
        state: dict[str, Tensor] = {}
        for path in sorted(folder.glob("model*.safetensors")):
            with safe_open(path, "pt") as file:
                state |= {k.removeprefix(EXTRACTOR): file.get_tensor(k) for k in file.keys() if k.startswith(EXTRACTOR)}  # noqa: SIM118 - it is no dict
        extractor = SlowFastFast()
        extractor.load_state_dict(state, assign=True)
    except CallError:
        raise
    except DAMAGED as error:
        raise CallError(f"{folder}: the model folder cannot be read: {_told(error)}") from None
    return config, extractor.eval()


def config_of(folder: Path) -> MotionConfig:
    """Read the configuration of a checkpoint that is no adapters. Raises CallError where it is none of the family."""
    try:
        config = AutoConfig.from_pretrained(folder, **OWN)
    except DAMAGED as error:
        raise CallError(f"{folder}: the model folder cannot be read: config.json: {_told(error)}") from None
    if not isinstance(config, MotionConfig):
        raise CallError(f"{folder}: holds a model of the type {config.model_type!r}, which reads no motion")
    return config


def _told(error: Exception) -> str:
    """Say what is wrong, where a library says it of itself alone."""
    if "ignore_mismatched_sizes" in str(error):
        return "its weights have other shapes than its config.json says"
    return repr(error) if isinstance(error, KeyError) else str(error)


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
