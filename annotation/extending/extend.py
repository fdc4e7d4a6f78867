"""From experts' notes to pairs that are checked, chosen, and ready for a build or for reviewers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from annotation.extending.generate import Generated, Plan, generate, plan, write_raw
from annotation.extending.ledger import Ledger, Summary
from annotation.extending.prices import price_table, refuse_unpriced
from annotation.extending.prompts import Note
from annotation.extending.repeats import repeated
from annotation.tasks import Names, read_clips, read_rows
from dataset_builder.corpus import MANIFEST, read_manifest, write_jsonl
from dataset_builder.engine import Engine, LocalEngine
from dataset_builder.leftovers import mark_as_cache
from dataset_builder.pairing.checking import checked, without_repeats
from dataset_builder.pairing.choosing import choose
from dataset_builder.pairing.making import draft
from dataset_builder.pairing.measured import Measured, measured, measuring
from dataset_builder.pairing.traits import counts
from dataset_builder.progress import Tracker, untracked
from dataset_builder.signal import measuring as signal
from dataset_builder.signal.calibration import COMMITTED, read_calibration
from dataset_builder.signal.measuring import measure_stage
from schemas.annotation import Annotation
from schemas.errors import CallError, DataError
from schemas.extension import ExtendRecipe
from schemas.levels import Level
from schemas.manifest import Quarantined
from schemas.pair import Doubt, Pair
from schemas.recipe import digest, load, plain
from schemas.record import Record
from stages.claims.claim import Known

PAIRS, LEFT_OUT, QUARANTINE = "pairs.jsonl", "left-out.jsonl", "quarantine.jsonl"
RAW, LEDGER, SUMMARY = "raw.jsonl", "ledger.sqlite", "extension.json"
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

    `unmeasured` are clips whose pixels could not be asked, by reason. `left` are notes that a model was not asked
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
    unmeasured: dict[str, str]
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
    every = _known(recipe, recipe_path.parent)
    folder.mkdir(parents=True, exist_ok=True)
    drafts: defaultdict[str, list[Pair]] = defaultdict(list)
    if recipe.templates:
        for known in every:
            drafts[known.record.id] += draft(known, recipe.seed)
    generated, spent = _generated(recipe, recipe_path.parent, folder, every, means)
    for pair in generated.pairs if generated else ():
        drafts[pair.record_id].append(pair)
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
    quarantine = [failure.row for failure in generated.quarantine] if generated else []
    _write(folder, chosen.kept, doubtful, left_out, quarantine)
    if generated:
        write_raw(folder / RAW, generated.quarantine)
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
        unmeasured=dict(sorted(pixels.failed(known.record for known in every).items())) if pixels else {},
        left=len(generated.left) if generated else 0,
        stopped=generated.stopped if generated else "",
        spent=spent,
    )
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
    notes = _notes(_known(recipe, base))
    if not path.is_file():
        return plan(notes, recipe.llm, None, prices)
    with Ledger(path, prices, recipe.max_cost) as ledger:
        return plan(notes, recipe.llm, ledger, prices)


def _is_ours(folder: Path) -> bool:
    """Say whether a folder was made here; a run that was killed has left at least its ledger."""
    return any((folder / name).exists() for name in (SUMMARY, LEDGER))


def _known(recipe: ExtendRecipe, base: Path) -> list[Known]:
    """Read the records and bring the annotations to them; every record that somebody annotated, by id."""
    records = read_clips(recipe.clips, base)
    names = Names(records)
    level_of = _levels(base / recipe.clips.records)
    said: defaultdict[str, list[Annotation]] = defaultdict(list)
    ids: set[str] = set()
    for annotation in read_rows(base / recipe.annotations, Annotation):
        if annotation.id in ids:
            raise DataError(f"{recipe.annotations}: two annotations are called {annotation.id!r}")
        ids.add(annotation.id)
        said[names.get(annotation.clip, f"{recipe.annotations}: {annotation.id}")].append(annotation)
    every = [Known(record, said[record.id], level_of(record)) for record in records if said.get(record.id)]
    if not every:
        raise CallError(f"annotations: {recipe.annotations!r} says nothing of any clip of {recipe.clips.records!r}")
    return every


def _levels(records: Path) -> Callable[[Record], Level | None]:
    """Give the levels of records by the scales that their corpus stores; without a corpus nobody has fitted any."""
    if not (records / MANIFEST).is_file():
        return lambda _: None
    scales = {scale.source: scale for scale in read_manifest(records).scales}

    def level_of(record: Record) -> Level | None:
        scale = scales.get(record.source)
        return None if record.score is None or scale is None else scale.level(record.score.value)

    return level_of


def _notes(every: Iterable[Known]) -> list[Note]:
    return [Note(known.record, annotation, known.level) for known in every for annotation in known.annotations]


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
        made = generate(_notes(every), recipe.llm, ledger, track=means.track, told=means.told)
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
        lines.append(f"{done.quarantined} answers of the model are in {QUARANTINE}, what it said in {RAW}")
    lines += [f"not measured: {name}: {why}" for name, why in list(done.unmeasured.items())[:10]]
    if len(done.unmeasured) > 10:
        lines.append(f"not measured: {len(done.unmeasured) - 10} more")
    if done.left:
        lines.append(f"{done.left} notes are left: {done.stopped}")
    return lines
