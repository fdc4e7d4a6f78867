"""Pseudonyms of raters: keyed hashes of what the server knows them by, so that names and addresses stay there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import stat
from pathlib import Path

from schemas.errors import CallError

KEY_FILE = "raters.key"
ADDRESS = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
"""What looks like an e-mail address (lengths of RFC 5321)."""
_LETTERS = 10


class Pseudonyms:
    """Names people `r-` and ten letters and digits (base32 of 50 bits), by HMAC-SHA256 under the project's key.

    Without the key nobody can try out who a pseudonym is; with it, the same person has the same pseudonym.
    """

    def __init__(self, key: bytes) -> None:
        """Name people under `key`."""
        self._key = key

    def of(self, user: int | str) -> str:
        """Give the pseudonym of a user's id, or of an e-mail address (in any case) where no id is known."""
        who = f"id:{user}" if isinstance(user, int) else f"mail:{user.strip().casefold()}"
        return self._name(who)

    def of_unknown(self, annotation: str) -> str:
        """Give a pseudonym to whoever made an annotation, where the server has forgotten: one for each annotation."""
        return self._name(f"unknown:{annotation}")

    def _name(self, who: str) -> str:
        digest = hmac.new(self._key, who.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        return f"r-{base64.b32encode(digest).decode().lower()[:_LETTERS]}"


def read_key(path: Path) -> Pseudonyms:
    """Read the key of the pseudonyms, or make one (32 random bytes, in hex) that only its owner may read.

    Raises CallError for a file that others may read or that holds no such key.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        raise CallError(f"{str(path)!r}: the key of the pseudonyms cannot be written ({error.strerror})") from None
    else:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise CallError(f"{str(path)!r}: others may read the key of the pseudonyms: chmod 600 it")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise CallError(f"{str(path)!r} holds no key of pseudonyms (64 hexadecimal digits): restore it from a backup")
    return Pseudonyms(key)
