"""Published conversations and the clips that they show, brought together."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dataset_builder import engine
from dataset_builder.conversations import disagreements
from dataset_builder.gathering.rows import fit, inspect_clips, of_row, quarantine_unnamed
from dataset_builder.gathering.state import Gathered, Run, Told
from dataset_builder.labels import LabelRow, RowPlace
from dataset_builder.matching import ClipFolder, NoMatchError
from schemas.licence import Terms
from schemas.recipe import SourceRecipe
from schemas.record import Media, Record, Split

TRAIN: Split = "train"


def gather_conversations(
    gathered: Gathered, run: Run, source: SourceRecipe, rows: Sequence[LabelRow], clips: ClipFolder
) -> None:
    """Bring published conversations and the clips that they show together. All are training data: split train."""
    paths_of: dict[RowPlace, list[str]] = {}
    for row in rows:
        try:
            paths_of[row.at] = [clips.match(name) for name in row.conversation.media] if row.conversation else []
        except NoMatchError as error:
            gathered.quarantine.append(of_row(source, row, None, str(error)))
    # Rows without scores have nothing to fit a range on, nor need of one.
    scored = [(row, TRAIN) for row in rows if row.score]
    if scored:
        fit(gathered, source, scored)
    gathered.remarks += [f"{source.name}: {told}" for told in disagreements(rows, gathered.scales.get(source.name))]
    named = sorted({path for paths in paths_of.values() for path in paths})
    quarantine_unnamed(gathered, source, clips, set(named))
    media_of = inspect_clips(run, source, clips, named)
    for path, media in media_of.items():
        if isinstance(media, Media):
            record = Record(
                id=f"{source.name}/{path}",
                source=source.name,
                licence=source.licence or "",
                terms=source.terms or Terms(),
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
            failure = of_row(source, row, path, outcome.error or "")
            gathered.quarantine.append(msgspec.structs.replace(failure, transient=outcome.transient))
        if not failed:
            shown = [f"{source.name}/{path}" for path in paths]
            for record_id in shown:
                gathered.rows.setdefault(record_id, row.at)
            gathered.conversations.append(Told(row, source.config or "", shown))
