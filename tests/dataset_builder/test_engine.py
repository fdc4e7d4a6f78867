import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dataset_builder import engine

WORK = "tests.dataset_builder.faulty:work"


def run(hows: list[str], **options: object) -> list[engine.Outcome]:
    return engine.run(WORK, [{"how": how} for how in hows], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("slots", [1, 2])
def test_every_fault_is_named_and_every_other_item_is_done(slots: int) -> None:
    hows = ["ok", "raise", "ok", "defect", "crash", "ok", "exit", "kill", "print", "hang", "ok"]
    outcomes = run(hows, slots=slots, timeout=1.0)
    errors = {how: o.error for how, o in zip(hows, outcomes, strict=True)}
    assert [o.result["how"] for o in outcomes if o.result] == ["ok", "ok", "ok", "print", "ok"]
    assert errors["raise"] == "the clip is broken"
    assert errors["defect"] == f"a defect in {WORK}: KeyError: 'oops'"
    assert errors["crash"] == "its process was ended by SIGSEGV"
    assert errors["exit"] == "its process exited with code 3"
    assert errors["kill"] == "its process was ended by SIGKILL"
    assert "took longer than 1 s" in str(errors["hang"])
    assert [how for how, o in zip(hows, outcomes, strict=True) if o.transient] == ["kill", "hang"]


def test_outcomes_keep_the_order_of_the_items_and_are_told_once() -> None:
    told: list[engine.Outcome] = []
    outcomes = run(["slow", "ok"] * 10, slots=2, on_done=told.append)
    assert [o.result["how"] for o in outcomes if o.result] == ["slow", "ok"] * 10
    assert len(told) == 20


def test_no_items() -> None:
    assert run([]) == []


def test_no_child_is_left() -> None:
    before = set(psutil.Process().children())  # other tests may keep a server
    run(["ok", "crash", "ok"], slots=2)
    assert set(psutil.Process().children()) <= before


def test_a_child_that_cannot_start_blames_no_item() -> None:
    with pytest.raises(RuntimeError, match="does not start"):
        engine.run("tests.dataset_builder.faulty_missing:work", [{"how": "ok"}])


def test_children_end_with_their_driver(tmp_path: Path) -> None:
    script = (
        "from dataset_builder import engine\n"
        f"engine.run({WORK!r}, [{{'how': 'hang'}}, {{'how': 'hang'}}], slots=2, timeout=60)\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    watched = psutil.Process(driver.pid)
    deadline = time.monotonic() + 20
    while len(children := watched.children()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(children) == 2
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert len(gone) == 2
