"""Rated sessions, what is known of their playback, and the clips that they are played from, brought together."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dataset_builder import engine
from dataset_builder.gathering.rows import (
    fit,
    inspect_clips,
    of_file,
    of_row,
    quarantine_unnamed,
    refuse_straddling,
    without_duplicates,
)
from dataset_builder.gathering.state import Gathered, Run, ToRender
from dataset_builder.labels import LabelRow, RowPlace
from dataset_builder.matching import ClipFolder, NoMatchError
from dataset_builder.scales import split_of
from dataset_builder.streaming.files import read_session
from schemas.errors import CallError, DataError
from schemas.licence import Terms
from schemas.manifest import Quarantined
from schemas.recipe import SourceRecipe
from schemas.record import Record, refuse_path
from schemas.session import ClipSession
from schemas.validate import Problem, read_jsonl


def gather_sessions(
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
            gathered.quarantine.append(of_row(source, row, None, str(error)))
    groups = {row.at: row.group or f"{source.name}/{paths_of.get(row.at, row.clip)}" for row in rows}
    splits = {row.at: split_of(row, groups[row.at], run.recipe.split, run.recipe.seed) for row in rows}
    refuse_straddling(rows, groups, splits)
    fit(gathered, source, [(row, splits[row.at]) for row in rows])
    unused = set(told) - {row.clip for row in rows}
    for line in told.values():
        if line.clip in unused:
            reason = f"no usable row of {source.table} names the session {line.clip!r}: add or mend a row"
            gathered.quarantine.append(of_file(source, source.sessions or "", reason))
    kept = without_duplicates(source, named, gathered.quarantine)
    quarantine_unnamed(gathered, source, clips, set(paths_of.values()))
    media_of = inspect_clips(run, source, clips, sorted({paths_of[row.at] for _, row in kept}))
    for name, row in kept:
        path = paths_of[row.at]
        media = media_of[path]
        if isinstance(media, engine.Outcome):
            failure = of_row(source, row, path, media.error or "")
            gathered.quarantine.append(msgspec.structs.replace(failure, transient=media.transient))
            continue
        group, split = groups[row.at], splits[row.at]
        played = Record(
            id=f"{source.name}/{path}",
            source=source.name,
            licence=source.licence or "",
            terms=source.terms or Terms(),
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
