"""The command line on a corpus of six clips: train, score, eval."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import training.commands
from schemas.errors import CallError
from tests.training.conftest import scored, video_ref, write_recipe, write_samples
from training.checkpoint import Checkpoint

Call = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def call() -> Call:
    app = typer.Typer()
    training.commands.mount(app)
    runner = CliRunner()

    def run(*arguments: object) -> tuple[int, str]:
        result = runner.invoke(app, list(map(str, arguments)), catch_exceptions=False)
        return result.exit_code, result.stdout

    return run


def test_train_then_score_then_eval(call: Call, corpus: Path) -> None:
    code, out = call("train", write_recipe(corpus), "seed=3", "--json")
    assert code == 0
    assert json.loads(out)["recipe"]["seed"] == 3
    (corpus / "media" / "bad.mp4").write_text("hello")
    code, out = call("score", corpus / "model", corpus / "media", "--json", "--out", corpus / "scores.csv")
    rows = json.loads(out)
    assert code == 1  # bad.mp4
    assert len(rows) == 8
    assert [Path(r["clip"]).name for r in rows if r["error"]] == ["bad.mp4"]
    with (corpus / "scores.csv").open(newline="") as file:
        assert [r["clip"] for r in csv.DictReader(file)] == [r["clip"] for r in rows]
    code, out = call("eval", corpus / "model", corpus, "--controls", "--json")
    result = json.loads(out)
    assert code == 0
    assert result["n_expected"] == 2
    for name in ("trained", "blank_frames", "untrained", "trivial"):
        assert result[name]["n"] == 2
        assert -1 <= result[name]["srcc"] <= 1


def test_eval_of_a_split_with_an_unreadable_clip_says_so(
    call: Call, corpus: Path, trained: Checkpoint, shared_corpus: Path
) -> None:
    (corpus / "media" / "clip5.mp4").unlink()
    code, out = call("eval", shared_corpus / "model", corpus)
    assert code == 1
    assert "n 1 of 2" in out
    assert "data/stage2-ugc/test-00000.jsonl:2: sample" in out
    assert "undefined (constant scores)" in out


def test_constant_truth_gives_null(call: Call, corpus: Path, trained: Checkpoint, shared_corpus: Path) -> None:
    write_samples(corpus, "stage2-ugc", "test", [scored(video_ref(f"clip{i}"), 0.5) for i in range(3)])
    code, out = call("eval", shared_corpus / "model", corpus, "--json")
    assert code == 0
    assert json.loads(out)["trained"] == {"n": 3, "srcc": None, "plcc": None}


def test_wrong_calls_name_the_nearest(call: Call, shared_corpus: Path, trained: Checkpoint) -> None:
    model = shared_corpus / "model"
    with pytest.raises(CallError, match=r"did you mean '.*clip\d.mp4'"):
        call("score", model, shared_corpus / "media" / "clip.mp4")
    with pytest.raises(CallError, match="no model folder"):
        call("score", shared_corpus / "data", shared_corpus / "media")
    with pytest.raises(CallError, match="did you mean 'stage2-ugc'"):
        call("eval", model, shared_corpus, "--config", "stage2_ugc")
    with pytest.raises(CallError, match="there are: train, val, test"):
        call("eval", model, shared_corpus, "--split", "tests")
    with pytest.raises(CallError, match="no sample with a score"):
        call("eval", model, shared_corpus, "--config", "stage1", "--split", "train")


def test_without_torch_the_call_says_what_to_install(
    call: Call, shared_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.commands, "NEEDED", ("torch_that_is_not_there",))
    with pytest.raises(CallError, match=r"pip install \"vqa2\[train\]\".*CPU build"):
        call("train", write_recipe(shared_corpus, out="elsewhere"))


def test_the_commands_do_not_import_torch() -> None:
    code = "import sys, training.commands; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
