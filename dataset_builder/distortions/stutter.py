"""Stuttering: the picture freezes while time goes on, then jumps to where it should be (frames dropped by a player).

The number of frames is kept: a frozen frame stands for each one that is dropped.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.frame import Frame

NAME = "stuttering"
STILLS = False
STEPS = tuple(
    {"events": events, "frozen_share": share}
    for events, share in ((1, 0.12), (1, 0.25), (2, 0.36), (2, 0.5), (3, 0.66))
)
"""How many events, and the share of the frames that are frozen over all of them."""


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Freeze one stretch in each of as many equal parts of the clip as there are events."""
    events = min(int(step["events"]), max(1, shape.frames // 3))
    part = shape.frames / events
    length = max(1, round(step["frozen_share"] * part))
    frozen: set[int] = set()
    for event in range(events):
        first, last = int(event * part) + 1, int((event + 1) * part) - length
        start = int(rng.integers(first, max(first, last) + 1))
        frozen.update(range(start, start + length))
    held: Frame | None = None
    for index, frame in enumerate(frames):
        if held is None or index not in frozen:
            held = frame
        yield held


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the share of frames that are the frame before again."""
    lumas = [frame.planes()[0] for frame in frames]
    same = [np.abs(a.astype(np.int16) - b).mean() < 0.1 for a, b in itertools.pairwise(lumas)]
    return float(np.mean(same)) if same else 0.0
