"""The stages of work that are done to every clip: hashing its file, and decoding it once to see what it is.

What a file is called and where it lies is no part of what is known of it: hashing is redone when size or times of the
file change, decoding only when its bytes do.
"""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

import av
import msgspec
import numpy as np
import PIL

from dataset_builder.engine import Item, Stage, Work, source_digest
from dataset_builder.video import inspect
from dataset_builder.video.opening import AbsentError
from schemas.errors import DataError
from schemas.record import Media

HASH = Stage("hash", "dataset_builder.clip_stages:hash_clip")


CHANGED = "the file changed while the clips were read: run it again with --retry-failed"


class ChangedError(DataError):
    """A file is not what it was when its hash was taken."""

    transient = True


def tools() -> dict[str, str]:
    """Name the libraries on which the bytes of clips depend."""
    libraries = {name: ".".join(map(str, av.library_versions[name])) for name in ("libavcodec", "libswscale")}
    return {"av": av.__version__, **libraries, "numpy": np.__version__, "pillow": PIL.__version__}


def probe_stage() -> Stage:
    """Give the stage that decodes clips: its results hold for these libraries and this code."""
    return Stage(
        "probe", "dataset_builder.clip_stages:probe_clip", source_digest("dataset_builder.video"), {"tools": tools()}
    )


def hash_work(item_id: str, path: Path) -> Work:
    """Name a file by what changes when its content does, so that it is not read again while that stays."""
    try:
        found = path.stat()
        seen: Item = {"bytes": found.st_size, "modified": found.st_mtime_ns, "changed": found.st_ctime_ns}
    except OSError:
        seen = {}  # hashing it says what is wrong
    return Work(item_id, {"file": item_id, **seen}, {"path": str(path)})


def hash_clip(item: Item) -> Item:
    """Hash one file: {path} to {sha256}. Raises AbsentError for one that cannot be read."""
    try:
        return {"sha256": sha256_of(Path(item["path"]))}
    except OSError as error:
        raise AbsentError(f"the file cannot be read ({error.strerror})") from None


def sha256_of(path: Path) -> str:
    """Hash a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def probe_work(item_id: str, path: Path, sha256: str) -> Work:
    """Name a clip by its bytes; the suffix tells FFmpeg what to expect, so it counts too."""
    return Work(item_id, {"sha256": sha256, "suffix": PurePosixPath(item_id).suffix.lower()}, {"path": str(path)})


def probe_clip(item: Item) -> Item:
    """Decode one clip: {path, sha256, suffix} to a Media as plain values, its path left empty.

    Raises MediaError, and ChangedError for a file whose hash is another by now.
    """
    media = inspect(Path(item["path"]), "clip")
    if media.sha256 != item["sha256"]:
        raise ChangedError(CHANGED)
    return {**msgspec.to_builtins(media), "path": ""}


def media_of(result: Item, path: str) -> Media:
    """Give what `probe_clip` found as the Media of the clip at `path`."""
    return msgspec.convert({**result, "path": path}, Media)
