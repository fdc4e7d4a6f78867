"""A pair: one question and its answer, with the evidence they rest on."""

from __future__ import annotations

from typing import Literal

import msgspec

Family = Literal[
    "quality-centric", "temporal-centric", "in-context-centric", "extended-conversation", "causal-analysis"
]
FAMILIES: tuple[Family, ...] = (
    "quality-centric",
    "temporal-centric",
    "in-context-centric",
    "extended-conversation",
    "causal-analysis",
)
"""The five families of question-answer pairs of stage 3 (arXiv 2411.03795, its data picture)."""

Form = Literal["yes-no", "multiple-choice", "open"]
Trait = Literal["yes-no", "letter", "family", "degree", "level"]
"""By what pairs are balanced: yes or no, letter of the right option, family, degree and level that is answered."""


class Doubt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why a pair may be wrong: which `check` found it, what it found in `why`, and the words of the pair, if any."""

    check: str
    why: str
    quote: str = ""


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One question and answer.

    `evidence` names what it rests on (annotation ids or `distortion:<name>`); `generator` is `template:<name>` or
    `llm:<model>`, then with the `request` of the ledger that it was answered in. `checks` are the names of the checks
    it passed and `doubts` what the others found: a pair with doubts is for people to decide. `votes` are a second
    model's, 0 (wrong) to 2 (right). `verdict` is the reviewers', None before review.
    """

    id: str
    record_id: str
    family: Family
    form: Form
    question: str
    answer: str
    evidence: list[str]
    generator: str
    request: str = ""
    checks: list[str] = []
    doubts: list[Doubt] = []
    votes: list[int] = []
    verdict: Literal["accept", "edit", "reject"] | None = None


class PairVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What all reviewers together said of one pair.

    Rejected where more than half reject it. Kept where more than half keep it: edited where at least half of those
    edited it, else accepted. None = neither (`votes` tell), which is for a person to decide. An edited pair has the
    words that most editors chose, the latest of these where they differ; `edits` says how many versions there are.
    """

    pair_id: str
    verdict: Literal["accept", "edit", "reject"] | None
    votes: dict[str, int]
    raters: list[str]
    reasons: list[str] = []
    question: str | None = None
    answer: str | None = None
    edits: int = 0

    def __post_init__(self) -> None:
        """Hold the words to the verdict, as those of each reviewer are."""
        if self.verdict == "edit" and not ((self.question or "").strip() and (self.answer or "").strip()):
            raise ValueError(f"pair {self.pair_id!r}: an edited pair has its new question and answer")
        if any(count < 0 for count in self.votes.values()):
            raise ValueError(f"pair {self.pair_id!r}: votes are counts")


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the pairs of one kind; each `_95` is the Wilson interval of its share of `pairs`."""

    of: str
    pairs: int
    accepted: int
    edited: int
    rejected: int
    undecided: int
    accepted_95: tuple[float, float]
    kept_95: tuple[float, float]
