"""Checking a corpus folder: files against checksums, lines against schemas, claims against each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dataset_builder.corpus import MANIFEST, QUARANTINE, RECORDS, file_entry, files_of, read_manifest
from schemas import SCHEMA_VERSION
from schemas.levels import LEVELS
from schemas.manifest import FileEntry, Manifest, Quarantined
from schemas.recipe import BuildRecipe, RecipeError, convert, digest
from schemas.record import Record
from schemas.sample import MediaRef, Sample
from schemas.validate import Problem, read_jsonl


@dataclass
class _Seen:
    """What the data files hold, gathered line by line."""

    splits: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    tasks: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    levels: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    records: set[str] = field(default_factory=set)
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    split_of_group: dict[str, tuple[str, str]] = field(default_factory=dict)
    split_of_bytes: dict[str, tuple[str, str]] = field(default_factory=dict)
    media: dict[str, MediaRef] = field(default_factory=dict)


def check(corpus: Path, media_root: Path | None = None) -> Iterator[Problem]:
    """Yield every problem of a corpus folder; none means that it is whole and consistent.

    `media_root` is where the clips of a corpus with `media: reference` lie; without it those are not looked at.
    Raises CallError if the folder is no corpus, DataError if its manifest cannot be read.
    """
    manifest = read_manifest(corpus)
    yield from _check_recipe(manifest)
    yield from _check_files(corpus, manifest)
    seen = _Seen()
    for path in sorted((corpus / "data").glob("*/*.jsonl")):
        yield from _check_data_file(path, corpus, manifest, seen)
    yield from _check_counts(corpus, manifest, seen)
    yield from _check_records(corpus, seen)
    yield from _check_media(corpus, manifest, seen, media_root)


def _check_recipe(manifest: Manifest) -> Iterator[Problem]:
    if manifest.schema_version != SCHEMA_VERSION:
        yield Problem(
            MANIFEST, 0, "schema_version", f"is {manifest.schema_version!r}, this tool reads {SCHEMA_VERSION}"
        )
    try:
        recipe = convert(manifest.recipe, BuildRecipe, MANIFEST)
    except RecipeError as error:
        yield Problem(MANIFEST, 0, "recipe", str(error))
        return
    if digest(recipe) != manifest.recipe_sha256:
        yield Problem(MANIFEST, 0, "recipe", "is not the one of recipe_sha256: somebody edited it")
    # A corpus that is published without its clips says so; what it was built by stays what it is.
    if recipe.media != manifest.media and (recipe.media, manifest.media) != ("copy", "recipes"):
        yield Problem(MANIFEST, 0, "media", f"is {manifest.media!r}, the recipe says {recipe.media!r}")
    if recipe.name != manifest.name:
        yield Problem(MANIFEST, 0, "name", f"is {manifest.name!r}, the recipe says {recipe.name!r}")


def _check_files(corpus: Path, manifest: Manifest) -> Iterator[Problem]:
    for path, entry in sorted(manifest.files.items()):
        yield from _check_bytes(corpus / path, path, entry)
    for path in files_of(corpus):
        if path not in manifest.files and not (manifest.media == "recipes" and path.startswith("media/")):
            yield Problem(path, 0, "", "the manifest does not list this file: remove it, or build again")


def _check_bytes(file: Path, name: str, entry: FileEntry) -> Iterator[Problem]:
    if not file.is_file():
        yield Problem(name, 0, "", "the file is missing: restore it, or build again")
    elif (found := file_entry(file)) != entry:
        what = f"it has {found.bytes} bytes, not {entry.bytes}" if found.bytes != entry.bytes else "its bytes changed"
        yield Problem(name, 0, "", f"{what} since the manifest was written: restore it, or build again")


def _check_data_file(path: Path, corpus: Path, manifest: Manifest, seen: _Seen) -> Iterator[Problem]:
    config, split = path.parent.name, path.name.split("-")[0]
    name = path.relative_to(corpus).as_posix()
    scales = {scale.source: scale for scale in manifest.scales}
    for line, sample in read_jsonl(path, Sample, name):
        if isinstance(sample, Problem):
            yield sample
            continue
        if sample.id in seen.ids[config]:
            yield Problem(name, line, "id", f"{sample.id!r} is there twice")
        seen.ids[config].add(sample.id)
        seen.splits[config][split] += 1
        seen.tasks[config][sample.task] += 1
        if sample.target:
            seen.levels[config][sample.target.level] += 1
        seen.records |= {media.record_id for media in sample.media}
        yield from _check_level(sample, name, line)
        scale = scales.get(sample.provenance.source)
        if sample.target and (not scale or scale.unit(sample.target.raw) != sample.target.mos):
            yield Problem(name, line, "target/mos", f"{sample.id!r}: not what the stored scale makes of the raw score")
        if sample.provenance.recipe != manifest.recipe_sha256:
            yield Problem(name, line, "provenance/recipe", f"{sample.id!r} was built by another recipe")
        where = f"{name}:{line}"
        for of, key, field_name in (
            (seen.split_of_group, sample.provenance.group, "provenance/group"),
            *((seen.split_of_bytes, media.sha256, "media/sha256") for media in sample.media),
        ):
            other, first = of.setdefault(key, (split, where))
            if other != split:
                yield Problem(name, line, field_name, f"{key!r} is in split {other} too ({first}): the splits leak")
        for media in sample.media:
            if seen.media.setdefault(media.path, media).sha256 != media.sha256:
                yield Problem(
                    name, line, "media/sha256", f"{sample.id!r}: another sample says other bytes of {media.path}"
                )


def _check_level(sample: Sample, name: str, line: int) -> Iterator[Problem]:
    """An answer that scores names one level, its target's."""
    if not sample.target:
        return
    words = set(sample.turns[-1].text.replace(".", " ").split()) & set(LEVELS)
    if words != {sample.target.level}:
        yield Problem(name, line, "turns", f"{sample.id!r} says {sorted(words)}, its score is {sample.target.level!r}")


