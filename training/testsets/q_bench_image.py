"""Q-Bench's LLVisionQA, 2,990 images with a question each on how they look: dev and test of 1,495.

A row holds `img_path`, `question`, `candidates`, `correct_ans` (one of them), `type` (0 yes-or-no, 1 what, 2 how) and
`concern` (0 distortion, 1 other, 2 in-context distortion, 3 in-context other). Copies of the test list are in
circulation without `correct_ans`: such rows cannot be graded and are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataset_builder.sources import Example
from training.testsets import About, Items, QuestionItem
from training.testsets._questions import RowError, options, questions, text

TYPES = ("yes-or-no", "what", "how")
CONCERNS = ("distortion", "other", "in-context distortion", "in-context other")
ABOUT = About(
    title="Q-Bench, LLVisionQA",
    kind="questions",
    expected={"dev": 1495, "test": 1495},
    homepage="https://github.com/Q-Future/Q-Bench",
    paper="Wu et al., Q-Bench: A Benchmark for General-Purpose Foundation Models on Low-level Vision, arXiv 2309.14181",
    parts=("dev", "test"),
)
EXAMPLE = Example(
    table="llvisionqa_dev.json",
    files={
        "llvisionqa_dev.json": '[{"img_path": "00001.jpg", "question": "Is this image blurry?", "candidates": ["Yes", '
        '"No"], "correct_ans": "No", "type": 0, "concern": 0}, {"img_path": "00002.jpg", "question": "How bright is '
        'the sky?", "candidates": ["Dark", "Medium", "Bright"], "correct_ans": "Bright", "type": 2, "concern": 3}]'
    },
)


def items(labels: Path, part: str | None = None) -> Items:
    """Read llvisionqa_dev.json or llvisionqa_test.json."""
    return questions(ABOUT, labels, part, _item)


def _item(row: Mapping[str, Any], id_: str) -> QuestionItem:
    offered = options(row, "candidates")
    right = row.get("correct_ans")
    if right not in offered:
        said = "correct_ans is missing" if right is None else f"correct_ans {right!r} is none of the candidates"
        raise RowError(f"{said}: it cannot be graded")
    return QuestionItem(
        id_,
        (text(row, "img_path"),),
        text(row, "question"),
        _named(row, "type", TYPES),
        (_named(row, "concern", CONCERNS),),
        offered,
        offered.index(str(right)),
        media="image",
    )


def _named(row: Mapping[str, Any], key: str, names: tuple[str, ...]) -> str:
    value = row.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < len(names):
        raise RowError(f"{key} is {value!r}, not 0 to {len(names) - 1}")
    return names[value]
