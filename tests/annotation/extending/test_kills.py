"""Runs that are killed at random moments, with many requests in flight and by several processes at once."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from annotation.extending.ledger import Ledger
from tests.annotation.extending.drive import PRICE
from tests.annotation.extending.scripted import MODEL, Act, ScriptedServer
from tests.conftest import ROOT

IN, OUT = (int(Decimal(PRICE[what]) * 10**6) for what in ("input", "output"))


class Watched:
    """A scripted server that looks into the ledger at every request, and a driver of runs that use it."""

    def __init__(self, folder: Path, cap: str, count: int, seed: int) -> None:
        self.ledger, self.cap, self.count = folder / "ledger", cap, count
        self.draw = random.Random(seed)
        self.answered_again: list[str] = []
        self.beyond: list[Decimal] = []
        self.asked = threading.Semaphore(0)
        self.server = ScriptedServer(self.script)

    def script(self, number: int, body: dict[str, Any]) -> Act:
        self.asked.release()
        with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=60) as db:
            messages = json.dumps({"messages": body["messages"]}, sort_keys=True, separators=(",", ":"))[1:-1]
            query = "SELECT count(*) FROM answer JOIN request USING (digest) WHERE instr(body, ?)"
            if db.execute(query.replace("instr(body", "instr(request.body"), (messages,)).fetchone()[0]:
                self.answered_again.append(messages)
            counted = db.execute("SELECT sum(counted) FROM attempt").fetchone()[0]
        db.close()
        if counted > Decimal(self.cap) * 10**12:
            self.beyond.append(counted)
        faults = [Act(status=500), Act(cut=0.5), Act(content="no JSON"), Act(status=429, headers={"Retry-After": "0"})]
        act = self.draw.choice(faults) if self.draw.random() < 0.2 else Act()
        return Act(**{**vars(act), "seconds": self.draw.uniform(0.0, 0.15)})

    @contextmanager
    def child(self, in_flight: int = 8) -> Iterator[subprocess.Popen[str]]:
        recipe = {"base_url": self.server.url, "model": MODEL, "max_tokens": 300, "retries": 3, "in_flight": in_flight}
        told = {"recipe": recipe, "ledger": str(self.ledger), "cap": self.cap, "notes": self.count}
        command = [sys.executable, "-m", "tests.annotation.extending.drive", json.dumps(told)]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def result_of(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found

    def kill_one(self) -> None:
        """Start a run, and kill it at a random moment once it has asked for anything, if it does."""
        with self.child() as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            while self.asked.acquire(blocking=False):
                pass
            self.asked.acquire(timeout=1.5)
            time.sleep(self.draw.uniform(0.0, 0.4))
            process.kill()
            process.wait()

    def check(self) -> None:
        assert not self.answered_again
        assert not self.beyond
        billed = Decimal(self.server.billed(IN, OUT)) / 10**12
        with Ledger(self.ledger, {}) as ledger:
            assert billed <= ledger.counted() <= Decimal(self.cap)
            summary = ledger.summary()
            assert Decimal(summary.spent) + Decimal(summary.held) == ledger.counted(), "summed up one by one"


def killed(folder: Path, times: int, cap: str, count: int, seed: int) -> tuple[dict[str, Any], Watched]:
    watched = Watched(folder, cap, count, seed)
    with watched.server:
        for _ in range(times):
            watched.kill_one()
            time.sleep(0.2)
            watched.check()
        with watched.child() as process:
            result = watched.result_of(process)
        watched.check()
    assert result["summary"]["in_flight"] == 0
    return result, watched


def test_two_kills_lose_no_answer_and_no_account(tmp_path: Path) -> None:
    result, watched = killed(tmp_path, 2, "1.0", 30, 1)
    assert result["left"] == []
    assert len({name.split("/")[0] for name in result["pairs"]}) + result["quarantined"] == 30
    assert result["summary"]["possibly_billed"] >= 1
    assert len(watched.server.seen) >= 30


@pytest.mark.full
def test_over_twenty_kills_nothing_answered_is_sent_again_and_the_cap_holds(tmp_path: Path) -> None:
    result, watched = killed(tmp_path, 20, "8.0", 600, 2)
    assert result["left"] == []
    assert len({name.split("/")[0] for name in result["pairs"]}) + result["quarantined"] == 600
    assert result["summary"]["possibly_billed"] >= 20
    assert 8 <= watched.server.most_at_once <= 16  # those of a run that was killed may still be on their way


@pytest.mark.full
def test_over_eight_kills_a_cap_that_is_too_small_is_kept(tmp_path: Path) -> None:
    result, _ = killed(tmp_path, 8, "0.5", 600, 3)
    assert len(result["left"]) > 100
    counted = Decimal(result["summary"]["spent"]) + Decimal(result["summary"]["held"])
    assert Decimal("0.48") < counted <= Decimal("0.5"), "it is spent as far as it goes"


def test_an_interrupted_run_waits_for_what_is_on_its_way(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "1.0", 50, 5)
    watched.server.script = lambda _number, _body: watched.asked.release() or Act(seconds=0.7)
    with watched.server:
        with watched.child(4) as process:
            for _ in range(4):
                assert watched.asked.acquire(timeout=20)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) != 0
        sent = len(watched.server.seen)
        assert 4 <= sent < 50
        with Ledger(watched.ledger, {}) as ledger:
            assert ledger.summary().answered == sent
            assert ledger.summary().possibly_billed == 0


def test_two_runs_on_one_ledger_send_nothing_twice(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "3.0", 100, 4)
    watched.draw.random = lambda: 1.0  # type: ignore[method-assign]  # no faults: nothing is sent twice at all
    with watched.server, watched.child(4) as one:
        assert watched.asked.acquire(timeout=20)
        with watched.child(4) as other:
            second = watched.result_of(other)
        first = watched.result_of(one)
    watched.check()
    assert len(watched.server.seen) == 100
    assert first["pairs"] == second["pairs"]
    assert len(first["pairs"]) == 300
    # How many each sends depends on when the other one starts; on a busy machine one may send them all.
    assert first["counts"]["sent"] + second["counts"]["sent"] == 100
