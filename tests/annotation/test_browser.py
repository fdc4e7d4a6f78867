"""Raters at work: a real browser on the real server, from the clips to what import says that was entered.

Pictures of the screens are kept in `build/screenshots`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from annotation.agreement.agree import agree
from annotation.agreement.screening import Thresholds
from annotation.agreement.simulate import simulate
from annotation.folder import GUIDELINES, read_roles
from annotation.sync import read_on_server
from dataset_builder.video.inspecting import inspect
from schemas.annotation import Annotation, Attribute, Conversation
from schemas.pair import Pair
from schemas.record import Record
from schemas.response import Response, Verdict
from tests.annotation.agreement.made_up import write_answers
from tests.annotation.live import PASSWORD, ROOT, USER, LiveServer
from tests.annotation.test_importing import oddities, responses
from tests.annotation.test_importing_live import imported, run
from tests.browser import PATIENCE

pytestmark = pytest.mark.full
PICTURES = ROOT / "build" / "screenshots"
WINDOW = {"width": 1600, "height": 900}
expect.set_options(timeout=PATIENCE)
FRAME = 16
"""Pixels of a frame on the timeline, which starts after a column of names."""
NAMES_WIDTH = 150
DEPICTED = Annotation(
    id="known",
    clip="mine/bikes.mp4",
    rater="r-1",
    attributes=[Attribute(name="camera shake", degree="severe", start=2, end=4, when="as the riders pass")],
    overall="The entire video exhibits noticeable compression artifacts.",
    in_context="The wheels are hard to make out.",
    level="fair",
)
ASKED = [
    ("How would you rate the quality of this video?", "The quality of this video is fair."),
    ("Does the camera shake at the end?", "Yes, between 6 and 8 seconds."),
    ("What is hard to make out? A. the wheels B. the sky", "B. the sky"),
    ("Why is the video blurred?", "Compression smooths fine texture away. " * 6),
    ("What would make it better?", "A higher bitrate."),
]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a new rater's browser. What it asks for is seen to the end: nothing may leave the machine."""
    context = browser.new_context(viewport=WINDOW, reduced_motion="reduce")  # type: ignore[arg-type]
    asked: list[str] = []
    errors: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    opened = context.new_page()
    opened.on("websocket", lambda socket: asked.append(socket.url))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.set_default_timeout(PATIENCE)
    yield opened
    context.cookies()  # all that was told before this answer has been heard
    away = [url for url in asked if urlsplit(url).scheme not in {"data", "blob", "file"}]
    assert {urlsplit(url).hostname for url in away} <= {"127.0.0.1"}
    assert errors == []
    opened.goto("about:blank")  # nothing goes on behind the next test


@pytest.fixture
def clips(label_studio: LiveServer, real_clips: dict[str, Path], tmp_path: Path) -> Path:
    """A folder below the server's document root with two real clips and their records, new for each test."""
    folder = label_studio.documents / tmp_path.name
    (folder / "clips").mkdir(parents=True)
    lines = []
    for name in ("bigbuckbunny", "bikes"):
        shutil.copyfile(real_clips[name], folder / "clips" / f"{name}.mp4")
        media = inspect(folder / "clips" / f"{name}.mp4", f"clips/{name}.mp4")
        lines.append(
            Record(id=f"mine/{name}.mp4", source="mine", licence="CC0-1.0", group=name, split="train", media=media)
        )
    write_rows(folder / "records.jsonl", lines)
    return folder


