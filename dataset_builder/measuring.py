"""What a clip's pixels say of its quality, without a reference: cheap measures second by second, in one decode pass.

Sums are taken in integers, so that a measure is the same on every processor. Lumas are 8-bit, as they are stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from dataset_builder.clip_stages import HASH, hash_work, tools
from dataset_builder.engine import Engine, Item, Outcome, Stage, Work, run_stage, source_digest
from dataset_builder.leftovers import mark_as_cache
from dataset_builder.matching import ClipFolder, printable
from dataset_builder.progress import Tracker, untracked
from dataset_builder.video import CLIP_SUFFIXES, decoded_frames, inspect
from schemas.errors import CallError
from schemas.frames import key_frame_step

Luma = NDArray[np.int64]

SMALL = 64
"""Side of the squeezed frames on which motion and brightness are followed."""
BLOCK = 8
"""Side of the blocks of the codecs whose borders show."""
DARK, BRIGHT = 20, 231
"""Lumas within a hair of black (16) and white (235) in limited range: detail there is lost."""
STILL = 0.05
"""Mean change of luma, in 8-bit steps, below which a frame repeats the one before: coding alone changes less."""


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

    def done(what: str, stage: Stage, items: Sequence[Work]) -> dict[str, Outcome]:
        advance = track(what, len(items))
        stage = replace(stage, timeout=timeout)
        result = run_stage(
            stage, items, work, engine=engine, told=lambda outcome: advance(failed=outcome.error is not None)
        )
        return dict(result.outcomes())

    outcomes = done("hashing", HASH, [hash_work(name, path) for name, path in files.items()])
    hashed = {name: outcome.result["sha256"] for name, outcome in outcomes.items() if outcome.result}
    outcomes |= done(
        "measuring", measure_stage(), [measure_work(name, files[name], sha256) for name, sha256 in hashed.items()]
    )
    outcomes |= {printable(name): Outcome(None, reason) for name, reason in found.unusable}
    partial = out.with_name(f".{out.name}.partial")
    with partial.open("wb") as file:
        for name in sorted(outcomes):
            told = outcomes[name].result or {"error": outcomes[name].error}
            file.write(orjson.dumps({"clip": name, "sha256": hashed.get(name), **told}) + b"\n")
    partial.replace(out)
    failed = sum(outcome.error is not None for outcome in outcomes.values())
    return len(outcomes) - failed, failed


def measure_stage() -> Stage:
    """Give the stage that measures clips: its results hold for these libraries and this code."""
    digest = source_digest("dataset_builder.measuring", "dataset_builder.video")
    return Stage("measure", "dataset_builder.measuring:measure_clip", digest, {"tools": tools()})


def measure_work(item_id: str, path: Path, sha256: str) -> Work:
    """Name a clip by its bytes."""
    return Work(item_id, {"sha256": sha256}, {"path": str(path)})


def measure_clip(item: Item) -> Item:
    """Measure one clip: {path} to {frames, fps, seconds: [...]}, one row a second. Raises MediaError.

    A row holds the mean `luma` and its mean `change` from frame to frame on a frame squeezed to 64 x 64; `still`, the
    share of frames that repeat the one before; `flicker`, the mean second difference of the brightness; and of the
    second's first frame at full size the shares `dark` and `bright`, `sharpness` (variance of the Laplacian), `noise`
    (standard deviation after Immerkaer, Computer Vision and Image Understanding 64(2), 1996) and `blockiness` (the mean
    luma step across the borders of 8 x 8 blocks over that inside them, after Wu and Yuen, IEEE Signal Processing
    Letters 4(11), 1997; 1 = none). Lumas are in 8-bit steps.
    """
    path = Path(item["path"])
    media = inspect(path, "clip")
    step = key_frame_step(media.fps)
    rows: list[dict[str, Any]] = []
    seen: list[Luma] = []
    before: Luma | None = None
    for index, (full, small) in enumerate(_lumas(path, step)):
        if full is not None:
            if seen:
                rows[-1] |= _over_time(seen, before)
                before = seen[-1]
            seen = []
            rows.append({"at": round(index / media.fps, 4), **_in_frame(full)})
        seen.append(small)
    rows[-1] |= _over_time(seen, before)
    return {"frames": media.frames, "fps": media.fps, "seconds": rows}


def _lumas(path: Path, step: int) -> Iterator[tuple[Luma | None, Luma]]:
    """Yield of every frame its luma at full size, of every `step`-th only, and squeezed."""
    for index, (frame, _, _) in enumerate(decoded_frames(path)):
        grey = frame.reformat(format="gray", threads=1).to_ndarray()
        squeezed = frame.reformat(SMALL, SMALL, "gray", interpolation="AREA", threads=1).to_ndarray()
        yield (grey.astype(np.int64) if index % step == 0 else None), squeezed.astype(np.int64)


def _over_time(frames: Sequence[Luma], before: Luma | None) -> dict[str, float]:
    """Measure what goes on within a second, the step from the last frame of the second before included."""
    stack = np.stack([*([] if before is None else [before]), *frames])
    changes = np.abs(np.diff(stack, axis=0)).sum((1, 2)) / SMALL**2
    bright = stack.sum((1, 2)) / SMALL**2
    return {
        "luma": _rounded(bright[-len(frames) :].mean()),
        "change": _rounded(changes.mean()) if len(changes) else 0.0,
        "still": _rounded((changes < STILL).mean()) if len(changes) else 0.0,
        "flicker": _rounded(np.abs(np.diff(bright, 2)).mean()) if len(bright) > 2 else 0.0,
    }


def _in_frame(luma: Luma) -> dict[str, float]:
    height, width = luma.shape
    measured = {"dark": _rounded((luma <= DARK).mean()), "bright": _rounded((luma >= BRIGHT).mean())}
    if min(height, width) < 2 * BLOCK:
        return {**measured, "sharpness": 0.0, "noise": 0.0, "blockiness": 1.0}
    inner = luma[1:-1, 1:-1]
    beside = luma[1:-1, :-2] + luma[1:-1, 2:] + luma[:-2, 1:-1] + luma[2:, 1:-1]
    corners = luma[:-2, :-2] + luma[:-2, 2:] + luma[2:, :-2] + luma[2:, 2:]
    edges = beside - 4 * inner
    grain = np.abs(corners - 2 * beside + 4 * inner).sum()
    count = inner.size
    across, inside = _block_steps(luma)
    return {
        **measured,
        "sharpness": _rounded(int((edges**2).sum()) / count - (int(edges.sum()) / count) ** 2),
        "noise": _rounded(float(np.sqrt(np.pi / 2)) * int(grain) / (6 * count)),
        "blockiness": _rounded((across + 0.1) / (inside + 0.1)),
    }


def _block_steps(luma: Luma) -> tuple[float, float]:
    """Measure mean luma steps across block borders and in the middle of blocks, both ways."""
    across = inside = 0.0
    for plane in (luma, luma.T):
        steps = np.abs(np.diff(plane, axis=1))
        border, middle = steps[:, BLOCK - 1 :: BLOCK], steps[:, BLOCK // 2 - 1 :: BLOCK]
        across += int(border.sum()) / border.size / 2
        inside += int(middle.sum()) / middle.size / 2
    return across, inside


def _rounded(value: float) -> float:
    return round(float(value), 4)
