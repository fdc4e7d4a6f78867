"""Answers of the model in words: what it generates, or which of some words it finds likeliest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from schemas.errors import CallError
from training.checkpoint import Checkpoint
from training.conversation import encode_open
from training.dataset import Collator, Example
from training.score import Question, batch_size
from training.tokens import END_OF_TEXT, TURN_END

LONGEST = 512
"""Tokens that an answer may have."""


@torch.inference_mode()
def generated(checkpoint: Checkpoint, questions: Sequence[Question], *, longest: int = LONGEST) -> list[str]:
    """Answer questions greedily, in order, a few at a time; each answer without its end, and without blanks around it.

    Raises ValueError when the placeholders of a question are not those of its media.
    """
    tokens, answers = checkpoint.tokens, []
    for inputs in _batches(checkpoint, questions):
        out: Tensor = checkpoint.model.generate(
            **inputs,
            max_new_tokens=longest,
            do_sample=False,
            eos_token_id=tokens.id(TURN_END),
            pad_token_id=tokens.id(END_OF_TEXT),
        )
        new = out[:, inputs["input_ids"].shape[1] :]
        answers += [str(tokens.tokenizer.decode(row, skip_special_tokens=True)).strip() for row in new]
    return answers


@torch.inference_mode()
def likeliest(checkpoint: Checkpoint, questions: Sequence[Question], words: Sequence[Sequence[str]]) -> list[str]:
    """Give for each question the one of its `words` with which the answer most likely begins.

    Raises CallError for a tokenizer that has no one token for a word, ValueError as `generated`.
    """
    first = [[_token(checkpoint, word) for word in offered] for offered in words]
    rows = [
        row
        for inputs in _batches(checkpoint, questions)
        for row in checkpoint.model(**inputs, logits_to_keep=1).logits[:, -1].double()
    ]
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
    size, device = batch_size(checkpoint), checkpoint.model.device
    for start in range(0, len(questions), size):
        examples = [
            Example(
                q.name,
                encode_open(
                    q.text,
                    q.prefix,
                    [pair for feed in q.feeds for pair in feed.media_tokens(checkpoint.config)],
                    checkpoint.tokens,
                ),
                None,
                q.feeds,
            )
            for q in questions[start : start + size]
        ]
        yield {k: v.to(device) for k, v in collate(examples).items() if k != "names"}
