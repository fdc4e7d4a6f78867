"""A record: one clip or still image, and what is known about it. Never pixels."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from schemas.levels import Direction
from schemas.licence import Terms
from schemas.session import Session

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


def refuse_path(path: str) -> str | None:
    """Say why `path` cannot be a media path of a record, or None if it can.

    Legal: any relative POSIX path, with leading `-`, spaces, non-ASCII letters and `..` inside a name.
    """
    if not path:
        return "the path is empty"
    if "\0" in path or "\n" in path or "\r" in path:
        return f"the path {path!r} holds a NUL or a newline: rename the file"
    if path.startswith("/") or (len(path) > 2 and path[1] == ":" and path[2] in "/\\"):
        return f"the path {path!r} is absolute: give it relative to the folder of clips"
    if ".." in path and ".." in path.replace("\\", "/").split("/"):
        return f"the path {path!r} has a component '..': give a path inside the folder of clips"
    return None


class Media(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One media file: where it lies, which bytes it is, and what decoding all of it gave.

    `path` is relative to the media root (POSIX separators); `width` and `height` are pixels as displayed, after
    rotation; `fps` is frames per second (the average rate when `variable_frame_rate`); `frames` counts decoded frames;
    `duration` is in seconds; `rotation` is the clockwise turn, in degrees, that a player applies.
    A still image is a clip of one frame: kind `image`, fps 1.
    """

    path: str
    sha256: str
    bytes: int
    kind: Literal["video", "image"]
    width: int
    height: int
    fps: float
    frames: int
    duration: float
    codec: str
    pixel_format: str
    rotation: int = 0
    variable_frame_rate: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be a media file."""
        if reason := refuse_path(self.path):
            raise ValueError(reason)
        if self.frames < 1 or self.width < 1 or self.height < 1 or not (math.isfinite(self.fps) and self.fps > 0):
            raise ValueError(f"{self.path}: a clip has at least one frame, one pixel and a frame rate above 0")
        if self.kind == "image" and self.frames != 1:
            raise ValueError(f"{self.path}: a still image has one frame, not {self.frames}")


OpinionModel = Literal["mos", "bt500", "p913", "p910"]
"""How single ratings become a score: the plain mean, ITU-R BT.500, ITU-T P.913 or ITU-T P.910."""


class Score(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A quality score as its source gives it.

    `lo` and `hi` are the ends of the rating scale; `kind` says what was measured: a mean opinion score (`mos`), its
    differential form (`dmos`) or a computed stand-in (`synthetic`). `std` and `ratings` (their number) describe the
    single ratings, where known; `ci95` is half the width of the 95 % confidence interval of `value`; `opinion` is the
    model by which `value` was recovered from single ratings, None for a mean that came as such.
    """

    value: float
    lo: float
    hi: float
    direction: Direction = "higher_is_better"
    kind: Literal["mos", "dmos", "synthetic"] = "mos"
    std: float | None = None
    ratings: int | None = None
    ci95: float | None = None
    opinion: OpinionModel | None = None


class Distortion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ground truth of one distortion: what, how strong, when and where.

    `name` is the taxonomy's word (`stages.wording.taxonomy`); `severity` runs from 1 (slight) to 5 (severe), None when
    only the kind is known; `start` and `end` are seconds, None = throughout; `box` is x, y, width, height as fractions
    of the frame, None = everywhere. `main` marks the one that stage 1 asks for.
    """

    name: str
    severity: int | None = None
    start: float | None = None
    end: float | None = None
    box: tuple[float, float, float, float] | None = None
    main: bool = True


class Stall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A stalling (rebuffering) event as seen in the clip: `start` and `duration` in seconds of its own playback."""

    start: float
    duration: float

    def __post_init__(self) -> None:
        """Refuse negative and non-finite times."""
        if not (math.isfinite(self.start) and math.isfinite(self.duration)) or self.start < 0 or self.duration <= 0:
            raise ValueError(f"a stall starts at 0 s or later and lasts above 0 s, got {self.start}, {self.duration}")


Box = tuple[float, float, float, float]
"""A rectangle: x and y of its upper left corner, width and height, as fractions of the frame."""


class Applied(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One distortion as it is applied: a file of `dataset_builder/distortions`, and all that it is given.

    `parameters` are the numbers behind the severity; `start` and `end` are seconds, None = throughout; `box` is a part
    of the frame, None = all of it.
    """

    kind: str
    severity: int
    parameters: dict[str, float]
    start: float | None = None
    end: float | None = None
    box: Box | None = None


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a clip was made from another one: all that regenerates its bytes, given the other one's.

    `record_id` and `sha256` are the other clip's; `chain` is applied in its order, or `session` is played and the chain
    is empty; `encoder` is how the result is written (empty for a still image, which is a PNG).
    """

    record_id: str
    sha256: str
    chain: list[Applied]
    seed: int
    encoder: dict[str, str]
    session: Session | None = None


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One clip or still image and all that is known of it.

    `id` is `<source>/<path>`; `terms` are those of `licence`; `group` names the content (source clip, uploader,
    session): a group never straddles a split. `stalls` is None for a clip that was not streamed, and empty for a
    session that played smoothly.
    """

    id: str
    source: str
    licence: str
    group: str
    split: Split
    media: Media
    score: Score | None = None
    distortions: list[Distortion] = []
    stalls: list[Stall] | None = None
    origin: Origin | None = None
    terms: Terms = Terms()


class GroundTruth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is known to have been done to a clip, named as the label table names it."""

    clip: str
    distortions: list[Distortion]
