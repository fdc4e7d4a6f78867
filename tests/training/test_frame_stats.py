import numpy as np

from training.models.frame_stats import FRAME_STATISTICS, STATISTICS, frame_statistics

SIZE = 64


def planar(luma: np.ndarray) -> np.ndarray:
    return np.concatenate([luma, np.full((len(luma), SIZE // 2, SIZE), 128)], axis=1).clip(0, 255).astype(np.uint8)


def pan(frames: int = 8, step: int = 2) -> np.ndarray:
    wide = np.kron(np.random.default_rng(0).integers(0, 255, (16, 40)), np.ones((4, 4)))
    return np.stack([wide[:, step * t : step * t + SIZE] for t in range(frames)])


def measured(luma: np.ndarray, name: str) -> np.ndarray:
    return frame_statistics(planar(luma), SIZE)[:, FRAME_STATISTICS.index(name)]


def test_shape_and_repeatability() -> None:
    first = frame_statistics(planar(pan()), SIZE)
    assert first.shape == (8, len(STATISTICS))
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, frame_statistics(planar(pan()), SIZE))


def test_a_pan_is_aligned_away() -> None:
    assert measured(pan(), "residual").max() < measured(pan(), "difference").min() - 1
    assert measured(pan(step=4), "shift").mean() > measured(pan(step=2), "shift").mean()


def test_each_fault_is_seen_by_its_statistic() -> None:
    clean = pan()
    noisy = clean + np.random.default_rng(1).normal(0, 12, clean.shape)
    assert measured(noisy, "fine_residual").min() > measured(clean, "fine_residual").max()
    flicker = clean * np.where(np.arange(8) % 2, 0.8, 1)[:, None, None]
    assert measured(flicker, "brightness_change").min() > measured(clean, "brightness_change").max()
    frozen = clean[[0, 1, 1, 1, 4, 5, 6, 7]]
    assert measured(frozen, "frozen")[[2, 3]].min() > measured(clean, "frozen").max()


def test_a_still_grey_clip_gives_numbers() -> None:
    assert np.isfinite(frame_statistics(planar(np.full((4, SIZE, SIZE), 128.0)), SIZE)).all()
