"""Getting a published corpus: a version by its tag, held to its manifest, into a folder that appears whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dataset_builder.check import check
from dataset_builder.corpus import MANIFEST, file_entry, files_of, read_manifest, replacing, write_manifest
from hub_sync.hub import PATIENCE, Hub, NotFoundError, Refs, RemoteFile, Told
from hub_sync.naming import Name, name_of, newest, version_of
from hub_sync.plan import is_of_a_corpus
from hub_sync.preflight import unsafe_paths
from hub_sync.staging import MEDIA
from hub_sync.tars import TARS, needed, read_tars, unpack
from schemas.errors import CallError, DataError
from schemas.manifest import FileEntry, Manifest

SHOWN = 20
ROWS = ["*.json", "*.jsonl", "*.md", "*.html", "notes/*"]
"""All of a corpus but its clips."""
HUB_OWN = ".cache"
"""Where the client keeps what it needs to go on with a download."""


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What was pulled: the version, its commit, where it is, how many files and clips; `media` as in the manifest."""

    repo: str
    revision: str
    commit: str
    folder: str
    files: int
    clips: int
    media: str


def pull(
    name: str, out: Path | None, *, clips: bool = True, told: Told = lambda _: None, patience: float = PATIENCE
) -> Pulled:
    """Download a corpus, `OWNER/NAME@REVISION`, into a folder; without a revision, the newest version.

    What was downloaded stays in `OUT.pull` until all is there, so a pull that was cut short goes on; clips that an
    older corpus in `out` holds are not fetched again. Without `clips`, rows and records alone. Raises CallError for a
    name or place that cannot be meant, DataError naming what is not as its manifest says.
    """
    asked = name_of(name)
    folder = (out or Path(asked.repo.partition("/")[2])).absolute()
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file())):
        raise CallError(f"{str(folder)!r} exists and is no corpus: choose another folder with --out")
    hub = Hub(asked.repo, told, patience)
    revision, commit = resolve(hub, asked)
    work = folder.with_name(f"{folder.name}.pull")
    if work.is_dir() and any(work.iterdir()) and not ((work / HUB_OWN).is_dir() or (work / MANIFEST).is_file()):
        raise CallError(f"{str(work)!r} is in the way: it is where an unfinished pull would be, and is none")
    work.mkdir(parents=True, exist_ok=True)
    told(f"{asked.repo}@{revision} ({commit[:12]})")
    there = hub.files(commit)
    manifest = _manifest(hub, commit, there, work)
    if clips:
        _take(folder, work, manifest)
    else:
        manifest = _without_clips(manifest)
    hub.download(commit, work, there, ROWS, _others(there))
    if clips:
        _fetch_clips(hub, commit, there, work, manifest)
    _drop_others(work, manifest)
    if not clips:
        write_manifest(work, manifest)
    if problems := list(check(work)):
        # What is wrong is fetched anew by the next pull.
        for problem in problems:
            if problem.file in manifest.files:
                (work / problem.file).unlink(missing_ok=True)
        shown = [str(problem) for problem in problems[:SHOWN]]
        raise DataError("\n".join([f"{asked.repo}@{revision} is not as its manifest says:", *shown]))
    shutil.rmtree(work / HUB_OWN, ignore_errors=True)
    with replacing(folder) as new:
        for part in work.iterdir():
            part.rename(new / part.name)
    work.rmdir()
    return Pulled(
        repo=asked.repo,
        revision=revision,
        commit=commit,
        folder=str(folder),
        files=len(manifest.files) + 1,
        clips=sum(path.startswith(MEDIA) for path in manifest.files),
        media=manifest.media,
    )


def pull_rows(name: str, folder: Path) -> None:
    """Download all but the clips of a published corpus into a folder, held to its manifest, which stays as it is.

    Raises CallError for a name that cannot be meant, DataError naming a file that is not as the manifest says.
    """
    asked = name_of(name)
    hub = Hub(asked.repo)
    _, commit = resolve(hub, asked)
    there = hub.files(commit)
    manifest = _manifest(hub, commit, there, folder)
    hub.download(commit, folder, there, ROWS, _others(there))
    for path, entry in sorted(manifest.files.items()):
        if (folder / path).is_file() and file_entry(folder / path) != entry:
            raise DataError(f"{name}: {path} is not as its manifest says: vqa2 verify {name}")


