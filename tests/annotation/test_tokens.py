"""Tokens are found, and not shown."""

import json
from pathlib import Path

import pytest

from annotation.tokens import TOKEN_FILE, Token, find_token
from schemas.errors import CallError

URL = "http://127.0.0.1:8080"
SECRET = "f00dfeedf00dfeedf00dfeedf00dfeedf00dfeed"


def write(home: Path, text: str, mode: int = 0o600) -> Path:
    path = home / TOKEN_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_environment_comes_first_and_ours_before_the_sdks(tmp_path: Path) -> None:
    write(tmp_path, f'"{URL}" = "of-the-file"')
    both = {"VQA2_LABEL_STUDIO_TOKEN": " ours\n", "LABEL_STUDIO_API_KEY": "theirs"}
    assert find_token(URL, both, tmp_path).reveal() == "ours"
    assert find_token(URL, {"LABEL_STUDIO_API_KEY": "theirs"}, tmp_path).reveal() == "theirs"
    assert find_token(URL, {"VQA2_LABEL_STUDIO_TOKEN": " "}, tmp_path).reveal() == "of-the-file"


def test_a_file_holds_one_token_a_server(tmp_path: Path) -> None:
    write(tmp_path, f'"{URL}/" = "first"\n"https://labels.example.org" = "second"\n')
    assert find_token(URL, {}, tmp_path).reveal() == "first"
    assert find_token("https://labels.example.org/", {}, tmp_path).reveal() == "second"
    with pytest.raises(CallError, match=r"tokens\.toml has no token for http://other") as refused:
        find_token("http://other", {}, tmp_path)
    assert "first" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    write(tmp_path, f'"{URL}" = "{SECRET}"', mode)
    with pytest.raises(CallError, match=f"mode {mode:o}") as refused:
        find_token(URL, {}, tmp_path)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "text", [f'"{URL}" = {SECRET}', f'"{URL}" = "{SECRET}', f"{SECRET}", f'"{URL}" = ["{SECRET}"]']
)
def test_a_file_that_cannot_be_read_is_not_quoted(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(CallError, match=r"tokens\.toml") as refused:
        find_token(URL, {}, tmp_path)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_no_token_says_where_to_put_one(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="VQA2_LABEL_STUDIO_TOKEN.*mode 600"):
        find_token(URL, {}, tmp_path)


@pytest.mark.parametrize("text", ["", "two words", f"{SECRET}\nHost: elsewhere", "schlüssel", "a\x00b"])
def test_what_is_no_token_is_refused_unseen(text: str) -> None:
    with pytest.raises(CallError, match="the file holds no token") as refused:
        Token(text, "the file")
    assert not text or text not in str(refused.value)


def test_a_token_does_not_show_itself() -> None:
    token = Token(SECRET, "x")
    assert SECRET not in f"{token} {token!r} {[token]} {vars(Token)}"
    with pytest.raises(TypeError):
        json.dumps(token)
    assert token.hidden_in(f"a {SECRET} b") == "a *** b"


def test_kinds_of_tokens_are_told_apart() -> None:
    assert Token("eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxfQ.c2lnbmVk", "x").is_personal()
    assert not Token(SECRET, "x").is_personal()
