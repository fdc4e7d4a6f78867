"""What a model answers becomes pairs as they stand in a corpus, or a reason."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.extending.ledger import Answer, Request
from annotation.extending.parse import InvalidError, pairs_of, votes_of
from annotation.extending.prompts import pairs_schema
from schemas.extension import PAIRS_A_NOTE
from schemas.pair import FAMILIES, Pair
from stages.wording.prompts import CAUSAL_QUESTION
from tests.annotation.extending.notes import note

REQUEST = Request(model="m", parameters={"max_tokens": 1}, messages=[{"role": "user", "content": "x"}])
OPEN = {"family": "temporal-centric", "form": "open", "question": "When does it occur?", "answer": "From 1 s to 3 s."}
YES_NO = {
    "family": "quality-centric",
    "form": "yes-no",
    "question": "Is there noise?",
    "yes": True,
    "answer": "Yes, there is.",
}
CHOICE = {
    "family": "quality-centric",
    "form": "multiple-choice",
    "question": "How strong is it?",
    "options": ["Slight", "Moderate", "Severe"],
    "right": 2,
}
CAUSAL = {"family": "causal-analysis", "form": "open", "question": "?", "answer": "There is severe noise."}


def read(*pairs: dict[str, Any], seed: int = 0, kind: str = "video") -> list[Pair]:
    return pairs_of(Answer(json.dumps({"pairs": pairs})), REQUEST, note(0, kind=kind), PAIRS_A_NOTE, seed)


def test_pairs_rest_on_their_note_and_request() -> None:
    [made] = read(OPEN)
    assert made.id == f"a0000/llm-{REQUEST.digest[:8]}-01"
    assert (made.record_id, made.evidence) == ("mine/clips/0.mp4", ["annotation:a0000"])
    assert (made.generator, made.request) == ("llm:m", REQUEST.digest)
    assert (made.question, made.answer) == (OPEN["question"], OPEN["answer"])


def test_options_are_lettered_by_seed_and_the_right_one_stays_right() -> None:
    letters = []
    for seed in range(300):
        [made] = read(CHOICE, seed=seed)
        letter, _, option = made.answer.partition(". ")
        assert option == "Severe"
        assert made.question.endswith(" C. " + made.question.rpartition(" C. ")[2])
        assert made.answer in made.question
        letters.append(letter)
    assert all(70 <= letters.count(letter) <= 130 for letter in "ABC")


def test_yes_and_no_come_with_and_without_options() -> None:
    seen = set()
    for seed in range(40):
        [made] = read({**YES_NO, "answer": "There is noise in the sky."}, seed=seed)
        seen.add((made.question, made.answer))
        [no] = read({**YES_NO, "yes": False, "answer": "No."}, seed=seed)
        assert no.answer in {"No.", "B. No"}
    assert seen == {
        ("Is there noise? A. Yes B. No", "A. Yes"),
        ("Is there noise?", "Yes, there is noise in the sky."),
    }


@pytest.mark.parametrize("end", ["", " Hence, The quality of this video is poor."])
def test_causal_analysis_has_the_published_question_and_ending(end: str) -> None:
    [made] = read({**CAUSAL, "answer": CAUSAL["answer"] + end})
    assert made.question == CAUSAL_QUESTION
    assert made.answer == "There is severe noise. Hence, The quality of this video is poor."
    [image] = read(CAUSAL, kind="image")
    assert image.answer.endswith("Hence, The quality of this image is poor.")


def test_labels_that_a_model_writes_are_not_doubled() -> None:
    [made] = read({**CHOICE, "options": ["A. Slight", "B. Moderate", "C. Severe"]})
    assert made.answer.partition(". ")[2] == "Severe"


def test_a_fence_around_json_is_no_fault() -> None:
    text = "```json\n" + json.dumps({"pairs": [OPEN]}) + "\n```"
    assert len(pairs_of(Answer(text), REQUEST, note(0), PAIRS_A_NOTE)) == 1


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        ({**OPEN, "id": "x"}, "unknown field `id`"),
        ({**OPEN, "family": "audio"}, "Invalid enum value 'audio'"),
        ({**OPEN, "form": "essay"}, "Invalid value 'essay'"),
        ({**OPEN, "answer": 3}, "Expected `str`"),
        ({k: v for k, v in OPEN.items() if k != "answer"}, "missing required field `answer`"),
        ({**OPEN, "question": "  "}, "question is empty"),
        ({**OPEN, "question": "x" * 501}, "501 characters"),
        ({**OPEN, "answer": "x <video> y"}, "<video>"),
        ({**OPEN, "answer": "x\u0000y"}, "control character"),
        ({**OPEN, "question": "Which? A. This B. That"}, "lists options"),
        ({**YES_NO, "yes": False}, "begins with Yes"),
        ({**YES_NO, "yes": "true"}, "Expected `bool`"),
        ({**YES_NO, "family": "causal-analysis"}, 'has the form "open"'),
        ({**CHOICE, "right": 3}, "there are 3 options"),
        ({**CHOICE, "right": -1}, "there are 3 options"),
        ({**CHOICE, "right": True}, "Expected `int`"),
        ({**CHOICE, "options": ["One"], "right": 0}, "1 options"),
        ({**CHOICE, "options": ["Severe", "severe.", "x"]}, "two options are the same"),
        ({**CAUSAL, "answer": "Noise. Hence, the quality of this video is good."}, "an ending"),
        ({**CAUSAL, "answer": "Hence, The quality of this video is poor."}, "depiction is empty"),
    ],
)
def test_what_is_not_as_wanted_is_refused(pair: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidError, match=why):
        read(pair)


def test_more_than_was_asked_for_is_refused() -> None:
    with pytest.raises(InvalidError, match="2 pairs of temporal-centric, where at most 1 were wanted"):
        read(OPEN, {**OPEN, "question": "And when else?"})


def test_a_key_given_twice_is_refused() -> None:
    text = json.dumps({"pairs": [OPEN]})[:-1] + ', "pairs": []}'
    with pytest.raises(InvalidError, match="'pairs' is given twice"):
        pairs_of(Answer(text), REQUEST, note(0), PAIRS_A_NOTE)


@pytest.mark.parametrize("text", ['{"votes": [3]}', '{"votes": [2, 2]}', '{"votes": [1.0]}', '{"votes": 2}', "[2]"])
def test_votes_are_one_for_each_pair(text: str) -> None:
    with pytest.raises(InvalidError):
        votes_of(Answer(text), 1)
    assert votes_of(Answer('{"votes": [2]}'), 1) == [2]


def test_the_schema_takes_what_is_parsed_and_nothing_else() -> None:
    import jsonschema

    check = jsonschema.Draft202012Validator(pairs_schema(FAMILIES))
    check.validate({"pairs": [OPEN, YES_NO, CHOICE, CAUSAL]})
    for wrong in ({**OPEN, "id": "x"}, {**OPEN, "family": "audio"}, {**YES_NO, "yes": "true"}):
        assert not check.is_valid({"pairs": [wrong]})
    narrow = jsonschema.Draft202012Validator(pairs_schema(["causal-analysis"]))
    assert not narrow.is_valid({"pairs": [OPEN]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
FIELD = st.sampled_from([*FAMILIES, "yes-no", "multiple-choice", "open", True, 0, 2]) | st.text() | JSON
NAMES = ["family", "form", "question", "answer", "yes", "options", "right"]


@settings(max_examples=150, deadline=None)
@given(
    st.text()
    | JSON.map(json.dumps)
    | st.lists(st.dictionaries(st.sampled_from(NAMES), FIELD)).map(lambda pairs: json.dumps({"pairs": pairs}))
)
def test_whatever_comes_is_pairs_or_a_reason(text: str) -> None:
    made = None
    with suppress(InvalidError):
        made = pairs_of(Answer(text), REQUEST, note(0), PAIRS_A_NOTE)
    assert made is None or (made and all(pair.question and pair.answer for pair in made))
