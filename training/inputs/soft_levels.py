"""An optional second loss at the level word: its probabilities against the distribution of the opinion score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from schemas.levels import LEVELS, WEIGHTS
from schemas.sample import Target


@dataclass(frozen=True)
class SoftLevel:
    """Where in the labels a sample's level word stands, and how probable each level is, worst first."""

    position: int
    probabilities: Sequence[float]


def soft_level(target: Target | None, labels: Sequence[int], level_tokens: Sequence[int]) -> SoftLevel | None:
    """Find the level word of an answer; None where a sample has no score or its answer does not say the level."""
    if target is None:
        return None
    word = level_tokens[LEVELS.index(target.level)]
    return SoftLevel(labels.index(word), level_probabilities(target)) if word in labels else None


def level_probabilities(target: Target) -> list[float]:
    """Give the probability of each level, worst first.

    Where the single ratings' spread is known it is that of a rating (`Target.distribution`). Else the score is shared
    between the two levels whose weights it lies between, so that the weighted sum is the score again.
    """
    if target.distribution is not None:
        return target.distribution
    place = target.mos * (len(WEIGHTS) - 1)  # the weights are evenly spaced
    below = min(math.floor(place), len(WEIGHTS) - 2)
    shared = [0.0] * len(WEIGHTS)
    shared[below], shared[below + 1] = 1 - (place - below), place - below
    return shared


def divergence(logits: Tensor, kept: Tensor, rows: Tensor, wanted: Tensor, level_tokens: Sequence[int]) -> Tensor:
    """Sum KL(wanted || softmax over the level tokens) in nats over level words, a scalar.

    `logits` [B, L', V] were computed at the positions `kept` [L'] of the whole sequence; `rows` [M, 2] says in which
    row and at which label each level word stands, `wanted` [M, 5] what its levels should be. A label is predicted one
    position before it.
    """
    columns = torch.searchsorted(kept, rows[:, 1] - 1)
    told = logits[rows[:, 0], columns][:, list(level_tokens)].float().log_softmax(-1)
    return torch.nn.functional.kl_div(told, wanted.to(told.dtype), reduction="sum")
