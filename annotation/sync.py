"""Bring a project folder to a Label Studio server, which knows no upsert: again and again, and nothing comes twice.

A round lists what the server holds, tells it from what the folder holds by `data.task_key`, and acts; rounds are made
until one finds nothing to do. So an answer that was lost, a restart in between, or another sync of the same project at
the same time ends in the same state. Tasks with annotations or drafts stay as they are unless forced.
"""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from annotation.folder import (
    CONFIG,
    SERVER,
    TASKS,
    Prediction,
    Project,
    Task,
    config_digest,
    read_config,
    read_project,
    read_tasks,
)
from annotation.server import EXPORTED, AnswerLostError, LabelStudio, ServerTask
from dataset_builder.progress import Tracker, untracked
from schemas.errors import CallError, DataError

BATCH = 500
"""Tasks sent at once: about 1.5 s of the server's work, all or none of which is lost with an answer."""
ROUNDS = 8
LOST = 6
"""How often one thing is sent again after its answer was lost."""
MARK = "vqa2:"


class OnServer(msgspec.Struct, frozen=True, kw_only=True):
    """What `server.json` keeps: where the project is and what was sent. There is no token in it.

    `config_sha256` is the hash of the config as the server stored it, `config_sent` as it was sent. `sent` holds the
    hashes of settings as they were sent last, `model_versions` those of all predictions that were ever sent.
    """

    url: str
    project_id: int
    config_sha256: str
    config_sent: str
    sent: dict[str, str] = {}
    model_versions: list[str] = []


class Change(msgspec.Struct, frozen=True):
    """A task that the server holds otherwise than the folder: its key, its id there, and what differs."""

    key: str
    task: int
    what: list[str]


class Synced(msgspec.Struct, kw_only=True):
    """What a sync did, or would do.

    `project_id` is None where there is no project yet. `kept` are tasks that differ and stay, as people have worked on
    them; `removed` are ids of doubled tasks nobody had worked on; `doubled` are keys of doubled tasks that people have
    worked on; `strangers` are ids of tasks that the folder does not have. `notes` are for a person to look at.
    """

    url: str
    project_id: int | None = None
    made: bool = False
    dry_run: bool = False
    settings: list[str] = []
    new: list[str] = []
    changed: list[Change] = []
    kept: list[Change] = []
    removed: list[int] = []
    doubled: list[str] = []
    strangers: list[int] = []
    same: int = 0
    notes: list[str] = []

    def changes(self) -> bool:
        """Tell whether anything is done."""
        return bool(self.made or self.settings or self.new or self.changed or self.removed)


def sync(
    folder: Path,
    server: LabelStudio,
    *,
    dry_run: bool = False,
    force: bool = False,
    document_root: str | None = None,
    track: Tracker = untracked,
) -> Synced:
    """Bring the folder's project to the server; `force` also changes tasks that people have worked on.

    Raises CallError where the folder belongs to another server or its config changed since it was sent, DataError where
    the config was changed on the server, with what differs.
    """
    with _alone(folder, dry_run):
        project, config, tasks = read_project(folder), read_config(folder), read_tasks(folder)
        _check_keys(folder, tasks)
        stored, adopted = _find(folder, server, project, config)
        done = Synced(url=server.url, dry_run=dry_run)
        if stored is None:
            done.made = True
            if dry_run:
                done.new = [task.key for task in tasks]
                return done
            stored = _make(server, project, config)
            adopted = True
        if adopted and not dry_run:
            write_on_server(folder, stored)
        done.project_id = stored.project_id
        _settle(server, project, stored, done, document_root)
        if not dry_run:
            stored = _sent(folder, server, project, tasks, stored)
        _bring(server, stored, tasks, done, force=force, track=track)
        if not dry_run and done.project_id is not None:
            _show_predictions(server, tasks, done)
        return done


def read_on_server(folder: Path) -> OnServer | None:
    """Read where the project of a folder is; None where it is on no server yet. Raises DataError."""
    path = folder / SERVER
    try:
        return msgspec.json.decode(path.read_bytes(), type=OnServer)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from None


def write_on_server(folder: Path, stored: OnServer) -> None:
    """Write where the project of a folder is."""
    content = msgspec.json.format(msgspec.json.encode(stored)) + b"\n"
    path, partial = folder / SERVER, folder / f".{SERVER}.partial"
    if not path.is_file() or path.read_bytes() != content:
        partial.write_bytes(content)
        partial.replace(path)


