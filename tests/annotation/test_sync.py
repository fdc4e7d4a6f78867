"""Projects are brought to the real server, whatever happens on the way: nothing comes twice, nothing is lost."""

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from annotation.folder import Prediction, Project, Task, config_digest, read_tasks, write_project
from annotation.server import LabelStudio
from annotation.sync import Synced, read_on_server, sync
from annotation.tokens import Token
from schemas.errors import CallError, DataError
from tests.annotation.faulty_network import CUT, LOST, SLOW, Fault, FaultyNetwork, Plan
from tests.annotation.live import ROOT, LiveServer

Cli = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.full

CONFIG = """\
<View>
  <Video name="video" value="$video_url" frameRate="$fps"/>
  <Choices name="level" toName="video"><Choice value="low"/><Choice value="high"/></Choices>
</View>
"""
RESULT = [{"id": "r1", "from_name": "level", "to_name": "video", "type": "choices", "value": {"choices": ["low"]}}]


def task(number: int, **data: Any) -> Task:
    key = f"{number:016x}"
    told = {"task_key": key, "record_id": f"mine/{number}", "video_url": f"/data/local-files/?d=clips/{number}.mp4"}
    told |= {"fps": 29.97, "frames": 300, "sha256": "a" * 64, "proxy_sha256": None, **data}
    return Task(key=key, data=told, predictions=[Prediction(model_version="ground truth", result=RESULT)])


def write(folder: Path, tasks: list[Task], config: str = CONFIG, **changes: Any) -> None:
    project = Project(
        name=folder.parent.name + folder.name,
        kind="depict",
        title="Clips",
        raters=3,
        seed=0,
        config_sha256=config_digest(config),
        recipe={},
        recipe_sha256="0" * 64,
        instruction="<p>Read <b>this</b> first.</p>",
        local_media=["clips"],
    )
    project = msgspec.structs.replace(project, **changes)
    write_project(folder, project=project, config=config, tasks=tasks, roles=[], gold=[], guidelines="")


@pytest.fixture
def folder(tmp_path: Path, label_studio: LiveServer) -> Path:
    (label_studio.documents / "clips").mkdir(exist_ok=True)
    write(tmp_path / "project", [task(number) for number in range(10)])
    return tmp_path / "project"


def client(server: LiveServer, url: str | None = None, token: str | None = None, **options: Any) -> LabelStudio:
    return LabelStudio(url or server.url, Token(token or server.token, "a test"), **options)


def synced(folder: Path, server: LiveServer, url: str | None = None, within: float = 60.0, **options: Any) -> Synced:
    with client(server, url, answer_within=within) as asked:
        return sync(folder, asked, **options)


def project_id(folder: Path) -> int:
    stored = read_on_server(folder)
    assert stored is not None
    return stored.project_id


def keys(server: LiveServer, folder: Path) -> list[str]:
    return sorted(each["data"]["task_key"] for each in server.dump(project_id(folder)))


def all_keys(folder: Path) -> list[str]:
    return sorted(each.key for each in read_tasks(folder))


def projects_of(server: LiveServer, folder: Path) -> list[int]:
    mark = server.ask("GET", f"/api/projects/{project_id(folder)}/")["description"].split()[0]
    rows = server.ask("GET", "/api/projects/?page_size=1000")["results"]
    return [row["id"] for row in rows if mark in (row["description"] or "")]


def whole(server: LiveServer, folder: Path) -> dict[str, Any]:
    """All that the server holds of a project."""
    number = project_id(folder)
    settings = server.ask("GET", f"/api/projects/{number}/")
    return {
        "settings": settings,
        "storages": server.ask("GET", f"/api/storages/localfiles/?project={number}"),
        "tasks": server.dump(number),
    }


def annotate(server: LiveServer, number: int, **more: Any) -> None:
    server.ask("POST", f"/api/tasks/{number}/annotations/", {"result": RESULT, "lead_time": 3.0, **more})


def by_key(server: LiveServer, folder: Path) -> dict[str, dict[str, Any]]:
    return {each["data"]["task_key"]: each for each in server.dump(project_id(folder))}