def _check_counts(corpus: Path, manifest: Manifest, seen: _Seen) -> Iterator[Problem]:
    for config, count in manifest.configs.items():
        for what, found, said in (
            ("splits", seen.splits[config], count.splits),
            ("tasks", seen.tasks[config], count.tasks),
            ("levels", seen.levels[config], count.levels),
        ):
            if dict(found) != said:
                yield Problem(f"data/{config}", 0, what, f"holds {dict(found)}, the manifest says {said}")
    for config in sorted(set(seen.splits) - set(manifest.configs)):
        yield Problem(f"data/{config}", 0, "", "the manifest knows no such config")
    if len(seen.records) != manifest.records:
        yield Problem("data", 0, "", f"shows {len(seen.records)} records, the manifest says {manifest.records}")
    if (corpus / QUARANTINE).is_file():
        rows = [row for _, row in read_jsonl(corpus / QUARANTINE, Quarantined)]
        yield from (row for row in rows if isinstance(row, Problem))
        transient = sum(isinstance(row, Quarantined) and row.transient for row in rows)
        if (len(rows), transient) != (manifest.quarantined, manifest.transient):
            told = f"{manifest.quarantined} rows, {manifest.transient} of them transient"
            yield Problem(QUARANTINE, 0, "", f"holds {len(rows)} rows, {transient} transient; the manifest says {told}")


def _check_records(corpus: Path, seen: _Seen) -> Iterator[Problem]:
    """Hold the clips that samples show to the records of these clips."""
    if not (corpus / RECORDS).is_file():
        return  # _check_files tells
    shown = {media.record_id: media for media in seen.media.values()}
    known: set[str] = set()
    for line, record in read_jsonl(corpus / RECORDS, Record, RECORDS):
        if isinstance(record, Problem):
            yield record
            continue
        known.add(record.id)
        media = shown.get(record.id)
        if media and (media.sha256, media.frames, media.fps) != (
            record.media.sha256,
            record.media.frames,
            record.media.fps,
        ):
            yield Problem(RECORDS, line, "media", f"{record.id!r} is another clip than its samples show")
    for record_id in sorted(shown.keys() - known):
        yield Problem(RECORDS, 0, "", f"there is no record of {record_id!r}, which samples show")


def _check_media(corpus: Path, manifest: Manifest, seen: _Seen, media_root: Path | None) -> Iterator[Problem]:
    root = {"copy": corpus, "recipes": corpus, "reference": media_root}.get(manifest.media)
    for path, media in sorted(seen.media.items()):
        file = root / path if root else None
        if manifest.media == "copy":
            entry = manifest.files.get(path)
            if entry is None or entry.sha256 != media.sha256:
                yield Problem(path, 0, "", f"sample media of {media.record_id!r}: not the file that the manifest lists")
        elif file and file.is_file():
            if file_entry(file).sha256 != media.sha256:
                yield Problem(path, 0, "", f"the clip of {media.record_id!r} is another file than when it was read")
        elif file and manifest.media == "reference":
            yield Problem(path, 0, "", f"the clip of {media.record_id!r} is missing below the media root")
