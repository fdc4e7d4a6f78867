"""Import: what raters submitted, from an export of the server to responses, annotations and a list of all oddities.

Everything but the snapshot is made anew each time from the snapshots, the tasks that were sent and their roles: the
same again gives the same bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from annotation.depictions import Depiction, read_depiction, same_depiction
from annotation.folder import (
    Project,
    Task,
    TaskRole,
    config_digest,
    read_config,
    read_project,
    read_roles,
    read_tasks,
)
from annotation.labeling import controls_of, degrees_of
from annotation.pseudonyms import KEY_FILE, Pseudonyms, read_key
from annotation.results import Finding, Form, brief
from annotation.reviews import read_review
from annotation.server import LabelStudio
from annotation.snapshots import (
    Entry,
    Tasks,
    entries_of,
    history,
    keep_snapshot,
    moment,
    scrubbed,
)
from annotation.sync import read_on_server
from annotation.timeline import exact_rate
from dataset_builder.progress import Tracker, untracked
from schemas.annotation import Annotation
from schemas.errors import CallError
from schemas.project import ProjectRecipe
from schemas.response import Response, Verdict
from schemas.validate import Problem, read_jsonl

RESPONSES = "responses.jsonl"
ANNOTATIONS = "annotations.jsonl"
ODDITIES = "oddities.jsonl"
_LOCK = ".import.lock"
_IGNORED = f"{KEY_FILE}\n{_LOCK}\n*.partial\n"


class Oddity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something odd on the server: the key of the task ("" where it has none), the response, the rater, what, and what
    was kept of it.
    """

    task: str
    annotation: str = ""
    rater: str = ""
    what: str
    kept: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import gave. `new`, `changed` and `gone` count responses against those of the import before."""

    responses: int
    submitted: int
    skipped: int
    drafts: int
    raters: int
    annotations: int
    verdicts: int
    oddities: int
    new: int
    changed: int
    gone: int
    snapshot: str | None
    files: list[str]

    def lines(self) -> Iterator[str]:
        """Tell it to a person."""
        yield (
            f"{self.responses} responses of {self.raters} raters: {self.submitted} submitted, {self.skipped} skipped, "
            f"{self.drafts} drafts; {self.new} new, {self.changed} changed, {self.gone} gone since the import before"
        )
        said = f"{self.verdicts} verdicts" if self.verdicts else f"{self.annotations} annotations"
        yield f"{said}; {self.oddities} oddities, one a line of {ODDITIES}"
        yield f"snapshot {self.snapshot}" if self.snapshot else "nothing has changed on the server: no new snapshot"


class _OnTask(msgspec.Struct, frozen=True):
    """A task that was sent, what it is for, and its data as the server has them."""

    sent: Task
    role: TaskRole
    data: dict[str, Any]


class _Reading(msgspec.Struct):
    """What the tasks of an export are read with, and the oddities found."""

    kind: str
    form: Form
    sent: dict[str, Task]
    roles: dict[str, TaskRole]
    pseudonyms: Pseudonyms
    raters: dict[str, int | str]
    oddities: list[Oddity]

    def rater(self, name: str, entry: Entry) -> tuple[str, Finding | None]:
        """Give the pseudonym of whoever made an entry, from the snapshots before where the server has forgotten."""
        if (who := _user(entry)) is not None:
            return self._named(who), None
        if (before := self.raters.get(name)) is not None:
            return self._named(before), Finding(
                "its rater was deleted on the server", "all, with the rater known before"
            )
        return self.pseudonyms.of_unknown(name), Finding(
            "its rater was deleted on the server, and is not known from before", "all, under a pseudonym of its own"
        )

    def _named(self, who: int | str) -> str:
        return who if isinstance(who, str) and who.startswith("r-") else self.pseudonyms.of(who)

    def find(self, findings: Iterable[Finding], task: str, response: str = "", rater: str = "") -> None:
        """Note what was odd."""
        self.oddities += [
            Oddity(task=task, annotation=response, rater=rater, what=finding.what, kept=finding.kept)
            for finding in findings
        ]


def import_responses(
    folder: Path,
    tasks: Tasks,
    at: datetime,
    *,
    latest: bool = False,
    key: Path | None = None,
    track: Tracker = untracked,
) -> Imported:
    """Take the tasks of an export, as of the server's time `at`, into a project folder.

    `latest`: they come from the server just now. `key` is the file of the key of the pseudonyms, the folder's own if
    None. Raises CallError and DataError for a folder that is no project or is damaged, and for an unusable key.
    """
    project = read_project(folder)
    with _alone(folder), _uncollected():
        pseudonyms = read_key(key or folder / KEY_FILE)
        snapshot = keep_snapshot(folder, scrubbed(tasks, pseudonyms), at, latest=latest)
        responses, oddities = read_responses(folder, project, pseudonyms, track)
        before = _before(folder / RESPONSES)
        annotations = [r.annotation for r in responses if r.annotation is not None and r.state == "submitted"]
        files = [
            _put(folder / RESPONSES, responses),
            _put(folder / ANNOTATIONS, annotations),
            _put(folder / ODDITIES, oddities),
            *_put_by_source(folder, responses),
        ]
        with contextlib.suppress(FileExistsError), (folder / ".gitignore").open("x", encoding="utf-8") as file:
            file.write(_IGNORED)
    now = {response.id: response for response in responses}
    return Imported(
        responses=len(responses),
        submitted=sum(r.state == "submitted" for r in responses),
        skipped=sum(r.state == "skipped" for r in responses),
        drafts=sum(r.state == "draft" for r in responses),
        raters=len({r.rater for r in responses}),
        annotations=len(annotations),
        verdicts=sum(len(r.verdicts) for r in responses if r.state == "submitted"),
        oddities=len(oddities),
        new=len(now.keys() - before.keys()),
        changed=sum(now[name] != before[name] for name in now.keys() & before.keys()),
        gone=len(before.keys() - now.keys()),
        snapshot=snapshot.path.name if snapshot else None,
        files=[str(file) for file in files],
    )


def fetch(folder: Path, server: LabelStudio, told: Callable[[str], None], track: Tracker = untracked) -> Tasks:
    """Fetch all tasks of a folder's project from its server, with annotations and drafts.

    A config that was changed there is told. Raises CallError for a folder that this server does not know.
    """
    if (known := read_on_server(folder)) is None:
        raise CallError(f"{str(folder)!r} is on no server yet: sync it first, or give a file by --export")
    if known.url != server.url:
        raise CallError(f"{str(folder)!r} is on {known.url}, not on {server.url}: sync it there first")
    settings = server.project(known.project_id)
    if config_digest(str(settings.get("label_config"))) != known.config_sha256:
        told("the labeling config was changed on the server: answers that it did not have are told as oddities")
    advance = track("fetching tasks", int(settings.get("task_number") or 0))
    found: dict[int, dict[str, Any]] = {}
    for task in server.export(known.project_id):
        found[task["id"]] = task  # a task may come twice where others add tasks meanwhile
        advance()
    return list(found.values())


def read_responses(
    folder: Path, project: Project, pseudonyms: Pseudonyms, track: Tracker = untracked
) -> tuple[list[Response], list[Oddity]]:
    """Read the responses from the newest snapshot of a project, and all that is odd in it or gone from it."""
    recipe = msgspec.convert(project.recipe, ProjectRecipe)
    reading = _Reading(
        kind=project.kind,
        form=Form(controls_of(read_config(folder)), tuple(degrees_of(recipe))),
        sent={task.key: task for task in read_tasks(folder)},
        roles=read_roles(folder),
        pseudonyms=pseudonyms,
        raters={},
        oddities=[],
    )
    lost: dict[str, tuple[datetime, str, Entry]] = {}
    tasks: Tasks = []
    for events, tasks in history(folder):  # noqa: B007  # the last ones are what is read
        for event in events:
            if event.what == "gone":
                lost[event.id] = (event.at, event.task, event.entry)
            else:
                lost.pop(event.id, None)
                if (who := _user(event.entry)) is not None:
                    reading.raters[event.id] = who
    responses: list[Response] = []
    advance = track("reading responses", len(tasks))
    for task in tasks:
        responses += _of_task(reading, task)
        advance()
    responses = _without_doubles(reading, responses)
    _tell_lost(reading, lost, responses)
    reading.oddities.sort(key=lambda o: (o.task, o.annotation, o.what, o.kept))
    return sorted(responses, key=_order), reading.oddities


def _of_task(reading: _Reading, task: dict[str, Any]) -> Iterator[Response]:
    """Read one task of the server: its submissions, skips and drafts."""
    data, key = task["data"], task["data"].get("task_key")
    found = entries_of(task)
    sent = reading.sent.get(key) if isinstance(key, str) else None
    role = reading.roles.get(key) if isinstance(key, str) else None
    where = f"task {brief(task.get('id'))} of the server"
    if sent is None or role is None:
        why = f"{where} has no task_key" if key is None else f"{where} is not of this project"
        reading.find([Finding(why, f"nothing; {len(found)} responses to it are in the snapshot")], _text(key))
        return
    if data.get("record_id") != role.record_id:
        why = f"{where} shows {brief(data.get('record_id'))} under the key of {role.record_id!r}"
        reading.find([Finding(why, f"nothing; {len(found)} responses to it are in the snapshot")], sent.key)
        return
    if other := sorted(name for name in data.keys() | sent.data.keys() if data.get(name) != sent.data.get(name)):
        why = f"{where} has other data than was sent: {', '.join(other)}"
        reading.find([Finding(why, "all, read with the data on the server, which the rater saw")], sent.key)
    unread = [
        Finding(f"{where}: {name}: {brief(entry)}", "the rest")
        for name in ("annotations", "drafts")
        for given in (task.get(name) or [],)
        for entry in (given if isinstance(given, list) else [given])
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), int)
    ]
    reading.find(unread, sent.key)
    on = _OnTask(sent, role, data)
    for name, entry in found.items():
        yield _response(reading, on, name, entry)


def _response(reading: _Reading, on: _OnTask, name: str, entry: Entry) -> Response:
    sent, role = on.sent, on.role
    response_id = f"{sent.key}-{name}"
    rater, finding = reading.rater(name, entry)
    findings = [finding] if finding else []
    skipped = entry.get("was_cancelled") is True
    is_draft = name.startswith("d")
    results = entry.get("result")
    if skipped and results:
        findings.append(
            Finding(f"skipped, with {len(results) if isinstance(results, list) else 1} results", "the skip")
        )
    if entry.get("ground_truth") is True:
        findings.append(Finding("marked as ground truth on the server", "all, as any other response"))
    seconds, odd = _seconds(entry.get("lead_time"))
    findings += odd
    updated = _text(entry.get("updated_at"))
    if moment(updated) is None:
        findings.append(Finding(f"no time of its last change: {brief(entry.get('updated_at'))}", "the rest"))
    annotation: Annotation | None = None
    verdicts: list[Verdict] = []
    changed: bool | None = None
    if not skipped:
        if not results and not is_draft:
            findings.append(Finding("submitted without any answer", "an empty response"))
        if reading.kind == "depict":
            said, changed, odd = _depicted(reading, on, entry, finished=not is_draft)
            proxy = on.data.get("proxy_sha256")
            annotation = Annotation(
                id=response_id,
                clip=role.record_id.partition("/")[2] or role.record_id,
                rater=rater,
                attributes=said.attributes,
                overall=said.overall,
                in_context=said.in_context,
                conversations=said.conversations,
                level=said.level,
                score=said.score,
                at=updated,
                sha256=_text(on.data.get("sha256")),
                proxy_sha256=proxy if isinstance(proxy, str) else None,
            )
        else:
            verdicts, changed, odd = _reviewed(reading, on, entry, finished=not is_draft)
        findings += odd
    reading.find(findings, sent.key, response_id, rater)
    return Response(
        id=response_id,
        task=sent.key,
        record_id=role.record_id,
        rater=rater,
        role=role.role,
        of=role.of,
        state="skipped" if skipped else "draft" if is_draft else "submitted",
        annotation=annotation,
        verdicts=verdicts,
        changed=changed,
        seconds=seconds,
        created=_text(entry.get("created_at")),
        updated=updated,
    )


def _depicted(
    reading: _Reading, on: _OnTask, entry: Entry, *, finished: bool
) -> tuple[Depiction, bool | None, list[Finding]]:
    rate, findings = _rate(on.data.get("fps"))
    given = on.data.get("frames")
    frames = given if isinstance(given, int) and not isinstance(given, bool) and given > 0 else None
    said, odd = read_depiction(entry.get("result") or [], reading.form, rate, frames, finished=finished)
    changed = None
    if shown := _shown(entry):
        predicted, left = read_depiction(shown, reading.form, rate, frames, finished=finished)
        # What cannot be read of either counts too: a segment without a degree may be all that was taken out.
        changed = not same_depiction(said, predicted) or sorted(odd) != sorted(left)
    return said, changed, findings + odd


def _reviewed(
    reading: _Reading, on: _OnTask, entry: Entry, *, finished: bool
) -> tuple[list[Verdict], bool | None, list[Finding]]:
    given = on.data.get("pairs")
    listed = given if isinstance(given, list) else []
    ids = [pair.get("pair_id") if isinstance(pair, dict) else None for pair in listed]
    pairs = [each for each in ids if isinstance(each, str)] if all(isinstance(each, str) for each in ids) else []
    findings = [] if pairs else [Finding(f"the task has no pairs: {brief(given)}", "no verdict")]
    shown = _shown(entry)
    known = shown or next((prediction.result for prediction in on.sent.predictions), [])
    verdicts, changed, odd = read_review(entry.get("result") or [], known, pairs, reading.form, finished=finished)
    return verdicts, changed if shown else None, findings + odd


def _without_doubles(reading: _Reading, responses: list[Response]) -> list[Response]:
    """Keep one submission of a rater for a task, the one changed last; the others are told."""
    kept: dict[tuple[str, str], Response] = {}
    for response in sorted((r for r in responses if r.state == "submitted"), key=_last_change):
        before = kept.get((response.task, response.rater))
        if before is not None:
            finding = Finding("submitted again by the same rater", f"the later one, {response.id}")
            reading.find([finding], before.task, before.id, before.rater)
        kept[response.task, response.rater] = response
    for response in responses:
        if response.state == "skipped" and (said := kept.get((response.task, response.rater))) is not None:
            finding = Finding("skipped, and submitted by the same rater", f"both; the submission is {said.id}")
            reading.find([finding], response.task, response.id, response.rater)
    chosen = {response.id for response in kept.values()}
    return [response for response in responses if response.state != "submitted" or response.id in chosen]


def _tell_lost(reading: _Reading, lost: dict[str, tuple[datetime, str, Entry]], responses: list[Response]) -> None:
    """Tell what is no longer on the server; a draft that was submitted is no loss."""
    submitted = {(response.task, response.rater) for response in responses if response.state != "draft"}
    for name, (at, task, entry) in lost.items():
        rater, _ = reading.rater(name, entry)
        if name.startswith("d") and (task, rater) in submitted:
            continue
        what = "draft" if name.startswith("d") else "skip" if entry.get("was_cancelled") is True else "submission"
        finding = Finding(f"{what} gone from the server before {at.isoformat()}", "its last state, in the snapshots")
        reading.find([finding], task, f"{task}-{name}" if task else name, rater)


def _shown(entry: Entry) -> list[Any]:
    """Give the results of the prediction that an entry started from; none where the rater was shown none."""
    prediction = entry.get("prediction")
    results = prediction.get("result") if isinstance(prediction, dict) else None
    return results if isinstance(results, list) else []


def _user(entry: Entry) -> int | str | None:
    """Give the id of whoever made a submission or a draft, or the pseudonym that a snapshot has in its place."""
    for name in ("completed_by", "user"):
        who = entry.get(name)
        if isinstance(who, int) and not isinstance(who, bool):
            return who
        if isinstance(who, str) and who.strip():
            return int(who) if who.isdecimal() and who.isascii() else who
    return None


def _rate(fps: object) -> tuple[Fraction | None, list[Finding]]:
    try:
        return exact_rate(fps), []
    except ValueError as error:
        return None, [Finding(f"the task has {error}", "the rest, without segments")]


def _seconds(given: object) -> tuple[float | None, list[Finding]]:
    if given is None:
        return None, []
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given < math.inf:
        return None, [Finding(f"took {brief(given)} s", "the rest, without the time it took")]
    return float(given), []


def _text(given: object) -> str:
    return given if isinstance(given, str) else ""


def _last_change(response: Response) -> tuple[datetime, int]:
    return moment(response.updated) or datetime.min.replace(tzinfo=UTC), _order(response)[2]


def _order(response: Response) -> tuple[str, str, int]:
    name = response.id.rpartition("-")[2]
    return response.task, name[0], int(name[1:])


def _before(path: Path) -> dict[str, Response]:
    """Read the responses of the import before, as far as they can be read."""
    if not path.is_file():
        return {}
    rows = (row for _, row in read_jsonl(path, Response))
    return {row.id: row for row in rows if not isinstance(row, Problem)}


def _put(path: Path, rows: Iterable[msgspec.Struct]) -> Path:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    partial.replace(path)
    return path


def _put_by_source(folder: Path, responses: Iterable[Response]) -> Iterator[Path]:
    """Write the annotations of each source to a file of its own where there are several: a recipe reads them apart."""
    sources = sorted({role.record_id.partition("/")[0] for role in read_roles(folder).values()})
    if len(sources) > 1:
        of: dict[str, list[Annotation]] = {source: [] for source in sources}
        for response in responses:
            if response.annotation is not None and response.state == "submitted":
                of[response.record_id.partition("/")[0]].append(response.annotation)
        for source, annotations in of.items():
            yield _put(folder / f"annotations-{source}.jsonl", annotations)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no cycles in millions of JSON objects, which have none: that takes longer than all else."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other imports of the same folder out. Raises CallError while one is at work."""
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CallError(f"{str(folder)!r} is being imported into by another process: wait for it") from None
        yield
