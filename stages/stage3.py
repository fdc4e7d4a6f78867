"""Stage 3, quality understanding: question-answer pairs that rest on what experts said (arXiv 2411.03795, stage 3)."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.frames import key_frame_count, motion_frame_count
from schemas.record import Record
from schemas.sample import Sample
from stages import Given, make_sample
from stages.wording.prompts import word

NEEDS = "an expert's annotation, or a distortion made here whose time or place is known"


def samples(record: Record, given: Given) -> Iterator[Sample]:
    """Give one sample for each pair of a record that no reviewer rejected."""
    for pair in given.pairs.get(record.id, ()):
        if pair.verdict == "reject":
            continue
        motion_frames = motion_frame_count(record.media.frames)
        shown = record.media.kind
        worded = word(
            "stage3/video" if shown == "video" else "ours/stage3/image",
            given.prompts,
            given.seed,
            pair.id,
            motion=shown == "image" or motion_frames > 0,
            images=key_frame_count(record.media.frames, record.media.fps),
            frames=motion_frames,
            question=pair.question,
        )
        yield make_sample(
            record,
            given,
            stage="stage3",
            task=pair.form,
            question=worded.text,
            answer=pair.answer,
            wording=worded.name,
            generator=pair.generator,
            family=pair.family,
            evidence=pair.evidence,
            key=pair.id,
        )
