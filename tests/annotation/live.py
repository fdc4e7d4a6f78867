"""The real Label Studio for tests: a server of its own on loopback, with SQLite in a folder that is thrown away."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOKEN = "0123456789abcdef0123456789abcdef01234567"  # of servers that live as long as a test
USER = "owner@example.com"
PASSWORD = "a-password-of-tests"
STARTING_SECONDS = 300


def program() -> Path:
    """Where the server is installed. Raises FileNotFoundError: tests that need it fail without it, and do not skip."""
    path = Path(os.environ.get("VQA2_LABEL_STUDIO") or ROOT / ".label-studio" / "bin" / "label-studio")
    if not path.exists():
        raise FileNotFoundError("there is no Label Studio to test with: make label-studio installs it")
    return path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _first_start() -> Path:
    """The data of a server after its first start, which takes a minute of migrations: made once for each version."""
    home = program().resolve().parents[1]
    version = next(home.glob("lib/python*/site-packages/label_studio-*.dist-info")).name.removesuffix(".dist-info")
    kept = ROOT / "build" / "tests" / version
    kept.parent.mkdir(parents=True, exist_ok=True)
    with (kept.parent / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with tempfile.TemporaryDirectory() as scratch:
                server = LiveServer(Path(scratch))
                server._start()
                server.stop()
                shutil.copytree(Path(scratch) / "data", kept.parent / f"{version}.partial", dirs_exist_ok=True)
            (kept.parent / f"{version}.partial").rename(kept)
    return kept


class LiveServer:
    """A server that can be stopped and started again on the same data. `documents` is its document root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents = folder / "documents"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = TOKEN
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server, on its own data where it has any, else on a copy of what a first start made."""
        if not (self.folder / "data").exists():
            shutil.copytree(_first_start(), self.folder / "data")
        self._start()

    def _start(self) -> None:
        self.documents.mkdir(parents=True, exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        environment = {
            **kept,
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.folder / "data"),
            "LABEL_STUDIO_USERNAME": USER,
            "LABEL_STUDIO_PASSWORD": PASSWORD,
            "LABEL_STUDIO_USER_TOKEN": self.token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(self.documents),
            "COLLECT_ANALYTICS": "false",
            "LATEST_VERSION_CHECK": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(program()), "start", "--no-browser", "--internal-host", "127.0.0.1", "-p", str(self.port)],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.3)
        said = (self.folder / "log").read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"Label Studio does not start:\n{said}")

    def stop(self) -> None:
        """End the server and what it started, at once, as a crash would."""
        if self._process is None:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(60)
        self._process = None

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """Ask the server past the code under test: what a person or another tool does there."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {token or self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from None
        return json.loads(text) if text else None

    def dump(self, project: int) -> list[dict[str, Any]]:
        """All tasks of a project with all that hangs on them, by id."""
        path = f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true"
        tasks: list[dict[str, Any]] = self.ask("GET", path)
        predictions = self.ask("GET", f"/api/predictions/?project={project}")
        for task in tasks:
            # The export gives no more of predictions than their ids.
            task["predictions"] = [each for each in predictions if each["task"] == task["id"]]
            for part in ("annotations", "predictions", "drafts"):
                for each in task[part]:
                    each.pop("created_ago", None)
        return sorted(tasks, key=lambda task: task["id"])
