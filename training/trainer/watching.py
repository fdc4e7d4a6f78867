"""Scoring while training: how a model in the middle of its training ranks a split that it does not learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_builder.corpus import Located
from dataset_builder.correlation import plcc, srcc
from dataset_builder.locks import scored_samples
from schemas.errors import CallError, DataError
from schemas.recipe import Watch
from training.checkpoints.checkpoint import Checkpoint
from training.inference.score import ask_levels, question_of
from training.inputs.dataset import read_feeds, stated_length
from training.inputs.feeds import FeedReader
from training.models.config import MotionConfig, VQA2Config

CHUNK = 32
"""Samples whose clips are held in memory at once."""


@dataclass(frozen=True)
class Watcher:
    """Scores the same samples whenever it is asked."""

    samples: Sequence[Located]
    feeds: FeedReader

    def __call__(self, checkpoint: Checkpoint) -> tuple[float | None, float | None]:
        """Give SRCC and PLCC against the MOS, None if constant. Raises DataError naming what it cannot score."""
        scores, truth = self.scores(checkpoint), self.truth()
        return srcc(scores, truth), plcc(scores, truth)

    def truth(self) -> list[float]:
        """List the samples' MOS on [0, 1]."""
        return [located.sample.target.mos for located in self.samples if located.sample.target]

    def scores(self, checkpoint: Checkpoint) -> list[float]:
        """Score the samples, in order. Raises DataError naming what it cannot score."""
        scores: list[float] = []
        for start in range(0, len(self.samples), CHUNK):
            asked = []
            for located in self.samples[start : start + CHUNK]:
                asked.append(question_of(checkpoint, located, read_feeds(located, self.feeds)))
            for row in ask_levels(checkpoint, asked):
                if row.score is None:
                    raise DataError(f"{row.clip}: {row.error}")
                scores.append(row.score)
        return scores


def watched(watch: Watch, corpus: Path, config: MotionConfig) -> list[Located]:
    """Choose the samples to watch: evenly spaced, where not all are.

    Raises CallError when the corpus has none, or fewer than a ranking needs, DataError naming one whose media alone are
    longer than the model reads: that would stop the run at its first scoring.
    """
    samples = scored_samples(corpus, watch.config, watch.split)
    if watch.samples is not None and watch.samples < len(samples):
        samples = [samples[i * len(samples) // watch.samples] for i in range(watch.samples)]
    if len(samples) < 3:
        raise CallError(f"watch: {watch.config}/{watch.split} has {len(samples)} scored samples; a ranking needs 3")
    limit = config.text_config.max_position_embeddings
    for located in samples:
        if isinstance(config, VQA2Config) and (count := stated_length(located.sample, config)) > limit:
            raise located.error(f"about {count} tokens, the model reads at most {limit}: it cannot be watched")
    return samples
