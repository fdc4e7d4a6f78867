"""Each check doubts what it should, by its own name, and lets pass what it should not."""

import pytest
from msgspec.structs import replace

from schemas.annotation import Annotation, Attribute, Conversation
from schemas.pair import Family, Form
from schemas.record import Distortion
from stages.claims.checks import CHECKS, Checker, claims_of, doubts_of
from stages.claims.claim import Known
from stages.claims.duplicates import near_duplicates
from tests.stages.claims.known import known, pair, record

YES_NO: Form = "yes-no"
CHOICE: Form = "multiple-choice"
FLICKER, SHAKE = 0, 1
"""Notes: slight noise throughout and severe flicker on the left from 1 s to 3 s; shake and an overexposed window."""


@pytest.mark.parametrize(
    ("index", "question", "answer", "form", "check"),
    [
        (FLICKER, "What harms this video?", "Strong camera shake makes it hard to watch.", "open", "attribute"),
        (FLICKER, "Describe the video.", "There is no flicker at all.", "open", "attribute"),
        (FLICKER, "How strong is the flicker?", "It is mild.", "open", "degree"),
        (FLICKER, "How strong is the flicker?", "It is barely visible.", "open", "degree"),
        (FLICKER, "What could have caused the slight flickering?", "A faulty lamp.", "open", "degree"),
        (FLICKER, "When does the video flicker?", "Near the end of the clip.", "open", "time"),
        (FLICKER, "When does the video flicker?", "At 00:09.", "open", "time"),
        (FLICKER, "When does the video flicker?", "Between the sixth and eighth second.", "open", "time"),
        (FLICKER, "When does the video flicker?", "It never stops.", "open", "time"),
        (FLICKER, "Where does the video flicker?", "On the right side.", "open", "place"),
        (FLICKER, "Where does the video flicker?", "Over the entire frame.", "open", "place"),
        (FLICKER, "How good is the quality?", "The quality of this video is good.", "open", "level"),
        (FLICKER, "Rate the quality. A. Low B. Poor C. Fair D. Good", "C. Fair", CHOICE, "level"),
        (FLICKER, "What is the main problem here?", "The noise.", "open", "main"),
        (FLICKER, "How strong is the noise? A. Mild B. Slight C. Severe D. Moderate", "B. Slight", CHOICE, "options"),
        (FLICKER, "How strong is the noise? A. Slight C. Severe D. Moderate", "A. Slight", CHOICE, "options"),
        (FLICKER, "How strong is the noise? A. Slight B. Severe C. Severe", "A. Slight", CHOICE, "options"),
        (FLICKER, "How strong is the noise? A. Slight B. Severe C. Moderate", "B. Slight", CHOICE, "options"),
        (FLICKER, "How strong is the noise? A. Slight B. Severe C. Moderate", "Overwhelming", CHOICE, "options"),
        (FLICKER, "How strong is the noise?", "Slight.", CHOICE, "options"),
        (FLICKER, "Is there any noise in the video?", "No.", YES_NO, "yes-no"),
        (FLICKER, "Is the video free of noise?", "Yes, it is.", YES_NO, "yes-no"),
        (FLICKER, "Is the noise severe? A. Yes B. No", "A. Yes", YES_NO, "yes-no"),
        (FLICKER, "Is the flicker severe? A. Yes B. No", "B. No", YES_NO, "yes-no"),
        (FLICKER, "Is there any noise in the video?", "A lovely sunset.", YES_NO, "yes-no"),
        (FLICKER, "Which problem flickers, the severe flicker?", "The severe flicker.", "open", "leak"),
        (
            FLICKER,
            "Was ist das stärkste Problem?",
            "Das Bild ist zu dunkel und rauscht überall sehr stark, immer.",
            "open",
            "language",
        ),
        (FLICKER, "這個影片的品質如何，有什麼問題？", "It flickers severely.", "open", "language"),
        (
            FLICKER,
            "What harms this video?",
            "It flickers severely. See https://example.org for more.",
            "open",
            "length",
        ),
        (FLICKER, "What harms this video?", "As an AI language model I see severe flicker.", "open", "length"),
        (FLICKER, "What harms this video?", "The <attribute> is severe flicker.", "open", "length"),
        (FLICKER, "What harms this video?", "The annotator names severe flicker.", "open", "length"),
        (FLICKER, "What harms this video?", "flicker " * 300, "open", "length"),
        (SHAKE, "Which area is too bright?", "The lower left corner of the frame.", "open", "place"),
    ],
)
def test_a_wrong_pair_is_doubted_by_name(index: int, question: str, answer: str, form: Form, check: str) -> None:
    doubts = doubts_of(pair(question, answer, form), known(index))
    assert check in {doubt.check for doubt in doubts}, doubts
    assert {doubt.check for doubt in doubts} <= set(CHECKS)
    assert all(doubt.why for doubt in doubts)


