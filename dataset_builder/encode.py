"""Writing frames: near-lossless H.264 and PNG whose bytes depend on the frames alone.

One encoder thread, no CPU-dependent code paths in x264, exact rounding in swscale, no times or versions from the muxer.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from dataset_builder.frame import Frame, frames_of_rgb
from dataset_builder.video import Pixels
from schemas.errors import DataError

CARRIER_CRF = 4
"""x264 rate factor of written clips: at least 45 dB luma PSNR to the frames (held by a test)."""
CARRIER_PRESET = "veryfast"
X264 = "cpu-independent=1:threads=1:lookahead-threads=1"
"""Settings by which x264 writes the same bytes on every CPU."""
CARRIER = {"codec": "libx264", "crf": str(CARRIER_CRF), "preset": CARRIER_PRESET, "x264-params": X264}
"""How every clip is written that is made here, as its record tells."""


def encode_frames(
    frames: Iterable[Frame], fps: float, file: Path | BinaryIO, *, crf: int = CARRIER_CRF, preset: str = CARRIER_PRESET
) -> None:
    """Encode frames as H.264 in MP4; sizes stay as they are. Raises ValueError without frames."""
    target = str(file) if isinstance(file, Path) else file
    rate = exact_rate(fps)
    # A header before the pictures needs a second pass over the file, which a buffer in memory does not allow.
    options = {"fflags": "+bitexact", **({"movflags": "+faststart"} if isinstance(file, Path) else {})}
    with av.open(target, "w", format="mp4", options=options) as container:
        stream = None
        for index, frame in enumerate(frames):
            if stream is None:
                stream = container.add_stream("libx264", rate=rate)
                _set_up(stream.codec_context, frame, {"crf": str(crf), "preset": preset, "x264-params": X264})
            container.mux(stream.encode(_stamped(frame, stream.codec_context.pix_fmt or "", index, rate)))
        if stream is None:
            raise ValueError("a clip needs at least one frame")
        container.mux(stream.encode())


def encode_video(
    frames: Iterable[Pixels], fps: float, file: Path | BinaryIO, *, crf: int = CARRIER_CRF, preset: str = CARRIER_PRESET
) -> None:
    """Encode [H, W, 3] uint8 RGB frames as H.264 in MP4.

    Even sizes become 4:2:0, odd ones 4:4:4, so that the picture keeps its size. Raises ValueError without frames.
    """
    encode_frames(frames_of_rgb(frames), fps, file, crf=crf, preset=preset)


def encode_picture(frame: Pixels, path: Path) -> None:
    """Write one [H, W, 3] uint8 RGB frame as PNG."""
    height, width, _ = frame.shape
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = width, height, "rgb24", Fraction(1)
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
    packets = [*codec.encode(picture), *codec.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))


def through_codec(
    frames: Iterable[Frame], fps: float, crf: int, preset: str = "medium", more: str = ""
) -> Iterator[Frame]:
    """Pass frames through a lossy H.264 encode at `crf` and give what decodes, as many frames of the same size.

    `more` are further x264 parameters. Only the frames that the encoder looks ahead at are held in memory.
    """
    settings = {"crf": str(crf), "preset": preset, "x264-params": ":".join(filter(None, (X264, more)))}
    return _through(frames, fps, settings)


class RateError(DataError):
    """A bitrate at which pictures cannot be encoded, not even at their worst."""


def at_bitrate(
    frames: Iterable[Frame],
    again: Iterable[Frame],
    fps: float,
    kbps: float,
    *,
    preset: str = "veryfast",
    spent: Callable[[int], None] | None = None,
) -> Iterator[Frame]:
    """Pass frames through an H.264 encode at `kbps` kbit/s and give what decodes, as many frames of the same size.

    Two passes: `again` are the same frames as `frames`, which are not held in memory. From half a second on the mean
    rate ends within 25 % of what is asked (measured on real clips), if the frames have that much to tell. `spent` is
    told the bytes of each packet, without what is no picture. Raises RateError for a rate that is too low.
    """
    settings = {"b": str(max(1, round(kbps * 1000))), "preset": preset, "x264-params": X264}
    with tempfile.TemporaryDirectory() as folder:
        settings["stats"] = str(Path(folder) / "stats")
        looked = _look(frames, fps, {**settings, "flags": "+pass1+global_header"})
        if not looked:
            return
        try:
            yield from _through(again, fps, {**settings, "flags": "+pass2+global_header"}, spent)
        except av.error.ExternalError:
            width, height = looked
            raise RateError(f"{kbps:g} kbit/s are too few for pictures of {width} x {height} pixels") from None


def _look(frames: Iterable[Frame], fps: float, settings: dict[str, str]) -> tuple[int, int] | None:
    """Make the first pass: the encoder writes its statistics when it is closed. Gives the pictures' size, if any."""
    encoder, rate = None, exact_rate(fps)
    for index, frame in enumerate(frames):
        if encoder is None:
            encoder = _encoder(frame, rate, settings)
        encoder.encode(_stamped(frame, encoder.pix_fmt or "", index, rate))
    if encoder is None:
        return None
    encoder.encode(None)
    return encoder.width, encoder.height


