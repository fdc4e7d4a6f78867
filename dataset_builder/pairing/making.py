"""The pairs of a build: chosen of those of all clips, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from dataset_builder.gathering.state import Gathered
from dataset_builder.pairing.choosing import choose
from dataset_builder.pairing.clip import CheckedPairs
from dataset_builder.pairing.reviewed import by_family_and_generator, doubts_told, refuse_unaccepted
from dataset_builder.pairing.traits import counts
from schemas.manifest import PairCounts
from schemas.pair import Pair
from schemas.recipe import BuildRecipe
from schemas.record import Record
from stages.wording.local_pairs import local_pairs


@dataclass
class Made:
    """The pairs to be asked, by record; the others with the reason why not; and how many there are of each kind.

    `passed_over` are the notes that nothing was asked about, since others of their clip agree more with the rest. The
    pairs of so many `clips` were made and checked now, those of `clips_kept` were kept of an earlier build.
    """

    of: dict[str, list[Pair]] = field(default_factory=dict)
    left_out: list[tuple[Pair, str]] = field(default_factory=list)
    doubtful: list[Pair] = field(default_factory=list)
    passed_over: set[str] = field(default_factory=set)
    counts: PairCounts | None = None
    clips: int = 0
    clips_kept: int = 0


def make_pairs(gathered: Gathered, recipe: BuildRecipe, records: Mapping[str, Record], checked: CheckedPairs) -> Made:
    """Choose the pairs of all records, of those that were made and `checked` clip by clip.

    A clip that was made here and has none is asked where and when, as far as that is known. Raises DataError where
    reviewers accept less than the recipe asks for.
    """
    reads = gathered.pairs
    judged = [pair for read in reads.values() for pair in read.judged]
    verdicts = {name: verdict for read in reads.values() for name, verdict in read.verdicts.items()}
    acceptance = by_family_and_generator(judged, verdicts)
    if recipe.pairs.min_acceptance is not None:
        refuse_unaccepted(acceptance, recipe.pairs.min_acceptance)
    made = Made(clips=checked.made, clips_kept=checked.kept)
    candidates: list[list[Pair]] = []
    for record_id, record in records.items():
        if (found := checked.of.get(record_id)) is not None:
            made.doubtful += found.doubtful
            made.left_out += found.left_out
            made.passed_over.update(found.passed_over)
            candidates.append(found.good)
        elif record.source not in reads and record.origin and (local := list(local_pairs(record, recipe.seed))):
            candidates.append(local)
    chosen = choose(candidates, recipe.pairs, recipe.seed)
    made.left_out += chosen.left_out
    for pair in chosen.kept:
        made.of.setdefault(pair.record_id, []).append(pair)
    doubted = Counter(check for pair in made.doubtful for check in {doubt.check for doubt in pair.doubts})
    left_out = Counter(why for _, why in made.left_out)
    left_out["of notes that agree less than another of their clip (counted in notes)"] = len(made.passed_over)
    made.counts = PairCounts(
        taken=counts(chosen.kept),
        left_out={why: count for why, count in sorted(left_out.items()) if count},
        doubted=dict(sorted(doubted.items())),
        acceptance=acceptance,
    )
    return made


def whys_of_annotations(made: Made) -> dict[str, str]:
    """Say of every annotation that has pairs outside of the corpus what became of the first of them."""
    whys: dict[str, str] = {}
    for pair, why in [*((pair, doubts_told(pair)) for pair in made.doubtful), *made.left_out]:
        for name in pair.evidence:
            whys.setdefault(name, f"pair {pair.id}: {why}")
    return whys
