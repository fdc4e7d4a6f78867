"""Reading video: one decode pass that yields key frames at full size and dense frames small.

A clip is opened by PyAV with one decoder thread (parallelism is one clip a process). Still images are clips of one
frame. Rotation metadata is applied, 10-bit and other pixel formats are converted to 8-bit, a variable frame rate is
read frame by frame with its average rate; what cannot be read is refused by name with MediaError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import msgspec
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from schemas.errors import DataError
from schemas.frames import key_frame_step
from schemas.record import Media

Pixels = NDArray[np.uint8]

PLAYLISTS = frozenset({"hls", "dash", "concat", "image2", "image2pipe"})
"""Container formats that point at other files: refused, a clip is one file."""
CLIP_SUFFIXES = (
    ".mp4",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".m4v",
    ".y4m",
    ".ts",
    ".mpg",
    ".mpeg",
    ".wmv",
    ".flv",
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".webp",
    ".gif",
    ".tif",
    ".tiff",
)
"""What folders are searched for; a file given by name is read whatever its suffix."""
_SMALL = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


class MediaError(DataError):
    """A file that is no readable clip; the message says why."""


@dataclass(frozen=True)
class DenseForm:
    """How every frame is read small for the motion extractor.

    Frames come as uint8, squeezed to `size` x `size` by the swscale `filter`: [T, 3, size, size] RGB for `rgb24`;
    [T, size * 3 // 2, size] planar 4:2:0 for `yuv420p` (half the memory, colour is converted on the device).
    """

    size: int
    filter: Literal["BICUBIC", "AREA"]
    pixels: Literal["rgb24", "yuv420p"]


DENSE_FORMS = {"upstream": DenseForm(384, "BICUBIC", "rgb24"), "lean": DenseForm(224, "AREA", "yuv420p")}
"""`upstream` equals the released weights' input; `lean` is the cheap form."""


@dataclass(frozen=True)
class Clip:
    """What one pass read: `keys` are [H, W, 3] uint8 RGB at full size, `dense` as its DenseForm says, or None."""

    keys: list[Pixels]
    key_indices: list[int]
    dense: Pixels | None
    frames: int
    fps: float


def read_clip(path: Path, dense: DenseForm | None = None, *, keys: bool = True) -> Clip:
    """Decode a clip once. Gives its key frames and, with `dense`, all frames small (not floored to a multiple of 4).

    Raises MediaError naming what is wrong with the file.
    """
    found: list[Pixels] = []
    indices: list[int] = []
    count = 0
    with _opened(path) as (container, stream):
        fps = float(_frame_rate(stream))
        step = key_frame_step(fps)
        small = _Growing(stream.frames or 256)
        to_rgb, to_small = VideoReformatter(), VideoReformatter()
        for frame in _frames(container, stream):
            turn = _quarter_turns(frame)
            if keys and count % step == 0:
                rgb = to_rgb.reformat(frame, format="rgb24", threads=1).to_ndarray()
                found.append(np.ascontiguousarray(np.rot90(rgb, turn)))
                indices.append(count)
            if dense:
                shrunk = to_small.reformat(
                    frame, dense.size, dense.size, dense.pixels, interpolation=dense.filter, threads=1
                )
                small.append(_turned(shrunk, dense, turn))
            count += 1
    return Clip(found, indices, small.array() if dense else None, count, fps)


def rgb_of(frame: VideoFrame) -> Pixels:
    """Convert a decoded frame to [H, W, 3] uint8 RGB, not rotated."""
    return frame.reformat(format="rgb24", threads=1).to_ndarray().astype(np.uint8, copy=False)


def decoded_frames(path: Path) -> Iterator[tuple[VideoFrame, int, bool]]:
    """Decode a clip: each frame as stored, its quarter turns counter-clockwise as displayed, and whether it is a still.

    Raises MediaError.
    """
    with _opened(path) as (container, stream):
        still = _is_still(container)
        for frame in _frames(container, stream):
            yield frame, _quarter_turns(frame), still


def rgb_frames(path: Path) -> Iterator[Pixels]:
    """Decode a clip and give its frames one by one as [H, W, 3] uint8 RGB, as displayed. Raises MediaError."""
    for frame, turns, _ in decoded_frames(path):
        yield np.ascontiguousarray(np.rot90(rgb_of(frame), turns))


def small_lumas(path: Path, size: int, per_second: float) -> Iterator[tuple[float, Pixels]]:
    """Decode a clip and give (seconds since its first frame, luma squeezed to [size, size] uint8), as displayed.

    Of a clip with more than `per_second` frames a second only that many are given, spread evenly. Raises MediaError.
    """
    with _opened(path) as (container, stream):
        seconds_per_frame = float(1 / _frame_rate(stream))
        first: int | None = None
        due, shrink = 0, VideoReformatter()
        for index, frame in enumerate(_frames(container, stream)):
            seconds = index * seconds_per_frame
            if frame.pts is not None and stream.time_base is not None:
                first = frame.pts if first is None else first
                seconds = float((frame.pts - first) * stream.time_base)
            if seconds * per_second + 1e-6 < due:
                continue
            due = int(seconds * per_second + 1e-6) + 1
            luma = shrink.reformat(frame, size, size, "gray", interpolation=_SMALL, threads=1).to_ndarray()
            yield seconds, np.rot90(luma.astype(np.uint8, copy=False), _quarter_turns(frame))


class _Growing:
    """An array that frames are written into as they come: no list of frames beside it, so half the peak memory."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._rows: Pixels | None = None
        self._used = 0

    def append(self, row: Pixels) -> None:
        if self._rows is None:
            self._rows = np.empty((self._expected, *row.shape), np.uint8)
        elif self._used == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty((len(self._rows) // 2 + 1, *row.shape), np.uint8)])
        self._rows[self._used] = row
        self._used += 1

    def array(self) -> Pixels:
        if self._rows is None:
            raise MediaError("no frame decodes")
        return self._rows[: self._used]


def inspect(path: Path, relative: str) -> Media:
    """Decode a whole file and say what it is. `relative` becomes the path of the Media.

    Raises MediaError for a file that is empty, no video or picture, audio only, truncated, or undecodable.
    """
    packets: list[int] = []
    times: list[int] = []
    _refuse_cut_picture(path)
    count, width, height, pixel_format, turn = 0, 0, 0, "", 0
    sha256 = _sha256(path)
    with _opened(path) as (container, stream):
        for frame in _frames(container, stream, packets):
            if count == 0:
                width, height, pixel_format = frame.width, frame.height, frame.format.name
                turn = _quarter_turns(frame)
            elif (frame.width, frame.height) != (width, height):
                raise MediaError(f"the picture size changes at frame {count}: cut or re-encode the clip")
            if frame.pts is not None:
                times.append(frame.pts)
            count += 1
        if count == 0:
            raise MediaError("no frame decodes")
        if len(packets) < stream.frames:
            raise MediaError(f"truncated: the header promises {stream.frames} frames, {len(packets)} are there")
        rate = _frame_rate(stream)
        varies = _varies(times)
        # Where frames last differently, the clip lasts from its first to its last frame, and that for one frame more.
        seconds = (
            (max(times) - min(times)) * stream.time_base + 1 / rate if varies and stream.time_base else count / rate
        )
        if stream.frames == 0 and container.duration and not _is_still(container):
            slack = Fraction(1) if container.streams.audio else 3 / rate
            _refuse_early_end(times, stream, Fraction(container.duration, av.time_base), rate, slack)
        still = _is_still(container)
        return Media(
            path=relative,
            sha256=sha256,
            bytes=path.stat().st_size,
            kind="image" if still else "video",
            width=height if turn % 2 else width,
            height=width if turn % 2 else height,
            fps=1.0 if still else float(rate),
            frames=count,
            duration=1.0 if still else float(seconds),
            codec=stream.codec_context.name,
            pixel_format=pixel_format,
            rotation=(-turn % 4) * 90,
            variable_frame_rate=varies,
        )


@dataclass(frozen=True)
class Header:
    """What a file says of itself before any frame is decoded; `width` and `height` are pixels as stored, unrotated."""

    codec: str
    width: int
    height: int


def read_header(path: Path) -> Header:
    """Read codec and size off a file without decoding it. Raises MediaError for what is no video or picture."""
    with _opened(path) as (_, stream):
        return Header(stream.codec_context.name, stream.codec_context.width, stream.codec_context.height)


def inspect_item(item: dict[str, str]) -> dict[str, object]:
    """Run `inspect` as work for the engine: {path, relative} to a Media as plain values."""
    media: dict[str, object] = msgspec.to_builtins(inspect(Path(item["path"]), item["relative"]))
    return media


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(f"the file cannot be read ({error.strerror})") from None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file by content, never by name: `file:` keeps `-`, `:` and `%d` in a name from meaning anything."""
    try:
        if path.stat().st_size == 0:
            raise MediaError("the file is empty")
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file", "pattern_type": "none"})
    except av.FFmpegError as error:
        raise MediaError(f"no readable video or picture ({error.strerror})") from None
    except OSError as error:
        raise MediaError(f"the file cannot be read ({error.strerror})") from None
    with container:
        if PLAYLISTS & set(container.format.name.split(",")) and not _is_still(container):
            raise MediaError(f"a {container.format.name} playlist points at other files: give the clip itself")
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise MediaError("there is no video stream in it" + (" (audio only)" if container.streams.audio else ""))
        streams[0].thread_type = "NONE"
        streams[0].codec_context.thread_count = 1
        yield container, streams[0]


def _frames(container: InputContainer, stream: VideoStream, sizes: list[int] | None = None) -> Iterator[VideoFrame]:
    """Decode; `sizes` collects the packet sizes, so that a caller can hold their count to what the header promises."""
    try:
        for packet in container.demux(stream):
            if sizes is not None and packet.size:
                sizes.append(packet.size)
            yield from packet.decode()
    except av.FFmpegError as error:
        raise MediaError(f"decoding fails ({error.strerror})") from None


def _is_still(container: InputContainer) -> bool:
    return container.format.name.endswith("_pipe") or container.format.name == "image2"


def _frame_rate(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    if not rate or rate <= 0:
        raise MediaError("the file states no frame rate")
    return rate


def _refuse_cut_picture(path: Path) -> None:
    """FFmpeg paints the missing part of a JPEG grey and ends a GIF early, both without a word: look for the end.

    A JPEG may hold more behind its end marker (cameras put videos there), never one between scan and marker.
    """
    try:
        with path.open("rb") as file:
            if (head := file.read(4))[:3] != b"\xff\xd8\xff" and head != b"GIF8":
                return
            data = head + file.read()
    except OSError as error:
        raise MediaError(f"the file cannot be read ({error.strerror})") from None
    whole = data.rstrip(b"\0").endswith(b";") if head == b"GIF8" else b"\xff\xd9" in data[data.find(b"\xff\xda") :]
    if not whole:
        raise MediaError("truncated: the picture has no end")


def _refuse_early_end(
    times: list[int], stream: VideoStream, promised: Fraction, rate: Fraction, slack: Fraction
) -> None:
    """Matroska and the like promise no frame count, but a duration; audio may outlast the picture by a little."""
    if not times or stream.time_base is None:
        return
    there = (max(times) - min(times)) * stream.time_base + 1 / rate
    if promised - there > max(slack, promised / 10):
        raise MediaError(f"truncated: the header promises {float(promised):.2f} s, {float(there):.2f} s are there")


def _varies(times: list[int]) -> bool:
    """Say whether frame times step unevenly by more than the rounding of a time base."""
    steps = np.diff(np.sort(np.asarray(times, dtype=np.int64)))
    return bool(steps.size and steps.max() - steps.min() > max(1, steps.min() // 2))


def _quarter_turns(frame: VideoFrame) -> int:
    """Give the counter-clockwise quarter turns that display asks for. Raises MediaError for odd angles."""
    if frame.rotation % 90:
        raise MediaError(f"rotated by {frame.rotation} degrees: only quarter turns can be read")
    return frame.rotation // 90 % 4


def _turned(frame: VideoFrame, form: DenseForm, turn: int) -> Pixels:
    small: Pixels = frame.to_ndarray().astype(np.uint8, copy=False)
    if form.pixels == "rgb24":
        return np.ascontiguousarray(np.rot90(small, turn).transpose(2, 0, 1))
    if not turn:
        return small
    size, half = form.size, form.size // 2
    luma, chroma = small[:size], small[size:].reshape(2, half, half)
    turned = [np.rot90(luma, turn).reshape(-1), *(np.rot90(plane, turn).reshape(-1) for plane in chroma)]
    return np.concatenate(turned).reshape(size * 3 // 2, size)
