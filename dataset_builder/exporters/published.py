"""Published conversations as they were published: every row of the source file again, unchanged.

The media paths are those of the publisher, relative to the publisher's folder of media.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

import orjson

from dataset_builder.conversations import published_row
from schemas.errors import DataError
from schemas.sample import Sample

LOSES = "what was added here: record ids, checksums, frame counts, targets and their ranges"
SUFFIX = ".json"


def write(samples: Iterable[Sample], file: BinaryIO) -> int:
    """Write the rows as one JSON list. Raises DataError naming a sample that was made here."""
    count = 0
    file.write(b"[")
    for sample in samples:
        try:
            row = published_row(sample)
        except ValueError as error:
            raise DataError(str(error)) from None
        file.write((b",\n" if count else b"\n") + orjson.dumps(row))
        count += 1
    file.write(b"\n]\n")
    return count
