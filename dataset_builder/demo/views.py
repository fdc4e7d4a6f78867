"""Clean clips cut from real contents: pans over photographs, and parts of films."""

from __future__ import annotations

import functools
import itertools
import math

import av
import numpy as np
from av.video.reformatter import Interpolation

from dataset_builder.demo.contents import Content, locate
from dataset_builder.video import Pixels, rgb_frames
from schemas.draws import share

SIZE = 128
"""Width and height of the demo's clips in pixels."""
VIEWS = ("a", "b")
"""Two views of each content, another part of the photograph or another shot of the film, in one content group."""
TRIES = 6
"""Of so many drawn pans over a picture the one is taken that shows the most detail: not the empty sky."""
FILM_STEP = 3
"""Every third frame of a film is taken: 25 frames a second become about 8."""
SHORT_SIDE = 256
_EXACT_AREA = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


def clean_frames(content: Content, view: str, count: int, seed: int) -> list[Pixels]:
    """Cut `count` clean frames, [SIZE, SIZE, 3] uint8 RGB, from a view of a content."""
    pictures = read_pictures(content, view)
    if content.kind == "film":
        there_and_back = pictures + pictures[-2:0:-1]  # a shot that is too short is played back: nothing jumps
        chosen = [there_and_back[i % len(there_and_back)] for i in range(count)]
    else:
        chosen = pictures * count
    height, width, _ = chosen[0].shape
    pans = [_pan(content, view, (seed, number), (height - SIZE, width - SIZE), count) for number in range(TRIES)]
    corners = max(pans, key=lambda pan: _detail(chosen, pan))
    return [frame[y : y + SIZE, x : x + SIZE] for frame, (y, x) in zip(chosen, corners, strict=True)]


@functools.lru_cache(maxsize=1)
def read_pictures(content: Content, view: str) -> list[Pixels]:
    """Read the frames of a film's shot, or the one of a photograph, with a shorter side of SHORT_SIDE at most."""
    first, length = content.shots[VIEWS.index(view)] if content.shots else (0, 1)
    frames = itertools.islice(rgb_frames(locate(content)), first, first + length, FILM_STEP)
    return [_shrunk(frame) for frame in frames]


def _shrunk(frame: Pixels) -> Pixels:
    """Shrink a large picture: what was taken is sharp again, free of its own compression, and its scene in view."""
    height, width, _ = frame.shape
    factor = SHORT_SIDE / min(height, width)
    if factor >= 1:
        return frame
    picture = av.VideoFrame.from_ndarray(frame, "rgb24")
    small = picture.reformat(round(width * factor), round(height * factor), interpolation=_EXACT_AREA, threads=1)
    return small.to_ndarray().astype(np.uint8, copy=False)


def _pan(
    content: Content, view: str, draw: tuple[int, int], room: tuple[int, int], count: int
) -> list[tuple[int, int]]:
    """Draw the top left corners of a pan, whole pixels, so that no frame is interpolated; `room` is how far they reach.

    A pan over a photograph is steady; in a film the corner rests, since its pictures move by themselves. View a starts
    in the first half of the longer side, view b in the second.
    """
    (seed, number), (down, right) = draw, room
    top, left, speed, angle = (
        share(seed, content.name, view, str(number), what) for what in ("top", "left", "speed", "angle")
    )
    if down > right:
        top = (top + VIEWS.index(view)) / len(VIEWS)
    else:
        left = (left + VIEWS.index(view)) / len(VIEWS)
    pixels = 0.0 if content.kind == "film" else 1 + 5 * speed
    dy, dx = pixels * math.sin(2 * math.pi * angle), pixels * math.cos(2 * math.pi * angle)
    return [
        (_bounce(round(top * down + i * dy), down), _bounce(round(left * right + i * dx), right)) for i in range(count)
    ]


def _bounce(at: int, last: int) -> int:
    """Keep a pan inside the picture by turning it back at the edges."""
    if last == 0:
        return 0
    at %= 2 * last
    return min(at, 2 * last - at)


def _detail(pictures: list[Pixels], corners: list[tuple[int, int]]) -> int:
    """Measure how much there is to see in the emptier one of the first and the last frame: steps between pixels."""
    ends = (pictures[i][y : y + SIZE, x : x + SIZE, 1].astype(np.int16) for i in (0, -1) for y, x in [corners[i]])
    return min(int(np.abs(np.diff(end, axis=1)).sum(dtype=np.int64)) for end in ends)
