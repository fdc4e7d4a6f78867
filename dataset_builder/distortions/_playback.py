"""Playback out of order: frames shown again or skipped, and a measure of which frame was shown when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dataset_builder.distort import Shape
from dataset_builder.frame import Frame

SECONDS_APART = 3.0
"""There is one event of stuttering in so many seconds."""
GRID = 32
"""Blocks each way, of whose means two frames are compared: coding errors average out, motion does not."""
CHANGE = 0.05
"""What it costs to leave the steady pace, in distances between neighbouring frames."""


def played(frames: Iterator[Frame], order: Iterable[int]) -> Iterator[Frame]:
    """Show the frames that `order` names, numbers that never fall; all frames are taken, one alone is held."""
    taken, held = -1, None
    for wanted in order:
        while held is None or taken < wanted:
            following = next(frames, None)
            if following is None:
                break
            taken, held = taken + 1, following
        if held is None:
            return
        yield held
    for _ in frames:
        pass


def shown(frames: Sequence[Frame], clean: Sequence[Frame]) -> NDArray[np.int64]:
    """Find which clean frame is shown at each time, shape [T]: the path that never falls and fits best.

    A temporal registration, as full-reference measures begin with (ITU-T J.247): the distance is the mean absolute
    difference of block means of luma, and a path pays for each step that is not to the next frame.
    """
    seen, known = (np.stack([_means(frame) for frame in given]) for given in (frames, clean))
    distances = np.stack([np.abs(known - means).mean(axis=1) for means in seen])
    steps = np.abs(np.diff(known, axis=0)).mean(axis=1)
    penalty = CHANGE * float(np.median(steps)) if len(steps) else 0.0
    cost = distances[0] + penalty * (np.arange(len(known)) > 0)
    came_from = []
    for distance in distances[1:]:
        lowest = np.minimum.accumulate(cost)
        where = np.maximum.accumulate(np.where(cost == lowest, np.arange(len(cost)), 0))
        steady = np.concatenate([[np.inf], cost[:-1]])
        keeps = steady <= lowest + penalty
        came_from.append(np.where(keeps, np.arange(len(cost)) - 1, where))
        cost = distance + np.where(keeps, steady, lowest + penalty)
    path = [int(np.argmin(cost))]
    for previous in reversed(came_from):
        path.append(int(previous[path[-1]]))
    return np.array(path[::-1])


def _means(frame: Frame) -> NDArray[np.float64]:
    luma = frame.planes()[0]
    rows, columns = (np.arange(GRID) * side // GRID for side in luma.shape)
    sums = np.add.reduceat(np.add.reduceat(luma.astype(np.float64), rows, axis=0), columns, axis=1)
    means: NDArray[np.float64] = sums.ravel() * GRID**2 / luma.size
    return means


def parts(shape: Shape, length: int) -> Iterator[tuple[int, int]]:
    """Cut a clip into equal parts for one event of `length` frames each: first frame, and the one after the last."""
    count = max(1, min(round(shape.frames / shape.fps / SECONDS_APART), shape.frames // (length + 3)))
    for index in range(count):
        yield index * shape.frames // count, (index + 1) * shape.frames // count
