"""What the report of a corpus of 158,000 samples costs, and how large its page is.

A small corpus of real clips is built, as in `benchmarks.validation`, and its samples are written again and again with
other ids and scores, 158,000 in the paper's shares of the stages, each of a clip of its own, so that there are more
clips than the paper has. What lies at a clip's path is one of the real ones, so that pictures are drawn of real video.
A process of its own gathers and writes; its peak memory is without that of the processes that draw.

    python -m benchmarks --only report
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from benchmarks._findings import Cell, Findings, Limit, Table, in_a_process, peak_kb, versions
from benchmarks.validation import LINES, QUICK_LINES, STAGES, built
from dataset_builder.corpus import RECORDS, read_manifest, write_manifest
from dataset_builder.notes import read_notes
from schemas.levels import level_of_unit
from schemas.record import Record
from schemas.sample import Sample

SECONDS, MEGABYTES, PAGE_MEGABYTES = 60.0, 1000.0, 3.0
TEST_SHARE = 0.2


def run(*, quick: bool) -> Findings:
    """Measure the page with pictures and without."""
    count = QUICK_LINES if quick else LINES
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as scratch:
        records, samples = built(Path(scratch))
        large = Path(scratch) / "large"
        _write(Path(scratch) / "corpus", large, records, samples, count)
        for pictures in (True, False):
            found = in_a_process("report", "reported", str(large), str(Path(scratch) / "corpus"), pictures)
            rows.append(
                {
                    "page": "with pictures" if pictures else "without pictures",
                    "s": found["seconds"],
                    "samples/s": int(count / found["seconds"]),
                    "pictures": int(found["pictures"]),
                    "page, MB": found["bytes"] / 1e6,
                    "peak MB": found["peak_kb"] / 1000,
                }
            )
    scale = LINES / count
    limits = [
        Limit(f"the page of {LINES:,} samples", float(str(rows[0]["s"])) * scale, SECONDS, "s"),
        Limit("its size", float(str(rows[0]["page, MB"])), PAGE_MEGABYTES, "MB"),
        Limit("peak of the process that gathers", float(str(rows[0]["peak MB"])), MEGABYTES, "MB"),
    ]
    title = f"The report of {count:,} samples of {count:,} clips"
    return Findings([Table(title, rows)], limits, {"versions": versions("msgspec", "av", "pillow")})


def reported(corpus: str, real: str, pictures: bool) -> dict[str, float]:
    """Write the page of a corpus: seconds, bytes, pictures in it, and the peak of this process."""
    from dataset_builder.report.page import report

    folder = Path(corpus)
    # A clip lies where its real one does: behind the number that makes its path its own.
    find = (lambda path: Path(real) / path.partition("-")[2]) if pictures else None
    start = time.perf_counter()
    page = report(folder, read_manifest(folder), read_notes(folder), pictures=find)
    return {
        "seconds": time.perf_counter() - start,
        "bytes": len(page.encode()),
        "pictures": page.count("<img "),
        "peak_kb": peak_kb(),
    }


def _write(small: Path, large: Path, records: list[Record], samples: list[Sample], count: int) -> None:
    """Write a corpus of `count` samples, made of those of a small one."""
    draw = random.Random(0)  # noqa: S311 - the same lines in every run, no secret
    record_of = {record.id: record for record in records}
    by_stage = {stage: [sample for sample in samples if sample.stage == stage] for stage in STAGES}
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    large.mkdir()
    with contextlib.ExitStack() as files:
        rows = files.enter_context((large / RECORDS).open("wb"))
        places = {
            (stage, split): files.enter_context(_new(large / "data" / stage / f"{split}-00000-of-00001.jsonl"))
            for stage in STAGES
            for split in ("train", "test")
        }
        for index, stage in enumerate(draw.choices(list(STAGES), list(STAGES.values()), k=count)):
            sample = _another(by_stage[stage][index % len(by_stage[stage])], index, draw)
            split = "test" if index % 100 < 100 * TEST_SHARE else "train"
            places[stage, split].write(msgspec.json.encode(sample) + b"\n")
            counts[stage][split] += 1
            record = record_of[sample.media[0].record_id.partition("-")[2]]
            rows.write(msgspec.json.encode(msgspec.structs.replace(record, id=sample.media[0].record_id)) + b"\n")
    manifest = read_manifest(small)
    configs = {stage: msgspec.structs.replace(manifest.configs[stage], splits=dict(counts[stage])) for stage in STAGES}
    write_manifest(large, msgspec.structs.replace(manifest, configs=configs, records=count, files={}))


@contextlib.contextmanager
def _new(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        yield file


def _another(sample: Sample, index: int, draw: random.Random) -> Sample:
    media, turns, target = sample.media[0], sample.turns, sample.target
    name = f"{index:06d}-"
    media = msgspec.structs.replace(media, record_id=f"{name}{media.record_id}", path=f"{name}{media.path}")
    if target:
        mos = draw.random()
        level = level_of_unit(mos)
        turns = [*turns[:-1], msgspec.structs.replace(turns[-1], text=turns[-1].text.replace(target.level, level))]
        target = msgspec.structs.replace(target, level=level, mos=mos, raw=1 + 4 * mos, std=None, distribution=None)
    group = msgspec.structs.replace(sample.provenance, group=f"{sample.provenance.group}/{index // 10}")
    changed = {"id": f"{name}{sample.id}", "media": [media], "turns": turns, "target": target, "provenance": group}
    return msgspec.structs.replace(sample, **changed)
