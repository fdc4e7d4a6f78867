"""Want of memory while a model is asked, told as what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from schemas.errors import CallError

ON_CPU = "DefaultCPUAllocator: can't allocate memory"
"""How PyTorch says it without a GPU: in a RuntimeError."""


@contextmanager
def fitting(what: str, remedy: str) -> Iterator[None]:
    """Raise CallError, which names `what` does not fit and the `remedy`, where memory runs out inside."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError):
        raise CallError(f"{what} takes more memory than there is: {remedy}") from None
    except RuntimeError as error:
        if ON_CPU not in str(error):
            raise
        raise CallError(f"{what} takes more memory than there is: {remedy}") from None
