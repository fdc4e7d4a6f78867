"""Two processes on this machine's processor: they learn what one learns, share the model in truth, and go on alike."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
import yaml

from schemas.errors import CallError
from schemas.recipe import TrainRecipe, load
from tests.training import launched
from tests.training.conftest import make_corpus
from training.trainer.launching import config_file, config_names, launch
from training.trainer.order import Dealt, LengthGrouped
from training.trainer.train import train

HALF = pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("samples", "batch", "processes"), [(5, 1, 2), (8, 3, 2), (7, 2, 4), (1, 4, 8), (12, 2, 3)])
def test_every_sample_counts_once_in_an_epoch_and_steps_are_those_of_one_process(
    samples: int, batch: int, processes: int
) -> None:
    lengths = [10 * i for i in range(samples)]
    dealt = [list(Dealt(LengthGrouped(lengths, batch, 3), batch, i, processes)) for i in range(processes)]
    assert len({len(rounds) for rounds in dealt}) == 1
    assert len(dealt[0]) == len(Dealt(LengthGrouped(lengths, batch, 3), batch, 0, processes))
    assert Counter(i for rounds in dealt for one in rounds for i in one if i >= 0) == Counter(range(samples))
    alone = list(Dealt(LengthGrouped(lengths, batch, 3), batch, 0, 1))
    together = [one for step in zip(*dealt, strict=True) for one in step]
    assert together[: len(alone)] == alone
    assert all(one == [-1 - alone[0][0]] for one in together[len(alone) :])


def test_configurations_are_found_by_name() -> None:
    assert config_names() == ["ddp", "fsdp2", "zero2", "zero3"]
    for name in config_names():
        assert yaml.safe_load(config_file(name).read_text())["num_machines"] == 1
    with pytest.raises(CallError, match="--launch: no configuration is called 'fdsp2'; did you mean 'fsdp2'"):
        config_file("fdsp2")
    with pytest.raises(CallError, match="there are: ddp, fsdp2, zero2, zero3"):
        config_file("megatron")


def test_a_launch_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="sharing takes 2 processes or more, not 1"):
        launch("ddp", 1, [])
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(CallError, match="there is no GPU on this machine; say how many --processes"):
        launch("ddp", None, [])
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(CallError, match="--processes 8: this machine has 2 GPUs, one for each process"):
        launch("fsdp2", 8, [])
    with pytest.raises(CallError, match="DeepSpeed is not installed: pip install deepspeed, or take fsdp2"):
        launch("zero3", 2, [])
    broken = tmp_path / "own.yaml"
    broken.write_text("distributed_type: [")
    with pytest.raises(CallError, match="own.yaml: not readable as YAML"):
        launch(str(broken), 2, [])
    broken.write_text(config_file("ddp").read_text() + "moon_phase: full\n")
    with pytest.raises(CallError, match=r"--launch .*own.yaml: .*moon_phase"):
        launch(str(broken), 2, [])


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, with the model that one process trains, two batches a step."""
    corpus = make_corpus(tmp_path_factory.mktemp("distributed") / "corpus")
    path = launched.recipe(corpus, corpus / "alone", accumulate=2)
    train(load(path, TrainRecipe), corpus)
    return corpus


@pytest.fixture(scope="module", params=["ddp", "fsdp2"])
def together(request: pytest.FixtureRequest, alone: Path) -> Path:
    """The model that two processes train."""
    kind = str(request.param)
    code, out, error = launched.run(launched.recipe(alone, alone / kind), kind)
    assert code == 0, error
    assert out.count("checkpoint:") == 1
    assert "Warning" not in error
    return alone / kind


@pytest.mark.full
def test_two_processes_learn_what_one_does(together: Path, alone: Path) -> None:
    launched.assert_the_same(together, alone / "alone")


@pytest.mark.full
def test_what_a_process_holds_is_as_it_was_launched(together: Path) -> None:
    expected = {"ddp": {"kind": "whole", "weights": 1, "optimizer": 1}}
    expected["fsdp2"] = {"kind": "fsdp2", "weights": HALF, "optimizer": HALF}
    assert launched.sharding(together) == [expected[together.name]] * 3


@pytest.mark.full
def test_a_killed_run_ends_as_if_it_had_not_been(together: Path, alone: Path, tmp_path: Path) -> None:
    kind = together.name
    out = tmp_path / "again"
    path = launched.recipe(alone, out)
    workers = launched.kill_at(path, kind, tmp_path / "again.work" / "03-last" / "checkpoint-6")
    assert len(workers) >= 2
    _, left = psutil.wait_procs(workers, timeout=10)
    assert left == []
    assert not out.exists()
    before = len((tmp_path / "again.work" / "curve.jsonl").read_bytes().splitlines())
    assert before >= 9 + 3 + 6
    code, _, error = launched.run(path, kind)
    assert code == 0, error
    assert "stage first: done before" in error
    assert error.count("stage first: done before") == 1
    launched.assert_equal(out, together)


@pytest.mark.full
def test_no_code_of_a_snapshot_is_run(alone: Path, tmp_path: Path) -> None:
    path = launched.recipe(alone, tmp_path / "again")
    launched.assert_no_code_is_run(path, "fsdp2", tmp_path / "again.work" / "01-first" / "checkpoint-3")


@pytest.mark.full
@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_one_message_and_the_code_of_what_went_wrong(tmp_path: Path, kind: str) -> None:
    """One of two processes comes upon a clip that cannot be read, while the other waits for it."""
    corpus = make_corpus(tmp_path / "corpus")
    (corpus / "media" / "clip2.mp4").write_bytes((corpus / "media" / "clip2.mp4").read_bytes()[:700])
    start = time.monotonic()
    code, out, error = launched.run(launched.recipe(corpus, tmp_path / "model"), kind)
    assert code == 1
    assert out == ""
    assert error.count("error:") == 1
    assert "clip2/" in error
    assert "Traceback" not in error
    assert time.monotonic() - start < launched.LIMIT / 2


@pytest.mark.full
def test_a_call_that_is_wrong_is_told_once(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    path = launched.recipe(corpus, tmp_path / "model", model="nowhere")
    code, _, error = launched.run(path, "ddp", Path(sys.executable))
    assert code == 2
    assert error.count("no model folder") == 1
