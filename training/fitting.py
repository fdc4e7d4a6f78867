"""Want of memory, told as what to do about it."""

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
    except (MemoryError, RuntimeError) as error:
        if not wants_memory(error):
            raise
        raise CallError(f"{what} takes more memory than there is: {remedy}") from None


def wants_memory(error: Exception) -> bool:
    """Say whether an error is for want of memory, of the machine or of a GPU."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or ON_CPU in str(error)
