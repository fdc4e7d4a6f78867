"""Quality switch: the quality falls in the middle of the clip and comes back, as when adaptive streaming runs short.

A player of a ladder of encodes (MPEG-DASH, ISO/IEC 23009-1) takes segments of a lower representation while throughput
is low: fewer pixels, coded more coarsely, and scaled up again for display. Half of the clip passes a real H.264 encode
(x264, preset veryfast, as live ladders do) at a share of its width and height; it begins between 1/8 and 3/8 of the
clip, at a picture of its own. All of a clip at one low quality is `compression`, or `blur`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from dataset_builder.distort import Shape
from dataset_builder.encode import through_codec
from dataset_builder.frame import EXACT, Frame

NAME = "quality switch"
STILLS = False
STEPS = tuple(
    {"crf": crf, "size_share": share} for crf, share in ((30, 1.0), (31, 0.7), (34, 0.5), (40, 0.3), (46, 1 / 8))
)
LEAST_SIDE = 16


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Pass a stretch through the encoder at a smaller size."""
    length = max(1, shape.frames // 2)
    earliest, latest = -(-shape.frames // 8), 3 * shape.frames // 8
    start = int(rng.integers(earliest, max(earliest, latest) + 1))
    yield from itertools.islice(frames, start)
    low = itertools.islice(frames, length)
    width, height = (_side(side, step["size_share"]) for side in (shape.width, shape.height))
    if (width, height) == (shape.width, shape.height):
        yield from through_codec(low, shape.fps, int(step["crf"]), "veryfast")
    else:
        scaler = VideoReformatter()
        small = (_scaled(frame, width, height, scaler) for frame in low)
        for frame in through_codec(small, shape.fps, int(step["crf"]), "veryfast"):
            yield _scaled(frame, shape.width, shape.height, scaler)
    yield from frames


def _side(side: int, share: float) -> int:
    """Give an even number of pixels, but never more than there are."""
    return side if share == 1 else min(side, max(LEAST_SIDE, 2 * round(side * share / 2)))


def _scaled(frame: Frame, width: int, height: int, scaler: VideoReformatter) -> Frame:
    picture = frame.picture(frame.video_format)
    return Frame(scaler.reformat(picture, width, height, interpolation=EXACT, threads=1), scaler, frame.colour)


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the error of the worse half of the frames beyond the better one's: luma, the coarser the heavier.

    The sum, over block means of 1, 2, 4, 8 and 16 pixels each way, of the block's side times the root mean square.
    """
    differences = [_luma(a) - _luma(b) for a, b in zip(frames, clean, strict=True)]
    total, half = 0.0, len(differences) // 2
    for side in (1, 2, 4, 8, 16):
        errors = sorted(float(np.mean(_means(difference, side) ** 2)) for difference in differences)
        total += side * float(np.sqrt(np.mean(errors[half:]) - np.mean(errors[:half] or [0])))
    return total


def _luma(frame: Frame) -> NDArray[np.float64]:
    return frame.planes()[0].astype(np.float64)


def _means(luma: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    starts = (np.arange(0, length - length % side, side) for length in luma.shape)
    rows, columns = starts
    sums = np.add.reduceat(np.add.reduceat(luma, rows, axis=0), columns, axis=1)
    means: NDArray[np.float64] = sums[: len(rows) - 1 or 1, : len(columns) - 1 or 1] / side**2
    return means
