"""Compares two corpus folders. Rows are walked side by side in the order of their ids; equal files are not opened."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dataset_builder.comparing import reasons
from dataset_builder.comparing.edits import edits
from dataset_builder.comparing.reasons import Known
from dataset_builder.comparing.step import step_of
from dataset_builder.comparing.walking import Row, differing, joined, rows_of
from dataset_builder.corpus import QUARANTINE, RECORDS, read_manifest
from schemas.comparison import (
    WHATS,
    Comparison,
    ConfigChange,
    Edit,
    FilesChange,
    Flip,
    QuarantineChange,
    Reason,
    SampleChange,
    Side,
    SourceChange,
    What,
)
from schemas.errors import DataError
from schemas.levels import Level, LevelScale
from schemas.manifest import FileEntry, Manifest, Quarantined
from schemas.record import Record
from schemas.sample import Sample
from schemas.validate import Problem, read_jsonl

EXAMPLES = 3
"""Changes that are told of each config, source, kind and reasons."""
FLIPS = 1000
"""Level flips that are listed; all are counted."""
QUARANTINED = 20
"""New quarantine rows that are listed."""

Told = Callable[[SampleChange], None]


@dataclass(frozen=True)
class _Corpus:
    folder: Path
    manifest: Manifest

    def files(self, start: str) -> dict[str, FileEntry]:
        return {name: entry for name, entry in self.manifest.files.items() if name.startswith(start)}

    def samples(self, config: str) -> int:
        count = self.manifest.configs.get(config)
        return sum(count.splits.values()) if count else 0

    def asks(self, config: str) -> bool:
        recipe = self.manifest.recipe
        told = {source.get("config") for source in recipe.get("sources", [])}
        return config in self.manifest.configs or config in recipe.get("stages", []) or config in told

    def side(self, named: str) -> Side:
        found = self.manifest
        samples = sum(self.samples(config) for config in found.configs)
        return Side(
            corpus=named,
            name=found.name,
            schema_version=found.schema_version,
            recipe_sha256=found.recipe_sha256,
            media=found.media,
            samples=samples,
            records=found.records,
        )


def compare(before: Path, after: Path, named: tuple[str, str] | None = None, told: Told = lambda _: None) -> Comparison:
    """Compare two corpora; `told` hears of every sample that differs, in the order of configs and ids.

    `named` is what the two are called in the result. What is held in memory grows with the records that differ and
    the notes that are cited, not with the samples. Raises CallError where one is no corpus, DataError for a file
    that is not what its manifest or schema says.
    """
    old, new = _Corpus(before, read_manifest(before)), _Corpus(after, read_manifest(after))
    scales = edits(_scales(old.manifest), _scales(new.manifest))
    tally = _Tally(told)
    records, known = _records(old, new, {edit.field.partition(".")[0] for edit in scales})
    configs = {}
    for config in sorted({*old.manifest.configs, *new.manifest.configs}):
        before_after = old.samples(config), new.samples(config)
        sources = tally.sources.setdefault(config, {})
        _samples(config, old, new, known, tally)
        configs[config] = ConfigChange(before=before_after[0], after=before_after[1], sources=_sorted(sources))
    names = named or (str(before), str(after))
    files = _files(old.manifest, new.manifest)
    recipe = edits(old.manifest.recipe, new.manifest.recipe)
    parts: dict[str, Any] = {
        "before": old.side(names[0]),
        "after": new.side(names[1]),
        "configs": configs,
        "records": _sorted(records),
    }
    step, why = step_of(**parts, files=files, same_manifest=old.manifest == new.manifest)
    return Comparison(
        **parts,
        step=step,
        step_reasons=why,
        flips=tally.flips,
        examples=tally.examples,
        quarantine=_quarantine(old, new),
        pairs=edits(old.manifest.pairs, new.manifest.pairs),
        recipe=recipe,
        scales=scales,
        tools=edits(old.manifest.tools, new.manifest.tools),
        files=files,
    )


class _Tally:
    """Counts what differs, and keeps the first of each kind."""

    def __init__(self, told: Told) -> None:
        self.sources: dict[str, dict[str, SourceChange]] = {}
        self.examples: list[SampleChange] = []
        self.flips: list[Flip] = []
        self._told = told
        self._seen: Counter[tuple[Any, ...]] = Counter()

    def of(self, config: str, source: str) -> SourceChange:
        return self.sources[config].setdefault(source, SourceChange())

    def add(self, change: SampleChange, flip: Flip | None = None) -> None:
        found = self.of(change.config, change.source)
        _count(found, change.what, change.reasons)
        if flip:
            row = found.flips.setdefault(flip.old, {})
            row[flip.new] = row.get(flip.new, 0) + 1
            if len(self.flips) < FLIPS:
                self.flips.append(flip)
        kind = (change.config, change.source, change.what, *change.reasons)
        self._seen[kind] += 1
        if self._seen[kind] <= EXAMPLES:
            self.examples.append(change)
        self._told(change)


def _count(found: SourceChange, what: What, why: Iterable[Reason]) -> None:
    setattr(found, what, getattr(found, what) + 1)
    counts = found.why.setdefault(what, {})
    for reason in why:
        counts[reason] = counts.get(reason, 0) + 1


def _sorted(found: Mapping[str, SourceChange]) -> dict[str, SourceChange]:
    return {
        name: msgspec.structs.replace(
            change,
            why={
                what: {reason: change.why[what][reason] for reason in reasons.in_order(change.why[what])}
                for what in WHATS
                if what in change.why
            },
        )
        for name, change in sorted(found.items())
    }


def _records(old: _Corpus, new: _Corpus, rescaled: set[str]) -> tuple[dict[str, SourceChange], Known]:
    """Compare what is known of every clip, in all and for the samples that show it."""
    found: dict[str, SourceChange] = {}
    changed: dict[str, frozenset[Reason]] = {}
    alone: set[str] = set()
    moved: set[str] = set()
    lists: dict[tuple[Reason, ...], frozenset[Reason]] = {}
    scales = [{scale.source: scale for scale in corpus.manifest.scales} for corpus in (old, new)]
    # A scale that changed moves levels of clips whose records did not.
    for before, after in _rows(old, new, old.files(RECORDS), new.files(RECORDS), every=bool(rescaled)):
        row = after or before
        assert row is not None
        source = row.id.partition("/")[0]
        if before is None or after is None:
            alone.add(row.id)
            _count(found.setdefault(source, SourceChange()), "added" if after else "removed", ["record"])
        elif before.raw != after.raw or source in rescaled:
            one, other = before.read(Record), after.read(Record)
            if _level(one, scales[0]) != _level(other, scales[1]):
                moved.add(row.id)
            if one != other:
                why = reasons.of_record(one, other, edits(one, other))
                changed[row.id] = lists.setdefault(tuple(why), frozenset(why))
                _count(found.setdefault(source, SourceChange()), "changed", why)
    return found, Known(changed=changed, alone=alone, moved=moved, rescaled=rescaled)


def _level(record: Record, scales: Mapping[str, LevelScale]) -> Level | None:
    scale = scales.get(record.source)
    return scale.level(record.score.value) if record.score and scale else None


class _CitedOnce:
    """The notes that rows of one side rest on and none of the other does: read only where somebody asks."""

    def __init__(self, *sides: tuple[_Corpus, Mapping[str, FileEntry]]) -> None:
        self._sides = sides

    def __contains__(self, evidence: object) -> bool:
        return evidence in self._found

    @functools.cached_property
    def _found(self) -> set[str]:
        cited: list[set[str]] = []
        for corpus, files in self._sides:
            cited.append(set())
            for name in files:
                with (corpus.folder / name).open("rb") as lines:
                    for line in lines:
                        cited[-1].update(_CITING.decode(line).provenance.evidence)
        return cited[0] ^ cited[1]


class _Evidence(msgspec.Struct):
    evidence: list[str]


class _Citing(msgspec.Struct):
    provenance: _Evidence


_CITING = msgspec.json.Decoder(_Citing)


def _samples(config: str, old: _Corpus, new: _Corpus, known: Known, tally: _Tally) -> None:
    """Compare the samples of one config."""
    files = old.files(f"data/{config}/"), new.files(f"data/{config}/")
    if files[0] == files[1]:
        return
    known = dataclasses.replace(known, cited_once=_CitedOnce((old, files[0]), (new, files[1])))
    stamps = f'"{old.manifest.recipe_sha256}"'.encode(), f'"{new.manifest.recipe_sha256}"'.encode()
    for before, after in _rows(old, new, *files):
        row = after or before
        assert row is not None
        if before and after:
            if before.split == after.split and before.raw.replace(*stamps) == after.raw:
                if before.raw != after.raw:
                    tally.of(config, row.id.split("/")[1]).restamped += 1
                continue
            tally.add(*_changed(config, before, after, known))
        else:
            sample = row.read(Sample)
            why = reasons.of_one_sided(sample, known, asked=(old if after else new).asks(config))
            tally.add(_change(config, sample, "added" if after else "removed", why))


def _changed(config: str, before: Row, after: Row, known: Known) -> tuple[SampleChange, Flip | None]:
    one, other = before.read(Sample), after.read(Sample)
    moved = before.split != after.split
    found = [edit for edit in edits(one, other) if edit.field != "provenance.recipe"]
    if moved:
        found.append(Edit(field="split", old=before.split, new=after.split))
    why = reasons.of_changed(one, other, found, known, moved=moved)
    change = _change(config, other, "changed", why, found)
    if not (one.target and other.target) or one.target.level == other.target.level:
        return change, None
    levels = one.target.level, other.target.level
    return change, Flip(id=other.id, config=config, source=change.source, old=levels[0], new=levels[1], reasons=why)


def _change(config: str, sample: Sample, what: What, why: list[Reason], found: Sequence[Edit] = ()) -> SampleChange:
    source = sample.provenance.source
    return SampleChange(id=sample.id, config=config, source=source, what=what, reasons=why, edits=list(found))


def _rows(
    old: _Corpus,
    new: _Corpus,
    before: Mapping[str, FileEntry],
    after: Mapping[str, FileEntry],
    *,
    every: bool = False,
) -> Iterator[tuple[Row | None, Row | None]]:
    """Pair the rows of the files that differ, or of `every` one: what is in an equal one is in no other."""
    names = (sorted(before), sorted(after)) if every else differing(before, after)
    return joined(rows_of(old.folder, before, names[0]), rows_of(new.folder, after, names[1]))


def _scales(manifest: Manifest) -> dict[str, Any]:
    return {scale.source: msgspec.to_builtins(scale) for scale in manifest.scales}


def _quarantine(old: _Corpus, new: _Corpus) -> QuarantineChange:
    """Compare what is in quarantine, row by row; the same row may stand there more than once."""
    sides: tuple[Counter[Quarantined], Counter[Quarantined]] = Counter(), Counter()
    for corpus, rows in zip((old, new), sides, strict=True):
        if old.manifest.files.get(QUARANTINE) == new.manifest.files.get(QUARANTINE):
            break
        if QUARANTINE not in corpus.manifest.files:
            continue
        for _, row in read_jsonl(corpus.folder / QUARANTINE, Quarantined):
            if isinstance(row, Problem):
                raise DataError(str(row))
            rows[row] += 1
    added, removed = sides[1] - sides[0], sides[0] - sides[1]
    return QuarantineChange(
        before=old.manifest.quarantined,
        after=new.manifest.quarantined,
        added=_by_source(added),
        removed=_by_source(removed),
        first_added=list(itertools.islice(added.elements(), QUARANTINED)),
    )


def _by_source(rows: Counter[Quarantined]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for row, count in rows.items():
        found[row.source] += count
    return dict(sorted(found.items()))


def _files(old: Manifest, new: Manifest) -> FilesChange:
    folders: dict[str, dict[What, int]] = {}
    others = []
    for name in sorted({*old.files, *new.files}):
        before, after = old.files.get(name), new.files.get(name)
        if before == after:
            continue
        what: What = "added" if before is None else "removed" if after is None else "changed"
        top = name.partition("/")[0] if "/" in name else "."
        counts = folders.setdefault(top, {})
        counts[what] = counts.get(what, 0) + 1
        if top not in {"data", "media"}:
            others.append(name)
    return FilesChange(folders=folders, others=others)
