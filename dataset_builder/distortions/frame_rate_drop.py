"""Low frame rate: every n-th picture alone is shown, each for n frames.

"Constant frame skipping" in the terms of ITU-T J.247: the effective frame rate is lower than the clip's, and steady.
The steps are what remains at usual rates: 15, 10, 7.5, 5 and 3 pictures a second; at rates so low that this would
change little or nothing, each picture stands for 2, 3, 4, 6 and 8 frames at least.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.distortions._playback import played, shown
from dataset_builder.frame import Frame

NAME = "low frame rate"
STILLS = False
STEPS = tuple(
    {"pictures_per_second": rate, "least_frames": least} for rate, least in ((15, 2), (8, 3), (5, 4), (3, 6), (1.8, 8))
)


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Show every n-th picture for n frames."""
    each = max(round(shape.fps / step["pictures_per_second"]), int(step["least_frames"]))
    return played(frames, (index - index % each for index in range(shape.frames)))


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the share of the pictures that are never shown."""
    return 1 - len(np.unique(shown(frames, clean))) / len(clean)