def test_a_second_run_changes_nothing(label_studio: LiveServer, folder: Path) -> None:
    first = synced(folder, label_studio)
    assert (first.made, len(first.new)) == (True, 10)
    before, files = whole(label_studio, folder), {path: path.read_bytes() for path in folder.iterdir()}
    settings = before["settings"]
    assert settings["maximum_annotations"] == 3
    assert settings["expert_instruction"] == "<p>Read <b>this</b> first.</p>"
    assert (settings["title"], settings["model_version"]) == ("Clips", "ground truth")
    assert settings["label_config"].strip() == CONFIG.strip()
    assert [storage["path"] for storage in before["storages"]] == [str(label_studio.documents / "clips")]
    sent = {each.key: each for each in read_tasks(folder)}
    for held in before["tasks"]:
        assert held["data"] == sent[held["data"]["task_key"]].data
        assert [each["result"] for each in held["predictions"]] == [RESULT]
    second = synced(folder, label_studio)
    assert not second.changes()
    assert second.same == 10
    assert whole(label_studio, folder) == before
    assert {path: path.read_bytes() for path in folder.iterdir()} == files


def test_a_dry_run_tells_and_changes_nothing(label_studio: LiveServer, folder: Path) -> None:
    told = synced(folder, label_studio, dry_run=True)
    assert (told.project_id, told.made, len(told.new)) == (None, True, 10)
    assert read_on_server(folder) is None
    synced(folder, label_studio)
    before = whole(label_studio, folder)
    write(folder, [task(0, fps=25.0), *(task(n) for n in range(1, 12))], raters=5, local_media=["clips", "proxies"])
    (label_studio.documents / "proxies").mkdir(exist_ok=True)
    told = synced(folder, label_studio, dry_run=True)
    assert [change.what for change in told.changed] == [["fps: 29.97 -> 25.0"]]
    assert (len(told.new), told.same) == (2, 9)
    assert told.settings[0] == "maximum_annotations: 3 -> 5"
    assert told.settings[1].startswith("storage: ")
    assert whole(label_studio, folder) == before
    done = synced(folder, label_studio)
    assert (done.new, done.changed, done.settings) == (told.new, told.changed, told.settings)
    assert keys(label_studio, folder) == all_keys(folder)


def test_what_people_worked_on_stays(label_studio: LiveServer, folder: Path) -> None:
    synced(folder, label_studio)
    ids = {key: each["id"] for key, each in by_key(label_studio, folder).items()}
    annotated, skipped, drafted = (ids[task(number).key] for number in (0, 1, 2))
    annotate(label_studio, annotated)
    annotate(label_studio, skipped, was_cancelled=True)
    label_studio.ask("POST", f"/api/tasks/{drafted}/drafts", {"result": RESULT})
    before = by_key(label_studio, folder)
    other = [{**RESULT[0], "value": {"choices": ["high"]}}]
    write(
        folder,
        [
            msgspec.structs.replace(
                task(n, fps=25.0), predictions=[Prediction(model_version="ground truth", result=other)]
            )
            for n in range(10)
        ],
    )
    done = synced(folder, label_studio)
    assert sorted(change.task for change in done.kept) == sorted([annotated, skipped, drafted])
    assert len(done.changed) == 7
    after = by_key(label_studio, folder)
    for number in range(10):
        held = after[task(number).key]
        if number < 3:
            assert held == before[task(number).key]
        else:
            assert held["data"]["fps"] == 25.0
            assert [each["result"] for each in held["predictions"]] == [other]
            assert held["id"] == ids[task(number).key]
    again = synced(folder, label_studio)
    assert not again.changes()
    assert again.kept == done.kept

    forced = synced(folder, label_studio, force=True)
    assert sorted(change.task for change in forced.changed) == sorted([annotated, skipped, drafted])
    after = by_key(label_studio, folder)
    assert all(held["data"]["fps"] == 25.0 for held in after.values())
    for number in range(3):
        held = after[task(number).key]
        assert [each["result"] for each in held["annotations"]] == [
            each["result"] for each in before[task(number).key]["annotations"]
        ]
        assert [each["id"] for each in held["drafts"]] == [each["id"] for each in before[task(number).key]["drafts"]]
        # What the rater saw is still with what the rater said.
        assert [each["prediction"] for each in held["annotations"]] == [
            each["prediction"] for each in before[task(number).key]["annotations"]
        ]
    assert not synced(folder, label_studio).changes()


