"""Pairs say what the annotation says, and nothing else."""

import re

from schemas.annotation import Annotation, Attribute
from schemas.pair import FAMILIES
from schemas.record import Distortion
from stages.wording.pair_templates import pairs
from stages.wording.taxonomy import DEGREES, MOTION, SPATIAL
from tests.stages.test_stages import NOTE, RICH, record


def test_all_five_families_follow_from_a_full_note() -> None:
    assert {pair.family for pair in pairs(RICH, NOTE, "good", 0)} == set(FAMILIES)


def test_answers_hold_for_many_seeds() -> None:
    letters = set()
    for seed in range(60):
        for pair in pairs(RICH, NOTE, "good", seed):
            if pair.id.endswith("/present"):
                assert re.search("noise|flicker", pair.question)
                assert pair.answer in {
                    "A. Yes",
                    "Yes, there is slight noise in this video.",
                    "Yes, there is severe flicker in this video.",
                }
            elif pair.id.endswith("/absent"):
                asked = next(n for n in (*SPATIAL, *MOTION) if n in pair.question)
                assert asked not in {"noise", "flicker"}
                assert pair.answer in {"B. No", f"No, there is no {asked} in this video."}
            elif "/degree-" in pair.id:
                letter, degree = pair.answer.split(". ")
                assert f"{letter}. {degree}" in pair.question
                assert degree.lower() == ("slight" if "noise" in pair.question else "severe")
                assert all(word.capitalize() in pair.question for word in DEGREES)
                letters.add(letter)
            elif pair.id.endswith("/when-0"):
                assert pair.answer == "Throughout the video."
            elif pair.id.endswith("/when-1"):
                assert pair.answer == "From 1.0 s to 2.0 s, when it rains."
            elif pair.id.endswith("/where-1"):
                assert pair.answer == "Left side."
            elif pair.id.endswith("/worst"):
                assert pair.answer == "It is the severe flicker."
    assert letters == set("ABCD")


def test_yes_and_no_are_balanced() -> None:
    """One question about a present and one about an absent attribute for each note that has both."""
    answers = [pair.answer for i in range(50) for pair in pairs(RICH, NOTE, None, i) if pair.form == "yes-no"]
    yes = sum(answer.startswith(("A. Yes", "Yes")) for answer in answers)
    assert yes * 2 == len(answers) == 100


def test_an_image_is_asked_as_an_image() -> None:
    still = record("image")
    note = Annotation(id="n", clip="c", rater="r", attributes=[Attribute(name="noise", degree="slight")], overall="Ok.")
    for seed in range(20):
        for pair in pairs(still, note, "fair", seed):
            assert "video" not in pair.question + pair.answer


def test_without_a_level_nothing_is_concluded() -> None:
    assert all(pair.family != "causal-analysis" for pair in pairs(RICH, NOTE, None, 0))


def test_what_anybody_saw_is_not_asked_for_as_absent() -> None:
    quiet = Annotation(id="q", clip="c", rater="r", overall="Fine.")
    noisy = record(distortions=[Distortion(name="noise")])
    for seed in range(80):
        (pair,) = pairs(noisy, quiet, None, seed, {"compression blur"})
        for seen in ("noise", "compression artifact", "spatial blur", "motion blur"):
            assert seen not in pair.question


def test_silence_says_nothing() -> None:
    assert list(pairs(record(), Annotation(id="q", clip="c", rater="r"), "good", 0)) == []


def test_what_is_spoken_of_anywhere_is_not_asked_for_as_absent() -> None:
    note = Annotation(
        id="n", clip="c", rater="r", overall="It suffers from strong camera shake, grain, freezes and overexposure."
    )
    for seed in range(80):
        for pair in pairs(record(), note, None, seed):
            for named in ("camera shake", "noise", "stuttering", "overexposure"):
                assert named not in pair.question


def test_an_experts_words_keep_their_capitals() -> None:
    note = Annotation(
        id="n",
        clip="c",
        rater="r",
        attributes=[
            Attribute(name="noise", degree="slight", when="at the NBA logo.", where="on NBC's sign."),
            Attribute(name="flicker", degree="slight", start=1, end=2, when="at the NBA logo."),
        ],
    )
    answers = {pair.id: pair.answer for pair in pairs(record(), note, None, 0)}
    assert answers["n/when-0"] == "At the NBA logo."
    assert answers["n/where-0"] == "On NBC's sign."
    assert answers["n/when-1"] == "From 1.0 s to 2.0 s, at the NBA logo."
