"""Work done in threads before its results are asked for: clips are decoded while the model computes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST_THREADS = 8
"""Each holds one decoded clip: 10 s at 30 frames a second are 130 MB in the form of the released weights."""


def threads() -> int:
    """Give how many threads decode where nobody says: one a core that this process may use, up to MOST_THREADS."""
    return min(len(os.sched_getaffinity(0)), MOST_THREADS)


def ahead(do: Callable[[T], R], items: Iterable[T], *, workers: int, most: int) -> Iterator[R]:
    """Do something to each item in threads and give the results in order; at most `most` wait to be taken.

    What `do` raises is raised here, in its turn.
    """
    waiting = iter(items)
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            pending.extend(pool.submit(do, item) for item in islice(waiting, most))
            while pending:
                result = pending.popleft().result()
                pending.extend(pool.submit(do, item) for item in islice(waiting, 1))
                yield result
        finally:
            for future in pending:
                future.cancel()
