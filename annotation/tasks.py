"""Which clips become tasks, what each task is for, and what a server stores of it.

A task of a known answer and a repeat look like any other: the same fields, the same kind of key, an order by key.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import msgspec

from annotation.folder import TaskRole
from annotation.labeling import nearest
from annotation.proxies import Proxy
from dataset_builder.corpus import corpus_configs, read_records, read_samples
from schemas.annotation import Annotation
from schemas.draws import share
from schemas.errors import CallError, DataError
from schemas.pair import Pair
from schemas.project import Clips, Control
from schemas.record import GroundTruth, Record
from schemas.response import Role
from schemas.validate import Problem, read_jsonl
from stages.wording.ground_truth import annotate

KEY_DIGITS = 16

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class Wanted:
    """A task to be: which clip, and what for."""

    record: Record
    role: Role


class Names:
    """Which record a name means: its id, with or without source and extension, its path, or the end of one."""

    def __init__(self, records: Iterable[Record]) -> None:
        """Index the names once."""
        self._ids: dict[str, None] = {}
        self._by_name: dict[str, set[str]] = defaultdict(set)
        for record in records:
            self._ids[record.id] = None
            for path in (record.id, record.id.partition("/")[2], record.media.path):
                parts = PurePosixPath(path).parts
                for ending in (path, *parts[-1:]):
                    self._by_name[ending].add(record.id)
                    self._by_name[str(PurePosixPath(ending).with_suffix(""))].add(record.id)

    def find(self, name: str) -> str | None:
        """Give the id of the one record that a name, or the end of a path, means; None for no record or several."""
        if name in self._ids:
            return name
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for first in range(len(parts)):
            if found := self._by_name.get("/".join(parts[first:])):
                return next(iter(found)) if len(found) == 1 else None
        return None

    def get(self, name: str, where: str) -> str:
        """Give the id of the record that a name means. Raises DataError naming the nearest one."""
        if (found := self.find(name)) is None:
            near = nearest(name, list(self._ids))
            raise DataError(f"{where}: no record, or more than one, is meant by {name!r}{near}")
        return found


def read_clips(clips: Clips, base: Path) -> list[Record]:
    """Read the records of the clips to show, by id; of a corpus those that it shows, in one split if one is named.

    Raises CallError where there are none, DataError naming a line that is wrong, or an id that is given twice.
    """
    path = base / clips.records
    if path.is_dir():
        records = _shown(path)
    elif path.is_file():
        records = read_rows(path, Record)
    else:
        near = nearest(path.name, [other.name for other in path.parent.glob("*")])
        raise CallError(f"clips.records: there is no corpus or file {clips.records!r}{near}")
    found = {record.id: record for record in records}
    if len(found) < len(records):
        twice = next(name for name, count in Counter(record.id for record in records).items() if count > 1)
        raise DataError(f"{clips.records}: two records are called {twice!r}")
    wanted = [found[name] for name in sorted(found) if clips.split in {None, found[name].split}]
    if not wanted:
        of = f" of split {clips.split!r}" if clips.split else ""
        raise CallError(f"clips.records: there are no records{of} in {clips.records!r}")
    return wanted


def read_rows(path: Path, kind: type[T]) -> list[T]:
    """Read a file of JSON lines. Raises CallError without it, DataError naming every line that is wrong."""
    if not path.is_file():
        near = nearest(path.name, [other.name for other in path.parent.glob("*")])
        raise CallError(f"there is no file {str(path)!r}{near}")
    rows: list[T] = []
    problems = []
    for _, row in read_jsonl(path, kind, str(path)):
        if isinstance(row, Problem):
            problems.append(str(row))
        else:
            rows.append(row)
    if problems:
        raise DataError("\n".join(problems))
    return rows


def gold_by_record(gold: Sequence[Annotation], names: Names, where: str) -> dict[str, Annotation]:
    """Bring known answers to their records; each names its record from then on.

    Raises DataError for a clip that is not among the records, or has two answers.
    """
    found: dict[str, Annotation] = {}
    for answer in gold:
        record_id = names.get(answer.clip, f"{where}: {answer.id}")
        if record_id in found:
            raise DataError(f"{where}: {record_id!r} has two known answers: {found[record_id].id!r} and {answer.id!r}")
        found[record_id] = msgspec.structs.replace(answer, clip=record_id)
    return found


def choose(records: Sequence[Record], gold: Collection[str], control: Control, seed: int) -> list[Wanted]:
    """Choose what tasks there are: every clip once, and among them clips of known answers and repeats.

    A clip whose answer is known is shown for that or not at all. Which known ones are shown is drawn by rank, so that
    more clips to annotate add some and take none away; whether a clip is repeated is drawn for each on its own (at
    least one is, where repeats are asked for), so that a new clip changes nothing for the others.
    """
    clips = [record for record in records if record.id not in gold]
    known = sorted((record for record in records if record.id in gold), key=lambda r: share(seed, "gold", r.id))
    rest = 1 - control.repeat_share - (control.gold_share if known else 0)
    shown = known[: round(control.gold_share * len(clips) / rest)] if clips else known
    if control.gold_share and not shown:
        shown = known[:1]
    draws = {record.id: share(seed, "repeat", record.id) for record in clips}
    repeats = [record for record in clips if draws[record.id] < control.repeat_share / rest]
    if control.repeat_share and clips and not repeats:
        repeats = [min(clips, key=lambda record: draws[record.id])]
    return [
        *(Wanted(record, "clip") for record in clips),
        *(Wanted(record, "gold") for record in shown),
        *(Wanted(record, "repeat") for record in repeats),
    ]


def role_of(wanted: Wanted, seed: int, config_sha256: str, salt: str = "") -> TaskRole:
    """Give the key of a task, and what it is for."""

    def key(role: Role) -> str:
        told = "\0".join((str(seed), config_sha256, wanted.record.id, role, salt))
        return hashlib.sha256(told.encode()).hexdigest()[:KEY_DIGITS]

    of = key("clip") if wanted.role == "repeat" else None
    return TaskRole(key=key(wanted.role), record_id=wanted.record.id, role=wanted.role, of=of)


def data_of(key: str, record: Record, proxy: Proxy | None, url: str) -> dict[str, Any]:
    """Give what the server stores of a task: the file that is played, and what it stands for."""
    return {
        "task_key": key,
        "record_id": record.id,
        "video_url": url,
        "fps": proxy.fps if proxy else record.media.fps,
        "frames": proxy.frames if proxy else record.media.frames,
        "sha256": record.media.sha256,
        "proxy_sha256": proxy.sha256 if proxy else None,
    }


def review_data(record: Record, pairs: Sequence[Pair], annotations: Mapping[str, Annotation]) -> dict[str, Any]:
    """Give what a review shows beside the clip: what is known of it, and a title for each pair with its doubts."""
    return {
        "source_depiction": depiction(record, pairs, annotations),
        "pairs": [{"title": f"{index}. {_title(pair)}", "pair_id": pair.id} for index, pair in enumerate(pairs, 1)],
    }


def _title(pair: Pair) -> str:
    doubts = "".join(f" Doubted ({doubt.check}): {doubt.why}." for doubt in pair.doubts)
    return f"{pair.family}, {pair.form}.{doubts}" if doubts else f"{pair.family}, {pair.form}"


def depiction(record: Record, pairs: Sequence[Pair], annotations: Mapping[str, Annotation]) -> str:
    """Put into lines what the pairs of a clip rest on: the annotations that they cite, and the ground truth."""
    cited = dict.fromkeys(name.partition(":")[2] for pair in pairs for name in pair.evidence)
    found = [annotations[name] for name in cited if name in annotations]
    if record.distortions:
        truth = annotate(GroundTruth(clip=record.id, distortions=record.distortions))
        found.append(msgspec.structs.replace(truth, conversations=[]))
    return "\n\n".join(filter(None, map(_lines, found)))


def _lines(annotation: Annotation) -> str:
    lines = [annotation.overall, annotation.in_context]
    for attribute in annotation.attributes:
        span = None if attribute.start is None else f"{attribute.start:.2f} s to {attribute.end:.2f} s"
        told = (f"{attribute.degree} {attribute.name}", span, attribute.when, attribute.where)
        lines.append("- " + ", ".join(filter(None, told)))
    for said in annotation.conversations:
        lines += [f"Q: {said.question}", f"A: {said.answer}"]
    if annotation.level:
        lines.append(f"Quality: {annotation.level}")
    return "\n".join(filter(None, lines))


def _shown(corpus: Path) -> list[Record]:
    """Read the records of a corpus but for clean clips that are there only because others were made of them."""
    configs = corpus_configs(corpus) if (corpus / "data").is_dir() else []
    shown = {media.path for config in configs for row in read_samples(corpus, config) for media in row.sample.media}
    return [record for record in read_records(corpus) if not configs or record.media.path in shown]