@contextmanager
def _alone(folder: Path, dry_run: bool) -> Iterator[None]:
    """Keep another sync of the same folder out, by a lock on the folder itself that ends with the process."""
    if dry_run or not folder.is_dir():
        yield
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CallError(f"{folder}: another sync of this folder is running") from None
        yield
    finally:
        os.close(held)


def _check_keys(folder: Path, tasks: Sequence[Task]) -> None:
    for task in tasks:
        if task.data.get("task_key") != task.key:
            raise DataError(f"{folder / TASKS}: task {task.key} is called {task.data.get('task_key')!r} in its data")
    if doubled := [key for key, count in Counter(task.key for task in tasks).items() if count > 1]:
        raise DataError(f"{folder / TASKS}: task {doubled[0]} is there twice")


# The project.


def _mark(project: Project) -> str:
    """Give what tells this project from any other in its description on the server."""
    told = [project.name, project.kind, project.seed, project.qualification, project.config_sha256]
    return MARK + hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]


def _find(folder: Path, server: LabelStudio, project: Project, config: str) -> tuple[OnServer | None, bool]:
    """Find the project on the server, and say whether `server.json` does not tell of it yet."""
    stored = read_on_server(folder)
    if stored is None:
        mark = _mark(project)
        if found := _marked(server, mark):
            return _adopt(server, found[0], config, project), True
        return None, False
    if stored.config_sent != project.config_sha256:
        raise CallError(
            f"{folder / CONFIG} is not the one that project {stored.project_id} on {stored.url} was made with, and its "
            f"annotations would be orphaned by another: remove {folder / SERVER} to make a new project of this folder; "
            "the old one stays"
        )
    if stored.url != server.url:
        there = {row["id"]: row.get("description") or "" for row in server.projects()}
        if _mark(project) not in there.get(stored.project_id, ""):
            raise CallError(
                f"{folder} is on {stored.url}, and project {stored.project_id} on {server.url} is not it: remove "
                f"{folder / SERVER} to make a project there too"
            )
        stored = msgspec.structs.replace(stored, url=server.url)
        adopted = True
    else:
        adopted = False
    held = server.project(stored.project_id)["label_config"]
    if config_digest(held) != stored.config_sha256:
        raise _changed(server, stored.project_id, held, config)
    return stored, adopted


def _marked(server: LabelStudio, mark: str) -> list[int]:
    return sorted(row["id"] for row in server.projects() if mark in (row.get("description") or ""))


def _adopt(server: LabelStudio, project_id: int, config: str, project: Project) -> OnServer:
    """Take a project that bears our mark: its answer was lost, or `server.json` was."""
    held = server.project(project_id)["label_config"]
    if held.strip() != config.strip():
        raise _changed(server, project_id, held, config)
    return OnServer(
        url=server.url,
        project_id=project_id,
        config_sha256=config_digest(held),
        config_sent=project.config_sha256,
    )


def _changed(server: LabelStudio, project_id: int, held: str, config: str) -> DataError:
    lines = difflib.unified_diff(
        config.strip().splitlines(), held.strip().splitlines(), CONFIG, "on the server", lineterm="", n=1
    )
    return DataError(
        f"the labeling config of project {project_id} on {server.url} was changed there; nothing is sent until it is "
        "put back (Settings > Labeling Interface):\n" + "\n".join(lines)
    )


def _make(server: LabelStudio, project: Project, config: str) -> OnServer:
    mark = _mark(project)
    fields = {
        "title": _title(project),
        "description": f"{mark} Tasks come by vqa2 annotate sync. Keep the first word: it tells the project.",
        "label_config": config,
        "expert_instruction": project.instruction,
        "show_instruction": bool(project.instruction),
        "maximum_annotations": project.raters,
    }
    mine, lost = None, False
    for tries in range(LOST):
        try:
            mine = server.create_project(fields)
            break
        except AnswerLostError as error:
            lost = True
            _wait(server, tries, error)
            if _marked(server, mark):
                break
    made = [] if mine is None else [mine]
    for tries in range(LOST):
        # Another sync made one at the same time; the first of them is the one, for both. Of those whose answer was lost
        # nobody knows whose they are, and nobody but these syncs knows of them: what is empty goes. A busy server may
        # show one late, or say that it is gone when it is not: what was made counts before it shows, and it is looked
        # again.
        found = sorted({*_marked(server, mark), *made})
        if not found:
            raise CallError(f"{server.url} does not keep the project that it is sent")
        others = [each for each in found[1:] if each == mine or (lost and _is_empty(server, each))]
        for other in others:
            server.delete_project(other)
        if not others and (tries or not lost):
            break
        made = [each for each in made if each not in others]
        time.sleep(2.0 if lost else 0.0)
    return _adopt(server, found[0], config, project)


