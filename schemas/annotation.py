"""An annotation: what one expert said of one clip."""

from __future__ import annotations

import math

import msgspec

from schemas.levels import Level


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A quality attribute that the expert saw: which, how strong, when (seconds, None = throughout) and where.

    `degree` is a word of `stages.wording.taxonomy.DEGREES`; `when` and `where` are the expert's own words.
    """

    name: str
    degree: str
    start: float | None = None
    end: float | None = None
    when: str | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        """Refuse blank words, half a time span, and a span that ends before it starts."""
        for name in ("name", "degree", "when", "where"):
            if (said := getattr(self, name)) is not None and not said.strip():
                raise ValueError(f"attribute {self.name!r}: {name} is blank: say it or leave it out")
        if (self.start is None) != (self.end is None):
            raise ValueError(f"attribute {self.name!r}: give both start and end, or neither")
        if self.start is not None and self.end is not None and not (0 <= self.start < self.end < math.inf):
            raise ValueError(f"attribute {self.name!r}: 0 <= start < end must hold, got {self.start}, {self.end}")


class Conversation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An extended conversation that the expert wrote: one question and its answer."""

    question: str
    answer: str

    def __post_init__(self) -> None:
        """Refuse a blank question or answer."""
        if not self.question.strip() or not self.answer.strip():
            raise ValueError("a conversation has a question and an answer, one is blank")


class Annotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one rater said of one clip.

    `clip` names the clip as the label table does; `rater` is a pseudonym (`synthetic` when derived from ground truth);
    `at` is an ISO 8601 time or empty; `sha256` is the file that was watched, `proxy_sha256` its stand-in, if any.
    `score` is on 0 to 100.
    """

    id: str
    clip: str
    rater: str
    attributes: list[Attribute] = []
    overall: str = ""
    in_context: str = ""
    conversations: list[Conversation] = []
    level: Level | None = None
    score: float | None = None
    at: str = ""
    sha256: str = ""
    proxy_sha256: str | None = None

    def __post_init__(self) -> None:
        """Refuse blank names and a score off its scale."""
        for name in ("id", "clip", "rater"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is blank")
        if self.score is not None and not 0 <= self.score <= 100:
            raise ValueError(f"score is on 0 to 100, got {self.score}")
