"""Camera shake: a hand-held camera whose picture wanders: a smooth random walk of shifts and small rotations.

Hand tremor and sway move a camera several times a second. Six times a second each of the two shifts and the angle goes
one step to either side, drawn at random, but never beyond two steps from the middle; between these knots runs a
Catmull-Rom spline. A slight zoom keeps the picture's edges out of sight, so that no border shows.

The planes are resampled by Pillow's bilinear affine map, whose arithmetic is in doubles: coefficients in 1/2^16 make
each of its products and sums exact, so that nothing depends on the processor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset_builder.distort import Shape
from dataset_builder.distortions._registration import displacements, visibility
from dataset_builder.frame import Frame
from dataset_builder.video import Pixels

NAME = "camera shake"
STILLS = False
STEPS = tuple(
    {"shift_share": shift, "radians": angle}
    for shift, angle in ((0.002, 0.0004), (0.005, 0.001), (0.0085, 0.0017), (0.0125, 0.0025), (0.0175, 0.0036))
)
"""One step of the walk: of the shifts, as a share of the picture's shorter side, and of the angle."""
KNOTS_PER_SECOND = 6
PROBE_FRAMES = 3
_ONE = 1 << 16
"""Steps of the walk and coefficients of the map are in 1/2^16."""
FARTHEST = 2
"""Steps from the middle; a Catmull-Rom spline through such a walk goes no farther."""


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Move and turn every frame."""
    short = min(shape.width, shape.height)
    shift, angle = round(step["shift_share"] * short * 256), round(step["radians"] * _ONE)
    # The shorter side loses most: what is shifted out of it, and what the ends of the longer side turn out of it.
    turned = angle / _ONE * max(shape.width, shape.height) / 2
    lost = 2 * (FARTHEST * (shift / 256 + turned) + 1) / short
    scale = round(_ONE * (1 - lost))
    for frame, (right, down, turn) in zip(frames, _walk(shape.fps, rng), strict=False):
        moved = [
            _moved(plane, scale, right * shift >> 8 + half, down * shift >> 8 + half, turn * angle >> 16)
            for plane, half in zip(frame.planes(), (0, *[int(frame.subsampled)] * 2), strict=True)
        ]
        yield frame.with_planes(*moved)


def _moved(plane: Pixels, scale: int, right: int, down: int, turn: int) -> Pixels:
    """Show a plane through a frame that is scaled by `scale`, turned and moved; all in 1/2^16."""
    height, width = plane.shape
    # Where the middle of the picture comes from; half of an odd number of 1/2^16 would not be exact.
    x = (_ONE * width - scale * width + turn * height) // 2 + right
    y = (_ONE * height - turn * width - scale * height) // 2 + down
    coefficients = tuple(value / _ONE for value in (scale, -turn, x, turn, scale, y))
    made = Image.fromarray(plane).transform(
        (width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    return np.asarray(made)


def _walk(fps: float, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Give shift to the right, shift down and angle at each frame, in 1/2^16 of a step."""
    each = max(1, round(fps / KNOTS_PER_SECOND))
    place = np.zeros(3, np.int64)
    knots = [place] * 3
    while True:
        side = 2 * rng.integers(0, 2, 3) - 1
        place = place + np.where(np.abs(place + side) > FARTHEST, -side, side)
        a, b, c, d = knots = [*knots[-3:], place]
        for at in range(each):
            t = _ONE * at // each
            bend = _ONE * (2 * a - 5 * b + 4 * c - d) + t * (3 * b - a - 3 * c + d)
            yield _ONE * b + (t * (_ONE * (c - a) + (t * bend >> 16)) >> 17)


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure motion that is not the clean clip's, as far as it is seen: RMS in PROBE_FRAMES, 1/1000 of the side."""
    places = 1000 * displacements(frames, clean) @ visibility(clean)
    steps = places[PROBE_FRAMES:] - places[:-PROBE_FRAMES]
    return float(np.sqrt(np.mean((steps**2).sum(axis=1)))) if len(steps) else 0.0
