"""What each spatial distortion does to real pictures is what its docstring says, and no other's."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from dataset_builder.demo.contents import CONTENTS, Content, locate
from dataset_builder.distort import SEVERITIES, Shape, applied, distorted
from dataset_builder.distortions import block_effect, motion_blur, overexposure
from dataset_builder.frame import BLACK, GREY, WHITE, Frame, frames_of, frames_of_rgb
from dataset_builder.tones import chroma_magnitude
from dataset_builder.video import Pixels
from schemas.errors import DataError

BLOCKIER, HIGHER = 1.15, 0.4
"""By what factor, and how many 8-bit steps, the borders of a block effect are higher than a compression artifact's."""


def apply(frames: list[Frame], kind: str, severity: int, seed: int = 0, fps: float = 25.0) -> list[Frame]:
    shape = Shape(frames[0].width, frames[0].height, fps, len(frames))
    return list(distorted(iter(frames), shape, [applied(kind, severity)], seed=seed, key="k"))


def cut(content: Content, count: int = 4, size: int = 256) -> list[Frame]:
    """Cut the middle out of the first frames of a content, as video."""
    first = content.shots[0][0] if content.shots else 0
    cuts = []
    for frame in itertools.islice(frames_of(locate(content)), first, first + count):
        side = min(size, frame.width // 2 * 2, frame.height // 2 * 2)
        part = frame.cropped((frame.width - side) // 4 * 2, (frame.height - side) // 4 * 2, side, side)
        cuts.append(next(frames_of_rgb([part.rgb()])) if part.is_rgb else part)
    return cuts


def luma(frames: list[Frame]) -> Pixels:
    return np.stack([frame.planes()[0] for frame in frames]).astype(int)


def chroma(frames: list[Frame]) -> Pixels:
    return np.stack([plane for frame in frames for plane in frame.planes()[1:]]).astype(int) - GREY


def flat(value: int, count: int = 1, size: int = 64) -> list[Frame]:
    return list(frames_of_rgb([np.full((size, size, 3), value, np.uint8)] * count))


@pytest.fixture(scope="module")
def flowers() -> list[Frame]:
    """A colourful picture."""
    return cut(next(content for content in CONTENTS if content.name == "flower"))


@pytest.fixture(scope="module")
def film(real_clips: dict[str, Path]) -> list[Frame]:
    taken = itertools.islice(frames_of(real_clips["bigbuckbunny"]), 30, 42)
    return [frame.cropped(400, 200, 256, 256) for frame in taken]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: content.name)
def test_a_block_effect_is_blockier_than_a_compression_artifact(content: Content) -> None:
    clean = cut(content)
    for severity in SEVERITIES:
        blocks, artifacts = (
            block_effect.border_height(apply(clean, kind, severity)) for kind in ("block_effect", "compression")
        )
        assert blocks > BLOCKIER * artifacts
        assert blocks > artifacts + HIGHER


def test_the_blocks_of_a_block_effect_lie_on_the_grid(film: list[Frame]) -> None:
    frames = apply(film, "block_effect", 5)
    moved = [frame.cropped(4, 4, 248, 248) for frame in frames]
    assert block_effect.blockiness(frames) > 1 > 0 > block_effect.blockiness(moved)


def test_exposure_is_a_gain_in_linear_light() -> None:
    (light,) = apply(list(frames_of_rgb([np.full((64, 64, 3), 100, np.uint8)], video=False)), "overexposure", 2)
    assert light.rgb()[0, 0].tolist() == [round(100 * 2 ** (1 / 2.2))] * 3  # one stop more
    ramp = list(frames_of_rgb([np.arange(256, dtype=np.uint8)[None, :, None].repeat(64, 0).repeat(3, 2)]))
    (under,) = apply(ramp, "underexposure", 2)
    wanted = (luma(ramp)[0] - BLACK) * 2 ** (-1.4 / 2.2)
    assert np.abs(luma([under])[0] - BLACK - wanted).max() <= 0.5


def test_overexposure_clips_more_and_more(flowers: list[Frame]) -> None:
    shares = [overexposure.clipped_share(apply(flowers, "overexposure", severity)) for severity in SEVERITIES]
    assert shares == sorted(shares)
    assert shares[-1] > shares[0] + 0.1
    (red,) = apply(list(frames_of_rgb([np.full((64, 64, 3), (200, 90, 40), np.uint8)])), "overexposure", 4)
    r, g, b = red.rgb()[0, 0].tolist()
    assert r > 250  # clipped by itself, so that the colour turns pale
    assert g > 175 > b > 75


def test_underexposure_through_planes_is_that_through_rgb(flowers: list[Frame]) -> None:
    pixels = [frame.rgb() for frame in flowers]
    planes = apply(flowers, "underexposure", 3)
    stills = [apply(list(frames_of_rgb([one], video=False)), "underexposure", 3)[0].rgb() for one in pixels]
    difference = np.abs(np.stack([frame.rgb() for frame in planes]).astype(int) - np.stack(stills))
    assert difference.mean() < 1


def test_contrast_turns_about_one_pivot(flowers: list[Frame]) -> None:
    for kind, gain in (("low_contrast", 0.41), ("high_contrast", 2.1)):
        before, after = luma(flowers), luma(apply(flowers, kind, 3))
        inside = (after > BLACK) & (after < WHITE)
        slope = np.polyfit(before[inside], after[inside], 1)[0]
        assert slope == pytest.approx(gain, rel=0.02)
    assert (chroma(apply(flowers, "high_contrast", 5)) == chroma(flowers)).all()
    # A frame that is brighter than the first is treated as the first is.
    bright = apply([*flat(100), *flat(120)], "high_contrast", 3)
    dim = [frame.planes()[0][0, 0] for frame in apply(flat(120), "high_contrast", 3)]
    assert bright[1].planes()[0][0, 0] > dim[0]


def test_saturation_leaves_luma_alone(flowers: list[Frame]) -> None:
    clean = chroma_magnitude(flowers)
    for kind, rises in (("oversaturation", True), ("desaturation", False)):
        for severity in SEVERITIES:
            frames = apply(flowers, kind, severity)
            assert (luma(frames) == luma(flowers)).all()
            assert (np.sign(chroma(frames)) * np.sign(chroma(flowers)) >= 0).all()
            assert (chroma_magnitude(frames) > clean) is rises
    assert chroma_magnitude(apply(flowers, "desaturation", 5)) < 0.06 * clean


@pytest.mark.parametrize("kind", ["oversaturation", "desaturation"])
def test_what_has_no_colour_is_refused(kind: str) -> None:
    with pytest.raises(DataError, match="the clip is grey"):
        apply(cut(next(content for content in CONTENTS if content.name == "camera")), kind, 3)


def test_noise_follows_the_camera_model() -> None:
    """Shot noise: in linear light variance rises with light; between dark and bright grey by what the model says."""
    for value in (60, 120, 200):
        frames = apply(flat(value, 8, 128), "noise", 1)
        light, well, read = (value / 255) ** 2.2, 400, 2
        spread = np.sqrt(light * well + read**2) / well
        # By the slope of the display's curve, in luma's range, as the mean of three channels by their weights.
        wanted = 219 * 0.6685 * spread / 2.2 * light ** (1 / 2.2 - 1)
        assert luma(frames).std() == pytest.approx(wanted, rel=0.06)


def test_noise_differs_from_frame_to_frame_and_between_channels() -> None:
    frames = apply(flat(120, 2, 128), "noise", 3)
    first, second = luma(frames)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(first[:, 1:].ravel(), first[:, :-1].ravel())[0, 1]) < 0.03
    assert chroma(frames).std() > 1


