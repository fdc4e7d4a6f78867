"""`vqa2 benchmark` on real clips with a model of a few steps: every item scored or named, under a lock."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from dataset_builder.locks import read_lock, read_report
from schemas.errors import CallError, DataError
from tests.training.conftest import Call, write_clip
from training.checkpoints.checkpoint import Checkpoint
from training.inference.score import score_clips

SCORES = {"1": 4.2, "2": 3.9, "3": 3.1, "4": 2.6, "5": 2.0, "6": 1.4}


@pytest.fixture(scope="module")
def model(shared_corpus: Path, trained: Checkpoint) -> Path:
    return shared_corpus / "model"


@pytest.fixture(scope="module")
def clips_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set") / "clips"
    folder.mkdir()
    for index, name in enumerate(SCORES):
        write_clip(folder / f"{name}.mp4", index)
    return folder


@pytest.fixture
def clips(clips_once: Path, tmp_path: Path) -> Path:
    """Clips that a test may spoil."""
    return Path(shutil.copytree(clips_once, tmp_path / "clips"))


def labels(folder: Path, scores: dict[str, float]) -> Path:
    path = folder / "KoNViD_1k_mos.csv"
    path.write_text('"flickr_id","mos"\n' + "".join(f'"{clip}","{mos}"\n' for clip, mos in scores.items()))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_clip_is_scored_and_measured(
    call: Call, model: Path, trained: Checkpoint, clips: Path, tmp_path: Path
) -> None:
    table, out = labels(tmp_path, SCORES), tmp_path / "lines.jsonl"
    code, told = call(
        "benchmark", model, "konvid_1k", "--clips", clips, "--labels", table, "--expect", 6, "--out", out,
        "--resamples", 50, "--save-lock", tmp_path / "lock.json", "--report", tmp_path / "report.json", "--json",
    )  # fmt: skip
    assert code == 0
    result = json.loads(told)
    expected = [row.score for row in score_clips(trained, [clips / f"{name}.mp4" for name in SCORES])]
    assert [line["score"] for line in lines(out)] == pytest.approx(expected, abs=1e-6)
    assert [(line["id"], line["raw"]) for line in lines(out)] == list(SCORES.items())
    assert (result["n_expected"], result["n_scored"], result["published"], result["missing"]) == (6, 6, 1200, [])
    truth = list(SCORES.values())
    assert result["metrics"]["srcc"]["value"] == pytest.approx(scipy.stats.spearmanr(expected, truth).statistic)
    assert result["metrics"]["plcc"]["value"] == pytest.approx(
        scipy.stats.pearsonr(expected, truth).statistic, abs=1e-5
    )
    assert result["metrics"]["krcc"]["value"] == pytest.approx(scipy.stats.kendalltau(expected, truth).statistic)
    lock = read_lock(tmp_path / "lock.json")
    assert result["lock"]["lock"] == lock.digest
    assert (lock.name, lock.n, lock.encode.probed, lock.encode.codecs) == ("konvid_1k", 6, 6, {"h264": 6})
    assert (lock.scales[0].lo, lock.scales[0].hi, lock.encode.frame_rates) == (1, 5, {"8": 6})
    report = read_report(tmp_path / "report.json")
    assert report.trained.srcc == result["metrics"]["srcc"]["value"]
    shutil.copy(tmp_path / "report.json", tmp_path / "same.json")
    code, told = call("compare", tmp_path / "report.json", tmp_path / "same.json")
    assert code == 0
    assert "konvid_1k: n 6" in told


def test_a_missing_clip_and_one_that_cannot_be_read_are_named(
    call: Call, model: Path, clips: Path, tmp_path: Path
) -> None:
    table = labels(tmp_path, {**SCORES, "nowhere": 3.0})
    (clips / "2.mp4").write_text("no video")
    code, told = call(
        "benchmark", model, "konvid_1k", "--clips", clips, "--labels", table, "--expect", 7, "--resamples", 0, "--json"
    )
    result = json.loads(told)
    assert code == 1
    assert (result["n_scored"], result["n_expected"], result["metrics"]["n"]) == (5, 7, 5)
    assert result["missing"] == ["nowhere"]
    assert list(result["errors"]) == ["2"]
    assert result["lock"] is None
    code, told = call("benchmark", model, "konvid_1k", "--clips", clips, "--labels", table, "--resamples", 0)
    assert code == 1
    assert "5 scored of 1200 expected, 7 listed" in told
    assert "1 without a clip: nowhere" in told
    assert "1 failed: 2: " in told
    assert "nowhere: error: no clip is called 'nowhere'" in told
    assert "no lock: 1 clips are missing" in told


def test_fewer_than_the_set_publishes_is_no_result_of_the_set(
    call: Call, model: Path, clips: Path, tmp_path: Path
) -> None:
    arguments = ["benchmark", model, "konvid_1k", "--clips", clips, "--labels", labels(tmp_path, SCORES)]
    assert call(*arguments, "--resamples", 0)[0] == 1
    assert call(*arguments, "--resamples", 0, "--expect", 6)[0] == 0


def test_what_is_listed_is_expected_whatever_the_call_says(
    call: Call, model: Path, clips: Path, tmp_path: Path
) -> None:
    arguments = ["benchmark", model, "konvid_1k", "--clips", clips, "--labels", labels(tmp_path, SCORES)]
    arguments += ["--resamples", 0, "--expect", 4, "--json"]
    code, told = call(*arguments)
    assert (code, json.loads(told)["n_expected"]) == (0, 6)
    (clips / "1.mp4").unlink()
    code, told = call(*arguments)
    assert (code, json.loads(told)["missing"], json.loads(told)["n_scored"]) == (1, ["1"], 5)
    write_clip(clips / "1.mp4", 0)
    (clips / "2.mp4").write_text("no video")
    code, told = call(*arguments)
    assert (code, list(json.loads(told)["errors"]), json.loads(told)["n_scored"]) == (1, ["2"], 5)


def test_lines_that_are_there_are_not_written_over(call: Call, tmp_path: Path) -> None:
    """It is told before anything else that may be wrong."""
    out = tmp_path / "lines.jsonl"
    out.write_text("a day's work\n")
    nowhere = ["--clips", tmp_path / "none", "--labels", tmp_path / "none.csv"]
    with pytest.raises(CallError, match=r"lines.jsonl holds lines .* --done with another --out, or remove it"):
        call("benchmark", tmp_path / "none", "konvid_1k", *nowhere, "--out", out)
    assert out.read_text() == "a day's work\n"


def test_a_folder_that_is_no_model_is_told_before_clips_are_read(call: Call, clips: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="no model folder"):
        call("benchmark", tmp_path, "konvid_1k", "--clips", clips, "--labels", tmp_path / "none.csv")


def test_a_refused_row_is_no_success(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    table = labels(tmp_path, {**SCORES, "7": 9.0})
    code, told = call(
        "benchmark", model, "konvid_1k", "--clips", clips, "--labels", table, "--expect", 6, "--resamples", 0
    )
    assert code == 1
    assert "1 rows refused: KoNViD_1k_mos.csv row 7" in told


def test_a_lock_holds_clips_and_scores(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    arguments = ["benchmark", model, "konvid_1k", "--clips", clips, "--expect", 6, "--resamples", 0, "--labels"]
    assert call(*arguments, labels(tmp_path, SCORES), "--save-lock", lock)[0] == 0
    assert call(*arguments, labels(tmp_path, SCORES), "--lock", lock)[0] == 0
    with pytest.raises(DataError, match=r"other scores of 1: 1 \(4\.2 against 4\.3\)"):
        call(*arguments, labels(tmp_path, {**SCORES, "1": 4.3}), "--lock", lock)
    write_clip(clips / "3.mp4", 17)
    with pytest.raises(DataError, match=r"another encode \(other bytes\) of 1: 3"):
        call(*arguments, labels(tmp_path, SCORES), "--lock", lock)
    (clips / "3.mp4").unlink()
    report = tmp_path / "r.json"
    code, told = call(*arguments, labels(tmp_path, SCORES), "--lock", lock, "--report", report, "--json")
    assert code == 1
    assert json.loads(told)["lock"]["lock"] == read_lock(lock).digest
    assert (read_report(report).not_scored, read_report(report).trained.n) == (["3"], 5)
    with pytest.raises(CallError, match="--report needs a lock, and 1 clips are missing"):
        call(*arguments, labels(tmp_path, SCORES), "--report", report)


def test_what_an_earlier_run_scored_is_not_scored_again(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    (clips / "4.mp4").rename(tmp_path / "4.mp4")
    arguments = ["benchmark", model, "konvid_1k", "--clips", clips, "--labels", labels(tmp_path, SCORES), "--json"]
    arguments += ["--expect", 6, "--resamples", 0]
    assert call(*arguments, "--out", first)[0] == 1
    edited = [{**line, "score": 0.123} if line["id"] == "1" else line for line in lines(first)]
    first.write_text("".join(json.dumps(line) + "\n" for line in edited))
    (tmp_path / "4.mp4").rename(clips / "4.mp4")
    assert call(*arguments, "--done", first, "--out", second)[0] == 0
    found = {line["id"]: line["score"] for line in lines(second)}
    assert len(found) == 6
    assert found["1"] == 0.123
    assert all(score is not None for score in found.values())
    first.write_text("".join(json.dumps({**line, "weights": "others"}) + "\n" for line in edited))
    with pytest.raises(CallError, match="the lines of the earlier run are of"):
        call(*arguments, "--done", first)
    with pytest.raises(CallError, match="would overwrite"):
        call(*arguments, "--done", first, "--out", first)


def test_rounds_are_measured_one_by_one_and_on_average(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    rows = ["streaming_log,mos,content"] + [f"{clip}.csv,{mos},c{int(clip) % 2}" for clip, mos in SCORES.items()]
    (tmp_path / "data.csv").write_text("\n".join(rows))
    arguments = ["benchmark", model, "waterloo_iv", "--clips", clips, "--labels", tmp_path / "data.csv"]
    code, told = call(*arguments, "--resamples", 0, "--expect", 6, "--json")
    result = json.loads(told)
    assert code == 0
    assert {name: found["n"] for name, found in result["parts"].items()} == {"round1": 3, "round2": 3}
    values = [found["srcc"]["value"] for found in result["parts"].values()]
    assert result["mean_of_parts"]["srcc"] == pytest.approx(sum(values) / 2)
    assert "rmse" not in result["mean_of_parts"]
    code, told = call(*arguments, "--resamples", 0, "--part", "round2", "--expect", 3, "--json")
    assert (code, json.loads(told)["metrics"]["n"], json.loads(told)["lock"]["name"]) == (0, 3, "waterloo_iv/round2")


def video_questions(folder: Path) -> Path:
    row = {"question_type": "yes-or-no", "context": "Single-Global", "concern": "Technical", "question": "Is it noisy?"}
    choice = {**row, "answers": ["Yes", "No"], "correct_choice": "B"}
    rows = [
        {**choice, "video_name": "1.mp4"},
        {**choice, "video_name": "2.mp4", "answers": ["Yes", "No", "Partly"], "question_type": "what/how"},
        {**choice, "video_name": "3.mp4_cat_4.mp4.mp4", "context": "Compare-Fine", "concern": "Temporal"},
        {**row, "video_name": "5.mp4", "question_type": "open_ended", "answers": "Noise."},
    ]
    path = folder / "Q_Bench_Video_dev.json"
    path.write_text(json.dumps(rows))
    return path


def test_questions_about_what_is_damaged_or_too_long_are_not_answered(
    call: Call, model: Path, clips: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    shutil.copytree(model, small)
    config = json.loads((small / "config.json").read_text())

    def errors(most: int) -> dict[str, str]:
        config["text_config"]["max_position_embeddings"] = most
        (small / "config.json").write_text(json.dumps(config))
        arguments = ["--clips", clips, "--labels", video_questions(tmp_path), "--expect", 4, "--json"]
        code, told = call("benchmark", small, "q_bench_video", *arguments)
        result = json.loads(told)
        assert (code, result["n_scored"]) == (1, 4 - len(result["errors"]))
        return dict(result["errors"])

    told = errors(1)
    counts = sorted(int(error.split(" tokens, the model reads at most 1: cut the clip")[0]) for error in told.values())
    assert len(counts) == 4
    (pair,) = errors(counts[-2]).values()
    assert pair.startswith(f"{counts[-1]} tokens")
    whole = write_clip(tmp_path / "2.mkv", 1).read_bytes()  # half of it still decodes
    (clips / "2.mp4").write_bytes(whole[: len(whole) // 2])
    (damaged,) = errors(counts[-1]).values()
    assert damaged.startswith("truncated: ")


@pytest.mark.parametrize("by", ["letter", "generate"])
def test_questions_are_answered_about_clips_and_pairs(
    call: Call, model: Path, clips: Path, tmp_path: Path, by: str
) -> None:
    out, verdicts = tmp_path / "lines.jsonl", tmp_path / "verdicts.jsonl"
    arguments = ["benchmark", model, "q_bench_video", "--clips", clips, "--labels", video_questions(tmp_path)]
    arguments += ["--expect", 4, "--by", by, "--verdicts", verdicts, "--json"]
    code, told = call(*arguments, "--out", out)
    result = json.loads(told)
    assert code == 1  # nobody judged the open-ended answer
    assert (result["part"], result["n_scored"], result["unjudged"], result["published"]) == ("dev", 4, 1, 1192)
    found = lines(out)
    assert [line["clips"] for line in found] == [["1.mp4"], ["2.mp4"], ["3.mp4", "4.mp4"], ["5.mp4"]]
    if by == "letter":
        assert all(line["answer"] in {"A.", "B.", "C."} for line in found[:3])
        assert found[0]["answer"] != "C."
        assert [line["credit"] for line in found] == [*(float(line["answer"] == "B.") for line in found[:3]), None]
    overall = result["accuracy"]["overall"]
    assert (overall["n"], overall["graded"]) == (4, 3)
    assert overall["accuracy"] == pytest.approx(sum(line["credit"] for line in found[:3]) / 3)
    assert result["accuracy"]["clips: two"]["n"] == 1
    assert result["vlmevalkit"].keys() == {"yes-or-no", "what/how"}
    (ask,) = lines(verdicts)
    assert (ask["reference"], ask["answer"], ask["verdicts"]) == ("Noise.", found[3]["answer"], [])
    verdicts.write_text(json.dumps({**ask, "judge": "people", "verdicts": [2, 1]}) + "\n")
    code, told = call(*arguments, "--done", out)
    again = json.loads(told)
    assert (code, again["unjudged"], again["judge"]) == (0, 0, "people")
    assert again["accuracy"]["type: open_ended"]["accuracy"] == 0.75
    assert again["vlmevalkit"]["open_ended"]["acc"] == 75.0


def test_a_lock_of_questions_tells_another_right_answer(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    path, lock = video_questions(tmp_path), tmp_path / "lock.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:3]))  # none is open-ended
    arguments = ["benchmark", model, "q_bench_video", "--clips", clips, "--labels", path, "--expect", 3]
    arguments += ["--by", "letter", "--json"]
    assert call(*arguments, "--save-lock", lock)[0] == 0
    assert call(*arguments, "--lock", lock)[0] == 0
    path.write_text(path.read_text().replace("Partly", "In part"))
    with pytest.raises(DataError, match="is not the benchmark 'q_bench_video/dev'"):
        call(*arguments, "--lock", lock)


def test_images_are_asked_about(call: Call, model: Path, shared_corpus: Path, tmp_path: Path) -> None:
    row = {"img_path": "still.png", "question": "Sharp?", "candidates": ["Yes", "No"], "correct_ans": "No"}
    (tmp_path / "llvisionqa_dev.json").write_text(json.dumps([{**row, "type": 0, "concern": 0}]))
    code, told = call(
        "benchmark", model, "q_bench_image", "--clips", shared_corpus / "media", "--expect", 1, "--by", "letter",
        "--labels", tmp_path / "llvisionqa_dev.json", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(told)["accuracy"]["concern: distortion"]["graded"] == 1


def test_a_video_where_an_image_should_be_is_told(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    row = {"img_path": "1.mp4", "question": "Sharp?", "candidates": ["Yes", "No"], "correct_ans": "No"}
    (tmp_path / "dev.json").write_text(json.dumps([{**row, "type": 0, "concern": 0}]))
    code, told = call(
        "benchmark",
        model,
        "q_bench_image",
        "--clips",
        clips,
        "--labels",
        tmp_path / "dev.json",
        "--expect",
        1,
        "--json",
    )
    assert code == 1
    (error,) = json.loads(told)["errors"].values()
    assert "stated to be an image, but 16 frames decode" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["konvid", "--labels", "x.csv"], "did you mean 'konvid_1k'"),
        (["konvid_1k", "--labels", "none.csv"], "no such label file"),
        (["konvid_1k", "--labels", "x.csv", "--part", "dev"], "no parts"),
        (["konvid_1k", "--labels", "x.csv", "--by", "luck"], "--by is generate or letter"),
        (["konvid_1k", "--labels", "x.csv", "--judge", "m"], "a judge needs"),
        (["konvid_1k", "--labels", "x.csv", "--done", "none.jsonl"], "benchmark --out writes one"),
    ],
)
def test_wrong_calls_are_told(
    call: Call, model: Path, clips: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    labels(tmp_path, SCORES).rename(tmp_path / "x.csv")
    given = [tmp_path / a if a in {"x.csv", "none.csv", "none.jsonl"} else a for a in arguments]
    with pytest.raises(CallError, match=words):
        call("benchmark", model, *given, "--clips", clips)
