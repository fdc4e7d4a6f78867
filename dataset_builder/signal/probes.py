"""Probes: for each attribute that the signal can speak of, evidence that a clip has it. The one place to add one.

A probe takes measures (`measuring.measure_clip`, of a whole clip or of some seconds) and gives a number, the higher the
stronger the evidence, or None where it cannot tell. What a clip has for a second it has: the worst second counts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TOLERANCE_SECONDS = 0.5
"""How far off the time may be that people give: what is seen so much earlier or later is what they mean."""
LEAST_SECOND = 0.5
"""Of a second, how much must be there for it to count: of the last frames of a clip little can be said."""
LEAST_BITS = 0.1
"""Bits a pixel of a frame below which a file may be coarsely coded whatever its block borders say."""
LEAST_COLOUR = 0.5
"""Mean distance from grey below which a clip has no colour: whether it lost it, it does not tell."""
LONGEST_PICTURE = 0.8
"""Seconds: a picture that is held for longer stands still, and says nothing of the frame rate."""
MOST_STILL = 0.1
"""Share of repeated frames above which the path of the camera is torn by them."""
LIKE_TONES = 10.0
"""Steps of mean and spread of luma within which two seconds are taken to show the same scene."""

Measures = dict[str, Any]
Row = dict[str, float]


@dataclass(frozen=True)
class Probe:
    """A measure of evidence; `says` tells a reader what its number is, with `{}` for it."""

    measure: Callable[[Measures], float | None]
    says: str


def evidence(attribute: str, measures: Measures, start: float | None = None, end: float | None = None) -> float | None:
    """Give the evidence for an attribute, of the whole clip or of the seconds named; None where nothing can be told."""
    selected = measures if start is None and end is None else within(measures, start, end)
    if not selected["seconds"]:
        return None
    value = PROBES[attribute].measure(selected)
    return None if value is None else round(value, 4)


def span(measures: Measures, start: float | None, end: float | None) -> tuple[float, float]:
    """Say which seconds are looked at for a claim of a time: TOLERANCE_SECONDS wider; of a moment, those around it."""
    first = start if start is not None else 0.0
    last = end if end is not None else measures["duration"] if start is None else start
    return max(first - TOLERANCE_SECONDS, 0.0), min(last + TOLERANCE_SECONDS, measures["duration"])


def within(measures: Measures, start: float | None, end: float | None) -> Measures:
    """Cut out what is looked at for a claim of a time."""
    first, last = span(measures, start, end)
    near = [row for row, until in _timed(measures) if row["at"] < last - 1e-3 and until > first + 1e-3]
    return {**measures, "seconds": near, "span": (first, last)}


def _timed(measures: Measures) -> list[tuple[Row, float]]:
    """List the seconds with their ends."""
    rows: list[Row] = measures["seconds"]
    return list(zip(rows, [*(row["at"] for row in rows[1:]), measures["duration"]], strict=True))


def _worst(measure: Callable[[Row], float | None]) -> Callable[[Measures], float | None]:
    """Make a probe of the second in which a measure is highest."""

    def worst(measures: Measures) -> float | None:
        whole = [row for row, until in _timed(measures) if until - row["at"] >= LEAST_SECOND]
        values = [value for row in whole or measures["seconds"] if (value := measure(row)) is not None]
        return max(values, default=None)

    return worst


def _octaves(value: float) -> float:
    return math.log2(max(value, 1e-4))


def holds(measures: Measures) -> list[tuple[float, int]]:
    """List when each picture of a clip appears, in seconds, and for how many frames it is held."""
    starts = measures["pictures"]
    ends = [*starts[1:], measures["duration"]]
    return [(at, max(1, round((end - at) * measures["fps"]))) for at, end in zip(starts, ends, strict=True)]


def _shown(measures: Measures) -> list[tuple[float, int]]:
    """List what of `holds` is seen in the part of a clip that is looked at."""
    first, last = measures.get("span", (0.0, math.inf))
    return [
        (at, held) for at, held in holds(measures) if at < last - 1e-3 and at + held / measures["fps"] > first + 1e-3
    ]


def _uneven(measures: Measures) -> float | None:
    """Measure the share of the time that goes beyond the steady pace: by pictures held for longer or shorter."""
    pace = sorted(held for _, held in holds(measures))
    usual = pace[len(pace) // 2]
    shown = [held for _, held in _shown(measures)]
    if len(pace) < 3:
        return None  # a scene in which nothing moves
    return sum(abs(held - usual) for held in shown) / max(sum(shown), 1)


def _interval(measures: Measures) -> float | None:
    """Measure for how long pictures are held, in seconds: the median over the frames of the second where it is longest.

    A second of which more than LONGEST_PICTURE is one picture stands still.
    """
    fps, pictures, found = measures["fps"], _shown(measures), []
    for row, until in _timed(measures):
        if until - row["at"] < LEAST_SECOND:
            continue
        inside = sorted(held for at, held in pictures if at < until - 1e-3 and at + held / fps > row["at"] + 1e-3)
        reached = itertools.accumulate(inside)
        middle = next((held for held, sum_ in zip(inside, reached, strict=True) if 2 * sum_ >= sum(inside)), 0)
        if middle and middle / fps <= LONGEST_PICTURE:
            found.append(middle / fps)
    return max(found, default=None)


def _switch(measures: Measures) -> float | None:
    """Measure the largest step of blur from a second to the next one that shows the same scene."""
    steps = [
        abs(one["blur"] - other["blur"])
        for one, other in itertools.combinations(measures["seconds"], 2)
        if all(abs(one[tone] - other[tone]) <= LIKE_TONES for tone in ("mean", "spread"))
    ]
    return max(steps, default=None)


def _blocky(measures: Measures) -> float | None:
    """Measure block borders; of a file of few bits, a lack of them says nothing."""
    value = _worst(lambda row: _octaves(row["blockiness"]))(measures)
    if value is None or (measures["bits_per_pixel"] < LEAST_BITS and value < 1):
        return None
    return value


PROBES: dict[str, Probe] = {
    "compression artifact": Probe(_blocky, "borders of 8 x 8 blocks stand out by {} octaves"),
    "spatial blur": Probe(_worst(lambda row: row["blur"]), "its blur is {} of 1"),
    "motion blur": Probe(_worst(lambda row: row["blur"] + 2 * row["smear"]), "its blur in one direction is {}"),
    "noise": Probe(
        _worst(lambda row: row["grain"] * row["detail"]), "the noise where the picture is flattest is {} steps of luma"
    ),
    "overexposure": Probe(
        _worst(lambda row: row["high"] / 235 + row["bright"]), "its highlights and the share that is clipped sum to {}"
    ),
    "underexposure": Probe(_worst(lambda row: -row["high"]), "the luma of its highlights, taken negative, is {}"),
    "low contrast": Probe(_worst(lambda row: row["low"] - row["high"]), "from highlights down to shadows it is {}"),
    "high contrast": Probe(
        _worst(lambda row: row["spread"] / 60 + row["dark"] + row["bright"]),
        "the spread of its luma (in units of 60) and the share that is clipped sum to {}",
    ),
    "oversaturation": Probe(_worst(lambda row: row["vivid"]), "its strongest colours are {} steps from grey"),
    "desaturation": Probe(
        _worst(lambda row: -row["vivid"] if row["colour"] >= LEAST_COLOUR else None),
        "the distance of its strongest colours from grey, taken negative, is {}",
    ),
    "block effect": Probe(_blocky, "borders of 8 x 8 blocks stand out by {} octaves"),
    "stuttering": Probe(_uneven, "the share of the time that pictures are held off the steady pace is {}"),
    "camera shake": Probe(
        _worst(lambda row: row["shake"] if row["still"] <= MOST_STILL else None),
        "the path of the camera bends by {} thousandths of the picture",
    ),
    "flicker": Probe(
        _worst(lambda row: 50 * row["flicker"] / max(row["luma"], 16) + 3 * row["tint"]),
        "brightness and colour swing by {} steps",
    ),
    "low frame rate": Probe(_interval, "pictures are held for {} s"),
    "quality switch": Probe(_switch, "blur changes by {} of 1 within the scene"),
    "interlacing": Probe(_worst(lambda row: row["woven"]), "neighbouring lines bend by {} octaves more than columns"),
}
"""By the words of `stages.wording.taxonomy`."""
