"""Pairs in people's own words: what contradicts its note is doubted, and what does not is let pass.

The rows of `paraphrases.jsonl` were written by hand: a note of a clip, a pair, and whether the two contradict.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.annotation import Annotation
from schemas.pair import Pair
from stages.claims.checks import Checker
from stages.claims.claim import Known
from tests.stages.claims.known import known, pair, record

ROWS = [json.loads(line) for line in Path(__file__).with_name("paraphrases.jsonl").read_text("utf-8").splitlines()]


def clip(row: dict[str, Any]) -> Known:
    note = {key: value for key, value in row["annotation"].items() if value is not None}
    return Known(record(row["duration"]), [msgspec.convert(note, Annotation)], row.get("level"))


def written(row: dict[str, Any]) -> Pair:
    said = row["pair"]
    one = pair(said["question"], said["answer"], said["form"], said["family"])
    return msgspec.structs.replace(one, evidence=[f"annotation:{row['annotation']['id']}"])


def test_contradictions_in_peoples_own_words_are_doubted() -> None:
    wrong = [row for row in ROWS if row["contradicts"]]
    missed = [row["id"] for row in wrong if not Checker(clip(row)).doubts(written(row))]
    assert len(wrong) > 200
    assert len(missed) <= 0.1 * len(wrong), missed


def test_right_pairs_in_peoples_own_words_pass() -> None:
    right = [row for row in ROWS if not row["contradicts"]]
    doubted = [row["id"] for row in right if Checker(clip(row)).doubts(written(row))]
    assert len(right) > 200
    assert len(doubted) <= 0.05 * len(right), doubted


@pytest.mark.parametrize(
    ("note", "question", "answer", "doubted"),
    [
        (0, "Which side pulsates?", "The left-hand one.", False),
        (0, "Which side pulsates?", "The right-hand one.", True),
        (0, "Is the light even?", "As even as it gets.", True),
        (0, "When's the flicker over?", "It goes on to the bitter end.", True),
        (0, "Is the noise bad enough to spoil the clip?", "Not by a long shot.", False),
        (1, "Was a tripod used?", "Doesn't look like it, the frame wobbles visibly.", False),
        (1, "Would you say it's steady?", "I would.", True),
        (2, "How does the singer come across?", "Her face is flawless, each eyelash can be counted.", True),
        (2, "Does it ever stall?", "Yes, around the middle, for two seconds.", False),
        (3, "Is motion fluent?", "Like water, it flows without a break.", True),
        (4, "Does the camera hold still?", "It does, not a tremble.", False),
        (4, "Does the camera hold still?", "It doesn't, it jerks about.", True),
        (5, "How stable is the stream?", "It tanks between 3 and 6 s.", False),
        (5, "How stable is the stream?", "Perfectly, it holds the same quality all the way.", True),
        (6, "Does the foreground look flat?", "No, just the backdrop.", False),
        (6, "Which part's too dark?", "The right.", True),
    ],
)
def test_short_answers(note: int, question: str, answer: str, doubted: bool) -> None:
    assert bool(Checker(known(note)).doubts(pair(question, answer))) is doubted
