"""What every backbone of the family shares: motion features become embeddings in the place of `<motion>` tokens.

The mixins stand before a stock class: MotionModel before the model without a head, MotionGeneration before the one with
it. All inputs are padded per sample on dimension 0 (beams and generation repeat tensors there), never flattened over
the batch. A mask over key frames or motion numbers the clips of its sample from 1; 0 is padding, so a mask of ones is
one clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from transformers.conversion_mapping import get_checkpoint_conversion_mapping, register_checkpoint_conversion_mapping

from training.models.config import MOTION_INPUTS, MotionConfig
from training.models.frames import normalised, rgb_of_planar
from training.models.slowfast import SlowFastFast


class MotionProjector(nn.Module):
    """Motion features [T, C] of one clip plus their position, to token embeddings [T, D]: two linear layers."""

    def __init__(self, config: MotionConfig) -> None:
        """Build for the configuration's motion channels and the language model's width."""
        super().__init__()
        width = config.text_config.hidden_size
        self.position_embedding = nn.Embedding(config.motion_positions, config.motion_channels)
        self.linear_1 = nn.Linear(config.motion_channels, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """Project features, whose count is at most the position embedding's length."""
        hidden: Tensor = self.linear_1(features + self.position_embedding.weight[: len(features)])
        out: Tensor = self.linear_2(nn.functional.gelu(hidden))
        return out


class MotionModel:
    """The part of a model without its head that reads motion."""

    if TYPE_CHECKING:
        config: Any
        dtype: Any
        post_init: Any

    def __init__(self, config: MotionConfig) -> None:
        """Build the stock model, the motion extractor where it has weights, and the motion projector."""
        super().__init__(config)  # type: ignore[call-arg]  # the stock model's
        self.motion_extractor = SlowFastFast() if config.motion_extractor == "slowfast" else None
        self.motion_projector = MotionProjector(config)
        self.post_init()

    def extract_motion(self, frames: Tensor) -> Tensor:
        """Run the extractor on the dense uint8 frames of one clip; gives [T, C]."""
        if self.motion_extractor is None:
            raise ValueError("this model has no motion extractor in it: feed motion_features")
        rgb = rgb_of_planar(frames) if self.config.dense_pixels == "yuv420p" else frames
        features: Tensor = self.motion_extractor(normalised(rgb, self.dtype))
        return features

    def merge_motion(
        self, embeds: Tensor, input_ids: Tensor | None, features: Tensor | None, frames: Tensor | None, mask: Any
    ) -> Tensor:
        """Put motion in the place of its tokens; as it came where there is none."""
        if features is None and frames is None:
            return embeds
        motion = self._motion_tokens(features, frames, mask)
        return merge(embeds, input_ids, self.config.motion_token_index, motion, "motion")

    def _motion_tokens(self, features: Tensor | None, frames: Tensor | None, mask: Tensor | None) -> Tensor:
        given = features if features is not None else frames
        assert given is not None
        tokens = []
        for clip in clips(given, mask):
            found = clip.to(self.dtype) if features is not None else self.extract_motion(clip)
            tokens.append(self.motion_projector(found[:: self.config.motion_stride(len(clip))]))
        return torch.cat(tokens)


class MotionGeneration:
    """The part of a model with its head that feeds media once, with the prompt."""

    media_inputs: ClassVar[tuple[str, ...]]
    """The names of the inputs that carry pictures."""

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, *, is_first_iteration: bool | None = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Feed media with the prompt only; later steps have them in the cache. (`kwargs` must bear that name.)"""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(  # type: ignore[misc]  # the stock model's
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        if not is_first_iteration and kwargs.get("use_cache", True):
            for name in (*self.media_inputs, *MOTION_INPUTS):
                inputs.pop(name, None)
        return inputs


def clips(given: Tensor, mask: Tensor | None) -> Iterator[Tensor]:
    """Give the frames of each clip of a batch [B, N, ...], in reading order, by what a mask [B, N] numbers."""
    if mask is None:
        yield from given
        return
    for row, numbers in zip(given, mask.tolist(), strict=True):
        start = 0
        for number, run in groupby(numbers):
            end = start + len(list(run))
            if number:
                yield row[start:end]
            start = end


def merge(embeds: Tensor, input_ids: Tensor | None, token: int, found: Tensor, kind: str) -> Tensor:
    """Put media embeddings where their placeholder tokens stand. Raises ValueError when the numbers differ."""
    if input_ids is None:
        raise ValueError(f"{kind} input needs input_ids, which say where its placeholders stand")
    where = input_ids == token
    if int(where.sum()) != len(found):
        raise ValueError(f"the prompt holds {int(where.sum())} {kind} tokens, the media give {len(found)}")
    return embeds.masked_scatter(where[..., None], found.to(embeds.dtype))


def rename_as(ours: str, stock: str) -> None:
    """Have the checkpoint renames of a stock model (its type, or a class of it) applied to ours.

    Transformers applies them to its own classes only: without this, stock weights leave the whole language model
    random, with no more than a warning.
    """
    renames = get_checkpoint_conversion_mapping(stock)
    if renames is not None:
        register_checkpoint_conversion_mapping(ours, renames, overwrite=True)
