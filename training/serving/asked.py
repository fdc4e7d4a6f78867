"""What the page asks of the model: a clip's score, the next answer of a conversation, which of two clips is better."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_builder.video import MediaError
from dataset_builder.video.opening import opened
from schemas.errors import CallError
from schemas.frames import key_frame_step
from schemas.sample import PLACEHOLDERS, Turn
from training.checkpoints.checkpoint import Checkpoint
from training.inference.answering import streamed
from training.inference.asking import worded
from training.inference.score import Question, ask_levels, encoded, feed_of
from training.inputs.feeds import Feed

COMPARISON = "Which of the two has the better visual quality, the first or the second, and why?"
"""What is asked of two clips where nobody asks otherwise."""
KEPT = 8
"""Clips that are held as they were read: a conversation goes on about one, and several people may talk."""


@dataclass(frozen=True)
class Scored:
    """A score on [0, 1], 1 = best, and the probability of each level word of the checkpoint, worst first."""

    score: float
    levels: dict[str, float]

    @property
    def word(self) -> str:
        """The likeliest level word."""
        return max(self.levels, key=self.levels.__getitem__)


class Asked:
    """A model, and the clips that it was asked about last. It is to be asked one thing at a time."""

    def __init__(self, checkpoint: Checkpoint, most_frames: int) -> None:
        """Take a model, and how many frames a clip may have: small ones of them all are in memory while it is read."""
        self._checkpoint, self._most_frames = checkpoint, most_frames
        self.read = functools.lru_cache(KEPT)(self._read)
        """Gives what the model is fed of a file. Raises MediaError."""

    def score(self, feed: Feed) -> Scored:
        """Score one clip or image. Raises CallError where the model gives no number, or does not read as much."""
        scoring = self._checkpoint.block.scoring
        question = Question("the clip", scoring.question(feed), scoring.prefix(feed), [scoring.shown(feed)])
        (row,) = ask_levels(self._checkpoint, [question])
        if row.score is None or row.levels is None:
            raise CallError(row.error or "the model gives no number")
        return Scored(row.score, row.levels)

    def talk(self, feeds: Sequence[Feed], question: str, since: Sequence[Turn] = ()) -> Iterator[str]:
        """Answer a question about clips, or what was asked `since`: gives, again and again, the whole answer so far.

        Who stops listening stops the model. Raises CallError for a question that cannot be asked, or a conversation
        that is longer than what the model reads.
        """
        for text in (question, *(turn.text for turn in since if turn.role == "user")):
            if held := next((placeholder for placeholder in PLACEHOLDERS if placeholder in text), None):
                raise CallError(f"{held} stands for a clip, so a question cannot hold it")
            if not text.strip():
                raise CallError("the question is empty")
        first = worded(self._checkpoint, feeds, question)
        asked = Question(first.name, first.text, "", first.feeds, tuple(since))
        count = len(encoded(self._checkpoint, asked).input_ids)
        if count >= (most := self._checkpoint.config.text_config.max_position_embeddings):
            raise CallError(f"this conversation has {count:,} tokens, the model reads {most:,}: start again")
        text = ""
        for bit in streamed(self._checkpoint, asked):
            text += bit
            yield text
        if not text:
            yield "(no words)"

    def _read(self, path: Path) -> Feed:
        if _frames(path, self._most_frames + 1) > self._most_frames:
            raise MediaError(f"the clip has more than {self._most_frames:,} frames, which is the most here: cut it")
        return feed_of(self._checkpoint, path)


def seconds_of_key_frames(feed: Feed) -> list[float]:
    """Give when each key frame is shown, in seconds from the first."""
    return [i * key_frame_step(feed.fps) / feed.fps for i in range(len(feed.pictures))]


def _frames(path: Path, enough: int) -> int:
    """Count the frames of a file by its packets, decoding none, as far as to `enough`. Raises MediaError."""
    count = 0
    with opened(path) as (container, stream):
        for packet in container.demux(stream):
            count += bool(packet.size)
            if count == enough:
                break
    return count
