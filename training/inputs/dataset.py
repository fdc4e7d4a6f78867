"""Samples of a corpus as model inputs: reading, checking against the media, batching."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from msgspec.structs import replace
from torch import Tensor

from dataset_builder.corpus import Located
from schemas.errors import DataError
from schemas.sample import Sample
from training.inputs.conversation import NO_LOSS, encode, without_motion
from training.inputs.feeds import Feed, FeedReader, media_tokens_of
from training.inputs.pictures import picture_inputs, stacked
from training.inputs.soft_levels import SoftLevel, soft_level
from training.inputs.tokens import END_OF_TEXT, Tokens
from training.models.config import MotionConfig, PatchedConfig


@dataclass(frozen=True)
class Example:
    """One sequence ready to be batched; `labels` is None when only logits are read, `soft` without a level word."""

    name: str
    input_ids: list[int]
    labels: list[int] | None
    feeds: list[Feed]
    soft: SoftLevel | None = None


def shows(sample: Sample, media: Literal["image", "video", "all"]) -> bool:
    """Say whether a sample shows media of the wanted kind only."""
    return media == "all" or all(m.kind == media for m in sample.media)


class SampleDataset(torch.utils.data.Dataset[Example]):
    """Samples as Examples. A sample that cannot be shown stops the run with its name; none is ever replaced."""

    def __init__(
        self,
        samples: Sequence[Located],
        feeds: FeedReader,
        config: MotionConfig,
        tokens: Tokens,
        level_tokens: Sequence[int] = (),
    ) -> None:
        """Take samples and what reads their media; `level_tokens`, worst first, have level words told from the rest."""
        self._samples, self._feeds, self._config, self._tokens = samples, feeds, config, tokens
        self._level_tokens = level_tokens
        self._encoding = threading.Lock()  # a tokenizer cannot be asked by two threads at once

    def __len__(self) -> int:
        """Count the samples."""
        return len(self._samples)

    def __getitem__(self, index: int) -> Example:
        """Read and encode one sample. Raises DataError naming it."""
        located = self._samples[index]
        feeds = read_feeds(located, self._feeds)
        media_tokens = media_tokens_of(feeds, self._config)
        turns = located.sample.turns
        if not self._config.reads_motion:
            turns = [replace(turn, text=without_motion(turn.text)) for turn in turns]
        try:
            with self._encoding:
                encoded = encode(turns, media_tokens, self._tokens)
        except ValueError as error:
            raise located.error(error) from None
        limit = self._config.text_config.max_position_embeddings
        if len(encoded.input_ids) > limit:
            raise located.error(f"{len(encoded.input_ids)} tokens, the model reads at most {limit}: cut the clip")
        soft = soft_level(located.sample.target, encoded.labels, self._level_tokens) if self._level_tokens else None
        return Example(located.where, encoded.input_ids, encoded.labels, feeds, soft)

    def lengths(self) -> list[int]:
        """Estimate the length of every sample in tokens from what it states, without decoding anything."""
        return [stated_length(located.sample, self._config) for located in self._samples]


def read_feeds(located: Located, feeds: FeedReader) -> list[Feed]:
    """Read the media of a sample. Raises DataError naming the sample."""
    media = located.sample.media
    try:
        return [feeds.read(m) for m in media]
    except DataError as error:
        raise located.error(error) from None


def stated_length(sample: Sample, config: MotionConfig) -> int:
    """Estimate the length of a sample in tokens from what it states, without decoding anything."""
    text = sum(len(turn.text) for turn in sample.turns) // 4
    return text + sum(
        config.estimated_tokens(m.kind, m.key_frames) + config.motion_tokens(m.motion_frames) for m in sample.media
    )


class Collator:
    """Pads Examples into a batch: on the right to train, on the left to read the logits after the last token."""

    def __init__(self, config: MotionConfig, tokens: Tokens, *, side: Literal["left", "right"]) -> None:
        """Take the side on which shorter sequences are padded."""
        self._config, self._left = config, side == "left"
        self._pad = tokens.id(END_OF_TEXT)

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Give tensors for a model of the family, and `names` and `soft_...`, which the trainer takes out again."""
        ids = self._padded([e.input_ids for e in examples], self._pad)
        mask = self._padded([[1] * len(e.input_ids) for e in examples], 0)
        batch: dict[str, Any] = {
            "names": [e.name for e in examples],
            "input_ids": ids,
            "attention_mask": mask,
        }
        if not isinstance(self._config, PatchedConfig):  # those count positions in space and time themselves
            batch["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        labels = [e.labels for e in examples if e.labels is not None]
        if len(labels) == len(examples):
            batch["labels"] = self._padded(labels, NO_LOSS)
        if soft := [(row, e.soft) for row, e in enumerate(examples) if e.soft]:
            batch["soft_rows"] = torch.tensor([(row, level.position) for row, level in soft])
            batch["soft_levels"] = torch.tensor([list(level.probabilities) for _, level in soft])
        batch |= picture_inputs(self._config, [e.feeds for e in examples])
        motion = [[f.motion for f in e.feeds if f.motion is not None] for e in examples]
        if any(motion):
            stack, batch["motion_mask"] = stacked(motion)
            batch["motion_features" if stack.is_floating_point() else "motion_frames"] = stack
        return batch

    def _padded(self, rows: Sequence[Sequence[int]], value: int) -> Tensor:
        longest = max(map(len, rows))
        out = torch.full((len(rows), longest), value)
        for row, given in zip(out, rows, strict=True):
            row[slice(longest - len(given), None) if self._left else slice(len(given))] = torch.tensor(given)
        return out
