"""The page in a real browser: its three tabs, on a phone and a screen, light and dark, by mouse and by keyboard.

Pictures of it are kept in `build/screenshots`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response, expect

from schemas.levels import LEVELS
from schemas.sample import Turn
from tests.browser import PATIENCE
from tests.conftest import ROOT
from tests.training.conftest import write_clip
from tests.training.serving.conftest import Served, client_of, handle_file
from training.checkpoints.checkpoint import Checkpoint
from training.inference.score import Row, score_clips
from training.serving.asked import Asked

pytestmark = pytest.mark.full
PICTURES = ROOT / "build" / "screenshots"
STREAMS = ("/queue/data", "/heartbeat", "/upload_progress")
"""What the page asks that has no end while it is open."""
WIDTHS = {"phone": 400, "screen": 1600}
expect.set_options(PATIENCE)


class Seen:
    """A page, what it asked for, and what went wrong in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.asked: list[str] = []
        self.wrong: list[str] = []
        self.unanswered: set[Request] = set()
        context.on("request", self._ask)
        context.on("requestfinished", self._done)
        context.on("requestfailed", self._done)
        context.on("response", self._hear)
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.set_default_timeout(PATIENCE)
        self.page.goto(url)
        self.page.wait_for_selector("#score-button")

    def _ask(self, request: Request) -> None:
        self.asked.append(request.url)
        if not urlsplit(request.url).path.endswith(STREAMS):
            self.unanswered.add(request)

    def _done(self, request: Request) -> None:
        self.unanswered.discard(request)

    def _hear(self, response: Response) -> None:
        # Gradio's page asks how far an upload is that is done already, and stops answers that are none.
        idle = ("/upload_progress", "/cancel", "/reset")
        if response.status >= 400 and not urlsplit(response.url).path.endswith(idle):
            self.wrong.append(f"{response.status} {response.url}")

    def upload(self, where: str, file: Path) -> None:
        place = self.page.locator(f"#{where}")
        if place.get_by_label("Clear").count():
            place.get_by_label("Clear").click()
        place.locator("input[type=file]").set_input_files(file)
        expect(place).to_contain_text(file.suffix)
        self.settle()

    def settle(self) -> None:
        """Wait, as people do, until what was clicked is done: Gradio lets a late stop end what was asked since."""
        while True:
            self.page.wait_for_timeout(300)
            if not self.unanswered:
                break

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def result(self, where: str = "score-result") -> tuple[float, str, dict[str, int]]:
        """Read a score, its word, and the percentage of each level, as they are shown."""
        shown = self.page.locator(f"#{where} .vqa2-score")
        shown.locator(".number").wait_for()
        levels = zip(shown.locator("dt").all_inner_texts(), shown.locator(".percent").all_inner_texts(), strict=True)
        return (
            float(shown.locator(".number").inner_text()),
            shown.locator(".level").inner_text(),
            {word: int(percent.rstrip("%")) for word, percent in levels},
        )

    def told(self) -> str:
        """Read a message, and close it."""
        message = self.page.get_by_test_id("toast-body")
        message.wait_for()
        text = message.inner_text()
        self.page.get_by_test_id("toast-close").click()
        message.wait_for(state="detached")
        return text


@pytest.fixture(params=[("screen", "light")], ids=" ".join)
def seen(request: pytest.FixtureRequest, browser: Browser, server: Served) -> Iterator[Seen]:
    device, scheme = request.param
    context = browser.new_context(viewport={"width": WIDTHS[device], "height": 900}, color_scheme=scheme)
    found = Seen(context, server.url)
    yield found
    context.cookies()  # all that was told before this answer has been heard
    assert {urlsplit(url).netloc for url in found.asked if not url.startswith("data:")} == {urlsplit(server.url).netloc}
    assert found.wrong == []
    found.page.goto("about:blank")  # nothing goes on behind the next test


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    made = {"good": write_clip(folder / "good.mp4", 0), "bad": write_clip(folder / "bad.mp4", 5)}
    (folder / "text.mp4").write_text("hello")
    (folder / "empty.mp4").touch()
    (folder / "big.mp4").write_bytes(bytes(3_000_000))
    (folder / "cut.mp4").write_bytes(made["bad"].read_bytes()[:300])
    return made | {name: folder / f"{name}.mp4" for name in ("text", "empty", "big", "cut")}


def rounded(row: Row) -> tuple[float, str, dict[str, int]]:
    assert row.score is not None
    assert row.levels is not None
    percent = {word: int(f"{p:.0%}".rstrip("%")) for word, p in reversed(row.levels.items())}
    return float(f"{row.score:.3f}"), max(row.levels, key=row.levels.__getitem__), percent


