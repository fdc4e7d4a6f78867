"""A claim: one thing that a pair says of a clip, in a form that can be held to what is known and to the signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from schemas.annotation import Annotation
from schemas.levels import Level
from schemas.record import Record


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One attribute that a pair says the clip has, or has not.

    `attribute` is a word of `stages.wording.taxonomy`, or one that an annotation names. `degree` is a word of
    `DEGREES`, None where the pair gives none. `start` and `end` are seconds, None = not said. `where` is the pair's own
    words for a place, empty = not said. `quote` is the part of the pair that says so.
    """

    attribute: str
    present: bool
    degree: str | None = None
    start: float | None = None
    end: float | None = None
    where: str = ""
    quote: str = ""


@dataclass(frozen=True)
class Known:
    """All that is known of one clip: its record, what experts said of it, and its level.

    Of `annotations`, a pair rests on those that its evidence cites; what the others say is known too, so that nothing
    is called absent that somebody saw. `level` is that of the record's score, None without one.
    """

    record: Record
    annotations: Sequence[Annotation] = field(default_factory=tuple)
    level: Level | None = None
