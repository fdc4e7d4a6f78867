"""From experts' notes to pairs that are checked, chosen, and ready for a build or for reviewers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from annotation.extending.generate import Failure, Generated, Plan, generate, plan, write_raw
from annotation.extending.ledger import Ledger, Summary
from annotation.extending.prices import price_table, refuse_unpriced
from annotation.extending.prompts import Note
from annotation.extending.repeats import repeated
from annotation.labeling import nearest
from annotation.tasks import Names, read_clips
from dataset_builder.corpus import MANIFEST, read_manifest, write_jsonl
from dataset_builder.engine import Engine, LocalEngine
from dataset_builder.gathering.annotations import problem_of
from dataset_builder.leftovers import mark_as_cache
from dataset_builder.pairing.checking import checked, without_repeats
from dataset_builder.pairing.choosing import choose
from dataset_builder.pairing.clip import draft
from dataset_builder.pairing.measured import Measured, measured, measuring, unlike_calibrated
from dataset_builder.pairing.notes import agreeing
from dataset_builder.pairing.traits import counts
from dataset_builder.progress import Tracker, untracked
from dataset_builder.signal import measuring as signal
from dataset_builder.signal.calibration import COMMITTED, read_calibration
from dataset_builder.signal.measuring import measure_stage
from schemas.annotation import Annotation
from schemas.errors import CallError
from schemas.extension import ExtendRecipe
from schemas.levels import Level
from schemas.manifest import Quarantined
from schemas.pair import Doubt, Pair
from schemas.recipe import digest, load, plain
from schemas.record import Record
from schemas.validate import Problem, read_jsonl
from stages.claims.claim import Known

PAIRS, LEFT_OUT, QUARANTINE = "pairs.jsonl", "left-out.jsonl", "quarantine.jsonl"
RAW, LEDGER, SUMMARY = "raw.jsonl", "ledger.sqlite", "extension.json"
SPENT = "spent.json"
"""The sums of the ledger, which a build takes into the notes of a corpus."""
REPEATED = "repeated"


@dataclass(frozen=True)
class Means:
    """By what pairs are made: processes, where work is kept, who is told."""

    engine: Engine | None = None
    work: Path | None = None
    timeout: float = 600.0
    track: Tracker = untracked
    told: Callable[[str], None] = lambda _: None


BY_DEFAULT = Means()


class LeftOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pair that is right and not taken, and why: it was paid for, or may be wanted after all."""

    why: str
    pair: Pair


