"""Snapshots: what the server held at each import, whole, without names and addresses; history is read from them.

A snapshot is the JSON export in one order, packed; its file is called by the server's time and the hash of the content.
Users are their ids in it. `created_ago`, which the server writes anew each minute, is left out.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
import orjson

from annotation.pseudonyms import ADDRESS, Pseudonyms
from schemas.errors import DataError

FOLDER = "snapshots"
_PERSONAL = frozenset(
    {"email", "created_username", "username", "first_name", "last_name", "avatar", "initials", "phone"}
)
_PASSING = frozenset({"created_ago"})
_RATERS_OWN = frozenset({"result", "data"})
"""What raters and the project wrote is kept to the letter; names are not looked for in it."""
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_EXPORTED_AT = re.compile(r"-at-(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-")
"""The time in the file name that Label Studio gives to an export."""

Tasks = list[dict[str, Any]]
Entry = dict[str, Any]


class Snapshot(msgspec.Struct, frozen=True, order=True):
    """A snapshot's file: the server's time, the hash of the content (16 hex digits), the path."""

    at: datetime
    digest: str
    path: Path

    def tasks(self) -> Tasks:
        """Read the tasks. Raises DataError when the file is damaged."""
        try:
            packed = gzip.decompress(self.path.read_bytes())
        except (OSError, EOFError, ValueError) as error:
            raise DataError(f"{self.path} cannot be read ({error}): restore it from a backup") from None
        if _digest(packed) != self.digest:
            raise DataError(f"{self.path} is not what was written: restore it from a backup")
        tasks: Tasks = _read(packed)
        return tasks


class Event(msgspec.Struct, frozen=True):
    """Something that happened to a submission or a draft between two snapshots; `entry` is what it was or has become.

    `id` is `a` and the number of an annotation on the server, or `d` and that of a draft; `task` is the key of the
    task, "" where it has none.
    """

    at: datetime
    what: Literal["new", "changed", "gone"]
    id: str
    task: str
    entry: Entry


def parse_export(content: bytes, name: str) -> Tasks:
    """Read a JSON export. Raises DataError where it is none, such as a CSV or a JSON_MIN export."""
    try:
        tasks = _read(content)
    except ValueError as error:
        raise DataError(f"{name}: no JSON export: {error}") from None
    if not isinstance(tasks, list):
        raise DataError(f"{name}: no JSON export: it is a list of tasks")
    for number, task in enumerate(tasks):
        if not (isinstance(task, dict) and isinstance(task.get("data"), dict) and "annotations" in task):
            raise DataError(f"{name}: task {number + 1} has no data or annotations: export as JSON, not as JSON_MIN")
    return tasks


def scrubbed(tasks: Tasks, pseudonyms: Pseudonyms) -> Tasks:
    """Take names and addresses out of an export: users become their ids, or pseudonyms where no id is known."""
    ids = dict(_ids(tasks))

    def person(address: str) -> int | str:
        return ids.get(address.strip().casefold()) or pseudonyms.of(address)

    def clean(node: Any, key: str = "") -> Any:
        if key in _RATERS_OWN:
            return node
        if isinstance(node, dict):
            if isinstance(node.get("email"), str):
                known = node.get("id")
                return known if isinstance(known, int) else person(node["email"])
            return {name: clean(value, name) for name, value in node.items() if name not in _PERSONAL | _PASSING}
        if isinstance(node, list):
            return [clean(value) for value in node]
        if isinstance(node, str) and ADDRESS.search(node):
            whole = ADDRESS.fullmatch(node.strip())
            return person(node) if whole else ADDRESS.sub(lambda found: str(person(found[0])), node)
        return node

    return [clean(task) for task in tasks]


def _ids(node: Any) -> Iterator[tuple[str, int]]:
    """Yield each address that stands beside an id: in a user, or in a draft's `created_username`, `<address>, <id>`."""
    if isinstance(node, list):
        for value in node:
            yield from _ids(value)
    elif isinstance(node, dict):
        if isinstance(node.get("email"), str) and isinstance(node.get("id"), int):
            yield node["email"].strip().casefold(), node["id"]
        if isinstance(told := node.get("created_username"), str):
            address, number = ADDRESS.search(told), re.search(r", (\d{1,18})$", told)
            if address and number:
                yield address[0].casefold(), int(number[1])
        for name, value in node.items():
            if name not in _RATERS_OWN:
                yield from _ids(value)


