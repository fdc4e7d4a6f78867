"""Stage 2, UGC scoring: the level of a clip's mean opinion score (arXiv 2411.03795, stage 2)."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.frames import motion_frame_count
from schemas.record import Record
from schemas.sample import Sample
from stages import Given, make_sample, target_of
from stages.wording.prompts import word

NEEDS = "a score, of a clip that was not streamed"


def samples(record: Record, given: Given) -> Iterator[Sample]:
    """Ask for the quality level of a clip or image that has a score."""
    target = target_of(record, given)
    if target is None or record.stalls is not None:
        return
    shown = record.media.kind
    motion = shown == "image" or motion_frame_count(record.media.frames) > 0
    prompt = "ugc/video" if shown == "video" else "ours/ugc/image"
    worded = word(prompt, given.prompts, given.seed, record.id, motion=motion)
    yield make_sample(
        record,
        given,
        stage="stage2-ugc",
        task="scoring",
        question=worded.text,
        answer=f"The quality of this {shown} is {target.level}.",
        wording=worded.name,
        target=target,
        evidence=["score"],
    )
