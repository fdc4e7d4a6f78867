"""Stage 1, distortion recognition: which distortion is the main one (arXiv 2411.03795, stage 1)."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.frames import motion_frame_count
from schemas.record import Record
from schemas.sample import Sample
from stages import Given, make_sample
from stages.wording.prompts import word
from stages.wording.taxonomy import kind_of

NEEDS = "a main distortion"


def samples(record: Record, given: Given) -> Iterator[Sample]:
    """Ask for the main distortion: spatial of an image, motion or spatial of a video."""
    main = [d for d in record.distortions if d.main]
    if len(main) != 1:
        return
    kind = kind_of(main[0].name)
    if record.media.kind == "image":
        prompt = "stage1/image" if kind == "spatial" else None
    else:
        prompt = "stage1/video-motion" if kind == "motion" else "ours/stage1/video-spatial"
    if kind is None or prompt is None:
        return
    motion = record.media.kind == "image" or motion_frame_count(record.media.frames) > 0
    worded = word(prompt, given.prompts, given.seed, record.id, motion=motion)
    yield make_sample(
        record,
        given,
        stage="stage1",
        task=f"{kind}-distortion",
        question=worded.text,
        answer=f"It is {main[0].name}.",
        wording=worded.name,
        evidence=[f"distortion:{main[0].name}"],
    )