def write_rows(path: Path, rows: list[Any]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def brought(server: LiveServer, clips: Path, recipe: str, *more: object) -> tuple[Path, int]:
    """Make a project and bring it to the server: its folder, and its id there."""
    path, folder = clips / "recipe.yaml", clips / "project"
    path.write_text(
        f"{recipe}clips: {{records: records.jsonl, root: .}}\ncontrol: {{gold_share: 0, repeat_share: 0}}\n"
        "guidelines: Sit at arm's length from a screen at *full* brightness.\n"
    )
    run(server, "create", path, "--out", folder, "--document-root", server.documents, *more)
    run(server, "sync", folder, "--url", server.url)
    stored = read_on_server(folder)
    assert stored is not None
    return folder, stored.project_id


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def start_labeling(page: Page, server: LiveServer, project: int, kind: str) -> int:
    """Log in, read the instructions, and take the first task: its id on the server."""
    page.goto(f"{server.url}/user/login/")
    page.locator("[name=email]").fill(USER)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "login" not in url)
    page.goto(f"{server.url}/projects/{project}/data")
    page.get_by_role("button", name="Label All Tasks").click()
    instructions = page.get_by_text("Labeling Instructions")
    expect(instructions).to_be_visible()
    expect(page.get_by_text("What to do")).to_be_visible()
    picture(page, f"{kind}-instructions")
    page.keyboard.press("Escape")
    expect(instructions).to_be_hidden()
    expect(page.get_by_test_id("playback-button:play")).to_be_enabled()
    return int(page.locator(".lsf-current-task__task-id").inner_text().split()[0])


def plays(page: Page) -> None:
    """Play the clip for a while, and see the time and the picture move; then wind it back."""
    before = page.locator(".lsf-video-canvas").screenshot()
    at = "() => { const v = document.querySelector('video'); return [v.currentTime, v.paused, v.readyState] }"
    assert page.evaluate(at)[:2] == [0, True]
    page.get_by_test_id("playback-button:play").click()
    page.wait_for_function("() => document.querySelector('video').currentTime > 2")
    time, paused, _ = page.evaluate(at)
    assert (time > 2, paused) == (True, False)
    page.get_by_test_id("playback-button:pause").click()
    expect(page.get_by_test_id("playback-button:play")).to_be_visible()
    page.wait_for_function("() => document.querySelector('video').paused")
    assert page.locator(".lsf-video-canvas").screenshot() != before
    page.locator(".lsf-seeker").click(position={"x": 2, "y": 8})
    page.wait_for_function("() => document.querySelector('video').currentTime < 0.1")


def in_view(part: Locator) -> bool:
    """Whether all of it is in the window, with nothing over its edges."""
    return bool(
        part.evaluate(
            """part => {
                const { left, top, right, bottom } = part.getBoundingClientRect()
                const [x, y] = [(left + right) / 2, (top + bottom) / 2]
                const edges = [[x, top + 1], [x, bottom - 1], [left + 1, y], [right - 1, y]]
                return edges.every(edge => part.contains(document.elementFromPoint(...edge)))
            }"""
        )
    )


def draw(page: Page, problem: str, first: int, last: int) -> None:
    """Pick a problem and drag over the timeline with the mouse, from frame to frame."""
    page.locator(".lsf-label", has_text=problem).click()
    timeline = page.locator(".lsf-timeline-frames").bounding_box()
    assert timeline is not None
    x, y = timeline["x"] + NAMES_WIDTH + 10 * FRAME + FRAME / 4, timeline["y"] + 30
    page.mouse.move(x, y)
    shown = int(page.locator(".lsf-timeline-frames__hover").get_attribute("data-frame") or 0)
    left = x - shown * FRAME
    page.mouse.move(left + first * FRAME, y)
    page.mouse.down()
    page.mouse.move(left + (first + 1) * FRAME, y, steps=3)
    page.mouse.move(left + last * FRAME, y, steps=6)
    page.mouse.up()
    drawn = page.locator(".lsf-keypoints", has_text=problem)
    expect(drawn).to_have_attribute("data-start", str(first))
    expect(drawn).to_have_attribute("data-end", str(last))


def pick(page: Page, problem: str) -> None:
    page.locator(".lsf-keypoints", has_text=problem).locator(".lsf-keypoints__lifespan").click()
    expect(page.get_by_role("heading", name="The picked moment", exact=True)).to_be_visible()


def let_go(page: Page, problem: str) -> None:
    page.locator(".lsf-keypoints__name", has_text=problem).click()
    expect(page.get_by_role("heading", name="The picked moment", exact=True)).to_be_hidden()


def submit(page: Page) -> None:
    with page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST") as response:
        page.get_by_test_id("bottombar-submit-button").click()
    assert response.value.status == 201


