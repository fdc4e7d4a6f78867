"""Samples read in threads before the trainer asks for them: clips are decoded while the model computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from torch.utils.data import Dataset

from training.inputs.dataset import Example

BATCHES = 2
"""How many batches are held that the model has not come to."""


class ReadAhead(Dataset[Example]):
    """A dataset that is asked for whole batches in an order known before, and reads those that come next in threads.

    What reading a sample raises is raised when its batch is asked for.
    """

    def __init__(self, dataset: Dataset[Example], order: Callable[[], Sequence[Sequence[int]]], threads: int) -> None:
        """Take the dataset, and what gives the batches of the present epoch."""
        self._dataset, self._order = dataset, order
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
        self._epoch: list[tuple[int, ...]] = []
        self._next = 0
        self._pending: dict[int, list[Future[Example]]] = {}

    def __len__(self) -> int:
        """Count the samples."""
        return len(self._dataset)  # type: ignore[arg-type]  # it has one

    def __getitem__(self, index: int) -> Example:
        """Read one sample at once."""
        return self._dataset[index]

    def __getitems__(self, batch: list[int]) -> list[Example]:
        """Give a batch, and have the next ones begun."""
        asked = tuple(batch)
        if self._next >= len(self._epoch) or self._epoch[self._next] != asked:
            self._turn_to(asked)
        here = self._next
        for place in range(here, min(here + 1 + BATCHES, len(self._epoch))):
            if place not in self._pending:
                self._pending[place] = [self._pool.submit(self._dataset.__getitem__, i) for i in self._epoch[place]]
        self._next += 1
        return [future.result() for future in self._pending.pop(here)]

    def close(self) -> None:
        """Drop what was begun and nobody will ask for."""
        self._forget()
        self._pool.shutdown(wait=True)

    def _turn_to(self, batch: tuple[int, ...]) -> None:
        """Begin an epoch, or go on within one: a sample is in one batch of it alone."""
        self._forget()
        self._epoch = [tuple(indices) for indices in self._order()]
        self._next = self._epoch.index(batch)

    def _forget(self) -> None:
        for futures in self._pending.values():
            for future in futures:
                future.cancel()
        self._pending.clear()
