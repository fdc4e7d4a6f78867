"""A sample: one instruction example in a model-neutral form: all that exporters, checker and trainer see."""

from __future__ import annotations

import math
import re
from typing import Literal

import msgspec

from schemas.frames import key_frame_count, motion_frame_count
from schemas.levels import LEVELS, Level, level_distribution, level_of_unit
from schemas.record import refuse_path

VIDEO = "<video>"
"""Stands for the key frames of a clip."""
MOTION = "<motion>"
"""Stands for the motion features of a clip."""
IMAGE = "<image>"
"""Stands for a still image."""
PLACEHOLDERS = (VIDEO, MOTION, IMAGE)
DISTRIBUTION_ERROR = 1e-9
"""How far a stored level distribution may lie from a recomputed one: mathematical libraries differ in the last bits."""
_PLACEHOLDER = re.compile("|".join(PLACEHOLDERS))
_ROLES = ("user", "assistant")
_LEVEL_WORD = {level: re.compile(rf"\b{level}\b") for level in LEVELS}


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One turn of the conversation; media stand in the user's text as placeholders."""

    role: Literal["user", "assistant"]
    text: str


class MediaRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A clip or image that a sample shows, with what is fed of it.

    `path` is relative to the corpus folder (or to the media root of a corpus that refers to its media). `frames` and
    `fps` are those of the file; `key_frames` and `motion_frames` count what the model is fed (motion: 0 = no motion
    features), and any count stated in the text is one of these.
    """

    record_id: str
    kind: Literal["video", "image"]
    path: str
    sha256: str
    frames: int
    fps: float
    key_frames: int
    motion_frames: int

    def __post_init__(self) -> None:
        """Refuse a path that leaves the corpus, and counts no clip can have."""
        if reason := refuse_path(self.path):
            raise ValueError(reason)
        keys, motion = key_frame_count(self.frames, self.fps), motion_frame_count(self.frames)
        fed = (keys, motion) if self.kind == "video" else (1, 0)
        if (self.key_frames, self.motion_frames) != fed:
            raise ValueError(
                f"{self.path}: {fed[0]} key and {fed[1]} motion frames are fed of {self.frames} frames at {self.fps} "
                f"frames/s, not {self.key_frames} and {self.motion_frames}"
            )

    def placeholders(self) -> list[str]:
        """List the placeholders that must stand for this media in the text, in order."""
        if self.kind == "image":
            return [IMAGE]
        return [VIDEO, MOTION] if self.motion_frames else [VIDEO]


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The score behind a level word: `mos` on [0, 1] (1 = best), its level, and the raw score with the range used.

    `std` is the standard deviation of the single ratings on the same unit range, None where it is not known;
    `distribution` is then the probability of each level, worst first (`schemas.levels.level_distribution`).
    """

    level: Level
    mos: float
    raw: float
    lo: float
    hi: float
    synthetic: bool
    std: float | None = None
    distribution: list[float] | None = None

    def __post_init__(self) -> None:
        """Refuse a level word that is not the one of its score, and a distribution that is not that of its std."""
        if not math.isfinite(self.mos) or self.level != level_of_unit(self.mos):
            raise ValueError(f"level {self.level!r} is not the level of {self.mos!r}")
        expected = None if self.std is None else level_distribution(self.mos, self.std)
        told = None if self.distribution is None else tuple(self.distribution)
        if (expected is None) != (told is None) or (
            expected and told and (len(told) != len(expected) or math.dist(told, expected) > DISTRIBUTION_ERROR)
        ):
            raise ValueError(f"distribution {told} is not that of mos {self.mos!r} and std {self.std!r}")


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a sample comes from: source and licence, wording, generator and evidence of its pair, and the recipe.

    `original` is empty for a sample that was made here. For one that was published elsewhere it is JSON text from which
    its row can be written again: `row`, whose turns hold null where ours hold the text, `written`, what stood in the
    place of each placeholder, and `answer`, the last answer where its level word was replaced.
    """

    source: str
    licence: str
    group: str
    wording: str
    generator: str
    family: str
    evidence: list[str]
    recipe: str
    original: str = ""


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One instruction example. One whose placeholders and media do not match cannot be made or read."""

    id: str
    stage: str
    task: str
    media: list[MediaRef]
    turns: list[Turn]
    target: Target | None
    provenance: Provenance

    def __post_init__(self) -> None:
        """Hold the placeholders to the media, and the turns to user/assistant pairs."""
        if not self.turns or len(self.turns) % 2:
            raise ValueError(f"{self.id}: turns come in pairs of user and assistant")
        found: list[str] = []
        for index, turn in enumerate(self.turns):
            text, role = turn.text, _ROLES[index % 2]
            if turn.role != role:
                raise ValueError(f"{self.id}: turn {index} must be the {role}'s")
            if not text or text.isspace():
                raise ValueError(f"{self.id}: turn {index} is empty")
            # Most answers hold no "<", which is sooner seen than that they hold no placeholder.
            if "<" in text and (here := _PLACEHOLDER.findall(text)):
                if role == "assistant":
                    raise ValueError(f"{self.id}: an answer cannot hold {here[0]}")
                found += here
        wanted = [p for media in self.media for p in media.placeholders()]
        if found != wanted:
            raise ValueError(
                f"{self.id}: the text holds {' '.join(found) or 'no placeholder'}, "
                f"the media need {' '.join(wanted) or 'none'}"
            )
        if self.target and not _LEVEL_WORD[self.target.level].search(self.turns[-1].text):
            raise ValueError(f"{self.id}: the answer does not hold the level word {self.target.level!r}")
