"""What a run on a test set gives: a line for every item, and the outcome that is taken over them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from schemas.errors import CallError, DataError
from schemas.lock import Benchmark
from training.evaluation.grading import Accuracy, Tally
from training.evaluation.metrics import Agreement


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What became of one item: a line of the file that `vqa2 benchmark --out` writes.

    `weights` tells models of one name apart, `by` how the model was asked. Scored sets fill `raw` (the opinion score)
    and `score` (the model's, from 0 to 1); questions fill `question` and what follows it. `error` says why there is no
    score or answer.
    """

    id: str
    set: str
    part: str
    model: str
    weights: str
    by: str
    clips: list[str]
    raw: float | None = None
    score: float | None = None
    levels: list[float] | None = None
    question: str = ""
    type: str = ""
    concerns: list[str] = []
    options: list[str] = []
    right: str = ""
    reference: str = ""
    answer: str | None = None
    verdicts: list[int] = []
    credit: float | None = None
    error: str = ""


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model on a test set.

    `published` is how many items the set publishes, `listed` how many the label file holds; `missing` names items
    without a clip, `refused` rows that cannot be used, `errors` (by item) those whose clip or answer failed. `lock` is
    what the numbers were taken on; where it is None, `unlocked` says why. `judge` gave the verdicts of open-ended
    answers, of which `unjudged` have none: they are left out of every accuracy.
    """

    set: str
    part: str
    model: str
    weights: str
    by: str
    notes: str
    published: int | None
    listed: int
    n_expected: int
    n_scored: int
    missing: list[str]
    refused: list[str]
    errors: dict[str, str]
    lock: Benchmark | None
    unlocked: str = ""
    scale: list[float] | None = None
    metrics: Agreement | None = None
    parts: dict[str, Agreement] = {}
    mean_of_parts: dict[str, float] = {}
    accuracy: dict[str, Accuracy] = {}
    vlmevalkit: dict[str, Tally] = {}
    judge: str = ""
    unjudged: int = 0

    @property
    def complete(self) -> bool:
        """Say whether every expected item was scored, every open-ended answer judged, and no row was refused."""
        return self.n_scored >= self.n_expected and not self.unjudged and not self.refused


def read_lines(path: Path) -> dict[str, Line]:
    """Read the lines of an earlier run by id, without those that failed. Raises CallError, or DataError for a line."""
    if not path.is_file():
        raise CallError(f"{str(path)!r}: no such file; vqa2 benchmark --out writes one")
    lines = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            found = msgspec.json.decode(line, type=Line)
        except msgspec.DecodeError as error:
            raise DataError(f"{path} line {number}: {error}") from None
        if not found.error:
            lines[found.id] = found
    return lines