def _is_empty(server: LabelStudio, project_id: int) -> bool:
    """Say whether a project is there, and has no tasks."""
    return any(row["id"] == project_id and row["task_number"] == 0 for row in server.projects())


def _wait(server: LabelStudio, tries: int, error: AnswerLostError) -> None:
    seconds = min(2.0**tries, 30.0)
    server.tell(f"an answer was lost ({error}): looking in {seconds:g} s whether what was sent is there")
    time.sleep(seconds)


# Its settings.


def _title(project: Project) -> str:
    """Give a title that the server takes: 3 to 50 characters."""
    title = (project.title or project.name)[:50]
    return title if len(title) >= 3 else f"vqa2 {title}"


def _own_settings(project: Project) -> dict[str, Any]:
    """Give the settings that people may change on the server afterwards."""
    return {"title": _title(project), "expert_instruction": project.instruction}


def _digests(settings: dict[str, Any]) -> dict[str, str]:
    return {name: hashlib.sha256(str(value).encode()).hexdigest()[:16] for name, value in settings.items()}


def _settle(server: LabelStudio, project: Project, stored: OnServer, done: Synced, document_root: str | None) -> None:
    """Put settings and storages right, or say what would be done."""
    held = server.project(stored.project_id)
    fields: dict[str, Any] = {}
    own, digests = _own_settings(project), _digests(_own_settings(project))
    for name, value in own.items():
        if held[name] == value:
            continue
        if stored.sent.get(name, digests[name] if done.made else None) != digests[name]:
            fields[name] = value
        elif name == "title":
            done.notes.append(f"{name} was changed on the server to {held[name]!r}, and stays")
    if held["maximum_annotations"] != project.raters:
        fields["maximum_annotations"] = project.raters
    done.settings += [f"{name}: {_short(held[name])} -> {_short(value)}" for name, value in fields.items()]
    if fields and not done.dry_run:
        server.change_project(stored.project_id, fields)
    if project.local_media:
        _store(server, project, stored, done, document_root)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _store(server: LabelStudio, project: Project, stored: OnServer, done: Synced, document_root: str | None) -> None:
    root = document_root or server.document_root(stored.project_id)
    if root is None:
        raise CallError(f"{server.url} does not tell the folder that it reads media below: give --document-root")
    paths = {str(PurePosixPath(root) / each) for each in project.local_media}
    for path in sorted(paths):
        held = {PurePosixPath(storage["path"]) for storage in server.storages(stored.project_id)}
        if held & {PurePosixPath(path), *PurePosixPath(path).parents}:
            continue
        done.settings.append(f"storage: {path}")
        if not done.dry_run:
            _add_storage(server, stored.project_id, path)


def _add_storage(server: LabelStudio, project_id: int, path: str) -> None:
    for tries in range(LOST):
        try:
            server.add_storage(project_id, path)
            return
        except AnswerLostError as error:
            _wait(server, tries, error)
            if path in {storage["path"] for storage in server.storages(project_id)}:
                return
    raise CallError(f"{server.url} does not answer when it is sent a storage; run sync again to go on")


def _sent(folder: Path, server: LabelStudio, project: Project, tasks: Sequence[Task], stored: OnServer) -> OnServer:
    """Remember what is sent before it is, so that it is known for ours after a crash."""
    versions = {prediction.model_version for task in tasks for prediction in task.predictions}
    stored = msgspec.structs.replace(
        stored,
        url=server.url,
        sent=_digests(_own_settings(project)),
        model_versions=sorted(versions | set(stored.model_versions)),
    )
    write_on_server(folder, stored)
    return stored


def _show_predictions(server: LabelStudio, tasks: Sequence[Task], done: Synced) -> None:
    """Have the predictions of the folder shown: the server shows those of one version."""
    assert done.project_id is not None
    versions = Counter(prediction.model_version for task in tasks for prediction in task.predictions)
    if not versions:
        return
    shown = max(sorted(versions), key=lambda version: versions[version])
    if others := sum(versions.values()) - versions[shown]:
        done.notes.append(f"{others} predictions are not shown: the server shows one version, {shown!r}")
    held = server.project(done.project_id)["model_version"]
    if held != shown:
        server.change_project(done.project_id, {"model_version": shown})
        if not done.made and not done.new:
            done.settings.append(f"model_version: {_short(held)} -> {_short(shown)}")


# Its tasks.