class Extended(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was made. `taken` and `doubted` count the pairs of `pairs.jsonl`: without doubts, and for people to decide.

    `unreadable` are clips whose files could not be measured, `unlike` counts those that are unlike what the probes of
    the signal are calibrated on, by reason. `left` are notes that a model was not asked
    about, for the reason `stopped`; `spent` is what the ledger holds, None without a model.
    """

    name: str
    recipe: dict[str, object]
    recipe_sha256: str
    clips: int
    notes: int
    taken: dict[str, dict[str, int]]
    pairs: int
    doubted: dict[str, int]
    doubtful: int
    left_out: dict[str, int]
    quarantined: int
    unreadable: dict[str, str]
    unlike: int
    left: int = 0
    stopped: str = ""
    spent: Summary | None = None


def extend(recipe_path: Path, out: Path | None, overrides: Sequence[str] = (), means: Means = BY_DEFAULT) -> Extended:
    """Make, check and choose the pairs of a recipe into the folder `out` (`<name>-pairs` where it is not given).

    The same recipe, notes, clips and ledger give the same bytes. Raises CallError for a call or recipe that cannot be
    followed, DataError naming what is wrong with the data.
    """
    recipe = load(recipe_path, ExtendRecipe, overrides)
    folder = out or Path(f"{recipe.name}-pairs")
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not _is_ours(folder))):
        raise CallError(f"{str(folder)!r} exists and holds no pairs of this program: choose another folder with --out")
    read = _read(recipe, recipe_path.parent)
    every = read.every
    folder.mkdir(parents=True, exist_ok=True)
    drafts: defaultdict[str, list[Pair]] = defaultdict(list)
    if recipe.templates:
        for known in every:
            drafts[known.record.id] += draft(known, recipe.seed, recipe.pairs.notes)
    generated, spent = _generated(recipe, recipe_path.parent, folder, every, means)
    for pair in generated.pairs if generated else ():
        drafts[pair.record_id].append(pair)
    failures = generated.quarantine if generated else []
    pixels = _pixels(recipe, recipe_path.parent, folder, every, means) if recipe.signal else None
    good: list[list[Pair]] = []
    doubtful: list[Pair] = []
    left_out: list[tuple[Pair, str]] = []
    advance = means.track("checking pairs", len(every))
    for known in every:
        found = checked(drafts[known.record.id], known, pixels.against if pixels else None)
        kept, again = without_repeats([pair for pair in found if not pair.doubts])
        good.append(kept)
        left_out += again
        doubtful += [pair for pair in found if pair.doubts]
        advance()
    good, told = _without_repeated(good)
    doubtful += told
    chosen = choose(good, recipe.pairs, recipe.seed)
    left_out += chosen.left_out
    quarantine = [*read.quarantine, *(_row_of(failure, recipe, read) for failure in failures)]
    _write(folder, chosen.kept, doubtful, left_out, quarantine)
    if generated:
        write_raw(folder / RAW, failures)
    done = Extended(
        name=recipe.name,
        recipe=plain(recipe),
        recipe_sha256=digest(recipe),
        clips=len(every),
        notes=sum(len(known.annotations) for known in every),
        taken=counts(chosen.kept),
        pairs=len(chosen.kept),
        doubted=dict(sorted(Counter(c for pair in doubtful for c in {d.check for d in pair.doubts}).items())),
        doubtful=len(doubtful),
        left_out=dict(sorted(Counter(why for _, why in left_out).items())),
        quarantined=len(quarantine),
        unreadable=dict(sorted(pixels.unreadable(known.record for known in every).items())) if pixels else {},
        unlike=sum(bool(unlike_calibrated(known.record.media)) for known in every) if pixels else 0,
        left=len(generated.left) if generated else 0,
        stopped=generated.stopped if generated else "",
        spent=spent,
    )
    if spent is not None:
        (folder / SPENT).write_bytes(msgspec.json.format(msgspec.json.encode(spent), indent=2) + b"\n")
    # The ledger's sums change with tries that failed; what is compared between runs does not.
    stored = msgspec.structs.replace(done, spent=None)
    (folder / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(stored), indent=2) + b"\n")
    return done


def dry_run(recipe_path: Path, out: Path | None, overrides: Sequence[str] = ()) -> Plan:
    """Count what a model would be asked and what that may cost; nothing is sent or written. Raises CallError."""
    recipe = load(recipe_path, ExtendRecipe, overrides)
    if recipe.llm is None:
        raise CallError(
            "--dry-run tells what a model would be asked: the recipe names no llm, and templates cost nothing"
        )
    base = recipe_path.parent
    prices = price_table(recipe.llm, base)
    refuse_unpriced(recipe.llm, prices, recipe.max_cost)
    path = _ledger_path(recipe, base, out or Path(f"{recipe.name}-pairs"))
    notes = _notes(_read(recipe, base).every, recipe.pairs.notes)
    if not path.is_file():
        return plan(notes, recipe.llm, None, prices)
    with Ledger(path, prices, recipe.max_cost) as ledger:
        return plan(notes, recipe.llm, ledger, prices)


def _row_of(failure: Failure, recipe: ExtendRecipe, read: _Read) -> Quarantined:
    """Name the note in the file of notes: that is what somebody can mend, or ask about again."""
    line = read.lines[failure.raw.annotation]
    return msgspec.structs.replace(failure.row, file=recipe.annotations, row=line)


def _is_ours(folder: Path) -> bool:
    """Say whether a folder was made here; a run that was killed has left at least its ledger."""
    return any((folder / name).exists() for name in (SUMMARY, LEDGER))


@dataclass(frozen=True)
class _Read:
    """The clips of which something usable was said, by id; the lines of notes; and the notes that are none."""

    every: list[Known]
    lines: dict[str, int]
    quarantine: list[Quarantined]


def _read(recipe: ExtendRecipe, base: Path) -> _Read:
    """Bring the annotations to their records. Raises CallError where nothing usable is said of any."""
    records = read_clips(recipe.clips, base)
    names, by_id = Names(records), {record.id: record for record in records}
    level_of = _levels(base / recipe.clips.records)
    said: defaultdict[str, list[Annotation]] = defaultdict(list)
    lines: dict[str, int] = {}
    quarantine: list[Quarantined] = []
    path = base / recipe.annotations
    if not path.is_file():
        near = nearest(path.name, [other.name for other in path.parent.glob("*")])
        raise CallError(f"annotations: there is no file {recipe.annotations!r}{near}")
    for line, annotation in read_jsonl(path, Annotation, recipe.annotations):
        if isinstance(annotation, Problem):
            reason, field, source = annotation.rule, annotation.field or None, ""
        else:
            name = names.find(annotation.clip)
            source = "" if name is None else by_id[name].source
            if name is None:
                near = nearest(annotation.clip, [record.id.partition("/")[2] for record in records])
                reason, field = f"no clip, or more than one, is meant by {annotation.clip!r}{near}", "clip"
            elif annotation.id in lines:
                reason, field = f"row {lines[annotation.id]} is called {annotation.id!r} too: give it another id", "id"
            else:
                reason, field = problem_of(annotation, by_id[name])
            if not reason and name is not None:
                lines[annotation.id] = line
                said[name].append(annotation)
                continue
        quarantine.append(Quarantined(source=source, file=recipe.annotations, row=line, field=field, reason=reason))
    every = [Known(record, said[record.id], level_of(record)) for record in records if said.get(record.id)]
    if not every:
        first = f"; row {quarantine[0].row}: {quarantine[0].reason}" if quarantine else ""
        raise CallError(
            f"annotations: {recipe.annotations!r} says nothing of a clip of {recipe.clips.records!r}{first}"
        )
    return _Read(every, lines, quarantine)


def _levels(records: Path) -> Callable[[Record], Level | None]:
    """Give the levels of records by the scales that their corpus stores; without a corpus nobody has fitted any."""
    if not (records / MANIFEST).is_file():
        return lambda _: None
    scales = {scale.source: scale for scale in read_manifest(records).scales}

    def level_of(record: Record) -> Level | None:
        scale = scales.get(record.source)
        return None if record.score is None or scale is None else scale.level(record.score.value)

    return level_of


def _notes(every: Iterable[Known], count: int | None) -> list[Note]:
    """List the notes that a model is asked about: of each clip those that agree most with the others."""
    return [Note(known.record, note, known.level) for known in every for note in agreeing(known.annotations, count)]


def _ledger_path(recipe: ExtendRecipe, base: Path, folder: Path) -> Path:
    return folder / LEDGER if recipe.ledger is None else base / recipe.ledger


def _generated(
    recipe: ExtendRecipe, base: Path, folder: Path, every: Sequence[Known], means: Means
) -> tuple[Generated | None, Summary | None]:
    if recipe.llm is None:
        return None, None
    prices = price_table(recipe.llm, base)
    refuse_unpriced(recipe.llm, prices, recipe.max_cost)
    with Ledger(_ledger_path(recipe, base, folder), prices, recipe.max_cost) as ledger:
        made = generate(_notes(every, recipe.pairs.notes), recipe.llm, ledger, track=means.track, told=means.told)
        return made, ledger.summary()


def _pixels(recipe: ExtendRecipe, base: Path, folder: Path, every: Sequence[Known], means: Means) -> Measured:
    records = base / recipe.clips.records
    root = (
        base / recipe.clips.root if recipe.clips.root is not None else records if records.is_dir() else records.parent
    )
    work = means.work or folder.with_name(f"{folder.name}.work")
    calibration = read_calibration(COMMITTED if recipe.calibration is None else base / recipe.calibration)
    clips = measuring((known.record, root / known.record.media.path) for known in every)
    mark_as_cache(work)
    by = signal.Means(work, means.engine or LocalEngine(), means.timeout, means.track)
    return measured(by.done("measuring", measure_stage(), clips), calibration)


def _without_repeated(good: Sequence[Sequence[Pair]]) -> tuple[list[list[Pair]], list[Pair]]:
    """Doubt what a model says of many clips alike."""
    again = repeated([pair for pairs in good for pair in pairs if pair.request])
    doubtful = [
        msgspec.structs.replace(
            pair, doubts=[Doubt(check=REPEATED, why=f"{again[pair.id]!r} of another clip says nearly the same")]
        )
        for pairs in good
        for pair in pairs
        if pair.id in again
    ]
    return [[pair for pair in pairs if pair.id not in again] for pairs in good], doubtful


def _write(
    folder: Path,
    kept: Iterable[Pair],
    doubtful: Iterable[Pair],
    left_out: Iterable[tuple[Pair, str]],
    quarantine: Iterable[Quarantined],
) -> None:
    for name, rows in (
        (PAIRS, sorted([*kept, *doubtful], key=lambda pair: (pair.record_id, pair.id))),
        (LEFT_OUT, sorted((LeftOut(why=why, pair=pair) for pair, why in left_out), key=lambda row: row.pair.id)),
        (QUARANTINE, list(quarantine)),
    ):
        partial = folder / f".{name}.partial"
        write_jsonl(partial, rows)
        partial.replace(folder / name)


def show_plan(planned: Plan) -> list[str]:
    """Put what a model would be asked into lines for a person."""
    (few_in, many_in), (few_out, many_out) = planned.input_tokens, planned.output_tokens
    lines = [
        f"{planned.requests} requests for {planned.notes - planned.silent} notes, {planned.answered} of them answered",
        f"{planned.judge_requests} requests of the judge" if planned.judge_requests else "",
        f"{planned.silent} notes say nothing" if planned.silent else "",
        f"tokens to be sent: about {few_in:,}, at most {many_in:,}",
        f"tokens to be answered: about {few_out:,}, at most {many_out:,}",
        "no price is known: name prices in the recipe"
        if planned.dollars is None
        else f"price: about ${planned.dollars[0]}, at most ${planned.dollars[1]}, without what fails and is repeated",
    ]
    return [line for line in lines if line]


def show(done: Extended) -> list[str]:
    """Put what was made into lines for a person."""
    lines = [f"{done.pairs} pairs of {done.notes} notes on {done.clips} clips are taken"]
    for trait in ("generator", "family", "form", "yes-no", "letter", "degree", "level"):
        if values := done.taken.get(trait):
            lines.append(f"  {trait}: " + ", ".join(f"{value} {count}" for value, count in values.items()))
    if done.doubtful:
        checks = ", ".join(f"{check} {count}" for check, count in done.doubted.items())
        lines.append(f"{done.doubtful} pairs are doubted, for people to decide: {checks}")
    lines += [f"left out: {count} {why}" for why, count in done.left_out.items()]
    if done.quarantined:
        lines.append(f"{done.quarantined} notes, or a model's answers to them, are in {QUARANTINE} with the reason")
    if done.unlike:
        lines.append(f"{done.unlike} clips are too small, too slow or too short to be held to the signal")
    lines += [f"not measured: {name}: {why}" for name, why in list(done.unreadable.items())[:10]]
    if len(done.unreadable) > 10:
        lines.append(f"not measured: {len(done.unreadable) - 10} more")
    if done.left:
        lines.append(f"{done.left} notes are left: {done.stopped}")
    return lines
