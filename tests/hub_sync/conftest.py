"""A Hub of its own for each test, and clients of it in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_sync.hub import WRITER, HubServer

ROOT = Path(__file__).parents[2]


class Client:
    """Runs Python against the Hub with `before` as its first arguments; `start` does not wait for it.

    `token` None is none at all, `home` another cache (a second machine), names in capitals go to the environment.
    """

    def __init__(self, hub: HubServer, home: Path, *before: str) -> None:
        self._hub = hub
        self._home = home
        self._before = before
        self._started: list[subprocess.Popen[str]] = []

    def __call__(
        self, *arguments: object, token: str | None = WRITER, home: Path | None = None, timeout: float = 300, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(arguments),
            cwd=ROOT,
            env={**self._hub.environment(home or self._home, token), **env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(
        self, *arguments: object, token: str | None = WRITER, home: Path | None = None, **env: str
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._command(arguments),
            cwd=ROOT,
            env={**self._hub.environment(home or self._home, token), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()

    def _command(self, arguments: tuple[object, ...]) -> list[str]:
        return [sys.executable, *self._before, *map(str, arguments)]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    """A Hub of this test's own."""
    server = HubServer(tmp_path / "hub")
    server.start()
    yield server
    server.stop()
    assert not server.errors, server.errors


@pytest.fixture
def hub_env(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    """The environment for a client of one's own making."""
    return hub.environment(tmp_path / "hf-home")


@pytest.fixture
def hub_python(hub: HubServer, tmp_path: Path) -> Iterator[Client]:
    """`hub_python(code, *arguments)` runs code against the Hub."""
    client = Client(hub, tmp_path / "hf-home", "-c")
    yield client
    client.end()


@pytest.fixture
def hub_vqa2(hub: HubServer, tmp_path: Path) -> Iterator[Client]:
    """`hub_vqa2(*arguments)` runs the command line against the Hub."""
    client = Client(hub, tmp_path / "hf-home", "-m", "vqa2")
    yield client
    client.end()
