"""Import from the real server: several users, skips, drafts, edits, deletions, and a user who is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from annotation.folder import Prediction, Task, config_digest, read_config, read_project, read_roles, write_project
from annotation.importing import Imported
from annotation.pseudonyms import ADDRESS, read_key
from annotation.snapshots import list_snapshots, replay
from annotation.sync import read_on_server
from schemas.response import Response
from tests.annotation import exported as ex
from tests.annotation.live import ROOT, LiveServer
from tests.annotation.test_importing import oddities, outputs, responses, whats

pytestmark = pytest.mark.full
KEYS = [f"{number:016x}" for number in range(0xA1, 0xA6)]
SHOWN = [ex.level("good"), *ex.segment("m1", "noise", "slight", 1, 30), ex.text("overall", "It is fine.")]


def run(server: LiveServer, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vqa2", "annotate", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "VQA2_LABEL_STUDIO_TOKEN": server.token},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert server.token not in done.stdout + done.stderr
    return done.stdout


def imported(server: LiveServer, folder: Path) -> Imported:
    return Imported(**json.loads(run(server, "import", folder, "--json")))


def person(server: LiveServer, name: str) -> int:
    fields = {"email": f"{name}@example.org", "username": name, "first_name": "Zoltan", "password": "a-password-1"}
    return int(server.ask("POST", "/api/users/", fields)["id"])


def by_name(folder: Path) -> dict[str, Response]:
    return {f"{response.task}/{response.rater}/{response.state}": response for response in responses(folder).values()}


@pytest.fixture
def on_server(label_studio: LiveServer, tmp_path: Path) -> tuple[Path, dict[str, int]]:
    """A project of five clips on the server, and the ids of its tasks there by their keys."""
    data = {key: ex.data(key) for key in KEYS}
    data[KEYS[0]]["video_url"] = "/data/local-files/?d=clips/a%20clip.mp4"
    folder = ex.folder(tmp_path / "live-project", list(data.values()))
    tasks = [
        Task(
            key=key,
            data=ex.data(key),
            predictions=[Prediction(model_version="m", result=SHOWN)] if key < KEYS[4] else [],
        )
        for key in KEYS
    ]
    config = read_config(folder)
    assert config_digest(config) == read_project(folder).config_sha256
    write_project(
        folder,
        project=read_project(folder),
        config=config,
        tasks=tasks,
        roles=read_roles(folder).values(),
        gold=[],
        guidelines="",
    )
    run(label_studio, "sync", folder, "--url", label_studio.url)
    stored = read_on_server(folder)
    assert stored is not None
    return folder, {task["data"]["task_key"]: task["id"] for task in label_studio.dump(stored.project_id)}


def test_what_happens_on_the_server_is_what_is_imported(
    label_studio: LiveServer, on_server: tuple[Path, dict[str, int]]
) -> None:
    server, (folder, tasks) = label_studio, on_server
    ann, bob = person(server, "ann"), person(server, "bob")

    def submit(key: str, who: int, results: list[ex.Json], **more: Any) -> int:
        body = {"result": results, "completed_by": who, "lead_time": 20.5, **more}
        return int(server.ask("POST", f"/api/tasks/{tasks[key]}/annotations/", body)["id"])

    said = submit(KEYS[0], ann, ex.full())
    lazy = submit(KEYS[0], bob, SHOWN)
    submit(KEYS[1], ann, [], was_cancelled=True)
    odd = submit(KEYS[2], bob, [*SHOWN, ex.level("low"), *ex.segment("x", "fog", "severe", 1, 9)])
    submit(KEYS[4], ann, [*SHOWN, *ex.segment("z", "noise", None, 290, 400)])
    server.ask("POST", f"/api/tasks/{tasks[KEYS[3]]}/drafts", {"result": [ex.level("high")], "lead_time": 2})
    server.ask("POST", f"/api/tasks/{tasks[KEYS[0]]}/annotations/{said}/drafts", {"result": [ex.level("high")]})

    done = imported(server, folder)
    assert (done.submitted, done.skipped, done.drafts, done.raters, done.new) == (4, 1, 2, 3, 7)
    names = read_key(folder / "raters.key")
    first = by_name(folder)
    a, b = first[f"{KEYS[0]}/{names.of(ann)}/submitted"], first[f"{KEYS[0]}/{names.of(bob)}/submitted"]
    assert a.annotation is not None
    assert b.annotation is not None
    assert (a.changed, b.changed, a.seconds) == (True, False, 20.5)
    assert [(x.name, x.degree, x.start, x.end, x.when, x.where) for x in a.annotation.attributes] == [
        ("compression blur", "severe", None, None, None, None),
        ("camera shake", "noticeable", None, None, None, None),
        ("motion blur", "severe", 119 / 30, 6.0, "when the person jumps", "on the left"),
    ]
    assert (a.annotation.level, a.annotation.score, a.annotation.sha256) == ("poor", 35.0, "ab" * 32)
    assert a.annotation.overall == "The entire video exhibits severe compression blur."
    assert [(c.question, c.answer) for c in a.annotation.conversations] == [
        ("How can it be avoided?", "With more bits.")
    ]
    assert first[f"{KEYS[1]}/{names.of(ann)}/skipped"].annotation is None
    assert first[f"{KEYS[4]}/{names.of(ann)}/submitted"].changed is None
    assert sorted(whats(folder)) == [
        "'noise' of segment 'z': frames 290 to 400 of a clip of 300 frames",
        "attribute of segment 'x': \"fog\" is not among its words",
        "level: 2 levels, good, low",
        "segment 'z': no degree: 'noise' at 9.63333 to 10 s",
    ]
    before, shots = outputs(folder), [shot.path.name for shot in list_snapshots(folder)]
    again = imported(server, folder)
    assert (outputs(folder), [shot.path.name for shot in list_snapshots(folder)]) == (before, shots)
    assert (again.snapshot, again.new, again.changed, again.gone) == (None, 0, 0, 0)

    server.ask("PATCH", f"/api/annotations/{odd}/", {"result": SHOWN})
    server.ask("DELETE", f"/api/annotations/{lazy}/")
    server.ask("DELETE", f"/api/users/{ann}/")
    done = imported(server, folder)
    assert (done.new, done.gone, len(list_snapshots(folder))) == (0, 1, 2)
    second = by_name(folder)
    assert f"{KEYS[0]}/{names.of(bob)}/submitted" not in second
    # The user is gone from the server, and still the same rater here.
    assert second[f"{KEYS[0]}/{names.of(ann)}/submitted"].annotation == a.annotation
    mended = second[f"{KEYS[2]}/{names.of(bob)}/submitted"]
    assert mended.annotation is not None
    assert (mended.annotation.level, mended.changed) == ("good", False)
    told = {(row["annotation"].rpartition("-")[2], row["what"].partition(" before")[0]) for row in oddities(folder)}
    assert (f"a{lazy}", "submission gone from the server") in told
    assert (f"a{said}", "its rater was deleted on the server") in told
    assert {(event.what, event.id) for event in replay(folder)} >= {("gone", f"a{lazy}"), ("changed", f"a{odd}")}

    for path in folder.rglob("*.jsonl"):
        assert not ADDRESS.search(path.read_text()), path
        assert "zoltan" not in path.read_text().casefold(), path
    for shot in list_snapshots(folder):
        assert not ADDRESS.search(json.dumps(shot.tasks()))


def test_a_file_of_the_server_gives_what_the_server_gives(
    label_studio: LiveServer, on_server: tuple[Path, dict[str, int]], tmp_path: Path
) -> None:
    folder, tasks = on_server
    label_studio.ask("POST", f"/api/tasks/{tasks[KEYS[0]]}/annotations/", {"result": ex.full(), "lead_time": 3})
    imported(label_studio, folder)
    by_server = outputs(folder)
    stored = read_on_server(folder)
    assert stored is not None
    path = f"/api/projects/{stored.project_id}/export?exportType=JSON&download_all_tasks=true"
    export = tmp_path / f"project-{stored.project_id}-at-2020-01-01-00-00-abcd1234.json"
    export.write_text(json.dumps(label_studio.ask("GET", path)))
    done = json.loads(run(label_studio, "import", folder, "--export", export, "--json"))
    assert done["snapshot"] is None
    assert outputs(folder) == by_server
    assert whats(folder) == []
