"""DeepSpeed's ZeRO-2 and ZeRO-3 train by two processes what one process trains, without a GPU.

Not collected by itself: `make test-interop` installs DeepSpeed into an environment of its own below `.interop`, beside
all that the project's own has, and names this file. DeepSpeed compiles what its processes talk through when it first
runs.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from schemas.recipe import TrainRecipe, load
from tests.interop.readers import ENVIRONMENTS
from tests.training import launched
from tests.training.conftest import make_corpus
from training.trainer.train import train

PYTHON = ENVIRONMENTS / "deepspeed" / "bin" / "python"
COMPILE = "from deepspeed.ops.op_builder.cpu import ShareMemCommBuilder as B; B().load(verbose=False)"
SHARES = {
    # Weights outside the layers of the language model stay whole: a third of the tiny preset's.
    "zero2": {"kind": "zero2", "weights": 1, "optimizer": pytest.approx(0.5, abs=0.01)},
    "zero3": {"kind": "zero3", "weights": pytest.approx(0.67, abs=0.02), "optimizer": pytest.approx(0.5, abs=0.01)},
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, with the model that one process trains, two batches a step."""
    corpus = make_corpus(tmp_path_factory.mktemp("zero") / "corpus")
    train(load(launched.recipe(corpus, corpus / "alone", accumulate=2), TrainRecipe), corpus)
    return corpus


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Compile once, before any test is timed: two processes that wait for each other would do so for minutes."""
    os.environ["PATH"] = f"{PYTHON.parent}:{os.environ['PATH']}"
    os.environ["TORCH_EXTENSIONS_DIR"] = str(ENVIRONMENTS / "deepspeed" / "extensions")
    subprocess.run([PYTHON, "-c", COMPILE], env={**os.environ, "DS_ACCELERATOR": "cpu"}, check=True)


@pytest.fixture(scope="module", params=["zero2", "zero3"])
def together(request: pytest.FixtureRequest, alone: Path) -> Path:
    """The model that two processes train."""
    kind = str(request.param)
    code, _, error = launched.run(launched.recipe(alone, alone / kind), kind, PYTHON)
    assert code == 0, error
    return alone / kind


def test_two_processes_learn_what_one_does(together: Path, alone: Path) -> None:
    launched.assert_the_same(together, alone / "alone")


def test_what_a_process_holds_is_as_it_was_launched(together: Path) -> None:
    print(launched.sharding(together))
    assert launched.sharding(together) == [SHARES[together.name]] * 3


def test_a_killed_run_ends_as_if_it_had_not_been(together: Path, alone: Path, tmp_path: Path) -> None:
    kind, out = together.name, tmp_path / "again"
    path = launched.recipe(alone, out)
    workers = launched.kill_at(path, kind, tmp_path / "again.work" / "03-last" / "checkpoint-6", PYTHON)
    _, left = psutil.wait_procs(workers, timeout=10)
    assert left == []
    assert not out.exists()
    code, _, error = launched.run(path, kind, PYTHON)
    assert code == 0, error
    launched.assert_equal(out, together)


@pytest.mark.parametrize("kind", ["zero2", "zero3"])
def test_no_code_of_a_snapshot_is_run(alone: Path, tmp_path: Path, kind: str) -> None:
    path = launched.recipe(alone, tmp_path / "again")
    launched.assert_no_code_is_run(path, kind, tmp_path / "again.work" / "01-first" / "checkpoint-3", PYTHON)
