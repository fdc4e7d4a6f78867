"""Low contrast: R'G'B' squeezed towards the picture's middle, as haze, glare or a badly set black level leaves it.

RMS contrast (Peli, JOSA A 1990) is the spread of luma over its mean; the gain is the factor by which it falls. A veil
of light squeezes all channels alike, so chroma shrinks with luma, and colours are as strong as before against what is
around them; where chroma alone shrinks, that is desaturation. The middle is that of the first frame and holds for all,
so that nothing flickers, kept within mid-tones so that a fade from black does not set it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.frame import Frame
from dataset_builder.tones import contrasted

NAME = "low contrast"
STILLS = True
STEPS = tuple({"gain": gain} for gain in (0.75, 0.56, 0.41, 0.29, 0.19))


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Squeeze every frame."""
    return contrasted(frames, step["gain"], step["gain"])


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the share of the luma's spread (standard deviation) that is gone."""
    return 1 - _spread(frames) / _spread(clean)


def _spread(frames: Sequence[Frame]) -> float:
    return float(np.mean([frame.planes()[0].std() for frame in frames]))
