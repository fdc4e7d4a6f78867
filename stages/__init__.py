"""What each stage asks and answers: pure functions from records, annotations and pairs to samples.

Every module of this package is one stage and one config of the corpus; the file name is the name (`stage2_ugc.py` is
`stage2-ugc`). A stage has

- `NEEDS`: in a few words, what a record must have for this stage to ask something of it;
- `samples(record, given)`: yields the samples of one record, none if the record has nothing for this stage. Every
  random draw comes from hash(seed, id), so that one changed record changes only its own samples.

What stages share lies here (what they are given, how a sample is put together) and in `stages.wording`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from schemas.frames import key_frame_count, motion_frame_count
from schemas.levels import LevelScale, level_distribution
from schemas.pair import Pair
from schemas.record import Record, Score
from schemas.sample import MediaRef, Provenance, Sample, Target, Turn


@dataclass(frozen=True)
class Given:
    """What a stage is given beside the record: scales by source, pairs by record id, seed, wording and recipe hash."""

    seed: int
    prompts: Literal["published", "varied"]
    recipe: str
    scales: Mapping[str, LevelScale] = field(default_factory=dict)
    pairs: Mapping[str, Sequence[Pair]] = field(default_factory=dict)


def media_ref(record: Record) -> MediaRef:
    """Refer to the media of a record, with the frames that are really fed of it."""
    media = record.media
    video = media.kind == "video"
    return MediaRef(
        record_id=record.id,
        kind=media.kind,
        path=media.path,
        sha256=media.sha256,
        frames=media.frames,
        fps=media.fps,
        key_frames=key_frame_count(media.frames, media.fps) if video else 1,
        motion_frames=motion_frame_count(media.frames) if video else 0,
    )


def target_of(record: Record, given: Given) -> Target | None:
    """Map the score of a record to its level by its source's stored scale; None without a score."""
    scale = given.scales.get(record.source)
    return None if record.score is None or scale is None else target_of_score(record.score, scale)


def target_of_score(score: Score, scale: LevelScale) -> Target:
    """Map a score to its level by a stored scale, with the distribution over levels where its spread is known."""
    mos = scale.unit(score.value)
    std = None if score.std is None else score.std / (scale.hi - scale.lo)
    return Target(
        level=scale.level(score.value),
        mos=mos,
        raw=score.value,
        lo=scale.lo,
        hi=scale.hi,
        synthetic=score.kind == "synthetic",
        std=std,
        # To 12 places, far finer than any panel resolves: the last bits differ between mathematical libraries.
        distribution=None if std is None else [round(p, 12) for p in level_distribution(mos, std)],
    )


def make_sample(
    record: Record,
    given: Given,
    *,
    stage: str,
    task: str,
    question: str,
    answer: str,
    wording: str,
    target: Target | None = None,
    generator: str = "template",
    family: str = "",
    evidence: Sequence[str] = (),
    key: str = "",
) -> Sample:
    """Put one question and answer about one record into a Sample. Raises ValueError if text and media do not match."""
    return Sample(
        id=f"{stage}/{record.id}/{key or task}",
        stage=stage,
        task=task,
        media=[media_ref(record)],
        turns=[Turn(role="user", text=question), Turn(role="assistant", text=answer)],
        target=target,
        provenance=Provenance(
            source=record.source,
            licence=record.licence,
            group=record.group,
            wording=wording,
            generator=generator,
            family=family,
            evidence=list(evidence),
            recipe=given.recipe,
        ),
    )
