"""Leak passports: made of a folder of clips, read, and held against the clips of a corpus."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from dataset_builder import engine
from dataset_builder.corpus import file_entry, read_manifest
from dataset_builder.leakage.fingerprint import FREQUENCIES, GRID, LAG, RATE, Fingerprint
from dataset_builder.leakage.search import Match, find_matches, is_blank
from dataset_builder.matching import ClipFolder
from dataset_builder.video import CLIP_SUFFIXES
from schemas import SCHEMA_VERSION
from schemas.errors import CallError, DataError
from schemas.passport import HASH, HashParameters, Passport, PassportClip, UnreadClip
from schemas.record import SPLITS
from schemas.sample import Sample
from schemas.validate import Problem, check_bytes, read_jsonl

Track = Callable[[str, int], Callable[[], None]]

PARAMETERS = HashParameters(rate=RATE, grid=GRID, frequencies=len(FREQUENCIES), lag=LAG)


def _silent(_what: str, _total: int) -> Callable[[], None]:
    return lambda: None


@dataclass(frozen=True)
class CorpusClip:
    """A clip of a corpus as leaks are told of: its record, its file and the file's sha256, its split and group."""

    record_id: str
    file: Path
    sha256: str
    split: str
    group: str

    def __str__(self) -> str:
        """Name the clip for a person."""
        return f"{self.record_id!r} of split {self.split}"


@dataclass(frozen=True)
class Created:
    """A passport, and what is not, or hardly, in it.

    `blank` clips are too flat for signs, so that only the same bytes are found again; `unread` are (path, reason);
    `others` counts files that are no clips by their suffix.
    """

    passport: Passport
    blank: list[str]
    unread: list[tuple[str, str]]
    others: int


def create_passport(
    folder: Path,
    name: str,
    *,
    names: bool = True,
    workers: int | None = None,
    timeout: float = 600.0,
    track: Track = _silent,
) -> Created:
    """Take the fingerprints of all clips and stills below a folder; `names` puts the clips' names in.

    Raises CallError if there is no such folder, or no clip in it.
    """
    listed = ClipFolder(folder)
    paths = [path for path in listed.paths if Path(path).suffix.lower() in CLIP_SUFFIXES]
    if not paths:
        raise CallError(f"there are no videos or images in {str(folder)!r}")
    found = take_fingerprints({path: folder / path for path in paths}, workers=workers, timeout=timeout, track=track)
    clips, blank, unread = [], [], list(listed.unusable)
    for path in paths:
        taken = found[path]
        if isinstance(taken, str):
            unread.append((path, taken))
            continue
        sha256, samples = file_entry(folder / path).sha256, taken.words.astype(">u8").tobytes()
        clips.append(PassportClip(name=path if names else None, sha256=sha256, seconds=taken.seconds, samples=samples))
        if is_blank(taken):
            blank.append(path)
    passport = Passport(
        schema_version=SCHEMA_VERSION,
        name=name,
        hash=HASH,
        parameters=PARAMETERS,
        clips=clips,
        unread=[UnreadClip(name=path if names else None, reason=reason) for path, reason in unread],
    )
    return Created(passport, blank, unread, len(listed.paths) - len(paths))


def take_fingerprints(
    files: Mapping[str, Path], *, workers: int | None = None, timeout: float = 600.0, track: Track = _silent
) -> dict[str, Fingerprint | str]:
    """Take the fingerprint of each file, or say why there is none."""
    items = [{"path": str(file)} for file in files.values()]
    advance = track("taking fingerprints", len(items))
    outcomes = engine.run(
        "dataset_builder.leakage.fingerprint:fingerprint_item",
        items,
        slots=workers,
        timeout=timeout,
        on_done=lambda _: advance(),
    )
    return {
        name: from_samples(bytes.fromhex(outcome.result["words"]), outcome.result["seconds"])
        if outcome.result
        else outcome.error or "unknown"
        for name, outcome in zip(files, outcomes, strict=True)
    }


def from_samples(samples: bytes, seconds: float) -> Fingerprint:
    """Read the fingerprint of a clip from the bytes of its samples."""
    return Fingerprint(np.frombuffer(samples, ">u8").astype(np.uint64).reshape(-1, 4), seconds)


