"""How far each frame is moved against its clean one: a measure of shaking cameras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dataset_builder.frame import Frame

SHORT_SIDE = 72
"""Frames are compared at this size: coding errors average out, and a shift by a share of the picture is small."""
ROUNDS = 5
MARGIN = 6

Floats = NDArray[np.float64]


def displacements(frames: Sequence[Frame], clean: Sequence[Frame]) -> Floats:
    """Find by how much the middle of each frame is moved, right and down, as a share of the shorter side; [T, 2].

    Lucas-Kanade registration of the whole picture (Baker and Matthews, IJCV 56(3), 2004) with shift, angle and zoom,
    which starts from what fitted the frame before.
    """
    fit: Floats = np.zeros(4)
    found = []
    for frame, reference in zip(frames, clean, strict=True):
        seen, known = _small(frame), _small(reference)
        for _ in range(ROUNDS):
            fit = fit + _correction(seen, known, fit)
        found.append(fit[:2] / min(known.size))
    return np.array(found)


def _small(frame: Frame) -> Image.Image:
    luma = Image.fromarray(frame.planes()[0])
    factor = SHORT_SIDE / min(luma.size)
    size = (max(1, round(luma.width * factor)), max(1, round(luma.height * factor)))
    return luma.resize(size, Image.Resampling.BOX if factor < 1 else Image.Resampling.BILINEAR).filter(
        ImageFilter.GaussianBlur(1.5)
    )


def _correction(seen: Image.Image, known: Image.Image, fit: Floats) -> Floats:
    """Solve for the change of shift right, shift down, angle and zoom by which the clean picture fits better."""
    right, down, angle, zoom = fit
    x, y = known.width / 2, known.height / 2
    a, b = 1 + zoom, angle
    inverse = (a, -b, x - a * x + b * y + right, b, a, y - b * x - a * y + down)
    warped = known.convert("F").transform(known.size, Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR)
    model, picture = (np.asarray(image, np.float64) for image in (warped, seen))
    inner = (slice(MARGIN, -MARGIN),) * 2
    by_y, by_x = (slope[inner] for slope in np.gradient(model))
    rows, columns = np.indices(model.shape, dtype=np.float64)
    dx, dy = (columns - x)[inner], (rows - y)[inner]
    slopes = np.stack([by_x, by_y, by_y * dx - by_x * dy, by_x * dx + by_y * dy], axis=-1).reshape(-1, 4)
    difference = (picture - model)[inner].ravel()
    solved: Floats = np.linalg.lstsq(slopes, difference, rcond=None)[0]
    return solved
