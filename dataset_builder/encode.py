"""Writing frames: near-lossless H.264 and PNG whose bytes depend on the frames alone.

One encoder thread, no CPU-dependent code paths in x264, exact rounding in swscale, no times or versions from the muxer.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from dataset_builder.video import Pixels, rgb_of

CARRIER_CRF = 4
"""x264 rate factor of written clips: at least 45 dB luma PSNR to the frames (held by a test)."""
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
"""swscale flags by which a conversion of pixel formats gives the same bits on every CPU."""


def encode_video(
    frames: Iterable[Pixels], fps: float, file: Path | BinaryIO, *, crf: int = CARRIER_CRF, preset: str = "veryfast"
) -> None:
    """Encode [H, W, 3] uint8 RGB frames as H.264 in MP4.

    Even sizes become 4:2:0, odd ones 4:4:4, so that the picture keeps its size. Raises ValueError without frames.
    """
    target = str(file) if isinstance(file, Path) else file
    rate = Fraction(fps).limit_denominator(1001)
    # A header before the pictures needs a second pass over the file, which a buffer in memory does not allow.
    options = {"fflags": "+bitexact", **({"movflags": "+faststart"} if isinstance(file, Path) else {})}
    with av.open(target, "w", format="mp4", options=options) as container:
        stream, convert = None, VideoReformatter()
        for index, pixels in enumerate(frames):
            if stream is None:
                height, width, _ = pixels.shape
                stream = container.add_stream("libx264", rate=rate)
                stream.width, stream.height = width, height
                stream.pix_fmt = "yuv420p" if width % 2 == 0 == height % 2 else "yuv444p"
                stream.codec_context.thread_count = 1
                stream.options = {
                    "crf": str(crf),
                    "preset": preset,
                    "x264-params": "cpu-independent=1:threads=1:lookahead-threads=1",
                }
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            frame = convert.reformat(picture, format=stream.pix_fmt, interpolation=EXACT, threads=1)
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        if stream is None:
            raise ValueError("a clip needs at least one frame")
        container.mux(stream.encode())


def encode_picture(frame: Pixels, path: Path) -> None:
    """Write one [H, W, 3] uint8 RGB frame as PNG."""
    height, width, _ = frame.shape
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = width, height, "rgb24", Fraction(1)
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
    packets = [*codec.encode(picture), *codec.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))


def through_codec(frames: Iterable[Pixels], fps: float, crf: int) -> Iterator[Pixels]:
    """Pass frames through a lossy H.264 encode at `crf` and give what decodes; only the packets are held in memory."""
    buffer = io.BytesIO()
    encode_video(frames, fps, buffer, crf=crf, preset="medium")
    buffer.seek(0)
    with av.open(buffer, "r") as container:
        container.streams.video[0].thread_type = "NONE"
        for frame in container.decode(video=0):
            yield rgb_of(frame)
