"""Scoring: the level probabilities that the model gives at its answer's prefix, weighed into one number on [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from dataset_builder.video import MediaError
from schemas.levels import score_of_probabilities
from training.checkpoint import Checkpoint
from training.conversation import encode_open
from training.dataset import Collator, Example
from training.features import FeatureCache
from training.feeds import Feed, read_feed

BATCH = 16
"""Clips a forward pass of a model that reads motion by rule; one that runs an extractor takes them one by one."""


@dataclass(frozen=True)
class Question:
    """What is asked about which media: the prompt up to the answer's prefix. `name` is for messages."""

    name: str
    text: str
    prefix: str
    feeds: list[Feed]


@dataclass(frozen=True)
class Row:
    """The score of one clip on [0, 1], 1 = best, and its level probabilities, worst first; or why there is none."""

    clip: str
    score: float | None
    probabilities: list[float] | None
    error: str | None = None


def score_clips(
    checkpoint: Checkpoint, clips: Iterable[Path], batch: int | None = None, cache: FeatureCache | None = None
) -> Iterator[Row]:
    """Score files, in order, a row for each: one that cannot be read, or is not in `cache`, gives the reason."""
    scoring = checkpoint.block.scoring
    waiting = iter(clips)
    while some := list(islice(waiting, batch or batch_size(checkpoint))):
        asked: list[Question] = []
        failed: dict[Path, str] = {}
        for path in some:
            try:
                feed = read_feed(path, checkpoint.config, cache=cache)
            except MediaError as error:
                failed[path] = str(error)
                continue
            asked.append(Question(str(path), scoring.question(feed), scoring.prefix(feed), [scoring.shown(feed)]))
        rows = {row.clip: row for row in ask_levels(checkpoint, asked, batch)}
        for path in some:
            yield Row(str(path), None, None, failed[path]) if path in failed else rows[str(path)]


def ask_levels(checkpoint: Checkpoint, questions: Sequence[Question], batch: int | None = None) -> list[Row]:
    """Read the level probabilities of questions, in order, `batch` at a time."""
    size = batch or batch_size(checkpoint)
    return [row for i in range(0, len(questions), size) for row in _ask(checkpoint, questions[i : i + size])]


def batch_size(checkpoint: Checkpoint) -> int:
    """Give how many clips fit a forward pass."""
    return BATCH if checkpoint.config.motion_extractor == "frame_stats" else 1


@torch.inference_mode()
def _ask(checkpoint: Checkpoint, questions: Sequence[Question]) -> list[Row]:
    examples = []
    for question in questions:
        media_tokens = [pair for feed in question.feeds for pair in feed.media_tokens(checkpoint.config)]
        ids = encode_open(question.text, question.prefix, media_tokens, checkpoint.tokens)
        examples.append(Example(question.name, ids, None, question.feeds))
    collated = Collator(checkpoint.config, checkpoint.tokens, side="left")(examples)
    inputs = {k: v.to(checkpoint.model.device) for k, v in collated.items() if k != "names"}
    scoring = checkpoint.block.scoring
    logits = checkpoint.model(**inputs, logits_to_keep=1).logits[:, -1, scoring.level_tokens]
    table = logits.double().softmax(-1).tolist()
    weighed = [score_of_probabilities(row, scoring.weights) for row in table]
    return [
        Row(q.name, score, row) if math.isfinite(score) else Row(q.name, None, None, "the model gives no number: NaN")
        for q, score, row in zip(questions, weighed, table, strict=True)
    ]