class _Round(msgspec.Struct):
    """What one listing shows is to be done."""

    new: list[Task]
    changed: list[tuple[Task, ServerTask]]
    doubles: list[list[ServerTask]]
    strangers: list[int]
    same: int


def _bring(
    server: LabelStudio, stored: OnServer, tasks: Sequence[Task], done: Synced, *, force: bool, track: Tracker
) -> None:
    kept: dict[int, Change] = {}
    doubled: dict[str, None] = {}
    for number in range(ROUNDS):
        held = _listed(server, stored.project_id, track)
        found = _compare(tasks, held, stored.model_versions)
        if number == 0:
            done.strangers, done.same = found.strangers, found.same
        busy = _busy(server, stored.project_id, [task.id for group in found.doubles for task in group])
        remove = _to_remove(found.doubles, busy, doubled)
        changed = [(task, there) for task, there in found.changed if there.id not in kept]
        if not force:
            touched = {there.id for _, there in changed if there.touched}
            touched |= _busy(server, stored.project_id, [there.id for _, there in changed if not there.touched])
            kept |= {there.id: _change(task, there) for task, there in changed if there.id in touched}
            changed = [(task, there) for task, there in changed if there.id not in touched]
        done.kept, done.doubled = list(kept.values()), list(doubled)
        if not (found.new or changed or remove):
            return
        done.new += [task.key for task in found.new if task.key not in set(done.new)]
        done.changed += [_change(task, there) for task, there in changed]
        done.removed += remove
        if done.dry_run:
            return
        for start in range(0, len(remove), EXPORTED):
            part = remove[start : start + EXPORTED]
            just_begun = _busy(server, stored.project_id, part)
            server.delete_tasks(stored.project_id, [task_id for task_id in part if task_id not in just_begun])
        _import(server, stored.project_id, found.new, max((task.id for task in held), default=0), track)
        for task, there in _still_free(server, stored.project_id, changed, force=force, kept=kept, track=track):
            _change_task(server, task, there, stored.model_versions)
    raise DataError(
        f"project {stored.project_id} on {server.url} does not come to rest in {ROUNDS} rounds: another tool changes "
        "the same tasks; nothing is lost, run sync again without it"
    )


def _listed(server: LabelStudio, project_id: int, track: Tracker) -> list[ServerTask]:
    advance = track("tasks on the server", int(server.project(project_id).get("task_number") or 0))
    held = []
    for task in server.tasks(project_id):
        held.append(task)
        advance()
    return held


def _compare(tasks: Sequence[Task], held: Sequence[ServerTask], versions: Collection[str]) -> _Round:
    by_key: dict[str | None, list[ServerTask]] = defaultdict(list)
    for there in held:
        by_key[there.key].append(there)
    ours = {task.key for task in tasks}
    found = _Round([], [], [], sorted(there.id for there in held if there.key not in ours), 0)
    for task in tasks:
        same_key = by_key.get(task.key, [])
        if not same_key:
            found.new.append(task)
        elif len(same_key) > 1:
            found.doubles.append(same_key)
        elif _differs(task, same_key[0], versions):
            found.changed.append((task, same_key[0]))
        else:
            found.same += 1
    return found


def _differs(task: Task, there: ServerTask, versions: Collection[str]) -> bool:
    add, drop = _predictions(task, there, versions)
    return bool(task.data != there.data or add or drop)


def _predictions(task: Task, there: ServerTask, versions: Collection[str]) -> tuple[list[Prediction], list[int]]:
    """Give the predictions to add and the ids of those to drop; those of versions that are not ours stay."""
    add = list(task.predictions)
    drop = []
    for each in there.predictions:
        same = [ours for ours in add if (ours.model_version, ours.result) == (each.model_version, each.result)]
        if same:
            add.remove(same[0])
        elif each.model_version in versions:
            drop.append(each.id)
    return add, drop


def _change(task: Task, there: ServerTask) -> Change:
    names = sorted(task.data.keys() | there.data.keys())
    what = [
        f"{name}: {_short(there.data.get(name))} -> {_short(task.data.get(name))}"
        for name in names
        if task.data.get(name) != there.data.get(name) or (name in task.data) != (name in there.data)
    ]
    ours = [(each.model_version, each.result) for each in task.predictions]
    if ours != [(each.model_version, each.result) for each in there.predictions]:
        what.append("predictions")
    return Change(task.key, there.id, what)


