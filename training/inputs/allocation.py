"""How the C library hands out memory to a process that computes on a CPU."""

from __future__ import annotations

import contextlib
import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of glibc's malloc.h: how much free memory is kept, in bytes, and how many allocations may lie apart from the rest."""


def keep_memory() -> None:
    """Have this process keep what large tensors took, for the next ones.

    Left alone, glibc gives it back to the system, which then fills each page of a new tensor with zeros: a third of
    the motion extractor's time. Elsewhere nothing is done.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
