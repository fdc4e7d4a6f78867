"""The order in which samples are seen: batches of like lengths, another order each epoch, the same on every machine.

With P processes, the batches of an epoch are dealt out in turn: a step of P processes that take a batch each sees what
a step of one process that accumulates P batches sees. Where the last round has fewer than P batches, the processes left
over go through the motions with one that counts for nothing, so no sample is seen twice in an epoch, and none left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch.utils.data import Dataset, Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices

from training.inputs.conversation import NO_LOSS
from training.inputs.dataset import Example

APART = 1_000_003
"""Keeps the orders of neighbouring seeds apart."""


class LengthGrouped(Sampler[int]):
    """Samples shuffled, then sorted by length within some fifty batches, so that batches hold little padding.

    An epoch's order follows from the seed and its number alone: a run that goes on within it sees the same.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        """Take the samples' lengths in tokens, and how many make a batch."""
        self._lengths, self._batch, self._seed = list(lengths), batch, seed
        self.epoch = 0

    def __len__(self) -> int:
        """Count the samples."""
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        """Give the indices of the epoch."""
        generator = torch.Generator().manual_seed(self._seed * APART + self.epoch)
        yield from get_length_grouped_indices(self._lengths, self._batch, generator=generator)


class Dealt(Sampler[list[int]]):
    """The batches of an epoch that one process of several takes; all take equally many.

    An index below 0 is of a sample that is not to count: -1 of the first, -2 of the second (`Silenced` knows).
    """

    def __init__(self, order: LengthGrouped, batch: int, process: int, processes: int) -> None:
        """Take the order of all samples, how many make a batch, and which process of how many this is."""
        self._order, self._batch, self._process, self._processes = order, batch, process, processes
        self.batch_size, self.drop_last = batch, False

    def __len__(self) -> int:
        """Count the rounds of an epoch."""
        return math.ceil(len(self._order) / (self._batch * self._processes))

    def __iter__(self) -> Iterator[list[int]]:
        """Give the indices of each batch of this process."""
        order = list(self._order)
        batches = [order[at : at + self._batch] for at in range(0, len(order), self._batch)]
        batches += [[-1 - order[0]]] * (len(self) * self._processes - len(batches))
        yield from batches[self._process :: self._processes]


class Silenced(Dataset[Example]):
    """A dataset of Examples that takes an index below 0 too: the sample then is without labels to learn."""

    def __init__(self, dataset: Dataset[Example]) -> None:
        """Take the dataset."""
        self._dataset = dataset

    def __len__(self) -> int:
        """Count the samples."""
        return len(self._dataset)  # type: ignore[arg-type]  # it has one

    def __getitem__(self, index: int) -> Example:
        """Give one sample. Raises what the dataset raises."""
        if index >= 0:
            return self._dataset[index]
        example = self._dataset[-1 - index]
        return replace(example, labels=[NO_LOSS] * len(example.input_ids), soft=None)
