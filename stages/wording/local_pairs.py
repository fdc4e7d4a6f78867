"""Question-answer pairs about where and when, from ground truth alone: a distortion whose time or place is known."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from schemas.pair import Pair
from schemas.record import GroundTruth, Record
from stages.pairs import pairs
from stages.wording.ground_truth import annotate

ASKED = {"temporal-centric": "start", "in-context-centric": "box"}
"""What each family needs to know of a distortion."""


def local_pairs(record: Record, seed: int) -> Iterator[Pair]:
    """Ask when a distortion is seen that lasts for a while only, and where one that lies in a part of the frame."""
    if all(d.start is None and d.box is None for d in record.distortions):
        return
    annotation = annotate(GroundTruth(clip=record.id, distortions=record.distortions), seed)
    for pair in pairs(record, annotation, None, seed):
        kind, _, index = pair.id.rpartition("/")[2].rpartition("-")
        if kind not in {"when", "where"}:
            continue
        distortion = record.distortions[int(index)]
        if getattr(distortion, ASKED[pair.family]) is not None:
            evidence = [f"distortion:{distortion.name}"]
            yield msgspec.structs.replace(pair, evidence=evidence, generator=f"template:ground-truth-{kind}")
