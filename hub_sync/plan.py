"""What a push would change: files that are new, changed and removed, against what a branch holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from dataset_builder.corpus import CARD, MANIFEST, QUARANTINE, RECORDS
from dataset_builder.report.page import REPORT
from hub_sync.hub import RemoteFile, blob_id
from schemas.manifest import FileEntry

FOLDERS = ("data/", "media/", "notes/")
NAMES = frozenset({CARD, MANIFEST, RECORDS, QUARANTINE, REPORT})
"""Where a corpus has its files. All others of a repository are somebody else's, and stay."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a push does: the version that it makes and why, and the paths that are new, changed and removed.

    `bytes` counts those of new and changed files; what the Hub holds in other files already is not sent again. `tag` is
    None where nothing is to be published; `before` is the version that was there, None for the first. `others` are
    files of the repository that are none of ours: they are left alone. `clips` is empty for a model.
    """

    repo: str
    branch: str
    private: bool
    clips: str
    before: str | None
    tag: str | None
    step: str
    reasons: list[str]
    new: list[str]
    changed: list[str]
    removed: list[str]
    others: list[str]
    same: int
    bytes: int

    @property
    def to_do(self) -> bool:
        """Whether there is anything to send or to tag."""
        return bool(self.tag or self.new or self.changed or self.removed)


def is_of_a_corpus(path: str) -> bool:
    """Say whether a path of a repository is one that a corpus has."""
    return path in NAMES or path.startswith(FOLDERS)


def differences(
    folder: Path,
    files: Mapping[str, FileEntry],
    there: Mapping[str, RemoteFile],
    ours: Callable[[str], bool] = is_of_a_corpus,
) -> tuple[list[str], list[str], list[str]]:
    """Give the paths of `folder` that are new and changed against `there`, and those that are there alone.

    `ours` says which paths may be removed.
    """
    new = [path for path in files if path not in there]
    changed = [path for path, entry in files.items() if path in there and not same(folder / path, entry, there[path])]
    removed = sorted(path for path in there.keys() - files.keys() if ours(path))
    return new, changed, removed


def same(file: Path, entry: FileEntry, there: RemoteFile) -> bool:
    """Say whether a local file is the one of the repository, by sha256 of a large one and git's blob id of others."""
    known = there.is_entry(entry)
    return blob_id(file) == there.blob if known is None else known
