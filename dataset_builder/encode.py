"""Writing frames: near-lossless H.264 and PNG whose bytes depend on the frames alone.

One encoder thread, no CPU-dependent code paths in x264, exact rounding in swscale, no times or versions from the muxer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from dataset_builder.frame import Frame, frames_of_rgb
from dataset_builder.video import Pixels

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
    rate = _rate(fps)
    # A header before the pictures needs a second pass over the file, which a buffer in memory does not allow.
    options = {"fflags": "+bitexact", **({"movflags": "+faststart"} if isinstance(file, Path) else {})}
    with av.open(target, "w", format="mp4", options=options) as container:
        stream = None
        for index, frame in enumerate(frames):
            if stream is None:
                stream = container.add_stream("libx264", rate=rate)
                _set_up(stream.codec_context, frame, crf, preset)
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
    encoder, decoder = None, av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    rate, reformat = _rate(fps), VideoReformatter()
    first: Frame | None = None
    for index, frame in enumerate(frames):
        if encoder is None or first is None:
            first = frame
            encoder = av.CodecContext.create("libx264", "w")
            encoder.time_base, encoder.framerate = 1 / rate, rate
            _set_up(encoder, frame, crf, preset, more)
        for packet in encoder.encode(_stamped(frame, encoder.pix_fmt or "", index, rate)):
            yield from (_seen(picture, first, reformat) for picture in decoder.decode(packet))
    if encoder is None or first is None:
        return
    for last in (*encoder.encode(None), None):
        yield from (_seen(picture, first, reformat) for picture in decoder.decode(last))


def _seen(picture: av.VideoFrame, like: Frame, reformat: VideoReformatter) -> Frame:
    """Give a decoded picture in the form of the frames that went in."""
    frame = Frame(picture, reformat, like.colour)
    return frame.with_rgb(frame.rgb()) if like.is_rgb else frame


def _set_up(codec: VideoCodecContext, first: Frame, crf: int, preset: str, more: str = "") -> None:
    codec.width, codec.height = first.width, first.height
    codec.pix_fmt = first.video_format
    codec.thread_count = 1
    codec.options = {"crf": str(crf), "preset": preset, "x264-params": ":".join(filter(None, (X264, more)))}
    if first.colour:
        codec.color_primaries, codec.color_trc, codec.colorspace = first.colour


def _stamped(frame: Frame, pixel_format: str, index: int, rate: Fraction) -> av.VideoFrame:
    """Give the picture of a frame its time; the encoder alone chooses what kind of picture it makes of it."""
    picture = frame.picture(pixel_format)
    picture.pts, picture.time_base = index, 1 / rate
    picture.pict_type = PictureType.NONE
    return picture


def _rate(fps: float) -> Fraction:
    return Fraction(fps).limit_denominator(1001)