def test_what_a_rater_enters_is_what_is_imported(label_studio: LiveServer, clips: Path, page: Page) -> None:
    title = "title: What is wrong with these clips\n"
    folder, project = brought(label_studio, clips, f"name: depicted-{clips.name}\nkind: depict\n{title}")
    task = start_labeling(page, label_studio, project, "depict")
    picture(page, "depict-empty")
    plays(page)

    draw(page, "motion blur", 5, 20)
    pick(page, "motion blur")
    # A problem picked now would rename the moment.
    expect(page.locator(".lsf-label", has_text="flicker")).to_be_hidden()
    page.get_by_role("radio", name="severe").click()
    page.locator("[name=when_text]").fill("as the first one comes by")
    page.locator("[name=where_text]").fill("on the left side")
    page.keyboard.press("Enter")
    picture(page, "depict-moment")
    page.locator("[name=score]").scroll_into_view_if_needed()
    assert in_view(page.locator(".lsf-video-canvas"))
    assert in_view(page.locator("[name=score]"))
    picture(page, "depict-scrolled")
    # The first text was never confirmed by Enter: it stays with its moment.
    let_go(page, "motion blur")
    draw(page, "flicker", 22, 29)
    pick(page, "flicker")
    page.keyboard.press("Alt+z")
    expect(page.get_by_role("radio", name="slight")).to_be_checked()
    let_go(page, "flicker")

    page.locator(".htx-taxonomy").click()
    noise = page.locator(".ant-select-tree-treenode", has_text="noise")
    noise.locator(".ant-select-tree-switcher").click()
    picture(page, "depict-throughout")
    page.locator(".ant-select-tree-treenode", has_text="noticeable").locator(".ant-select-tree-checkbox").click()
    page.keyboard.press("Escape")
    page.locator("[name=overall]").fill("Noticeable noise all through the video, and motion blur at its start.")
    page.locator("[name=in_context]").fill("What moves is smeared.")
    page.locator("[name=in_context]").press("Shift+Enter")
    page.locator("[name=ext_question]").fill("How could the blur be avoided?")
    page.locator("[name=ext_answer]").fill("By a shorter exposure.\nAnd more light.")
    page.get_by_test_id("bottombar-submit-button").click()
    expect(page.get_by_text("Pick the overall quality")).to_be_visible()
    page.get_by_role("button", name="OK").click()
    page.get_by_role("radio", name="poor").click()
    page.locator("[name=score]").fill("35")
    picture(page, "depict-filled")
    submit(page)
    other = page.locator(".lsf-current-task__task-id", has_not_text=str(task))
    expect(other).to_be_visible()
    with page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST"):
        page.get_by_role("button", name="Skip").click()

    done = imported(label_studio, folder)
    assert (done.submitted, done.skipped, done.raters, done.annotations) == (1, 1, 1, 1)
    assert oddities(folder) == []
    key = next(each["data"]["task_key"] for each in label_studio.dump(project) if each["id"] == task)
    by_task = {response.task: response for response in responses(folder).values()}
    (skipped,) = (response for response in by_task.values() if response.task != key)
    assert (skipped.state, skipped.annotation) == ("skipped", None)
    response = by_task[key]
    assert (response.state, response.changed, response.role) == ("submitted", None, "clip")
    assert response.record_id == read_roles(folder)[key].record_id
    assert response.seconds is not None
    assert response.seconds > 1
    assert response.annotation is not None
    (record,) = (row for row in records(clips) if row.id == response.record_id)
    assert record.media.fps == 25
    assert response.annotation == Annotation(
        id=response.annotation.id,
        clip=response.annotation.clip,
        rater=response.rater,
        at=response.annotation.at,
        sha256=record.media.sha256,
        attributes=[
            Attribute(name="noise", degree="noticeable"),
            Attribute(
                name="motion blur",
                degree="severe",
                start=4 / 25,
                end=20 / 25,
                when="as the first one comes by",
                where="on the left side",
            ),
            Attribute(name="flicker", degree="slight", start=21 / 25, end=29 / 25),
        ],
        overall="Noticeable noise all through the video, and motion blur at its start.",
        in_context="What moves is smeared.",
        conversations=[
            Conversation(question="How could the blur be avoided?", answer="By a shorter exposure.\nAnd more light.")
        ],
        level="poor",
        score=35.0,
    )
    page.goto((folder / GUIDELINES).as_uri())
    fits(page, "What is wrong with these clips", "guidelines")


