"""The data that a model was trained on, as they are published: a tag is told only where it holds these very data."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from dataset_builder.corpus import MANIFEST, RECORDS, file_entry, read_manifest
from hub_sync.hub import Hub, Told
from hub_sync.models.folder import ModelFolder
from hub_sync.naming import Name, name_of
from schemas.errors import CallError, DataError
from schemas.licence import Terms
from schemas.manifest import Manifest

ROWS = "data/"


def published_data(
    model: ModelFolder, named: str | None, corpus: Path | None, told: Told, patience: float
) -> tuple[Name | None, Terms | None]:
    """Find the tag that a model's data are published as, and the data's terms.

    `named` is the tag, None = the one of the training record. The manifest there must be the one that was trained on;
    or else `corpus` must be the folder that was, and have the same rows. Raises CallError where neither can be known,
    DataError where the data are others.
    """
    recorded = model.training.data
    terms = recorded.terms if recorded else None
    tag = named or (recorded.tag if recorded else None)
    if tag is None:
        if corpus is not None:
            raise CallError("--corpus is to be held to what is published: name that with --data REPO@TAG")
        return None, terms
    name = name_of(tag)
    if name.revision is None:
        raise CallError(f"--data {tag}: name the tag, {tag}@TAG, for a branch may move")
    if model.manifest_sha256 is None:
        raise CallError(f"--data {tag}: the model does not say which corpus it was trained on (training.json)")
    hub = Hub(name.repo, told, patience)
    commit = hub.commit_of(name.revision)
    there = hub.files(commit)
    if MANIFEST not in there:
        raise CallError(f"--data {tag} is no corpus: there is no {MANIFEST} in it")
    with tempfile.TemporaryDirectory() as scratch:
        hub.download(commit, Path(scratch), there, [MANIFEST])
        published = read_manifest(Path(scratch))
        same = file_entry(Path(scratch) / MANIFEST).sha256 == model.manifest_sha256
    if not same:
        _hold(model, published, tag, corpus)
    return name, terms or published.terms


def _hold(model: ModelFolder, published: Manifest, tag: str, corpus: Path | None) -> None:
    """A push writes another manifest than the one of the folder: then the rows themselves must be the same."""
    if corpus is None:
        raise DataError(
            f"--data {tag}: its manifest is not the one that the model was trained on. Where it was trained on a "
            "folder that was published from here, name that folder with --corpus, and its rows are compared"
        )
    manifest = read_manifest(corpus)
    if file_entry(corpus / MANIFEST).sha256 != model.manifest_sha256:
        raise DataError(f"--corpus {corpus}: it is not the corpus that the model was trained on, or was changed since")
    if _rows(manifest) != _rows(published):
        raise DataError(f"--data {tag}: its rows are not those of {corpus}, which the model was trained on")


def _rows(manifest: Manifest) -> Mapping[str, str]:
    return {p: entry.sha256 for p, entry in manifest.files.items() if p.startswith(ROWS) or p == RECORDS}
