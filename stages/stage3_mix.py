"""The paper's mix for stage 3: quality understanding together with UGC scoring, so that scoring is not forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.record import Record
from schemas.sample import Sample
from stages import Given, stage2_ugc, stage3

NEEDS = f"{stage3.NEEDS}, or {stage2_ugc.NEEDS}"


def samples(record: Record, given: Given) -> Iterator[Sample]:
    """Give the samples of stage 3 and of UGC scoring."""
    yield from stage3.samples(record, given)
    yield from stage2_ugc.samples(record, given)
