"""A leak passport: fingerprints of a benchmark's clips, by which others find those clips in their training data.

It holds no pixels, no scores and no paths but the clips' names, which may be left out, so it can be published.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

HASH: Literal["signs-1"] = "signs-1"
"""The version of the fingerprint: another number means that fingerprints cannot be compared."""
SAMPLE_BYTES = 32
"""Bytes of one sample: four big-endian words of 64 bits (picture + and -, movement + and -)."""


class HashParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What fingerprints were made with: samples a second, grid in pixels, frequencies, lag of movement in samples."""

    rate: int
    grid: int
    frequencies: int
    lag: int


class PassportClip(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One clip: its name (None = withheld), the sha256 of its bytes, its seconds (0 = a still), and its samples.

    `samples` holds SAMPLE_BYTES bytes for each quarter of a second, in base64.
    """

    name: str | None
    sha256: str
    seconds: float
    samples: bytes

    def __post_init__(self) -> None:
        """Refuse samples that are cut, none, and a time no clip lasts."""
        if not self.samples or len(self.samples) % SAMPLE_BYTES:
            raise ValueError(f"samples hold {len(self.samples)} bytes, not a multiple of {SAMPLE_BYTES}")
        if not math.isfinite(self.seconds) or self.seconds < 0:
            raise ValueError(f"a clip lasts 0 s or longer, got {self.seconds}")

    def __str__(self) -> str:
        """Name the clip for a person."""
        return self.name if self.name is not None else f"sha256 {self.sha256[:16]}"


class UnreadClip(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file of the benchmark that no fingerprint could be taken of, and why: it cannot be found."""

    name: str | None
    reason: str


class Passport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The passport of one benchmark."""

    schema_version: str
    name: str
    hash: Literal["signs-1"]
    parameters: HashParameters
    clips: list[PassportClip]
    unread: list[UnreadClip]
