"""Pairs say what the annotation says, and nothing else."""

import re
from collections import Counter, defaultdict

from schemas.annotation import Annotation, Attribute
from schemas.pair import FAMILIES
from schemas.record import Distortion
from stages.pairs import pairs
from stages.wording.taxonomy import DEGREES, MOTION, SPATIAL
from tests.stages.test_stages import NOTE, RICH, record


def test_all_five_families_follow_from_a_full_note() -> None:
    assert {pair.family for pair in pairs(RICH, NOTE, "good", 0)} == set(FAMILIES)


LETTER = re.compile(r"\b([A-E])\. (.*?)(?= [A-E]\. |$)")


def test_answers_hold_for_many_seeds() -> None:
    right: dict[str, Counter[str]] = defaultdict(Counter)
    for seed in range(120):
        for pair in pairs(RICH, NOTE, "good", seed):
            key = pair.id.partition("/")[2]
            if pair.form == "multiple-choice":
                options = dict(LETTER.findall(pair.question))
                assert len(set(options.values())) == len(options) >= 3
                letter, said = pair.answer.split(". ", 1)
                assert options[letter] == said
                right[key][letter] += 1
            strength = "slight" if "noise" in pair.question + pair.answer else "severe"
            if key == "present":
                assert re.search("noise|flicker", pair.question)
                assert pair.answer == "A. Yes" or re.match(rf"Yes, .*\b{strength}\b", pair.answer)
            elif key == "absent":
                asked = next(n for n in (*SPATIAL, *MOTION) if n in pair.question)
                assert asked not in {"noise", "flicker"}
                assert pair.answer == "B. No" or (pair.answer.startswith("No, ") and asked in pair.answer)
            elif key == "is-degree":
                assert strength in pair.question
                assert pair.answer.startswith(("A. Yes", "Yes, "))
            elif key == "not-degree":
                assert strength not in pair.question
                assert pair.answer == "B. No" or (pair.answer.startswith("No, ") and strength in pair.answer)
            elif key.startswith("degree-"):
                assert pair.answer.split(". ")[1].lower() == strength
                assert all(word.capitalize() in pair.question for word in DEGREES)
            elif key.startswith("strength-"):
                assert strength in pair.answer
            elif key == "which":
                assert pair.answer.split(". ")[1] in {"Noise", "Flicker"}
            elif key == "level":
                assert pair.answer.endswith(". Good")
            elif key == "worst":
                assert "severe flicker" in pair.answer
            elif key == "list":
                assert "slight noise and severe flicker" in pair.answer
            elif key == "when-0":
                assert re.search("hroughout|whole|beginning to the end", pair.answer)
            elif key == "when-1":
                assert re.search(r"1\.0 s (to|and) 2\.0 s, when it rains\.$", pair.answer)
            elif key == "lasts-0":
                assert pair.answer.startswith(("A. Yes", "Yes, "))
            elif key == "lasts-1":
                assert pair.answer.startswith(("B. No", "No, "))
            elif key == "span-1":
                assert pair.answer.endswith("From 1.0 s to 2.0 s")
            elif key == "where-1":
                assert pair.answer == "Left side."
            else:
                assert key in {"depiction", "talk-0", "causal"}
    assert set(right) == {"degree-0", "degree-1", "which", "level", "span-1"}
    for letters in right.values():
        assert set(letters) == set("ABCD")
        assert max(letters.values()) < 0.45 * letters.total()


def test_wordings_are_many() -> None:
    asked: dict[str, set[str]] = defaultdict(set)
    for seed in range(300):
        for pair in pairs(RICH, NOTE, "good", seed):
            asked[pair.id.partition("/")[2]].add(f"{pair.question} {pair.answer}")
    assert len(asked["absent"]) > 150
    assert all(len(asked[key]) >= 12 for key in ("present", "when-1", "strength-0", "list"))


def test_one_attribute_at_several_times_is_not_asked_for_its_time_or_degree() -> None:
    twice = Annotation(
        id="t",
        clip="c",
        rater="r",
        attributes=[
            Attribute(name="flicker", degree="slight", start=1, end=2),
            Attribute(name="flicker", degree="severe", start=5, end=6),
        ],
    )
    keys = {pair.id.partition("/")[2] for seed in range(20) for pair in pairs(record(), twice, None, seed)}
    assert keys == {"present", "absent", "which", "worst"}


def test_yes_and_no_are_balanced() -> None:
    """One question about a present and one about an absent attribute for each note that has both."""
    answers = [pair.answer for i in range(50) for pair in pairs(RICH, NOTE, None, i) if pair.form == "yes-no"]
    yes = sum(answer.startswith(("A. Yes", "Yes")) for answer in answers)
    assert yes * 2 == len(answers) == 300


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
    assert re.search(r"1\.0 s (to|and) 2\.0 s, at the NBA logo\.$", answers["n/when-1"])
