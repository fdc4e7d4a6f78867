"""Gathering: label rows, clips and annotations of a source brought together; what does not fit goes to quarantine."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import msgspec

import dataset_builder.sources
from dataset_builder import engine
from dataset_builder.conversations import disagreements
from dataset_builder.labels import LabelRow, Remark, RowPlace
from dataset_builder.matching import ClipFolder, NoMatchError
from dataset_builder.scales import fit_scale, split_of
from dataset_builder.session_files import read_session
from dataset_builder.tables import files_of
from schemas.annotation import Annotation
from schemas.errors import CallError, DataError
from schemas.frames import motion_frame_count
from schemas.levels import LevelScale
from schemas.manifest import Quarantined
from schemas.plugins import load_plugin
from schemas.recipe import BuildRecipe, SourceRecipe
from schemas.record import Distortion, Media, Record, Split, refuse_path
from schemas.sample import PLACEHOLDERS
from schemas.session import ClipSession, Session
from schemas.validate import Problem, read_jsonl
from stages.stage2_streaming import stalled_frames
from stages.wording.taxonomy import DEGREES

TRAIN: Split = "train"

Tracker = Callable[[str, int], Callable[[], None]]
"""Starts a progress bar (description, total) and gives the call that advances it by one."""


@dataclass(frozen=True)
class Run:
    """One run of a recipe: where its paths start, how many processes work, whose plug-ins count, who is told."""

    recipe: BuildRecipe
    folder: Path
    workers: int | None
    plugins: Sequence[Path]
    track: Tracker

    def each(self, what: str, function: str, items: Sequence[engine.Item]) -> list[engine.Outcome]:
        """Run a function by name on every item, with progress; outcomes come in the order of the items."""
        advance = self.track(what, len(items))
        return engine.run(function, items, slots=self.workers, timeout=self.recipe.timeout, on_done=lambda _: advance())


@dataclass(frozen=True)
class Told:
    """A published conversation, the corpus config that it goes into, and the ids of the records that it shows."""

    row: LabelRow
    config: str
    shown: list[str]


@dataclass(frozen=True)
class ToRender:
    """A rated session that is still to be rendered: from the record `played`, as the record `id`."""

    id: str
    played: str
    row: LabelRow
    group: str
    split: Split
    session: Session


@dataclass
class Gathered:
    """What is known after all sources were read: records by id, the annotations of each, scales, and quarantine."""

    records: dict[str, Record] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    rows: dict[str, tuple[str, int]] = field(default_factory=dict)
    annotations: dict[str, list[Annotation]] = field(default_factory=lambda: defaultdict(list))
    annotation_rows: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    scales: dict[str, LevelScale] = field(default_factory=dict)
    conversations: list[Told] = field(default_factory=list)
    sessions: list[ToRender] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


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
    return gathered


def _gather_source(gathered: Gathered, run: Run, source: SourceRecipe, left_out: Sequence[Path]) -> None:
    folder, recipe = run.folder, run.recipe
    adapter = load_plugin(dataset_builder.sources, source.source, run.plugins)
    own = [path for _, path in files_of(source.table, folder, f"source {source.name!r}")]
    own += [folder / path for path in (source.annotations, source.sessions) if path]
    clips = ClipFolder(folder / source.clips, [*left_out, *own])
    quarantine = gathered.quarantine
    quarantine += [_of_file(source, path, reason) for path, reason in clips.unusable]

    rows = _read_labels(gathered, source, adapter, folder)
    if source.config is not None:
        _gather_conversations(gathered, run, source, rows, clips)
        return
    if source.sessions is not None:
        _gather_sessions(gathered, run, source, rows, clips)
        return
    by_path = _match(source, rows, clips, quarantine)
    path_of = {row.at: path for path, row in by_path}
    groups = {row.at: row.group or f"{source.name}/{path_of.get(row.at, row.clip)}" for row in rows}
    splits = {row.at: split_of(row, groups[row.at], recipe.split, recipe.seed) for row in rows}
    _refuse_straddling(rows, groups, splits)
    _fit(gathered, source, [(row, splits[row.at]) for row in rows])
    named = set(path_of.values())
    labelled = _without_duplicates(source, by_path, quarantine)
    _quarantine_unnamed(gathered, source, clips, named)
    media_of = _inspect(run, source, clips, [path for path, _ in labelled])
    for path, row in labelled:
        media = media_of[path]
        if isinstance(media, engine.Outcome):
            failure = _of_row(source, row, path, media.error or "")
            quarantine.append(msgspec.structs.replace(failure, transient=media.transient))
            continue
        if problem := stall_problem(row, media):
            quarantine.append(_of_row(source, row, None, problem, column="stalls"))
            continue
        record = Record(
            id=f"{source.name}/{path}",
            source=source.name,
            licence=source.licence or "",
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
        _gather_annotations(gathered, source, folder / source.annotations, clips)


def _read_labels(gathered: Gathered, source: SourceRecipe, adapter: ModuleType, folder: Path) -> list[LabelRow]:
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


def _fit(gathered: Gathered, source: SourceRecipe, rows: Sequence[tuple[LabelRow, Split]]) -> None:
    try:
        scale = fit_scale(source, rows)
    except DataError as error:
        unusable = [q for q in gathered.quarantine if q.source == source.name and q.row is not None]
        told = "".join(f"\n  {q.file} row {q.row} {q.field or ''}: {q.reason}" for q in unusable[:5])
        raise DataError(f"{error}{f'; unusable rows:{told}' if told else ''}") from None
    if scale:
        gathered.scales[source.name] = scale


def _quarantine_unnamed(gathered: Gathered, source: SourceRecipe, clips: ClipFolder, named: Collection[str]) -> None:
    reason = f"no usable row of {source.table} names this file: add or mend a row, or remove the file"
    gathered.quarantine += [_of_file(source, path, reason) for path in clips.paths if path not in named]


def _inspect(
    run: Run, source: SourceRecipe, clips: ClipFolder, paths: Sequence[str]
) -> dict[str, Media | engine.Outcome]:
    """Decode clips once each: the Media of a path, or how it failed."""
    items = [{"path": str(clips.folder / path), "relative": path} for path in paths]
    outcomes = run.each(f"reading {source.name}", "dataset_builder.video:inspect_item", items)
    return {
        path: outcome if outcome.result is None else msgspec.convert(outcome.result, Media)
        for path, outcome in zip(paths, outcomes, strict=True)
    }


def _gather_conversations(
    gathered: Gathered, run: Run, source: SourceRecipe, rows: Sequence[LabelRow], clips: ClipFolder
) -> None:
    """Bring published conversations and the clips that they show together. All are training data: split train."""
    paths_of: dict[RowPlace, list[str]] = {}
    for row in rows:
        try:
            paths_of[row.at] = [clips.match(name) for name in row.conversation.media] if row.conversation else []
        except NoMatchError as error:
            gathered.quarantine.append(_of_row(source, row, None, str(error)))
    # Rows without scores have nothing to fit a range on, nor need of one.
    scored = [(row, TRAIN) for row in rows if row.score]
    if scored:
        _fit(gathered, source, scored)
    gathered.remarks += [f"{source.name}: {told}" for told in disagreements(rows, gathered.scales.get(source.name))]
    named = sorted({path for paths in paths_of.values() for path in paths})
    _quarantine_unnamed(gathered, source, clips, set(named))
    media_of = _inspect(run, source, clips, named)
    for path, media in media_of.items():
        if isinstance(media, Media):
            record = Record(
                id=f"{source.name}/{path}",
                source=source.name,
                licence=source.licence or "",
                group=f"{source.name}/{path}",
                split=TRAIN,
                media=media,
            )
            gathered.records[record.id] = record
            gathered.files[record.id] = clips.folder / path
    for row in rows:
        paths = paths_of.get(row.at)
        if paths is None:
            continue
        failed = [(path, media) for path in paths if isinstance(media := media_of[path], engine.Outcome)]
        for path, outcome in failed[:1]:
            failure = _of_row(source, row, path, outcome.error or "")
            gathered.quarantine.append(msgspec.structs.replace(failure, transient=outcome.transient))
        if not failed:
            shown = [f"{source.name}/{path}" for path in paths]
            for record_id in shown:
                gathered.rows.setdefault(record_id, row.at)
            gathered.conversations.append(Told(row, source.config or "", shown))


def _gather_sessions(
    gathered: Gathered, run: Run, source: SourceRecipe, rows: Sequence[LabelRow], clips: ClipFolder
) -> None:
    """Bring the rows of rated sessions, the sessions, and the clips that these are played from together."""
    told = _read_sessions(gathered, source, run.folder)
    paths_of: dict[RowPlace, str] = {}
    named: list[tuple[str, LabelRow]] = []
    for row in rows:
        try:
            if row.clip not in told:
                near = difflib.get_close_matches(row.clip, told, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise NoMatchError(f"{source.sessions} has no session of {row.clip!r}{hint}")
            paths_of[row.at] = clips.match(told[row.clip].media or row.clip)
            named.append((row.clip, row))
        except NoMatchError as error:
            gathered.quarantine.append(_of_row(source, row, None, str(error)))
    groups = {row.at: row.group or f"{source.name}/{paths_of.get(row.at, row.clip)}" for row in rows}
    splits = {row.at: split_of(row, groups[row.at], run.recipe.split, run.recipe.seed) for row in rows}
    _refuse_straddling(rows, groups, splits)
    _fit(gathered, source, [(row, splits[row.at]) for row in rows])
    unused = set(told) - {row.clip for row in rows}
    for line in told.values():
        if line.clip in unused:
            reason = f"no usable row of {source.table} names the session {line.clip!r}: add or mend a row"
            gathered.quarantine.append(_of_file(source, source.sessions or "", reason))
    kept = _without_duplicates(source, named, gathered.quarantine)
    _quarantine_unnamed(gathered, source, clips, set(paths_of.values()))
    media_of = _inspect(run, source, clips, sorted({paths_of[row.at] for _, row in kept}))
    for name, row in kept:
        path = paths_of[row.at]
        media = media_of[path]
        if isinstance(media, engine.Outcome):
            failure = _of_row(source, row, path, media.error or "")
            gathered.quarantine.append(msgspec.structs.replace(failure, transient=media.transient))
            continue
        group, split = groups[row.at], splits[row.at]
        played = Record(
            id=f"{source.name}/{path}",
            source=source.name,
            licence=source.licence or "",
            group=group,
            split=split,
            media=media,
        )
        first = gathered.records.setdefault(played.id, played)
        if first.split != split:
            raise DataError(f"{path!r} is played in sessions of {first.split} and of {split}: give them one group")
        gathered.files[played.id] = clips.folder / path
        gathered.rows.setdefault(played.id, row.at)
        session = told[name].session
        assert session is not None
        gathered.sessions.append(ToRender(f"{played.id}@{name}", played.id, row, group, split, session))


def _read_sessions(gathered: Gathered, source: SourceRecipe, folder: Path) -> dict[str, ClipSession]:
    """Read a file of sessions, by the names of the clips to be rendered, with the logs that it names read in."""
    assert source.sessions is not None
    path = folder / source.sessions
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise CallError(f"source {source.name!r}: there is no file of sessions {source.sessions!r}{hint}")
    found: dict[str, ClipSession] = {}
    for line, row in read_jsonl(path, ClipSession, source.sessions):
        if isinstance(row, Problem):
            reason, where = row.rule, row.field or None
        elif row.clip in found:
            reason, where = f"another session is called {row.clip!r}", "clip"
        elif row.log is None:
            found[row.clip] = row
            continue
        else:
            where = "log"
            try:
                if reason := refuse_path(row.log) or "":
                    raise DataError(reason)
                session = read_session(path.parent / row.log)
            except (CallError, DataError) as error:
                reason = str(error)
            else:
                found[row.clip] = msgspec.structs.replace(row, log=None, session=session)
                continue
        gathered.quarantine.append(
            Quarantined(source=source.name, file=source.sessions, row=line, field=where, reason=reason)
        )
    return found


def _match(
    source: SourceRecipe, rows: Iterable[LabelRow], clips: ClipFolder, quarantine: list[Quarantined]
) -> list[tuple[str, LabelRow]]:
    matched = []
    for row in rows:
        try:
            matched.append((clips.match(row.clip), row))
        except NoMatchError as error:
            quarantine.append(_of_row(source, row, None, str(error)))
    return matched


def _without_duplicates(
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
            quarantine += [_of_row(source, row, path, f"duplicate of {first.told(row)}") for row in others]
            continue
        numbers = ", ".join(row.told(first).removeprefix("row ") for row in (first, *others))
        reason = f"rows {numbers} contradict each other about this clip: keep the right one"
        quarantine += [_of_row(source, row, path, reason) for row in (first, *others)]
    return kept


def _refuse_straddling(
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


def _gather_annotations(gathered: Gathered, source: SourceRecipe, path: Path, clips: ClipFolder) -> None:
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise CallError(f"source {source.name!r}: there is no file of annotations {source.annotations!r}{hint}")
    assert source.annotations is not None
    for line, annotation in read_jsonl(path, Annotation, source.annotations):
        row = {"source": source.name, "file": source.annotations, "row": line}
        if isinstance(annotation, Problem):
            reason, where = annotation.rule, annotation.field or None
        else:
            reason, where = _annotation_problem(gathered, source, annotation, clips)
            if not reason:
                record_id = f"{source.name}/{clips.match(annotation.clip)}"
                gathered.annotations[record_id].append(annotation)
                gathered.annotation_rows[annotation.id] = (source.name, source.annotations, line)
                continue
        gathered.quarantine.append(Quarantined(**row, field=where, reason=reason))  # type: ignore[arg-type]


def _annotation_problem(
    gathered: Gathered, source: SourceRecipe, annotation: Annotation, clips: ClipFolder
) -> tuple[str, str | None]:
    try:
        record = gathered.records.get(f"{source.name}/{clips.match(annotation.clip)}")
    except NoMatchError as error:
        return str(error), "clip"
    if record is None:
        return "its clip is in quarantine", "clip"
    if annotation.id in gathered.annotation_rows:
        return f"another annotation is called {annotation.id!r}", "id"
    text = msgspec.json.encode(annotation).decode()
    if found := next((p for p in PLACEHOLDERS if p in text), None):
        return f"the text holds {found}, which stands for media: write it otherwise", None
    seen = [(a.name, a.start, a.end) for a in annotation.attributes]
    for attribute in annotation.attributes:
        if attribute.degree not in DEGREES:
            near = difflib.get_close_matches(attribute.degree, DEGREES, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(DEGREES)}"
            return f"{attribute.name!r}: no degree is called {attribute.degree!r}; {hint}", "attributes"
        if seen.count((attribute.name, attribute.start, attribute.end)) > 1:
            return f"{attribute.name!r} is named twice for the same time: keep one", "attributes"
        if attribute.end is not None and attribute.end > record.media.duration + 1 / record.media.fps:
            return (
                f"{attribute.name!r} ends at {attribute.end:g} s, the clip at {record.media.duration:g} s",
                "attributes",
            )
    return "", None


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


def _of_file(source: SourceRecipe, path: str, reason: str) -> Quarantined:
    return Quarantined(source=source.name, file=path, row=None, field=None, reason=reason)


def _of_row(source: SourceRecipe, row: LabelRow, path: str | None, reason: str, column: str = "clip") -> Quarantined:
    return Quarantined(
        source=source.name,
        file=row.table,
        row=row.row,
        field=getattr(source.columns, column) if source.columns else None,
        reason=f"{path}: {reason}" if path else reason,
    )
