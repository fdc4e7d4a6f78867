"""What the pixels of clips say against what pairs claim of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_builder.engine import Outcome, Work
from dataset_builder.signal.calibration import Calibration
from dataset_builder.signal.contradicting import contradictions
from dataset_builder.signal.measuring import Measures, measure_work
from schemas.pair import Doubt
from schemas.record import Media, Record
from stages.claims.claim import Claim

LEAST_SIDE = 200
"""Pixels of the shorter side from which on a clip is like those that probes are calibrated on (240 and 540)."""
LEAST_RATE = 20.0
"""Frames a second from which on it is (25 and 30): slower ones look as if their pictures were held."""
LEAST_SECONDS = 1.0


def unlike_calibrated(media: Media) -> str:
    """Say why nothing may be concluded from the measures of a clip; empty where something may."""
    if min(media.width, media.height) < LEAST_SIDE:
        return f"{media.width} x {media.height} pixels are fewer than the probes of the signal are calibrated for"
    if media.fps < LEAST_RATE or media.duration < LEAST_SECONDS:
        return f"{media.fps:g} frames/s for {media.duration:g} s are fewer than the probes are calibrated for"
    return ""


@dataclass(frozen=True)
class Measured:
    """The measures of clips by the hash of their bytes, and the calibration that they are judged by."""

    of: Mapping[str, Measures]
    calibration: Calibration

    def against(self, record: Record, claims: Sequence[Claim]) -> list[Doubt] | None:
        """List the claims that the clip's own pixels contradict; None where it could not be measured."""
        measures = self.of.get(record.media.sha256, {})
        return None if "error" in measures or not measures else contradictions(claims, measures, self.calibration)

    def unreadable(self, records: Iterable[Record]) -> dict[str, str]:
        """Say of each record whose file could not be measured why not."""
        found = ((record.id, self.of.get(record.media.sha256, {})) for record in records)
        return {name: str(measures["error"]) for name, measures in found if "error" in measures}


def measuring(files: Iterable[tuple[Record, Path]]) -> list[Work]:
    """Name the clips to be measured, each once: no still images, and none that is unlike those calibrated on."""
    by_hash = {
        record.media.sha256: path
        for record, path in files
        if record.media.kind == "video" and not unlike_calibrated(record.media)
    }
    return [measure_work(sha256, path, sha256) for sha256, path in sorted(by_hash.items())]


def measured(outcomes: Mapping[str, Outcome], calibration: Calibration) -> Measured:
    """Take what became of the clips of `measuring`."""
    return Measured({name: o.result or {"error": o.error or ""} for name, o in outcomes.items()}, calibration)