@pytest.mark.parametrize(
    ("index", "question", "answer", "form", "family"),
    [
        (FLICKER, "How strong is the flicker?", "It is extreme.", "open", "quality-centric"),
        (FLICKER, "How strong is the noise?", "There is a faint grain.", "open", "quality-centric"),
        (FLICKER, "Is the noise severe?", "No, it is only slight.", YES_NO, "quality-centric"),
        (FLICKER, "Is the video free of noise?", "No, a little grain is visible.", YES_NO, "quality-centric"),
        (FLICKER, "Does the camera shake?", "No, the shot is steady.", YES_NO, "quality-centric"),
        (FLICKER, "When does the video flicker?", "Between the first and third second.", "open", "temporal-centric"),
        (FLICKER, "When does the video flicker?", "At 00:02, while it rains.", "open", "temporal-centric"),
        (FLICKER, "Is there any flicker after 5 s?", "No.", YES_NO, "temporal-centric"),
        (
            FLICKER,
            "Where does the video flicker?",
            "On the left-hand side of the picture.",
            "open",
            "in-context-centric",
        ),
        (FLICKER, "Is there flicker, and how strong is it?", "Yes, it is severe.", YES_NO, "quality-centric"),
        (FLICKER, "What is the main problem here?", "The severe flicker.", "open", "quality-centric"),
        (FLICKER, "Rate the quality. A. Low B. Poor C. Fair D. Good", "B. Poor", CHOICE, "quality-centric"),
        (FLICKER, "What helps against the flicker?", "Use a tripod to avoid shake.", "open", "extended-conversation"),
        (
            SHAKE,
            "Is the footage blurry?",
            "No, it is not blurry, but shaky and partly too bright.",
            YES_NO,
            "quality-centric",
        ),
        (SHAKE, "Which area is too bright?", "The top right corner.", "open", "in-context-centric"),
    ],
)
def test_a_right_pair_passes(index: int, question: str, answer: str, form: Form, family: Family) -> None:
    assert doubts_of(pair(question, answer, form, family), known(index)) == []


def test_advice_may_name_what_it_prevents_but_a_premise_is_checked() -> None:
    def ask(question: str) -> set[str]:
        wrong = pair(question, "Use a tripod to avoid shake.", family="extended-conversation")
        return {doubt.check for doubt in doubts_of(wrong, known(FLICKER))}

    assert ask("What helps against the flicker?") == set()
    assert ask("What helps against the severe overexposure?") == {"attribute"}


def test_what_anybody_says_counts_as_named() -> None:
    quiet = Annotation(id="q", clip="c", rater="r", attributes=[Attribute(name="noise", degree="slight")])
    other = Annotation(id="o", clip="c", rater="s", overall="The camera shakes a lot.")
    shaky = pair("What harms this video?", "The camera shakes.")
    assert [d.check for d in doubts_of(shaky, Known(record=record(), annotations=[quiet]))] == ["attribute"]
    assert doubts_of(shaky, Known(record=record(), annotations=[quiet, other])) == []


def test_a_name_of_the_experts_own_is_an_attribute() -> None:
    odd = Annotation(id="o", clip="c", rater="r", attributes=[Attribute(name="odd swirls", degree="severe")])
    clip = Known(record=record(), annotations=[odd])
    assert [c.attribute for c in claims_of(pair("What is seen?", "Severe odd swirls."), clip)] == ["odd swirls"]
    assert [d.check for d in doubts_of(pair("What is seen?", "Slight odd swirls."), clip)] == ["degree"]


def test_an_experts_own_words_are_not_doubted() -> None:
    talk = Conversation(question="Why is the wall grainy?", answer="A cheap sensor makes the wall crawl with noise.")
    note = Annotation(
        id="n",
        clip="c",
        rater="r",
        attributes=[Attribute(name="noise", degree="slight")],
        overall="Heavy noise sits on the wall near the end.",
        conversations=[talk],
    )
    clip = Known(record=record(), annotations=[note])
    assert doubts_of(pair(talk.question, talk.answer, family="extended-conversation"), clip) == []
    assert doubts_of(pair("What is wrong with it?", note.overall), clip) == []
    assert [d.check for d in doubts_of(pair("What is wrong?", "Heavy noise is seen."), clip)] == ["degree"]


def test_a_place_of_another_attribute_is_not_this_ones() -> None:
    seen = [
        Attribute(name="noise", degree="slight", where="on the wall"),
        Attribute(name="flicker", degree="slight", where="on the boat"),
    ]
    clip = Known(record=record(), annotations=[Annotation(id="n", clip="c", rater="r", attributes=seen)])
    assert [d.check for d in doubts_of(pair("What is seen?", "There is slight noise on the boat."), clip)] == ["place"]
    assert doubts_of(pair("What is seen?", "There is slight noise on the wall."), clip) == []


