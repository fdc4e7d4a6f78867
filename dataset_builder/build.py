"""From a recipe to a corpus folder: gather, distort, ask, write. Everything read ends as samples or in quarantine."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import msgspec

import dataset_builder.sources
import stages
from dataset_builder import engine
from dataset_builder.card import write_card
from dataset_builder.clip_stages import sha256_of, tools
from dataset_builder.conversations import sample_of
from dataset_builder.corpus import (
    MANIFEST,
    QUARANTINE,
    RECORDS,
    file_entry,
    files_of,
    replacing,
    unfinished,
    write_jsonl,
    write_manifest,
    write_samples,
)
from dataset_builder.gathering.gather import gather
from dataset_builder.gathering.notes import gather_notes
from dataset_builder.gathering.state import Gathered, Means, OtherPartsError, Run
from dataset_builder.notes import write_notes
from dataset_builder.pairing.clip import clip_pairs
from dataset_builder.pairing.making import Made, make_pairs, whys_of_annotations
from dataset_builder.pairing.measured import Measured, measured, measuring
from dataset_builder.pairing.reviewed import doubts_told
from dataset_builder.quarantine import by_reason
from dataset_builder.rebuilt import Rebuilt, fingerprints, read_fingerprints, write_fingerprints
from dataset_builder.report.page import report, write_report
from dataset_builder.report.pictures import draw_stage
from dataset_builder.signal.calibration import read_calibration
from dataset_builder.signal.measuring import measure_stage
from dataset_builder.streaming.records import add_sessions
from dataset_builder.versions import add_versions, distortions_of
from schemas import SCHEMA_VERSION
from schemas.errors import CallError, DataError
from schemas.levels import Level
from schemas.licence import Terms, terms_of, together
from schemas.manifest import ConfigCount, Manifest, PairCounts, Quarantined, SourceNote
from schemas.plugins import load_plugin, plugin_names
from schemas.recipe import BuildRecipe, SourceRecipe, digest, plain
from schemas.record import SPLITS, Record
from schemas.sample import Sample
from stages import Given, target_of

BY_DEFAULT = Means()


@dataclass(frozen=True)
class Built:
    """What a build left: the manifest and the quarantine rows of the corpus at `folder`.

    `rebuilt` tells what of it differs from the last build with the same work folder, and is no part of the corpus.
    """

    folder: Path
    manifest: Manifest
    quarantine: list[Quarantined]
    rebuilt: Rebuilt


def build(
    recipe: BuildRecipe,
    recipe_path: Path,
    out: Path,
    means: Means = BY_DEFAULT,
) -> Built:
    """Build the corpus of `recipe` (its paths are relative to `recipe_path`) into the folder `out`.

    The folder appears whole or not at all; an older corpus there is replaced. What is done of every clip is kept in
    `means.work` (by default `out` with `.work` behind its name), so that a build that was cut short goes on, and a
    later one does only what is new. Raises CallError for an unusable recipe or place, DataError where the labels
    contradict the recipe as a whole, OtherPartsError where this is one part of a run: it never writes the corpus.
    """
    recipe = _resolved(recipe, means.plugins)
    asked = _stages_of(recipe, means.plugins)
    if recipe.media == "reference" and (len(recipe.sources) != 1 or recipe.distort or recipe.sources[0].sessions):
        raise CallError(
            "media: reference needs exactly one source, no distort and no sessions: the clips stay in its folder"
        )
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MANIFEST).is_file())):
        raise CallError(f"{str(out)!r} exists and is no corpus: choose another folder with --out")
    if recipe.distort:
        distortions_of(recipe, recipe.distort, means.plugins)  # a wrong name is told before clips are read for hours
    run = Run(recipe, recipe_path.parent, means, (means.work or work_folder(out)).resolve())
    if run.work == out.resolve() or out.resolve() in run.work.parents:
        raise CallError(f"{str(run.work)!r} is the corpus, or lies in it: give another folder with --work")
    gathered = gather(run, [out, run.work, recipe_path, *unfinished(out)])
    run.refuse_unfinished()
    distorted = add_versions(gathered, run, recipe.distort, run.work / "media") if recipe.distort else set()
    played = add_sessions(gathered, run, run.work / "media")
    run.refuse_unfinished()
    if means.part:
        raise OtherPartsError([])
    portable = _portable(recipe)
    pixels = _pixels(gathered, run) if recipe.pairs.signal else None
    run.refuse_unfinished()
    answered, made = _ask(gathered, run, asked, distorted | played, pixels)
    try:
        with replacing(out) as partial:
            _write_data(partial, gathered, run, answered)
            _write_records(partial, gathered, portable, answered)
            manifest = _finish(partial, gathered, run, answered, made.counts if made.of else None)
            found = fingerprints(partial)
        rebuilt = _rebuilt(found, answered, made, run.work)
    except OSError as error:
        if error.errno in engine.NO_PLACE:
            raise engine.no_place(repr(str(out)), error.errno) from None
        raise
    if recipe.media != "copy":
        shutil.rmtree(run.work / "media", ignore_errors=True)  # nobody asked to keep these
    return Built(out, manifest, sorted(gathered.quarantine, key=_quarantine_order), rebuilt)


def work_folder(out: Path) -> Path:
    """Say where the work of a build is kept that nobody gave a place. Raises CallError where `out` has no name."""
    if not out.name:
        raise CallError(f"{str(out)!r} names no folder to be made: give one with --out")
    return out.with_name(f"{out.name}.work")


def _rebuilt(found: set[bytes], answered: dict[str, list[Sample]], made: Made, work: Path) -> Rebuilt:
    """Count what differs from the last build, and keep what the next one is compared with."""
    before = read_fingerprints(work)
    if found != before:
        with contextlib.suppress(OSError):  # the corpus stands; the next build counts all of it as new
            write_fingerprints(work, found)
    kept = len(found & before)
    return Rebuilt(sum(map(len, answered.values())) - kept, kept, made.clips, made.clips_kept)


def _resolved(recipe: BuildRecipe, plugins: Sequence[Path]) -> BuildRecipe:
    """Write out what the sources know of themselves: licence and terms, rating scale, config of conversations."""

    def resolved(source: SourceRecipe) -> SourceRecipe:
        adapter = load_plugin(dataset_builder.sources, source.source, plugins)
        about, config = adapter.ABOUT, getattr(adapter, "CONFIG", None)
        if config is None and source.config is not None:
            raise CallError(f"source {source.name!r}: config is for published conversations, {source.source} has none")
        licence = source.licence or about.licence
        if not licence:
            raise CallError(f"source {source.name!r}: say the licence of its clips, such as licence: CC-BY-4.0")
        return msgspec.structs.replace(
            source,
            licence=licence,
            # A licence that the recipe declares is another one than the set's own.
            terms=source.terms or (about.terms if source.licence is None else None) or terms_of(licence),
            homepage=source.homepage or about.homepage,
            citation=source.citation or about.paper,
            scale=about.scale(source),
            config=source.config or config,
        )

    written_out = msgspec.structs.replace(recipe, sources=[resolved(source) for source in recipe.sources])
    # As it reads when it comes back from the manifest: a source may write 0 where a recipe has 0.0.
    return msgspec.convert(plain(written_out), BuildRecipe)


def _stages_of(recipe: BuildRecipe, plugins: Sequence[Path]) -> dict[str, ModuleType]:
    if not recipe.stages and any(source.config is None for source in recipe.sources):
        raise CallError(f"stages: name at least one of {', '.join(plugin_names(stages, plugins))}")
    return {name: load_plugin(stages, name, plugins) for name in dict.fromkeys(recipe.stages)}


def _ask(
    gathered: Gathered,
    run: Run,
    asked: dict[str, ModuleType],
    used_otherwise: set[str],
    pixels: Measured | None,
) -> tuple[dict[str, list[Sample]], Made]:
    """Let every stage ask; a record of which none asks anything goes to quarantine with what the stages need."""
    recipe = _portable(run.recipe)
    answered: dict[str, list[Sample]] = {name: [] for name in asked}
    # A sample names its clip by where it will lie, not by where it came from.
    placed = {record_id: _placed(record, recipe) for record_id, record in gathered.records.items()}
    checked = clip_pairs(gathered, placed, _levels(gathered, recipe), pixels, run)
    made = make_pairs(gathered, recipe, placed, checked)
    whys = whys_of_annotations(made)
    _quarantine_unused_pairs(gathered, made)
    given = Given(
        seed=recipe.seed, prompts=recipe.prompts, recipe=digest(recipe), scales=gathered.scales, pairs=made.of
    )
    needs = "; ".join(f"{name} needs {module.NEEDS}" for name, module in asked.items())
    told = {record_id for conversation in gathered.conversations for record_id in conversation.shown}
    for record_id, record in sorted(placed.items()):
        if record_id in told:
            continue
        try:
            found = {name: list(module.samples(record, given)) for name, module in asked.items()}
        except ValueError as error:
            _quarantine_record(gathered, record_id, str(error))
            _quarantine_unasked_annotations(gathered, record_id, {}, made, whys)
            continue
        for name, samples in found.items():
            answered[name] += samples
        if not any(found.values()) and record_id not in used_otherwise:
            _quarantine_record(gathered, record_id, f"no stage asks anything of this clip: {needs}")
        _quarantine_unasked_annotations(gathered, record_id, found, made, whys)
    _add_conversations(answered, gathered, recipe, placed, given)
    return answered, made


def _pixels(gathered: Gathered, run: Run) -> Measured:
    """Measure the clips of which somebody has said something. Raises CallError for a calibration of other probes."""
    calibration = read_calibration()
    said = [name for name in gathered.records if gathered.annotations.get(name)]
    clips = measuring((gathered.records[name], gathered.files[name]) for name in said)
    return measured(run.stage("measuring", measure_stage(), clips, run.work), calibration)


def _add_conversations(
    answered: dict[str, list[Sample]],
    gathered: Gathered,
    recipe: BuildRecipe,
    placed: dict[str, Record],
    given: Given,
) -> None:
    """Add the published conversations; one that does not fit its clips goes to quarantine."""
    rederived = {source.name for source in recipe.sources if source.levels == "rederived"}
    for told in gathered.conversations:
        records = [placed[record_id] for record_id in told.shown]
        source = records[0].source
        scale, rederive = given.scales.get(source), source in rederived
        try:
            sample = sample_of(told.row, records, told.config, scale, given.recipe, rederive=rederive)
        except ValueError as error:
            row = told.row
            gathered.quarantine.append(
                Quarantined(source=source, file=row.table, row=row.row, field="conversations", reason=str(error))
            )
        else:
            answered.setdefault(told.config, []).append(sample)


def _levels(gathered: Gathered, recipe: BuildRecipe) -> Callable[[Record], Level | None]:
    scales = Given(seed=recipe.seed, prompts=recipe.prompts, recipe="", scales=gathered.scales)

    def level_of(record: Record) -> Level | None:
        target = target_of(record, scales)
        return target.level if target else None

    return level_of


def _quarantine_unused_pairs(gathered: Gathered, made: Made) -> None:
    """Account for the pairs that are in no sample: the doubted ones, and of those read from a file all."""
    for pair, why in [*made.left_out, *((pair, doubts_told(pair)) for pair in made.doubtful)]:
        source = pair.record_id.partition("/")[0]
        if read := gathered.pairs.get(source):
            file, line, reason = read.file, read.rows[pair.id], why
        elif pair.doubts:
            note, _, name = pair.id.rpartition("/")
            (_, file, line), reason = gathered.annotation_rows[note], f"pair {name}: {why}"
        else:
            continue
        gathered.quarantine.append(Quarantined(source=source, file=file, row=line, field=None, reason=reason))


def _quarantine_unasked_annotations(
    gathered: Gathered, record_id: str, found: dict[str, list[Sample]], made: Made, whys: Mapping[str, str]
) -> None:
    cited = {evidence for samples in found.values() for s in samples for evidence in s.provenance.evidence}
    for annotation in gathered.annotations.get(record_id, []):
        if (name := f"annotation:{annotation.id}") not in cited and annotation.id not in made.passed_over:
            source, file, line = gathered.annotation_rows[annotation.id]
            reason = "no pair of this annotation is in the corpus: "
            read = gathered.pairs.get(source)
            nothing = "name stage3 in the recipe, or say more of the clip"
            reason += whys.get(name, nothing if read is None else f"none of {read.file!r} that may be used rests on it")
            gathered.quarantine.append(Quarantined(source=source, file=file, row=line, field=None, reason=reason))


def _placed(record: Record, recipe: BuildRecipe) -> Record:
    if recipe.media == "reference":
        return record
    sha256, suffix = record.media.sha256, PurePosixPath(record.media.path).suffix.lower()
    ending = suffix if suffix[1:].isascii() and suffix[1:].isalnum() else ""
    media = msgspec.structs.replace(record.media, path=f"media/{sha256[:2]}/{sha256}{ending}")
    return msgspec.structs.replace(record, media=media)


def _quarantine_record(gathered: Gathered, record_id: str, reason: str) -> None:
    record = gathered.records[record_id]
    table, row = gathered.rows[record_id]
    gathered.quarantine.append(
        Quarantined(source=record.source, file=table, row=row, field=None, reason=f"{record.media.path}: {reason}")
    )


def _write_data(partial: Path, gathered: Gathered, run: Run, answered: dict[str, list[Sample]]) -> None:
    for config, samples in answered.items():
        by_split: dict[str, list[Sample]] = defaultdict(list)
        for sample in samples:
            by_split[gathered.records[sample.media[0].record_id].split].append(sample)
        for split, rows in by_split.items():
            write_samples(partial, config, split, rows)
    if run.recipe.media != "copy":
        return
    shown = {m.path: m.record_id for samples in answered.values() for s in samples for m in s.media}
    advance = run.means.track("copying clips", len(shown))
    for path, record_id in sorted(shown.items()):
        target = partial / path
        target.parent.mkdir(parents=True, exist_ok=True)
        _put(gathered.files[record_id], target, gathered.records[record_id])
        advance()


def _put(file: Path, target: Path, record: Record) -> None:
    """Copy a clip into the corpus. One that was rendered here may stand in two places without taking room twice.

    Raises DataError for a file that is not what its record says: changed, gone, or damaged since.
    """
    rendered = record.origin is not None
    if not file.is_file():
        raise DataError(f"{record.id}: the file is gone since it was read: build again")
    try:
        if not rendered:
            raise FileExistsError  # the user's own file must not change with the corpus
        os.link(file, target)
    except OSError:  # that, another file system, or one without links
        shutil.copyfile(file, target)
    if sha256_of(target) == record.media.sha256:
        return
    if rendered:
        file.unlink()
        raise DataError(f"{record.id}: {file} was damaged since it was rendered and is removed: build again")
    raise DataError(f"{record.id}: the file changed since it was read: build again")


def _write_records(partial: Path, gathered: Gathered, recipe: BuildRecipe, answered: dict[str, list[Sample]]) -> None:
    """Write the record of every clip that is shown, and of the clean clips that they were made from."""
    shown = {media.record_id for samples in answered.values() for s in samples for media in s.media}
    made_from = {origin.record_id for name in shown if (origin := gathered.records[name].origin)}
    records = (_placed(gathered.records[name], recipe) for name in sorted(shown | made_from))
    write_jsonl(partial / RECORDS, records)


def _finish(
    partial: Path,
    gathered: Gathered,
    run: Run,
    answered: dict[str, list[Sample]],
    pair_counts: PairCounts | None,
) -> Manifest:
    """Write quarantine, notes, card, report and, last of all, the manifest."""
    recipe = _portable(run.recipe)
    quarantine = sorted(gathered.quarantine, key=_quarantine_order)
    counts = {config: _count(samples, gathered) for config, samples in answered.items() if samples}
    write_jsonl(partial / QUARANTINE, quarantine)
    notes = gather_notes(run.recipe.sources, run.folder, gathered.remarks)
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name=recipe.name,
        recipe_sha256=digest(recipe),
        recipe=plain(recipe),
        tools=tools(),
        scales=[gathered.scales[source.name] for source in recipe.sources if source.name in gathered.scales],
        configs=counts,
        media=recipe.media,
        records=len({media.record_id for samples in answered.values() for s in samples for media in s.media}),
        quarantined=len(quarantine),
        transient=sum(row.transient for row in quarantine),
        pairs=pair_counts,
        remarks=gathered.remarks,
        files={},
        sources=_source_notes(recipe, run, gathered, answered),
        terms=together(source.terms or Terms() for source in recipe.sources),
        reasons=by_reason(quarantine),
    )
    write_notes(partial, notes)
    write_card(partial, manifest, notes)
    clips = {m.path: gathered.files[m.record_id] for samples in answered.values() for s in samples for m in s.media}
    draw = functools.partial(run.stage, "drawing clips", draw_stage(), folder=run.work)
    write_report(partial, report(partial, manifest, notes, pictures=clips.get, draw=draw, track=run.means.track))
    files = {path: file_entry(partial / path) for path in files_of(partial)}
    manifest = msgspec.structs.replace(manifest, files=files)
    write_manifest(partial, manifest)
    return manifest


def _count(samples: Sequence[Sample], gathered: Gathered) -> ConfigCount:
    splits = Counter(gathered.records[s.media[0].record_id].split for s in samples)
    return ConfigCount(
        splits={split: splits[split] for split in SPLITS if splits[split]},
        tasks=dict(sorted(Counter(s.task for s in samples).items())),
        levels=dict(sorted(Counter(s.target.level for s in samples if s.target).items())),
        families=dict(sorted(Counter(s.provenance.family for s in samples if s.provenance.family).items())),
        generators=dict(sorted(Counter(s.provenance.generator for s in samples).items())),
    )


def _source_notes(
    recipe: BuildRecipe, run: Run, gathered: Gathered, answered: dict[str, list[Sample]]
) -> list[SourceNote]:
    shown = {media.record_id for samples in answered.values() for s in samples for media in s.media}
    records = [gathered.records[name] for name in shown]
    every = Counter(record.source for record in records)
    rendered = Counter(record.source for record in records if record.origin)

    def note(source: SourceRecipe) -> SourceNote:
        about = load_plugin(dataset_builder.sources, source.source, run.means.plugins).ABOUT
        return SourceNote(
            name=source.name,
            title=about.title,
            homepage=source.homepage,
            citation=source.citation,
            licence=source.licence or "",
            terms=source.terms or Terms(),
            records=every[source.name],
            rendered=rendered[source.name],
        )

    return [note(source) for source in recipe.sources]


def _portable(recipe: BuildRecipe) -> BuildRecipe:
    """Give the recipe as it is stored: an absolute path is kept by its name alone, so no host's path gets out."""

    def name_of(path: str) -> str:
        return Path(path).name if Path(path).is_absolute() else path

    sources = [
        msgspec.structs.replace(
            source,
            table=name_of(source.table),
            clips=name_of(source.clips),
            annotations=name_of(source.annotations) if source.annotations else None,
            pairs=name_of(source.pairs) if source.pairs else None,
            verdicts=name_of(source.verdicts) if source.verdicts else None,
            sessions=name_of(source.sessions) if source.sessions else None,
        )
        for source in recipe.sources
    ]
    return msgspec.structs.replace(recipe, sources=sources)


def _quarantine_order(row: Quarantined) -> tuple[Any, ...]:
    return row.source, row.file, row.row or 0, row.field or "", row.reason
