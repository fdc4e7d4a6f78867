"""From what a few clips took to what all of them will take: ratio estimates within groups of like clips."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dataset_builder.preflight.headers import Head
from dataset_builder.preflight.peak import peak_of, reset_peak
from dataset_builder.video import inspect_item

Group = tuple[str, str]
SIGMAS = 1.96
"""Standard errors to either side of an estimate: 95 % of a normal distribution."""
UNMEASURED = 2.0
"""A group of which no clip was measured may cost so many times more, or less, than the groups that stand in for it."""


class Range(msgspec.Struct, frozen=True):
    """An estimate and its ends: 95 % of what drawing other clips would have given, no statement on other loads."""

    value: float
    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        """Add two estimates; ends are added too, which is too wide for independent ones."""
        return Range(self.value + other.value, self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float) -> Range:
        """Scale an estimate."""
        return Range(self.value * factor, self.low * factor, self.high * factor)


def exactly(value: float) -> Range:
    """Say that a value is known."""
    return Range(value, value, value)


def decode_item(item: dict[str, Any]) -> dict[str, Any]:
    """Decode one clip as a build does, as work for the engine: {path, relative} to its media and what it took.

    `cpu` and `wall` are seconds, `peak` is the resident memory of the process in bytes.
    """
    import time

    reset_peak()
    cpu, wall = time.process_time(), time.perf_counter()
    media = inspect_item(item)
    return {
        "media": media,
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "peak": peak_of(),
    }


def pixels_of(heads: Sequence[Head], decoded: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Give the decoded pixels of each clip: counted, told by its header, or by its bytes beside clips of its group."""
    known: dict[str, float] = {}
    for head in heads:
        if media := decoded.get(head.path):
            known[head.path] = float(media["width"] * media["height"] * media["frames"])
        elif head.pixels is not None:
            known[head.path] = head.pixels
    per_byte: dict[Group | None, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for head in heads:
        if head.path in known:
            for group in (head.group, None):
                per_byte[group][0] += known[head.path]
                per_byte[group][1] += head.bytes
    for head in heads:
        if head.path not in known:
            pixels, size = per_byte.get(head.group) or per_byte.get(None) or [float(head.width * head.height), 1.0]
            known[head.path] = head.bytes * pixels / max(size, 1.0)
    return known


def scaled(measured: Sequence[tuple[Group, float, float]], wanted: Mapping[Group, tuple[int, float]]) -> Range:
    """Estimate the cost of all clips. `measured` are (group, work, cost) of some, `wanted` the (clips, work) of all.

    The ratio of cost to work is taken within each group (codec and size), so that one large clip does not stand for
    small ones; a group of which none was measured takes the ratio of its codec, or of all. The spread is that of ratio
    estimates of a stratified sample (Cochran, Sampling Techniques, 3rd ed., 1977, section 6.11), with one relative
    variance for all groups: most have too few clips for one of their own.
    """
    ratios: dict[Group | str | None, float] = {}
    pools: dict[Group | str | None, list[tuple[float, float]]] = defaultdict(list)
    for group, work, cost in measured:
        for pool in (group, group[0], None):
            pools[pool].append((work, cost))
    for pool, pairs in pools.items():
        ratios[pool] = sum(cost for _, cost in pairs) / max(sum(work for work, _ in pairs), 1e-9)
    if not pools:
        return exactly(0.0)
    spread = _relative_variance(measured, ratios)
    total = guessed = variance = least = 0.0
    for group, (clips, work) in wanted.items():
        if group not in ratios:
            guessed += work * ratios.get(group[0], ratios[None])
            continue
        count = len(pools[group])
        cost = work * ratios[group]
        total += cost
        least += min(cost, sum(cost for _, cost in pools[group]))
        variance += cost**2 * spread / count * max(0.0, 1 - count / max(clips, count))
    off = SIGMAS * math.sqrt(variance)
    return Range(total + guessed, max(least, total - off) + guessed / UNMEASURED, total + off + guessed * UNMEASURED)


def _relative_variance(
    measured: Sequence[tuple[Group, float, float]], ratios: Mapping[Group | str | None, float]
) -> float:
    """Pool the squared residuals of cost about ratio times work, each relative to its group's mean cost."""
    groups = {group for group, _, _ in measured}
    free = len(measured) - len(groups)
    if free < 1:
        return (UNMEASURED - 1) ** 2
    squares = 0.0
    for group in groups:
        own = [(work, cost) for other, work, cost in measured if other == group]
        mean = sum(cost for _, cost in own) / len(own)
        if mean > 0:
            squares += sum((cost - ratios[group] * work) ** 2 for work, cost in own) / mean**2
    return squares / free


def uneven(value: float, variation: float, measured: Sequence[float], wanted: Sequence[float]) -> Range:
    """Give the range of an estimate whose parts cost unlike by the unit of work: a few noisy clips hold most bytes.

    `variation` is the relative standard deviation of the cost of a unit from part to part, `measured` and `wanted` are
    the work of the parts tried and of all: both are drawn, and a large part of either counts for much. The ends are
    those of a lognormal distribution, since costs are above 0 and far above their mean now and then.
    """
    if not measured or not wanted:
        return exactly(value)
    parts = sum(sum(x * x for x in work) / max(sum(work) ** 2, 1e-9) for work in (measured, wanted))
    factor = math.exp(SIGMAS * math.sqrt(math.log1p(variation**2 * parts)))
    return Range(value, value / factor, value * factor)
