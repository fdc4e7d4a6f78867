"""Getting a published corpus: a version by its tag, held to its manifest, into a folder that appears whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from dataset_builder.check import check
from dataset_builder.corpus import MANIFEST, file_entry, files_of, read_manifest, replacing
from hub_sync.hub import Hub, NotFoundError, Refs, Told
from hub_sync.naming import Name, name_of, newest, version_of
from hub_sync.staging import DATA, MEDIA
from hub_sync.tars import read_tars, unpack
from schemas.errors import CallError, DataError
from schemas.manifest import Manifest

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


def pull(name: str, out: Path | None, *, clips: bool = True, told: Told = lambda _: None) -> Pulled:
    """Download a corpus, `OWNER/NAME@REVISION`, into a folder; without a revision, the newest version.

    What was downloaded stays in `OUT.pull` until all is there, so a pull that was cut short goes on; clips that an
    older corpus in `out` holds are not fetched again. Without `clips`, rows and records alone. Raises CallError for a
    name or place that cannot be meant, DataError naming what is not as its manifest says.
    """
    asked = name_of(name)
    folder = out or Path(asked.repo.partition("/")[2])
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file())):
        raise CallError(f"{str(folder)!r} exists and is no corpus: choose another folder with --out")
    hub = Hub(asked.repo, told)
    revision, commit = resolve(hub, asked)
    work = folder.with_name(f"{folder.name}.pull")
    work.mkdir(parents=True, exist_ok=True)
    told(f"{asked.repo}@{revision} ({commit[:12]})")
    hub.download(commit, work, [MANIFEST])
    manifest = _without_clips(work, read_manifest(work)) if not clips else read_manifest(work)
    if clips:
        _take(folder, work, manifest)
    hub.download(commit, work, None if clips else ROWS)
    if clips and (tars := read_tars(work)):
        told("unpacking clips")
        for path, entry in tars.files.items():
            if not (work / path).is_file() or file_entry(work / path) != entry:
                raise DataError(f"{asked.repo}@{revision}: {path} is not as {MEDIA}tars.json says: pull again")
        unpack(work, tars, {path: entry for path, entry in manifest.files.items() if path.startswith(MEDIA)})
    _drop_others(work, manifest)
    if not clips:
        _write_manifest(work, manifest)
    if problems := list(check(work)):
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
    hub.download(commit, folder, ROWS)
    for path, entry in sorted(read_manifest(folder).files.items()):
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


def _without_clips(work: Path, manifest: Manifest) -> Manifest:
    kept = {path: entry for path, entry in manifest.files.items() if not path.startswith(MEDIA)}
    return msgspec.structs.replace(
        manifest, files=kept, media="recipes" if manifest.media == "copy" else manifest.media
    )


def _write_manifest(work: Path, manifest: Manifest) -> None:
    (work / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def _take(folder: Path, work: Path, manifest: Manifest) -> None:
    """Link clips and rows that an older corpus has already into the download, where the client finds them whole."""
    if not (folder / MANIFEST).is_file():
        return
    known = read_manifest(folder).files
    for path, entry in manifest.files.items():
        old, new = folder / path, work / path
        if not path.startswith((MEDIA, DATA)) or known.get(path) != entry or new.exists():
            continue
        if old.is_file() and file_entry(old) == entry:
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
