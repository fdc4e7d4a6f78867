"""The two binary formats of Xet, read as far as the server needs it.

Source: Xet protocol specification 1.0, https://huggingface.co/docs/xet (pages "xorb" and "shard"). All integers are
little-endian. A xorb holds chunks of up to 128 KiB; a shard says which chunks make up which file.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

import pyarrow as pa

SHARD_HEADER = 48
ENTRY = 48
BOOKEND = b"\xff" * 32 + bytes(16)
WITH_VERIFICATION = 1 << 31
WITH_SHA256 = 1 << 30
CHUNK_HEADER = 8
STORED, LZ4, GROUPED_LZ4 = 0, 1, 2


@dataclass(frozen=True)
class Term:
    """Chunks `start` to `end` (exclusive) of a xorb, which unpack to `size` bytes of a file."""

    xorb: str
    size: int
    start: int
    end: int


@dataclass(frozen=True)
class XetFile:
    """How a file is put together; the sha256 is what the uploader says it is."""

    hash: str
    sha256: str
    terms: tuple[Term, ...]

    @property
    def size(self) -> int:
        return sum(term.size for term in self.terms)


@dataclass(frozen=True)
class XorbListing:
    """The entries of one xorb in a shard as they stand there, and the hashes of its chunks."""

    hash: str
    raw: bytes
    chunks: tuple[str, ...]


@dataclass(frozen=True)
class Shard:
    """What one upload registers."""

    header: bytes
    files: tuple[XetFile, ...]
    xorbs: tuple[XorbListing, ...]


@dataclass(frozen=True)
class XorbIndex:
    """Where the chunks of a xorb lie: n + 1 offsets in its file, and n sizes once unpacked."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]


def hash_text(digest: bytes) -> str:
    """The text form of a hash: four 64-bit numbers in hexadecimal, so not the plain order of bytes."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))


def read_shard(data: bytes) -> Shard:
    """ValueError or struct.error if it is none."""
    at = SHARD_HEADER
    files = []
    while data[at : at + 32] != BOOKEND[:32]:
        digest, flags, count = struct.unpack_from("<32sII", data, at)
        at += ENTRY
        terms = []
        for _ in range(count):
            xorb, _flags, size, start, end = struct.unpack_from("<32sIIII", data, at)
            terms.append(Term(hash_text(xorb), size, start, end))
            at += ENTRY
        if flags & WITH_VERIFICATION:
            at += count * ENTRY
        if not flags & WITH_SHA256:
            raise ValueError("a file without its sha256")
        sha256 = hash_text(struct.unpack_from("<32s", data, at)[0])
        at += ENTRY
        files.append(XetFile(hash_text(digest), sha256, tuple(terms)))
    at += ENTRY
    xorbs = []
    while data[at : at + 32] != BOOKEND[:32]:
        digest, _flags, count = struct.unpack_from("<32sII", data, at)
        end = at + ENTRY * (1 + count)
        chunks = tuple(hash_text(data[entry : entry + 32]) for entry in range(at + ENTRY, end, ENTRY))
        xorbs.append(XorbListing(hash_text(digest), data[at:end], chunks))
        at = end
    return Shard(data[:SHARD_HEADER], tuple(files), tuple(xorbs))


def write_dedupe_shard(header: bytes, xorbs: list[XorbListing], expires: int) -> bytes:
    """The answer to "who has this chunk": no files, the xorbs that have it, and a footer of 200 bytes."""
    listed = b"".join(xorb.raw for xorb in xorbs)
    cas_offset = SHARD_HEADER + ENTRY
    footer_offset = cas_offset + len(listed) + ENTRY
    # Three lookup tables may follow the entries: (where, how many). hf_xet takes the first for the end of the entries.
    tables = (footer_offset, 0) * 3
    no_key = bytes(32)
    footer = struct.pack("<9Q", 1, SHARD_HEADER, cas_offset, *tables) + no_key
    footer += struct.pack("<QQ", 0, expires) + bytes(72) + struct.pack("<Q", footer_offset)
    return header[:40] + struct.pack("<Q", len(footer)) + BOOKEND + listed + BOOKEND + footer


@cache
def xorb_index(path: Path) -> XorbIndex:
    """ValueError if the file does not end where a chunk does, or where the optional footer starts."""
    lengths, sizes = [], []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = 0
        while at < len(data) and data[at : at + 7] != b"XETBLOB":
            packed, _scheme, size = _chunk_header(data[at : at + CHUNK_HEADER])
            lengths.append(CHUNK_HEADER + packed)
            sizes.append(size)
            at += lengths[-1]
        if at > len(data):
            raise ValueError("a chunk is cut off")
    return XorbIndex(tuple(accumulate(lengths, initial=0)), tuple(sizes))


def unpack(path: Path, start: int, end: int) -> Iterator[bytes]:
    """The chunks `start` to `end` of the xorb in `path`. ValueError if they unpack to other sizes."""
    offsets = xorb_index(path).offsets
    with path.open("rb") as file:
        file.seek(offsets[start])
        for _ in range(start, end):
            length, scheme, size = _chunk_header(file.read(CHUNK_HEADER))
            packed = file.read(length)
            if scheme == STORED:
                chunk = packed
            elif scheme in {LZ4, GROUPED_LZ4}:
                chunk = pa.decompress(packed, size, codec="lz4", asbytes=True)
                if scheme == GROUPED_LZ4:
                    chunk = _ungroup(chunk)
            else:
                raise ValueError(f"compression scheme {scheme}")
            if len(chunk) != size:
                raise ValueError(f"a chunk of {len(chunk)} bytes, not {size}")
            yield chunk


def _chunk_header(header: bytes) -> tuple[int, int, int]:
    if len(header) != CHUNK_HEADER or header[0] != 0:
        raise ValueError("no chunk header where one should be")
    return int.from_bytes(header[1:4], "little"), header[4], int.from_bytes(header[5:8], "little")


def _ungroup(grouped: bytes) -> bytes:
    """Bytes stand sorted by their position modulo 4; the first groups have one more where 4 does not divide."""
    chunk = bytearray(len(grouped))
    at = 0
    for position in range(4):
        count = len(range(position, len(grouped), 4))
        chunk[position::4] = grouped[at : at + count]
        at += count
    return bytes(chunk)
