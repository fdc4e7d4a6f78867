"""What raters submitted, put in the order in which it is judged, and the project folder that it is read from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

from annotation.folder import Project, read_gold, read_project, read_roles, read_tasks
from schemas.annotation import Annotation
from schemas.errors import CallError, DataError
from schemas.levels import LEVELS, level_of_unit
from schemas.response import Response, Role
from schemas.validate import Problem, read_jsonl
from stages.wording.taxonomy import DEGREES

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


@dataclass(frozen=True)
class Answers:
    """What raters submitted, the latest of each rater and task, ordered by rater and task.

    `gold` holds the known answers by record id, `seconds` the durations of clips by task where they are known.
    """

    kind: Literal["depict", "review"]
    responses: list[Response]
    gold: Mapping[str, Annotation] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    counted: Counted = field(default_factory=lambda: Counted(judged=0))
    project: Project | None = None

    @property
    def raters(self) -> list[str]:
        """The pseudonyms of all who submitted anything."""
        return sorted({response.rater for response in self.responses})

    @property
    def degrees(self) -> tuple[str, ...]:
        """The degree words of the project, weakest first."""
        return tuple((self.project and self.project.recipe.get("degrees")) or DEGREES)

    def of_role(self, role: Role) -> list[Response]:
        """The responses to tasks of one role."""
        return [response for response in self.responses if response.role == role]


def read_answers(folder: Path) -> Answers:
    """Read a project folder that responses were imported into.

    Raises CallError where the folder is none or nothing was imported, DataError naming file and line of what is wrong.
    """
    project = read_project(folder)
    path = folder / RESPONSES
    if not path.is_file():
        raise CallError(f"there are no responses in {str(folder)!r}: run vqa2 annotate import first")
    roles = read_roles(folder)
    responses = []
    for line, response in read_jsonl(path, Response):
        if isinstance(response, Problem):
            raise DataError(str(response))
        known = roles.get(response.task)
        if known is None:
            raise DataError(f"{RESPONSES}:{line}: no task of this project has the key {response.task!r}")
        if (known.role, known.of, known.record_id) != (response.role, response.of, response.record_id):
            raise DataError(f"{RESPONSES}:{line}: the task is another one in roles.jsonl: import again")
        responses.append(response)
    tasks = read_tasks(folder)
    return gathered(
        project.kind,
        responses,
        gold_of(read_gold(folder), {task.record_id for task in roles.values() if task.role == "gold"}),
        {task.key: seconds for task in tasks if (seconds := _duration(task.data)) is not None},
        project=project,
    )


def gathered(
    kind: Literal["depict", "review"],
    responses: Iterable[Response],
    gold: Mapping[str, Annotation],
    seconds: Mapping[str, float],
    project: Project | None = None,
) -> Answers:
    """Sort responses out: skips, drafts and empty ones are counted, and of each rater and task the latest is judged."""
    left: Counter[str] = Counter()
    latest: dict[tuple[str, str], Response] = {}
    for response in responses:
        if response.state != "submitted":
            left["skipped" if response.state == "skipped" else "drafts"] += 1
        elif not (response.verdicts if kind == "review" else response.annotation):
            left["empty"] += 1
        else:
            before = latest.get(key := (response.rater, response.task))
            left["superseded"] += before is not None
            if before is None or (response.updated, response.id) > (before.updated, before.id):
                latest[key] = response
    judged = [latest[key] for key in sorted(latest)]
    return Answers(kind, judged, gold, seconds, Counted(judged=len(judged), **left), project)


def gold_of(gold: Iterable[Annotation], records: Iterable[str]) -> dict[str, Annotation]:
    """Give the known answer of each record of a gold task: by its id, or by the clip that only one of them is called.

    Raises DataError for a record without a known answer.
    """
    gold = list(gold)
    called: dict[str, list[Annotation]] = {}
    for annotation in gold:
        parts = PurePosixPath(annotation.clip.replace("\\", "/")).parts
        for name in {"/".join(parts[first:]) for first in range(len(parts))}:
            called.setdefault(name, []).append(annotation)
    found = {}
    for record in records:
        name = record.partition("/")[2] or record
        names = (
            record,
            name,
            str(PurePosixPath(name).with_suffix("")),
            PurePosixPath(name).name,
            PurePosixPath(name).stem,
        )
        known = next((called[name] for name in names if name in called), [])
        if len(known) != 1:
            raise DataError(f"gold.jsonl: {len(known) or 'no'} known answers are of {record!r}: one is needed")
        found[record] = known[0]
    return found


def level_of(annotation: Annotation) -> int | None:
    """Give the index of the level that a rater set, or that of the score where there is no level; None without both."""
    if annotation.level is not None:
        return LEVELS.index(annotation.level)
    return None if annotation.score is None else LEVELS.index(level_of_unit(annotation.score / 100))


def names_of(annotation: Annotation) -> frozenset[str]:
    """Give the attributes that a rater named."""
    return frozenset(attribute.name for attribute in annotation.attributes)


def _duration(shown: Mapping[str, Any]) -> float | None:
    """Give the seconds of the clip that a task shows; None for one without frames."""
    try:
        fps = float(Fraction(str(shown.get("fps"))))
        return float(shown["frames"]) / fps if fps > 0 else None
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
