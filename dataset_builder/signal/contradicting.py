"""Holding claims to the signal: what measures of a clip contradict, as reasons for doubt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dataset_builder.signal.calibration import Calibration, Kind, Rule, akin_to, refuse_other_probes
from dataset_builder.signal.probes import PROBES, Measures, evidence, span
from schemas.pair import Doubt
from stages.claims.claim import Claim
from stages.wording.taxonomy import DEGREES

CHECK = "signal"


def contradictions(claims: Sequence[Claim], measures: Measures, calibration: Calibration) -> list[Doubt]:
    """Say which claims of a clip its measures contradict, and by what figure.

    Silent on what no probe speaks of, what the calibration gives no threshold for, a part of the picture (measures are
    of whole frames), what may be meant by another word for what is plainly there, and a clip that could not be
    measured. Raises CallError for a calibration made for other probes.
    """
    refuse_other_probes(calibration)
    if "error" in measures:
        return []
    return [
        Doubt(check=CHECK, why=why, quote=claim.quote)
        for claim in claims
        if claim.attribute in PROBES and not claim.where
        for why in _reasons(claim, measures, calibration)
    ]


def _reasons(claim: Claim, measures: Measures, calibration: Calibration) -> Iterator[str]:
    """Give one reason at most."""
    name, says = claim.attribute, PROBES[claim.attribute].says
    timed = claim.start is not None or claim.end is not None
    whole = evidence(name, measures)
    if not claim.present:
        # What is seen at another time does not make it wrong that it is not seen at this one.
        if not timed and whole is not None and _plain(name, measures, calibration):
            least = _threshold(calibration, name, "absent", 0)
            yield f"{says.format(_figure(whole))}: a clip without {name} has less than {_figure(least or 0)}"
        return
    most = _threshold(calibration, name, "present", _severity(claim.degree))
    if whole is not None and most is not None and whole <= most:
        if any(_plain(akin, measures, calibration) for akin in akin_to(name)):
            return
        strong = f"{claim.degree} " if claim.degree in DEGREES else ""
        yield f"{says.format(_figure(whole))}: a clip with {strong}{name} has more than {_figure(most)}"
        return
    most = _threshold(calibration, name, "time", 1)
    if not timed or most is None:
        return
    then = evidence(name, measures, claim.start, claim.end)
    if then is not None and then <= most:
        first, last = span(measures, claim.start, claim.end)
        when = f"from {_figure(first)} s to {_figure(last)} s"
        yield f"{when} {says.format(_figure(then))}: where there is {name} it is more than {_figure(most)}"


def _plain(attribute: str, measures: Measures, calibration: Calibration) -> bool:
    """Say whether an attribute is plainly there: it may be what is meant by another word."""
    least, whole = _threshold(calibration, attribute, "absent", 0), evidence(attribute, measures)
    return least is not None and whole is not None and whole >= least


def _severity(degree: str | None) -> int:
    """Give the least severity that a degree stands for; what has no degree may be slight."""
    return DEGREES.index(degree) + 1 if degree in DEGREES else 1


def _threshold(calibration: Calibration, name: str, kind: Kind, severity: int) -> float | None:
    """Look a threshold up; what a weaker degree is refuted by, refutes a stronger one too."""
    found = [rule.threshold for rule in calibration.rules if _holds(rule, name, kind) and rule.severity <= severity]
    return max((threshold for threshold in found if threshold is not None), default=None)


def _holds(rule: Rule, name: str, kind: Kind) -> bool:
    return (rule.attribute, rule.kind) == (name, kind)


def _figure(value: float) -> str:
    return f"{value:.3g}"
