"""Compression artifact: a real H.264 encode (x264, preset medium) at a high rate factor, decoded again.

The rate factor (CRF, ITU-T H.264 quantisation around that step) rises by 5 a severity, about half the bit rate each.
What tells it from a block effect: the codec's in-loop deblocking filter (H.264, 8.7) is on, so that borders of blocks
are smoothed, and what is left is blur, ringing, banding and lost texture, spread over frames by motion compensation. At
the same severity `block_effect.border_height` is smaller here on every content (held by a test).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.encode import through_codec
from dataset_builder.frame import Frame

NAME = "compression artifact"
STILLS = True
LOOK_AHEAD = 15
"""Frames that the encoder weighs at once: fewer than the preset's 40 hold less in memory."""
STEPS = tuple({"crf": crf, "look_ahead": LOOK_AHEAD} for crf in (30, 35, 40, 45, 50))


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Pass all frames through the encoder."""
    return through_codec(frames, shape.fps, int(step["crf"]), more=f"rc-lookahead={int(step['look_ahead'])}")


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the coding error: root mean square of the luma difference."""
    pairs = zip(frames, clean, strict=True)
    square = [np.mean((a.planes()[0].astype(float) - b.planes()[0]) ** 2) for a, b in pairs]
    return float(np.sqrt(np.mean(square)))
