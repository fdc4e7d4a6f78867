"""A Hub of its own for each test, and clients of it in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_sync.corpora import VERSIONS, built, lab
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
        self,
        *arguments: object,
        token: str | None = WRITER,
        home: Path | None = None,
        timeout: float = 300,
        cwd: Path = ROOT,
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(arguments),
            cwd=cwd,
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
            stdin=subprocess.PIPE,
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


class Corpora:
    """Corpora that are built once in a session, to be read only: `first`, and what became of its inputs since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str) -> Path:
        """Give the corpus `name`, built at the first call."""
        corpus = self._folder / name / "corpus"
        if not corpus.exists():
            rows, recipe, annotations = VERSIONS[name]
            built(lab(self._folder / name / "lab", rows, recipe, annotations), corpus)
        return corpus


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    """`corpora("first")` is a small corpus; `more`, `fewer`, `flipped`, `noted` what became of it."""
    return Corpora(tmp_path_factory.mktemp("corpora"))


@pytest.fixture
def first(corpora: Corpora) -> Path:
    """The small corpus, to be read only."""
    return corpora("first")
