"""The report in a real browser: it asks for nothing, fits phone and screen, and shows its plots and pictures.

Pictures of it are kept in `build/screenshots`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from dataset_builder.notes import read_notes
from dataset_builder.report.page import REPORT, report
from tests.browser import PATIENCE
from tests.conftest import ROOT
from tests.dataset_builder.test_report import SECTIONS, made

pytestmark = pytest.mark.full
PICTURES = ROOT / "build" / "screenshots"
WIDTHS = {"phone": 400, "screen": 1600}


@pytest.fixture(params=["a build", "made up"])
def written(request: pytest.FixtureRequest, corpus: Path, tmp_path: Path) -> Path:
    """A page that a build wrote, and one that has something in every section."""
    if request.param == "a build":
        return corpus / REPORT
    manifest = made(tmp_path / "made")
    path = tmp_path / "made" / REPORT
    find = (tmp_path / "made").joinpath
    path.write_text(report(tmp_path / "made", manifest, read_notes(tmp_path / "made"), pictures=find))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", WIDTHS)
def test_it_fits_and_shows_all_of_itself(browser: Browser, written: Path, device: str, scheme: str) -> None:
    width = WIDTHS[device]
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    asked: list[str] = []
    said: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_default_timeout(PATIENCE)
    page.goto(written.as_uri())
    name = "report" if written.parent.name == "made" else "report-build"
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}-{device}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert [box for box in boxes(page, "section") if box["width"] < 0.7 * width or box["height"] < 40] == []
    assert [box for box in boxes(page, "svg.plot") if box["width"] < 250 or box["height"] < 50] == []
    assert len(boxes(page, "svg.plot")) >= 2
    sizes = page.evaluate("[...document.images].map(image => [image.complete, image.naturalWidth, image.width])")
    assert len(sizes) >= 4
    assert all(complete and natural > 0 and shown > 30 for complete, natural, shown in sizes)
    ink, paper = (luminance(page, of) for of in ("color", "background-color"))
    assert ink - paper > 120 if scheme == "dark" else paper - ink > 120
    assert [
        heading[1:] for heading in page.evaluate("[...document.querySelectorAll('nav a')].map(a => a.hash)")
    ] == SECTIONS
    for section in SECTIONS:
        assert page.locator(f"#{section} h2").count() == 1
    assert [url for url in asked if not url.startswith("data:image/jpeg")] == [written.as_uri()]
    assert said == []


def test_it_prints_in_dark_ink_on_white(browser: Browser, written: Path, tmp_path: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(written.as_uri())
    page.emulate_media(media="print")
    assert luminance(page, "color") < 80
    assert luminance(page, "background-color") == 255
    assert page.locator("nav").is_hidden()
    assert page.pdf(path=tmp_path / "page.pdf").startswith(b"%PDF")


def boxes(page: Page, selector: str) -> list[dict[str, float]]:
    """Where the elements are, but those that are folded away."""
    found = [one.bounding_box() for one in page.locator(selector).all()]
    return [{"width": box["width"], "height": box["height"]} for box in found if box]


def luminance(page: Page, of: str) -> float:
    """How bright a colour of the page's body is, 0 to 255."""
    colour = page.evaluate(f"getComputedStyle(document.body).getPropertyValue('{of}').match(/[\\d.]+/g).map(Number)")
    return float(sum(colour[:3]) / 3)
