"""Confidence intervals of counted shares."""

from __future__ import annotations

import math

NORMAL_975 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def wilson(hits: int, n: int, z: float = NORMAL_975) -> tuple[float, float]:
    """Give the ends of Wilson's interval of a share (95 % as it stands); (0, 1) where nothing was counted.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22(158), 1927.
    """
    if not n:
        return 0.0, 1.0
    middle = (hits + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)
