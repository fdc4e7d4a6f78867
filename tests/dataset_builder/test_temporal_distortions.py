"""What each temporal distortion does to a real clip: its definition, and in which direction it goes."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import dataset_builder.distortions
from dataset_builder.distort import SEVERITIES, Shape, applied, distorted
from dataset_builder.distortions import camera_shake, interlacing, jerkiness
from dataset_builder.distortions._playback import shown
from dataset_builder.distortions._registration import displacements
from dataset_builder.encode import through_codec
from dataset_builder.frame import Frame, frames_of, frames_of_rgb
from schemas.plugins import load_plugin, plugin_names
from stages.wording.taxonomy import MOTION, TEMPORAL, kind_of

FPS, SIDE, COUNT = 25.0, 160, 75
WINDOW = slice(25, 50)


@pytest.fixture(scope="module")
def clean(real_clips: dict[str, Path]) -> list[Frame]:
    """Three seconds of people on bicycles."""
    frames = itertools.islice(frames_of(real_clips["bikes"]), 137, 137 + COUNT)
    return [frame.cropped(200, 60, SIDE, SIDE) for frame in frames]


def made(frames: list[Frame], kind: str, severity: int, seed: int = 0, fps: float = FPS, **where: Any) -> list[Frame]:
    shape = Shape(frames[0].width, frames[0].height, fps, len(frames))
    return list(distorted(iter(frames), shape, [applied(kind, severity, **where)], seed=seed, key="k"))


def order(frames: list[Frame], clean: list[Frame]) -> list[int]:
    """Find by its bytes which clean frame each frame is; none may be new."""
    known = {frame.planes()[0].tobytes(): index for index, frame in enumerate(clean)}
    assert len(known) == len(clean)
    return [known[frame.planes()[0].tobytes()] for frame in frames]


def runs(numbers: list[int]) -> list[int]:
    return [len(list(same)) for _, same in itertools.groupby(numbers)]


def test_every_temporal_distortion_answers_with_the_word_of_the_table() -> None:
    modules = {
        kind: load_plugin(dataset_builder.distortions, kind) for kind in plugin_names(dataset_builder.distortions)
    }
    temporal = {kind: module.NAME for kind, module in modules.items() if kind_of(module.NAME) == "motion"}
    assert temporal == {kind: word for kind, (word, _) in TEMPORAL.items()}
    assert not any(modules[kind].STILLS for kind in temporal)
    assert {word for word, whose in TEMPORAL.values() if whose == "paper"} == {"stuttering", "camera shake", "flicker"}
    assert len(TEMPORAL) >= 8
    assert set(MOTION) == set(temporal.values())


@pytest.mark.parametrize("kind", TEMPORAL)
def test_a_window_is_as_long_as_before_and_in_time(kind: str, clean: list[Frame]) -> None:
    """All frames of a window are taken and given: what follows it is in its place."""
    for severity in (1, 5):
        frames = made(clean, kind, severity, start=1.0, end=2.0)
        assert len(frames) == COUNT
        same = [np.array_equal(a.planes()[0], b.planes()[0]) for a, b in zip(frames, clean, strict=True)]
        colours = [np.array_equal(a.planes()[2], b.planes()[2]) for a, b in zip(frames, clean, strict=True)]
        assert all(same[:25] + same[50:] + colours[:25] + colours[50:])
        assert not all(same[WINDOW] + colours[WINDOW])


@pytest.mark.parametrize("fps", [0.5, 240.0])
@pytest.mark.parametrize("kind", TEMPORAL)
def test_any_frame_rate_is_changed(kind: str, fps: float, clean: list[Frame]) -> None:
    short = [frame.cropped(0, 0, 64, 64) for frame in clean]
    frames = made(short, kind, 5, fps=fps)
    assert len(frames) == COUNT
    planes = [(a.planes(), b.planes()) for a, b in zip(frames, short, strict=True)]
    assert any(not np.array_equal(a, b) for mine, other in planes for a, b in zip(mine, other, strict=True))


def test_a_freeze_stands_still_and_then_jumps_to_its_time(clean: list[Frame]) -> None:
    for severity, frozen in zip(SEVERITIES, (3, 6, 11, 20, 32), strict=True):
        for seed in range(4):
            numbers = order(made(clean, "stutter_freeze", severity, seed), clean)
            held = max(runs(numbers))
            assert held == frozen + 1
            assert all(number <= index for index, number in enumerate(numbers))
            assert max(np.diff(numbers)) == held
            assert sorted(runs(numbers))[-2] == 1


def test_a_drop_jumps_ahead_and_never_stands_still(clean: list[Frame]) -> None:
    for severity, lost in zip(SEVERITIES, (3, 6, 11, 18, 25), strict=True):
        for seed in range(4):
            numbers = order(made(clean, "stutter_drop", severity, seed), clean)
            assert all(number >= index for index, number in enumerate(numbers))
            assert max(np.diff(numbers)) == lost + 1
            assert sorted(np.diff(numbers))[-2] == 1
            assert runs(numbers).count(2) == lost
            assert max(runs(numbers)) == 2
            assert numbers[-1] == COUNT - 1


def test_a_low_frame_rate_is_steady_and_jerkiness_is_not(clean: list[Frame]) -> None:
    for severity, each in zip(SEVERITIES, (2, 3, 5, 8, 14), strict=True):
        assert order(made(clean, "frame_rate_drop", severity), clean) == [i - i % each for i in range(COUNT)]
        numbers = order(made(clean, "jerkiness", severity), clean)
        assert all(number <= index for index, number in enumerate(numbers))
        mean = max(jerkiness.STEPS[severity - 1]["mean_seconds"] * FPS, jerkiness.STEPS[severity - 1]["least_frames"])
        # Two thirds of the mean's number of pictures at least, as the shortest may fall between two frames.
        assert COUNT / mean * 0.6 < len(runs(numbers)) <= COUNT / mean + 2
        assert np.std(runs(numbers)) > 0.3 * mean


def test_what_was_shown_is_found_again_after_a_lossy_encode(clean: list[Frame]) -> None:
    for kind in ("stutter_freeze", "stutter_drop", "frame_rate_drop", "jerkiness"):
        frames = made(clean, kind, 3)
        coded = list(through_codec(iter(frames), FPS, 26, "veryfast"))
        assert np.mean(shown(coded, clean) == order(frames, clean)) > 0.97, kind


def means(frames: list[Frame], plane: int) -> NDArray[np.float64]:
    return np.array([frame.planes()[plane].mean() for frame in frames])


def test_luma_flickers_about_the_clean_brightness_and_keeps_the_hue(clean: list[Frame]) -> None:
    frames = made(clean, "luma_flicker", 3)
    gained = means(frames, 0) - means(clean, 0)
    assert abs(gained.mean()) < 0.3 * gained.std()
    strongest = np.argmax(np.abs(np.fft.rfft(gained - gained.mean()))) * FPS / COUNT
    assert strongest == pytest.approx(6, abs=0.5)
    brightest, darkest = int(np.argmax(gained)), int(np.argmin(gained))
    for index, stops in ((brightest, 0.42), (darkest, -0.42)):
        one, other = frames[index].planes(), clean[index].planes()
        middle = (other[0] > 60) & (other[0] < 140)
        gain = (one[0][middle] - 16.0).sum() / (other[0][middle] - 16.0).sum()
        assert gain == pytest.approx(2 ** (stops / 2.2), rel=0.01)
        strong = np.abs(other[1].astype(int) - 128) > 8
        if strong.any():
            assert np.median((one[1][strong] - 128.0) / (other[1][strong] - 128.0)) == pytest.approx(gain, rel=0.05)


def test_white_balance_swings_red_against_blue_and_leaves_luma(clean: list[Frame]) -> None:
    grey = list(frames_of_rgb([np.full((32, 32, 3), 150, np.uint8)] * 40))
    frames = made(grey, "white_balance_flicker", 4)
    assert all(np.array_equal(a.planes()[0], b.planes()[0]) for a, b in zip(frames, grey, strict=True))
    red, blue = means(frames, 2) - 128, means(frames, 1) - 128
    assert np.corrcoef(red, blue)[0, 1] < -0.99
    warm = int(np.argmax(red))
    difference = (1.5748 * red[warm] - 1.8556 * blue[warm]) * 255 / 224
    # Grey of 150 under a gain of 2^0.65 of red and its inverse of blue, at equal luma.
    gain = 2 ** (0.65 / 2.2)
    luma = 0.2126 * gain + 0.7152 + 0.0722 / gain
    assert difference / 150 == pytest.approx((gain - 1 / gain) / luma, rel=0.06)
    assert abs(means(made(clean, "white_balance_flicker", 5), 0) - means(clean, 0)).max() == 0


def test_a_shaking_camera_moves_as_far_as_it_should_and_shows_no_edge(clean: list[Frame]) -> None:
    white = list(frames_of_rgb([np.full((90, 160, 3), 255, np.uint8)] * 40))
    for severity in (1, 3, 5):
        for frame in made(white, "camera_shake", severity):
            assert frame.planes()[0].min() == white[0].planes()[0].min()
        step = camera_shake.STEPS[severity - 1]["shift_share"]
        moved = displacements(made(clean, "camera_shake", severity), clean)
        moved -= moved.mean(axis=0)
        assert np.abs(moved).max() < 4.5 * step + 0.002
        knots = np.abs(np.diff(moved[:: round(FPS / camera_shake.KNOTS_PER_SECOND)], axis=0))
        assert np.median(knots) == pytest.approx(step, rel=0.35)
    rest = displacements(made(clean, "quality_switch", 2), clean)
    assert np.std(np.diff(rest, axis=0)) < 0.0005


def test_the_map_of_a_shaking_camera_is_integer_arithmetic() -> None:
    """The same as bilinear interpolation in Python's integers, rounded down."""
    rng = np.random.default_rng(0)
    plane = rng.integers(0, 256, (24, 40), dtype=np.uint8)
    one = 1 << 16
    scale, right, down, turn = 60_001, 12_345, -9_877, 301
    moved = camera_shake._moved(plane, scale, right, down, turn)
    x0, y0 = (one * 40 - scale * 40 + turn * 24) // 2 + right, (one * 24 - turn * 40 - scale * 24) // 2 + down
    for y, x in itertools.product(range(24), range(40)):
        # In 1/2^17: half a pixel is where a pixel's middle is.
        u = scale * (2 * x + 1) - turn * (2 * y + 1) + 2 * x0 - one
        v = turn * (2 * x + 1) + scale * (2 * y + 1) + 2 * y0 - one
        left, top, dx, dy = u >> 17, v >> 17, u & (2 * one - 1), v & (2 * one - 1)
        columns, rows = np.clip([left, left + 1], 0, 39), np.clip([top, top + 1], 0, 23)
        (a, b), (c, d) = ([int(plane[row, column]) for column in columns] for row in rows)
        above, below = (a << 17) + (b - a) * dx, (c << 17) + (d - c) * dx
        assert moved[y, x] == (above << 17) + (below - above) * dy >> 34


