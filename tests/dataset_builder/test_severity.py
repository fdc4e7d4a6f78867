"""Severity means something: it moves a distortion's own probe by more than re-encoding does, on every real content."""

import itertools
from typing import Any

import numpy as np
import pytest

import dataset_builder.distortions
from dataset_builder.demo.contents import CONTENTS, Content, locate
from dataset_builder.distort import SEVERITIES, Shape, applied, distorted
from dataset_builder.encode import through_codec
from dataset_builder.frame import Frame, frames_of, frames_of_rgb
from dataset_builder.tones import LEAST_COLOUR, chroma_magnitude
from schemas.errors import DataError
from schemas.plugins import load_plugin, plugin_names

KINDS = plugin_names(dataset_builder.distortions)
RATE_FACTORS = (18, 20, 23)
"""Of the re-encodes of a distorted clip."""
TIMES_NOISE = 3
STILL_SIZE, STILL_FRAMES = 256, 4
MOVING_SIZE, MOVING_FRAMES = 128, 48
FPS = 25.0
PAN = 2
"""Pixels that the cut through a photograph moves each frame, there and back."""


def clean_clip(content: Content, *, moving: bool) -> list[Frame]:
    """Cut a square clip out of the middle of a content."""
    size, count = (MOVING_SIZE, MOVING_FRAMES) if moving else (STILL_SIZE, STILL_FRAMES)
    first = content.shots[0][0] if content.shots else 0
    frames = list(itertools.islice(frames_of(locate(content)), first, first + count))
    size = min(size, *(side // 2 * 2 for side in (frames[0].width, frames[0].height)))
    x, y = ((side - size) // 4 * 2 for side in (frames[0].width, frames[0].height))
    if not frames[0].is_rgb:
        return [frame.cropped(x, y, size, size) for frame in frames]
    pixels, room = frames[0].rgb(), max(1, (frames[0].width - size) // PAN)
    offsets = [x if not moving else PAN * abs((i + room) % (2 * room) - room) for i in range(count if moving else 1)]
    return list(frames_of_rgb(pixels[y : y + size, offset : offset + size] for offset in offsets))


def probed(kind: str, clean: list[Frame]) -> np.ndarray[Any, Any]:
    """Probe every severity after every re-encode: [severities, re-encodes]."""
    module = load_plugin(dataset_builder.distortions, kind)
    shape = Shape(clean[0].width, clean[0].height, FPS, len(clean))

    def measured(severity: int) -> list[float]:
        frames = list(distorted(iter(clean), shape, [applied(kind, severity)], seed=0, key="k"))
        encoded = (list(through_codec(frames, FPS, rate_factor, "veryfast")) for rate_factor in RATE_FACTORS)
        return [float(module.probe(again, clean)) for again in encoded]

    return np.array([measured(severity) for severity in SEVERITIES])


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_every_step_is_three_times_what_re_encoding_does(kind: str) -> None:
    moving = not load_plugin(dataset_builder.distortions, kind).STILLS
    refused, weak = [], {}
    for content in CONTENTS:
        clean = clean_clip(content, moving=moving)
        try:
            values = probed(kind, clean)
        except DataError:
            # Only a distortion of colour may refuse, and only what has none.
            assert chroma_magnitude(clean) < LEAST_COLOUR
            refused.append(content.name)
            continue
        noise = values.std(axis=1, ddof=1)
        steps = np.diff(values.mean(axis=1))
        if not (steps >= TIMES_NOISE * np.maximum(noise[1:], noise[:-1])).all() or not (steps > 0).all():
            weak[content.name] = (values.mean(axis=1), noise)
    assert not weak
    assert len(refused) == (7 if kind.endswith("saturation") else 0)