def write_passport(path: Path, passport: Passport) -> None:
    """Write a passport, one clip a line, so that two of them can be told apart by eye."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head, _, rest = msgspec.json.encode(passport).partition(b'"clips":[')
    path.write_bytes(head + b'"clips":[\n' + rest.replace(b'},{"name"', b'},\n{"name"') + b"\n")


def read_passport(path: Path) -> Passport:
    """Read a passport. Raises CallError when there is no such file, DataError when it is none that can be used."""
    if not path.is_file():
        raise CallError(f"there is no passport {str(path)!r}: vqa2 passport create FOLDER makes one")
    passport = check_bytes(path.read_bytes(), Passport, path.name, 0)
    if isinstance(passport, Problem):
        raise DataError(str(passport))
    if passport.parameters != PARAMETERS:
        raise DataError(f"{path.name}: its fingerprints were made with other parameters than this tool's: make it anew")
    return passport


def corpus_clips(corpus: Path, media_root: Path | None = None) -> dict[str, CorpusClip]:
    """List the media that the samples of a corpus show, by path. Lines that are wrong and absent files are left out.

    Raises CallError if the folder is no corpus, or if its media lie elsewhere and `media_root` is not given.
    """
    manifest = read_manifest(corpus)
    if manifest.media == "reference" and media_root is None:
        raise CallError(f"the media of {str(corpus)!r} lie elsewhere: say where with --media-root")
    folder = media_root if manifest.media == "reference" and media_root else corpus
    clips: dict[str, CorpusClip] = {}
    for path in sorted((corpus / "data").glob("*/*.jsonl")):
        for _, sample in read_jsonl(path, Sample):
            if isinstance(sample, Problem):
                continue
            for media in sample.media:
                if media.path not in clips and (folder / media.path).is_file():
                    clips[media.path] = CorpusClip(
                        media.record_id,
                        folder / media.path,
                        media.sha256,
                        path.name.split("-")[0],
                        sample.provenance.group,
                    )
    return clips


def leaks(
    clips: Mapping[str, CorpusClip],
    passports: Sequence[Passport],
    *,
    near_duplicates: bool,
    workers: int | None = None,
    track: Track = _silent,
) -> Iterator[Problem]:
    """Yield each clip of a corpus that is a clip of a passport, or (`near_duplicates`) one of another split.

    `clips` go by their media path. Those of the split `test` are not held against passports: they may be the benchmark.
    """
    wanted = {path: clip for path, clip in clips.items() if near_duplicates or clip.split != "test"}
    taken = take_fingerprints({path: clip.file for path, clip in wanted.items()}, workers=workers, track=track)
    prints = {path: found for path, found in taken.items() if isinstance(found, Fingerprint)}
    for path, reason in taken.items():
        if isinstance(reason, str):
            yield Problem(path, 0, "", f"whether {wanted[path]} leaks cannot be told: {reason}")
    trained = {path: clip for path, clip in wanted.items() if clip.split != "test"}
    for passport in passports:
        yield from _leaks_of(passport, trained, prints, track)
    if near_duplicates:
        for one, other in itertools.combinations(SPLITS, 2):
            yield from _duplicates(wanted, prints, one, other, track)


def _leaks_of(
    passport: Passport, clips: Mapping[str, CorpusClip], prints: Mapping[str, Fingerprint], track: Track
) -> Iterator[Problem]:
    same_bytes = {clip.sha256: clip for clip in passport.clips}
    for path, mine in clips.items():
        if theirs := same_bytes.get(mine.sha256):
            yield Problem(path, 0, "", f"{mine} is the same file as {theirs} of {passport.name!r}")
    paths = [path for path in clips if path in prints]
    benchmark = [from_samples(clip.samples, clip.seconds) for clip in passport.clips]
    for match in find_matches([prints[path] for path in paths], benchmark, track):
        path, theirs = paths[match.query], passport.clips[match.reference]
        if clips[path].sha256 not in same_bytes:
            yield Problem(path, 0, "", f"{clips[path]} shows {theirs} of {passport.name!r}{_shared(match)}")


def _duplicates(
    clips: Mapping[str, CorpusClip], prints: Mapping[str, Fingerprint], one: str, other: str, track: Track
) -> Iterator[Problem]:
    ours, theirs = ([path for path in prints if clips[path].split == split] for split in (one, other))
    for match in find_matches([prints[path] for path in ours], [prints[path] for path in theirs], track):
        path, copy = ours[match.query], clips[theirs[match.reference]]
        # One group or the same bytes in two splits is what `check` names in any case.
        if clips[path].group != copy.group and clips[path].sha256 != copy.sha256:
            yield Problem(path, 0, "", f"{clips[path]} shows {copy}{_shared(match)}: put them into one group")


def _shared(match: Match) -> str:
    if match.likeness.seconds * RATE <= 1:
        return " (one picture)"
    mine, theirs = match.likeness.starts
    return f" ({match.likeness.seconds:g} s of it, from {mine:g} s here and {theirs:g} s there)"
