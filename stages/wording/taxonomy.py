"""The taxonomy of distortions and the ladder of degrees: the only place where their words are written.

The eleven spatial distortions are the paper's (arXiv 2411.03795, stage 1). Its motion answers are "stuttering" and
"camera shake (flicker)"; `flicker` as an answer of its own is our extension.
"""

from __future__ import annotations

from typing import Literal

SPATIAL: tuple[str, ...] = (
    "compression artifact",
    "spatial blur",
    "motion blur",
    "noise",
    "overexposure",
    "underexposure",
    "low contrast",
    "high contrast",
    "oversaturation",
    "desaturation",
    "block effect",
)
MOTION: tuple[str, ...] = ("stuttering", "camera shake", "flicker")

SPOKEN: dict[str, tuple[str, ...]] = {
    "compression artifact": ("codec", "bitrate", "bit rate", "mosaic"),
    "spatial blur": ("soft", "focus", "sharp"),
    "motion blur": ("smear", "ghost"),
    "noise": ("noisy", "grain"),
    "overexposure": ("bright", "washed", "overexp", "clipp"),
    "underexposure": ("dark", "dim", "underexp"),
    "oversaturation": ("vivid", "color", "colour"),
    "desaturation": ("pale", "grey", "gray", "color", "colour"),
    "block effect": ("mosaic", "pixelat"),
    "stuttering": ("freez", "froze", "stall", "lag", "jerk", "jump"),
    "camera shake": ("unstea", "unstab", "wobbl", "jitter"),
    "flicker": ("brightness",),
}
"""Other words by which a text may speak of a distortion, as beginnings of words."""

DEGREES: tuple[str, ...] = ("slight", "moderate", "noticeable", "severe")
"""How strong an attribute is, weakest first."""


def kind_of(distortion: str) -> Literal["spatial", "motion"] | None:
    """Say whether a distortion is seen in single frames (`spatial`) or over time (`motion`); None if unknown."""
    if distortion in SPATIAL:
        return "spatial"
    return "motion" if distortion in MOTION else None


def degree_of_severity(severity: int) -> str:
    """Give the degree word of a ground-truth severity: 1 slight, 2 moderate, 3 noticeable, 4 and 5 severe."""
    if not 1 <= severity <= 5:
        raise ValueError(f"severity runs from 1 to 5, got {severity}")
    return DEGREES[min(severity, 4) - 1]
