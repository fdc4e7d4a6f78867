"""The folder that is published: the corpus as others get it, beside the corpus as it was built.

It holds what the manifest lists, without quarantine, and without clips where these stay away; its card says where it is
published, its manifest lists what it holds. Large files are not copied but linked.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from dataset_builder.card import Published, write_card
from dataset_builder.corpus import MANIFEST, QUARANTINE, file_entry, files_of, write_manifest
from dataset_builder.notes import read_notes
from dataset_builder.progress import Tracker, untracked
from dataset_builder.report.page import REPORT, report, write_report
from hub_sync.tars import TARS, write_tars
from schemas.errors import CallError, DataError
from schemas.manifest import FileEntry, Manifest

Clips = Literal["folders", "tars", "reference", "recipes"]
"""How clips go: as files, in tars, or not at all: to be had where the sources say (and rendered from these)."""
SENT = ("folders", "tars")
MEDIA, DATA = "media/", "data/"


@dataclass(frozen=True)
class Staged:
    """The folder to be published: where it is, the hash and size of each of its files, and the manifest in it."""

    folder: Path
    files: Mapping[str, FileEntry]
    manifest: Manifest


def clips_of(manifest: Manifest, asked: str | None, tar_above: int) -> Clips:
    """Say how the clips of a corpus go, as asked for, or as its recipe and their number make sense of.

    Raises CallError for what the corpus cannot give.
    """
    count = sum(path.startswith(MEDIA) for path in manifest.files)
    if asked is None:
        if manifest.media == "copy":
            return "tars" if count > tar_above else "folders"
        return "reference" if manifest.media == "reference" else "recipes"
    if asked in SENT and manifest.media != "copy":
        raise CallError(f"the corpus holds no clips (media: {manifest.media}), so --clips {asked} has nothing to send")
    for clips in ("folders", "tars", "reference", "recipes"):
        if asked == clips:
            return clips
    raise CallError(f"--clips is folders, tars, reference or recipes, not {asked!r}")


@contextmanager
def staging(corpus: Path) -> Iterator[Path]:
    """Give a folder beside the corpus, where links to its files can be; it is gone with the context."""
    place = corpus.resolve()
    prefix = f".{place.name}.push.{os.getpid()}."
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=prefix, ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)


def stage(
    corpus: Path,
    manifest: Manifest,
    folder: Path,
    clips: Clips,
    *,
    quarantine: bool = False,
    track: Tracker = untracked,
) -> Staged:
    """Fill `folder` with what is to be published, all but the card, which is written once the version is known.

    Raises DataError for a file that is not what the manifest says.
    """
    kept: dict[str, FileEntry] = {}
    for path, entry in manifest.files.items():
        if (path == QUARANTINE and not quarantine) or (path.startswith(MEDIA) and clips not in SENT):
            continue
        kept[path] = entry
    shown = {path: entry for path, entry in kept.items() if path.startswith(MEDIA)}
    files = kept
    if clips == "tars":
        files = {path: entry for path, entry in kept.items() if path not in shown}
        files |= write_tars(corpus, folder, shown, track).files
    for path in files:
        if path in kept:
            place(corpus / path, folder / path, linked=path.startswith((MEDIA, DATA)))
            # Clips are held to their hashes once they are on the Hub; nothing else would tell of these.
            if not path.startswith(MEDIA) and file_entry(folder / path) != kept[path]:
                raise DataError(f"{path}: its bytes changed while it was to be published; nothing was sent")
    if REPORT in kept and clips not in SENT:
        # Its pictures are of clips that may not be passed on, or at least are not.
        write_report(folder, report(folder, manifest, read_notes(folder)))
    media = "recipes" if manifest.media == "copy" and clips not in SENT else manifest.media
    return Staged(folder, files, msgspec.structs.replace(manifest, media=media, files=kept))


def finish(staged: Staged, repo: str, tag: str, clips: Clips) -> Staged:
    """Write card and manifest for a version. May be done again for another one."""
    folder, manifest = staged.folder, staged.manifest
    write_card(folder, manifest, read_notes(folder), Published(repo, tag, clips))
    written = {path: file_entry(folder / path) for path in files_of(folder) if not path.startswith((MEDIA, DATA))}
    manifest = msgspec.structs.replace(manifest, files=dict(sorted({**manifest.files, **written}.items())))
    write_manifest(folder, manifest)
    files = {**staged.files, **written}
    files |= {path: file_entry(folder / path) for path in (MANIFEST, TARS) if (folder / path).is_file()}
    return Staged(folder, dict(sorted(files.items())), manifest)


def place(file: Path, target: Path, *, linked: bool) -> None:
    """Link a file that nobody writes to, copy every other: what is written anew here must not change the corpus."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if linked:
        with contextlib.suppress(OSError):  # a file system without links
            os.link(file.resolve(), target)
            return
    shutil.copyfile(file, target)
