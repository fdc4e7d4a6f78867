"""Reading a clip for a model: key frames at full size, dense frames small, in one decode pass or less.

Key frames alone are read from the parts of the file that hold them, where that gives the same bits (see `sparse`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from dataset_builder.video.access import DoubtfulError
from dataset_builder.video.opening import frame_rate, frames_of, is_still, opened, quarter_turns
from dataset_builder.video.pixels import DenseForm, DenseFrames, Pixels, rgb_of, upright_rgb
from dataset_builder.video.sparse import every_nth_frame
from schemas.frames import key_frame_step

_SMALL = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT

_MOST_EXPECTED = 4_000
"""Frames that room is reserved for on the mere word of a header: 1.8 GB of `upstream`."""

Key = TypeVar("Key")


@dataclass(frozen=True)
class Clip(Generic[Key]):
    """What was read of a clip: of each key frame what `each_key` made of it, `dense` as its DenseForm says, or None.

    `frames` counts all frames of the file, `key_indices` are among them.
    """

    keys: list[Key]
    key_indices: list[int]
    dense: Pixels | None
    frames: int
    fps: float


@overload
def read_clip(path: Path, dense: DenseForm | None = None, *, keys: bool = True) -> Clip[Pixels]: ...


@overload
def read_clip(path: Path, dense: DenseForm | None = None, *, each_key: Callable[[Pixels], Key]) -> Clip[Key]: ...


def read_clip(
    path: Path,
    dense: DenseForm | None = None,
    *,
    keys: bool = True,
    each_key: Callable[[Pixels], Any] | None = None,
) -> Clip[Any]:
    """Read the key frames of a clip and, with `dense`, all frames small (not floored to a multiple of 4).

    `each_key` is given every key frame as it comes, [H, W, 3] uint8 RGB at full size as displayed, and what it gives
    is kept in its place: ten frames of 4K are 250 MB, ten of them resized are 4 MB. Without it full frames are kept.
    It may be called again from the first key frame on, where a clip turns out to need decoding in full.

    With `dense` every frame is decoded, once. Without it only the parts that hold key frames are, where that is known
    to give the same bits, and the other frames are counted by their packets. Of a damaged clip this may give other
    frames than a full decode, or another count: damage in what is not decoded goes unseen. `inspect` decodes all.

    Raises MediaError naming what is wrong with the file.
    """
    if not keys:
        return _in_full(path, dense, None)
    each_key = each_key or _unchanged
    if dense is None:
        with suppress(DoubtfulError):
            return _sparse(path, each_key)
    return _in_full(path, dense, each_key)


def _unchanged(frame: Pixels) -> Pixels:
    return frame


def _sparse(path: Path, each_key: Callable[[Pixels], Key]) -> Clip[Key]:
    with opened(path) as (container, stream):
        fps, convert = float(frame_rate(stream)), VideoReformatter()
        keys: list[Key] = []
        frames, indices, found = every_nth_frame(container, stream, key_frame_step(fps))
        for frame in found:
            keys.append(each_key(upright_rgb(frame, convert)))
            del frame
        return Clip(keys, indices, None, frames, fps)


def _in_full(path: Path, dense: DenseForm | None, each_key: Callable[[Pixels], Key] | None) -> Clip[Key]:
    keys: list[Key] = []
    indices: list[int] = []
    count = 0
    with opened(path) as (container, stream):
        fps, convert = float(frame_rate(stream)), VideoReformatter()
        step = key_frame_step(fps)
        small = DenseFrames(dense, _expected_frames(container, stream)) if dense else None
        for frame in frames_of(container, stream):
            if each_key and count % step == 0:
                keys.append(each_key(upright_rgb(frame, convert)))
                indices.append(count)
            if small:
                small.append(frame)
            count += 1
            del frame  # or the decoder takes another buffer for the next one: 12 MB at 4K
    return Clip(keys, indices, small.array() if small else None, count, fps)


def _expected_frames(container: InputContainer, stream: VideoStream) -> int:
    """Matroska and the like promise no count, but a duration: room for too few would be copied to be enlarged."""
    seconds = Fraction(container.duration or 0, av.time_base)
    return min(stream.frames or int(seconds * frame_rate(stream)) + 8, _MOST_EXPECTED)


def decoded_frames(path: Path) -> Iterator[tuple[VideoFrame, int, bool]]:
    """Decode a clip: each frame as stored, its quarter turns counter-clockwise as displayed, and whether it is a still.

    Raises MediaError.
    """
    with opened(path) as (container, stream):
        still = is_still(container)
        for frame in frames_of(container, stream):
            yield frame, quarter_turns(frame), still


def rgb_frames(path: Path) -> Iterator[Pixels]:
    """Decode a clip and give its frames one by one as [H, W, 3] uint8 RGB, as displayed. Raises MediaError."""
    for frame, turns, _ in decoded_frames(path):
        yield np.ascontiguousarray(np.rot90(rgb_of(frame), turns))


def small_lumas(path: Path, size: int, per_second: float) -> Iterator[tuple[float, Pixels]]:
    """Decode a clip and give (seconds since its first frame, luma squeezed to [size, size] uint8), as displayed.

    Of a clip with more than `per_second` frames a second only that many are given, spread evenly. Raises MediaError.
    """
    with opened(path) as (container, stream):
        seconds_per_frame = float(1 / frame_rate(stream))
        first: int | None = None
        due, shrink = 0, VideoReformatter()
        for index, frame in enumerate(frames_of(container, stream)):
            seconds = index * seconds_per_frame
            if frame.pts is not None and stream.time_base is not None:
                first = frame.pts if first is None else first
                seconds = float((frame.pts - first) * stream.time_base)
            if seconds * per_second + 1e-6 < due:
                continue
            due = int(seconds * per_second + 1e-6) + 1
            luma = shrink.reformat(frame, size, size, "gray", interpolation=_SMALL, threads=1).to_ndarray()
            yield seconds, np.rot90(luma.astype(np.uint8, copy=False), quarter_turns(frame))
