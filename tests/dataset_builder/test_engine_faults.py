"""Faults of machines: processes killed at any moment, disks that are full, read-only, or another's."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from dataset_builder import engine
from dataset_builder.engine import LocalEngine, Outcome
from dataset_builder.engine.shards import _Unfinished
from schemas.errors import CallError
from tests.dataset_builder.test_engine_stages import RENDER, calls, run, texts, tree, work

WORK = "tests.dataset_builder.faulty:work"
DRIVER = """
import sys
from pathlib import Path
from tests.dataset_builder.test_engine_stages import run, texts, work

place, count, slots, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
from dataset_builder.engine import LocalEngine
print("ready", flush=True)
result = run(work(texts(count), place, seconds=seconds), place, engine=LocalEngine(slots), shards=16)
print(result.done, result.failed)
"""


def driver(place: Path, count: int, seconds: float, slots: int = 2, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, str(place), str(count), str(slots), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), **options)  # type: ignore[call-overload,no-any-return]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path.cwd())}


def children(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children() if "dataset_builder.engine.child" in child.cmdline()]


@contextmanager
def killing(every: float, most: int, chosen: random.Random) -> Iterator[list[int]]:
    """Kill a random child of this process every so many seconds while in the context."""
    stop, killed = threading.Event(), []

    def kill() -> None:
        while len(killed) < most and not stop.wait(every):
            # One that just ended, by itself or by the kill before, may be gone while it is looked at.
            with contextlib.suppress(psutil.Error):
                if alive := children(psutil.Process()):
                    victim = chosen.choice(alive)
                    victim.kill()
                    killed.append(victim.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def test_a_kill_every_300_ms_loses_nothing(tmp_path: Path) -> None:
    with killing(0.3, 10, random.Random(1)) as killed:
        result = run(work(texts(300), tmp_path, seconds=0.02), tmp_path)
    assert len(killed) >= 5
    assert (result.done, result.failed) == (300, 0)
    run(work(texts(300), tmp_path / "calm", seconds=0.02), tmp_path / "calm")
    assert tree(tmp_path / "work") == tree(tmp_path / "calm" / "work")


def test_a_child_killed_while_idle_costs_nothing(tmp_path: Path) -> None:
    heard: list[Outcome] = []

    def told(outcome: Outcome) -> None:
        """Kill all children after an item: one of them has nothing to do at this moment."""
        if len(heard) == 3:
            for child in children(psutil.Process()):
                child.kill()
                child.wait()
        heard.append(outcome)

    result = run(work(texts(40), tmp_path), tmp_path, engine=LocalEngine(1), told=told)
    assert (result.done, result.failed, calls(tmp_path)) == (40, 0, 40)


def test_an_item_that_takes_too_much_memory_is_named_as_such(tmp_path: Path) -> None:
    items = [engine.Work(how, {"how": how}) for how in ("ok", "allocate", "print")]
    stage = engine.Stage("faulty", WORK)
    result = engine.run_stage(stage, items, tmp_path, engine=LocalEngine(1, memory=2 << 30))
    found = dict(result.outcomes())
    assert found["allocate"] == Outcome(None, "needs more than 2048 MB of memory", transient=True)
    assert (result.done, result.failed) == (2, 1)


def test_a_result_that_is_no_json_is_a_defect_of_the_item() -> None:
    [bad, good] = engine.run(WORK, [{"how": "no json"}, {"how": "ok"}], slots=1)
    assert "its result is no plain JSON" in str(bad.error)
    assert good.result


@pytest.mark.full
def test_a_driver_killed_at_20_moments_ends_with_the_same_bytes(tmp_path: Path) -> None:
    chosen = random.Random(7)
    for _ in range(20):
        process = driver(tmp_path / "killed", 600, 0.01)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        # By what was done and not by the clock: on a slow machine the kills come as far into the work.
        wanted = calls(tmp_path / "killed") + chosen.randrange(25)
        while calls(tmp_path / "killed") < wanted:
            assert process.poll() is None
            time.sleep(0.002)
        kept = children(psutil.Process(process.pid))
        process.kill()
        process.wait()
        process.stdout.close()
        _, alive = psutil.wait_procs(kept, timeout=10)
        assert not alive
    before = calls(tmp_path / "killed")
    result = run(work(texts(600), tmp_path / "killed", seconds=0.01), tmp_path / "killed", shards=16)
    assert result.done == 600
    assert result.reused > 100
    # Beside those that are missing, at most what 20 killed drivers had at hand in two slots was done twice.
    assert calls(tmp_path / "killed") == before + 600 - result.reused <= 600 + 20 * 2
    run(work(texts(600), tmp_path / "calm", seconds=0.01), tmp_path / "calm", shards=16)
    assert tree(tmp_path / "killed" / "work") == tree(tmp_path / "calm" / "work")


def test_a_driver_killed_once_goes_on_where_it_was(tmp_path: Path) -> None:
    process = driver(tmp_path, 200, 0.01)
    assert process.stdout
    process.stdout.readline()
    while calls(tmp_path) < 50:
        time.sleep(0.01)
    process.kill()
    process.wait()
    process.stdout.close()
    done = calls(tmp_path)
    result = run(work(texts(200), tmp_path, seconds=0.01), tmp_path, shards=16)
    assert result.done == 200
    assert done - 2 <= result.reused <= done
    assert not list((tmp_path / "work" / "render").glob(".*"))


def test_two_drivers_on_one_output_make_the_same_as_one(tmp_path: Path) -> None:
    both = [driver(tmp_path / "shared", 200, 0.005, slots=1) for _ in range(2)]
    for process in both:
        told, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert told == "ready\n200 0\n"
    run(work(texts(200), tmp_path / "alone", seconds=0.005), tmp_path / "alone", shards=16)
    assert tree(tmp_path / "shared" / "work") == tree(tmp_path / "alone" / "work")
    assert tree(tmp_path / "shared" / "files") == tree(tmp_path / "alone" / "files")


def test_an_interrupt_ends_the_run_and_leaves_no_child(tmp_path: Path) -> None:
    process = driver(tmp_path, 4, 30, stderr=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    while calls(tmp_path) < 2:
        time.sleep(0.01)
    kept = children(psutil.Process(process.pid))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in told
    _, alive = psutil.wait_procs(kept, timeout=10)
    assert not alive


def test_elsewhere_than_on_linux_a_child_ends_when_the_pipe_does() -> None:
    script = (
        "import sys, runpy; sys.platform = 'darwin'; "
        f"sys.argv = ['child', {WORK!r}, str({os.getpid()}), '60', '0']; "
        "runpy.run_module('dataset_builder.engine.child', run_name='__main__')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    )
    assert child.stdin
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    child.stdin.write(b'{"how": "sleep"}\n')
    child.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)
    child.stdin.close()
    assert child.wait(5) == 1
    child.stdout.close()


def test_a_child_that_holds_the_interpreter_without_a_parent_ends_by_the_alarm_clock() -> None:
    script = (
        "import sys, runpy, dataset_builder.engine.child as child; sys.platform = 'darwin'; child.GRACE = 0.2; "
        f"sys.argv = ['child', {WORK!r}, str({os.getpid()}), '0.2', '0']; child.main()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    )
    with child:
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
        child.stdin.write(b'{"how": "hang"}\n')
        child.stdin.flush()
        assert child.wait(10) == -signal.SIGALRM


def on_a_small_disk(command: Sequence[str], place: Path, size: str, also: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a mount namespace of its own, where `place` is a file system of `size`."""
    mount = f'mount -t tmpfs -o size={size} none {place} && {also or "true"} && exec "$@"'
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    return subprocess.run(
        [*alone, "sh", "-c", mount, "sh", *command],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
    )


