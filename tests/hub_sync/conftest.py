"""A Hub of its own for each test, and clients of it in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub_sync.corpora import VERSIONS, built, lab
from tests.hub_sync.hub import WRITER, HubServer
from tests.hub_sync.prepared import Prepared

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

    def __call__(self, *arguments: object, timeout: float = 300, **how: Any) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **how)
        out, told = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, out, told)

    def start(
        self,
        *arguments: object,
        token: str | None = WRITER,
        home: Path | None = None,
        cwd: Path = ROOT,
        **env: str,
    ) -> subprocess.Popen[str]:
        everything = {**self._hub.environment(home or self._home, token), **env}
        self._started.append(self._launched([*map(str, arguments)], cwd, everything))
        return self._started[-1]

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()

    def _launched(self, arguments: list[str], cwd: Path, env: dict[str, str]) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, *self._before, *arguments]
        return subprocess.Popen(command, cwd=cwd, env=env, text=True, stdin=pipe, stdout=pipe, stderr=pipe)


class Vqa2(Client):
    """Runs the command line, forked from a process for each environment that is not the same but for the token."""

    def __init__(self, hub: HubServer, home: Path) -> None:
        super().__init__(hub, home)
        self._prepared: dict[frozenset[tuple[str, str]], Prepared] = {}

    def end(self) -> None:
        super().end()
        for prepared in self._prepared.values():
            prepared.end()

    def _launched(self, arguments: list[str], cwd: Path, env: dict[str, str]) -> subprocess.Popen[str]:
        of = frozenset((name, value) for name, value in env.items() if name != "HF_TOKEN")
        if of not in self._prepared:
            self._prepared[of] = Prepared(dict(of))
        return self._prepared[of].start(arguments, cwd, env)


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
    client = Vqa2(hub, tmp_path / "hf-home")
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
