"""`vqa2 ask`: into a pipe, as JSON, on a terminal, and what it refuses."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import CallError
from tests.conftest import ROOT
from tests.training.conftest import Invoke
from training.checkpoints.checkpoint import Checkpoint
from training.inference.answering import generated
from training.inference.asking import question_about


@pytest.fixture(scope="module")
def model(talkative: Checkpoint, shared_corpus: Path) -> Path:
    return shared_corpus / "talkative"


def test_an_answer_is_printed_whole_and_as_json(
    invoke: Invoke, talkative: Checkpoint, model: Path, shared_corpus: Path
) -> None:
    clip, other = (shared_corpus / "media" / name for name in ("clip0.mp4", "clip1.mp4"))
    expected = generated(talkative, [question_about(talkative, [clip, other], "Which is sharper?")], longest=5)[0]
    assert expected
    done = invoke("ask", model, clip, other, "Which is sharper?", "--max-tokens", 5)
    assert (done.exit_code, done.stdout) == (0, f"{expected}\n")
    assert done.stderr == "cut after 5 tokens: --max-tokens allows for more\n"
    told = json.loads(invoke("ask", model, clip, other, "Which is sharper?", "--max-tokens", 5, "--json").stdout)
    assert told["answer"] == expected
    assert told["clips"] == [str(clip), str(other)]
    assert told["question"] == "Which is sharper?"
    assert told["prompt"].endswith("Which is sharper?")
    assert told["complete"] is False


def test_motion_that_is_fed_in_steps_is_told(invoke: Invoke, model: Path, long_clip: Path) -> None:
    done = invoke("ask", model, long_clip, "Sharp?", "--max-tokens", 2, "--json")
    assert json.loads(done.stdout)["motion_stride"] == 2
    done = invoke("ask", model, long_clip, "Sharp?", "--max-tokens", 2)
    assert "of the motion features one of 2 was fed: the model takes fewer than there are\n" in done.stderr


def test_a_terminal_shows_the_answer_as_it_is_made(talkative: Checkpoint, model: Path, shared_corpus: Path) -> None:
    clip = shared_corpus / "media" / "clip0.mp4"
    expected = generated(talkative, [question_about(talkative, [clip], "Sharp?")], longest=1500)[0]
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "vqa2", "ask", str(model), str(clip), "Sharp?", "--max-tokens", "1500"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=terminal, stderr=subprocess.PIPE, text=True)
    os.close(terminal)
    bits: list[bytes] = []
    while True:
        try:
            bits.append(os.read(screen, 4096))
        except OSError:  # the other end is closed
            break
    os.close(screen)
    assert process.stderr is not None
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0, told
    assert b"".join(bits).decode().replace("\r\n", "\n") == f"{expected}\n"
    assert len(bits) > 3


def test_a_question_may_be_longer_than_a_file_name(
    invoke: Invoke, model: Path, shared_corpus: Path, tmp_path: Path
) -> None:
    question = " ".join(["Is it sharp?"] * 25)
    done = invoke("ask", model, shared_corpus / "media" / "clip0.mp4", question, "--max-tokens", 1, "--json")
    assert (done.exit_code, json.loads(done.stdout)["question"]) == (0, question)
    with pytest.raises(CallError, match="sharp.: no such clip$"):
        invoke("ask", model, question, "Is it?")


def test_what_cannot_be_asked(invoke: Invoke, model: Path, shared_corpus: Path, tmp_path: Path) -> None:
    clip = shared_corpus / "media" / "clip0.mp4"
    with pytest.raises(CallError, match="the question comes last, in quotation marks"):
        invoke("ask", model, "Sharp?", clip)
    with pytest.raises(CallError, match=r"Is: no such clip \(or is it part of the question\?"):
        invoke("ask", model, clip, "Is", "it", "sharp?")
    with pytest.raises(CallError, match="nowhere.mp4: no such clip$"):
        invoke("ask", model, tmp_path / "nowhere.mp4", "Sharp?")
    with pytest.raises(CallError, match="not about 3"):
        invoke("ask", model, clip, shutil.copy(clip, tmp_path / "a.mp4"), clip, "Which?")
    assert invoke("ask", model, clip).exit_code == 2
