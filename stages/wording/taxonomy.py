"""The taxonomy of distortions and the ladder of degrees: the only place where their words are written.

The eleven spatial distortions are the paper's (arXiv 2411.03795, stage 1). Its motion answers are "stuttering" and
"camera shake (flicker)", which are three words here; what they do not name has a word of ours (`TEMPORAL`).
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
TEMPORAL: dict[str, tuple[str, Literal["paper", "ours"]]] = {
    "stutter_freeze": ("stuttering", "paper"),
    "stutter_drop": ("stuttering", "paper"),
    "jerkiness": ("stuttering", "paper"),
    "camera_shake": ("camera shake", "paper"),
    "luma_flicker": ("flicker", "paper"),
    "white_balance_flicker": ("flicker", "paper"),
    "frame_rate_drop": ("low frame rate", "ours"),
    "quality_switch": ("quality switch", "ours"),
    "interlacing": ("interlacing", "ours"),
}
"""The answer to each temporal distortion of `dataset_builder.distortions`, and whose word it is."""
MOTION: tuple[str, ...] = tuple(dict.fromkeys(word for word, _ in TEMPORAL.values()))

SPOKEN: dict[str, tuple[str, ...]] = {
    "compression artifact": ("codec", "bitrate", "bit rate", "mosaic", "quality switch"),
    "spatial blur": ("soft", "focus", "sharp", "quality switch"),
    "motion blur": ("smear", "ghost"),
    "noise": ("noisy", "grain"),
    "overexposure": ("bright", "washed", "overexp", "clipp"),
    "underexposure": ("dark", "dim", "underexp"),
    "oversaturation": ("vivid", "color", "colour"),
    "desaturation": ("pale", "grey", "gray", "color", "colour"),
    "block effect": ("mosaic", "pixelat", "quality switch"),
    "stuttering": ("freez", "froze", "stall", "lag", "jerk", "jump", "chopp", "judder", "frame rate", "fps"),
    "camera shake": ("unstea", "unstab", "wobbl", "jitter"),
    "flicker": ("brightness", "white balance", "hue"),
    "low frame rate": ("stutter", "jerk", "chopp", "judder", "fps", "slideshow"),
    "quality switch": ("compression", "bitrate", "bit rate", "resolution", "stream"),
    "interlacing": ("interlac", "deinterlac", "comb", "field", "scan line", "torn", "tear"),
}
"""Other words by which a text may speak of a distortion, as beginnings of words."""

ALIKE: tuple[frozenset[str], ...] = (
    frozenset({"compression artifact", "block effect", "quality switch"}),
    frozenset({"compression artifact", "spatial blur"}),
    frozenset({"spatial blur", "motion blur"}),
    frozenset({"stuttering", "low frame rate"}),
    frozenset({"overexposure", "high contrast"}),
    frozenset({"underexposure", "low contrast"}),
    frozenset({"low contrast", "desaturation"}),
)
"""Distortions that look alike or come together: where one is named, nobody can say that the other is absent."""

COUNTED: dict[str, str] = {
    "compression artifact": "compression artifacts",
    "block effect": "block effects",
    "quality switch": "quality switches",
}
"""How those are spoken of in sentences that can be counted; the others are no plurals."""

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
