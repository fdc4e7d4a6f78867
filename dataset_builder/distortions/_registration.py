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
    """Find by how much each frame is moved, right and down, as a share of the shorter side; [T, 2].

    Lucas-Kanade registration of the whole picture (Baker and Matthews, IJCV 56(3), 2004), first with angle and zoom,
    then with the zoom that all frames have in common. The shift is that of the middle of what there is to see.
    """
    pairs = [(_small(frame), _small(reference)) for frame, reference in zip(frames, clean, strict=True)]
    middle = np.mean([_middle(np.asarray(known, np.float64)) for _, known in pairs], axis=0)
    zoom = float(np.median(_fitted(pairs, np.zeros(4), middle, 4)[:, 3]))
    found = _fitted(pairs, np.array([0, 0, 0, zoom]), middle, 2)[:, :2]
    shares: Floats = found / min(pairs[0][1].size)
    return shares


def visibility(clean: Sequence[Frame]) -> Floats:
    """Say how well motion is seen each way: the root of the gradient's covariance, [2, 2], of unit mean square.

    Of vertical lines alone no vertical motion is seen, nor can it be measured.
    """
    covariance: Floats = np.zeros((2, 2))
    for frame in clean:
        by_y, by_x = (slope.ravel() for slope in np.gradient(np.asarray(_small(frame), np.float64)))
        slopes = np.stack([by_x, by_y])
        covariance += slopes @ slopes.T
    values, vectors = np.linalg.eigh(2 * covariance / max(np.trace(covariance), 1e-6))
    root: Floats = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    return root


def _fitted(pairs: Sequence[tuple[Image.Image, Image.Image]], fit: Floats, middle: Floats, free: int) -> Floats:
    """Fit the first `free` of shift right, shift down, angle and zoom, each frame from what fitted the one before."""
    found = []
    for seen, known in pairs:
        for _ in range(ROUNDS):
            fit = fit + _correction(seen, known, fit, middle, free)
        found.append(fit)
    return np.array(found)


def _middle(picture: Floats) -> Floats:
    """Find the centre of gravity, x and y, of the gradient's energy."""
    by_y, by_x = np.gradient(picture)
    energy = by_x**2 + by_y**2 + 1e-6
    rows, columns = np.indices(picture.shape)
    middle: Floats = np.array([(columns * energy).sum(), (rows * energy).sum()]) / energy.sum()
    return middle


def _small(frame: Frame) -> Image.Image:
    luma = Image.fromarray(frame.planes()[0])
    factor = SHORT_SIDE / min(luma.size)
    size = (max(1, round(luma.width * factor)), max(1, round(luma.height * factor)))
    return luma.resize(size, Image.Resampling.BOX if factor < 1 else Image.Resampling.BILINEAR).filter(
        ImageFilter.GaussianBlur(1.5)
    )


def _correction(seen: Image.Image, known: Image.Image, fit: Floats, middle: Floats, free: int) -> Floats:
    """Solve for the change of shift right, shift down, angle and zoom by which the clean picture fits better."""
    right, down, angle, zoom = fit
    x, y = middle
    a, b = 1 + zoom, angle
    inverse = (a, -b, x - a * x + b * y + right, b, a, y - b * x - a * y + down)
    warped = known.convert("F").transform(known.size, Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR)
    model, picture = (np.asarray(image, np.float64) for image in (warped, seen))
    inner = (slice(MARGIN, -MARGIN),) * 2
    by_y, by_x = (slope[inner] for slope in np.gradient(model))
    rows, columns = np.indices(model.shape, dtype=np.float64)
    dx, dy = (columns - x)[inner], (rows - y)[inner]
    ways = [by_x, by_y] if free == 2 else [by_x, by_y, by_y * dx - by_x * dy, by_x * dx + by_y * dy]
    slopes = np.stack([way.ravel() for way in ways])
    difference = (picture - model)[inner].ravel()
    solved: Floats = np.zeros(4)
    solved[:free] = np.linalg.lstsq(slopes @ slopes.T, slopes @ difference, rcond=None)[0]
    return solved
