"""The pairs of a build: made of notes by templates, or read from a file, checked, chosen and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from dataset_builder.gathering.state import Gathered
from dataset_builder.pairing.checking import Against, checked, misshapen, without_repeats
from dataset_builder.pairing.choosing import choose
from dataset_builder.pairing.notes import agreeing, says_nothing
from dataset_builder.pairing.reviewed import by_family_and_generator, doubts_told, refuse_unaccepted
from dataset_builder.pairing.traits import counts
from schemas.levels import Level
from schemas.manifest import PairCounts
from schemas.pair import Pair
from schemas.recipe import BuildRecipe
from schemas.record import Record
from stages.claims.claim import Known
from stages.pairs import pairs
from stages.pairs.maker import texts_of
from stages.wording.local_pairs import local_pairs


@dataclass
class Made:
    """The pairs to be asked, by record; the others with the reason why not; and how many there are of each kind.

    `passed_over` are the notes that nothing was asked about, since others of their clip agree more with the rest.
    """

    of: dict[str, list[Pair]] = field(default_factory=dict)
    left_out: list[tuple[Pair, str]] = field(default_factory=list)
    doubtful: list[Pair] = field(default_factory=list)
    passed_over: set[str] = field(default_factory=set)
    counts: PairCounts | None = None


def make_pairs(
    gathered: Gathered,
    recipe: BuildRecipe,
    records: Mapping[str, Record],
    level_of: Callable[[Record], Level | None],
    against: Against | None = None,
) -> Made:
    """Give the pairs of all records: those read from files, else those that templates make of annotations.

    A clip that was made here and has neither is asked where and when, as far as that is known. Raises DataError where
    reviewers accept less than the recipe asks for.
    """
    reads = gathered.pairs
    judged = [pair for read in reads.values() for pair in read.judged]
    verdicts = {name: verdict for read in reads.values() for name, verdict in read.verdicts.items()}
    acceptance = by_family_and_generator(judged, verdicts)
    if recipe.pairs.min_acceptance is not None:
        refuse_unaccepted(acceptance, recipe.pairs.min_acceptance)
    made = Made()
    candidates: list[list[Pair]] = []
    for record_id, record in records.items():
        notes = gathered.annotations.get(record_id, [])
        read = reads.get(record.source)
        if read is not None or notes:
            known = Known(record, notes, level_of(record))
            # What no reviewer has passed is checked, also where it was before: its note may have changed since.
            given = read.of.get(record_id, []) if read else draft(known, recipe.seed, recipe.pairs.notes)
            ready, drafted = [p for p in given if p.verdict], [p for p in given if not p.verdict]
            edited = {p.id: misshapen(p, known) for p in ready if p.verdict == "edit"}
            found = [replace(p, doubts=edited[p.id]) for p in ready if edited.get(p.id)]
            ready = [p for p in ready if not edited.get(p.id)]
            found += checked(drafted, known, against)
            made.doubtful += [pair for pair in found if pair.doubts]
            good, again = without_repeats([pair for pair in found if not pair.doubts])
            made.left_out += again
            candidates.append([*ready, *good])
            if read is None:
                agreed = {note.id for note in agreeing(notes, recipe.pairs.notes)}
                made.passed_over |= {note.id for note in notes if note.id not in agreed and not says_nothing(note)}
        elif record.origin and (local := list(local_pairs(record, recipe.seed))):
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


def draft(known: Known, seed: int, notes: int | None = None) -> list[Pair]:
    """Make all pairs of one clip by templates, of the `notes` that agree most with the others (None = all)."""
    seen = [text for annotation in known.annotations for text in texts_of(annotation)]
    chosen = agreeing(known.annotations, notes)
    return [pair for note in chosen for pair in pairs(known.record, note, known.level, seed, seen)]


def whys_of_annotations(made: Made) -> dict[str, str]:
    """Say of every annotation that has pairs outside of the corpus what became of the first of them."""
    whys: dict[str, str] = {}
    for pair, why in [*((pair, doubts_told(pair)) for pair in made.doubtful), *made.left_out]:
        for name in pair.evidence:
            whys.setdefault(name, f"pair {pair.id}: {why}")
    return whys
