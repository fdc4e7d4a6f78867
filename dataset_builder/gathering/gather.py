"""Rows, clips and annotations of all sources brought together, and held to one another across sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

import dataset_builder.sources
from dataset_builder import engine
from dataset_builder.gathering.annotations import gather_annotations
from dataset_builder.gathering.conversations import gather_conversations
from dataset_builder.gathering.pairs import gather_pairs
from dataset_builder.gathering.rows import (
    fit,
    inspect_clips,
    match_clips,
    of_file,
    of_row,
    quarantine_unnamed,
    read_labels,
    refuse_straddling,
    stall_problem,
    without_duplicates,
)
from dataset_builder.gathering.sessions import gather_sessions
from dataset_builder.gathering.state import Gathered, Run
from dataset_builder.matching import ClipFolder
from dataset_builder.scales import split_of
from dataset_builder.tables import files_of
from schemas.errors import CallError, DataError
from schemas.licence import Terms
from schemas.manifest import Quarantined
from schemas.plugins import load_plugin
from schemas.recipe import SourceRecipe
from schemas.record import Distortion, Record


def gather(run: Run, left_out: Sequence[Path]) -> Gathered:
    """Read all sources of a recipe and decode every labelled clip once; files in `left_out` are no clips."""
    names = [source.name for source in run.recipe.sources]
    if twice := [name for name in names if names.count(name) > 1]:
        raise CallError(f"two sources are called {twice[0]!r}")
    gathered = Gathered()
    for source in run.recipe.sources:
        _gather_source(gathered, run, source, left_out)
    _refuse_groups_across_splits(gathered)
    _refuse_same_bytes_across_splits(gathered)
    _tell_same_bytes(gathered)
    return gathered


def _tell_same_bytes(gathered: Gathered) -> None:
    """Tell of clips that are the same file under another name: each counts as a clip of its own."""
    first: dict[str, Record] = {}
    for record_id in sorted(gathered.records):
        record = gathered.records[record_id]
        other = first.setdefault(record.media.sha256, record)
        if other is not record:
            scores = [r.score.value if r.score else None for r in (other, record)]
            unlike = f", with another score ({scores[0]} and {scores[1]})" if scores[0] != scores[1] else ""
            gathered.remarks.append(f"{record.source}: {record.id!r} is the same file as {other.id!r}{unlike}")


def _gather_source(gathered: Gathered, run: Run, source: SourceRecipe, left_out: Sequence[Path]) -> None:
    folder, recipe = run.folder, run.recipe
    adapter = load_plugin(dataset_builder.sources, source.source, run.means.plugins)
    own = [path for _, path in files_of(source.table, folder, f"source {source.name!r}")]
    own += [folder / path for path in (source.annotations, source.pairs, source.verdicts, source.sessions) if path]
    clips = ClipFolder(folder / source.clips, [*left_out, *own])
    quarantine = gathered.quarantine
    quarantine += [of_file(source, path, reason) for path, reason in clips.unusable]

    rows = read_labels(gathered, source, adapter, folder)
    if source.config is not None:
        gather_conversations(gathered, run, source, rows, clips)
        return
    if source.sessions is not None:
        gather_sessions(gathered, run, source, rows, clips)
        return
    by_path = match_clips(source, rows, clips, quarantine)
    path_of = {row.at: path for path, row in by_path}
    groups = {row.at: row.group or f"{source.name}/{path_of.get(row.at, row.clip)}" for row in rows}
    splits = {row.at: split_of(row, groups[row.at], recipe.split, recipe.seed) for row in rows}
    refuse_straddling(rows, groups, splits)
    fit(gathered, source, [(row, splits[row.at]) for row in rows])
    named = set(path_of.values())
    labelled = without_duplicates(source, by_path, quarantine)
    quarantine_unnamed(gathered, source, clips, named)
    media_of = inspect_clips(run, source, clips, [path for path, _ in labelled])
    for path, row in labelled:
        media = media_of[path]
        if isinstance(media, engine.Outcome):
            failure = of_row(source, row, path, media.error or "")
            quarantine.append(msgspec.structs.replace(failure, transient=media.transient))
            continue
        if problem := stall_problem(row, media):
            quarantine.append(of_row(source, row, None, problem, column="stalls"))
            continue
        record = Record(
            id=f"{source.name}/{path}",
            source=source.name,
            licence=source.licence or "",
            terms=source.terms or Terms(),
            group=groups[row.at],
            split=splits[row.at],
            media=media,
            score=row.score,
            distortions=[Distortion(name=name, main=index == 0) for index, name in enumerate(row.distortions)],
            stalls=row.stalls,
        )
        gathered.records[record.id] = record
        gathered.files[record.id] = clips.folder / path
        gathered.rows[record.id] = row.at
    if source.annotations:
        gather_annotations(gathered, source, folder / source.annotations, clips)
    if source.pairs:
        gather_pairs(gathered, source, folder)


def _refuse_groups_across_splits(gathered: Gathered) -> None:
    """Hold the split columns of several tables to the content groups that they share."""
    first: dict[str, Record] = {}
    for record in gathered.records.values():
        other = first.setdefault(record.group, record)
        if other.split != record.split:
            raise DataError(
                f"content group {record.group!r} straddles splits: {other.id!r} is in {other.split}, "
                f"{record.id!r} in {record.split}"
            )


def _refuse_same_bytes_across_splits(gathered: Gathered) -> None:
    """Keep the first (by id) of records with the same bytes in different splits: the others would leak."""
    first: dict[str, Record] = {}
    for record_id in sorted(gathered.records):
        record = gathered.records[record_id]
        other = first.setdefault(record.media.sha256, record)
        if other.split != record.split:
            table, row = gathered.rows[record_id]
            reason = f"the same bytes as {other.id!r}, which is in split {other.split}: give both one group"
            gathered.quarantine.append(
                Quarantined(source=record.source, file=table, row=row, field=None, reason=reason)
            )
            for annotation in gathered.annotations.pop(record_id, []):
                name, file, line = gathered.annotation_rows[annotation.id]
                gathered.quarantine.append(
                    Quarantined(source=name, file=file, row=line, field="clip", reason="its clip is in quarantine")
                )
            del gathered.records[record_id]
