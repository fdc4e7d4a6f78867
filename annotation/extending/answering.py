"""A request with one repair: what cannot be used is shown to the model once more, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from annotation.extending.endpoint import MOST_RAW, Asking
from annotation.extending.ledger import Answer, Request
from annotation.extending.parse import InvalidError
from annotation.extending.prompts import ask_again

T = TypeVar("T")


class UnusableError(Exception):
    """What was answered cannot be used, also after its repair. `raw` is the last answer."""

    def __init__(self, why: str, raw: str) -> None:
        """Take the reason and the text."""
        super().__init__(why)
        self.raw = raw[:MOST_RAW]


def answered(asking: Asking, request: Request, read: Callable[[Answer, Request], T]) -> T:
    """Give what `read` makes of the answer to a request, or of that to its repair.

    Raises UnusableError where neither can be used, and what `Asking.ask` raises.
    """
    answer = asking.ask(request)
    try:
        return read(answer, request)
    except InvalidError as error:
        first = error
    if first.final:
        raise UnusableError(str(first), answer.refusal or answer.content)
    again = ask_again(request, answer.content, str(first), cut=first.cut)
    answer = asking.ask(again)
    try:
        return read(answer, again)
    except InvalidError as error:
        raise UnusableError(f"{error} (before its repair: {first})", answer.refusal or answer.content) from None