def resolve(hub: Hub, asked: Name) -> tuple[str, str]:
    """Give the revision that a name means, and its commit: the newest version where none is named. Raises CallError."""
    refs = hub.refs()
    if refs is None:
        raise NotFoundError(f"there is no data set {hub.repo}, or the token may not see it")
    if asked.revision is None:
        version = newest(refs.tags)
        if version is None:
            raise CallError(f"{hub.repo} has no version (a tag such as v1.0.0): name a revision, {hub.repo}@main")
        return str(version), refs.tags[str(version)]
    known = {**refs.branches, **refs.tags}
    if asked.revision in known:
        return asked.revision, known[asked.revision]
    try:
        return asked.revision, hub.commit_of(asked.revision)
    except NotFoundError:
        raise NotFoundError(f"{hub.repo} has no revision {asked.revision!r}; there are: {_listed(refs)}") from None


def _listed(refs: Refs) -> str:
    versions = sorted(
        (tag for tag in refs.tags if version_of(tag)), key=lambda tag: version_of(tag) or (), reverse=True
    )
    others = sorted(refs.tags.keys() - set(versions))
    return ", ".join([*versions[:10], *others[:5], *sorted(refs.branches)[:5]])


def _manifest(hub: Hub, commit: str, there: Mapping[str, RemoteFile], work: Path) -> Manifest:
    """Download the manifest, and refuse one that names files elsewhere: what follows writes what it names."""
    if MANIFEST not in there:
        raise CallError(f"{hub.repo} holds no corpus at {commit[:12]}: there is no {MANIFEST} in it")
    hub.download(commit, work, there, [MANIFEST])
    manifest = read_manifest(work)
    if problems := list(unsafe_paths(work, manifest)):
        raise DataError("\n".join([f"{hub.repo} is no corpus to be trusted:", *map(str, problems[:SHOWN])]))
    return manifest


def _fetch_clips(hub: Hub, commit: str, there: Mapping[str, RemoteFile], work: Path, manifest: Manifest) -> None:
    """Download the clips that are not there yet, alone or in the tars that hold them."""
    clips = {path: entry for path, entry in manifest.files.items() if path.startswith(MEDIA)}
    tars = read_tars(work) if TARS in there else None
    if tars is None:
        hub.download(commit, work, there, without=_others(there))
        return
    clips = {path: entry for path, entry in clips.items() if not _is_there(work / path, entry)}
    names = needed(tars, clips.values())
    hub.download(commit, work, there, without=[*_others(there), *sorted(tars.files.keys() - names)])
    for name in names:
        if not _is_there(work / name, tars.files[name]):
            (work / name).unlink(missing_ok=True)
            raise DataError(f"{hub.repo}: {name} is not as {TARS} says: pull again")
    hub.told("unpacking clips")
    unpack(work, names, clips)


def _others(there: Mapping[str, RemoteFile]) -> list[str]:
    """List the files of a repository that are no corpus's."""
    return [path for path in there if not is_of_a_corpus(path)]


def _is_there(path: Path, entry: FileEntry) -> bool:
    return path.is_file() and path.stat().st_size == entry.bytes and file_entry(path) == entry


def _without_clips(manifest: Manifest) -> Manifest:
    kept = {path: entry for path, entry in manifest.files.items() if not path.startswith(MEDIA)}
    return msgspec.structs.replace(
        manifest, files=kept, media="recipes" if manifest.media == "copy" else manifest.media
    )


def _take(folder: Path, work: Path, manifest: Manifest) -> None:
    """Link what an older corpus has already into the download, where the client finds clips and pictures whole."""
    if not (folder / MANIFEST).is_file():
        return
    known = read_manifest(folder).files
    for path, entry in manifest.files.items():
        old, new = folder / path, work / path
        if known.get(path) != entry or new.exists():
            continue
        if _is_there(old, entry):
            new.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(old, new)
            except OSError:  # another file system, or one without links
                shutil.copyfile(old, new)


def _drop_others(work: Path, manifest: Manifest) -> None:
    """Remove what is not of the corpus: the Hub's own files, and those of an earlier try at another version."""
    for path in files_of(work):
        if path not in manifest.files:
            (work / path).unlink()
    for entry in work.glob(".*"):
        if entry.is_file():
            entry.unlink()
