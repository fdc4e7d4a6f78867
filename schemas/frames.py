"""Which frames of a clip are fed to the model: upstream's rules, in one place for texts, reader and trainer."""

from __future__ import annotations

MOTION_STRIDE = 4
"""Motion frames are floored to a multiple of this (upstream's SlowFast input rule)."""


def key_frame_step(fps: float) -> int:
    """Give the distance of key frames in frames: round(fps), at least 1 (one key frame a second)."""
    return max(1, round(fps))


def key_frame_indices(frames: int, fps: float) -> list[int]:
    """List the key frames of a clip: every round(fps)-th frame, from the first."""
    return list(range(0, frames, key_frame_step(fps)))


def key_frame_count(frames: int, fps: float) -> int:
    """Count the key frames of a clip: ceil(frames / round(fps))."""
    return max(0, -(-frames // key_frame_step(fps)))


def motion_frame_count(frames: int) -> int:
    """Count the frames that feed the motion extractor: floored to a multiple of 4; 0 = too short for motion."""
    return frames - frames % MOTION_STRIDE
