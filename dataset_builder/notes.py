"""The notes of a corpus folder: how far its raters agree, what its language models cost."""

from __future__ import annotations

from pathlib import Path

import msgspec

from schemas.errors import DataError
from schemas.notes import Notes
from schemas.validate import Problem, check_bytes

FOLDER = "notes"
NOTES = f"{FOLDER}/notes.json"


def write_notes(corpus: Path, notes: Notes) -> None:
    """Write what there is to note; without anything there is no file."""
    if notes != Notes():
        path = corpus / NOTES
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(notes), indent=2) + b"\n")


def read_notes(corpus: Path) -> Notes:
    """Read the notes; empty ones where there are none. Raises DataError for a file that holds something else."""
    path = corpus / NOTES
    if not path.is_file():
        return Notes()
    notes = check_bytes(path.read_bytes(), Notes, NOTES, 0)
    if isinstance(notes, Problem):
        raise DataError(str(notes))
    return notes