@pytest.mark.parametrize("seen", [(d, s) for d in WIDTHS for s in ("light", "dark")], indirect=True, ids=" ".join)
def test_all_three_tabs_fit_and_work(
    request: pytest.FixtureRequest,
    seen: Seen,
    server: Served,
    clips: dict[str, Path],
    talkative: Checkpoint,
    shared_corpus: Path,
) -> None:
    device, scheme = request.node.callspec.params["seen"]
    page, width = seen.page, WIDTHS[device]
    PICTURES.mkdir(parents=True, exist_ok=True)

    def fits(tab: str) -> None:
        page.screenshot(path=PICTURES / f"serve-{tab}-{device}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        shown = page.locator("button:visible, textarea:visible, .vqa2-score:visible, img:visible").all()
        boxes = [box for each in shown if (box := each.bounding_box())]
        assert len(boxes) > 3
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)

    good, bad = (rounded(row) for row in score_clips(talkative, [clips["good"], clips["bad"]]))
    assert good != bad
    seen.upload("score-clip", clips["good"])
    page.click("#score-button")
    assert seen.result() == good
    assert list(seen.result()[2]) == list(reversed(LEVELS))
    frames = page.locator("#score-frames img:visible")
    expect(frames).to_have_count(2)
    size = "async image => { await image.decode(); return [image.naturalWidth, image.naturalHeight]; }"
    assert frames.evaluate_all(f"all => Promise.all(all.map({size}))") == [[64, 64]] * 2
    widths = page.locator("#score-result .bar").evaluate_all("all => all.map(bar => bar.getBoundingClientRect().width)")
    tracks = page.locator("#score-result .track").evaluate_all("all => all.map(t => t.getBoundingClientRect().width)")
    for bar, track, percent in zip(widths, tracks, good[2].values(), strict=True):
        assert 100 * bar / track == pytest.approx(percent, abs=1.5)
    ink, paper = luminance(page, "#score-result .number", "color"), luminance(page, "body", "backgroundColor")
    assert ink - paper > 120 if scheme == "dark" else paper - ink > 120
    fits("score")

    # A still image takes the clip's place.
    seen.upload("score-clip", shared_corpus / "media" / "still.png")
    page.click("#score-button")
    expect(frames).to_have_count(1)
    assert seen.result() == rounded(next(iter(score_clips(talkative, [shared_corpus / "media" / "still.png"]))))
    page.locator("#score-clip").get_by_label("Clear").click()
    expect(page.locator("#score-result .number")).to_have_count(0)
    expect(frames).to_have_count(0)

    seen.tab("Chat")
    seen.upload("chat-clip", clips["bad"])
    assert "distortions" in page.locator("#chat-question textarea").input_value()
    questions, answers = ["Is it blurred?", "And is it noisy?"], whole_answers(talkative, clips["bad"])
    for i, question in enumerate(questions):
        with server.slowed():
            ask(seen, question, bots=i + 1)
        expect(page.locator("#chat-talk .bot.message")).to_have_text(answers[: i + 1])
    assert page.locator("#chat-talk .user.message").all_inner_texts() == questions
    fits("chat")
    page.click("#chat-clear")
    expect(page.locator("#chat-talk .message")).to_have_count(0)

    seen.tab("Compare")
    seen.upload("compare-first", clips["bad"])
    seen.upload("compare-second", clips["good"])
    assert "better visual quality" in page.locator("#compare-question textarea").input_value()
    page.click("#compare-button")
    expect(page.locator("#compare-answer textarea")).not_to_have_value("")
    assert seen.result("compare-first-result") == bad
    assert seen.result("compare-second-result") == good
    fits("compare")


WATCH = """() => {
    window.lengths = new Set();
    setInterval(() => {
        const answers = document.querySelectorAll('#chat-talk .bot.message');
        lengths.add(answers.length ? answers[answers.length - 1].innerText.length : 0);
    }, 10);
}"""
"""Keeps how long the last answer is, as long as the page lives."""


def ask(seen: Seen, question: str, *, bots: int) -> None:
    """Ask in the chat by the keyboard, and see an answer that grows."""
    page = seen.page
    page.evaluate(WATCH)
    page.fill("#chat-question textarea", question)
    page.press("#chat-question textarea", "Enter")
    expect(page.locator("#chat-talk .bot.message")).to_have_count(bots)
    page.wait_for_function("lengths.size >= 3")


def whole_answers(talkative: Checkpoint, clip: Path) -> list[str]:
    """Give what the model says of a clip when it is asked whether it is blurred, and then whether it is noisy."""
    asked = Asked(talkative, 60)
    feed = asked.read(clip)
    *_, first = asked.talk([feed], "Is it blurred?")
    since = [Turn(role="assistant", text=first), Turn(role="user", text="And is it noisy?")]
    *_, second = asked.talk([feed], "Is it blurred?", since)
    return [first, second]


def test_an_answer_is_stopped(seen: Seen, server: Served, clips: dict[str, Path], talkative: Checkpoint) -> None:
    seen.tab("Chat")
    seen.upload("chat-clip", clips["bad"])
    with server.slowed():
        ask(seen, "Is it blurred?", bots=1)
        seen.page.click("#chat-stop")
        seen.settle()
    said = seen.page.locator("#chat-talk .bot.message").inner_text()
    assert 0 < len(said) < len(whole_answers(talkative, clips["bad"])[0]) / 2


