"""Tokens of Label Studio and keys of language models: where they are found, and how they are kept from being seen."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas.errors import CallError

VARIABLES = ("VQA2_LABEL_STUDIO_TOKEN", "LABEL_STUDIO_API_KEY")
TOKEN_FILE = Path(".config/vqa2/tokens.toml")
"""Below the home folder: lines `"http://127.0.0.1:8080" = "token"`, readable by its owner alone."""
HIDDEN = "***"


class Token:
    """A token that shows itself only in `reveal`. It is no str, so no message, log or JSON takes it by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str, origin: str) -> None:
        """Take the text of a token found in `origin`. Raises CallError where it cannot be one, without showing it."""
        text = text.strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise CallError(f"{origin} holds no token: a token is one word of printable ASCII")
        self._text = text

    def reveal(self) -> str:
        """Give the text itself."""
        return self._text

    def is_personal(self) -> bool:
        """Tell a personal access token (a JSON Web Token: three parts, RFC 7519) from a legacy one (40 hex digits)."""
        return self._text.startswith("ey") and self._text.count(".") == 2

    def hidden_in(self, text: str) -> str:
        """Give `text` with the token blotted out."""
        return text.replace(self._text, HIDDEN)

    def __repr__(self) -> str:
        """Show that there is a token."""
        return f"Token({HIDDEN})"


def find_token(url: str, environment: Mapping[str, str] | None = None, home: Path | None = None) -> Token:
    """Find the token for a server: in the environment, else in the file of tokens.

    Raises CallError, never with a token in it, where there is none or where others could read the file.
    """
    environment = os.environ if environment is None else environment
    for variable in VARIABLES:
        if environment.get(variable, "").strip():
            return Token(environment[variable], variable)
    tokens = tokens_of_file(home)
    if tokens is None:
        raise CallError(
            f"there is no token for {url}: put it into the environment as {VARIABLES[0]}, or into ~/{TOKEN_FILE} "
            f'(mode 600) as the line "{url}" = "..."; Label Studio shows it under Account & Settings'
        )
    text = tokens.get(url.rstrip("/"))
    if not isinstance(text, str):
        raise CallError(f'~/{TOKEN_FILE} has no token for {url}: add the line "{url}" = "..."')
    return Token(text, f"~/{TOKEN_FILE}")


def find_key(
    url: str, variables: Sequence[str], environment: Mapping[str, str] | None = None, home: Path | None = None
) -> Token | None:
    """Find the key of a server that may need none: in the first of `variables` that is set, else in the file of tokens.

    Raises CallError, never with a key in it, where what is found is no key, or others could read the file.
    """
    environment = os.environ if environment is None else environment
    for variable in variables:
        if environment.get(variable, "").strip():
            return Token(environment[variable], variable)
    text = (tokens_of_file(home) or {}).get(url.rstrip("/"))
    return Token(text, f"~/{TOKEN_FILE}") if isinstance(text, str) else None


def tokens_of_file(home: Path | None = None) -> dict[str, object] | None:
    """Read the file of tokens, by the addresses of servers; None where there is no file. Raises CallError."""
    path = (home or Path.home()) / TOKEN_FILE
    if not path.is_file():
        return None
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise CallError(f"~/{TOKEN_FILE} can be read by others (mode {mode:o}): chmod 600 it, and renew its tokens")
    try:
        tokens = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # What the parser says may quote the line.
        raise CallError(f'~/{TOKEN_FILE} is no TOML: its lines are "http://host:8080" = "token"') from None
    return {name.rstrip("/"): token for name, token in tokens.items()}
