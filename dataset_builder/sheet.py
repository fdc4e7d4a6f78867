"""A contact sheet: every distortion at every severity of one clip, as one picture.

A distortion that stills can have is shown in the middle frame. One that takes time is shown in the left half of that
frame and in a slice beside it: the middle column of each frame, one after another from left to right, so that a freeze
is a stripe, a flicker a pattern and a shake a wave.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import dataset_builder.distortions
from dataset_builder.distort import SEVERITIES, Shape, applied, distorted
from dataset_builder.frame import Frame, frames_of, frames_of_rgb
from dataset_builder.video import MediaError, Pixels, inspect
from schemas.errors import CallError
from schemas.plugins import load_plugin, plugin_names

TILE_WIDTH = 192
SECONDS = 3.0
"""How much of the clip is distorted: enough for what happens over time."""
MARGIN, CAPTION = 4, 14


def contact_sheet(
    clip: Path,
    kinds: Sequence[str] = (),
    *,
    seed: int = 0,
    plugins: Sequence[Path] = (),
    track: Callable[[str, int], Callable[[], None]] = lambda _description, _total: lambda: None,
) -> Image.Image:
    """Draw one row a distortion: the clip as it is, then severities 1 to 5. A still shows the distortions of stills.

    Raises MediaError for what is no clip, CallError for an unknown kind.
    """
    media = inspect(clip, clip.name)
    frames = _small(clip, media.fps)
    known = plugin_names(dataset_builder.distortions, plugins)
    modules = {kind: load_plugin(dataset_builder.distortions, kind, plugins) for kind in kinds or known}
    usable = {kind: module for kind, module in modules.items() if module.STILLS or len(frames) > 1}
    if not usable:
        raise CallError(f"{clip.name}: of one frame, which none of these can have: {', '.join(modules)}")
    shape = Shape(frames[0].width, frames[0].height, media.fps, len(frames))
    advance = track("distorting", len(usable) * len(SEVERITIES))
    rows = []
    for kind, module in usable.items():
        tiles = [("clean", _tile(frames, still=module.STILLS))]
        for severity in SEVERITIES:
            wanted = applied(kind, severity, plugins=plugins)
            made = list(distorted(iter(frames), shape, [wanted], seed=seed, key="sheet", plugins=plugins))
            tiles.append((f"{severity}", _tile(made, still=module.STILLS)))
            advance()
        rows.append((f"{kind}: {module.NAME}", tiles))
    return _drawn(rows, frames[0].height)


def _small(clip: Path, fps: float) -> list[Frame]:
    """Read the beginning of a clip, shrunk to the width of a tile."""
    taken = itertools.islice(frames_of(clip), max(1, round(SECONDS * fps)))
    pictures = [Image.fromarray(frame.rgb()) for frame in taken]
    if not pictures:
        raise MediaError(f"{clip.name}: no frame decodes")
    height = max(16, round(pictures[0].height * TILE_WIDTH / pictures[0].width / 2) * 2)
    shrunk = (np.asarray(picture.resize((TILE_WIDTH, height), Image.Resampling.BOX)) for picture in pictures)
    return list(frames_of_rgb(shrunk, video=len(pictures) > 1))


def _tile(frames: Sequence[Frame], *, still: bool) -> Pixels:
    middle = frames[len(frames) // 2].rgb()
    if still:
        return middle
    half = TILE_WIDTH // 2
    columns = np.stack([frame.rgb()[:, half] for frame in frames], axis=1)
    slice_over_time = columns[:, np.arange(half) * len(frames) // half]
    return np.concatenate([middle[:, :half], slice_over_time], axis=1)


def _drawn(rows: Sequence[tuple[str, Sequence[tuple[str, Pixels]]]], height: int) -> Image.Image:
    step_x, step_y = TILE_WIDTH + MARGIN, height + MARGIN + CAPTION
    size = ((len(SEVERITIES) + 1) * step_x + MARGIN, len(rows) * step_y + MARGIN)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for row, (title, tiles) in enumerate(rows):
        for column, (name, pixels) in enumerate(tiles):
            x, y = MARGIN + column * step_x, MARGIN + row * step_y
            draw.text((x, y), f"{title}  {name}" if column == 0 else name, fill="black")
            sheet.paste(Image.fromarray(pixels), (x, y + CAPTION))
    return sheet
