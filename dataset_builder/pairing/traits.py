"""By what pairs are counted and balanced: the answers that a model could guess without looking."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

from schemas.pair import Pair, Trait
from stages.wording.taxonomy import DEGREES

_YES = re.compile(r"(?:A\. )?Yes\b", re.IGNORECASE)
_LETTER = re.compile(r"([A-H])\b")
_DEGREE = re.compile(rf"\b({'|'.join(DEGREES)})\b", re.IGNORECASE)
_LEVEL = re.compile(r"quality of this (?:video|image) is (\w+)")


def _yes_no(pair: Pair) -> str | None:
    if pair.form != "yes-no":
        return None
    return "yes" if _YES.match(pair.answer) else "no"


def _letter(pair: Pair) -> str | None:
    found = _LETTER.match(pair.answer) if pair.form == "multiple-choice" else None
    return found[1] if found else None


def _degree(pair: Pair) -> str | None:
    found = _DEGREE.search(pair.answer) if pair.form != "yes-no" and pair.family == "quality-centric" else None
    return found[1].lower() if found else None


def _level(pair: Pair) -> str | None:
    found = _LEVEL.findall(pair.answer) if pair.family == "causal-analysis" else None
    return found[-1] if found else None


TRAITS: dict[Trait, Callable[[Pair], str | None]] = {
    "yes-no": _yes_no,
    "letter": _letter,
    "family": lambda pair: pair.family,
    "degree": _degree,
    "level": _level,
}
"""The value of each trait of a pair, None where it has none."""


def counts(pairs: Iterable[Pair]) -> dict[str, dict[str, int]]:
    """Count the values of every trait, the generators and the forms of pairs, by name."""
    told: dict[str, Counter[str]] = {name: Counter() for name in (*TRAITS, "form", "generator")}
    for pair in pairs:
        for trait, value_of in TRAITS.items():
            if (value := value_of(pair)) is not None:
                told[trait][value] += 1
        told["form"][pair.form] += 1
        told["generator"][pair.generator] += 1
    return {name: dict(sorted(values.items())) for name, values in told.items() if values}
