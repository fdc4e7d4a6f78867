"""What measuring a clip without a reference costs beside decoding it, and how fast claims are held to measures.

Clips are those of the benchmark `reading`. CPU seconds (user and system, of a process of its own, imports left out) are
the least of some interleaved runs, beside `ffmpeg -threads 1 -i CLIP -f null -`; the peak is that of the process.

    python -m benchmarks --only measuring
"""

from __future__ import annotations

import itertools
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._findings import (
    Cell,
    Findings,
    Limit,
    Table,
    in_a_process,
    interleaved,
    peak_kb,
    versions,
    wall_and_cpu_seconds,
)
from benchmarks.reading import encode_command, ffmpeg, ffmpeg_version, made
from dataset_builder.demo.contents import CONTENTS, locate
from dataset_builder.signal.calibration import read_calibration
from dataset_builder.signal.contradicting import contradictions
from dataset_builder.signal.measuring import measure_clip
from dataset_builder.signal.probes import PROBES
from stages.claims.claim import Claim
from stages.wording.taxonomy import DEGREES

NAMES = ("1080p60, long GOP", "4K30")
MOST, MOST_MEGABYTES, LEAST_CLAIMS = 1.5, 600.0, 10_000.0


def run(*, quick: bool) -> Findings:
    """Make the clips, measure them, and hold every claim there is to one of them."""
    if ffmpeg() is None:
        return Findings([], [Limit("measuring", None, MOST, "x decoding", note="needs an ffmpeg command")])
    names, seconds, repeat = (["portrait 576x1024"], 2, 1) if quick else (list(NAMES), 10, 3)
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            clip = made(Path(scratch), name, seconds)
            works = [partial(in_a_process, "measuring", which, str(clip)) for which in ("decoded", "measured")]
            decoding, measuring = interleaved(repeat, works)
            base, ours = (min(cost["seconds"] for cost in costs) for costs in (decoding, measuring))
            peak = max(cost["peak_kb"] for cost in measuring) / 1000
            rows.append(
                {"clip": name, "decoding CPU s": base, "CPU s": ours, "x decoding": ours / base, "peak MB": peak}
            )
    rate = claims_a_second(quick=quick)
    limits = [Limit(f"measuring, {row['clip']}", float(row["x decoding"] or 0), MOST, "x decoding") for row in rows]
    limits += [Limit(f"peak, {row['clip']}", float(row["peak MB"] or 0), MOST_MEGABYTES, "MB") for row in rows]
    limits.append(Limit("claims held to measures", rate, LEAST_CLAIMS, "a second", least=True))
    setup = {"versions": f"{versions('av', 'numpy')}; ffmpeg {ffmpeg_version()}"}
    setup |= {f"encode {name}": encode_command(name, "CLIP") for name in names}
    return Findings([Table("Measuring a clip of ten seconds", rows)], limits, setup)


def decoded(clip: str) -> dict[str, Any]:
    """Decode a clip by the ffmpeg command, and say what that took."""
    command = [str(ffmpeg()), "-nostdin", "-v", "error", "-threads", "1", "-i", clip, "-f", "null", "-"]
    _, seconds = wall_and_cpu_seconds(lambda: subprocess.run(command, check=True))
    return {"seconds": seconds}


def measured(clip: str) -> dict[str, Any]:
    """Measure a clip in this process, and say what that took."""
    before = time.process_time()
    measure_clip(Path(clip))
    return {"seconds": time.process_time() - before, "peak_kb": peak_kb()}


def claims_a_second(*, quick: bool) -> float:
    """Hold every attribute with every degree, present and absent, to the measures of a real clip, on one core."""
    measures = measure_clip(locate(next(content for content in CONTENTS if content.name == "carphone_pristine")))
    calibration = read_calibration()
    claims = [
        Claim(attribute=name, present=present, degree=degree, start=start)
        for name, present, degree, start in itertools.product(PROBES, (True, False), DEGREES, (None, 1.0))
    ]
    rounds = 2 if quick else 50
    start = time.perf_counter()
    for _ in range(rounds):
        contradictions(claims, measures, calibration)
    return rounds * len(claims) / (time.perf_counter() - start)
