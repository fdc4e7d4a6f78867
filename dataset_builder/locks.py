"""Benchmark locks: made from a corpus, told apart in words, and the reports that may be compared under one."""

from __future__ import annotations

import difflib
import hashlib
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import orjson

from dataset_builder.corpus import Located, file_entry, read_manifest, read_samples
from dataset_builder.progress import Tracker, untracked
from dataset_builder.video import MediaError, read_header
from schemas.errors import CallError, DataError
from schemas.lock import BenchmarkLock, Encode, LockedClip, LockedScale, MetricReport, fingerprint
from schemas.record import Split
from schemas.sample import MediaRef
from schemas.validate import Problem, check_bytes

NAMED = 5
"""Clips that a difference names; of the rest it says how many there are."""
S = TypeVar("S", bound=msgspec.Struct)


def scored_samples(corpus: Path, config: str, split: Split) -> list[Located]:
    """List the samples that a metric is over: those of one question and answer, with a score behind them.

    Raises CallError when there is none.
    """
    samples = [s for s in read_samples(corpus, config, split) if s.sample.target and len(s.sample.turns) == 2]
    if not samples:
        raise CallError(f"{corpus}: {config}/{split} holds no sample with a score to compare with")
    return samples


def clip_ids(samples: Sequence[Located]) -> list[str]:
    """Name each sample by its record; one of a record that is asked more than once, or of no media, by its own id."""
    records = [s.sample.media[0].record_id if s.sample.media else "" for s in samples]
    count = Counter(records)
    return [r if r and count[r] == 1 else s.sample.id for r, s in zip(records, samples, strict=True)]


def make_lock(
    corpus: Path,
    config: str,
    split: Split,
    *,
    media_root: Path | None = None,
    name: str | None = None,
    track: Tracker = untracked,
) -> BenchmarkLock:
    """Lock one split of a corpus as a benchmark, called `<corpus>/<config>/<split>` unless `name` is given.

    Files at hand (below `media_root`, else the corpus) are hashed and held to their samples; of one that is not there
    the sample's word is taken. Raises CallError when nothing in the split has a score, DataError naming a sample
    whose file has other bytes, or whose target is not what the corpus's scale makes of its score.
    """
    samples = scored_samples(corpus, config, split)
    manifest = read_manifest(corpus)
    known = {scale.source: scale for scale in manifest.scales}
    sources: set[str] = set()
    media: dict[str, MediaRef] = {}
    clips: list[LockedClip] = []
    seen = _Seen()
    advance = track("lock clips", len(samples))
    for clip_id, located in zip(clip_ids(samples), samples, strict=True):
        sample, target = located.sample, located.sample.target
        assert target is not None
        source = sample.provenance.source
        if source not in known:
            raise located.error(f"the manifest of the corpus holds no scale of its source {source!r}")
        if known[source].unit(target.raw) != target.mos:
            raise located.error(
                f"its target is {target.mos:g}, the corpus's scale makes {known[source].unit(target.raw):g} of its "
                f"score {target.raw:g}: somebody edited one of them"
            )
        sources.add(source)
        for ref in sample.media:
            if media.setdefault(ref.path, ref) is ref:
                seen.look_at(located, ref, media_root or corpus)
        digests = [ref.sha256 for ref in sample.media]
        joined = digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
        clips.append(LockedClip(id=clip_id, sha256=joined, raw=target.raw))
        advance()
    clips.sort(key=lambda clip: clip.id)
    for first, second in itertools.pairwise(clips):
        if first.id == second.id:
            raise DataError(f"{corpus}: {config}/{split} holds {first.id!r} twice")
    return BenchmarkLock(
        name=name or f"{manifest.name}/{config}/{split}",
        config=config,
        split=split,
        n=len(clips),
        scales=[
            LockedScale(source=s.source, lo=s.lo, hi=s.hi, direction=s.direction, mode=s.mode)
            for s in (known[source] for source in sorted(sources))
        ],
        encode=seen.encode(clips),
        clips=clips,
    )


