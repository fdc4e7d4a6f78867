"""Scoring: the level probabilities that the model gives at its answer's prefix, weighed into one number on [0, 1].

Clips are decoded ahead of the model, in threads. Which clips share a forward pass follows from the list of clips alone:
it is cut into windows, the clips of a window are ordered by length, and a pass takes neighbours. So little is padding,
and a list that is scored a second time, or from the middle on, gives the same numbers to the last bit.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import torch

from dataset_builder.corpus import Located
from dataset_builder.video import MediaError, count_packets
from schemas.levels import score_of_probabilities
from schemas.sample import Turn
from training.checkpoints.checkpoint import Checkpoint
from training.fitting import fitting
from training.inputs.ahead import ahead, threads
from training.inputs.conversation import encode_open, without_motion
from training.inputs.dataset import Collator, Example
from training.inputs.features import FeatureCache, motion_features
from training.inputs.feeds import Feed, media_tokens_of, motion_stride, read_feed, refuse_long

BATCH = 16
"""Clips that a forward pass takes at most, where nobody says. Its tokens are bounded besides: see `grouped`."""
WINDOW = 4
"""Passes whose clips are ordered by length together."""
SCORING = "scoring"
"""The task of a sample that asks for the quality of what it shows, and tells nothing else (`stages.stage2_ugc`)."""
_extracting = threading.Lock()


@dataclass(frozen=True)
class Question:
    """What is asked about which media: the prompt up to the answer's prefix. `name` is for messages.

    Of a conversation, `text` is the first question and `since` what was said after it, up to what is asked now.
    """

    name: str
    text: str
    prefix: str
    feeds: list[Feed]
    since: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class Row:
    """The score of one clip on [0, 1], 1 = best, and the probability of each level word; or why there is none.

    The words are the checkpoint's, worst first. Of the motion features every `motion_stride`-th was fed.
    """

    clip: str
    score: float | None
    levels: dict[str, float] | None
    error: str | None = None
    motion_stride: int = 1

    @property
    def probabilities(self) -> list[float] | None:
        """Give the level probabilities alone, worst first."""
        return None if self.levels is None else list(self.levels.values())


def score_clips(
    checkpoint: Checkpoint,
    clips: Iterable[Path],
    batch: int | None = None,
    cache: FeatureCache | None = None,
    workers: int | None = None,
) -> Iterator[Row]:
    """Score files, in order, a row for each: one that cannot be read, or is not in `cache`, gives the reason.

    A path that is given twice is scored once, and has the same row twice.
    """
    given = list(clips)
    windows = score_windows(checkpoint, list(dict.fromkeys(given)), batch, cache, workers)
    rows: dict[str, Row] = {}
    for path in given:
        while str(path) not in rows:
            rows |= {row.clip: row for row in next(windows)}
        yield rows[str(path)]


def score_windows(
    checkpoint: Checkpoint,
    clips: Sequence[Path],
    batch: int | None = None,
    cache: FeatureCache | None = None,
    workers: int | None = None,
) -> Iterator[list[Row]]:
    """Score files, in order, a window of them at a time: all passes of a window are done when its rows are given."""
    size = window_size(batch)
    read = partial(_read, checkpoint, cache)
    reading = ahead(read, clips, workers=workers or threads(), most=size)
    while window := list(islice(reading, size)):
        asked = [found for found in window if isinstance(found, Question)]
        rows = iter(ask_levels(checkpoint, asked, batch))
        yield [next(rows) if isinstance(found, Question) else found for found in window]


def window_size(batch: int | None = None) -> int:
    """Give how many clips make a window, with `batch` clips a pass."""
    return (batch or BATCH) * WINDOW


def ask_levels(checkpoint: Checkpoint, questions: Sequence[Question], batch: int | None = None) -> list[Row]:
    """Read the level probabilities of questions: a row for each, in order, however they are grouped into passes."""
    examples = [encoded(checkpoint, question) for question in questions]
    longest = _longest(checkpoint)
    rows: dict[int, Row] = {}
    for index, example in enumerate(examples):
        if told := _too_long(checkpoint, example):
            rows[index] = Row(example.name, None, None, told)
    fit = [index for index in range(len(examples)) if index not in rows]
    lengths = [len(examples[index].input_ids) for index in fit]
    for group in grouped(lengths, batch or BATCH, longest):
        some = [fit[at] for at in group]
        rows |= zip(some, _ask(checkpoint, [examples[index] for index in some]), strict=True)
    return [rows[index] for index in range(len(examples))]


def too_long(checkpoint: Checkpoint, question: Question) -> str | None:
    """Say why a question is more than the model reads, where it is."""
    return _too_long(checkpoint, encoded(checkpoint, question))


def grouped(lengths: Sequence[int], batch: int, tokens: int) -> Iterator[list[int]]:
    """Group sequences of these lengths for forward passes, shortest first; gives their indices.

    A pass takes at most `batch` sequences, and padded to its longest at most `tokens` tokens: that of one sequence
    that the model can read, so that a pass of many needs hardly more memory than one of the longest clip.
    """
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) == batch or (len(group) + 1) * lengths[index] > tokens):
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def question_of(checkpoint: Checkpoint, located: Located, feeds: Sequence[Feed]) -> Question:
    """Ask for the score of a sample whose media were read.

    One that asks for no more than the quality of a clip is asked as the checkpoint is for any score, for that prompt
    belongs to it; one whose own question tells more, of stalls or of another clip, is asked that question.
    """
    scoring, first = checkpoint.block.scoring, feeds[0]
    if located.sample.task == SCORING and len(feeds) == 1:
        return Question(located.where, scoring.question(first), scoring.prefix(first), [scoring.shown(first)])
    text = located.sample.turns[0].text
    text = text if checkpoint.config.reads_motion else without_motion(text)
    return Question(located.where, text, scoring.prefix(first), list(feeds))


def feed_of(
    checkpoint: Checkpoint,
    path: Path,
    kind: Literal["video", "image"] | None = None,
    cache: FeatureCache | None = None,
) -> Feed:
    """Read one file as the model is fed it, its motion as features. Raises MediaError as `read_feed` does.

    Besides for a file that is cut short, or has more frames than memory is to hold.
    """
    _refuse_cut_or_long(path, checkpoint, dense=cache is None and checkpoint.config.reads_motion)
    return extracted(checkpoint, read_feed(path, checkpoint.config, kind, cache))


def extracted(checkpoint: Checkpoint, feed: Feed) -> Feed:
    """Run the motion extractor on the dense frames of one clip; what it gives takes 1/1000 of their memory.

    The extractor looks at clips one by one in any case, so a feature does not depend on what else is in a pass.
    """
    if feed.motion is None or feed.motion.is_floating_point():
        return feed
    extractor = checkpoint.model.model.motion_extractor
    with _extracting:  # from several threads at once it would need the memory several times
        features = motion_features(feed.motion.numpy(), checkpoint.config.dense_form, extractor)
    return replace(feed, motion=features)


def _read(checkpoint: Checkpoint, cache: FeatureCache | None, path: Path) -> Question | Row:
    scoring = checkpoint.block.scoring
    try:
        feed = _scored_feed(checkpoint, cache, path)
        shown = extracted(checkpoint, scoring.shown(feed))
    except MediaError as error:
        return Row(str(path), None, None, str(error))
    except MemoryError:
        return Row(str(path), None, None, "there is not enough memory to read it")
    return Question(str(path), scoring.question(feed), scoring.prefix(feed), [shown])


def _scored_feed(checkpoint: Checkpoint, cache: FeatureCache | None, path: Path) -> Feed:
    """Read one file for its score, its motion only if the prompt shows any."""
    scoring = checkpoint.block.scoring
    moves = checkpoint.config.reads_motion and scoring.video_prompt != scoring.video_prompt_without_motion
    _refuse_cut_or_long(path, checkpoint, dense=moves and cache is None)
    return read_feed(path, checkpoint.config, cache=cache, motion=moves)


def _refuse_cut_or_long(path: Path, checkpoint: Checkpoint, *, dense: bool) -> None:
    """Raise MediaError for a file that is not whole, or has more frames than memory is to hold: before decoding it."""
    frames = count_packets(path)
    if dense:
        refuse_long(frames, checkpoint.config)


def encoded(checkpoint: Checkpoint, question: Question) -> Example:
    """Make the sequence that a model is asked by. Raises ValueError where placeholders are not those of the media."""
    media_tokens = media_tokens_of(question.feeds, checkpoint.config)
    ids = encode_open(question.text, question.prefix, media_tokens, checkpoint.tokens, question.since)
    return Example(question.name, ids, None, question.feeds)


def _too_long(checkpoint: Checkpoint, example: Example) -> str | None:
    count, longest = len(example.input_ids), _longest(checkpoint)
    return f"{count} tokens, the model reads at most {longest}: cut the clip" if count > longest else None


def _longest(checkpoint: Checkpoint) -> int:
    longest: int = checkpoint.config.text_config.max_position_embeddings
    return longest


@torch.no_grad()  # not inference mode: weights that a sharded model gathers in it cannot be trained on afterwards
def _ask(checkpoint: Checkpoint, examples: Sequence[Example]) -> list[Row]:
    fed = [replace(e, feeds=[extracted(checkpoint, feed) for feed in e.feeds]) for e in examples]
    collated = Collator(checkpoint.config, checkpoint.tokens, side="left")(fed)
    inputs = {k: v.to(checkpoint.model.device) for k, v in collated.items() if k != "names"}
    scoring = checkpoint.block.scoring
    what = f"a pass over {len(examples)} clips, the first {examples[0].name},"
    with fitting(what, "take fewer at a time (`vqa2 score --batch`), or cut the clips"):
        logits = checkpoint.model(**inputs, logits_to_keep=1).logits[:, -1, scoring.level_tokens]
    table = logits.double().softmax(-1).tolist()
    weighed = [score_of_probabilities(row, scoring.weights) for row in table]
    return [
        Row(e.name, score, dict(zip(scoring.levels, row, strict=True)), None, motion_stride(e.feeds, checkpoint.config))
        if math.isfinite(score)
        else Row(e.name, None, None, "the model gives no number: NaN")
        for e, score, row in zip(examples, weighed, table, strict=True)
    ]
