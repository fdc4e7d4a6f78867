"""The pairs of one clip, drafted and checked: a stage of work that depends on what is known of that clip alone.

Checking is most of what a build costs beside reading clips, so its results are kept as those of other stages are, by
all that they depend on: the clip's record, its notes, the pairs that were read, its level, its measures, and the code.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from dataset_builder.engine import Engine, HereEngine, Item, Stage, Work, source_digest
from dataset_builder.pairing.checking import Against, checked, misshapen, without_repeats
from dataset_builder.pairing.notes import agreeing, says_nothing
from schemas.annotation import Annotation
from schemas.errors import DataError
from schemas.levels import Level
from schemas.pair import Pair
from schemas.recipe import BuildRecipe
from schemas.record import Record
from stages.claims.claim import Known
from stages.pairs import pairs
from stages.pairs.maker import texts_of

if TYPE_CHECKING:  # a child process needs none of these
    from dataset_builder.gathering.state import Gathered, Run
    from dataset_builder.pairing.measured import Measured

FEW = 64
"""Clips up to which a process of their own costs more than their pairs do."""
CODE = ("schemas", "stages", "dataset_builder.pairing", "dataset_builder.signal")
"""What holds all code that the pairs of a clip depend on."""
FUNCTION = "dataset_builder.pairing.clip:pairs_of_clip"


class ClipKnown(msgspec.Struct, frozen=True, kw_only=True):
    """What the pairs of one clip depend on beside `seed` and `per_clip`, the number of notes that are asked about.

    `read` are the pairs that were read of a file, None where templates make them of notes. `measures` are those of the
    clip's pixels, None where claims are not held to these.
    """

    record: Record
    notes: list[Annotation]
    read: list[Pair] | None
    level: Level | None
    measures: dict[str, Any] | None
    seed: int
    per_clip: int | None


class ClipPairs(msgspec.Struct, frozen=True, kw_only=True):
    """The pairs of one clip that may be taken, and the others: with doubts, or left out by the reason.

    `passed_over` are the notes that nothing was asked about, since others of their clip agree more with the rest.
    """

    good: list[Pair]
    doubtful: list[Pair]
    left_out: list[tuple[Pair, str]]
    passed_over: list[str]


@dataclass(frozen=True)
class CheckedPairs:
    """The pairs of clips, by record; of how many clips they were made now, and of how many kept from earlier."""

    of: Mapping[str, ClipPairs]
    made: int
    kept: int


def draft(known: Known, seed: int, notes: int | None = None) -> list[Pair]:
    """Make all pairs of one clip by templates, of the `notes` that agree most with the others (None = all)."""
    seen = [text for annotation in known.annotations for text in texts_of(annotation)]
    chosen = agreeing(known.annotations, notes)
    return [pair for note in chosen for pair in pairs(known.record, note, known.level, seed, seen)]


def make_clip_pairs(clip: ClipKnown, against: Against | None) -> ClipPairs:
    """Draft the pairs of one clip, or take those that were read, and check what no reviewer has passed."""
    known = Known(clip.record, clip.notes, clip.level)
    # What no reviewer has passed is checked, also where it was before: its note may have changed since.
    given = draft(known, clip.seed, clip.per_clip) if clip.read is None else clip.read
    ready, drafted = [p for p in given if p.verdict], [p for p in given if not p.verdict]
    edited = {p.id: misshapen(p, known) for p in ready if p.verdict == "edit"}
    found = [msgspec.structs.replace(p, doubts=edited[p.id]) for p in ready if edited.get(p.id)]
    ready = [p for p in ready if not edited.get(p.id)]
    found += checked(drafted, known, against)
    good, again = without_repeats([pair for pair in found if not pair.doubts])
    passed_over: list[str] = []
    if clip.read is None:
        agreed = {note.id for note in agreeing(clip.notes, clip.per_clip)}
        passed_over = [note.id for note in clip.notes if note.id not in agreed and not says_nothing(note)]
    return ClipPairs(
        good=[*ready, *good],
        doubtful=[pair for pair in found if pair.doubts],
        left_out=again,
        passed_over=passed_over,
    )


def pairs_of_clip(item: Item) -> Item:
    """Make the pairs of one clip: the fields of a ClipKnown to those of its ClipPairs, as plain values."""
    clip = msgspec.convert(item, ClipKnown)
    made = make_clip_pairs(clip, None if clip.measures is None else partial(_against, clip.measures))
    plain: Item = msgspec.to_builtins(made)
    return plain


def _against(measures: Mapping[str, Any], record: Record, claims: Sequence[Any]) -> Any:
    from dataset_builder.pairing.measured import Measured
    from dataset_builder.signal.calibration import read_calibration

    return Measured({record.media.sha256: dict(measures)}, read_calibration()).against(record, claims)


def clip_pairs(
    gathered: Gathered,
    records: Mapping[str, Record],
    level_of: Callable[[Record], Level | None],
    pixels: Measured | None,
    run: Run,
) -> CheckedPairs:
    """Give the pairs of every clip that has notes, or pairs that were read; what an earlier build made is not redone.

    Raises DataError where those of a clip could not be made: the corpus would depend on the machine.
    """
    work = list(_work(gathered, run.recipe, records, level_of, pixels))
    if not work:
        return CheckedPairs({}, 0, 0)
    by: Engine = HereEngine(pairs_of_clip) if len(work) <= FEW else run.means.engine
    result = run.result_of("checking pairs", stage(), work, run.work, by)
    found: dict[str, ClipPairs] = {}
    for name, outcome in result.outcomes():
        if outcome.result is None:
            raise DataError(f"{name}: its pairs could not be made: {outcome.error}")
        found[name] = msgspec.convert(outcome.result, ClipPairs)
    return CheckedPairs(found, len(found) - result.reused, result.reused)


def stage() -> Stage:
    """Give the stage that makes pairs: its results hold for this code, calibration and Python."""
    from dataset_builder.signal.calibration import COMMITTED

    # Python's own tables of characters are what regular expressions go by.
    return Stage("pairs", FUNCTION, f"{source_digest(*CODE, files=[COMMITTED])} {platform.python_version()}")


def _work(
    gathered: Gathered,
    recipe: BuildRecipe,
    records: Mapping[str, Record],
    level_of: Callable[[Record], Level | None],
    pixels: Measured | None,
) -> Iterator[Work]:
    for name, record in records.items():
        notes, read = gathered.annotations.get(name, []), gathered.pairs.get(record.source)
        given = None if read is None else read.of.get(name, [])
        if not (given or notes):
            continue
        clip = ClipKnown(
            record=record,
            notes=notes,
            read=given,
            level=level_of(record),
            measures=None if pixels is None else dict(pixels.of.get(record.media.sha256, {})),
            seed=recipe.seed,
            per_clip=recipe.pairs.notes,
        )
        yield Work(name, msgspec.to_builtins(clip))