@dataclass
class _Seen:
    """The files of a benchmark, counted as they are looked at."""

    rates: Counter[str] = field(default_factory=Counter)
    codecs: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    bytes: int = 0
    probed: int = 0

    def look_at(self, located: Located, ref: MediaRef, root: Path) -> None:
        self.rates["image" if ref.kind == "image" else f"{ref.fps:.2f}".rstrip("0").rstrip(".")] += 1
        self.seconds += ref.frames / ref.fps
        path = root / ref.path
        if not path.is_file():
            return
        entry = file_entry(path)
        if entry.sha256 != ref.sha256:
            raise located.error(
                f"{ref.path} has other bytes than the sample says (sha256 {entry.sha256[:12]}, not "
                f"{ref.sha256[:12]}): it is another encode; restore the file, or build again"
            )
        try:
            header = read_header(path)
            self.codecs[header.codec] += 1
            self.sizes[f"{header.width}x{header.height}"] += 1
        except MediaError:
            self.codecs["unreadable"] += 1
        self.bytes += entry.bytes
        self.probed += 1

    def encode(self, clips: Sequence[LockedClip]) -> Encode:
        return Encode(
            sha256=fingerprint(clips),
            frame_rates=_most_first(self.rates),
            seconds=round(self.seconds, 3),
            probed=self.probed,
            codecs=_most_first(self.codecs),
            sizes=_most_first(self.sizes),
            bytes=self.bytes,
        )


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def differences(one: BenchmarkLock, other: BenchmarkLock) -> list[str]:
    """Say how two benchmarks differ, each difference in one sentence; none means that they are the same."""
    if one.digest == other.digest:
        return []
    said = [] if one.n == other.n else [f"n is {one.n} against {other.n}"]
    left, right = ({clip.id: clip for clip in lock.clips} for lock in (one, other))
    for lost, kept, words in ((left, right, "only the first holds"), (right, left, "only the second holds")):
        if absent := sorted(lost.keys() - kept.keys()):
            said.append(f"{words} {_some(absent)}")
    only_left = {clip.sha256: clip.id for clip in one.clips if clip.id not in right}
    renamed = [f"{only_left[c.sha256]} = {c.id}" for c in other.clips if c.id not in left and c.sha256 in only_left]
    if renamed:
        said.append(f"of these, the same bytes under another id are {_some(renamed)}")
    both = sorted(left.keys() & right.keys())
    if changed := [clip for clip in both if left[clip].sha256 != right[clip].sha256]:
        said.append(f"another encode (other bytes) of {_some(changed)}")
    if one.encode.sha256 != other.encode.sha256:
        said.append(f"the first is {encode_of(one.encode)}; the second is {encode_of(other.encode)}")
    if changed := [clip for clip in both if left[clip].raw != right[clip].raw]:
        pairs = [f"{clip} ({left[clip].raw:.10g} against {right[clip].raw:.10g})" for clip in changed]
        said.append(f"other scores of {_some(pairs)}")
    return said + scale_differences(one.scales, other.scales)


def scale_differences(one: Sequence[LockedScale], other: Sequence[LockedScale]) -> list[str]:
    """Say which sources are on another scale; a scale of another mode with the same ends is the same."""
    left, right = ({scale.source: scale for scale in scales} for scales in (one, other))
    said = []
    for source in sorted(left.keys() | right.keys()):
        a, b = left.get(source), right.get(source)
        if a is None or b is None:
            said.append(f"only the {'first' if a else 'second'} has clips of the source {source!r}")
        elif (a.lo, a.hi, a.direction) != (b.lo, b.hi, b.direction):
            said.append(f"another scale of {source!r}: {a} against {b}")
    return said


