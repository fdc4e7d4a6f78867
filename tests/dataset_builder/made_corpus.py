"""Corpora that hold whatever a test wants, written without a build: clips are still pictures, or are not there."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from dataset_builder.corpus import RECORDS, file_entry, files_of, write_jsonl, write_manifest, write_samples
from dataset_builder.notes import write_notes
from schemas import SCHEMA_VERSION
from schemas.levels import LevelScale, level_of_unit
from schemas.licence import Terms
from schemas.manifest import ConfigCount, Manifest
from schemas.notes import Notes
from schemas.record import SPLITS, Distortion, Media, Record, Split
from schemas.sample import IMAGE, MediaRef, Provenance, Sample, Target, Turn

RECIPE = {"name": "made", "sources": [{"name": "s", "scale": {"kind": "synthetic"}}]}


def picture(name: str, split: Split = "train", *, group: str = "", source: str = "s", **more: Any) -> Record:
    """Make the record of a picture of 48 x 32 pixels, whose colour comes from its name."""
    path = f"media/{hashlib.sha256(name.encode()).hexdigest()[:8]}.png"
    media = Media(
        path=path,
        sha256="",
        bytes=0,
        kind="image",
        width=48,
        height=32,
        fps=1.0,
        frames=1,
        duration=1.0,
        codec="png",
        pixel_format="rgb24",
    )
    distortions = more.pop("distortions", [Distortion(name="noise", severity=2)])
    return Record(
        id=f"{source}/{name}",
        source=source,
        licence="CC-BY-4.0",
        group=group or name,
        split=split,
        media=media,
        distortions=distortions,
        **more,
    )


def sample(
    record: Record, mos: float | None = None, *, question: str = "Is it noisy?", answer: str = "", **more: Any
) -> Sample:
    """Ask about a picture; with a MOS the answer is its level."""
    target = None
    if mos is not None:
        level = level_of_unit(mos)
        answer = answer or f"The quality of this image is {level}."
        target = Target(level=level, mos=mos, raw=mos, lo=0.0, hi=1.0, synthetic=True)
    media = record.media
    return Sample(
        id=f"{record.id}/{question}",
        stage=more.pop("stage", "stage1"),
        task=more.pop("task", "scoring"),
        media=[
            MediaRef(
                record_id=record.id,
                kind="image",
                path=media.path,
                sha256=media.sha256,
                frames=1,
                fps=1.0,
                key_frames=1,
                motion_frames=0,
            )
        ],
        turns=[Turn(role="user", text=f"{IMAGE}\n{question}"), Turn(role="assistant", text=answer or "Yes, it is.")],
        target=target,
        provenance=Provenance(
            source=record.source,
            licence=record.licence,
            group=record.group,
            wording="w",
            generator=more.pop("generator", "template"),
            family=more.pop("family", ""),
            evidence=[],
            recipe="r",
        ),
    )


def draw(corpus: Path, record: Record) -> Record:
    """Write the picture of a record, and give the record with its hash and size."""
    path = corpus / record.media.path
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = np.frombuffer(hashlib.sha256(record.id.encode()).digest()[:3], np.uint8)
    Image.fromarray(np.broadcast_to(colour, (record.media.height, record.media.width, 3)).copy()).save(path)
    entry = file_entry(path)
    media = msgspec.structs.replace(record.media, sha256=entry.sha256, bytes=entry.bytes)
    return msgspec.structs.replace(record, media=media)


def write_corpus(
    corpus: Path,
    records: Sequence[Record],
    samples: Mapping[str, Sequence[Sample]],
    notes: Notes | None = None,
    **more: Any,
) -> Manifest:
    """Write a corpus folder of these, and give its manifest; `more` are fields of the manifest."""
    split_of = {record.id: record.split for record in records}
    write_jsonl(corpus / RECORDS, records)
    configs = {}
    for config, rows in samples.items():
        by_split: dict[Split, list[Sample]] = defaultdict(list)
        for row in rows:
            by_split[split_of[row.media[0].record_id]].append(row)
        for split, some in by_split.items():
            write_samples(corpus, config, split, some)
        configs[config] = ConfigCount(
            splits={split: len(by_split[split]) for split in SPLITS if by_split[split]},
            tasks=dict(Counter(row.task for row in rows)),
            levels=dict(Counter(row.target.level for row in rows if row.target)),
            families=dict(Counter(row.provenance.family for row in rows if row.provenance.family)),
            generators=dict(Counter(row.provenance.generator for row in rows)),
        )
    write_notes(corpus, notes or Notes())
    fields: dict[str, Any] = {
        "name": "made",
        "recipe_sha256": "ab" * 32,
        "recipe": RECIPE,
        "tools": {"av": "1"},
        "scales": [LevelScale(source="s", lo=0.0, hi=1.0, mode="minmax")] if samples else [],
        "media": "copy",
        "records": len({row.media[0].record_id for rows in samples.values() for row in rows}),
        "quarantined": 0,
        "transient": 0,
        "terms": Terms(),
        **more,
    }
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        configs=configs,
        files={path: file_entry(corpus / path) for path in files_of(corpus)},
        **fields,
    )
    write_manifest(corpus, manifest)
    return manifest