def test_what_is_not_ours_is_told_and_stays(label_studio: LiveServer, folder: Path) -> None:
    synced(folder, label_studio)
    number = project_id(folder)
    theirs = {"data": {"video_url": "http://127.0.0.1/x.mp4", "fps": 25}}
    label_studio.ask("POST", f"/api/projects/{number}/import", [theirs, {"data": {**theirs["data"], "task_key": 5}}])
    ours = next(each["id"] for each in label_studio.dump(number) if each["data"].get("task_key") == task(4).key)
    label_studio.ask("POST", "/api/predictions/", {"task": ours, "model_version": "a person's", "result": RESULT})
    write(folder, [task(n) for n in range(1, 10)])
    before = label_studio.dump(number)
    done = synced(folder, label_studio)
    assert not done.changes()
    assert len(done.strangers) == 3
    assert label_studio.dump(number) == before


def test_a_title_changed_by_hand_stays_until_ours_changes(label_studio: LiveServer, folder: Path) -> None:
    synced(folder, label_studio)
    number = project_id(folder)
    label_studio.ask("PATCH", f"/api/projects/{number}/", {"title": "By hand"})
    done = synced(folder, label_studio)
    assert not done.changes()
    assert done.notes == ["title was changed on the server to 'By hand', and stays"]
    write(folder, read_tasks(folder), title="Clips of spring")
    assert synced(folder, label_studio).settings == ["title: 'By hand' -> 'Clips of spring'"]
    assert not synced(folder, label_studio).changes()


def test_a_config_changed_by_hand_is_refused(label_studio: LiveServer, folder: Path) -> None:
    synced(folder, label_studio)
    number = project_id(folder)
    changed = CONFIG.replace('value="high"', 'value="top"')
    label_studio.ask("PATCH", f"/api/projects/{number}/", {"label_config": changed})
    write(folder, [task(n) for n in range(12)])
    before = whole(label_studio, folder)
    for options in ({}, {"force": True}, {"dry_run": True}):
        with pytest.raises(DataError, match='changed there(.|\n)*-.*value="high"(.|\n)*[+].*value="top"'):
            synced(folder, label_studio, **options)
    assert whole(label_studio, folder) == before
    (folder / "server.json").unlink()
    with pytest.raises(DataError, match="changed there"):
        synced(folder, label_studio)
    label_studio.ask("PATCH", f"/api/projects/{number}/", {"label_config": CONFIG})
    assert len(synced(folder, label_studio).new) == 2
    assert project_id(folder) == number


def test_a_config_of_ours_that_changed_makes_no_mess(label_studio: LiveServer, folder: Path) -> None:
    synced(folder, label_studio)
    old, before = project_id(folder), whole(label_studio, folder)
    write(folder, read_tasks(folder), CONFIG.replace('value="high"', 'value="top"'))
    with pytest.raises(CallError, match="would be orphaned"):
        synced(folder, label_studio, force=True)
    assert whole(label_studio, folder) == before
    (folder / "server.json").unlink()
    assert synced(folder, label_studio).made
    assert project_id(folder) != old


def test_a_folder_belongs_to_its_server(label_studio: LiveServer, folder: Path) -> None:
    synced(folder, label_studio)
    stored = json.loads((folder / "server.json").read_text())
    (folder / "server.json").write_text(json.dumps({**stored, "url": "http://127.0.0.1:1", "project_id": 10**6}))
    with pytest.raises(CallError, match=r"is on http://127\.0\.0\.1:1"):
        synced(folder, label_studio)
    (folder / "server.json").unlink()
    assert not synced(folder, label_studio).changes()
    assert read_on_server(folder) is not None
    assert projects_of(label_studio, folder) == [stored["project_id"]]


def nth(count: int, fault: Fault, method: str, pattern: str) -> Plan:
    """A fault for the first `count` requests of a kind."""
    left = [count]

    def plan(asked: str, path: str) -> Fault | None:
        if asked == method and re.search(pattern, path) and left[0]:
            left[0] -= 1
            return fault
        return None

    return plan


