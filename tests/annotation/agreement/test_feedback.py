"""Feedback on gold clips: what raters are told, and who passes."""

import json
from pathlib import Path

import pytest

from annotation.agreement.feedback import feedback, look_at
from schemas.annotation import Annotation, Attribute
from schemas.errors import CallError
from stages.wording.taxonomy import DEGREES
from tests.annotation.agreement.made_up import write
from tests.annotation.agreement.test_agree import parts
from tests.annotation.agreement.test_measures import attribute, said
from tests.annotation.agreement.test_review import said as reviewed
from tests.conftest import Cli

HINTS = {"noise": "grain that changes from frame to frame"}
RECIPE = {"attributes": [{"name": name, "hint": hint} for name, hint in HINTS.items()]}
GOLD = [
    Annotation(id=f"g{i}", clip=f"c{i}", rater="gold", level="fair", score=50, attributes=[attribute("noise")])
    for i in range(4)
]


def of(level: str | None, *attributes: Attribute, score: float | None = None) -> Annotation:
    return Annotation(id="a", clip="a", rater="r", level=level, attributes=list(attributes), score=score)


def test_what_to_look_at() -> None:
    known = of("fair", attribute("noise", "slight"), attribute("camera shake", "severe", 1, 3), score=50)
    assert look_at(known, known, DEGREES, HINTS) == []
    assert look_at(of("high", attribute("spatial blur"), score=90), known, DEGREES, HINTS) == [
        "The level is fair; high is 2 levels better.",
        "The score is about 50; yours is 90.",
        "You did not name camera shake (severe from 1.0 to 3.0 s).",
        "You did not name noise (slight throughout): grain that changes from frame to frame.",
        "You named spatial blur, which the known answer has not.",
    ]
    told = look_at(of("poor", attribute("noise"), attribute("camera shake", "severe", 2.5, 6)), known, DEGREES, HINTS)
    assert told == [
        "The level is fair; poor is 1 level worse.",
        "The camera shake is there from 1.0 to 3.0 s; you marked from 2.5 to 6.0 s.",
        "The noise is slight, not severe.",
    ]
    assert look_at(of(None, attribute("noise", "slight"), attribute("camera shake")), known, DEGREES, HINTS) == [
        "Set the level: it is fair.",
        "The camera shake is there from 1.0 to 3.0 s.",
    ]


def test_what_is_not_known_is_not_asked() -> None:
    assert look_at(of("low", attribute("noise"), score=3), of(None), DEGREES, HINTS) == []


def project(folder: Path, **more: object) -> Path:
    """Four gold clips: `good` has three right, `bad` two, `slow` has done two of them, both right."""
    said_of = {"good": (2, 2, 3, 0), "bad": (2, 2, 0, 0), "slow": (2, 2)}
    responses = [
        said(f"c{clip}", rater, level, 50, (attribute("noise"),), role="gold")
        for rater, levels in said_of.items()
        for clip, level in enumerate(levels)
    ]
    return write(folder, responses, GOLD, recipe=RECIPE, **more)


def test_who_passes(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", qualification=True)
    found = {rater.rater: rater for rater in feedback(folder)}
    assert {name: (rater.passed, rater.right, rater.done) for name, rater in found.items()} == {
        "good": (True, 3, 4),
        "bad": (False, 2, 4),
        "slow": (None, 2, 2),
    }
    assert found["good"].least_right == 3
    assert [clip.right for clip in found["good"].clips] == [True, True, True, False]
    assert {rater.rater: rater.passed for rater in feedback(folder, 0.5)} == {"good": True, "bad": True, "slow": None}
    assert len(json.loads((folder / "feedback.json").read_bytes())) == 3


def test_a_page_for_each_rater_alone(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", qualification=True, title="Trial <i>")
    for rater in feedback(folder):
        page = parts(folder / rater.page)
        text = " ".join(page.text)
        assert not page.loads
        assert f"Trial <i>: feedback for {rater.rater}" in text
        assert {None: "not finished", True: "passed", False: "not passed"}[rater.passed] in text
        for clip in rater.clips:
            assert clip.record_id in text
            assert all(point in text for point in clip.look_at)
        for other in {"good", "bad", "slow"} - {rater.rater}:
            assert f"for {other}" not in text


def test_raters_cannot_leave_the_folder(tmp_path: Path) -> None:
    responses = [said("c0", "../../evil", 2, 50, role="gold"), said("c0", "über", 2, 50, role="gold")]
    folder = write(tmp_path / "p", responses, GOLD[:1], qualification=True)
    pages = {rater.page for rater in feedback(folder)}
    assert len(pages) == 2
    assert sorted(f"feedback/{path.name}" for path in (folder / "feedback").iterdir()) == sorted(pages)


def test_gold_that_is_in_use_is_not_shown(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    with pytest.raises(CallError, match="is no qualification project"):
        feedback(folder)
    assert not (folder / "feedback").exists()
    assert len(feedback(folder, reveal_gold=True)) == 3
    with pytest.raises(CallError, match="has no gold clips"):
        feedback(write(tmp_path / "q", [said("a", "r", 1)], qualification=True))
    with pytest.raises(CallError, match="has no gold clips"):
        feedback(write(tmp_path / "r", [reviewed("r", p="accept")], kind="review", qualification=True))
    with pytest.raises(CallError, match="--pass"):
        feedback(folder, 0, reveal_gold=True)


def test_the_command_line(tmp_path: Path, vqa2: Cli) -> None:
    folder = project(tmp_path / "p", qualification=True)
    shown = vqa2("annotate", "feedback", folder)
    assert shown.returncode == 0, shown.stderr
    assert "good: passed (3 of 4 right, 3 of 4 needed)" in shown.stdout
    assert "slow: not finished" in shown.stdout
    found = json.loads(vqa2("annotate", "feedback", folder, "--pass", "0.5", "--json").stdout)
    assert {rater["rater"]: rater["passed"] for rater in found["raters"]} == {"good": True, "bad": True, "slow": None}
    refused = vqa2("annotate", "feedback", project(tmp_path / "q"))
    assert refused.returncode == 2
    assert "--reveal-gold" in refused.stderr
