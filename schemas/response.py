"""A response: what one rater submitted for one task of an annotation project, before it is decided what it is worth."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.annotation import Annotation

Role = Literal["clip", "gold", "repeat"]
"""What a task is for: to be annotated; one whose answer is known; the same clip again, to see who is consistent."""


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a reviewer said of one pair: accepted as it was, edited (with the words that it has now), or rejected."""

    pair_id: str
    verdict: Literal["accept", "edit", "reject"]
    reasons: list[str] = []
    question: str | None = None
    answer: str | None = None

    def __post_init__(self) -> None:
        """Hold the words to the verdict."""
        if (self.verdict == "edit") != (self.question is not None and self.answer is not None):
            raise ValueError(f"pair {self.pair_id!r}: an edited pair has its new question and answer, no other has")
        if self.verdict == "reject" and not self.reasons:
            raise ValueError(f"pair {self.pair_id!r}: a rejection has a reason")


class Response(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One submission, skip or draft of one rater.

    `id` is unique in the project and stays the same when it is imported again. `task` is the key of the task and
    `record_id` the clip that it shows; `of` is the task that a repeat repeats. `rater` is a pseudonym. `seconds` is how
    long the rater took, None if not known. `changed` says whether what was submitted differs from the prediction that
    the rater was shown, None where none was shown. A skip has neither annotation nor verdicts. `created` and `updated`
    are ISO 8601 times.
    """

    id: str
    task: str
    record_id: str
    rater: str
    role: Role = "clip"
    of: str | None = None
    state: Literal["submitted", "skipped", "draft"] = "submitted"
    annotation: Annotation | None = None
    verdicts: list[Verdict] = []
    changed: bool | None = None
    seconds: float | None = None
    created: str = ""
    updated: str = ""

    def __post_init__(self) -> None:
        """Refuse blank names, a repeat of nothing, and a skip that says something."""
        for name in ("id", "task", "record_id", "rater"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is blank")
        if (self.role == "repeat") != (self.of is not None):
            raise ValueError("a repeat names the task that it repeats in `of`, no other does")
        if self.state == "skipped" and (self.annotation or self.verdicts):
            raise ValueError("a skip has neither annotation nor verdicts")
