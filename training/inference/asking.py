"""A person's question about clips as a prompt: worded as the conversations that the model has learned from are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dataset_builder.video import MediaError
from schemas.errors import CallError
from schemas.sample import IMAGE, MOTION, PLACEHOLDERS, VIDEO
from stages.wording.prompts import PUBLISHED, SHORT
from stages.wording.questions import prompt_about
from training.checkpoints.checkpoint import Checkpoint
from training.inference.score import Question, feed_of
from training.inputs.conversation import encode_open
from training.inputs.features import FeatureCache
from training.inputs.feeds import Feed, media_tokens_of

MOST = 2
"""Clips that one question may be about: no more are in any conversation of the family."""


def question_about(
    checkpoint: Checkpoint, clips: Sequence[Path], question: str, *, cache: FeatureCache | None = None
) -> Question:
    """Read one or two clips or images, and word the question about them.

    Raises MediaError naming a file that cannot be read, CallError for an empty question, too many clips, more tokens
    than the model reads, or placeholders that are not those of the clips.
    """
    if not question.strip():
        raise CallError("the question is empty")
    if not 1 <= len(clips) <= MOST:
        raise CallError(f"a question is about one clip, or about two to compare, not about {len(clips)}")
    feeds = []
    for clip in clips:
        try:
            feeds.append(feed_of(checkpoint, clip, cache=cache))
        except MediaError as error:
            raise type(error)(f"{clip}: {error}") from None
    return worded(checkpoint, feeds, question)


def worded(checkpoint: Checkpoint, feeds: Sequence[Feed], question: str) -> Question:
    """Word a question about what was read. Raises CallError as `question_about` does."""
    media_tokens = media_tokens_of(feeds, checkpoint.config)
    expected = [name for name, _ in media_tokens]
    written = re.findall("|".join(map(re.escape, PLACEHOLDERS)), question)
    if written and written != expected:
        raise CallError(
            f"the question holds {' '.join(written)}, and these clips need {' '.join(expected)}: "
            "write them so, or leave them all out"
        )
    text = question if written else prompt(feeds, question.strip())
    count = len(encode_open(text, "", media_tokens, checkpoint.tokens))
    if count >= (most := checkpoint.config.text_config.max_position_embeddings):
        raise CallError(f"{count} tokens, the model reads at most {most}: cut the clips")
    return Question("the question", text, "", list(feeds))


def prompt(feeds: Sequence[Feed], question: str) -> str:
    """Write the prompt of a question about one or two videos or images.

    One is shown as in the conversations of stage 3, two videos as in the pair questions of Q-Bench-Video; nothing is
    published for two images, or an image beside a video, so that wording is ours.
    """
    shown = [(len(feed.pictures), 0 if feed.motion is None else len(feed.motion)) for feed in feeds]
    if len(feeds) == 1:
        ((images, frames),) = shown
        if feeds[0].kind == "image":
            return PUBLISHED["ours/stage3/image"].format(question=question)
        if not frames:
            return SHORT["stage3/video"].format(question=question)
        return PUBLISHED["stage3/video"].format(images=images, frames=frames, question=question)
    if all(feed.kind == "video" for feed in feeds):
        return prompt_about(question, shown)
    lines = [_line(which, feed) for which, feed in zip(("first", "second"), feeds, strict=True)]
    return f"You will receive {_both(feeds)}.\n{''.join(lines)}{question}"


def _both(feeds: Sequence[Feed]) -> str:
    first, second = (feed.kind for feed in feeds)
    return f"two {first}s" if first == second else f"one {first} and one {second}"


def _line(which: str, feed: Feed) -> str:
    if feed.kind == "image":
        return f"The {which} one, an image:{IMAGE}\n"
    moves = f"Its motion features:{MOTION}\n" if feed.motion is not None else ""
    return f"The {which} one, a video, by its key frames:{VIDEO}\n{moves}"
