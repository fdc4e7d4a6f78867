"""Which pairs are taken: so many a clip, spread over families and forms, and no answer so often that it can be guessed.

What a clip gives depends on that clip alone; the caps are held over all pairs, so one clip more may move a few others.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from dataset_builder.pairing.traits import TRAITS
from schemas.draws import share, shuffled
from schemas.pair import FAMILIES, Pair
from schemas.recipe import PairsRecipe

Unit = tuple[Pair, ...]
"""Pairs that are taken together or not at all: a question answered by yes and one answered by no."""


@dataclass
class Chosen:
    """The pairs that are taken, and the others with the reason why not."""

    kept: list[Pair] = field(default_factory=list)
    left_out: list[tuple[Pair, str]] = field(default_factory=list)


def choose(by_clip: Iterable[Sequence[Pair]], recipe: PairsRecipe, seed: int) -> Chosen:
    """Take of each clip's pairs what the budget allows, then hold the caps over all that was taken."""
    chosen = Chosen()
    for pairs in by_clip:
        taken = {pair.id for pair in within_budget(pairs, recipe, seed)}
        why = f"over the budget of {recipe.budget} pairs a clip"
        chosen.kept += [pair for pair in pairs if pair.id in taken]
        chosen.left_out += [(pair, why) for pair in pairs if pair.id not in taken]
    _hold_caps(chosen, recipe, seed)
    return chosen


def within_budget(pairs: Sequence[Pair], recipe: PairsRecipe, seed: int) -> list[Pair]:
    """Take pairs of one clip: each family's share first, then what room is left, family by family."""
    if recipe.budget is None or len(pairs) <= recipe.budget:
        return list(pairs)
    queues = {family: _ordered([p for p in pairs if p.family == family], seed) for family in FAMILIES}
    taken: list[Pair] = []
    for family, wanted in recipe.families.items():
        taken += _take(queues[family], min(wanted, recipe.budget - len(taken)))
    while (room := recipe.budget - len(taken)) > 0:
        more = [pair for family in FAMILIES for pair in _take(queues[family], min(1, room))]
        more = more[:room] or _take(queues["quality-centric"], room) or _take(queues["temporal-centric"], room)
        if not more:
            break
        taken += more
    return taken


def _take(queue: list[Unit], room: int) -> list[Pair]:
    """Take units from the head of a queue as far as there is room; what does not fit is passed over."""
    taken: list[Pair] = []
    for unit in list(queue):
        if len(unit) <= room - len(taken):
            taken += unit
            queue.remove(unit)
    return taken


def _ordered(pairs: Sequence[Pair], seed: int) -> list[Unit]:
    """Put the pairs of one family and clip in an order drawn by seed in which forms take turns, yes/no in couples."""
    if not pairs:
        return []
    drawn = sorted(pairs, key=lambda pair: (share(seed, "order", pair.record_id, pair.id), pair.id))
    by_form: dict[str, list[Unit]] = defaultdict(list)
    answers: dict[str, list[Pair]] = {"yes": [], "no": []}
    for pair in drawn:
        if (answer := TRAITS["yes-no"](pair)) is not None:
            answers[answer].append(pair)
        else:
            by_form[pair.form].append((pair,))
    couples: list[Unit] = list(zip(answers["yes"], answers["no"], strict=False))
    alone: list[Unit] = [(pair,) for rest in answers.values() for pair in rest[len(couples) :]]
    by_form["yes-no"] = couples
    forms = shuffled(sorted(by_form), seed, "forms", pairs[0].record_id, pairs[0].family)
    turns = itertools.zip_longest(*(by_form[form] for form in forms))
    return [unit for turn in turns for unit in turn if unit] + alone


def _hold_caps(chosen: Chosen, recipe: PairsRecipe, seed: int) -> None:
    for trait, cap in recipe.caps.items():
        value_of = TRAITS[trait]
        by_value: dict[str, list[Pair]] = defaultdict(list)
        for pair in chosen.kept:
            if (value := value_of(pair)) is not None:
                by_value[value].append(pair)
        most = largest_count([len(pairs) for pairs in by_value.values()], cap)
        surplus: dict[str, str] = {}
        for value, pairs in by_value.items():
            drawn = sorted(pairs, key=lambda pair: (share(seed, "cap", trait, pair.record_id, pair.id), pair.id))
            surplus |= {pair.id: f"{trait} {value!r} is in more than {cap:.0%} of the pairs" for pair in drawn[most:]}
        chosen.left_out += [(pair, surplus[pair.id]) for pair in chosen.kept if pair.id in surplus]
        chosen.kept = [pair for pair in chosen.kept if pair.id not in surplus]


def largest_count(counts: Sequence[int], cap: float) -> int:
    """Give the largest t for which cutting all counts to t leaves none with more than the share `cap` of the sum.

    0 where no other does, as with one value alone: an answer that is always the same teaches nothing.
    """
    exact = Fraction(cap).limit_denominator(10**6)
    for most in sorted({*counts, *_turning_points(counts, exact)}, reverse=True):
        cut = [min(count, most) for count in counts]
        if sum(cut) and max(cut) <= exact * sum(cut):
            return most
    return 0


def _turning_points(counts: Sequence[int], cap: Fraction) -> Iterator[int]:
    """Give the largest t of each number of counts that are cut: t <= cap * (cut * t + sum of the others)."""
    ranked = sorted(counts, reverse=True)
    for cut in range(1, len(ranked) + 1):
        if (slack := 1 - cap * cut) > 0:
            yield int(cap * sum(ranked[cut:]) / slack)
