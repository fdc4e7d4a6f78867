"""Exposure by a table, and a measure of FFmpeg's libavfilter: what distortions and measures share."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from dataset_builder.frame import Frame
from dataset_builder.video import Pixels

GAMMA = 2.2
"""The display gamma by which 8-bit values are taken to linear light and back."""
_TICK = Fraction(1, 25)


def exposed(frame: Frame, stops: float) -> Frame:
    """Expose a frame by `stops` more (negative: less): a gain of 2^stops in linear light, clipped, in 8 bits again."""
    linear = (np.arange(256) / 255.0) ** GAMMA
    table = np.rint(255 * np.clip(linear * 2.0**stops, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
    return frame.with_rgb(looked_up(frame.rgb(), table))


def looked_up(pixels: Pixels, table: Pixels) -> Pixels:
    """Replace every value of a uint8 array by its entry in a table of 256; the fastest way there is in Python."""
    mapped = pixels.tobytes().translate(table.tobytes())
    return np.frombuffer(mapped, np.uint8).reshape(pixels.shape)


def ssim(references: Iterable[Pixels], frames: Iterable[Pixels], width: int, height: int) -> list[float]:
    """Measure the luma SSIM of each frame to its reference (libavfilter's `ssim`; Wang et al., 2004)."""
    graph = Graph()
    sources = [
        graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=_TICK) for _ in range(2)
    ]
    measure, sink = graph.add("ssim"), graph.add("buffersink")
    for pad, source in enumerate(sources):
        grey = graph.add("format", "gray")
        source.link_to(grey)
        grey.link_to(measure, 0, pad)
    measure.link_to(sink)
    graph.configure()
    values = []
    for index, pair in enumerate(zip(references, frames, strict=True)):
        for source, pixels in zip(sources, pair, strict=True):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            picture.pts, picture.time_base = index, _TICK
            source.push(picture)
        values.append(float(graph.vpull().metadata["lavfi.ssim.Y"]))
    return values
