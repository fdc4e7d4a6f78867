"""Tokenizers: the tiny preset's is trained on the corpus, others come from the hub. A level word is one token."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from schemas.errors import CallError
from schemas.levels import LEVELS
from schemas.sample import IMAGE, MOTION, VIDEO

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIALS = (END_OF_TEXT, TURN_START, TURN_END, IMAGE, VIDEO, MOTION)
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Qwen2's turns, without its system prompt; `training.inputs.conversation` writes the same, as token ids."""
SYSTEM_TEMPLATE = (
    "{% if messages and messages[0]['role'] != 'system' %}<|im_start|>system\nSYSTEM<|im_end|>\n{% endif %}"
    + CHAT_TEMPLATE
)
"""The same after a system prompt, which takes the place of SYSTEM."""
LEVEL_TEXT = " ".join(LEVELS)
PROCESSOR = "VQA2Processor"
"""What AutoProcessor makes of a folder that a tokenizer is written to (training/inference/processor.py)."""
LEVEL_WEIGHT = 1000
"""How often the BPE trainer is shown the level words and roles, so that each is one token whatever the corpus."""


@dataclass(frozen=True)
class Tokens:
    """A tokenizer and the ids that the data path needs. Raises CallError for a tokenizer that lacks one.

    `system` is the system prompt that every conversation of the model begins with; "" = none.
    """

    tokenizer: Any
    system: str = ""

    def __post_init__(self) -> None:
        """Refuse a tokenizer without the special tokens."""
        known = self.tokenizer.get_vocab()
        if missing := [special for special in SPECIALS if special not in known]:
            raise CallError(f"the tokenizer has no token {missing[0]!r}: take a Qwen2 tokenizer, or preset: tiny")

    def id(self, special: str) -> int:
        """Give the id of a special token."""
        found: int = self.tokenizer.convert_tokens_to_ids(special)
        return found

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files; one that came with released weights no longer names their processor."""
        self.tokenizer._set_processor_class(PROCESSOR)
        self.tokenizer.save_pretrained(folder)

    def text(self, text: str) -> list[int]:
        """Encode plain text; what looks like a special token in it stays text."""
        return list(_encoded(self.tokenizer, text))

    def piece(self, piece: str) -> list[int]:
        """Encode a special token of the tokenizer, or else plain text."""
        return [self.id(piece)] if piece in self._specials else self.text(piece)

    @functools.cached_property
    def _specials(self) -> frozenset[str]:
        added = self.tokenizer.added_tokens_decoder.values()
        return frozenset(SPECIALS).union(str(token) for token in added if token.special)

    def require(self, specials: Iterable[str]) -> None:
        """Raise CallError for a tokenizer that lacks one of these special tokens."""
        if missing := [special for special in specials if special not in self._specials]:
            raise CallError(f"the tokenizer has no special token {missing[0]!r}: take the one of the backbone")

    def levels(self, words: Sequence[str] = LEVELS) -> tuple[int, ...]:
        """Give the ids of level words as they stand after an answer's prefix, in their order.

        Raises CallError when a word with its leading space is not exactly one token, or two words share one.
        """
        ids = []
        for level in words:
            found = self.text(f" {level}")
            if len(found) != 1:
                raise CallError(
                    f"the tokenizer splits the level word {level!r} (with its leading space) into {len(found)} tokens; "
                    "scoring reads one logit a level, so take a tokenizer that keeps the word whole"
                )
            ids += found
        if len(set(ids)) != len(ids):
            raise CallError("the tokenizer gives two level words the same token")
        return tuple(ids)


@functools.lru_cache(maxsize=4096)
def _encoded(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Prompts repeat from sample to sample, and encoding one takes as long as decoding a small clip."""
    return tuple(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])


def train_tokenizer(texts: Iterable[str], vocabulary: int, specials: Iterable[str] = ()) -> Tokens:
    """Train a byte-level BPE on `texts`; deterministic. The special tokens come first, then a backbone's `specials`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[*SPECIALS, *specials],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f" {LEVEL_TEXT}", "user\n", "assistant\n"] * LEVEL_WEIGHT + sorted(texts), trainer)
    return Tokens(
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, eos_token=TURN_END, pad_token=END_OF_TEXT, chat_template=CHAT_TEMPLATE
        )
    )
