"""The page as a whole: a pure function of a corpus folder, so that the same corpus has the same bytes anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_builder.corpus import put_file
from dataset_builder.progress import Tracker, untracked
from dataset_builder.report import of_data, of_making
from dataset_builder.report.facts import gather_facts
from dataset_builder.report.markup import Html, code, document, lines, tag
from dataset_builder.report.pictures import Draw, Find, choose, draw_here, draw_pictures
from dataset_builder.report.style import STYLE
from schemas.manifest import Manifest
from schemas.notes import Notes

REPORT = "report.html"


@dataclass(frozen=True)
class Leaks:
    """What a search for leaks looked for, in words, and each leak that it found."""

    looked: Sequence[str]
    found: Sequence[str]


def report(
    corpus: Path,
    manifest: Manifest,
    notes: Notes,
    *,
    pictures: Find | None = None,
    leaks: Leaks | None = None,
    draw: Draw = draw_here,
    track: Tracker = untracked,
) -> str:
    """Write the page of a corpus folder.

    `pictures` gives the file of a clip by its media path; without it the page shows none, as it must where clips may
    not be passed on. A clip that cannot be drawn is told of, never raised. `draw` runs what draws them.
    Raises CallError where the folder is no corpus, DataError naming file and line of what is wrong in it.
    """
    samples = sum(sum(count.splits.values()) for count in manifest.configs.values())
    facts = gather_facts(corpus, manifest.configs, track("reading samples", samples))
    sheet = choose(facts)
    drawn = None if pictures is None else draw_pictures(sheet.clips(), pictures, draw)
    looked, found = (leaks.looked, leaks.found) if leaks else ((), None)
    sections = [
        ("contents", "Contents", of_data.contents(manifest, facts)),
        ("scores", "Scores and levels", of_data.scores(manifest, facts)),
        ("clips", "Clips and distortions", of_data.clips(facts)),
        ("pictures", "Contact sheet", of_data.contact_sheet(sheet, drawn)),
        ("words", "Words", of_data.words(manifest, facts)),
        ("splits", "Splits and leaks", of_data.splits(manifest, facts, found, looked)),
        ("raters", "Agreement of raters", of_making.raters(notes)),
        ("pairs", "Generators and reviewers", of_making.pairs(manifest)),
        ("costs", "Cost of language models", of_making.ledger(notes)),
        ("quarantine", "Quarantine", of_making.quarantine(manifest)),
        ("sources", "Sources, licences and terms", of_making.sources(manifest)),
        ("limits", "Known limits", of_making.known_limits(manifest)),
        ("recipe", "Recipe", of_making.recipe(manifest)),
    ]
    contents = [tag("li", tag("a", title, href=f"#{name}")) for name, title, _ in sections]
    body = [
        tag(
            "header",
            tag("h1", f"Report on {manifest.name}"),
            tag(
                "p",
                "Instruction samples for video quality assessment by large multimodal models. Recipe ",
                code(manifest.recipe_sha256[:16]),
                ".",
                class_="quiet",
            ),
        ),
        tag("nav", tag("h2", "On this page"), tag("ol", *contents), aria_label="On this page"),
        tag("main", lines(_section(*section) for section in sections)),
    ]
    return document(f"Report on {manifest.name}", STYLE, body)


def write_report(corpus: Path, page: str) -> None:
    """Write the page into a corpus folder. The manifest must be brought up to date with it."""
    put_file(corpus / REPORT, page.encode())


def _section(name: str, title: str, parts: Sequence[Html]) -> Html:
    return tag(
        "section", tag("h2", title, id=f"{name}-title"), "\n", lines(parts), id=name, aria_labelledby=f"{name}-title"
    )
