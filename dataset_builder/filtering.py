"""Frames through a filter of FFmpeg's libavfilter, and exposure by a table: what distortions and measures share."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from dataset_builder.video import Pixels, rgb_of

GAMMA = 2.2
"""The display gamma by which 8-bit values are taken to linear light and back."""
_TICK = Fraction(1, 25)


def filtered(frames: Iterable[Pixels], width: int, height: int, *filters: tuple[str, str]) -> Iterator[Pixels]:
    """Run [H, W, 3] uint8 RGB frames through filters, given as (name, arguments), that keep their number and size."""
    graph = Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("gbrp"), time_base=_TICK)
    chain = [source, *(graph.add(name, arguments) for name, arguments in filters), graph.add("format", "gbrp")]
    chain.append(graph.add("buffersink"))
    for one, other in itertools.pairwise(chain):
        one.link_to(other)
    graph.configure()
    for index, frame in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24").reformat(format="gbrp", threads=1)
        picture.pts, picture.time_base = index, _TICK
        source.push(picture)
        yield rgb_of(graph.vpull())


def exposed(frames: Iterable[Pixels], stops: float) -> Iterator[Pixels]:
    """Expose frames by `stops` more (negative: less): a gain of 2^stops in linear light, clipped, in 8 bits again."""
    linear = (np.arange(256) / 255.0) ** GAMMA
    table = np.rint(255 * np.clip(linear * 2.0**stops, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
    for frame in frames:
        yield table[frame]


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