def records(clips: Path) -> list[Record]:
    return [msgspec.json.decode(line, type=Record) for line in (clips / "records.jsonl").read_bytes().splitlines()]


def test_what_a_reviewer_says_is_what_is_imported(label_studio: LiveServer, clips: Path, page: Page) -> None:
    write_rows(clips / "known.jsonl", [DEPICTED])
    pairs = [
        Pair(
            id=f"p{index}",
            record_id=DEPICTED.clip,
            family="quality-centric",
            form="open",
            question=question,
            answer=answer,
            evidence=[f"annotation:{DEPICTED.id}"],
            generator="template:t",
        )
        for index, (question, answer) in enumerate(ASKED)
    ]
    write_rows(clips / "pairs.jsonl", pairs)
    recipe = f"name: reviewed-{clips.name}\nkind: review\npairs: pairs.jsonl\ntitle: Are these answers right\n"
    folder, project = brought(label_studio, clips, recipe, "--annotations", clips / "known.jsonl")
    start_labeling(page, label_studio, project, "review")
    expect(page.get_by_text(DEPICTED.overall)).to_be_visible()
    plays(page)
    box = page.locator(".vqa-box")
    expect(box).to_have_count(len(ASKED))
    page.keyboard.type("1qwex34")
    expect(page.locator("input:checked")).to_have_count(0)

    def judge(index: int, verdict: str) -> None:
        box.nth(index).get_by_role("radio", name=verdict, exact=True).click()

    def edit(index: int, part: int, words: str) -> None:
        region = box.nth(index).get_by_test_id("textarea-region").nth(part)
        region.hover()
        region.get_by_test_id("htx-textbox-edit-button").click()
        region.locator("textarea, input").fill(words)

    judge(0, "accept")
    edit(1, 0, "When does the camera shake?")
    edit(1, 1, "From 2 to 4 seconds.")
    picture(page, "review-editing")
    judge(1, "accept with edits")
    judge(2, "reject")
    page.get_by_test_id("bottombar-submit-button").click()
    expect(page.get_by_text("Say why a pair is rejected")).to_be_visible()
    page.get_by_role("button", name="OK").click()
    box.nth(2).get_by_role("checkbox", name="contradicts expert").click()
    box.nth(2).get_by_role("checkbox", name="wrong place").click()
    judge(3, "accept")
    box.last.get_by_role("radio", name="reject").scroll_into_view_if_needed()
    judge(4, "accept")
    assert in_view(page.locator(".lsf-video-canvas"))
    assert in_view(box.last)
    picture(page, "review-filled")
    submit(page)

    done = imported(label_studio, folder)
    assert (done.submitted, done.raters, done.verdicts) == (1, 1, len(ASKED))
    assert oddities(folder) == []
    (response,) = responses(folder).values()
    assert isinstance(response, Response)
    assert (response.state, response.changed, response.annotation) == ("submitted", True, None)
    assert response.verdicts == [
        Verdict(pair_id="p0", verdict="accept"),
        Verdict(pair_id="p1", verdict="edit", question="When does the camera shake?", answer="From 2 to 4 seconds."),
        Verdict(pair_id="p2", verdict="reject", reasons=["contradicts expert", "wrong place"]),
        Verdict(pair_id="p3", verdict="accept"),
        Verdict(pair_id="p4", verdict="accept"),
    ]
    page.goto((folder / GUIDELINES).as_uri())
    fits(page, "Are these answers right", "review-guidelines")


def test_the_page_of_agreement_fits_the_window(page: Page, tmp_path: Path) -> None:
    folder = write_answers(tmp_path / "project", simulate(4).answers)
    agree(folder, Thresholds())
    page.goto((folder / "agreement.html").as_uri())
    fits(page, "Agreement", "agreement")


def fits(page: Page, heading: str, name: str) -> None:
    """See that a page is headed so, and no wider than the window; and take a picture of all of it."""
    expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= WINDOW["width"]
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