def test_another_clip_is_another_conversation(seen: Seen, server: Served, clips: dict[str, Path]) -> None:
    seen.tab("Chat")
    seen.upload("chat-clip", clips["bad"])
    with server.slowed():
        ask(seen, "Is it blurred?", bots=1)
        seen.upload("chat-clip", clips["good"])
    expect(seen.page.locator("#chat-talk .message")).to_have_count(0)
    ask(seen, "Is it blurred?", bots=1)


def luminance(page: Page, of: str, what: str) -> float:
    """Give how light a colour of the page is, from 0 to 255 (ITU-R BT.601)."""
    colour = page.locator(of).first.evaluate(f"found => getComputedStyle(found).{what}")
    red, green, blue = map(float, re.findall(r"[\d.]+", colour)[:3])
    return 0.299 * red + 0.587 * green + 0.114 * blue


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text", "No readable video or picture"),
        ("cut", "No readable video or picture"),
        ("empty", "The file is empty"),
    ],
)
def test_a_clip_that_cannot_be_read_is_told_in_words(
    seen: Seen, clips: dict[str, Path], name: str, message: str
) -> None:
    seen.upload("score-clip", clips[name])
    seen.page.click("#score-button")
    told = seen.told()
    assert message in told
    assert "Traceback" not in told
    # The page goes on.
    seen.upload("score-clip", clips["good"])
    seen.page.click("#score-button")
    assert seen.result()[0] > 0


def test_what_is_missing_is_told_in_words(seen: Seen, clips: dict[str, Path], tmp_path: Path) -> None:
    seen.page.click("#score-button")
    assert "Upload a clip first" in seen.told()
    seen.upload("score-clip", write_clip(tmp_path / "long.mp4", 0, frames=61))
    seen.page.click("#score-button")
    assert "more than 60 frames" in seen.told()
    seen.tab("Chat")
    seen.upload("chat-clip", clips["good"])
    seen.page.fill("#chat-question textarea", " ")
    seen.page.click("#chat-button")
    assert "The question is empty" in seen.told()
    seen.page.fill("#chat-question textarea", "What is <video>?")
    seen.page.click("#chat-button")
    assert "<video> stands for a clip" in seen.told()
    assert seen.page.locator("#chat-question textarea").input_value() == "What is <video>?"
    seen.tab("Compare")
    seen.upload("compare-first", clips["good"])
    seen.page.click("#compare-button")
    assert "Upload the second clip first" in seen.told()


def test_a_file_that_is_too_large_is_not_taken(seen: Seen, server: Served, clips: dict[str, Path]) -> None:
    seen.page.locator("#score-clip input[type=file]").set_input_files(clips["big"])
    assert "maximum allowed size" in seen.told()
    # The page does not even send it; who sends it by other means is refused.
    sent = {"name": "big.mp4", "mimeType": "video/mp4", "buffer": clips["big"].read_bytes()}
    answer = seen.page.request.post(f"{server.url}gradio_api/upload", multipart={"files": sent})
    assert answer.status == 413
    assert all(path.stat().st_size < 2_000_000 for path in server.kept())


def test_all_is_reached_by_the_keyboard(seen: Seen, clips: dict[str, Path]) -> None:
    seen.page.get_by_role("tab", name="Score").focus()
    for _ in range(2):
        seen.page.keyboard.press("Tab")
    reached = []
    for _ in range(12):
        seen.page.keyboard.press("Tab")
        reached.append(seen.page.evaluate("document.activeElement.closest('[id]')?.id ?? ''"))
        if reached[-1] == "score-button":
            break
    assert reached[-1] == "score-button", reached
    seen.upload("score-clip", clips["good"])
    seen.page.locator("#score-button").focus()
    seen.page.keyboard.press("Enter")
    assert seen.result()[0] > 0


def test_who_waits_sees_the_place_in_line(seen: Seen, server: Served, clips: dict[str, Path]) -> None:
    from gradio_client.utils import Status  # of an extra of its own, as in conftest.py

    result = seen.page.locator("#score-result")
    seen.upload("score-clip", clips["bad"])
    client = client_of(server)
    clip = handle_file(clips["good"])
    line = [client.submit(clip, "Is it blurred?", api_name="/ask") for _ in range(30)]
    while any(asked.status().code in (Status.STARTING, Status.JOINING_QUEUE) for asked in line):
        time.sleep(0.02)
    seen.page.click("#score-button")
    place = result.get_by_text(re.compile(r"queue: \d+/\d+"))
    place.wait_for()
    assert place.evaluate("found => found.checkVisibility({opacityProperty: true})")
    assert result.locator(".number").count() == 0
    for asked in line:
        asked.cancel()
    assert seen.result()[0] > 0
