"""Stuttering: the picture freezes while time goes on, then jumps to where it should be (frames dropped by a player).

The number of frames is kept: a frozen frame stands for each one that is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.video import Pixels

NAME = "stuttering"
STILLS = False
EVENTS = (1, 1, 2, 2, 3)
FROZEN_SHARE = (0.12, 0.25, 0.36, 0.5, 0.66)
"""Share of the frames that are frozen, over all events."""


def apply(frames: Iterator[Pixels], shape: Shape, severity: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Freeze one stretch in each of as many equal parts of the clip as there are events."""
    events = min(EVENTS[severity - 1], max(1, shape.frames // 3))
    part = shape.frames / events
    length = max(1, round(FROZEN_SHARE[severity - 1] * part))
    frozen: set[int] = set()
    for event in range(events):
        first, last = int(event * part) + 1, int((event + 1) * part) - length
        start = int(rng.integers(first, max(first, last) + 1))
        frozen.update(range(start, start + length))
    held: Pixels | None = None
    for index, frame in enumerate(frames):
        if held is None or index not in frozen:
            held = frame
        yield held
