"""Conversations that others published, in the form of LLaVA: what the sources of such data share.

A row names its media under `image` or `video`, one or a list, and its turns under `conversations`, with `from`/`value`
or `role`/`content`. Tags in the text stand for the media. `frames per sec` marks a video under the key `image`; it has
two tags, the key frames' and the motion features'. Other forms write one tag a video, or one for each frame of it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from dataset_builder.labels import CellError, Conversation, LabelRow, number
from dataset_builder.sources import About, Labelled, tables
from dataset_builder.tables import Row
from schemas.levels import LEVELS, Level
from schemas.recipe import Scale, SourceRecipe
from schemas.record import Score, refuse_path
from schemas.sample import IMAGE, MOTION, VIDEO

TAG = re.compile(r"<image>|<video>|<\|image\|>|<\|video\|>")
RUN = re.compile(rf"(?:{TAG.pattern})(?:\s*(?:{TAG.pattern}))*")
"""Tags with nothing but white space between them, such as one for each frame of a video."""
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".y4m", ".ts", ".mpg", ".wmv", ".flv"})
ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
ACR: dict[str, Level] = {"bad": "low", "poor": "poor", "fair": "fair", "good": "good", "excellent": "high"}
"""The words of the absolute category rating (ITU-T P.910), which Q-Align answers with, as our level words."""
OURS: dict[str, Level] = {level: level for level in LEVELS}


def conversations(
    recipe: SourceRecipe, folder: Path, about: About, words: Mapping[str, Level] = OURS, name_holds_score: bool = False
) -> Iterator[Labelled]:
    """Read every row of the tables as one conversation.

    `words` are the level words that answers use, as ours; `name_holds_score` reads a score from ids `name->score`.
    """
    scale = about.scale(recipe)
    for table in tables(recipe, folder):
        table.column("conversations")
        yield from table.each(lambda row: _labelled(row, scale, words, name_holds_score))


def _labelled(row: Row, scale: Scale | None, words: Mapping[str, Level], name_holds_score: bool) -> LabelRow:
    key = "video" if row.get("image") is None else "image"
    media = _media(row.get(key), key)
    turns = _turns(row.get("conversations"))
    video = key == "video" or "frames per sec" in row or PurePosixPath(media[0]).suffix.lower() in VIDEO_SUFFIXES
    texts, written = _placed([text for _, text in turns], len(media), video)
    if "frames per sec" in row and len(written) != sum(1 for tag in written if tag):
        raise CellError(
            "conversations", "a row with 'frames per sec' has two tags a video: key frames, motion features"
        )
    answer = set(re.findall(r"[a-z]+", turns[-1][1].lower()))
    said = [word for word in words if word in answer]
    return LabelRow(
        clip=media[0],
        score=_score(row, scale, name_holds_score),
        split="train",
        conversation=Conversation(
            media=media,
            texts=tuple(texts),
            written=tuple(written),
            row=dict(row),
            said=said[0] if len(said) == 1 else None,
            level=words[said[0]] if len(said) == 1 else None,
        ),
    )


def _media(cell: Any, key: str) -> tuple[str, ...]:
    paths = cell if isinstance(cell, list) else [cell]
    if not paths or not all(isinstance(path, str) and path.strip() for path in paths):
        raise CellError(key, f"names no media: {cell!r}")
    for path in paths:
        if reason := refuse_path(path):
            raise CellError(key, reason)
    return tuple(paths)


def _turns(cell: Any) -> list[tuple[str, str]]:
    """Read the turns as (role, text), held to pairs of user and assistant."""
    turns = []
    for index, turn in enumerate(cell if isinstance(cell, list) else []):
        spoken = turn if isinstance(turn, dict) else {}
        speaker, said = (spoken.get(a, spoken.get(b)) for a, b in (("from", "role"), ("value", "content")))
        wanted = ("user", "assistant")[index % 2]
        if ROLES.get(str(speaker)) != wanted or not isinstance(said, str) or not said.strip():
            raise CellError("conversations", f"turn {index} is no text of the {wanted}: {turn!r}")
        turns.append((wanted, said))
    if not turns or len(turns) % 2:
        raise CellError("conversations", "turns come in pairs of a question and an answer")
    return turns


def _placed(texts: list[str], media: int, video: bool) -> tuple[list[str], list[str]]:
    """Write our placeholders for the tags; give the texts, and for each placeholder what stood in its place.

    One tag a still image; a video has two (its key frames, its motion features), or one, or a run of one each frame.
    """
    if any(MOTION in text for text in texts):
        raise CellError("conversations", f"the text holds {MOTION}, which stands for media here: write it otherwise")
    pattern, each = TAG, [[VIDEO], [MOTION]] if video else [[IMAGE]]
    tags = sum(len(TAG.findall(text)) for text in texts)
    if video and tags != 2 * media:
        pattern, each = RUN, [[VIDEO, MOTION]]
    found = sum(len(pattern.findall(text)) for text in texts)
    if found != media * len(each):
        raise CellError("conversations", f"the text holds {tags} tags for {media} {'videos' if video else 'images'}")
    written: list[str] = []
    met = itertools.count()

    def place(match: re.Match[str]) -> str:
        placeholders = each[next(met) % len(each)]
        written.extend([match[0], ""][: len(placeholders)])
        return "".join(placeholders)

    return [pattern.sub(place, text) for text in texts], written


def _score(row: Row, scale: Scale | None, name_holds_score: bool) -> Score | None:
    """Read `gt_score`, a number or its text, or what follows `->` in the id. Raises CellError off the scale."""
    column = "gt_score"
    cell = row.get(column)
    if cell is None and name_holds_score and "->" in str(row.get("id", "")):
        column = "id"
        cell = str(row["id"]).rpartition("->")[2]
    value = number(cell, column)
    if value is None or scale is None:
        return None
    if not scale.lo <= value <= scale.hi:
        raise CellError(column, f"{value!r} lies outside the scale {scale.lo:g} to {scale.hi:g}: declare another scale")
    return Score(value=value, lo=scale.lo, hi=scale.hi, direction=scale.way, kind=scale.kind)
