"""Inspecting a clip: the whole file is decoded to say what it is, and what is cut or unreadable is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dataset_builder.video.opening import (
    AbsentError,
    MediaError,
    frame_rate,
    frames_of,
    is_still,
    opened,
    quarter_turns,
    refusal,
)
from schemas.record import Media


def inspect(path: Path, relative: str, look: Callable[[VideoFrame, Fraction], None] | None = None) -> Media:
    """Decode a whole file and say what it is. `relative` becomes the path of the Media.

    `look` is given each frame as it is stored, and the frames per second that the file states. Raises MediaError for a
    file that is empty, no video or picture, audio only, truncated, undecodable, or damaged so that the decoder has to
    guess what frames look like.
    """
    packets: list[int] = []
    times: list[int] = []
    damaged: list[int] = []
    _refuse_cut_picture(path)
    count, width, height, pixel_format, turn = 0, 0, 0, "", 0
    sha256 = _sha256(path)
    with opened(path) as (container, stream):
        for frame in frames_of(container, stream, packets):
            if count == 0:
                width, height, pixel_format = frame.width, frame.height, frame.format.name
                turn = quarter_turns(frame)
            elif (frame.width, frame.height) != (width, height):
                raise MediaError(f"the picture size changes at frame {count}: cut or re-encode the clip")
            if frame.pts is not None:
                times.append(frame.pts)
            if frame.is_corrupt:
                damaged.append(count)
            if look:
                look(frame, Fraction(1) if is_still(container) else frame_rate(stream))
            count += 1
        if count == 0:
            raise MediaError("no frame decodes")
        _refuse_fewer(len(packets), stream)
        if damaged:
            raise MediaError(
                f"damaged: {len(damaged)} of {count} frames do not decode whole, the first is {damaged[0]}"
            )
        rate = frame_rate(stream)
        varies = _varies(times)
        # Where frames last differently, the clip lasts from its first to its last frame, and that for one frame more.
        seconds = (
            (max(times) - min(times)) * stream.time_base + 1 / rate if varies and stream.time_base else count / rate
        )
        if stream.frames == 0 and container.duration and not is_still(container):
            _refuse_short(times, container, stream)
        still = is_still(container)
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


def count_packets(path: Path) -> int:
    """Count the frames of a file by its packets, without decoding any.

    Raises MediaError for what is no video or picture, and for a file that ends before its header says that it does.
    """
    _refuse_cut_picture(path)
    times: list[int] = []
    count = 0
    with opened(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.size:
                    count += 1
                    if packet.pts is not None:
                        times.append(packet.pts)
        except av.FFmpegError as error:
            raise refusal(error, "reading it fails") from None
        _refuse_fewer(count, stream)
        if stream.frames == 0 and container.duration and not is_still(container):
            _refuse_short(times, container, stream)
    return count


@dataclass(frozen=True)
class Header:
    """What a file says of itself before any frame is decoded; `width` and `height` are pixels as stored, unrotated."""

    codec: str
    width: int
    height: int


def read_header(path: Path) -> Header:
    """Read codec and size off a file without decoding it. Raises MediaError for what is no video or picture."""
    with opened(path) as (_, stream):
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
        raise AbsentError(f"the file cannot be read ({error.strerror})") from None


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
        raise AbsentError(f"the file cannot be read ({error.strerror})") from None
    whole = data.rstrip(b"\0").endswith(b";") if head == b"GIF8" else b"\xff\xd9" in data[data.find(b"\xff\xda") :]
    if not whole:
        raise MediaError("truncated: the picture has no end")


def _refuse_fewer(count: int, stream: VideoStream) -> None:
    if count < stream.frames:
        raise MediaError(f"truncated: the header promises {stream.frames} frames, {count} are there")


def _refuse_short(times: list[int], container: InputContainer, stream: VideoStream) -> None:
    """Matroska and the like promise no frame count, but a duration; audio may outlast the picture by a little."""
    if not times or stream.time_base is None:
        return
    rate, promised = frame_rate(stream), Fraction(container.duration or 0, av.time_base)
    slack = Fraction(1) if container.streams.audio else 3 / rate
    there = (max(times) - min(times)) * stream.time_base + 1 / rate
    if promised - there > max(slack, promised / 10):
        raise MediaError(f"truncated: the header promises {float(promised):.2f} s, {float(there):.2f} s are there")


def _varies(times: list[int]) -> bool:
    """Say whether frame times step unevenly by more than the rounding of a time base."""
    steps = np.diff(np.sort(np.asarray(times, dtype=np.int64)))
    return bool(steps.size and steps.max() - steps.min() > max(1, steps.min() // 2))
