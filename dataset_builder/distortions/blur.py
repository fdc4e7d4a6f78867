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
    """Measure the luma's gradient energy that is gone, as a share of what there was."""
    return 1 - _gradient_energy(frames) / _gradient_energy(clean)


def _gradient_energy(frames: Sequence[Frame]) -> float:
    """Take differences over two pixels: over one, a codec's error counts for more."""
    lumas = [frame.planes()[0].astype(np.int32) for frame in frames]
    return float(np.mean([np.mean((y[:, 2:] - y[:, :-2]) ** 2) + np.mean((y[2:] - y[:-2]) ** 2) for y in lumas]))
