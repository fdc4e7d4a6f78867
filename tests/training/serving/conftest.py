"""The page of a tiny model, served by the real command in a process of its own."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from training.checkpoints.checkpoint import Checkpoint

STARTED = 300
"""Seconds that the command may take until it says where the page is, on a busy machine."""


class Served:
    """`vqa2 serve` with options: where its page is, and where it keeps what is uploaded."""

    def __init__(self, model: Path, temporary: Path, *options: object) -> None:
        self.temporary = temporary
        self._said: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vqa2", "serve", str(model), "--port", "0", *map(str, options)],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._hear, daemon=True).start()
        self.url = self._said.get(timeout=STARTED)
        assert self.url.startswith("http://127.0.0.1:"), self.url + self.process.stderr.read()  # type: ignore[union-attr]

    def kept(self) -> list[Path]:
        """List the files that lie in its folder."""
        return [path for path in self.temporary.rglob("*") if path.is_file()]

    @contextmanager
    def slowed(self) -> Iterator[None]:
        """Let the server run a little of the time only, so that an answer lasts while a browser looks at it."""
        over = threading.Event()

        def hold() -> None:
            while not over.wait(0.003):
                self.process.send_signal(signal.SIGSTOP)
                over.wait(0.06)
                self.process.send_signal(signal.SIGCONT)

        holding = threading.Thread(target=hold)
        holding.start()
        try:
            yield
        finally:
            over.set()
            holding.join()

    def interrupt(self) -> tuple[int, str, str]:
        """End it as Ctrl-C does; gives the exit code and what it said since on stdout and stderr."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        assert self.process.stderr is not None
        said = []
        while (line := self._said.get(timeout=10)) is not None and line:
            said.append(line)
        return code, "\n".join(said), self.process.stderr.read()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(line.strip())
        self._said.put("")


@contextmanager
def served(model: Path, *options: object) -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as temporary:
        started = Served(model, Path(temporary), *options)
        try:
            yield started
        finally:
            started.process.kill()
            started.process.communicate()


# gradio is an extra of its own: the tests that need it fail without it, and no others.


def handle_file(path: Path) -> Any:
    from gradio_client import handle_file as handled

    return handled(path)


def client_of(server: Served) -> Any:
    from gradio_client import Client

    return Client(server.url, verbose=False)


@pytest.fixture(scope="session")
def model(shared_corpus: Path, talkative: Checkpoint) -> Path:
    """The folder of the tiny model."""
    del talkative  # it has written the folder
    return shared_corpus / "talkative"


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Served]:
    with served(model, "--max-upload", 2, "--max-frames", 60) as started:
        yield started
