"""Stutter by drop: frames are lost and the picture jumps ahead; then single frames are shown twice until time is even.

A live player that has lost a stretch goes on with what it has, and then plays slower until its buffer is as full as
before (adaptive media playout: Kalman, Steinbach and Girod, IEEE Trans. CSVT 14(6), 2004). There is one event in each
three seconds. Nothing is ever shown after its time, no picture stands still for long, and the number of frames is kept:
each lost frame is made up for by a repeated one. A freeze that is followed by a jump is `stutter_freeze`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.distortions._playback import parts, played, shown
from dataset_builder.frame import Frame

NAME = "stuttering"
STILLS = False
STEPS = tuple(
    {"seconds": seconds, "least_frames": least}
    for seconds, least in ((0.12, 1), (0.25, 2), (0.45, 3), (0.7, 4), (1.0, 5))
)
"""How much is lost in each event."""


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Lose a stretch near the beginning of each part of the clip."""
    return played(frames, _order(shape, step, rng))


def _order(shape: Shape, step: Mapping[str, float], rng: np.random.Generator) -> Iterator[int]:
    length = max(round(step["seconds"] * shape.fps), int(step["least_frames"]))
    for first, after in parts(shape, length):
        lost = max(1, min(length, 2 * (after - first) // 3))
        start = first + min(int(rng.integers(1, max(2, (after - first) // 6))), after - first - lost - 1)
        yield from range(first, start)
        # What is left of the part fills its time: a repeated frame now and then.
        for index in range(after - start):
            yield start + lost + index * (after - start - lost) // (after - start)


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the share of the frames that were left out by jumps."""
    steps = np.diff(shown(frames, clean))
    return float(np.maximum(steps - 1, 0).sum() / len(clean))
