"""Finding, on clips whose distortions are known, from which evidence on a claim may be contradicted.

Of every known clip claims are made that are true and others that are false, and each probe is asked. A threshold is
chosen where contradicting is right often enough even at the worst of its interval; how often it is right is then told
of contents that it was not chosen on: folds leave out whole contents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dataset_builder.clip_stages import tools
from dataset_builder.intervals import wilson
from dataset_builder.signal.calibration import (
    LEAST_PRECISION,
    MOST_SPURIOUS,
    Calibration,
    Kind,
    Rule,
    akin_to,
    probes_digest,
)
from dataset_builder.signal.known import KnownClip
from dataset_builder.signal.probes import PROBES, TOLERANCE_SECONDS, evidence
from schemas.draws import share
from schemas.record import Distortion

FOLDS = 8
SEVERITIES = (1, 2, 3, 4)
"""The least severities of the four words for degrees (`stages.wording.taxonomy.degree_of_severity`)."""
ONE_SIDED, TWO_SIDED = 1.645, 1.96
"""Normal deviates of 95 %: of a bound that thresholds are chosen by, and of the intervals that are told."""

MOST_CHOSEN = MOST_SPURIOUS / 2
"""Share of the true claims that may be contradicted where thresholds are chosen: other contents come with others."""


@dataclass(frozen=True)
class Case:
    """A claim of a known clip: whether it is true, the evidence, and the content. Evidence rises with its falsity."""

    true: bool
    doubt: float
    content: str


Rates = tuple[int, int, int, int]
"""False claims contradicted and all, true claims contradicted and all."""


def calibrated(known: Sequence[KnownClip], attributes: Iterable[str] = tuple(PROBES)) -> Calibration:
    """Find the rules for attributes. The same clips give the same rules."""
    cases: dict[tuple[str, Kind, int], list[Case]] = defaultdict(list)
    for name in attributes:
        for kind, severity, case in _cases(name, known):
            cases[name, kind, severity].append(case)
    contents = {clip.content: clip.sha256 for clip in sorted(known, key=lambda clip: clip.content)}
    fold = folds_of(list(contents))
    rules = [_rule(*key, found, fold) for key, found in sorted(cases.items())]
    return Calibration(
        probes=probes_digest(), tools=tools(), contents=contents, clips=len(known), folds=FOLDS, rules=rules
    )


def held_to(rules: Sequence[Rule], known: Sequence[KnownClip]) -> list[Rule]:
    """Tell how rules do on other clips: the same thresholds, with the figures of these."""
    told = []
    for rule in rules:
        cases = [
            case
            for kind, severity, case in _cases(rule.attribute, known)
            if (kind, severity) == (rule.kind, rule.severity)
        ]
        rates = _rates(cases, _doubt(rule.kind, rule.threshold))
        told.append(_told(rule.attribute, rule.kind, rule.severity, rule.threshold, rates))
    return told


def folds_of(contents: Sequence[str]) -> dict[str, int]:
    """Deal contents out over the folds, in the order of their hashes."""
    dealt = sorted(contents, key=lambda name: (share(0, name, "fold"), name))
    return {name: index % FOLDS for index, name in enumerate(dealt)}


def _cases(name: str, known: Sequence[KnownClip]) -> Iterator[tuple[Kind, int, Case]]:
    for clip in known:
        found, whole = clip.distortion, evidence(name, clip.measures)
        if whole is None:
            continue
        if found is None or name not in {found.name, *akin_to(found.name)}:
            yield "absent", 0, Case(True, whole, clip.content)
            for severity in SEVERITIES:
                yield "present", severity, Case(False, -whole, clip.content)
        elif found.name == name:
            yield "absent", 0, Case(False, whole, clip.content)
            for severity in SEVERITIES:
                if (found.severity or 0) >= severity:
                    yield "present", severity, Case(True, -whole, clip.content)
            yield from _times(name, clip, found)


def _times(name: str, clip: KnownClip, found: Distortion) -> Iterator[tuple[Kind, int, Case]]:
    """Claim of what is seen for a while that it is seen then, and that it is seen well before or after."""
    if found.start is None or found.end is None:
        return
    long = found.end - found.start
    for start in (found.start, *_elsewhere(found.start, long, clip.measures["duration"])):
        value = evidence(name, clip.measures, start, start + long)
        if value is not None:
            yield "time", 1, Case(start == found.start, -value, clip.content)


def _elsewhere(start: float, long: float, duration: float) -> list[float]:
    count = int((duration + 0.1) / long)
    away = long + TOLERANCE_SECONDS
    return [index * long for index in range(count) if abs(index * long - start) >= away]


def _rule(name: str, kind: Kind, severity: int, cases: Sequence[Case], fold: dict[str, int]) -> Rule:
    held_out = (0, 0, 0, 0)
    for number in range(FOLDS):
        chosen = threshold_of([case for case in cases if fold[case.content] != number])
        rates = _rates([case for case in cases if fold[case.content] == number], chosen)
        held_out = tuple(a + b for a, b in zip(held_out, rates, strict=True))  # type: ignore[assignment]
    chosen = threshold_of(cases)
    told = _told(name, kind, severity, None, held_out)
    if chosen is None or told.precision is None:
        return told
    if told.precision < LEAST_PRECISION or told.spurious > MOST_SPURIOUS:
        return told
    return _told(name, kind, severity, chosen if kind == "absent" else -chosen, held_out)


def threshold_of(cases: Sequence[Case]) -> float | None:
    """Choose the doubt from which on claims are contradicted: the lowest with precision enough; None if there is none.

    Precision is taken at its worst: by the bounds of Wilson's interval (JASA 22(158), 1927) of both rates.
    """
    right = sorted(case.doubt for case in cases if not case.true)
    wrong = sorted(case.doubt for case in cases if case.true)
    if not right or not wrong:
        return None
    best, at, contradicted_wrong = None, len(wrong) - 1, 0
    for index in range(len(right) - 1, -1, -1):
        while at >= 0 and wrong[at] >= right[index]:
            at, contradicted_wrong = at - 1, contradicted_wrong + 1
        if contradicted_wrong > MOST_CHOSEN * len(wrong):
            break
        least = wilson(len(right) - index, len(right), ONE_SIDED)[0]
        most = wilson(contradicted_wrong, len(wrong), ONE_SIDED)[1]
        if least / (least + most) >= LEAST_PRECISION:
            best = right[index]
    return best


def _doubt(kind: Kind, threshold: float | None) -> float | None:
    return threshold if threshold is None or kind == "absent" else -threshold


def _rates(cases: Sequence[Case], threshold: float | None) -> Rates:
    counts = [0, 0, 0, 0]
    for case in cases:
        counts[2 * case.true + 1] += 1
        counts[2 * case.true] += threshold is not None and case.doubt >= threshold
    return counts[0], counts[1], counts[2], counts[3]


def _told(name: str, kind: Kind, severity: int, threshold: float | None, rates: Rates) -> Rule:
    right, false, wrong, true = rates
    recall, spurious = right / false if false else 0.0, wrong / true if true else 0.0
    precision = interval = None
    if right + wrong and false and true:
        precision = round(recall / (recall + spurious), 4)
        (low, high), (few, many) = wilson(right, false, TWO_SIDED), wilson(wrong, true, TWO_SIDED)
        interval = (round(low / (low + many), 4), round(high / (high + few), 4))
    return Rule(
        attribute=name,
        kind=kind,
        severity=severity,
        threshold=threshold,
        precision=precision,
        interval=interval,
        recall=round(recall, 4),
        spurious=round(spurious, 4),
        false_claims=false,
        true_claims=true,
    )
