from pathlib import Path

import pytest

from schemas.errors import CallError
from schemas.levels import WEIGHTS
from tests.training.conftest import write_clip
from training.checkpoint import Checkpoint, load_checkpoint
from training.score import score_clips


@pytest.fixture(scope="module")
def clips(shared_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Clips of several lengths (one too short for motion) and a still image."""
    folder = tmp_path_factory.mktemp("clips")
    made = [write_clip(folder / f"{frames}.mp4", 2, frames=frames) for frames in (3, 8, 16, 40)]
    return [*made, shared_corpus / "media" / "still.png"]


def test_a_batch_scores_as_one_by_one(trained: Checkpoint, clips: list[Path]) -> None:
    together = list(score_clips(trained, clips, batch=5))
    alone = list(score_clips(trained, clips, batch=1))
    for a, b in zip(together, alone, strict=True):
        assert a.clip == b.clip
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-5)


def test_a_score_is_the_weighed_level_probability(trained: Checkpoint, clips: list[Path]) -> None:
    for row in score_clips(trained, clips):
        assert row.probabilities is not None
        assert sum(row.probabilities) == pytest.approx(1)
        assert row.score == pytest.approx(sum(w * p for w, p in zip(WEIGHTS, row.probabilities, strict=True)))


def test_every_clip_is_accounted_for_in_order(trained: Checkpoint, clips: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clips[0].read_bytes()[:300])
    given = [clips[0], tmp_path / "text.mp4", clips[1], cut, clips[0]]
    rows = list(score_clips(trained, given))
    assert [row.clip for row in rows] == list(map(str, given))
    assert [row.score is None for row in rows] == [False, True, False, True, False]
    assert all(row.error for row in rows if row.score is None)
    assert rows[0].score == rows[4].score


def test_a_folder_that_is_no_model_names_the_nearest(shared_corpus: Path, trained: Checkpoint) -> None:
    with pytest.raises(CallError, match="did you mean '.*model'"):
        load_checkpoint(shared_corpus / "modle")
