"""Answers of the model in words: what it generates, whole or bit by bit, or which of some words it finds likeliest."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from schemas.errors import CallError
from training.checkpoints.checkpoint import Checkpoint
from training.fitting import fitting
from training.inference.asking import question_about
from training.inference.score import BATCH, Question, encoded, extracted
from training.inputs.dataset import Collator
from training.inputs.features import FeatureCache
from training.inputs.tokens import END_OF_TEXT, TURN_END

LONGEST = 512
"""Tokens that an answer may have."""


@torch.inference_mode()
def generated(checkpoint: Checkpoint, questions: Sequence[Question], *, longest: int = LONGEST) -> list[str]:
    """Answer questions greedily, in order, a few at a time; each answer without its end, and without blanks around it.

    Raises ValueError when the placeholders of a question are not those of its media.
    """
    answers = []
    for inputs in _batches(checkpoint, questions):
        with _fitting(len(inputs["input_ids"])):
            out: Tensor = checkpoint.model.generate(**inputs, **_greedy(checkpoint, longest))
        new = out[:, inputs["input_ids"].shape[1] :]
        answers += [_words(checkpoint, row) for row in new]
    return answers


def answer_stream(
    checkpoint: Checkpoint,
    clips: Sequence[Path],
    question: str,
    *,
    longest: int = LONGEST,
    cache: FeatureCache | None = None,
) -> Generator[str, None, bool]:
    """Answer a question about one or two clips or images, bit by bit as it is generated: the bits make the answer.

    Gives back whether the answer ended, or was cut at `longest` tokens. Stopping to listen stops the model.
    Raises MediaError naming a clip that cannot be read, and CallError as `training.inference.asking.question_about`
    does.
    """
    return (yield from streamed(checkpoint, question_about(checkpoint, clips, question, cache=cache), longest=longest))


def streamed(checkpoint: Checkpoint, question: Question, *, longest: int = LONGEST) -> Generator[str, None, bool]:
    """Answer one question as `generated` does, bit by bit; gives back whether the answer ended within `longest`."""
    (inputs,) = _batches(checkpoint, [question])
    heard = _Heard()

    def generate() -> None:
        with torch.inference_mode():
            greedy = _greedy(checkpoint, longest)
            try:
                with _fitting(1):
                    checkpoint.model.generate(**inputs, **greedy, streamer=heard, stopping_criteria=[heard.unheard])
            except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
                heard.failed = error
            finally:
                heard.end()

    thread = threading.Thread(target=generate, daemon=True)
    thread.start()
    ids: list[int] = []
    told = ""
    try:
        while (new := heard.tokens.get()) is not None:
            ids += new
            # A character may be of several tokens; blanks may be the last ones, which no answer has.
            if (words := _words(checkpoint, ids).rstrip("\ufffd")).startswith(told) and words != told:
                yield words[len(told) :]
                told = words
    finally:
        heard.unheard.stop = True
        thread.join()
    if heard.failed is not None:
        raise heard.failed
    if rest := _words(checkpoint, ids)[len(told) :]:
        yield rest
    return bool(ids) and ids[-1] == checkpoint.tokens.id(TURN_END)


class _Unheard(StoppingCriteria):  # type: ignore[misc]  # transformers ships no types
    """Stops the generation of what nobody waits for any more."""

    stop = False

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        return torch.full((len(input_ids),), self.stop, device=input_ids.device)


class _Heard(BaseStreamer):  # type: ignore[misc]  # transformers ships no types
    """Takes tokens as they are generated, without the prompt's, which come first; None says that there are no more."""

    def __init__(self) -> None:
        self.tokens: queue.Queue[list[int] | None] = queue.Queue()
        self.unheard = _Unheard()
        self.failed: BaseException | None = None
        self._prompt = True

    def put(self, value: Tensor) -> None:
        if not self._prompt:
            self.tokens.put(value.flatten().tolist())
        self._prompt = False

    def end(self) -> None:
        self.tokens.put(None)


def _fitting(questions: int) -> AbstractContextManager[None]:
    return fitting(f"answering {questions} questions at once" if questions > 1 else "answering", "cut the clips")


def _greedy(checkpoint: Checkpoint, longest: int) -> dict[str, Any]:
    ends = {"eos_token_id": checkpoint.tokens.id(TURN_END), "pad_token_id": checkpoint.tokens.id(END_OF_TEXT)}
    return {"max_new_tokens": longest, "do_sample": False, **ends}


def _words(checkpoint: Checkpoint, ids: Sequence[int] | Tensor) -> str:
    return str(checkpoint.tokens.tokenizer.decode(ids, skip_special_tokens=True)).strip()


@torch.inference_mode()
def likeliest(checkpoint: Checkpoint, questions: Sequence[Question], words: Sequence[Sequence[str]]) -> list[str]:
    """Give for each question the one of its `words` with which the answer most likely begins.

    Raises CallError for a tokenizer that has no one token for a word, ValueError as `generated`.
    """
    first = [[_token(checkpoint, word) for word in offered] for offered in words]
    rows: list[Tensor] = []
    for inputs in _batches(checkpoint, questions):
        with _fitting(len(inputs["input_ids"])):
            rows += checkpoint.model(**inputs, logits_to_keep=1).logits[:, -1].double()
    return [
        offered[int(row[ids].argmax())] if bool(row[ids].isfinite().all()) else ""
        for row, ids, offered in zip(rows, first, words, strict=True)
    ]


def _token(checkpoint: Checkpoint, word: str) -> int:
    found = checkpoint.tokens.text(word)
    if len(found) != 1:
        raise CallError(f"the tokenizer splits {word!r} into {len(found)} tokens: let the model generate its answers")
    return found[0]


def _batches(checkpoint: Checkpoint, questions: Sequence[Question]) -> Iterator[dict[str, Tensor]]:
    collate = Collator(checkpoint.config, checkpoint.tokens, side="left")
    device = checkpoint.model.device
    for start in range(0, len(questions), BATCH):
        asked = [encoded(checkpoint, question) for question in questions[start : start + BATCH]]
        examples = [replace(e, feeds=[extracted(checkpoint, feed) for feed in e.feeds]) for e in asked]
        yield {k: v.to(device) for k, v in collate(examples).items() if k != "names"}
