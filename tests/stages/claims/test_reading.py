"""What is read out of a text: times, places, and claims with degree, denial and scope."""

import pytest

from stages.claims.checks import claims_of
from stages.claims.lexicon import ATTRIBUTES
from stages.claims.places import where_in
from stages.claims.times import times_in
from stages.claims.words import stem_of
from stages.wording.taxonomy import MOTION, SPATIAL
from tests.stages.claims.known import known, pair


@pytest.mark.parametrize(
    ("text", "kind", "start", "end"),
    [
        ("from 1.0 s to 2.0 s", "span", 1, 2),
        ("between 1 and 2 seconds", "span", 1, 2),
        ("between the second and fourth second", "span", 2, 4),
        ("from 0:01 to 0:03", "span", 1, 3),
        ("2-4 s", "span", 2, 4),
        ("from 6 s until the end", "span", 6, 10),
        ("at 3 s", "point", 3, 3),
        ("at the 3-second mark", "point", 3, 3),
        ("at 00:03", "point", 3, 3),
        ("in the first half", "part", 0, 5),
        ("during the last two seconds", "span", 8, 10),
        ("near the end", "part", 6, 10),
        ("it starts at 3 s", "onset", 3, 10),
        ("it lasts until 4 s", "offset", 0, 4),
        ("throughout the video", "whole", 0, 10),
        ("from start to finish", "whole", 0, 10),
    ],
)
def test_times(text: str, kind: str, start: float, end: float) -> None:
    (found,) = times_in(text, 10.0)
    assert (found.kind, found.start, found.end) == (kind, start, end)


@pytest.mark.parametrize(
    "text", ["it lasts for about two seconds", "throughout the frame", "an 8-second clip", "one of them"]
)
def test_no_times(text: str) -> None:
    assert times_in(text, 10.0) == []


def test_places() -> None:
    corner = where_in("in the upper left corner")
    assert [*corner.rows, *corner.columns] == ["upper", "left"]
    assert where_in("over the entire frame").whole
    assert where_in("in the background").depth == "back"
    assert where_in("on the singer's face").things == {stem_of("person"), stem_of("face")}
    assert not where_in("right after the start it is left alone").says


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        ("It looks blurry.", {("spatial blur", True, None)}),
        ("There is severe stuttering and slight noise.", {("stuttering", True, "severe"), ("noise", True, "slight")}),
        ("The noise is barely visible.", {("noise", True, "slight")}),
        ("It flickers violently.", {("flicker", True, "severe")}),
        (
            "No noise, flicker or camera shake is visible.",
            {("noise", False, None), ("flicker", False, None), ("camera shake", False, None)},
        ),
        ("Without flicker, but grainy.", {("flicker", False, None), ("noise", True, None)}),
        ("There is no noise, and the picture is too dark.", {("noise", False, None), ("underexposure", True, None)}),
        ("Noise is not visible.", {("noise", False, None)}),
        ("The noise is not severe.", {("noise", True, "slight")}),
        ("It is not free of noise.", {("noise", True, None)}),
        ("The shot is rock steady.", {("camera shake", False, None)}),
        ("The dark wall stands in a traffic jam.", set()),
    ],
)
def test_claims(answer: str, claims: set[tuple[str, bool, str | None]]) -> None:
    found = claims_of(pair("What do you see?", answer), known(4))
    assert {(c.attribute, c.present, c.degree) for c in found} == claims


@pytest.mark.parametrize(
    ("question", "answer", "present"),
    [
        ("Is there noise? A. Yes B. No", "A. Yes", True),
        ("Is there noise? A. Yes B. No", "B. No", False),
        ("Is the picture free of noise?", "Yes.", False),
        ("Is the picture free of noise?", "No.", True),
    ],
)
def test_yes_and_no_make_claims(question: str, answer: str, present: bool) -> None:
    (claim,) = claims_of(pair(question, answer, "yes-no"), known(4))
    assert (claim.attribute, claim.present) == ("noise", present)


def test_a_claim_has_its_time_and_place() -> None:
    (claim,) = claims_of(pair("What is wrong?", "It freezes from 2 s to 3.5 s in the lower right corner."), known(4))
    assert (claim.attribute, claim.start, claim.end, claim.where) == ("stuttering", 2, 3.5, "lower right")


def test_every_word_of_the_taxonomy_names_itself() -> None:
    for name in (*SPATIAL, *MOTION):
        sense = ATTRIBUTES[name]
        assert sense is not None
        assert sense.covers == (name,)
