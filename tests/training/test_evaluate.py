import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from scipy.stats import pearsonr

from schemas.recipe import TrainRecipe, load
from schemas.sample import MOTION, VIDEO
from tests.training.conftest import EVERYTHING, scored, video_ref, write_recipe, write_samples
from training.checkpoints.checkpoint import Checkpoint, load_checkpoint
from training.evaluation.evaluate import evaluate, laplacian_variance
from training.inference.score import score_clips
from training.inputs.feeds import read_feed
from training.trainer.train import train


def test_blank_frames_are_mid_grey_and_keep_their_motion(shared_corpus: Path, trained: Checkpoint) -> None:
    feed = read_feed(shared_corpus / "media" / "clip0.mp4", trained.config)
    blank = feed.blanked()
    assert blank.pictures.unique().tolist() == [128]
    assert blank.motion is feed.motion
    assert blank.media_tokens(trained.config) == feed.media_tokens(trained.config)


def test_the_untrained_control_is_the_model_before_its_first_step(corpus: Path) -> None:
    """A model trained at rate 0 is its own untrained control, to the last bit; at a real rate it is not."""
    write_samples(corpus, "stage2-ugc", "test", [scored(video_ref(f"clip{i}"), 0.9 - 0.15 * i) for i in range(6)])
    stage = {"name": "s", "configs": ["stage2-ugc"], "train": EVERYTHING, "steps": 3, "batch": 2}
    same = {}
    for out, lr in (("still", 0.0), ("moved", 0.005)):
        recipe = write_recipe(corpus, out=out, seed=5, stages=[{**stage, "lr": lr}])
        train(load(recipe, TrainRecipe), corpus)
        torch.manual_seed(99)
        result = evaluate(load_checkpoint(corpus / out), corpus, "stage2-ugc", "test", corpus, controls=True)
        same[out] = result.trained == result.untrained
    assert same == {"still": True, "moved": False}


def test_blank_frames_and_trivial_are_measured_on_the_clips(corpus: Path, trained: Checkpoint) -> None:
    """The clips of the corpus are noisier from one to the next, so their sharpness runs against the scores given."""
    write_samples(corpus, "stage2-ugc", "test", [scored(video_ref(f"clip{i}"), 0.9 - 0.15 * i) for i in range(6)])
    result = evaluate(trained, corpus, "stage2-ugc", "test", corpus, controls=True)
    assert result.trivial is not None
    assert result.trivial.srcc is not None
    assert result.trivial.srcc < -0.8
    assert result.blank_frames != result.trained
    assert result.n_expected == 6
    assert result.errors == []


def test_what_is_read_ahead_and_what_cannot_be_read_change_nothing_else(
    corpus: Path, trained: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one chunk or in many, with a clip in the middle that is damaged: the other samples are scored as they were."""
    samples = [scored(video_ref(f"clip{i}"), 0.9 - 0.15 * i) for i in range(6)]
    write_samples(corpus, "stage2-ugc", "test", [*samples[:2], *samples[3:]])
    without = evaluate(trained, corpus, "stage2-ugc", "test", corpus, controls=True)
    clip = corpus / "media" / "clip2.mp4"
    clip.write_bytes(clip.read_bytes()[:900])
    write_samples(corpus, "stage2-ugc", "test", samples)
    for chunk in (64, 2):
        monkeypatch.setattr("training.evaluation.evaluate.CHUNK", chunk)
        found = evaluate(trained, corpus, "stage2-ugc", "test", corpus, controls=True)
        assert (found.n_expected, len(found.errors), len(found.not_scored)) == (6, 1, 1)
        assert "clip2.mp4" in found.errors[0]
        for name in ("trained", "blank_frames", "untrained", "trivial"):
            assert getattr(found, name).n == 5
            assert getattr(found, name).plcc == pytest.approx(getattr(without, name).plcc, abs=1e-4)


def test_a_sample_that_cannot_be_scored_leaves_the_others(corpus: Path, trained: Checkpoint) -> None:
    """One sample is longer than the model reads: the report names it, and holds the others as they are."""
    whole = evaluate(trained, corpus, "stage2-ugc", "train", corpus, controls=True)
    shard = corpus / "data" / "stage2-ugc" / "train-00000.jsonl"
    first, *others = (json.loads(line) for line in shard.read_bytes().splitlines())
    first["task"], first["turns"][0]["text"] = "stalls", "word " * 5000 + first["turns"][0]["text"]
    shard.write_text("".join(json.dumps(sample) + "\n" for sample in (first, *others)))
    found = evaluate(trained, corpus, "stage2-ugc", "train", corpus, controls=True)
    assert (found.n_expected, len(found.not_scored)) == (whole.n_expected, 1)
    assert re.search(r"train-00000.jsonl:1.*\d+ tokens, the model reads at most 4096", found.errors[0])
    for name in ("trained", "blank_frames", "untrained", "trivial"):
        assert getattr(found, name).n == getattr(whole, name).n - 1
        assert getattr(found, name).srcc is not None


def test_eval_and_score_agree(shared_corpus: Path, trained: Checkpoint) -> None:
    rows = list(score_clips(trained, [shared_corpus / "media" / f"clip{i}.mp4" for i in (4, 5)]))
    result = evaluate(trained, shared_corpus, "stage2-ugc", "test", shared_corpus, controls=False)
    assert rows[0].score is not None
    assert rows[1].score is not None
    falling = rows[0].score > rows[1].score  # as the scores of the corpus are
    assert result.trained.srcc == pytest.approx(1 if falling else -1)


def test_a_sample_that_asks_for_a_score_is_asked_as_the_checkpoint_is(
    shared_corpus: Path, trained: Checkpoint, corpus: Path
) -> None:
    """Whatever its own wording; a sample that tells of stalls too is asked its own question."""
    scoring = replace(trained.block.scoring, video_prompt=VIDEO + MOTION, video_prefix="")
    bare = Checkpoint(trained.model, trained.tokens, replace(trained.block, scoring=scoring))
    clips = [scored(video_ref(f"clip{i}"), 0.95 - 0.15 * i) for i in range(6)]
    told = [replace(sample, task="stalls-as-sentence") for sample in clips]
    paths = [corpus / "media" / f"clip{i}.mp4" for i in range(6)]
    truth = [sample.target.mos for sample in clips if sample.target]

    def correlation(model: Checkpoint) -> Any:
        scores = [row.score for row in score_clips(model, paths) if row.score is not None]
        return pytest.approx(pearsonr(scores, truth).statistic, abs=1e-4)

    assert correlation(bare) != correlation(trained).expected
    for samples, expected in ((clips, correlation(bare)), (told, correlation(_of_words(trained, "")))):
        write_samples(corpus, "stage2-ugc", "test", samples)
        report = evaluate(bare, corpus, "stage2-ugc", "test", corpus, controls=False)
        assert report.trained.plcc == expected


def _of_words(checkpoint: Checkpoint, prefix: str) -> Checkpoint:
    """Give the checkpoint with another beginning of its answers."""
    scoring = replace(checkpoint.block.scoring, video_prefix=prefix)
    return Checkpoint(checkpoint.model, checkpoint.tokens, replace(checkpoint.block, scoring=scoring))


def test_the_laplacian_of_a_checkerboard() -> None:
    flat = np.full((8, 8, 3), 77, np.uint8)
    board = np.where((np.indices((8, 8)).sum(0) % 2)[..., None], 10, 0).repeat(3, 2).astype(np.uint8)
    assert laplacian_variance(flat) == pytest.approx(0)
    assert laplacian_variance(board) == pytest.approx(40**2)
