"""Jerkiness: pictures are shown for irregular times, as by a machine too busy to decode in time.

"Variable frame skipping" in the terms of ITU-T J.247: the effective frame rate is lower than the clip's, and changes
all the time. Of three pictures one is held for each of 1/4, 1 and 7/4 of the mean time, in random order.
What comes too late is left out: nothing is ever shown before its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.distortions._playback import played, shown
from dataset_builder.frame import Frame

NAME = "stuttering"
STILLS = False
STEPS = tuple(
    {"mean_seconds": seconds, "least_frames": least}
    for seconds, least in ((0.07, 1.4), (0.11, 1.9), (0.15, 2.6), (0.2, 3.5), (0.28, 4.7))
)
"""How long a picture is shown for, on average."""
QUARTERS = (1, 4, 7)
"""How long the pictures of a round are shown for, in quarters of the mean."""


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Hold each picture for its time."""
    quarter = round(256 * max(step["mean_seconds"] * shape.fps, step["least_frames"]))
    return played(frames, _order(shape.frames, quarter, rng))


def _order(count: int, quarter: int, rng: np.random.Generator) -> Iterator[int]:
    """Give the number of the picture at each time; `quarter` of the mean is in 1/1024 of a frame."""
    index, until = 0, 0
    while True:
        for place in rng.permutation(len(QUARTERS)):
            until += QUARTERS[place] * quarter
            # A picture that is over before the next frame is never seen.
            shown_from = index
            while index << 10 < until:
                if index == count:
                    return
                yield shown_from
                index += 1


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure how many frames a picture that a viewer sees has been shown for already, on average."""
    return float(np.mean(np.arange(len(frames)) - shown(frames, clean)))
