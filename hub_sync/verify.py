"""Verifying a published corpus where it is: every file against its manifest, every config loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dataset_builder.corpus import MANIFEST, file_entry, read_manifest
from hub_sync.hub import PATIENCE, Hub, RemoteFile, Told, literally
from hub_sync.loading import load_back
from hub_sync.naming import name_of
from hub_sync.plan import is_of_a_corpus
from hub_sync.pull import ROWS, resolve
from hub_sync.staging import MEDIA
from hub_sync.tars import TARS, read_tars
from schemas.errors import CallError
from schemas.manifest import FileEntry, Manifest
from schemas.validate import Problem


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was verified and what is wrong: `files` of the repository, `rows` that should load, by config."""

    repo: str
    revision: str
    commit: str
    files: int
    rows: dict[str, int]
    problems: list[Problem]


def verify(name: str, told: Told = lambda _: None, patience: float = PATIENCE) -> Verified:
    """Verify a corpus on the Hub, `OWNER/NAME@REVISION`, or its newest version.

    Large files (clips, tars) are held to the sha256 that the Hub knows of them, and not downloaded; all others are.
    Raises CallError for a name that cannot be meant, or a repository that holds no corpus.
    """
    asked = name_of(name)
    hub = Hub(asked.repo, told, patience)
    revision, commit = resolve(hub, asked)
    there = hub.files(commit)
    if MANIFEST not in there:
        raise CallError(f"{asked.repo}@{revision} is no corpus: there is no {MANIFEST} in it")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        small = [path for path, file in there.items() if path.startswith(MEDIA) and file.sha256 is None]
        others = [path for path in there if not is_of_a_corpus(path)]
        hub.download(commit, folder, there, [*ROWS, *map(literally, small)], others)
        manifest = read_manifest(folder)
        problems = list(_files(folder, manifest, there))
        if not problems:
            told("loading every config")
            problems = list(load_back(hub, commit, manifest.configs, folder))
    return Verified(
        repo=asked.repo,
        revision=revision,
        commit=commit,
        files=len(there),
        rows={config: sum(count.splits.values()) for config, count in manifest.configs.items()},
        problems=problems,
    )


def _files(folder: Path, manifest: Manifest, there: dict[str, RemoteFile]) -> Iterator[Problem]:
    tars = read_tars(folder)
    wanted = dict(manifest.files)
    if tars:
        wanted = {path: entry for path, entry in wanted.items() if not path.startswith(MEDIA)} | tars.files
    for path, entry in sorted(wanted.items()):
        yield from _file(folder, path, entry, there)
    for path in sorted(there.keys() - wanted.keys() - {MANIFEST, TARS}):
        if is_of_a_corpus(path):
            yield Problem(path, 0, "", "the manifest does not list this file")


def _file(folder: Path, path: str, entry: FileEntry, there: dict[str, RemoteFile]) -> Iterator[Problem]:
    remote = there.get(path)
    if remote is None:
        yield Problem(path, 0, "", "the file is missing")
    elif not (file_entry(folder / path) == entry if (folder / path).is_file() else remote.is_entry(entry)):
        yield Problem(
            path, 0, "", f"it is another file than the manifest says ({remote.bytes} bytes, not {entry.bytes})"
        )
