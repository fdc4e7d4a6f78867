"""The folder of an annotation project: which files it has, and what their rows are.

`config.xml`, `tasks.jsonl` and `project.json` are what a server is given. `roles.jsonl` and `gold.jsonl` say what tasks
are for: they stay here. `media/` holds proxies, `guidelines.html` what raters read first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from schemas.annotation import Annotation
from schemas.errors import CallError, DataError
from schemas.pair import Pair
from schemas.response import Role

PROJECT = "project.json"
CONFIG = "config.xml"
TASKS = "tasks.jsonl"
ROLES = "roles.jsonl"
GOLD = "gold.jsonl"
PAIRS = "pairs.jsonl"
MEDIA = "media"
GUIDELINES = "guidelines.html"
SERVER = "server.json"

T = TypeVar("T", bound=msgspec.Struct)


class Project(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an annotation project is.

    `raters` is how many judge each task. `config_sha256` is the hash of `config.xml`, `recipe` the resolved YAML and
    `recipe_sha256` its hash. `qualification` marks the project of gold clips that a rater does first, which every rater
    does in full. `instruction` is HTML that a rater is shown before the first task. `local_media` lists the folders,
    relative to the document root of the server, that it reads media from; it is empty where media come over HTTP.
    """

    name: str
    kind: Literal["depict", "review"]
    title: str
    raters: int
    seed: int
    config_sha256: str
    recipe: dict[str, Any]
    recipe_sha256: str
    qualification: bool = False
    instruction: str = ""
    local_media: list[str] = []


class Prediction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What raters are shown to start from: results as Label Studio writes them, and who predicted them."""

    model_version: str
    result: list[dict[str, Any]]


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One task as it is sent: `key` is 16 hex digits, also `data["task_key"]`; nothing in it tells its role."""

    key: str
    data: dict[str, Any]
    predictions: list[Prediction] = []


class TaskRole(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a task is for, which no server hears; `of` is the key of the task that a repeat repeats."""

    key: str
    record_id: str
    role: Role
    of: str | None = None


def read_project(folder: Path) -> Project:
    """Read what a project is, and hold its config to the hash.

    Raises CallError where there is none, DataError where it is damaged or its config was changed.
    """
    path = folder / PROJECT
    if not path.is_file():
        raise CallError(f"{str(folder)!r} is no annotation project: there is no {PROJECT} in it; make one with create")
    try:
        project = msgspec.json.decode(path.read_bytes(), type=Project)
    except (msgspec.DecodeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from None
    if config_digest(read_config(folder)) != project.config_sha256:
        raise DataError(f"{folder / CONFIG} is not what the project was made with: run create again")
    return project


def read_config(folder: Path) -> str:
    """Read the labeling config. Raises DataError where it is missing or no text."""
    try:
        return (folder / CONFIG).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{folder / CONFIG} cannot be read: {error}") from None


def config_digest(config: str) -> str:
    """Hash a labeling config: sha256 of its UTF-8 bytes, hex."""
    return hashlib.sha256(config.encode()).hexdigest()


def read_tasks(folder: Path) -> list[Task]:
    """Read the tasks, in their order. Raises DataError naming the line that is wrong."""
    return list(_rows(folder / TASKS, Task))


def read_roles(folder: Path) -> dict[str, TaskRole]:
    """Read what each task is for, by its key. Raises DataError naming the line that is wrong."""
    return {role.key: role for role in _rows(folder / ROLES, TaskRole)}


def read_gold(folder: Path) -> list[Annotation]:
    """Read the annotations that are known to be right: none where there is no gold. Raises DataError."""
    path = folder / GOLD
    return list(_rows(path, Annotation)) if path.is_file() else []


def read_pairs(folder: Path) -> list[Pair]:
    """Read the pairs that are reviewed: none where clips are depicted. Raises DataError."""
    path = folder / PAIRS
    return list(_rows(path, Pair)) if path.is_file() else []


def write_project(
    folder: Path,
    *,
    project: Project,
    config: str,
    tasks: Iterable[Task],
    roles: Iterable[TaskRole],
    gold: Iterable[Annotation] = (),
    pairs: Iterable[Pair] = (),
    guidelines: str,
) -> None:
    """Write the files of a project, `project.json` last; each is there whole, and other files stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / CONFIG, config.encode())
    _put(folder / TASKS, _lines(tasks))
    _put(folder / ROLES, _lines(roles))
    _put(folder / GOLD, _lines(gold))
    _put(folder / PAIRS, _lines(pairs))
    _put(folder / GUIDELINES, guidelines.encode())
    described = json.dumps(msgspec.to_builtins(project), indent=2, ensure_ascii=False)
    _put(folder / PROJECT, described.encode() + b"\n")


def _lines(rows: Iterable[msgspec.Struct]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def _put(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def _rows(path: Path, kind: type[T]) -> Iterator[T]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    decoder = msgspec.json.Decoder(kind)
    for number, line in enumerate(lines, 1):
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, ValueError) as error:
            raise DataError(f"{path}:{number}: {error}") from None