FAULTS = {
    "cut before it is taken": CUT,
    "answer lost": LOST,
    "500 though taken": Fault(taken=True, status=500),
    "500": Fault(status=500),
    "502 though taken": Fault(taken=True, status=502),
    "503 and when to come again": Fault(status=503, headers={"Retry-After": "1"}),
    "slower than we wait": SLOW,
}


OTHER_REQUESTS = [
    ("POST", r"^/api/projects/$"),
    ("GET", r"^/api/tasks/"),
    ("POST", r"/localfiles/$"),
    ("POST", r"/localfiles/validate$"),
]


@pytest.mark.parametrize(
    ("kind", "method", "pattern"),
    [
        *((kind, "POST", r"/import$") for kind in FAULTS),
        *((kind, *request) for kind in ("cut before it is taken", "answer lost", "500") for request in OTHER_REQUESTS),
    ],
)
def test_a_failing_network_doubles_and_loses_nothing(
    label_studio: LiveServer, folder: Path, kind: str, method: str, pattern: str
) -> None:
    write(folder, [task(number) for number in range(3)])
    with FaultyNetwork(label_studio.url, nth(2, FAULTS[kind], method, pattern)) as network:
        synced(folder, label_studio, network.url, within=3.0)
        failed = [seen for seen in network.seen if seen[0] == method and re.search(pattern, seen[1])]
    assert len(failed) >= (1 if FAULTS[kind].taken else 2)
    assert keys(label_studio, folder) == all_keys(folder)
    whole_project = whole(label_studio, folder)
    assert all(len(each["predictions"]) == 1 for each in whole_project["tasks"])
    assert len(whole_project["storages"]) == 1
    assert projects_of(label_studio, folder) == [project_id(folder)]
    assert not synced(folder, label_studio).changes()


@pytest.mark.parametrize("kind", ["cut before it is taken", "answer lost", "500"])
def test_changes_survive_a_failing_network(label_studio: LiveServer, folder: Path, kind: str) -> None:
    write(folder, [task(number) for number in range(4)])
    synced(folder, label_studio)
    other = [{**RESULT[0], "value": {"choices": ["high"]}}]
    changed = [task(n, fps=25.0) for n in range(4)]
    predicted = [Prediction(model_version="second", result=other)]
    write(folder, [msgspec.structs.replace(each, predictions=predicted) for each in changed])
    plans = [nth(1, FAULTS[kind], *what) for what in (("PATCH", "/api/tasks"), ("POST", "/pred"), ("DELETE", "/pred"))]
    with FaultyNetwork(label_studio.url) as network:
        network.plan = lambda method, path: next((found for each in plans if (found := each(method, path))), None)
        synced(folder, label_studio, network.url, within=3.0)
        assert {"PATCH", "POST", "DELETE"} <= {method for method, _ in network.seen}
    held = label_studio.dump(project_id(folder))
    assert [each["data"]["fps"] for each in held] == [25.0] * 4
    assert [[each["result"] for each in one["predictions"]] for one in held] == [[other]] * 4
    assert label_studio.ask("GET", f"/api/projects/{project_id(folder)}/")["model_version"] == "second"
    assert not synced(folder, label_studio).changes()


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_user_changes_nothing(label_studio: LiveServer, folder: Path, status: int) -> None:
    with (
        FaultyNetwork(label_studio.url, nth(1, Fault(status=status), "POST", "/import")) as network,
        pytest.raises(CallError, match=rf"\({status}\)"),
    ):
        synced(folder, label_studio, network.url)
    assert keys(label_studio, folder) == []
    assert len(synced(folder, label_studio).new) == 10
    assert keys(label_studio, folder) == all_keys(folder)


def test_a_wrong_token_is_refused_by_the_real_server(label_studio: LiveServer, folder: Path) -> None:
    wrong = "f00dfeed" * 5
    with client(label_studio, token=wrong) as server, pytest.raises(CallError, match=r"\(401\)") as refused:
        sync(folder, server)
    assert wrong not in str(refused.value)


