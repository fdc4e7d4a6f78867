"""What raters submitted, put in the order in which it is judged, and the project folder that it is read from."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from schemas.annotation import Annotation
from schemas.errors import CallError, DataError
from schemas.levels import LEVELS, level_of_unit
from schemas.response import Response, Role
from schemas.validate import Problem, read_jsonl

T = TypeVar("T", bound=msgspec.Struct)

RESPONSES = "responses.jsonl"
VERDICT_VALUES = {"reject": 0.0, "edit": 1.0, "accept": 2.0}
"""Verdicts by how much of the pair is kept."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How many responses there are: those that are judged, and what is left out and why."""

    judged: int
    skipped: int = 0
    drafts: int = 0
    empty: int = 0
    superseded: int = 0
    unknown_gold: int = 0


@dataclass(frozen=True)
class Answers:
    """What raters submitted, the latest of each rater and task, ordered by rater and task.

    `gold` holds the known answers by record id, `seconds` the durations of clips by task where they are known.
    `title`, `recipe` and `qualification` are the project's.
    """

    kind: Literal["depict", "review"]
    responses: list[Response]
    gold: Mapping[str, Annotation] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    counted: Counted = Counted(judged=0)
    name: str = ""
    title: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    qualification: bool = False

    @property
    def raters(self) -> list[str]:
        """The pseudonyms of all who submitted anything."""
        return sorted({response.rater for response in self.responses})

    def of_role(self, role: Role) -> list[Response]:
        """The responses to tasks of one role."""
        return [response for response in self.responses if response.role == role]


class _Project(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed here of project.json."""

    name: str
    kind: Literal["depict", "review"]
    title: str = ""
    recipe: dict[str, Any] = {}
    qualification: bool | int = False


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    fps: float | str | None = None
    frames: int | None = None


class _Task(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed here of a line of tasks.jsonl."""

    key: str
    data: _Shown


class _TaskRole(msgspec.Struct, frozen=True, kw_only=True):
    """A line of roles.jsonl."""

    key: str
    record_id: str
    role: Role
    of: str | None = None


def read_answers(folder: Path) -> Answers:
    """Read a project folder that responses were imported into.

    Raises CallError where the folder is none or nothing was imported, DataError naming file and line of what is wrong.
    """
    path = folder / "project.json"
    if not path.is_file():
        near = difflib.get_close_matches(folder.name, [p.parent.name for p in folder.parent.glob("*/project.json")], 1)
        hint = f"; did you mean {near[0]!r}?" if near else "; vqa2 annotate create makes one"
        raise CallError(f"{str(folder)!r} is no annotation project: there is no project.json in it{hint}")
    if not (folder / RESPONSES).is_file():
        raise CallError(f"there are no responses in {str(folder)!r}: run vqa2 annotate import first")
    try:
        project = msgspec.json.decode(path.read_bytes(), type=_Project)
    except msgspec.DecodeError as error:
        raise DataError(f"{path.name}: {error}") from error
    roles = {task.key: task for task in _lines(folder / "roles.jsonl", _TaskRole)}
    responses = _lines(folder / RESPONSES, Response)
    for response in responses:
        known = roles.get(response.task)
        if known is None:
            raise DataError(f"{RESPONSES}: response {response.id}: no task of this project has key {response.task!r}")
        if (known.role, known.of, known.record_id) != (response.role, response.of, response.record_id):
            raise DataError(f"{RESPONSES}: response {response.id} is not as roles.jsonl has its task: import again")
    gold_file = folder / "gold.jsonl"
    gold = _lines(gold_file, Annotation) if gold_file.is_file() else []
    tasks = _lines(folder / "tasks.jsonl", _Task)
    return gathered(
        project.kind,
        responses,
        gold_of(gold, {task.record_id for task in roles.values() if task.role == "gold"}),
        {task.key: seconds for task in tasks if (seconds := _duration(task.data)) is not None},
        name=project.name,
        title=project.title or project.name,
        recipe=project.recipe,
        qualification=bool(project.qualification),
    )


def gathered(
    kind: Literal["depict", "review"],
    responses: Iterable[Response],
    gold: Mapping[str, Annotation],
    seconds: Mapping[str, float],
    **of_project: Any,
) -> Answers:
    """Sort responses out: skips, drafts and empty ones are counted, and of each rater and task the latest is judged."""
    left: Counter[str] = Counter()
    latest: dict[tuple[str, str], Response] = {}
    for response in responses:
        if response.state != "submitted":
            left["skipped" if response.state == "skipped" else "drafts"] += 1
        elif not (response.verdicts if kind == "review" else response.annotation):
            left["empty"] += 1
        elif response.role == "gold" and kind == "depict" and response.record_id not in gold:
            left["unknown_gold"] += 1
        else:
            before = latest.get(key := (response.rater, response.task))
            left["superseded"] += before is not None
            if before is None or (response.updated, response.id) > (before.updated, before.id):
                latest[key] = response
    judged = [latest[key] for key in sorted(latest)]
    return Answers(kind, judged, gold, seconds, Counted(judged=len(judged), **left), **of_project)


def gold_of(gold: Iterable[Annotation], records: Iterable[str]) -> dict[str, Annotation]:
    """Give the known answer of each record: by its id, or by the clip that only one record is called."""
    by_name: dict[str, list[str]] = {}
    for record in records:
        after = record.partition("/")[2] or record
        for name in {record, after, after.rpartition(".")[0] or after}:
            by_name.setdefault(name, []).append(record)
    found = {}
    for annotation in gold:
        named = by_name.get(annotation.clip, [])
        if len(named) == 1:
            found[named[0]] = annotation
    return found


def level_of(annotation: Annotation) -> int | None:
    """Give the index of the level that a rater set, or that of the score where there is no level; None without both."""
    if annotation.level is not None:
        return LEVELS.index(annotation.level)
    return None if annotation.score is None else LEVELS.index(level_of_unit(annotation.score / 100))


def names_of(annotation: Annotation) -> frozenset[str]:
    """Give the attributes that a rater named."""
    return frozenset(attribute.name for attribute in annotation.attributes)


def _duration(shown: _Shown) -> float | None:
    try:
        above, _, below = str(shown.fps).partition("/")
        fps = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return None
    return shown.frames / fps if shown.frames and fps > 0 else None


def _lines(path: Path, kind: type[T]) -> list[T]:
    if not path.is_file():
        raise CallError(f"there is no {path.name} in {str(path.parent)!r}: the project folder is not whole")
    rows = []
    for _, row in read_jsonl(path, kind):
        if isinstance(row, Problem):
            raise DataError(str(row))
        rows.append(row)
    return rows
