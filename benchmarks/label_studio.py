"""What bringing tasks to a Label Studio server takes, beside what the server alone takes to import and to export them.

The server is the real one on the same machine, with SQLite; every task has a prediction.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from annotation.folder import Prediction, Project, Task, config_digest, write_project
from annotation.server import LabelStudio
from annotation.sync import read_on_server, sync
from annotation.tokens import Token
from benchmarks._findings import Findings, Limit, Table
from dataset_builder.progress import tracker
from tests.annotation.live import LiveServer, program

CONFIG = """\
<View>
  <Video name="video" value="$video_url" frameRate="$fps"/>
  <Choices name="level" toName="video"><Choice value="low"/><Choice value="high"/></Choices>
</View>
"""
MAKE_SECONDS, AGAIN_SECONDS = 180.0, 60.0


def run(*, quick: bool) -> Findings:
    """Measure a first sync, one with nothing to do, one with a few changes, and the server's own requests."""
    count, changed = (200, 10) if quick else (10_000, 500)
    try:
        program()
    except FileNotFoundError as error:
        missing = str(error)
        limits = [
            Limit("10,000 tasks: first sync", None, MAKE_SECONDS, "s", note=missing),
            Limit("10,000 tasks: sync again", None, AGAIN_SECONDS, "s", note=missing),
        ]
        return Findings([Table("sync", [{"what": "Label Studio", "remark": missing}])], limits)
    with tempfile.TemporaryDirectory() as scratch:
        server = LiveServer(Path(scratch) / "server")
        server.folder.mkdir()
        try:
            took = {"start of the server": _timed(server.start)}
            took |= measure(server, Path(scratch) / "project", count, changed)
        finally:
            server.stop()
    first, again = took[f"first sync of {count} tasks"], took["sync again, nothing to do"]
    note = "" if count == 10_000 else f"of {count} tasks only"
    return Findings(
        [Table("sync", [{"what": what, "seconds": seconds} for what, seconds in took.items()])],
        [
            Limit("10,000 tasks: first sync", None if note else first, MAKE_SECONDS, "s", note=note),
            Limit("10,000 tasks: sync again", None if note else again, AGAIN_SECONDS, "s", note=note),
        ],
        {"server": "label-studio 1.23.2, SQLite, on this machine"},
    )


def measure(server: LiveServer, folder: Path, count: int, changed: int) -> dict[str, float]:
    """Time every kind of sync on a server that runs: seconds by what is done."""
    took = {}
    _write(folder, [_task(number) for number in range(count)])
    took[f"first sync of {count} tasks"] = _timed(lambda: _sync(server, folder))
    took["sync again, nothing to do"] = _timed(lambda: _sync(server, folder))
    moved = [_task(number, fps=25.0) if number < changed else _task(number) for number in range(count + changed)]
    _write(folder, moved)
    took[f"sync again, {changed} changed and {changed} new"] = _timed(lambda: _sync(server, folder))
    stored = read_on_server(folder)
    assert stored is not None
    rows = [msgspec.to_builtins(_task(number)) for number in range(count)]
    bare = server.ask("POST", "/api/projects/", {"title": "bare", "label_config": CONFIG})["id"]
    body = [{"data": row["data"], "predictions": row["predictions"]} for row in rows]
    took[f"the server alone: import of {count} tasks in one request"] = _timed(
        lambda: server.ask("POST", f"/api/projects/{bare}/import", body)
    )
    took["the server alone: export of them in one request"] = _timed(
        lambda: server.ask("GET", f"/api/projects/{bare}/export?exportType=JSON&download_all_tasks=true")
    )
    return took


def _sync(server: LiveServer, folder: Path) -> None:
    with LabelStudio(server.url, Token(server.token, "benchmark")) as client, tracker() as track:
        sync(folder, client, track=track)


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _task(number: int, fps: float = 29.97) -> Task:
    key = f"{number:016x}"
    data = {
        "task_key": key,
        "record_id": f"set/clip-{number}",
        "video_url": f"http://media.example.org/clips/{number}.mp4",
        "fps": fps,
        "frames": 300,
        "sha256": f"{number:064x}",
        "proxy_sha256": None,
    }
    result = {"id": "r1", "from_name": "level", "to_name": "video", "type": "choices", "value": {"choices": ["low"]}}
    return Task(key=key, data=data, predictions=[Prediction(model_version="ground truth", result=[result])])


def _write(folder: Path, tasks: list[Task]) -> None:
    project = Project(
        name="speed",
        kind="depict",
        title="Speed",
        raters=3,
        seed=0,
        config_sha256=config_digest(CONFIG),
        recipe={},
        recipe_sha256="0" * 64,
    )
    write_project(folder, project=project, config=CONFIG, tasks=tasks, roles=[], gold=[], guidelines="")
