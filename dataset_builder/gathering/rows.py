"""Rows of label tables and the clips that they mean: what every kind of source goes through."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

from dataset_builder import engine
from dataset_builder.clip_stages import HASH, hash_work, media_of, probe_stage, probe_work
from dataset_builder.gathering.state import Gathered, Run
from dataset_builder.labels import LabelRow, Remark, RowPlace
from dataset_builder.matching import ClipFolder, NoMatchError
from dataset_builder.scales import fit_scale
from schemas.errors import DataError
from schemas.frames import motion_frame_count
from schemas.manifest import Quarantined
from schemas.recipe import SourceRecipe
from schemas.record import Media, Split
from stages.stage2_streaming import stalled_frames


def read_labels(gathered: Gathered, source: SourceRecipe, adapter: ModuleType, folder: Path) -> list[LabelRow]:
    """Read the label tables of a source; what is remarkable about them is counted and told."""
    rows: list[LabelRow] = []
    read: Counter[str] = Counter()
    remarks: Counter[str] = Counter()
    for labelled in adapter.labels(source, folder):
        if isinstance(labelled, Remark):
            remarks[labelled.text] += 1
            read[labelled.table] += bool(labelled.table)
        elif isinstance(labelled, Quarantined):
            read[labelled.file] += 1
            gathered.quarantine.append(labelled)
        else:
            read[labelled.table] += 1
            rows.append(labelled)
            if labelled.remark:
                remarks[labelled.remark] += 1
    for table, count in sorted(read.items()):
        expected = adapter.ABOUT.expected(table)
        if expected not in (None, count):
            gathered.remarks.append(f"{source.name}: {table} has {count} rows, the set publishes {expected}")
    gathered.remarks += [f"{source.name}: {count} rows: {told}" for told, count in sorted(remarks.items())]
    return rows


def fit(gathered: Gathered, source: SourceRecipe, rows: Sequence[tuple[LabelRow, Split]]) -> None:
    """Fit the level scale of a source on its rows. Raises DataError with the first unusable rows where none can be."""
    try:
        scale = fit_scale(source, rows)
    except DataError as error:
        unusable = [q for q in gathered.quarantine if q.source == source.name and q.row is not None]
        told = "".join(f"\n  {q.file} row {q.row} {q.field or ''}: {q.reason}" for q in unusable[:5])
        raise DataError(f"{error}{f'; unusable rows:{told}' if told else ''}") from None
    if scale:
        gathered.scales[source.name] = scale


def match_clips(
    source: SourceRecipe, rows: Iterable[LabelRow], clips: ClipFolder, quarantine: list[Quarantined]
) -> list[tuple[str, LabelRow]]:
    """Find the file of each row; rows that mean none go to quarantine."""
    matched = []
    for row in rows:
        try:
            matched.append((clips.match(row.clip), row))
        except NoMatchError as error:
            quarantine.append(of_row(source, row, None, str(error)))
    return matched


def without_duplicates(
    source: SourceRecipe, matched: Sequence[tuple[str, LabelRow]], quarantine: list[Quarantined]
) -> list[tuple[str, LabelRow]]:
    """Keep the first of rows that say the same of a clip; trust none of rows that contradict each other."""
    rows_of: dict[str, list[LabelRow]] = defaultdict(list)
    for path, row in matched:
        rows_of[path].append(row)
    kept = []
    for path, (first, *others) in sorted(rows_of.items()):
        if all(first.same_labels(other) for other in others):
            kept.append((path, first))
            quarantine += [of_row(source, row, path, f"duplicate of {first.told(row)}") for row in others]
            continue
        numbers = ", ".join(row.told(first).removeprefix("row ") for row in (first, *others))
        reason = f"rows {numbers} contradict each other about this clip: keep the right one"
        quarantine += [of_row(source, row, path, reason) for row in (first, *others)]
    return kept


def refuse_straddling(
    rows: Sequence[LabelRow], groups: Mapping[RowPlace, str], splits: Mapping[RowPlace, Split]
) -> None:
    """Hold a table's own split column to its content groups; a drawn split cannot straddle."""
    seen: dict[str, LabelRow] = {}
    for row in rows:
        first = seen.setdefault(groups[row.at], row)
        if splits[first.at] != splits[row.at]:
            raise DataError(
                f"{row.table}: content group {groups[row.at]!r} straddles splits: {first.told(row)} is in "
                f"{splits[first.at]}, row {row.row} in {splits[row.at]}"
            )


def quarantine_unnamed(gathered: Gathered, source: SourceRecipe, clips: ClipFolder, named: Collection[str]) -> None:
    """Send the files that no usable row names to quarantine."""
    reason = f"no usable row of {source.table} names this file: add or mend a row, or remove the file"
    gathered.quarantine += [of_file(source, path, reason) for path in clips.paths if path not in named]


def inspect_clips(
    run: Run, source: SourceRecipe, clips: ClipFolder, paths: Sequence[str]
) -> dict[str, Media | engine.Outcome]:
    """Decode clips once each: the Media of a path, or how it failed."""
    kept = run.work / quote(source.name, safe=" ")
    files = {path: clips.folder / path for path in paths}
    hashed = run.stage(f"hashing {source.name}", HASH, [hash_work(path, file) for path, file in files.items()], kept)
    probes = [
        probe_work(path, files[path], outcome.result["sha256"]) for path, outcome in hashed.items() if outcome.result
    ]
    probed = run.stage(f"reading {source.name}", probe_stage(), probes, kept)
    found: dict[str, Media | engine.Outcome] = {}
    for path in paths:
        outcome = probed.get(path, hashed[path])
        found[path] = media_of(outcome.result, path) if outcome.result else outcome
    return found


def stall_problem(row: LabelRow, media: Media) -> str | None:
    """Say why the stalls of a row cannot be those of its clip, or None if they can."""
    if row.stalls is None:
        return None
    if media.kind == "image":
        return "a still image cannot stall"
    if row.stalls and media.variable_frame_rate:
        return "the frame rate varies, so no frame can be said to stall: re-encode the clip at a constant rate"
    last = row.stalls[-1] if row.stalls else None
    if last and last.start + last.duration > media.duration + 1 / media.fps:
        return (
            f"the stall at {last.start:g} s ends at {last.start + last.duration:g} s, the clip at {media.duration:g} s"
        )
    for stall in row.stalls:
        if "1" not in stalled_frames([stall], motion_frame_count(media.frames), media.fps):
            return f"the stall at {stall.start:g} s for {stall.duration:g} s covers none of the frames that are fed"
    return None


def of_file(source: SourceRecipe, path: str, reason: str) -> Quarantined:
    """Say why a file gives no sample."""
    return Quarantined(source=source.name, file=path, row=None, field=None, reason=reason)


def of_row(source: SourceRecipe, row: LabelRow, path: str | None, reason: str, column: str = "clip") -> Quarantined:
    """Say why a row gives no sample; `column` is the key under which the recipe names the cell's column."""
    return Quarantined(
        source=source.name,
        file=row.table,
        row=row.row,
        field=getattr(source.columns, column) if source.columns else None,
        reason=f"{path}: {reason}" if path else reason,
    )