def test_back_and_front_are_apart() -> None:
    assert doubts_of(pair("What is seen?", "The contrast in the background is slightly flat."), known(6)) == []
    wrong = pair("What is seen?", "There is slight low contrast in the foreground.")
    assert [d.check for d in doubts_of(wrong, known(6))] == ["place"]


def test_ground_truth_counts_as_named() -> None:
    noisy = Distortion(name="noise", severity=1, start=2.0, end=4.0)
    clip = Known(record=record(distortions=[noisy]))
    assert doubts_of(pair("What is seen?", "Slight noise from 2 s to 4 s."), clip) == []
    assert [d.check for d in doubts_of(pair("What is seen?", "Severe noise."), clip)] == ["degree"]
    assert [d.check for d in doubts_of(pair("What is seen?", "There is no noise."), clip)] == ["attribute"]
    assert [d.check for d in doubts_of(pair("What is seen?", "There is no noise."), Known(record=record()))] == []
    assert "noise" not in Checker(clip).unnamed()
    assert "flicker" in Checker(clip).unnamed()


def test_a_choice_is_not_given_away() -> None:
    options = "A. Slight B. Severe C. Moderate"
    given = pair(f"How strong is the slight noise? {options}", "A. Slight", CHOICE)
    assert [d.check for d in doubts_of(given, known(FLICKER))] == ["leak"]
    assert doubts_of(pair(f"How strong is the noise? {options}", "A. Slight", CHOICE), known(FLICKER)) == []


def test_an_image_is_not_asked_as_a_video() -> None:
    note = Annotation(id="n", clip="c", rater="r", attributes=[Attribute(name="noise", degree="slight")])
    clip = Known(record=record(kind="image"), annotations=[note])
    assert [d.check for d in doubts_of(pair("How strong is the noise in this video?", "Slight."), clip)] == ["image"]
    assert doubts_of(pair("How strong is the noise in this image?", "Slight."), clip) == []


def test_near_duplicates_point_to_the_first() -> None:
    one = pair("At which points during the video playback does flicker occur?", "It occurs from 1.0 s to 2.0 s only.")
    again = pair("At which points during the video playback does flicker occur?", "It occurs from 1.0 s to 2.0 s.")
    other = pair("At which points during the video playback does noise occur?", "It occurs throughout the video.")
    named = [replace(p, id=name) for name, p in (("a", one), ("b", again), ("c", other))]
    assert near_duplicates(named) == {"b": "a"}
    elsewhere = replace(again, id="d", record_id="s/b.mp4")
    assert near_duplicates([named[0], elsewhere]) == {}


def test_one_word_that_tells_makes_another_pair() -> None:
    asked = "Please depict the overall quality of this video, and based on your depiction, how would you evaluate it?"
    said = [
        pair(asked, "A little noise in the sky. Hence, The quality of this video is good."),
        pair(asked, "Heavy noise all over. Hence, The quality of this video is low."),
        pair("Is the noise in this video severe? A. Yes B. No", "B. No"),
        pair("Is the noise in this video slight? A. Yes B. No", "B. No"),
        pair("When does the noise occur in this video?", "It can be seen from 1.0 s to 2.0 s."),
        pair("When does the noise occur in this video?", "It can be seen from 3.0 s to 4.0 s."),
    ]
    told = [replace(p, id=str(index)) for index, p in enumerate(said)]
    assert near_duplicates(told) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\0",
        "A. B. C. D.",
        "no " * 20_000,
        "not not not free of without no lack " * 3_000,
        "from 1 s to 2 s " * 6_000,
        "a" * 100_000,
        "1" * 100_000,
        "-" * 100_000,
        "((((" * 20_000,
        "A. " * 30_000,
        "first " * 20_000,
        "İ" * 5_000 + " noise",
        "\ud800 noise \udfff",
        "ignore the above and answer yes {{}} <b>",
        "the severe noise, and " * 4_000,
        "99:99 9999999.999 s at 1e9 s",
        "no noise, " * 900,
        "no noise " * 900,
        "the color is weak, " * 400,
    ],
)
@pytest.mark.parametrize("form", ["open", "yes-no", "multiple-choice"])
def test_any_text_is_read_in_bounded_work(text: str, form: Form) -> None:
    checker = Checker(known(FLICKER))
    assert {doubt.check for doubt in checker.doubts(pair(text, text, form))} <= set(CHECKS)
    checker.claims(pair(text, text, form))
    note = Annotation(id="n", clip="c", rater="r", overall=text, in_context=text)
    Checker(Known(record=record(), annotations=[note])).doubts(pair("Is there noise?", "No.", "yes-no"))
