"""Block effect: visible borders of blocks on a fixed grid of 8 x 8 pixels.

A real encode in baseline JPEG (ITU-T T.81; as video, Motion JPEG), the oldest of the block coders: each frame by
itself, each block of 8 x 8 by itself, its DCT coefficients divided by `quantiser` / 8 times the table of MPEG-1, and no
loop filter. Where little more than the mean of a block is left, neighbours no longer meet.
What tells it from a compression artifact: there, an in-loop deblocking filter has smoothed the borders, and blur,
ringing, banding and lost texture are left; here there is no filter, and the grid itself is what is seen. At the same
severity `border_height` is larger here on every content (held by a test).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from dataset_builder.distort import Shape
from dataset_builder.frame import FULL, SUBSAMPLED, Frame

NAME = "block effect"
STILLS = True
STEPS = tuple({"quantiser": quantiser} for quantiser in (10, 20, 36, 52, 69))
GRID = 8
_EXACT = {"flags": "+bitexact", "idct": "simple"}
"""The transform in plain integers: libavcodec's fast ones differ between processors."""


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Pass every frame through the encoder by itself."""
    encoder, decoder = av.CodecContext.create("mjpeg", "w"), av.CodecContext.create("mjpeg", "r")
    reformat, quantiser = VideoReformatter(), str(int(step["quantiser"]))
    encoder.width, encoder.height, encoder.time_base = shape.width, shape.height, Fraction(1, 1000)
    encoder.thread_count = decoder.thread_count = 1
    # Without `strict`, JPEG takes full range only, and the way there and back would cost levels.
    encoder.options = {**_EXACT, "dct": "int", "strict": "unofficial", "qmin": quantiser, "qmax": quantiser}
    decoder.options = _EXACT
    for index, frame in enumerate(frames):
        if not encoder.is_open:
            encoder.pix_fmt = SUBSAMPLED if frame.subsampled else FULL
        # A picture of its own, for the encoder writes times into it.
        picture = frame.with_planes().picture(encoder.pix_fmt or "")
        picture.pts, picture.time_base = index, encoder.time_base
        for packet in encoder.encode(picture):
            for decoded in decoder.decode(packet):
                yield Frame(decoded, reformat, frame.colour)


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure how much blockier the frames have become, over one pixel and over three.

    The latter counts twice: the deblocking filter of a later encode smooths borders over fewer pixels.
    """
    return sum(weight * (blockiness(frames, over) - blockiness(clean, over)) for weight, over in ((1, 1), (2, 3)))


def border_height(frames: Sequence[Frame]) -> float:
    """Measure how high block borders are: the mean luma step across them, less that inside blocks, in 8-bit steps."""
    across, inside = _steps(frames, 1)
    return across - inside


def blockiness(frames: Sequence[Frame], over: int = 1) -> float:
    """Measure how far block borders stand out: log2 of the mean luma step across them over that inside blocks.

    Steps are taken `over` an odd number of pixels. After the generalised block-edge impairment metric (Wu and Yuen,
    IEEE Signal Processing Letters 1997), without its weights.
    """
    across, inside = _steps(frames, over)
    return float(np.log2(across / inside))


def _steps(frames: Sequence[Frame], over: int) -> tuple[float, float]:
    """Measure mean luma steps, both ways, centred on the borders and on the middles of blocks."""
    across, inside = 0.0, 0.0
    for frame in frames:
        luma = frame.planes()[0].astype(np.int16)
        for plane in (luma, luma.T):
            steps = np.abs(plane[:, over:] - plane[:, :-over]).mean(axis=0)
            border = GRID - (over + 1) // 2
            across += float(steps[border::GRID].mean()) / 2
            inside += float(steps[(border + GRID // 2) % GRID :: GRID].mean()) / 2
    return across / len(frames), inside / len(frames)
