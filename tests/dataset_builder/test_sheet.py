"""The contact sheet of distortions, as a picture."""

from pathlib import Path

import numpy as np
from PIL import Image

from dataset_builder.sheet import CAPTION, MARGIN, TILE_WIDTH, contact_sheet
from tests.conftest import Cli


def tiles(sheet: Image.Image, row: int, height: int) -> list[np.ndarray]:
    pixels = np.asarray(sheet).astype(int)
    y = MARGIN + row * (height + MARGIN + CAPTION) + CAPTION
    lefts = [MARGIN + column * (TILE_WIDTH + MARGIN) for column in range(6)]
    return [pixels[y : y + height, x : x + TILE_WIDTH] for x in lefts]


def test_a_sheet_shows_every_severity_of_what_was_asked_for(real_clips: dict[str, Path]) -> None:
    sheet = contact_sheet(real_clips["carphone_pristine"], ["blur", "stutter_freeze"])
    height = round(144 * TILE_WIDTH / 176 / 2) * 2
    assert sheet.size == (6 * (TILE_WIDTH + MARGIN) + MARGIN, 2 * (height + MARGIN + CAPTION) + MARGIN)
    edges = [np.abs(np.diff(tile.mean(axis=2), axis=1)).mean() for tile in tiles(sheet, 0, height)]
    assert edges == sorted(edges, reverse=True)
    slices = [tile[:, TILE_WIDTH // 2 :].mean(axis=2) for tile in tiles(sheet, 1, height)]
    frozen = [int((np.abs(np.diff(over_time, axis=1)).max(axis=0) == 0).sum()) for over_time in slices]
    assert frozen[0] < frozen[3] < frozen[5]


def test_a_still_shows_what_stills_can_have(photograph: Path, vqa2: Cli, tmp_path: Path) -> None:
    done = vqa2("sheet", photograph, "--kind", "noise", "--kind", "stutter_freeze", "--out", tmp_path / "s.png")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.height < 2 * (128 + MARGIN + CAPTION)
    none = vqa2("sheet", photograph, "--kind", "stutter_freeze", "--out", tmp_path / "none.png")
    assert (none.returncode, (tmp_path / "none.png").exists()) == (2, False)
    assert "of one frame, which none of these can have: stutter_freeze" in none.stderr.replace("\n", " ")
    assert vqa2("sheet", photograph, "--kind", "blurr", "--out", tmp_path / "s.png").returncode == 2