def test_a_personal_access_token_does(label_studio: LiveServer, folder: Path) -> None:
    held = label_studio.ask("GET", "/api/token/")
    assert held == []
    personal = label_studio.ask("POST", "/api/token/", {})["token"]
    with client(label_studio, token=personal) as server:
        assert len(sync(folder, server).new) == 10
    label_studio.ask("POST", "/api/token/blacklist/", {"refresh": personal})
    with client(label_studio, token=personal) as server, pytest.raises(CallError, match="personal access") as refused:
        sync(folder, server)
    assert personal not in str(refused.value)


@pytest.mark.parametrize("part", ["/import", "/api/tasks/"])
def test_a_server_that_restarts_in_between(label_studio: LiveServer, folder: Path, part: str) -> None:
    write(folder, [task(number) for number in range(600)])
    restarts: list[threading.Thread] = []

    def restart() -> None:
        label_studio.stop()
        label_studio.start()

    def plan(_method: str, path: str) -> Fault | None:
        if part in path and not restarts:
            restarts.append(threading.Timer(0.4, restart))
            restarts[0].start()
        return None

    try:
        with FaultyNetwork(label_studio.url, plan) as network:
            done = synced(folder, label_studio, network.url, within=30.0)
    finally:
        for each in restarts:
            each.join()
    assert len(restarts) == 1
    assert len(done.new) == 600
    assert keys(label_studio, folder) == all_keys(folder)
    assert not synced(folder, label_studio).changes()


def at_once(works: list[Callable[[], object]]) -> list[BaseException]:
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the test tells of it
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("made", [False, True])
def test_two_syncs_at_once(label_studio: LiveServer, folder: Path, made: bool) -> None:
    write(folder, [task(number) for number in range(600)])
    if made:
        write(folder, [task(0)])
        synced(folder, label_studio)
        write(folder, [task(number) for number in range(600)])
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    assert at_once([lambda: synced(folder, label_studio), lambda: synced(copy, label_studio)]) == []
    assert project_id(folder) == project_id(copy)
    assert projects_of(label_studio, folder) == [project_id(folder)]
    assert keys(label_studio, folder) == all_keys(folder)
    assert not synced(folder, label_studio).changes()


def test_two_syncs_at_once_that_do_not_hear_what_they_made(label_studio: LiveServer, folder: Path) -> None:
    """Each makes a project, and neither knows which is its own: one of them stays."""
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    lost = Fault(taken=True, seconds=1.0)  # so that both have made theirs before either looks
    with (
        FaultyNetwork(label_studio.url, nth(1, lost, "POST", "/api/projects/$")) as one,
        FaultyNetwork(label_studio.url, nth(1, lost, "POST", "/api/projects/$")) as two,
    ):
        works = [lambda: synced(folder, label_studio, one.url), lambda: synced(copy, label_studio, two.url)]
        assert at_once(works) == []
    assert project_id(folder) == project_id(copy)
    assert projects_of(label_studio, folder) == [project_id(folder)]
    assert keys(label_studio, folder) == all_keys(folder)


class LateToShow(LabelStudio):
    """A server that shows none of its projects at first, and at the second look all but the newest."""

    looks = 0

    def projects(self) -> Iterator[dict[str, Any]]:
        self.looks += 1
        rows = list(super().projects())
        yield from {1: [], 2: rows[:-1]}.get(self.looks, rows)


def test_a_project_that_shows_late_is_not_left_behind(label_studio: LiveServer, folder: Path) -> None:
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    synced(folder, label_studio)
    with LateToShow(label_studio.url, Token(label_studio.token, "a test")) as asked:
        sync(copy, asked)
    assert asked.looks > 2
    assert project_id(copy) == project_id(folder)
    assert projects_of(label_studio, folder) == [project_id(folder)]


def test_one_folder_is_synced_once_at_a_time(label_studio: LiveServer, folder: Path) -> None:
    with FaultyNetwork(label_studio.url, nth(1, Fault(taken=True, status=500, seconds=2.0), "POST", "/import")) as slow:
        running = threading.Thread(target=synced, args=(folder, label_studio, slow.url))
        running.start()
        while not [seen for seen in slow.seen if "/import" in seen[1]]:
            assert running.is_alive()
        with pytest.raises(CallError, match="another sync of this folder is running"):
            synced(folder, label_studio)
        running.join()
    assert keys(label_studio, folder) == all_keys(folder)