def time_of_export(tasks: Tasks, name: str = "") -> datetime:
    """Give the server's time of an export: the latest time in it, or the one in its file name where that is later."""
    times = list(_times(tasks))
    if found := _EXPORTED_AT.search(name):
        year, month, day, hour, minute = map(int, found.groups())
        times.append(datetime(year, month, day, hour, minute, tzinfo=UTC))
    return max(times, default=datetime(1970, 1, 1, tzinfo=UTC))


def _times(tasks: Tasks) -> Iterator[datetime]:
    for task in tasks:
        for entry in (task, *entries_of(task).values()):
            for name in ("created_at", "updated_at"):
                if (time := moment(entry.get(name))) is not None:
                    yield time


def moment(text: object) -> datetime | None:
    """Read a time as the server writes it (ISO 8601, UTC where it names no zone); None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def entries_of(task: dict[str, Any]) -> dict[str, Entry]:
    """Give the submissions of a task (`a` and their number) and its drafts (`d`), as far as they are whole objects."""
    found = {}
    for letter, name in (("a", "annotations"), ("d", "drafts")):
        entries = task.get(name)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and isinstance(entry.get("id"), int):
                found[f"{letter}{entry['id']}"] = entry
    return found


def list_snapshots(project: Path) -> list[Snapshot]:
    """List the snapshots of a project, oldest first. Raises DataError for a file that is called like none."""
    found = []
    for path in sorted((project / FOLDER).glob("*.json.gz")):
        stamp, _, digest = path.name.removesuffix(".json.gz").rpartition("-")
        try:
            at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        except ValueError:
            raise DataError(f"{path}: a snapshot is called by its time and hash: take the file away") from None
        found.append(Snapshot(at, digest, path))
    return sorted(found)


def keep_snapshot(project: Path, tasks: Tasks, at: datetime, *, latest: bool) -> Snapshot | None:
    """Write what the server holds as a snapshot of the time `at`, unless it is there; None where it was.

    `latest`: it comes from the server just now, so that it is newer than all that are there. Another one of the same
    time, as of an export from which something was only taken out, is the newer one too.
    """
    packed = _canonical(tasks)
    digest = _digest(packed)
    there = list_snapshots(project)
    if (there and there[-1].digest == digest) or (not latest and digest in {snapshot.digest for snapshot in there}):
        return None
    if there and (latest or at == there[-1].at):
        at = max(at, there[-1].at + timedelta(microseconds=1))
    path = project / FOLDER / f"{at.strftime(_STAMP)}-{digest}.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(gzip.compress(packed, mtime=0))
    partial.replace(path)
    return Snapshot(at, digest, path)


def replay(project: Path) -> Iterator[Event]:
    """Tell the history of all submissions and drafts from the snapshots, oldest event first."""
    for events, _ in history(project):
        yield from events


def history(project: Path) -> Iterator[tuple[list[Event], Tasks]]:
    """Yield of each snapshot, oldest first, what happened since the one before, and its tasks."""
    before: dict[str, tuple[str, Entry]] = {}
    for snapshot in list_snapshots(project):
        tasks = snapshot.tasks()
        now = entries(tasks)
        events = []
        for name in sorted(now.keys() | before.keys()):
            if name not in now:
                events.append(Event(snapshot.at, "gone", name, *before[name]))
            elif name not in before:
                events.append(Event(snapshot.at, "new", name, *now[name]))
            elif now[name] != before[name]:
                events.append(Event(snapshot.at, "changed", name, *now[name]))
        before = now
        yield events, tasks


def entries(tasks: Tasks) -> dict[str, tuple[str, Entry]]:
    """Give all submissions and drafts by their name, with the key of their task."""
    return {
        name: (key if isinstance(key := task["data"].get("task_key"), str) else "", entry)
        for task in tasks
        for name, entry in entries_of(task).items()
    }


def _canonical(tasks: Tasks) -> bytes:
    ordered = [
        {**task, **{name: sorted(task[name], key=_id) for name in ("annotations", "drafts") if _is_list(task, name)}}
        for task in sorted(tasks, key=_id)
    ]
    return _written(ordered)


def _read(content: bytes) -> Any:
    """Read JSON; the slow way where it holds what orjson knows nothing of, such as half characters."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return json.loads(content)


def _written(value: object) -> bytes:
    """Write JSON in one form; half characters, which no file can hold, become `?`."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _is_list(task: dict[str, Any], name: str) -> bool:
    return isinstance(task.get(name), list)


def _id(entry: object) -> tuple[bool, int, bytes]:
    number = entry.get("id") if isinstance(entry, dict) else None
    known = isinstance(number, int)
    return not known, number if known and isinstance(number, int) else 0, b"" if known else _written(entry)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
