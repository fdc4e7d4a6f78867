"""Random draws that depend on nothing but a seed and names, so that one changed input changes only its own samples."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def share(seed: int, *names: str) -> float:
    """Draw a number in [0, 1) from hash(seed, names)."""
    return _number(seed, names) / 2**64


def pick(options: Sequence[T], seed: int, *names: str) -> T:
    """Draw one of `options`. Raises ValueError if there are none."""
    if not options:
        raise ValueError("there is nothing to draw from")
    return options[_number(seed, names) % len(options)]


def shuffled(options: Sequence[T], seed: int, *names: str) -> list[T]:
    """Put `options` in an order drawn from hash(seed, names)."""
    ranked = sorted((_number(seed, (*names, str(index))), index) for index in range(len(options)))
    return [options[index] for _, index in ranked]


def _number(seed: int, names: Sequence[str]) -> int:
    key = "\0".join([str(seed), *names]).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big")
