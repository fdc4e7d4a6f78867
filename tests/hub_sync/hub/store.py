"""Where the bytes lie: named by their hash, written under another name first, so never half there."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.hub_sync.hub import xet

DEDUPE_SECONDS = 7 * 24 * 3600


def blob_hash(data: bytes) -> str:
    """What git calls a file with these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Store:
    """Regular files by git's hash, large ones by sha256: as they are, or as a recipe of xorbs' chunks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("blobs", "large", "xorbs", "shards", "coming"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.xet_files: dict[str, xet.XetFile] = {}
        self.xet_by_sha256: dict[str, xet.XetFile] = {}
        self._xorb_of_chunk: dict[str, xet.XorbListing] = {}
        self._shard_header = b""
        self._lock = threading.Lock()

    def coming(self) -> Path:
        """A name for what is not complete yet."""
        return self.folder / "coming" / uuid.uuid4().hex

    def put_blob(self, data: bytes) -> str:
        oid = blob_hash(data)
        path = self.blob(oid)
        if not path.exists():
            coming = self.coming()
            coming.write_bytes(data)
            coming.replace(path)
        return oid

    def blob(self, oid: str) -> Path:
        return self.folder / "blobs" / oid

    def keep_large(self, coming: Path, sha256: str) -> None:
        """ValueError if the file is not what it is called; it is then gone."""
        with coming.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            coming.unlink()
            raise ValueError(f"the bytes have the sha256 {found}")
        coming.replace(self.folder / "large" / sha256)

    def has_large(self, sha256: str) -> bool:
        return sha256 in self.xet_by_sha256 or (self.folder / "large" / sha256).exists()

    def large_size(self, sha256: str) -> int:
        known = self.xet_by_sha256.get(sha256)
        return known.size if known else (self.folder / "large" / sha256).stat().st_size

    def large(self, sha256: str) -> Path:
        """The plain file, for readers without Xet; put together on first use. ValueError if it comes out wrong."""
        path = self.folder / "large" / sha256
        if not path.exists():
            coming = self.coming()
            with coming.open("wb") as file:
                file.writelines(self._rebuild(self.xet_by_sha256[sha256]))
            self.keep_large(coming, sha256)
        return path

    def xorb(self, name: str) -> Path:
        return self.folder / "xorbs" / name

    def put_xorb(self, name: str, data: bytes) -> bool:
        """Whether it is new. ValueError if it cannot be read; that its hash is right shows when files are rebuilt."""
        if self.xorb(name).exists():
            return False
        coming = self.coming()
        coming.write_bytes(data)
        try:
            xet.xorb_index(coming)
        except ValueError:
            coming.unlink()
            raise
        coming.replace(self.xorb(name))
        return True

    def put_shard(self, data: bytes) -> bool:
        """Whether it is new. ValueError if a file of it cannot be rebuilt to the sha256 that it names."""
        shard = xet.read_shard(data)
        for file in shard.files:
            if file.hash in self.xet_files:
                continue
            digest = hashlib.sha256()
            for piece in self._rebuild(file):
                digest.update(piece)
            if digest.hexdigest() != file.sha256:
                raise ValueError(f"the file {file.hash} has the sha256 {digest.hexdigest()}, not {file.sha256}")
        path = self.folder / "shards" / hashlib.sha256(data).hexdigest()
        new = not path.exists()
        path.write_bytes(data)
        with self._lock:
            self._shard_header = shard.header
            for file in shard.files:
                self.xet_files[file.hash] = file
                self.xet_by_sha256[file.sha256] = file
            for xorb in shard.xorbs:
                for chunk in xorb.chunks:
                    self._xorb_of_chunk.setdefault(chunk, xorb)
        return new

    def dedupe(self, chunk: str) -> bytes | None:
        """A shard that names a xorb with this chunk."""
        xorb = self._xorb_of_chunk.get(chunk)
        if xorb is None:
            return None
        return xet.write_dedupe_shard(self._shard_header, [xorb], int(time.time()) + DEDUPE_SECONDS)

    def _rebuild(self, file: xet.XetFile) -> Iterator[bytes]:
        for term in file.terms:
            path = self.xorb(term.xorb)
            if not path.exists():
                raise ValueError(f"the xorb {term.xorb} was never uploaded")
            found = 0
            for chunk in xet.unpack(path, term.start, term.end):
                found += len(chunk)
                yield chunk
            if found != term.size:
                raise ValueError(f"a term of {term.size} bytes has {found}")
