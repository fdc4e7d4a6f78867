"""What the page asks of the model, without the page."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dataset_builder.video import MediaError
from schemas.errors import CallError
from schemas.sample import Turn
from tests.training.conftest import write_clip
from training.checkpoints.checkpoint import Checkpoint
from training.inference.answering import generated
from training.inference.asking import question_about
from training.inference.score import Question, score_clips
from training.serving.asked import Asked, seconds_of_key_frames
from training.serving.command import serve_command


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 2)


@pytest.fixture
def asked(talkative: Checkpoint) -> Asked:
    return Asked(talkative, most_frames=16)


def test_a_score_is_that_of_scoring(asked: Asked, talkative: Checkpoint, clip: Path) -> None:
    row = next(iter(score_clips(talkative, [clip])))
    scored = asked.score(asked.read(clip))
    assert (scored.score, scored.levels) == (row.score, row.levels)
    assert scored.levels[scored.word] == max(scored.levels.values())


def test_a_conversation_goes_on(asked: Asked, talkative: Checkpoint, clip: Path) -> None:
    feed = asked.read(clip)
    first = question_about(talkative, [clip], "Is it blurred?")
    *early, answer = asked.talk([feed], "Is it blurred?")
    assert answer == generated(talkative, [first])[0]
    assert len(early) > 3
    assert all(answer.startswith(text) for text in early)
    since = (Turn(role="assistant", text="Yes."), Turn(role="user", text="And noisy?"))
    later = list(asked.talk([feed], "Is it blurred?", since))[-1]
    assert later == generated(talkative, [Question("", first.text, "", [feed], since)])[0]
    assert later != answer


def test_a_clip_is_read_once(asked: Asked, clip: Path) -> None:
    assert asked.read(clip) is asked.read(clip)
    assert seconds_of_key_frames(asked.read(clip)) == [0.0, 1.0]


@pytest.mark.parametrize("text", ["What is <video>?", "<image>", " "])
def test_a_question_that_cannot_be_asked(asked: Asked, clip: Path, text: str) -> None:
    feed = asked.read(clip)
    told = "the question is empty" if text == " " else "stands for a clip"
    with pytest.raises(CallError, match=told):
        next(asked.talk([feed], text))
    since = (Turn(role="assistant", text="<video>?"), Turn(role="user", text=text))
    with pytest.raises(CallError, match=told):
        next(asked.talk([feed], "Is it blurred?", since))


def test_a_conversation_that_is_too_long_is_told(asked: Asked, clip: Path) -> None:
    since = [Turn(role="assistant", text="no, " * 3000), Turn(role="user", text="Why?")]
    with pytest.raises(CallError, match=r"has [\d,]+ tokens, the model reads 4,096: start again"):
        next(asked.talk([asked.read(clip)], "Is it blurred?", since))


def test_a_clip_of_too_many_frames_is_not_decoded(asked: Asked, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="more than 16 frames, which is the most here"):
        asked.read(write_clip(tmp_path / "long.mp4", 0, frames=17))


def test_without_gradio_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(CallError, match=r'gradio is not installed: pip install "vqa2\[serve\]"'):
        serve_command(tmp_path)
