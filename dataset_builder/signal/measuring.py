"""What a clip's pixels say of its quality, without a reference: cheap measures second by second, in one decode pass."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import orjson
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from dataset_builder.clip_stages import CHANGED, HASH, ChangedError, hash_work, tools
from dataset_builder.engine import Engine, Item, Outcome, Stage, Work, run_stage, source_digest
from dataset_builder.leftovers import mark_as_cache
from dataset_builder.matching import ClipFolder, printable
from dataset_builder.progress import Tracker, untracked
from dataset_builder.signal.movement import SMALL, Movement
from dataset_builder.signal.pictures import GREY, at_full_size, at_small_size, colours, rounded
from dataset_builder.video import CLIP_SUFFIXES, Pixels, inspect
from schemas.errors import CallError
from schemas.frames import key_frame_step
from schemas.record import Record

MODULES = (
    "dataset_builder.signal.measuring",
    "dataset_builder.signal.movement",
    "dataset_builder.signal.pictures",
)
"""What measures depend on, beside how clips are decoded."""
SHORT_SIDE = 240
"""Shorter side of the frames on which blur, contrast and colour are measured, so that all resolutions compare."""
_AREA = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_PLANES = "yuv420p"

Measures = dict[str, Any]


def measure_folder(
    folder: Path, out: Path, work: Path, *, engine: Engine, timeout: float = 600.0, track: Tracker = untracked
) -> tuple[int, int]:
    """Measure every clip below a folder: a JSON line for each in `out`, by path; what fails or is no file has `error`.

    What was measured is kept in `work` for the next run. Gives how many were measured and how many failed. Raises
    CallError for a folder without clips, or a place that cannot be written or is among the clips.
    """
    if out.is_dir() or folder.resolve() in out.resolve().parents:
        raise CallError(f"{str(out)!r} is a folder or lies among the clips: name a file elsewhere")
    mark_as_cache(work)
    found = ClipFolder(folder, [work])
    files = {name: folder / name for name in found.paths if PurePosixPath(name).suffix.lower() in CLIP_SUFFIXES}
    if not files and not found.unusable:
        raise CallError(f"{str(folder)!r}: there are no clips in it")
    hashing = [hash_work(name, path) for name, path in files.items()]
    means = Means(work, engine, timeout, track)
    outcomes = means.done("hashing", HASH, hashing)
    hashed = {name: outcome.result["sha256"] for name, outcome in outcomes.items() if outcome.result}
    measuring = [measure_work(name, files[name], sha256) for name, sha256 in hashed.items()]
    outcomes |= means.done("measuring", measure_stage(), measuring)
    outcomes |= {printable(name): Outcome(None, reason) for name, reason in found.unusable}
    partial = out.with_name(f".{out.name}.partial")
    with partial.open("wb") as file:
        for name in sorted(outcomes):
            told = outcomes[name].result or {"error": outcomes[name].error}
            file.write(orjson.dumps({"clip": name, "sha256": hashed.get(name), **told}) + b"\n")
    partial.replace(out)
    failed = sum(outcome.error is not None for outcome in outcomes.values())
    return len(outcomes) - failed, failed


def measure_records(
    records: Iterable[Record],
    root: Path,
    work: Path,
    *,
    engine: Engine,
    timeout: float = 600.0,
    track: Tracker = untracked,
) -> dict[str, Measures]:
    """Measure the clips of records below `root`: by record id what `measure_clip` gives, or `error` and why.

    Records of the same bytes are measured once, and what was measured is kept in `work`.
    """
    known = list(records)
    by_hash = {record.media.sha256: record for record in known}
    mark_as_cache(work)
    measuring = [measure_work(sha256, root / record.media.path, sha256) for sha256, record in by_hash.items()]
    means = Means(work, engine, timeout, track, retry_failed=True)  # a file that was not there may be by now
    outcomes = means.done("measuring", measure_stage(), measuring)
    found = {sha256: outcome.result or {"error": outcome.error or ""} for sha256, outcome in outcomes.items()}
    return {record.id: found[record.media.sha256] for record in known}


@dataclass(frozen=True)
class Means:
    """What stages run with: where results are kept, on what, seconds an item, and who is told of the progress.

    With `retry_failed` what failed in an earlier run is tried again.
    """

    work: Path
    engine: Engine
    timeout: float = 600.0
    track: Tracker = untracked
    retry_failed: bool = False

    def done(self, what: str, stage: Stage, items: Sequence[Work]) -> dict[str, Outcome]:
        """Run a stage over items and give what became of each."""
        advance, stage = self.track(what, len(items)), replace(stage, timeout=self.timeout)
        told = run_stage(
            stage,
            items,
            self.work,
            engine=self.engine,
            retry_failed=self.retry_failed,
            told=lambda outcome: advance(failed=outcome.error is not None),
        )
        return dict(told.outcomes())


def measure_stage() -> Stage:
    """Give the stage that measures clips: its results hold for these libraries and this code."""
    digest = source_digest(*MODULES, "dataset_builder.video")
    return Stage("measure", "dataset_builder.signal.measuring:measure_item", digest, {"tools": tools()})


def measure_work(item_id: str, path: Path, sha256: str) -> Work:
    """Name a clip by its bytes."""
    return Work(item_id, {"sha256": sha256}, {"path": str(path)})


def measure_item(item: Item) -> Item:
    """Measure one clip as work for the engine: {path, sha256}. Raises MediaError; ChangedError for other bytes."""
    measured = measure_clip(Path(item["path"]))
    if measured.pop("sha256") != item["sha256"]:
        raise ChangedError(CHANGED)
    return measured


def measure_clip(path: Path) -> Measures:
    """Measure one clip while it is decoded once. Raises MediaError.

    Gives its `sha256`, `frames`, `fps`, `duration`, `width`, `height` and `codec`; `bits_per_pixel` of the file for
    each pixel of each frame; `interlaced`, the share of frames that say of themselves that they are; `pictures`, the
    seconds at which something new is shown: where two lie further apart than frames do, the clip stands still; and
    `seconds`, one row a second: `at`, its start in seconds, what `Movement.seconds` says of all its frames, and what
    `at_full_size`, `at_small_size` and `colours` say of its first one.
    """
    look = _Look()
    media = inspect(path, "clip", look.at)
    return {
        "sha256": media.sha256,
        "frames": media.frames,
        "fps": media.fps,
        "duration": rounded(media.duration),
        "width": media.width,
        "height": media.height,
        "codec": media.codec,
        "bits_per_pixel": rounded(8 * media.bytes / (media.frames * media.width * media.height)),
        **look.found(media.fps),
    }


class _Look:
    """Looks at the frames of a clip as they are decoded, and holds none of them."""

    def __init__(self) -> None:
        self.movement = Movement()
        self.starts: list[int] = []
        self.rows: list[dict[str, float]] = []
        self.times: list[float] = []
        self.interlaced = 0
        self._shape = (1, 1)
        self._small, self._middle, self._grey = (VideoReformatter() for _ in range(3))

    def at(self, frame: VideoFrame, fps: Fraction) -> None:
        """Take the next frame of a clip of that rate."""
        index = len(self.times)
        at = None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
        self.times.append(float(index / fps if at is None else at))
        self.interlaced += frame.interlaced_frame
        small, *chroma = _squeezed(frame, SMALL, SMALL, self._small)
        blue, red = (int(plane.sum(dtype=np.int64)) for plane in chroma)
        self.movement.add(small.astype(np.int32), blue, red)
        if index % key_frame_step(float(fps)) == 0:
            self._shape = (frame.width, frame.height)
            self.starts.append(index)
            factor = min(1.0, SHORT_SIDE / min(frame.width, frame.height))
            width, height = (max(2, 2 * round(factor * side / 2)) for side in self._shape)
            luma, *chroma = _squeezed(frame, width, height, self._middle)
            self.rows.append({**at_small_size(luma), **colours(*chroma), **at_full_size(_luma(frame, self._grey))})

    def found(self, fps: float) -> Measures:
        """Give what was seen."""
        width, height = self._shape
        shares = (width / min(self._shape), height / min(self._shape))
        times = [rounded(at - self.times[0]) for at in self.times]
        if any(later <= earlier for earlier, later in itertools.pairwise(times)):
            times = [rounded(index / fps) for index in range(len(times))]
        over_time = self.movement.seconds(self.starts, fps, shares)
        rows = [
            {"at": times[start], **moved, **seen}
            for start, moved, seen in zip(self.starts, over_time, self.rows, strict=True)
        ]
        return {
            "interlaced": rounded(self.interlaced / len(times)),
            "pictures": [times[index] for index in self.movement.pictures()],
            "seconds": rows,
        }


def _squeezed(frame: VideoFrame, width: int, height: int, reformat: VideoReformatter) -> list[Pixels]:
    """Give luma and both chromas of a frame squeezed to that size; the chromas have half of it."""
    grey = frame.format.name.startswith("gray")
    small = reformat.reformat(frame, width, height, "gray" if grey else _PLANES, interpolation=_AREA, threads=1)
    if grey:  # swscale would take it for full range
        return [_plane(small, 0), *[np.full((height // 2, width // 2), GREY, np.uint8)] * 2]
    return [_plane(small, index) for index in range(3)]


def _luma(frame: VideoFrame, reformat: VideoReformatter) -> Pixels:
    """Look at the luma of a frame, full size and limited range."""
    if frame.format.name not in {_PLANES, "yuv422p", "yuv444p", "gray"}:
        wanted = "gray" if frame.format.name.startswith("gray") else _PLANES
        frame = reformat.reformat(frame, format=wanted, interpolation=_AREA, threads=1)
    return _plane(frame, 0)


def _plane(frame: VideoFrame, index: int) -> Pixels:
    plane = frame.planes[index]
    lines: Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return lines[: plane.height, : plane.width]
