"""The results of one annotation: what was said, and every oddity a finding while the rest is kept."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.depictions import Depiction, read_depiction, same_depiction
from annotation.results import Finding
from annotation.reviews import NO_REASON, read_review
from annotation.timeline import seconds_of
from schemas.annotation import Attribute, Conversation
from schemas.response import Verdict
from tests.annotation import exported as ex

DEPICT, REVIEW = ex.form(), ex.form("review")
PAIRS = [pair for pair, _, _ in ex.REVIEWED]
ENOUGH = [ex.text("overall", "It is fine."), ex.level("good")]


def depicted(results: Any, frames: int | None = 300) -> tuple[Depiction, list[Finding]]:
    return read_depiction(results, DEPICT, Fraction(30), frames)


def reviewed(results: Any, shown: Any = None) -> tuple[list[Verdict], bool, list[Finding]]:
    return read_review(results, ex.words() if shown is None else shown, PAIRS, REVIEW)


def test_everything_that_was_said_is_read() -> None:
    said, odd = depicted(ex.full())
    assert odd == []
    assert said == Depiction(
        attributes=[
            Attribute(name="compression blur", degree="severe"),
            Attribute(name="camera shake", degree="noticeable"),
            Attribute(
                name="motion blur",
                degree="severe",
                start=119 / 30,
                end=6.0,
                when="when the person jumps",
                where="on the left",
            ),
        ],
        overall="The entire video exhibits severe compression blur.",
        in_context="The faces are hard to see.",
        conversations=[Conversation(question="How can it be avoided?", answer="With more bits.")],
        level="poor",
        score=35.0,
    )


@pytest.mark.parametrize(
    ("results", "what", "kept"),
    [
        (
            ex.segment("r1", "noise", None, 1, 9),
            "segment 'r1': no degree: 'noise' at 0 to 0.3",
            "without this segment",
        ),
        (ex.segment("r1", "fog", "severe", 1, 9), "attribute of segment 'r1': \"fog\" is not among its words", ""),
        (ex.segment("r1", "noise", "awful", 1, 9), "degree of segment 'r1': \"awful\" is not among its words", ""),
        (ex.segment("r1", "noise", "severe", 301, 320), "frames 301 to 320 of a clip of 300 frames", "without this"),
        (ex.segment("r1", "noise", "severe", 9, 3), "frames 9 to 3", "without this segment"),
        (ex.segment("r1", "noise", "severe", 1, 9)[1:], "segment 'r1': no attribute, only degree", "without it"),
        ([ex.result("degree", "choices", {"choices": ["severe"]}) | {"id": None}], "belongs to no segment", "rest"),
        ([ex.throughout(["noise"])], "throughout: 'noise' without a degree", "without this attribute"),
        ([ex.throughout(["noise", "awful"])], 'throughout: ["noise","awful"] is not among its words', "the rest"),
        ([ex.result("throughout", "taxonomy", {})], "throughout: null is not among its words", "the rest"),
        ([ex.text("in_context", "  ")], "in_context: blank", "the rest"),
        ([ex.text("ext_question", "Why?")], '1 questions and 0 answers: ["Why?"]', "without the conversation"),
        ([ex.result("score", "number", {"number": 135})], "score: 135 is no number on 0 to 100", "the rest"),
        ([ex.result("score", "number", {"number": "35"})], 'score: "35" is no number', "the rest"),
        ([ex.result("scroe", "number", {"number": 35})], 'the config has no control "scroe": {"number":35}', "rest"),
        ([ex.result("score", "rating", {"rating": 4})], 'score: a result of type "rating", not number', "rest"),
        ([{"type": "relation", "from_id": "a", "to_id": "b"}], "no result: {", "the rest"),
        ([None], "no result: null", "the rest"),
        (
            [ex.result("score", "number", {"number": 35}), ex.result("score", "number", {"number": 40})],
            "score: 2 numbers, 35, 40",
            "none of them",
        ),
    ],
)
def test_what_cannot_be_read_is_told_and_the_rest_is_kept(results: list[Any], what: str, kept: str) -> None:
    said, odd = depicted([*ENOUGH, *results])
    assert any(what in each.what and kept in each.kept for each in odd), odd
    assert said == Depiction([], "It is fine.", "", [], "good", None)


def test_several_levels_are_none() -> None:
    said, odd = depicted([ENOUGH[0], ex.level("good", "fair")])
    assert said.level is None
    assert odd == [Finding("level: 2 levels, good, fair", "none of them")]
    said, odd = depicted([*ENOUGH, ex.level("good")])
    assert (said.level, odd) == ("good", [])


def test_what_was_required_and_not_answered_is_told_of_what_is_finished() -> None:
    _, odd = depicted([])
    assert [each.what for each in odd] == [
        "overall: not answered, though required",
        "level: not answered, though required",
    ]
    _, odd = read_depiction([], DEPICT, Fraction(30), 300, finished=False)
    assert odd == []


@pytest.mark.parametrize("degrees", [["slight", "severe"], ["severe", "slight"], ["severe", "noticeable", "slight"]])
def test_of_several_degrees_the_strongest_is_kept(degrees: list[str]) -> None:
    said, odd = depicted([*ENOUGH, ex.throughout(*(["noise", degree] for degree in degrees))])
    assert said.attributes == [Attribute(name="noise", degree="severe")]
    assert len(odd) == len(degrees) - 1
    assert all("'noise' throughout twice" in each.what and each.kept == "the stronger, severe" for each in odd)
    region = ex.segment("r1", "noise", None, 1, 30)
    picked = ex.result("degree", "choices", {"choices": degrees}, "r1")
    said, odd = depicted([*ENOUGH, *region, picked])
    assert said.attributes == [Attribute(name="noise", degree="severe", start=0.0, end=1.0)]
    assert [each.kept for each in odd] == ["the stronger, severe"]


def test_the_same_moment_twice_is_one() -> None:
    one = ex.segment("r1", "noise", "slight", 1, 30)
    other = ex.segment("r2", "noise", "moderate", 1, 30)
    said, odd = depicted([*ENOUGH, *one, *other])
    assert said.attributes == [Attribute(name="noise", degree="moderate", start=0.0, end=1.0)]
    assert odd == [Finding("'noise' at 0 to 1 s twice: slight and moderate", "the stronger, moderate")]


@pytest.mark.parametrize(
    ("span", "kept"), [((280, 320), (280, 300)), ((0, 30), (1, 30)), ((-5, 400), (1, 300)), ((10.5, 20.25), (10, 21))]
)
def test_a_range_beyond_the_clip_is_cut_to_it(span: tuple[Any, Any], kept: tuple[int, int]) -> None:
    said, odd = depicted([*ENOUGH, *ex.segment("r1", "noise", "slight", *span)])
    start, end = seconds_of(*kept, Fraction(30))
    assert said.attributes == [Attribute(name="noise", degree="slight", start=start, end=end)]
    assert [each.kept for each in odd] == [f"frames {kept[0]} to {kept[1]}"]


def test_a_segment_of_two_attributes_and_two_ranges_is_four() -> None:
    ranges = [{"start": 1, "end": 30}, {"start": 61, "end": 90}]
    marked = ex.result(
        "attribute", "timelinelabels", {"ranges": ranges, "timelinelabels": ["noise", "motion blur"]}, "r1"
    )
    picked = ex.result("degree", "choices", {"choices": ["slight"]}, "r1")
    said, odd = depicted([*ENOUGH, marked, picked])
    assert [(a.name, a.start) for a in said.attributes] == [
        ("noise", 0.0),
        ("noise", 2.0),
        ("motion blur", 0.0),
        ("motion blur", 2.0),
    ]
    assert odd == [Finding("segment 'r1': 4 attributes or ranges", "one attribute for each")]


def test_several_texts_are_lines_and_addresses_are_taken_out() -> None:
    said, odd = depicted([ex.text("overall", "One.", "Two, says a.b@example.org!"), ENOUGH[1]])
    assert said.overall == "One.\nTwo, says [e-mail address]!"
    assert sorted(each.what for each in odd) == ["overall: 2 texts", "overall: an e-mail address"]


def test_several_questions_with_as_many_answers_are_conversations() -> None:
    said, odd = depicted([*ENOUGH, ex.text("ext_question", "Why?", "How?"), ex.text("ext_answer", "So.", "Thus.")])
    assert [(c.question, c.answer) for c in said.conversations] == [("Why?", "So."), ("How?", "Thus.")]
    assert odd == []


def test_no_frame_rate_costs_the_segments_alone() -> None:
    said, odd = read_depiction(ex.full(), DEPICT, None, 300)
    assert [a.name for a in said.attributes] == ["compression blur", "camera shake"]
    assert len(odd) == 1
    assert "no frame rate" in odd[0].what


def test_order_and_white_space_are_no_difference() -> None:
    said, _ = depicted(ex.full())
    other = [each for each in reversed(ex.full()) if each["from_name"] != "overall"]
    again, _ = depicted([*other, ex.text("overall", " The entire  video\nexhibits severe compression blur. ")])
    assert same_depiction(said, again)
    for changed in (ex.level("fair"), ex.text("overall", "Other."), ex.throughout(["noise", "slight"])):
        rest = [each for each in ex.full() if each["from_name"] != changed["from_name"]]
        assert not same_depiction(said, depicted([*rest, changed])[0])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(ex.WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "choices", "ranges", "timelinelabels", "taxonomy", "number", "start", "end", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
CONTROLS = [*sorted(DEPICT.controls), "question_0", "answer_0", "verdict_0", "reason_0", "verdict_7", "x"]
RESULTS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["r1", "r2", None]),
            "from_name": st.sampled_from(CONTROLS) | JSON,
            "type": st.sampled_from(["timelinelabels", "choices", "taxonomy", "textarea", "number"]) | JSON,
            "value": JSON,
        }
    )
    | JSON,
    max_size=6,
)


@given(RESULTS | JSON)
def test_nothing_that_a_server_can_hold_makes_it_fail(results: Any) -> None:
    said, odd = depicted(results)
    assert same_depiction(said, depicted(results)[0])
    given_something = isinstance(results, list) and bool(results)
    assert odd or given_something
    verdicts, _, _ = reviewed(results, results)
    assert {each.pair_id for each in verdicts} <= set(PAIRS)


SEGMENTS = st.lists(
    st.tuples(
        st.sampled_from(ex.WORDS),
        st.sampled_from(DEPICT.degrees),
        st.integers(1, 300),
        st.integers(0, 299),
        st.none() | st.text(min_size=1, max_size=5).filter(lambda t: t.strip() and "@" not in t),
    ),
    max_size=8,
    unique_by=lambda s: (s[0], s[2], min(300, s[2] + s[3])),
)


@given(SEGMENTS, st.randoms(use_true_random=False))
def test_regions_come_back_whole_from_results_in_any_order(segments: list[Any], order: Any) -> None:
    results = []
    expected = []
    for index, (name, degree, start, length, when) in enumerate(segments):
        end = min(300, start + length)
        results += ex.segment(f"r{index}", name, degree, start, end, **({} if when is None else {"when_text": when}))
        t0, t1 = seconds_of(start, end, Fraction(30))
        expected.append(Attribute(name=name, degree=degree, start=t0, end=t1, when=when))
    results += ENOUGH
    order.shuffle(results)
    said, odd = depicted(results)
    assert sorted(said.attributes, key=repr) == sorted(expected, key=repr)
    assert odd == []


@pytest.mark.parametrize(
    ("results", "verdict", "odd"),
    [
        ([*ex.words(), ex.verdict(0, "accept")], Verdict(pair_id="p1", verdict="accept"), ""),
        (
            [*ex.words(answer_0="No."), ex.verdict(0, "accept with edits")],
            Verdict(pair_id="p1", verdict="edit", question="Is it noisy?", answer="No."),
            "",
        ),
        (
            [*ex.words(answer_0="No."), ex.verdict(0, "accept")],
            Verdict(pair_id="p1", verdict="edit", question="Is it noisy?", answer="No."),
            "pair 'p1': accepted, with changed words",
        ),
        (
            [*ex.words(answer_0=" Yes.\n"), ex.verdict(0, "accept with edits")],
            Verdict(pair_id="p1", verdict="accept"),
            "pair 'p1': accepted with edits, with the words that it had",
        ),
        (
            [*ex.words(), ex.verdict(0, "reject"), ex.reason(0, "not visible", "duplicate")],
            Verdict(pair_id="p1", verdict="reject", reasons=["not visible", "duplicate"]),
            "",
        ),
        (
            [*ex.words(), ex.verdict(0, "reject")],
            Verdict(pair_id="p1", verdict="reject", reasons=[NO_REASON]),
            "pair 'p1': rejected without a reason",
        ),
        (
            [*ex.words(), ex.verdict(0, "reject"), ex.reason(0, "boring")],
            Verdict(pair_id="p1", verdict="reject", reasons=[NO_REASON]),
            "reason of pair 'p1': \"boring\" is not among its words",
        ),
        (
            [*ex.words(question_0="Is it loud?"), ex.verdict(0, "reject"), ex.reason(0, "not visible")],
            Verdict(pair_id="p1", verdict="reject", reasons=["not visible"]),
            "pair 'p1': rejected, with changed words",
        ),
        (
            [*ex.words(), ex.verdict(0, "accept"), ex.reason(0, "not visible")],
            Verdict(pair_id="p1", verdict="accept"),
            "pair 'p1': accepted, with reasons to reject: not visible",
        ),
        ([*ex.words(answer_0="No.")], None, "pair 'p1': no verdict, and changed words"),
        ([*ex.words(), ex.verdict(0, "accept", "reject")], None, "pair 'p1': 2 verdicts, accept, reject"),
        ([*ex.words(), ex.verdict(0, "fine")], None, "verdict of pair 'p1': \"fine\" is not among its words"),
        (
            [*ex.words(answer_0=" "), ex.verdict(0, "accept")],
            None,
            "pair 'p1': accepted, with its answer taken out",
        ),
        ([ex.verdict(0, "accept")], Verdict(pair_id="p1", verdict="accept"), "pair 'p1': accepted, without its words"),
        ([ex.verdict(0, "accept with edits")], None, "pair 'p1': accepted with edits, without any words"),
    ],
)
def test_words_count_and_not_what_is_said_of_them(results: list[Any], verdict: Verdict | None, odd: str) -> None:
    others = [ex.verdict(1, "accept"), ex.verdict(2, "accept")]
    known = [each for each in ex.words() if each["from_name"][-1] != "0"]
    sent = results if len(results) > 1 else [*results, *known]
    verdicts, _, findings = reviewed([*sent, *others])
    assert [each for each in verdicts if each.pair_id == "p1"] == ([verdict] if verdict else [])
    assert [each.verdict for each in verdicts if each.pair_id != "p1"] == ["accept", "accept"]
    assert (odd in [each.what for each in findings]) if odd else findings == []


def test_a_review_is_changed_by_any_other_word() -> None:
    all_accepted = [ex.verdict(index, "accept") for index in range(3)]
    assert reviewed([*ex.words(), *all_accepted])[1] is False
    assert reviewed([*ex.words(question_2="Who else?"), *all_accepted])[1] is True


def test_a_verdict_on_a_pair_that_is_not_there_is_told() -> None:
    _, _, odd = reviewed([*ex.words(), *(ex.verdict(index, "accept") for index in range(4))])
    assert [each.what for each in odd] == ["verdict_3: the task has 3 pairs"]