def test_a_quality_switch_lasts_half_the_clip_and_comes_back(clean: list[Frame]) -> None:
    for severity in (1, 5):
        frames = made(clean, "quality_switch", severity)
        changed = [not np.array_equal(a.planes()[0], b.planes()[0]) for a, b in zip(frames, clean, strict=True)]
        assert runs([int(change) for change in changed])[1] == COUNT // 2
        assert not changed[0]
        assert not changed[-1]


def test_interlacing_weaves_later_lines_in_every_plane(clean: list[Frame]) -> None:
    assert [step["frames"] for step in interlacing.STEPS[:2]] == [0.5, 1.0]
    woven, half = made(clean, "interlacing", 2), made(clean, "interlacing", 1)
    for index in (0, 30, COUNT - 2):
        for now, later, whole, part in zip(
            *(frame.planes() for frame in (clean[index], clean[index + 1], woven[index], half[index])), strict=True
        ):
            assert np.array_equal(whole[::2], now[::2])
            assert np.array_equal(whole[1::2], later[1::2])
            assert np.array_equal(part[::2], now[::2])
            mean = (now[1::2].astype(float) + later[1::2]) / 2
            assert np.abs(part[1::2] - mean).max() <= 0.5
    assert np.array_equal(woven[-1].planes()[0], clean[-1].planes()[0])
    assert interlacing.probe(woven, clean) == pytest.approx(1, abs=0.01)