def encode_of(encode: Encode) -> str:
    """Say in words what encode it is, the commonest codecs, sizes and frame rates first."""
    parts = [
        _counted(encode.codecs, ""),
        _counted(encode.sizes, ""),
        _counted(encode.frame_rates, " frames/s"),
        f"{encode.seconds:.1f} s",
    ]
    if encode.probed:
        parts.append(f"{encode.bytes / 1e6:.1f} MB of {encode.probed} files")
    return ", ".join(part for part in parts if part)


def _counted(counts: dict[str, int], unit: str) -> str:
    shown = " + ".join(f"{n} x {what}{'' if what == 'image' else unit}" for what, n in list(counts.items())[:NAMED])
    return shown + (f" + {len(counts) - NAMED} more kinds" if len(counts) > NAMED else "")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)}: {', '.join(names[:NAMED])}{more}"


def require_same(lock: BenchmarkLock, found: BenchmarkLock, what: str) -> None:
    """Raise DataError saying how `found`, called `what`, differs from the benchmark of `lock` (the first)."""
    if said := differences(lock, found):
        raise DataError(f"{what} is not the benchmark {lock.name!r} (first: the lock, second: it): {'; '.join(said)}")


def read_lock(path: Path) -> BenchmarkLock:
    """Read a lock file. Raises CallError when it is not there, DataError naming what is wrong in it."""
    return _read(path, BenchmarkLock, "lock file", "vqa2 lock create makes one")


def write_lock(path: Path, lock: BenchmarkLock) -> None:
    """Write a lock file: indented JSON, one value a line."""
    _write(path, lock)


def write_report(path: Path, report: MetricReport) -> None:
    """Write a report of metrics, with its whole lock."""
    _write(path, report)


def _write(path: Path, value: msgspec.Struct) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def read_report(path: Path) -> MetricReport:
    """Read a report of metrics. Raises CallError when it is not there, DataError when it names no benchmark lock."""
    return _read(path, MetricReport, "report", "vqa2 eval MODEL CORPUS --out FILE writes one")


def _read(path: Path, kind: type[S], what: str, how: str) -> S:
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1)
        hint = f"did you mean {str(path.with_name(near[0]))!r}?" if near else how
        raise CallError(f"{str(path)!r}: no such {what}; {hint}")
    raw = path.read_bytes()
    if kind is MetricReport and not _names_lock(raw):
        raise DataError(f"{path}: names no benchmark lock, so its metrics compare with nothing; {how}")
    found = check_bytes(raw, kind, str(path), 0)
    if isinstance(found, Problem):
        raise DataError(str(found))
    return found


def _names_lock(raw: bytes) -> bool:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return True  # the reader says what is wrong with it
    return not isinstance(value, dict) or bool(value.get("benchmark"))


def require_comparable(reports: dict[str, MetricReport]) -> None:
    """Raise DataError naming how two reports differ, unless all are of the same benchmark and over the same clips."""
    (first_name, first), *others = reports.items()
    for name, report in others:
        between = f"{first_name} and {name} cannot be compared (first, second)"
        if report.benchmark.lock != first.benchmark.lock:
            raise DataError(f"{between}: they are not of the same benchmark: {'; '.join(_told_apart(first, report))}")
        if set(report.not_scored) != set(first.not_scored):
            missed = [
                f"the {which} did not score {_some(sorted(r.not_scored))}"
                for which, r in (("first", first), ("second", report))
                if r.not_scored
            ]
            raise DataError(f"{between}: they are over different clips of {first.benchmark.name}: {'; '.join(missed)}")


def _told_apart(one: MetricReport, other: MetricReport) -> list[str]:
    if one.lock and other.lock:
        return differences(one.lock, other.lock)
    a, b = one.benchmark, other.benchmark
    said = [f"{a.name!r} against {b.name!r}"] if a.name != b.name else []
    if a.n != b.n:
        said.append(f"n is {a.n} against {b.n}")
    if a.encode != b.encode:
        said.append("other clips or another encode of them")
    said += scale_differences(a.scales, b.scales)
    return said or ["other scores or ids of the clips (reports written by --out hold what it takes to name them)"]