def _busy(server: LabelStudio, project_id: int, ids: Sequence[int]) -> set[int]:
    """Tell which tasks people have worked on, at this moment: annotations, skips, and drafts of anyone."""
    if not ids:
        return set()
    return {task["id"] for task in server.export(project_id, ids) if task["annotations"] or task["drafts"]}


def _to_remove(doubles: Sequence[Sequence[ServerTask]], busy: set[int], doubled: dict[str, None]) -> list[int]:
    """Choose the doubled tasks to delete: all but those worked on, or but the first of them where none is."""
    remove = []
    for group in doubles:
        keep = {task.id for task in group} & busy or {min(task.id for task in group)}
        remove += [task.id for task in group if task.id not in keep]
        if len(keep) > 1:
            doubled[str(group[0].key)] = None
    return sorted(remove)


def _import(server: LabelStudio, project_id: int, tasks: Sequence[Task], after: int, track: Tracker) -> None:
    """Add tasks in batches, each time those of it that nobody has added meanwhile: no other sync, no lost request."""
    if not tasks:
        return
    advance = track("tasks added", len(tasks))
    there: set[str | None] = set()
    for start in range(0, len(tasks), BATCH):
        batch = tasks[start : start + BATCH]
        for tries in range(LOST):
            for task in server.tasks(project_id, after):
                there.add(task.key)
                after = task.id
            try:
                if left := [task for task in batch if task.key not in there]:
                    server.import_tasks(project_id, [_as_sent(task) for task in left])
                break
            except AnswerLostError as error:
                _wait(server, tries, error)
        else:
            raise CallError(f"{server.url} does not answer when it is sent tasks; run sync again to go on")
        for _ in batch:
            advance()


def _as_sent(task: Task) -> dict[str, Any]:
    return {"data": task.data, "predictions": [msgspec.to_builtins(each) for each in task.predictions]}


def _still_free(
    server: LabelStudio,
    project_id: int,
    changed: Sequence[tuple[Task, ServerTask]],
    *,
    force: bool,
    kept: dict[int, Change],
    track: Tracker,
) -> Iterator[tuple[Task, ServerTask]]:
    """Yield what is to be changed, having looked a moment before whether somebody began to work on it."""
    if not changed:
        return
    advance = track("tasks changed", len(changed))
    step = 20
    for start in range(0, len(changed), step):
        part = changed[start : start + step]
        busy = set() if force else _busy(server, project_id, [there.id for _, there in part])
        for task, there in part:
            if there.id in busy:
                kept[there.id] = _change(task, there)
            else:
                yield task, there
            advance()


def _change_task(server: LabelStudio, task: Task, there: ServerTask, versions: Collection[str]) -> None:
    if task.data != there.data:
        server.change_task(there.id, task.data)
    add, drop = _predictions(task, there, versions)
    for prediction in add:
        try:
            server.add_prediction(there.id, prediction.model_version, prediction.result)
        except AnswerLostError as error:
            # The next round sees whether it is there, and drops what came twice.
            server.tell(f"an answer was lost ({error})")
    for prediction_id in drop:
        server.delete_prediction(prediction_id)


def show(done: Synced, line: Callable[[str], None], most: int = 20) -> None:
    """Tell a person what was done, or would be, in lines of which lists take at most `most`."""
    would = "would be " if done.dry_run else ""
    if done.project_id is None:
        line(f"a project {would}made on {done.url}")
    else:
        line(f"project {done.project_id} on {done.url}{f' {would}made' if done.made else ''}")
    for setting in done.settings:
        line(f"  {would}set: {setting}")
    counts = [
        (len(done.new), f"{would}added"),
        (len(done.changed), f"{would}changed"),
        (len(done.removed), f"doubled and {would}removed"),
        (done.same, "the same"),
        (len(done.kept), "worked on: other than here, and left (--force changes them)"),
        (len(done.doubled), "doubled and both worked on: left"),
        (len(done.strangers), "not of this folder: left"),
    ]
    for count, what in counts:
        if count:
            line(f"  {count} task{'s' * (count != 1)} {what}")
    for name, changes in (("changed", done.changed), ("left", done.kept)):
        for change in changes[:most]:
            line(f"    {name} {change.key} (task {change.task}): {'; '.join(change.what)}")
        if len(changes) > most:
            line(f"    ... and {len(changes) - most} more")
    for name, ids in (("removed", done.removed), ("not of this folder", done.strangers)):
        if ids:
            more = " ..." if len(ids) > most else ""
            line(f"    {name}: tasks {', '.join(map(str, ids[:most]))}{more}")
    for note in done.notes:
        line(f"  note: {note}")
    if not done.changes():
        line("  nothing to do")