def test_what_another_tool_imported_again_is_removed_unless_worked_on(label_studio: LiveServer, folder: Path) -> None:
    synced(folder, label_studio)
    number = project_id(folder)
    first = {each["data"]["task_key"]: each["id"] for each in label_studio.dump(number)}
    label_studio.ask("POST", f"/api/projects/{number}/import", [{"data": task(n).data} for n in range(4)])
    second = {
        each["data"]["task_key"]: each["id"] for each in label_studio.dump(number) if each["id"] > max(first.values())
    }
    annotate(label_studio, second[task(1).key])
    annotate(label_studio, first[task(2).key])
    annotate(label_studio, second[task(2).key])
    label_studio.ask("POST", f"/api/tasks/{second[task(3).key]}/drafts", {"result": RESULT})
    done = synced(folder, label_studio)
    assert done.removed == sorted([second[task(0).key], first[task(1).key], first[task(3).key]])
    assert done.doubled == [task(2).key]
    held = label_studio.dump(number)
    assert len(held) == 11
    assert sorted(each["id"] for each in held if each["annotations"]) == sorted(
        [second[task(1).key], first[task(2).key], second[task(2).key]]
    )
    assert not synced(folder, label_studio).changes()


@pytest.mark.parametrize("broken", [{}, {"TOKEN": "f00dfeed" * 5}])
def test_no_output_and_no_file_holds_the_token(label_studio: LiveServer, folder: Path, broken: dict[str, str]) -> None:
    token = broken.get("TOKEN", label_studio.token)
    environment = {"PATH": "/usr/bin", "HOME": str(folder.parent), "PYTHONPATH": str(ROOT), "VQA2_DEBUG": "1"}
    said = ""
    plan = nth(1, Fault(taken=True, status=500), "POST", "/import")
    with FaultyNetwork(label_studio.url, plan) as network:
        for more in (["--dry-run"], [], ["--json"]):
            command = [sys.executable, "-m", "vqa2", "annotate", "sync", str(folder), "--url", network.url, *more]
            done = subprocess.run(
                command,
                env={**environment, "VQA2_LABEL_STUDIO_TOKEN": token},
                cwd=folder.parent,
                capture_output=True,
                text=True,
                check=False,
            )
            said += done.stdout + done.stderr
            assert (done.returncode == 0) != bool(broken), done.stderr
    assert "an answer was lost" in said or broken
    assert "Traceback" in said or not broken
    assert token not in said
    for path in folder.rglob("*"):
        assert token.encode() not in path.read_bytes(), path


def test_the_command_line(label_studio: LiveServer, folder: Path, vqa2: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VQA2_LABEL_STUDIO_TOKEN", label_studio.token)
    told = vqa2("annotate", "sync", folder, "--url", label_studio.url, "--dry-run")
    assert told.stdout == f"a project would be made on {label_studio.url}\n  10 tasks would be added\n"
    done = vqa2("annotate", "sync", folder, "--url", label_studio.url, "--json")
    found = json.loads(done.stdout)
    assert (found["made"], len(found["new"])) == (True, 10)
    write(folder, [task(0, fps=25.0), *(task(n) for n in range(1, 10))])
    told = vqa2("annotate", "sync", folder, "--url", label_studio.url)
    assert "  1 task changed\n  9 tasks the same\n" in told.stdout
    assert f"changed {task(0).key}" in told.stdout
    assert "fps: 29.97 -> 25.0" in told.stdout
    assert vqa2("annotate", "sync", folder / "nothing", "--url", label_studio.url).returncode == 2
    other = {"label_config": CONFIG.replace("level", "quality")}
    label_studio.ask("PATCH", f"/api/projects/{found['project_id']}/", other)
    changed = vqa2("annotate", "sync", folder, "--url", label_studio.url)
    assert changed.returncode == 1
    assert "was changed there" in changed.stderr
