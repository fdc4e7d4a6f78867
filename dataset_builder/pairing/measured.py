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
from schemas.record import Record
from stages.claims.claim import Claim


@dataclass(frozen=True)
class Measured:
    """The measures of clips by the hash of their bytes, and the calibration that they are judged by."""

    of: Mapping[str, Measures]
    calibration: Calibration

    def against(self, record: Record, claims: Sequence[Claim]) -> list[Doubt]:
        """List the claims that the clip's own pixels contradict; none where it could not be measured."""
        measures = self.of.get(record.media.sha256, {})
        return [] if "error" in measures or not measures else contradictions(claims, measures, self.calibration)

    def failed(self, records: Iterable[Record]) -> dict[str, str]:
        """Say of each record that could not be measured why not."""
        found = ((record.id, self.of.get(record.media.sha256, {})) for record in records)
        return {name: str(measures["error"]) for name, measures in found if "error" in measures}


def measuring(files: Iterable[tuple[Record, Path]]) -> list[Work]:
    """Name the clips to be measured, each once. Still images are left out: nothing moves in them."""
    by_hash = {record.media.sha256: path for record, path in files if record.media.kind == "video"}
    return [measure_work(sha256, path, sha256) for sha256, path in sorted(by_hash.items())]


def measured(outcomes: Mapping[str, Outcome], calibration: Calibration) -> Measured:
    """Take what became of the clips of `measuring`."""
    return Measured({name: o.result or {"error": o.error or ""} for name, o in outcomes.items()}, calibration)
