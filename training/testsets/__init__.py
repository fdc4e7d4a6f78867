"""Test sets: every module of this package reads what one benchmark asks and what is right, as it is published.

The file name is the set's own name in lower snake case. A test set has

- `ABOUT`: what is known of the set: title, homepage or paper, kind, and how many items are published;
- `EXAMPLE`: a few rows in the set's own shape (`dataset_builder.sources.Example`), written as its files are;
- `items(labels, part)`: reads the label file into Items; raises CallError when it cannot be read at all, or when it
  holds no such part. A row that cannot be used is told in `refused`, and is none of the items.

Kinds: `scores` are clips with an opinion score (ScoredItem), `questions` are questions about clips (QuestionItem). No
clip is looked at here: that is for `training.evaluation.benchmark`, which counts every item that is not scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from schemas.levels import Direction

Kind = Literal["scores", "questions"]
LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class About:
    """What is known of a test set.

    `expected` gives the published number of items by part, "" being all of it; `parts` are the parts that can be asked
    for by name. `notes` is what a reader of its numbers must know.
    """

    title: str
    kind: Kind
    expected: Mapping[str, int]
    homepage: str = ""
    paper: str = ""
    parts: tuple[str, ...] = ()
    notes: str = ""


@dataclass(frozen=True)
class Range:
    """The rating scale that scores lie on, from `lo` to `hi`."""

    lo: float
    hi: float
    direction: Direction = "higher_is_better"


@dataclass(frozen=True)
class ScoredItem:
    """A clip and its opinion score. `clip` is named as the label file names it, `part` is the part that it is in."""

    id: str
    clip: str
    raw: float
    part: str = ""


@dataclass(frozen=True)
class QuestionItem:
    """A question about one clip, or about two.

    `type` is the type of the question, `concerns` what it is about. Of `options` the `right` one counts from 0; an
    open-ended question has none, but a `reference` answer.
    """

    id: str
    clips: tuple[str, ...]
    question: str
    type: str
    concerns: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    right: int | None = None
    reference: str = ""
    media: Literal["video", "image"] = "video"

    @property
    def open_ended(self) -> bool:
        """Say whether the answer is free text."""
        return not self.options


@dataclass(frozen=True)
class Items:
    """What a label file holds: items in its order, rows that were refused (`file row n: why`), and the scale of scores.

    `part` is the part that was read, "" for all of it. `expected` is how many items this should be, None where nothing
    is published of it.
    """

    items: Sequence[ScoredItem] | Sequence[QuestionItem]
    part: str = ""
    expected: int | None = None
    refused: list[str] = field(default_factory=list)
    scale: Range | None = None

    @property
    def scored(self) -> list[ScoredItem]:
        """Give the items with a score."""
        return [item for item in self.items if isinstance(item, ScoredItem)]

    @property
    def questions(self) -> list[QuestionItem]:
        """Give the questions."""
        return [item for item in self.items if isinstance(item, QuestionItem)]
