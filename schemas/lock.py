"""A benchmark lock: exactly which clips, bytes, scores and scales a metric is over; and the metrics that name it."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from schemas.levels import Direction, RangeMode
from schemas.record import Split


class LockedScale(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The scale that maps a source's raw scores to [0, 1] (`LevelScale`); `mode` says where `lo` and `hi` are from."""

    source: str
    lo: float
    hi: float
    direction: Direction
    mode: RangeMode

    def __str__(self) -> str:
        """Write the scale as words for a person."""
        turned = ", lower is better" if self.direction == "lower_is_better" else ""
        return f"{self.lo:g} to {self.hi:g} ({self.mode}{turned})"


class LockedClip(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One clip of a benchmark: its record id, the sha256 of its media's bytes (hex), its score in its source.

    A clip that is asked more than once stands there once a question, each by the id of its sample.
    """

    id: str
    sha256: str
    raw: float

    def __post_init__(self) -> None:
        """Refuse a score that is no number: JSON cannot hold it."""
        if not math.isfinite(self.raw):
            raise ValueError(f"{self.id}: the score is {self.raw}")


class Encode(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which encode of the clips it is: a fingerprint of all their bytes, and what a person can tell encodes apart by.

    `sha256` is the hash of the clips' own sha256 in the order of their ids. `frame_rates` counts clips by frames per
    second (to two decimals), `seconds` is their playing time in all. `probed` says how many clips' files were at hand:
    `codecs`, `sizes` (width x height as stored, in pixels) and `bytes` are over those alone.
    """

    sha256: str
    frame_rates: dict[str, int]
    seconds: float
    probed: int
    codecs: dict[str, int]
    sizes: dict[str, int]
    bytes: int


class BenchmarkLock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """A benchmark, held fast: metrics may be compared where `digest` is the same, and only there.

    `name`, `config` and `split` say what it is called and was made from: labels, not part of the digest. `clips` are
    sorted by id.
    """

    version: Literal[1] = 1
    name: str
    config: str
    split: Split
    n: int
    scales: list[LockedScale]
    encode: Encode
    clips: list[LockedClip]

    def __post_init__(self) -> None:
        """Refuse a lock whose parts contradict each other: somebody edited it."""
        ids = [clip.id for clip in self.clips]
        if any(a >= b for a, b in itertools.pairwise(ids)):
            raise ValueError("the clips are not sorted by id, or one is there twice")
        if self.n != len(ids):
            raise ValueError(f"n is {self.n}, but {len(ids)} clips are listed: the file was edited")
        if self.encode.sha256 != fingerprint(self.clips):
            raise ValueError("encode/sha256 is not that of the clips listed: the file was edited")

    @functools.cached_property
    def digest(self) -> str:
        """Hash what a metric depends on: ids, bytes, raw scores and scales (sha256 of canonical JSON, hex).

        The mode of a scale is left out: the same ends map the same, wherever they come from.
        """
        scales = [{"source": s.source, "lo": s.lo, "hi": s.hi, "direction": s.direction} for s in self.scales]
        scales.sort(key=lambda scale: str(scale["source"]))
        measured = {"version": self.version, "scales": scales, "clips": self.clips}
        return hashlib.sha256(msgspec.json.encode(measured, order="sorted")).hexdigest()

    def named(self) -> Benchmark:
        """Name this benchmark as a metric must."""
        return Benchmark(name=self.name, n=self.n, lock=self.digest, scales=self.scales, encode=self.encode.sha256)


def fingerprint(clips: Sequence[LockedClip]) -> str:
    """Hash the sha256 of clips, in their order, to the fingerprint of their encode (hex)."""
    return hashlib.sha256("".join(f"{clip.sha256}\n" for clip in clips).encode()).hexdigest()


class Benchmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a metric was taken on: `n` scores, the digest of their lock, their scales, their encode's fingerprint."""

    name: str
    n: int
    lock: str
    scales: list[LockedScale]
    encode: str

    def __str__(self) -> str:
        """Name the benchmark on one line for a person."""
        scales = ", ".join(f"{s.source} {s}" if len(self.scales) > 1 else str(s) for s in self.scales)
        return f"{self.name}: n {self.n}, lock {self.lock[:12]}, scale {scales}"


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Correlations over `n` clips; PLCC without a logistic fit; None where one is not defined."""

    n: int
    srcc: float | None
    plcc: float | None


class MetricReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Metrics of one model on one benchmark.

    `not_scored` lists the clips of the benchmark that the metrics are not over, `errors` why. `trained` is the model
    itself, the others are controls (docs/demo.md). `lock` is the whole lock, by which a difference can be explained.
    """

    benchmark: Benchmark
    config: str
    split: Split
    model: str
    n_expected: int
    errors: list[str]
    not_scored: list[str]
    trained: Metrics
    blank_frames: Metrics | None = None
    untrained: Metrics | None = None
    trivial: Metrics | None = None
    lock: BenchmarkLock | None = None

    def __post_init__(self) -> None:
        """Refuse a report that does not add up."""
        if self.lock and self.lock.digest != self.benchmark.lock:
            raise ValueError("benchmark/lock is not the digest of the lock in the report: the file was edited")
        scored = self.benchmark.n - len(set(self.not_scored))
        if self.n_expected != self.benchmark.n or any(m.n != scored for m in self.metrics().values()):
            raise ValueError(
                f"the metrics must be over {scored} clips: the {self.benchmark.n} of the benchmark without the "
                f"{len(self.not_scored)} not scored"
            )

    def metrics(self) -> dict[str, Metrics]:
        """Give the metrics that are there, by name."""
        found = {name: getattr(self, name) for name in ("trained", "blank_frames", "untrained", "trivial")}
        return {name: metrics for name, metrics in found.items() if metrics is not None}
