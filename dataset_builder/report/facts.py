"""What a report tells that the manifest does not: gathered in one pass over samples, and one over records."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dataset_builder.corpus import RECORDS, read_samples
from dataset_builder.report.texts import Texts, asked
from schemas.errors import DataError
from schemas.frames import key_frame_indices
from schemas.levels import CUTS, Level
from schemas.record import Record
from schemas.sample import Sample
from schemas.validate import Problem, read_jsonl

BINS = 8 * (len(CUTS) + 1)
"""Bars of a histogram of MOS: eight a level, so that every cut is the edge of a bar."""
EDGES = [index / BINS for index in range(1, BINS)]


@dataclass
class Scores:
    """The scores of one source in one split of a config: `bins` counts MOS on the unit range, `total` is their sum."""

    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    levels: Counter[Level] = field(default_factory=Counter)
    total: float = 0.0
    synthetic: bool = False

    @property
    def count(self) -> int:
        """How many samples have a score."""
        return sum(self.bins)


@dataclass(slots=True)
class Shown:
    """A clip that samples show: what the contact sheet says of it, and which frame it shows."""

    record_id: str
    path: str
    sha256: str
    frame: int
    split: str
    group: str
    level: Level | None = None
    mos: float | None = None
    distortions: tuple[tuple[str, int | None], ...] = ()


@dataclass
class Geometry:
    """The clips of one source as they are shown: how many, how long together in seconds, their sizes and rates."""

    videos: int = 0
    images: int = 0
    seconds: list[float] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    rates: Counter[float] = field(default_factory=Counter)
    rendered: int = 0


@dataclass
class Facts:
    """All that is gathered.

    `clips` are record ids by config and split; `scores` go by (config, source) and split; `group_splits` and
    `byte_splits` say in which splits a content group and a file (by sha256) are; `distortions` count clips by name and
    severity, `stalls` by the number of stalls.
    """

    clips: dict[str, dict[str, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    groups: dict[str, dict[str, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    scores: dict[tuple[str, str], dict[str, Scores]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Scores))
    )
    questions: dict[str, Texts] = field(default_factory=lambda: defaultdict(Texts))
    answers: dict[str, Texts] = field(default_factory=lambda: defaultdict(Texts))
    group_splits: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    byte_splits: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    shown: dict[str, Shown] = field(default_factory=dict)
    geometry: dict[str, Geometry] = field(default_factory=lambda: defaultdict(Geometry))
    distortions: dict[str, Counter[int | None]] = field(default_factory=lambda: defaultdict(Counter))
    stalls: Counter[int] = field(default_factory=Counter)


def gather_facts(corpus: Path, configs: Iterable[str], advance: Callable[[], object] = lambda: None) -> Facts:
    """Read the samples of the configs and the records of a corpus once; `advance` is told of every sample.

    Raises CallError where the folder is no corpus of these, DataError naming file and line of what is wrong.
    """
    facts = Facts()
    for config in configs:
        for located in read_samples(corpus, config):
            split = located.where.rsplit("/", 1)[1].split("-")[0]
            _add_sample(facts, config, split, located.sample)
            advance()
    if (corpus / RECORDS).is_file():
        for _, record in read_jsonl(corpus / RECORDS, Record, RECORDS):
            if isinstance(record, Problem):
                raise DataError(str(record))
            if record.id in facts.shown:
                _add_record(facts, record)
    return facts


def _add_sample(facts: Facts, config: str, split: str, sample: Sample) -> None:
    facts.groups[config][split].add(sample.provenance.group)
    facts.group_splits[sample.provenance.group].add(split)
    for turn in sample.turns:
        if turn.role == "user":
            facts.questions[config].add(asked(turn.text))
        else:
            facts.answers[config].add(turn.text)
    for media in sample.media:
        facts.clips[config][split].add(media.record_id)
        facts.byte_splits[media.sha256].add(split)
        clip = facts.shown.get(media.record_id)
        if clip is None:
            middle = key_frame_indices(media.frames, media.fps)[media.key_frames // 2] if media.kind == "video" else 0
            place = (media.record_id, media.path, media.sha256)
            clip = facts.shown[media.record_id] = Shown(*place, middle, split, sample.provenance.group)
        if sample.target and clip.level is None:
            clip.level, clip.mos = sample.target.level, sample.target.mos
    if target := sample.target:
        scores = facts.scores[config, sample.provenance.source][split]
        scores.bins[bisect_right(EDGES, target.mos)] += 1
        scores.levels[target.level] += 1
        scores.total += target.mos
        scores.synthetic |= target.synthetic


def _add_record(facts: Facts, record: Record) -> None:
    media, geometry = record.media, facts.geometry[record.source]
    if media.kind == "image":
        geometry.images += 1
    else:
        geometry.videos += 1
        geometry.seconds.append(media.duration)
        geometry.rates[round(media.fps, 2)] += 1
    geometry.sizes[media.width, media.height] += 1
    geometry.rendered += record.origin is not None
    main = [distortion for distortion in record.distortions if distortion.main] or record.distortions
    facts.shown[record.id].distortions = tuple((one.name, one.severity) for one in main)
    for one in main:
        facts.distortions[one.name][one.severity] += 1
    if record.stalls is not None:
        facts.stalls[len(record.stalls)] += 1
