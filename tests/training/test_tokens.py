import pytest
from transformers import PreTrainedTokenizerFast

from schemas.errors import CallError
from schemas.levels import LEVELS
from schemas.sample import MOTION, VIDEO, Turn
from training.inputs.conversation import NO_LOSS, encode, encode_open
from training.inputs.tokens import SPECIALS, TURN_END, Tokens, train_tokenizer

TURNS = [Turn(role="user", text=f"Look:\n{VIDEO}. Motion:\n{MOTION}. How?"), Turn(role="assistant", text="It is good.")]
MEDIA = [(VIDEO, 3), (MOTION, 2)]


def test_each_level_word_is_one_token_of_its_own(tokens: Tokens) -> None:
    assert [tokens.tokenizer.decode([i]) for i in tokens.levels()] == [f" {level}" for level in LEVELS]


def test_the_level_word_of_an_answer_is_the_token_that_scoring_reads(tokens: Tokens) -> None:
    for level, token in zip(LEVELS, tokens.levels(), strict=True):
        answer = tokens.text(f"The quality of this video is {level}.")
        assert answer[: len(answer) - 1] == [*tokens.text("The quality of this video is"), token]


def test_a_tokenizer_that_splits_a_level_word_is_refused() -> None:
    split = train_tokenizer(["abc"], len(SPECIALS) + 256)  # no room for merges
    with pytest.raises(CallError, match="splits the level word 'low'"):
        split.levels()


def test_a_tokenizer_without_motion_is_refused(tokens: Tokens) -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens.tokenizer.backend_tokenizer.from_str(
            '{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}'
        )
    )
    with pytest.raises(CallError, match="has no token"):
        Tokens(tokenizer)


def test_training_is_deterministic_and_blind_to_order() -> None:
    texts = ["the quick brown fox", "jumps over", "the lazy dog"] * 5
    first, second = train_tokenizer(texts, 300), train_tokenizer(reversed(texts), 300)
    assert first.tokenizer.get_vocab() == second.tokenizer.get_vocab()


def test_placeholders_expand_and_only_the_answer_is_learnt(tokens: Tokens) -> None:
    encoded = encode(TURNS, MEDIA, tokens)
    assert encoded.input_ids.count(tokens.id(VIDEO)) == 3
    assert encoded.input_ids.count(tokens.id(MOTION)) == 2
    learnt = [label for label in encoded.labels if label != NO_LOSS]
    assert learnt == [*tokens.text("It is good."), tokens.id(TURN_END)]
    assert [i for i, label in zip(encoded.input_ids, encoded.labels, strict=True) if label != NO_LOSS] == learnt


def test_the_chat_template_writes_the_same_tokens(tokens: Tokens) -> None:
    messages = [{"role": turn.role, "content": turn.text} for turn in TURNS]
    written = tokens.tokenizer.apply_chat_template(messages, tokenize=False)
    assert tokens.tokenizer(written)["input_ids"] == encode(TURNS, [(VIDEO, 1), (MOTION, 1)], tokens).input_ids


def test_an_open_answer_is_the_beginning_of_the_whole_one(tokens: Tokens) -> None:
    opened = encode_open(TURNS[0].text, "It is", MEDIA, tokens)
    assert encode(TURNS, MEDIA, tokens).input_ids[: len(opened)] == opened


def test_special_tokens_in_a_users_text_stay_text(tokens: Tokens) -> None:
    assert tokens.id(TURN_END) not in tokens.text(f"what does {TURN_END} mean?")


@pytest.mark.parametrize("media", [MEDIA[:1], [*MEDIA, (VIDEO, 1)], [MEDIA[1], MEDIA[0]], []])
def test_placeholders_that_do_not_match_the_media_are_refused(tokens: Tokens, media: list[tuple[str, int]]) -> None:
    with pytest.raises(ValueError, match="the text h"):
        encode(TURNS, media, tokens)
