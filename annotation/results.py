"""The results of one annotation, brought into the order in which they were given: control by control, region by region.

Nothing that a server can hold makes this fail: what cannot be read is a finding, and the rest is kept.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from annotation.labeling import DEGREE, INDEX, MOMENTS, WHEN, WHERE, Control
from annotation.pseudonyms import ADDRESS

ADDRESS_GONE = "[e-mail address]"
_OF_SEGMENTS = frozenset({MOMENTS, DEGREE, WHEN, WHERE})
"""The controls that are answered for each segment of the timeline."""


@dataclass(frozen=True)
class Form:
    """What could be answered: the controls of the labeling config by name, and the degrees, weakest first."""

    controls: Mapping[str, Control]
    degrees: tuple[str, ...] = ()

    @functools.cached_property
    def _words(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(path[0] for path in control.values) for name, control in self.controls.items()}

    def words(self, name: str) -> frozenset[str]:
        """Give the words of a control: none where there is no such control, or its answers are free."""
        return self._words.get(name, frozenset())

    def paths(self, name: str) -> frozenset[tuple[str, ...]]:
        """Give the paths of a taxonomy."""
        control = self.controls.get(name)
        return control.values if control else frozenset()


class Finding(msgspec.Struct, frozen=True, order=True):
    """Something odd in an answer: what it is, and what was kept of it."""

    what: str
    kept: str


class Answers(msgspec.Struct):
    """The values of one annotation: of whole-clip controls by name, of segments by region and name."""

    whole: dict[str, list[dict[str, Any]]]
    regions: dict[str, dict[str, list[dict[str, Any]]]]
    findings: list[Finding]

    def find(self, what: str, kept: str = "the rest") -> None:
        """Note something odd."""
        self.findings.append(Finding(what, kept))

    def texts(self, name: str, values: list[dict[str, Any]], at: str = "") -> list[str]:
        """List the texts of a text field as they were typed, without blank ones and without e-mail addresses."""
        found: list[str] = []
        for value in values:
            given = value.get("text")
            for text in [given] if isinstance(given, str) else given if isinstance(given, list) else [given]:
                if not isinstance(text, str):
                    self.find(f"{name}{at}: no text: {brief(text)}")
                elif not text.strip():
                    self.find(f"{name}{at}: blank")
                else:
                    hidden = ADDRESS.sub(ADDRESS_GONE, text)
                    if hidden != text:
                        self.find(f"{name}{at}: an e-mail address", f"the text, with {ADDRESS_GONE} in its place")
                    found.append(hidden)
        return found

    def text(self, name: str, values: list[dict[str, Any]], at: str = "") -> str:
        """Give the one text of a text field: several are joined by line breaks; "" if there is none."""
        found = list(dict.fromkeys(self.texts(name, values, at)))
        if len(found) > 1:
            self.find(f"{name}{at}: {len(found)} texts", "all, one a line")
        return "\n".join(found)

    def words(
        self, name: str, key: str, values: list[dict[str, Any]], known: Collection[str], at: str = ""
    ) -> list[str]:
        """List the words that were picked from a control, each once; unknown ones are findings."""
        found: list[str] = []
        for value in values:
            given = value.get(key)
            for word in given if isinstance(given, list) else [given]:
                if not isinstance(word, str) or word not in known:
                    self.find(f"{name}{at}: {brief(word)} is not among its words")
                elif word not in found:
                    found.append(word)
        return found

    def number(self, name: str, values: list[dict[str, Any]], lo: float, hi: float) -> float | None:
        """Give the number of a control; None where there is none, several different ones, or one off the scale."""
        found: list[float] = []
        for value in values:
            number = value.get("number")
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not lo <= number <= hi:
                self.find(f"{name}: {brief(number)} is no number on {lo:g} to {hi:g}")
            elif float(number) not in found:
                found.append(float(number))
        if len(found) > 1:
            self.find(f"{name}: {len(found)} numbers, {', '.join(f'{number:g}' for number in found)}", "none of them")
            return None
        return found[0] if found else None


def sort_results(results: object, form: Form) -> Answers:
    """Sort the results of an annotation, of a draft or of a prediction; results of one region share its `id`."""
    answers = Answers({}, {}, [])
    if not isinstance(results, list):
        answers.find(f"no list of results: {brief(results)}", "nothing")
        return answers
    for result in results:
        if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
            answers.find(f"no result: {brief(result)}")
            continue
        name, region, value = result.get("from_name"), result.get("id"), result["value"]
        control = form.controls.get(name) if isinstance(name, str) else None
        if control is None and isinstance(name, str) and (stem := name.rpartition("_")[0]):
            control = form.controls.get(f"{stem}_{INDEX}")
        if control is None:
            answers.find(f"the config has no control {brief(name)}: {brief(value)}")
        elif result.get("type") != control.tag:
            answers.find(f"{name}: a result of type {brief(result.get('type'))}, not {control.tag}: {brief(value)}")
        elif name not in _OF_SEGMENTS:
            answers.whole.setdefault(str(name), []).append(value)
        elif not isinstance(region, str):
            answers.find(f"{name}: a result that belongs to no segment: {brief(value)}")
        else:
            answers.regions.setdefault(region, {}).setdefault(name, []).append(value)
    return answers


def brief(value: object) -> str:
    """Write a value for a message, cut where it is long, without e-mail addresses."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError):
        text = repr(value)
    text = ADDRESS.sub(ADDRESS_GONE, text)
    return text if len(text) <= 80 else f"{text[:77]}..."
