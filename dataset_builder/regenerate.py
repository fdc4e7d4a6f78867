"""From recipes to clips: putting the media of a corpus back from the clean clips that its records name.

A distorted clip is its origin: the sha256 of the clean one, the chain with its parameters, the seed and the encoder's
settings. What is rendered again is held to the sha256 of the record: it is that clip, or it is not put anywhere.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataset_builder import engine
from dataset_builder.clip_stages import media_of, sha256_of
from dataset_builder.corpus import RECORDS, read_manifest, read_records, read_samples
from dataset_builder.encode import CARRIER
from dataset_builder.progress import Tracker, untracked
from dataset_builder.versions import version_work
from schemas.errors import CallError
from schemas.record import Media, Record
from schemas.validate import Problem


@dataclass(frozen=True)
class Means:
    """By what clips are rendered: processes, seconds that one clip may take, plug-ins, and who is told."""

    workers: int | None = None
    timeout: float = 600.0
    plugins: Sequence[Path] = ()
    track: Tracker = untracked


BY_DEFAULT = Means()


@dataclass
class Regenerated:
    """What came of it: how many clips were rendered again and how many copied, and what could not be had."""

    rendered: int = 0
    copied: int = 0
    there: int = 0
    problems: list[Problem] = field(default_factory=list)


def regenerate(corpus: Path, folders: Sequence[Path], means: Means = BY_DEFAULT, *, keep: bool = True) -> Regenerated:
    """Render and copy the clips of a corpus again from clean clips anywhere below `folders`, known by their bytes.

    With `keep` they are put into the corpus, where those that are there already stay; without, every one is rendered
    and compared, and nothing is kept. Raises CallError for a corpus that has no records, or no folder.
    """
    if read_manifest(corpus).media == "reference":
        raise CallError(f"{str(corpus)!r} refers to its clips: there is nothing to regenerate")
    records = {record.id: record for record in read_records(corpus)}
    shown = _shown(corpus)
    done = Regenerated()
    wanted = [record for record in records.values() if record.media.path in shown]
    if keep:
        missing = [record for record in wanted if not _is_there(corpus, record)]
        done.there = len(wanted) - len(missing)
        wanted = missing
    found = _find(_clean(wanted, records), [*folders, corpus / "media"])
    made = [record for record in wanted if record.origin]
    with tempfile.TemporaryDirectory(dir=corpus, prefix=".regenerate.") as scratch:
        for record, media in _rendered(done, made, records, found, scratch=Path(scratch), means=means):
            if keep:
                _put(Path(scratch) / media.path, corpus / record.media.path)
    for record in wanted:
        if not record.origin:
            _copy(done, record, found, corpus if keep else None)
    done.problems.sort(key=str)
    return done


def _rendered(
    done: Regenerated,
    made: Sequence[Record],
    records: Mapping[str, Record],
    found: Mapping[str, Path],
    *,
    scratch: Path,
    means: Means,
) -> Iterator[tuple[Record, Media]]:
    """Render clips into a folder and give those that came out as their record says; the others become problems."""
    at_hand, items = [], []
    for record in made:
        origin = record.origin
        if origin is None or origin.sha256 not in found:
            of = origin.record_id if origin else record.id
            _miss(done, record, f"its clean clip {of!r}", origin.sha256 if origin else record.media.sha256)
            continue
        if origin.encoder not in ({}, CARRIER):
            reason = f"was written with encoder settings that are not those of this version: {origin.encoder}"
            done.problems.append(Problem(RECORDS, 0, record.id, reason))
            continue
        at_hand.append(record)
        clean = records[origin.record_id]
        work = version_work(record.id, found[origin.sha256], clean, origin, folder=scratch, plugins=means.plugins)
        items.append({**work.content, **work.arguments})
    advance = means.track("rendering", len(items))
    outcomes = engine.run(
        "dataset_builder.versions:make_version",
        items,
        slots=means.workers,
        timeout=means.timeout,
        on_done=lambda outcome: advance(failed=outcome.error is not None),
    )
    for record, outcome in zip(at_hand, outcomes, strict=True):
        if outcome.result is None:
            done.problems.append(Problem(RECORDS, 0, record.id, f"cannot be rendered again: {outcome.error}"))
            continue
        media = media_of(outcome.result["media"], outcome.result["path"])
        if media.sha256 == record.media.sha256:
            done.rendered += 1
            yield record, media
            continue
        reason = f"renders to other bytes here: {media.sha256}, not {record.media.sha256}; are the tools the same?"
        done.problems.append(Problem(RECORDS, 0, record.id, reason))


def _copy(done: Regenerated, record: Record, found: Mapping[str, Path], corpus: Path | None) -> None:
    path = found.get(record.media.sha256)
    if path is None:
        _miss(done, record, "this clip", record.media.sha256)
        return
    done.copied += 1
    if corpus is not None:
        _put(path, corpus / record.media.path)


def _put(made: Path, place: Path) -> None:
    """Copy a file into the corpus: it is there whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".{place.name}.partial")
    shutil.copyfile(made, partial)
    partial.replace(place)


def _miss(done: Regenerated, record: Record, what: str, sha256: str) -> None:
    reason = f"{what} (sha256 {sha256}) is in none of the folders: give the folder that holds it with --clips"
    done.problems.append(Problem(RECORDS, 0, record.id, reason))


def _shown(corpus: Path) -> set[str]:
    configs = sorted(path.name for path in (corpus / "data").iterdir() if path.is_dir())
    samples = (located.sample for config in configs for located in read_samples(corpus, config))
    return {media.path for sample in samples for media in sample.media}


def _is_there(corpus: Path, record: Record) -> bool:
    path = corpus / record.media.path
    return path.is_file() and sha256_of(path) == record.media.sha256


def _clean(wanted: Iterable[Record], records: Mapping[str, Record]) -> list[Record]:
    """List the records of the clean clips that are needed, each once."""
    needed = {(record.origin.record_id if record.origin else record.id) for record in wanted}
    return [records[record_id] for record_id in sorted(needed)]


def _find(clean: Sequence[Record], folders: Sequence[Path]) -> dict[str, Path]:
    """Find files by their bytes: only those of a size that is looked for are hashed."""
    by_size: dict[int, set[str]] = defaultdict(set)
    for record in clean:
        by_size[record.media.bytes].add(record.media.sha256)
    found: dict[str, Path] = {}
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in sorted(names):
                path = Path(parent) / name
                looked_for = by_size.get(path.stat().st_size, set()) if path.is_file() else set()
                if looked_for - found.keys() and (sha256 := sha256_of(path)) in looked_for:
                    found.setdefault(sha256, path)
    return found