def test_noise_of_a_still_and_of_a_video_look_alike() -> None:
    grey = np.full((256, 256, 3), 110, np.uint8)
    still = apply(list(frames_of_rgb([grey], video=False)), "noise", 2)
    video = apply(list(frames_of_rgb([grey])), "noise", 2)
    assert luma(still).std() == pytest.approx(luma(video).std(), rel=0.05)
    spread = np.stack([plane[::2, ::2] for plane in still[0].planes()[1:]]).std()
    assert spread == pytest.approx(2 * chroma(video).std(), rel=0.08)


@pytest.mark.parametrize("seed", range(4))
def test_motion_blur_goes_one_way_and_blur_all_ways(seed: int, flowers: list[Frame]) -> None:
    wide, narrow = motion_blur.point_spread(apply(flowers, "motion_blur", 4, seed), flowers)
    travel = 0.09 * 256
    assert wide == pytest.approx(travel / np.sqrt(12), rel=0.1)
    assert wide > 4 * narrow
    wide, narrow = motion_blur.point_spread(apply(flowers, "blur", 4, seed), flowers)
    assert wide < 1.2 * narrow


def test_motion_blur_draws_its_direction(flowers: list[Frame]) -> None:
    directions = {luma(apply(flowers, "motion_blur", 4, seed)).tobytes() for seed in range(8)}
    assert len(directions) >= 4


def test_an_open_shutter_gathers_the_frames_within_it() -> None:
    clip = [flat(40 * index)[0] for index in range(6)]
    means = luma(apply(clip, "motion_blur", 5, fps=24.0)).mean(axis=(1, 2))  # 0.125 s: three frames
    own = luma(clip).mean(axis=(1, 2))
    wanted = [own[max(0, index - 2) : index + 1].mean() for index in range(6)]
    assert means == pytest.approx(wanted, abs=0.6)
    assert (luma(apply(clip, "motion_blur", 5, fps=4.0)) == luma(clip)).all()
    assert len(apply(flat(80, 300, 16), "motion_blur", 5, fps=2400.0)) == 300
