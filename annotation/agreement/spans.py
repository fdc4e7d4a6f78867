"""How alike time spans are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

Span = tuple[float, float]


def iou(one: Span, two: Span) -> float:
    """Give the share of two spans (start, end) that both cover, of what either covers."""
    both = min(one[1], two[1]) - max(one[0], two[0])
    either = max(one[1], two[1]) - min(one[0], two[0])
    return max(0.0, both) / either if either > 0 else 0.0


def matched(ones: Sequence[Span], twos: Sequence[Span]) -> list[float]:
    """List the IoU of spans matched one to one so that their sum is largest; spans that do not touch have no match."""
    from scipy.optimize import linear_sum_assignment  # takes long to import

    if not ones or not twos:
        return []
    table = np.array([[iou(one, two) for two in twos] for one in ones])
    rows, columns = linear_sum_assignment(table, maximize=True)
    return [float(value) for value in table[rows, columns] if value > 0]


def covered_iou(ones: Sequence[Span], twos: Sequence[Span]) -> float:
    """Give the IoU of all that the first spans cover with all that the others cover, overlaps counted once."""
    edges = sorted({edge for span in (*ones, *twos) for edge in span})
    both = either = 0.0
    for start, end in itertools.pairwise(edges):
        in_one, in_two = (any(s <= start and end <= e for s, e in spans) for spans in (ones, twos))
        both += (end - start) * (in_one and in_two)
        either += (end - start) * (in_one or in_two)
    return both / either if either else 0.0
