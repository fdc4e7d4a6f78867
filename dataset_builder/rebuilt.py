"""How many samples of a build are as the last build of the same work folder left them: counted, never guessed.

A fingerprint of every sample of the last corpus is kept beside the other work: 8 bytes each of the hash of its line
and of where it stands. One that is damaged or gone counts as a build of nothing before.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BYTES = 8
PLACE = Path("samples") / "fingerprints"


@dataclass(frozen=True)
class Rebuilt:
    """How many samples are new or other than in the last build, and how many are the same.

    Of `clips` the pairs were made and checked, of `clips_kept` those of an earlier build were taken.
    """

    samples: int
    samples_kept: int
    clips: int
    clips_kept: int


def fingerprints(corpus: Path) -> set[bytes]:
    """Give the fingerprint of every sample of a corpus: of its config, split and line."""
    return {
        hashlib.blake2b(place + line, digest_size=BYTES).digest()
        for path in sorted((corpus / "data").glob("*/*.jsonl"))
        for place in [f"{path.parent.name}/{path.name.partition('-')[0]}\0".encode()]
        for line in _lines(path)
    }


def read_fingerprints(work: Path) -> set[bytes]:
    """Give the fingerprints that the last build left; none where they are damaged."""
    try:
        content = (work / PLACE).read_bytes()
    except OSError:
        return set()
    checksum, found = content[:BYTES], content[BYTES:]
    if checksum != _checksum(found):
        return set()
    return {found[at : at + BYTES] for at in range(0, len(found), BYTES)}


def write_fingerprints(work: Path, found: set[bytes]) -> None:
    """Keep the fingerprints for the next build; they appear whole or not at all. Raises OSError."""
    place = work / PLACE
    place.parent.mkdir(parents=True, exist_ok=True)
    content = b"".join(sorted(found))
    handle, name = tempfile.mkstemp(dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_checksum(content) + content)
        Path(name).replace(place)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def told(found: Rebuilt) -> str:
    """Put it into words."""
    line = f"{found.samples} samples are new or changed, {found.samples_kept} as in the last build"
    if not found.clips + found.clips_kept:
        return f"{line}."
    return f"{line}; pairs were checked of {found.clips} clips, and kept of {found.clips_kept}."


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as lines:
        yield from lines


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=BYTES).digest()
