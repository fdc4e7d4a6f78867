"""Spatial blur: a Gaussian point spread, as of a lens out of focus.

The standard deviation grows with the picture (a share of its shorter side), so that a severity looks alike at any size.
Pillow approximates the Gaussian by extended box filters in integers (Gwosdek et al., SSVM 2011).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image, ImageFilter

from dataset_builder.distort import Shape
from dataset_builder.frame import Frame
from dataset_builder.video import Pixels

NAME = "spatial blur"
STILLS = True
STEPS = tuple({"sigma_share": share / 256} for share in (1, 1.8, 3, 5, 8))


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Blur every frame."""
    sigma = step["sigma_share"] * min(shape.width, shape.height)
    for frame in frames:
        if frame.is_rgb:
            yield frame.with_rgb(_blurred(frame.rgb(), sigma))
        else:
            half = 2 if frame.subsampled else 1
            y, u, v = frame.planes()
            yield frame.with_planes(_blurred(y, sigma), _blurred(u, sigma / half), _blurred(v, sigma / half))


def _blurred(plane: Pixels, sigma: float) -> Pixels:
    return np.asarray(Image.fromarray(plane).filter(ImageFilter.GaussianBlur(sigma)))


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the mean absolute luma gradient that is gone, as a share of what there was."""
    return 1 - _gradient(frames) / _gradient(clean)


def _gradient(frames: Sequence[Frame]) -> float:
    lumas = (frame.planes()[0].astype(np.int16) for frame in frames)
    return float(
        np.mean([np.abs(np.diff(luma, axis=1)).mean() + np.abs(np.diff(luma, axis=0)).mean() for luma in lumas])
    )