SMALL_DISK = shutil.which("unshare") and on_a_small_disk(["true"], Path(os.sep) / "mnt", "64k").returncode == 0
needs_small_disk = pytest.mark.skipif(not SMALL_DISK, reason="this system lets no process mount a file system")


@needs_small_disk
@pytest.mark.parametrize("full", ["work", "files"])
def test_a_full_disk_stops_the_run_with_one_line_and_keeps_what_is_done(tmp_path: Path, full: str) -> None:
    (tmp_path / full).mkdir()
    command = [sys.executable, "-c", DRIVER, str(tmp_path), "3000", "2", "0"]
    size = "40k" if full == "work" else "400k"
    done = on_a_small_disk(command, tmp_path / full, size)
    assert done.returncode == 1
    [last] = done.stderr.splitlines()[-1:]
    assert "CallError: cannot write to" in last
    assert "No space left on device; what is done is kept: make room and run it again" in last
    assert 0 < calls(tmp_path) < 3000


@needs_small_disk
def test_a_read_only_output_is_named(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-c", DRIVER, str(tmp_path), "30", "2", "0"]
    done = on_a_small_disk(command, tmp_path / "work", "1m", also=f"mount -o remount,ro {tmp_path / 'work'}")
    assert done.returncode == 1
    assert "CallError: cannot write to" in done.stderr.splitlines()[-1]
    assert "Read-only file system" in done.stderr.splitlines()[-1]
    assert calls(tmp_path) == 0


@pytest.mark.full
def test_ray_gives_the_same_bytes_also_when_a_worker_is_killed(tmp_path: Path) -> None:
    import ray

    from dataset_builder.engine.on_ray import RayEngine

    heard: list[Outcome] = []

    def told(outcome: Outcome) -> None:
        """Kill the first worker of Ray that is found once something is done."""
        if len(heard) == 20:
            workers = [p for p in psutil.process_iter(["cmdline"]) if "ray::_run" in " ".join(p.info["cmdline"] or [])]
            assert workers
            workers[0].kill()
        heard.append(outcome)

    try:
        items = work(texts(300), tmp_path / "ray", seconds=0.02)
        result = run(items, tmp_path / "ray", engine=RayEngine(slots=2), shards=16, told=told)
        assert (result.done, result.failed, len(heard)) == (300, 0, 300)
        hows = [engine.Work(how, {"how": how}) for how in ("ok", "crash", "exit", "raise")]
        faulty = engine.run_stage(engine.Stage("faulty", WORK), hows, tmp_path, engine=RayEngine(slots=2))
        assert (faulty.done, faulty.failed) == (1, 3)
        with pytest.raises(CallError, match="needs 1 GPUs"):
            run(items, tmp_path / "gpu", engine.Stage("gpu", RENDER.function, gpus=1), engine=RayEngine(slots=2))
        ray.shutdown()
        # A device that only Ray's bookkeeping knows of: what counts is which one the process is told to use.
        path = os.pathsep.join([str(Path.cwd()), *sys.path])
        ray.init(address="local", num_cpus=2, num_gpus=1, runtime_env={"env_vars": {"PYTHONPATH": path}})
        hows = [engine.Work(f"gpu{index}", {"how": "gpu"}) for index in range(3)]
        on_gpu = engine.run_stage(engine.Stage("gpu", WORK, gpus=1), hows, tmp_path, engine=RayEngine())
        assert [outcome.result for _, outcome in on_gpu.outcomes()] == [{"device": "0"}] * 3
    finally:
        ray.shutdown()
    run(work(texts(300), tmp_path / "local", seconds=0.02), tmp_path / "local", shards=16)
    assert tree(tmp_path / "ray" / "work") == tree(tmp_path / "local" / "work")
    assert tree(tmp_path / "ray" / "files") == tree(tmp_path / "local" / "files")


def test_nothing_of_ray_is_imported_without_it() -> None:
    script = (
        "import sys, vqa2, dataset_builder.build, dataset_builder.engine.choice as choice\n"
        "choice.engine_of('local', workers=1)\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'ray']\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=environment())


def test_a_folder_that_goes_while_it_is_made_is_made_again(tmp_path: Path) -> None:
    """A name that is taken and yet no folder: what mkdir sees when another process removes it between two looks."""
    part = tmp_path / "00-of-02"
    folder = _Unfinished.folder(part).parent
    folder.symlink_to(tmp_path / "nowhere")
    gone = threading.Timer(0.2, folder.unlink)
    gone.start()
    with _Unfinished(part) as unfinished:
        unfinished.append(b"{}\n")
        unfinished.write_part(b"{}\n")
    gone.join()
    assert part.read_bytes() == b"{}\n"
    folder.write_bytes(b"")
    with pytest.raises(NotADirectoryError), _Unfinished(part) as unfinished:
        unfinished.append(b"{}\n")
