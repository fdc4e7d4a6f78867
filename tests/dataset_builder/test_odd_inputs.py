"""Clips in unusual forms: depth, chroma, alpha, rates and sizes. Each is distorted right, or refused by name."""

from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from dataset_builder.distort import applied, distort_item
from dataset_builder.frame import frames_of
from dataset_builder.video import inspect
from schemas.errors import CallError
from schemas.record import Applied

WIDTH, HEIGHT, FRAMES = 96, 64, 12


def write(
    path: Path, pixel_format: str, *, size: tuple[int, int] = (WIDTH, HEIGHT), frames: int, fps: Fraction
) -> Path:
    """Write a moving gradient without loss."""
    width, height = size
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        for index in range(frames):
            pixels = np.stack([(2 * x + 5 * index) % 256, 255 - 3 * y, (x + y) % 256], axis=2).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = index, 1 / fps
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def distort(path: Path, out: Path, chain: list[Applied]) -> Path:
    media = msgspec.to_builtins(inspect(path, path.name))
    item = {"source": str(path), "media": media, "chain": msgspec.to_builtins(chain), "seed": 0}
    return out / str(distort_item({**item, "out_folder": str(out), "plugins": []})["path"])


@pytest.mark.parametrize(
    ("pixel_format", "size", "frames", "fps"),
    [
        ("yuv444p", (WIDTH, HEIGHT), FRAMES, Fraction(25)),
        ("yuv422p", (WIDTH, HEIGHT), FRAMES, Fraction(25)),
        ("yuv420p10le", (WIDTH, HEIGHT), FRAMES, Fraction(25)),
        ("yuv444p12le", (WIDTH, HEIGHT), FRAMES, Fraction(25)),
        ("yuva420p", (WIDTH, HEIGHT), FRAMES, Fraction(25)),
        ("gray", (WIDTH, HEIGHT), FRAMES, Fraction(25)),
        ("bgr0", (WIDTH, HEIGHT), FRAMES, Fraction(25)),
        ("yuv420p", (95, 63), FRAMES, Fraction(25)),
        ("yuv420p", (WIDTH, HEIGHT), 4, Fraction(1, 2)),
        ("yuv420p", (WIDTH, HEIGHT), 60, Fraction(240)),
        ("yuv420p", (WIDTH, HEIGHT), FRAMES, Fraction(30000, 1001)),
    ],
)
@pytest.mark.parametrize("kind", ["low_contrast", "stutter_freeze", "compression"])
def test_a_form_is_kept_where_it_can_be(
    tmp_path: Path, kind: str, pixel_format: str, size: tuple[int, int], frames: int, fps: Fraction
) -> None:
    source = write(tmp_path / "in.mkv", pixel_format, size=size, frames=frames, fps=fps)
    made = distort(source, tmp_path / "out", [applied(kind, 2)])
    before, after = inspect(source, "in"), inspect(made, "out")
    assert (after.width, after.height, after.frames) == (*size, frames)
    assert after.fps == pytest.approx(before.fps, rel=1e-3)
    assert after.pixel_format == ("yuv420p" if size[0] % 2 == 0 else "yuv444p")
    pairs = zip(frames_of(source), frames_of(made), strict=True)
    error = np.mean([np.abs(a.rgb().astype(int) - b.rgb()).mean() for a, b in pairs])
    assert 0.1 < error < 40


def test_a_still_with_alpha_keeps_what_is_seen(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.full((48, 64, 4), (200, 40, 90, 255), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    made = distort(tmp_path / "in.png", tmp_path / "out", [applied("underexposure", 1)])
    (seen,) = frames_of(made)
    assert (seen.rgb() < (200, 41, 91)).all()
    assert inspect(made, "x").kind == "image"


def test_one_frame_can_have_what_stills_have_only(tmp_path: Path) -> None:
    one = write(tmp_path / "in.mkv", "yuv420p", frames=1, fps=Fraction(25))
    assert inspect(distort(one, tmp_path / "out", [applied("blur", 3)]), "x").frames == 1
    with pytest.raises(CallError, match="stutter_freeze needs more than one frame"):
        distort(one, tmp_path / "out", [applied("stutter_freeze", 3)])
    with pytest.raises(CallError, match="lies outside the clip of 1 frames"):
        distort(one, tmp_path / "out", [applied("blur", 3, start=1, end=2)])
