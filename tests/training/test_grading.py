"""Accuracies held to VLMEvalKit's definition, written anew, on made-up answers of every kind."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from training.evaluation.grading import Grade, accuracies, graded, is_right, vlmevalkit
from training.testsets import LETTERS, QuestionItem

OPTIONS = [("Yes", "No"), ("Blur", "Noise", "A. B. flicker", "1.5 s"), ("The first", "The second", "None of them")]
FAILED = None


def choice(options: tuple[str, ...], right: int, **changes: object) -> QuestionItem:
    plain = {"id": "i", "clips": ("a.mp4",), "question": "Q?", "type": "what/how", "options": options, "right": right}
    return QuestionItem(**{**plain, **changes})  # type: ignore[arg-type]


def open_question(**changes: object) -> QuestionItem:
    plain = {"id": "o", "clips": ("a.mp4",), "question": "Q?", "type": "open_ended", "reference": "Blur."}
    return QuestionItem(**{**plain, **changes})  # type: ignore[arg-type]


def restated(answer: str, published: str) -> bool:
    """VLMEvalKit's rule for a choice: `published` is its answer column, such as `B. Noise`."""
    before, after, *_ = published.split(".")
    letter, text = before.strip(), after.strip()
    same = answer in (letter, text)
    with_period = answer.find(letter + ".") >= 0
    on_a_line = any(line == letter for line in answer.split("\n"))
    return same or with_period or on_a_line


def answers_to(options: tuple[str, ...]) -> list[str]:
    """Make answers of every kind: bare, with period, with text, in a sentence, on lines, of other case, empty."""
    letters = LETTERS[: len(options)]
    found = ["", " ", "A", "E", "E.", "yes", "I cannot tell.", "A\nB", "A. B.", "AB.", "The answer is B", "(A)", "a."]
    for letter, option in zip(letters, options, strict=True):
        found += [
            letter,
            f"{letter}.",
            f"{letter}. {option}",
            f" {letter}",
            f"{letter}\n",
            f"So:\n{letter}",
            f"The answer is {letter}.",
            f"The answer is {letter}",
            f"**{letter}**",
            letter.lower(),
            option,
            f"{option}.",
            option.partition(".")[0],
            option.upper(),
        ]
    return found


@pytest.mark.parametrize("options", OPTIONS)
def test_a_choice_is_right_where_vlmevalkit_says_so(options: tuple[str, ...]) -> None:
    seen = set()
    for right, answer in itertools.product(range(len(options)), answers_to(options)):
        expected = restated(answer, f"{LETTERS[right]}. {options[right]}")
        assert is_right(answer, LETTERS[right], options[right]) == expected, (answer, right)
        seen.add(expected)
    assert seen == {True, False}


def rated(rows: list[tuple[str, float]]) -> dict[str, tuple[float, int, float]]:
    """VLMEvalKit's table: points and rows by type, percent to a decimal, and half of that for open-ended ones."""
    table: dict[str, list[float]] = {}
    for kind, points in rows:
        counted = table.setdefault(kind, [0, 0])
        counted[0] += points
        counted[1] += 1
    percent = {kind: round(points / count * 100, 1) for kind, (points, count) in table.items()}
    if "open_ended" in percent:
        percent["open_ended"] /= 2
    return {kind: (points, int(count), percent[kind]) for kind, (points, count) in table.items()}


@pytest.mark.parametrize("seed", range(20))
def test_the_table_is_vlmevalkits_on_the_same_answers(seed: int) -> None:
    """Right, wrong, odd and failed answers to choices, and points of 0, 1 and 2."""
    rng = np.random.default_rng(seed)
    grades: list[Grade] = []
    rows: list[tuple[str, float]] = []
    for _ in range(int(rng.integers(5, 60))):
        kind = str(rng.choice(["yes-or-no", "what/how", "open_ended"]))
        if kind == "open_ended":
            points = int(rng.integers(0, 3))
            grades.append(graded(open_question(), "Some blur.", [points]))
            rows.append((kind, points))
            continue
        options = OPTIONS[0] if kind == "yes-or-no" else OPTIONS[int(rng.integers(1, 3))]
        right = int(rng.integers(len(options)))
        answer = FAILED if rng.random() < 0.1 else str(rng.choice(answers_to(options)))
        grades.append(graded(choice(options, right, type=kind), answer))
        said = -1 if answer is None else restated(answer, f"{LETTERS[right]}. {options[right]}")
        rows.append((kind, said))
    found = {kind: (row.success, row.overall, row.acc) for kind, row in vlmevalkit(grades).items()}
    assert found == rated(rows)


def test_accuracy_is_the_same_where_nothing_failed() -> None:
    answers = ["B.", "A", "No", "no", "B. No", "The answer is B."]
    grades = [graded(choice(("Yes", "No"), 1, type="yes-or-no"), answer) for answer in answers]
    share = accuracies(grades)["type: yes-or-no"]
    assert (share.n, share.graded, share.accuracy) == (6, 6, pytest.approx(4 / 6))
    assert vlmevalkit(grades)["yes-or-no"].acc == round(100 * (share.accuracy or 0), 1)
    assert share.first_letter == pytest.approx(2 / 6)
    assert share.low is not None
    assert share.high is not None
    assert 0 < share.low < 4 / 6 < share.high < 1


def test_answers_that_failed_are_left_out_of_accuracy_and_counted() -> None:
    item = choice(("Yes", "No"), 0)
    share = accuracies([graded(item, "A"), graded(item, None), graded(item, "B")])["overall"]
    assert (share.n, share.graded, share.accuracy) == (3, 2, 0.5)
    nothing = accuracies([graded(item, None)])["overall"]
    assert (nothing.n, nothing.graded, nothing.accuracy, nothing.low) == (1, 0, None, None)


def test_open_ended_credit_is_the_mean_verdict_over_two() -> None:
    assert graded(open_question(), "Blur.", [2, 1, 2, 2, 0]).credit == pytest.approx(0.7)
    assert graded(open_question(), "Blur.").credit is None
    grades = [graded(open_question(), "x", [2, 2]), graded(open_question(), "y", [1, 0]), graded(open_question(), "z")]
    share = accuracies(grades)["overall"]
    assert (share.n, share.graded, share.accuracy) == (3, 2, pytest.approx(0.625))
    assert "open_ended" not in vlmevalkit(grades)
    assert vlmevalkit(grades[:2])["open_ended"].acc == pytest.approx(62.5)


def test_groups_are_types_concerns_and_pairs() -> None:
    one = choice(("Yes", "No"), 0, type="yes-or-no", concerns=("Technical", "AIGC"))
    two = choice(("Yes", "No"), 0, type="yes-or-no", concerns=("Technical",), clips=("a.mp4", "b.mp4"))
    found = accuracies([graded(one, "A"), graded(two, "B"), graded(open_question(), "x", [2])])
    shares = {name: (share.graded, share.accuracy) for name, share in found.items()}
    assert shares == {
        "overall": (3, pytest.approx(2 / 3)),
        "clips: one": (2, 1.0),
        "clips: two": (1, 0.0),
        "concern: AIGC": (1, 1.0),
        "concern: Technical": (2, 0.5),
        "type: open_ended": (1, 1.0),
        "type: yes-or-no": (2, 0.5),
    }
