"""What the Q-Bench sets share: their JSON lists, and the questions as their benchmarks ask them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import CallError
from schemas.sample import IMAGE
from stages.wording.questions import BASED, prompt_about
from training.testsets import LETTERS, About, Items, QuestionItem

ASK_FOR_LETTER = (
    "Please answer the question in the following format: the uppercase letter of the correct answer option itself "
    "+'.'. Please do not add any other answers beyond this."
)
"""The words that both benchmarks end a question with options in."""


class RowError(ValueError):
    """A row that asks nothing that can be graded."""


def question_of(item: QuestionItem) -> str:
    """Write the question with its options, a line each, and how it is to be answered."""
    options = "".join(f"{letter}. {option}\n" for letter, option in zip(LETTERS, item.options, strict=False))
    if item.open_ended:
        return f"{item.question}Please directly answer the question."
    return f"{item.question}\n{options}{ASK_FOR_LETTER}"


def prompt_of(item: QuestionItem, shown: Sequence[tuple[int, int]]) -> str:
    """Write the whole prompt: what is shown, with placeholders, and the question.

    `shown` gives the key frames and motion frames of each clip; an image has none that matter.
    """
    asked = question_of(item)
    if item.media == "image":
        return f"You will receive one image. Please {BASED}\n{IMAGE}\n{asked}"
    return prompt_about(asked, shown)


def questions(
    about: About, labels: Path, part: str | None, item: Callable[[Mapping[str, Any], str], QuestionItem]
) -> Items:
    """Read a JSON list of questions. Which part it is `part` says, or else the file's name.

    Raises CallError for a file that is no such list, or is of no known part.
    """
    if part is not None and part not in about.parts:
        raise CallError(f"{about.title} has no part {part!r}; there are: {', '.join(about.parts)}")
    named = [name for name in about.parts if name in labels.stem.lower()]
    if part is None and len(named) != 1:
        raise CallError(f"{labels.name}: which part is it? Say --part {' or '.join(about.parts)}")
    if not labels.is_file():
        raise CallError(f"{str(labels)!r}: no such label file")
    try:
        rows = msgspec.json.decode(labels.read_bytes(), type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        raise CallError(f"{labels.name}: no JSON list of questions: {error}") from None
    found: dict[str, QuestionItem] = {}
    refused: list[str] = []
    for index, row in enumerate(rows, 1):
        try:
            made = item(row, id_of(row))
        except RowError as error:
            refused.append(f"{labels.name} row {index}: {error}")
            continue
        if made.id in found:
            refused.append(f"{labels.name} row {index}: the same question is there before")
        else:
            found[made.id] = made
    read = part or named[0]
    return Items(list(found.values()), read, about.expected[read], refused)


def id_of(row: Mapping[str, Any]) -> str:
    """Name a row, which has no id of its own, by its media and a hash of all that it asks."""
    asked = {key: value for key, value in row.items() if key not in {"answer", "response"}}
    media = row.get("video_name") or row.get("img_path") or ""
    return f"{media}#{hashlib.sha256(msgspec.json.encode(asked, order='sorted')).hexdigest()[:12]}"


def text(row: Mapping[str, Any], key: str) -> str:
    """Read a field that must be text. Raises RowError."""
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"{key} is no text")
    return value


def options(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Read the options of a question, 2 or more. Raises RowError."""
    value = row.get(key)
    if not isinstance(value, list) or not all(isinstance(option, str) for option in value):
        raise RowError(f"{key} is no list of texts")
    if not 2 <= len(value) <= len(LETTERS):
        raise RowError(f"{key} holds {len(value)} options, not 2 to {len(LETTERS)}")
    return tuple(value)
