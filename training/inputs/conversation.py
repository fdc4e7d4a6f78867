"""A conversation as token ids: Qwen2's turns, placeholders expanded to one token a patch or motion feature."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.sample import MOTION, PLACEHOLDERS, Turn
from training.inputs.tokens import TURN_END, TURN_START, Tokens

MediaToken = tuple[str, int | Sequence[tuple[str, int]]]
MediaTokens = Sequence[MediaToken]
"""Placeholders in order, and what stands for each: so many of its own token, or pieces of text and special tokens with
how often each stands there."""

NO_LOSS = -100
"""The label of a token that is not learnt (torch's cross entropy ignores it)."""
_SPLIT = re.compile("(" + "|".join(PLACEHOLDERS) + ")")


@dataclass(frozen=True)
class Encoded:
    """Token ids and, of the same length, labels: the answers with their closing token, NO_LOSS elsewhere."""

    input_ids: list[int]
    labels: list[int]


def encode(turns: Sequence[Turn], media_tokens: MediaTokens, tokens: Tokens) -> Encoded:
    """Encode finished turns, after the system prompt. `media_tokens` gives what stands for each placeholder, in order.

    Raises ValueError when the placeholders of the text are others than those of `media_tokens`.
    """
    waiting = list(media_tokens)
    ids: list[int] = []
    if tokens.system:
        ids = [tokens.id(TURN_START), *tokens.text("system\n"), *tokens.text(tokens.system), tokens.id(TURN_END)]
        ids += tokens.text("\n")
    labels = [NO_LOSS] * len(ids)
    for turn in turns:
        head = [tokens.id(TURN_START), *tokens.text(f"{turn.role}\n")]
        body = [*_expand(turn.text, waiting, tokens), tokens.id(TURN_END)]
        tail = tokens.text("\n")
        ids += head + body + tail
        learnt = body if turn.role == "assistant" else [NO_LOSS] * len(body)
        labels += [NO_LOSS] * len(head) + learnt + [NO_LOSS] * len(tail)
    if waiting:
        raise ValueError(f"the text has no {waiting[0][0]} left for the media")
    return Encoded(ids, labels)


def encode_open(
    question: str, prefix: str, media_tokens: MediaTokens, tokens: Tokens, since: Sequence[Turn] = ()
) -> list[int]:
    """Encode a question and the beginning of its answer, to read the logits of what comes next.

    `since` is what was said after the question, up to what is to be answered now.
    """
    asked = encode([Turn(role="user", text=question), *since], media_tokens, tokens).input_ids
    return [*asked, tokens.id(TURN_START), *tokens.text("assistant\n"), *tokens.text(prefix)]


def without_motion(text: str) -> str:
    """Give a text as a model without motion tokens is to read it."""
    return text.replace(MOTION, "")


def _expand(text: str, waiting: list[MediaToken], tokens: Tokens) -> list[int]:
    ids: list[int] = []
    for piece in _SPLIT.split(text):
        if piece not in PLACEHOLDERS:
            ids += tokens.text(piece) if piece else []
        elif waiting and waiting[0][0] == piece:
            stands = waiting.pop(0)[1]
            for written, count in [(piece, stands)] if isinstance(stands, int) else stands:
                ids += tokens.piece(written) * count
        else:
            raise ValueError(f"the text holds {piece} where the media have {waiting[0][0] if waiting else 'nothing'}")
    return ids
