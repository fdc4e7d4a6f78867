"""The command line on a corpus of six clips: train, score, eval."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import training.arguments
import training.commands
from dataset_builder.locks import make_lock, read_lock, read_report, require_comparable, write_lock
from schemas.errors import CallError, DataError
from tests.training.conftest import Call, scored, video_ref, write_clip, write_recipe, write_samples
from training.checkpoints.checkpoint import Checkpoint


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


def test_eval_names_its_benchmark_and_writes_what_compare_reads(
    call: Call, corpus: Path, trained: Checkpoint, shared_corpus: Path, tmp_path: Path
) -> None:
    model, lock = shared_corpus / "model", tmp_path / "lock.json"
    write_lock(lock, make_lock(corpus, "stage2-ugc", "test", name="two clips"))
    code, out = call("eval", model, corpus, "--lock", lock, "--out", tmp_path / "r.json", "--json")
    assert code == 0
    named = json.loads(out)["benchmark"]
    assert named["name"] == "two clips"
    assert named["n"] == json.loads(out)["trained"]["n"] == 2
    assert named["lock"] == read_lock(lock).digest
    assert named["scales"][0]["hi"] == 1
    report = read_report(tmp_path / "r.json")
    assert report.lock == read_lock(lock)
    assert report.model == "model"
    assert json.loads(out)["trained"] == msgspec.to_builtins(report.trained)
    code, out = call("eval", model, corpus)
    assert f"benchmark six-clips/stage2-ugc/test: n 2, lock {named['lock'][:12]}, scale 0 to 1 (nominal)" in out


@pytest.mark.parametrize(
    ("ids", "scores", "words"),
    [
        ((4,), (0.35,), "n is 2 against 1; only the first holds 1: clip5"),
        ((4, 5), (0.35, 0.25), r"other scores of 1: clip5 \(0\.2 against 0\.25\)"),
        ((3, 4, 5), (0.5, 0.35, 0.2), "only the second holds 1: clip3"),
    ],
)
def test_eval_refuses_a_split_that_is_not_the_benchmark(
    call: Call,
    corpus: Path,
    trained: Checkpoint,
    shared_corpus: Path,
    ids: tuple[int],
    scores: tuple[float],
    words: str,
) -> None:
    lock = corpus.parent / "lock.json"
    write_samples(
        corpus, "stage2-ugc", "test", [scored(video_ref(f"clip{i}"), mos) for i, mos in ((4, 0.35), (5, 0.2))]
    )
    write_lock(lock, make_lock(corpus, "stage2-ugc", "test"))
    graded = [scored(video_ref(f"clip{i}"), mos) for i, mos in zip(ids, scores, strict=True)]
    write_samples(corpus, "stage2-ugc", "test", graded)
    with pytest.raises(DataError, match=f"is not the benchmark 'six-clips/stage2-ugc/test'.*{words}"):
        call("eval", shared_corpus / "model", corpus, "--lock", lock, "--out", corpus.parent / "r.json")
    assert not (corpus.parent / "r.json").exists()


def test_eval_refuses_clips_of_another_encode(
    call: Call, corpus: Path, trained: Checkpoint, shared_corpus: Path
) -> None:
    """Whether its samples know of the new bytes or not."""
    lock, model = corpus.parent / "lock.json", shared_corpus / "model"
    write_lock(lock, make_lock(corpus, "stage2-ugc", "test"))
    write_clip(corpus / "media" / "clip5.mp4", 1)
    with pytest.raises(DataError, match=r"test-00000.jsonl:2: .*media/clip5.mp4 has other bytes"):
        call("eval", model, corpus)
    write_samples(corpus, "stage2-ugc", "test", [scored(video_ref(f"clip{i}"), 0.95 - 0.15 * i) for i in (4, 5)])
    with pytest.raises(DataError, match=r"another encode \(other bytes\) of 1: clip5"):
        call("eval", model, corpus, "--lock", lock)


def test_a_metric_over_fewer_clips_is_of_its_benchmark_and_says_which_are_missing(
    call: Call, corpus: Path, trained: Checkpoint, shared_corpus: Path
) -> None:
    model, files = shared_corpus / "model", {name: corpus.parent / f"{name}.json" for name in ("whole", "partial")}
    assert call("eval", model, corpus, "--out", files["whole"])[0] == 0
    (corpus / "media" / "clip5.mp4").unlink()
    assert call("eval", model, corpus, "--out", files["partial"])[0] == 1
    reports = {name: read_report(path) for name, path in files.items()}
    assert reports["partial"].benchmark == reports["whole"].benchmark
    assert reports["partial"].not_scored == ["clip5"]
    assert reports["partial"].trained.n == 1
    with pytest.raises(DataError, match="the second did not score 1: clip5"):
        require_comparable(reports)


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
    with pytest.raises(CallError, match="inside the corpus"):
        call("eval", model, shared_corpus, "--out", shared_corpus / "r.json")
    with pytest.raises(CallError, match="no such lock file"):
        call("eval", model, shared_corpus, "--lock", shared_corpus / "lock.json")
    with pytest.raises(CallError, match="no sample with a score"):
        call("eval", model, shared_corpus, "--config", "stage1", "--split", "train")


def test_without_torch_the_call_says_what_to_install(
    call: Call, shared_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.arguments, "NEEDED", ("torch_that_is_not_there",))
    with pytest.raises(CallError, match=r"pip install \"vqa2\[train\]\".*CPU build"):
        call("train", write_recipe(shared_corpus, out="elsewhere"))


def test_the_commands_do_not_import_torch() -> None:
    code = "import sys, training.commands; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
