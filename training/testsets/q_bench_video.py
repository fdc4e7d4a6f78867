"""Q-Bench-Video, 2,378 questions about the quality of videos and pairs of videos: dev 1,192, test 1,186.

Yes-or-no, what/how and open-ended questions. A row holds `video_name`, `question`, `question_type`, `context`,
`answers` (options; one text where the question is open-ended) and `correct_choice` (a letter). A pair is called
`a.mp4_cat_b.mp4.mp4`. Under which key the concern stands was not seen: its four words are looked for in every field
but question and answers. A row without the right answer cannot be graded and is refused.

The clips are taken from LSVQ, MaxWell, Waterloo SQoE-III and IV, T2VQA-DB, VideoFeedback and LIVE-YT-Gaming, of which
the paper's stages train on LSVQ and SQoE-III: hold a corpus to the clips' passport before you believe a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataset_builder.sources import Example
from training.testsets import LETTERS, About, Items, QuestionItem
from training.testsets._questions import RowError, options, questions, text

TYPES = ("yes-or-no", "what/how", "open_ended")
CONCERNS = ("Technical", "Aesthetic", "Temporal", "AIGC")
PAIR = "_cat_"
ABOUT = About(
    title="Q-Bench-Video",
    kind="questions",
    expected={"dev": 1192, "test": 1186},
    homepage="https://github.com/Q-Future/Q-Bench-Video",
    paper="Zhang et al., Q-Bench-Video: Benchmarking the Video Quality Understanding of LMMs, CVPR 2025",
    parts=("dev", "test"),
    notes="its clips are taken from sets that the paper's stages train on, LSVQ and Waterloo SQoE-III among them",
)
EXAMPLE = Example(
    table="Q_Bench_Video_dev.json",
    files={
        "Q_Bench_Video_dev.json": '[{"video_name": "pier.mp4", "question": "Is this video shaky?", "question_type": '
        '"yes-or-no", "context": "Single-Global", "concern": "Temporal", "answers": ["Yes", "No"], '
        '"correct_choice": "B"}, {"video_name": "pier.mp4_cat_boat.mp4.mp4", "question": "Which video is sharper?", '
        '"question_type": "what/how", "context": "Compare-Fine", "concern": "Technical", "answers": ["The first", '
        '"The second", "Neither"], "correct_choice": "A"}, {"video_name": "boat.mp4", "question": "What harms it?", '
        '"question_type": "open_ended", "context": "Single-Referring", "concern": "Technical", '
        '"answers": "Severe compression blur.", "correct_choice": ""}]'
    },
)


def items(labels: Path, part: str | None = None) -> Items:
    """Read Q_Bench_Video_dev.json or Q_Bench_Video_test.json."""
    return questions(ABOUT, labels, part, _item)


def _item(row: Mapping[str, Any], id_: str) -> QuestionItem:
    stated = _written(row.get("question_type")).lower().replace("_", "-")
    kind = next((name for name in TYPES if name.replace("_", "-") in stated), None)
    if kind is None:
        raise RowError(f"question_type is none of {', '.join(TYPES)}")
    name = text(row, "video_name")
    clips = clips_of(name)
    about = " ".join(_written(value) for key, value in row.items() if key not in {"question", "answers", "video_name"})
    concerns = tuple(word for word in CONCERNS if re.search(rf"\b{word}", about, re.IGNORECASE))
    question = text(row, "question")
    if kind == "open_ended":
        return QuestionItem(id_, clips, question, kind, concerns, reference=text(row, "answers"))
    offered = options(row, "answers")
    letter = _written(row.get("correct_choice")).strip().rstrip(".").upper()
    if letter not in tuple(LETTERS[: len(offered)]):
        raise RowError(f"correct_choice {letter!r} is none of its {len(offered)} options: it cannot be graded")
    return QuestionItem(id_, clips, question, kind, concerns, offered, LETTERS.index(letter))


def clips_of(name: str) -> tuple[str, ...]:
    """Give the clip that a row shows, or the two of a pair: `a.mp4_cat_b.mp4.mp4` is a.mp4 and b.mp4."""
    first, joined, second = name.partition(PAIR)
    if not joined:
        return (name,)
    return first, second[: -len(".mp4")] if second.endswith(".mp4") else second


def _written(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
