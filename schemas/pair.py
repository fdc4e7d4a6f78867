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
