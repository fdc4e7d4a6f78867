"""Questions of a person: how they are worded, answered bit by bit, and refused."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from dataset_builder.video import MediaError
from schemas.errors import CallError
from schemas.sample import IMAGE, MOTION, VIDEO
from tests.training.conftest import write_media
from training.checkpoints.checkpoint import Checkpoint
from training.inference.answering import answer_stream, generated
from training.inference.asking import question_about
from training.inputs.tokens import TURN_END


@pytest.fixture(scope="module")
def media(shared_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_media(tmp_path_factory.mktemp("asked"), shared_corpus, longer=24)


@pytest.mark.parametrize(
    ("names", "placeholders", "words"),
    [
        (["video"], [VIDEO, MOTION], "all 16 frames of the the entire video"),
        (["short"], [VIDEO], "The key frames of this video are:"),
        (["image"], [IMAGE], "one image"),
        (["video", "longer"], [VIDEO, MOTION, VIDEO, MOTION], "The first 2 frames and 3-5 frames"),
        (["video", "short"], [VIDEO, MOTION, VIDEO], "The second video frames"),
        (["image", "image"], [IMAGE, IMAGE], "two images"),
        (["image", "video"], [IMAGE, VIDEO, MOTION], "one image and one video"),
    ],
)
def test_a_question_shows_its_clips_in_order_and_is_answered(
    talkative: Checkpoint, media: dict[str, Path], names: list[str], placeholders: list[str], words: str
) -> None:
    paths = [media[name] for name in names]
    asked = question_about(talkative, paths, "Is it {blurred}?")
    assert [p for p in asked.text.replace(">", "<").split("<") if f"<{p}>" in {VIDEO, MOTION, IMAGE}] == [
        p[1:-1] for p in placeholders
    ]
    assert "Is it {blurred}?" in asked.text
    assert words in asked.text
    bits = list(answer_stream(talkative, paths, "Is it {blurred}?", longest=12))
    assert "".join(bits) == generated(talkative, [asked], longest=12)[0]


def test_the_placeholders_of_a_question_are_those_of_its_clips(talkative: Checkpoint, media: dict[str, Path]) -> None:
    own = f"Frames {VIDEO} motion {MOTION}: sharp?"
    assert question_about(talkative, [media["video"]], own).text == own
    with pytest.raises(CallError, match="holds <image>, and these clips need <video> <motion>"):
        question_about(talkative, [media["video"]], f"{IMAGE} sharp?")
    with pytest.raises(CallError, match="holds <motion> <video>, and these clips need <video> <motion>"):
        question_about(talkative, [media["video"]], f"{MOTION} {VIDEO} sharp?")


def test_what_cannot_be_asked_says_why(talkative: Checkpoint, media: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(CallError, match="the question is empty"):
        question_about(talkative, [media["video"]], " \n")
    with pytest.raises(CallError, match="not about 3"):
        question_about(talkative, [media["video"]] * 3, "Which?")
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(MediaError, match=r"text.mp4: no readable video"):
        question_about(talkative, [tmp_path / "text.mp4"], "Sharp?")
    Image.open(media["image"]).save(jpeg := tmp_path / "cut.jpg")
    jpeg.write_bytes(jpeg.read_bytes()[:1500])
    with pytest.raises(MediaError, match=r"cut.jpg: truncated"):
        question_about(talkative, [jpeg], "Sharp?")
    with pytest.raises(CallError, match=r"\d+ tokens, the model reads at most 4096: cut the clips"):
        question_about(talkative, [media["video"]], "sharp or not, " * 1000)


def test_an_answer_says_whether_it_ended(talkative: Checkpoint, media: dict[str, Path]) -> None:
    """The model never ends its answer by itself: it is made to."""

    def heard(longest: int) -> tuple[str, bool]:
        stream, bits = answer_stream(talkative, [media["video"]], "Sharp?", longest=longest), []
        while True:
            try:
                bits.append(next(stream))
            except StopIteration as ended:
                return "".join(bits), ended.value

    cut, whole = heard(3)
    assert not whole
    head = talkative.model.lm_head
    end = talkative.tokens.id(TURN_END)

    def ends_at_once(_module: object, _inputs: object, logits: torch.Tensor) -> torch.Tensor:
        logits[..., end] = 1e4
        return logits

    hook = head.register_forward_hook(ends_at_once)
    try:
        assert heard(3) == ("", True)
    finally:
        hook.remove()
    assert heard(3) == (cut, False)


def test_who_stops_listening_stops_the_model(talkative: Checkpoint, media: dict[str, Path]) -> None:
    steps = []
    hook = talkative.model.lm_head.register_forward_hook(lambda *_: steps.append(1))
    try:
        stream = answer_stream(talkative, [media["video"]], "Sharp?", longest=2000)
        next(stream)
        stream.close()
    finally:
        hook.remove()
    assert 0 < len(steps) < 1000


def test_what_the_model_raises_reaches_who_listens(talkative: Checkpoint, media: dict[str, Path]) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no more memory")

    hook = talkative.model.lm_head.register_forward_hook(fails)
    try:
        with pytest.raises(RuntimeError, match="no more memory"):
            list(answer_stream(talkative, [media["video"]], "Sharp?"))
    finally:
        hook.remove()
