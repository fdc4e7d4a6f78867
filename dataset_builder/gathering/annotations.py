"""Experts' annotations brought to the records of their clips."""

from __future__ import annotations

import difflib
from pathlib import Path

import msgspec

from dataset_builder.gathering.state import Gathered
from dataset_builder.matching import ClipFolder, NoMatchError
from schemas.annotation import Annotation
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.recipe import SourceRecipe
from schemas.record import Record
from schemas.sample import PLACEHOLDERS
from schemas.validate import Problem, read_jsonl
from stages.wording.taxonomy import DEGREES


def gather_annotations(gathered: Gathered, source: SourceRecipe, path: Path, clips: ClipFolder) -> None:
    """Read a source's file of annotations; one that fits no record goes to quarantine. Raises CallError without it."""
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
    return problem_of(annotation, record)


def problem_of(annotation: Annotation, record: Record) -> tuple[str, str | None]:
    """Say what of an annotation cannot be used for the clip of a record, and in which field; empty where all can."""
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