def _through(
    frames: Iterable[Frame], fps: float, settings: dict[str, str], spent: Callable[[int], None] | None = None
) -> Iterator[Frame]:
    encoder, decoder = None, av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    rate, reformat = exact_rate(fps), VideoReformatter()
    first: Frame | None = None

    def decoded(packet: Packet[VideoStream] | None) -> Iterator[Frame]:
        if spent and packet is not None:
            spent(_picture_bytes(packet))
        for picture in decoder.decode(packet):
            assert first is not None
            yield _seen(picture, first, reformat)

    for index, frame in enumerate(frames):
        if encoder is None:
            first, encoder = frame, _encoder(frame, rate, settings)
            encoder.open()
            if encoder.extradata:
                decoder.extradata = encoder.extradata
        for packet in encoder.encode(_stamped(frame, encoder.pix_fmt or "", index, rate)):
            yield from decoded(packet)
    if encoder is None:
        return
    for last in (*encoder.encode(None), None):
        yield from decoded(last)


def _encoder(first: Frame, rate: Fraction, settings: dict[str, str]) -> VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.time_base, encoder.framerate = 1 / rate, rate
    _set_up(encoder, first, settings)
    return encoder


def named_by_bytes(out: Path, suffix: str, write: Callable[[Path], None]) -> dict[str, str]:
    """Let `write` write a file, and put it whole to `out/ab/<sha256><suffix>`: gives {path below `out`, sha256}."""
    out.mkdir(parents=True, exist_ok=True)
    partial = out / f".{os.getpid()}.{socket.gethostname()}.partial"  # the folder may be shared between hosts
    try:
        write(partial)
        with partial.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        path = out / sha256[:2] / f"{sha256}{suffix}"
        path.parent.mkdir(exist_ok=True)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return {"path": path.relative_to(out).as_posix(), "sha256": sha256}


def _picture_bytes(packet: Packet[VideoStream]) -> int:
    """Count the bytes of a packet but for the SEI message (H.264 NAL unit type 6) that the first one starts with."""
    data = bytes(packet)
    start = data.find(b"\0\0\1")
    return len(data) - (data.find(b"\0\0\1", start + 3) if data[start + 3] & 31 == 6 else 0)


def _seen(picture: av.VideoFrame, like: Frame, reformat: VideoReformatter) -> Frame:
    """Give a decoded picture in the form of the frames that went in."""
    frame = Frame(picture, reformat, like.colour)
    return frame.with_rgb(frame.rgb()) if like.is_rgb else frame


def _set_up(codec: VideoCodecContext, first: Frame, settings: dict[str, str]) -> None:
    codec.width, codec.height = first.width, first.height
    codec.pix_fmt = first.video_format
    codec.thread_count = 1
    codec.options = settings
    if first.colour:
        codec.color_primaries, codec.color_trc, codec.colorspace = first.colour


def _stamped(frame: Frame, pixel_format: str, index: int, rate: Fraction) -> av.VideoFrame:
    """Give the picture of a frame its time; the encoder alone chooses what kind of picture it makes of it."""
    picture = frame.picture(pixel_format)
    picture.pts, picture.time_base = index, 1 / rate
    picture.pict_type = PictureType.NONE
    return picture


def exact_rate(fps: float) -> Fraction:
    """Give a frame rate as the fraction that it stands for: 29.97003 is 30000/1001."""
    return Fraction(fps).limit_denominator(1001)
