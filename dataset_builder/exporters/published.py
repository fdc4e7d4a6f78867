"""Published conversations as they were published: every row of the source file again, unchanged.

The media paths are those of the publisher, relative to the publisher's folder of media. The rows hold nothing of ours,
so they are read by building a corpus of them again, with the source that they came by.
"""

from __future__ import annotations

from typing import Any

from dataset_builder.conversations import published_row
from schemas.errors import DataError
from schemas.sample import Sample

LOSES = "what was added here: record ids, checksums, frame counts, targets and their ranges"
DATA = ".json"


def row(sample: Sample) -> dict[str, Any]:
    """Give the row as it was. Raises DataError naming a sample that was made here."""
    try:
        return published_row(sample)
    except ValueError as error:
        raise DataError(str(error)) from None
