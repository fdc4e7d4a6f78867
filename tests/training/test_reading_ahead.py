import threading
import time

import pytest
from torch.utils.data import Dataset

from training.inputs.dataset import Example
from training.trainer.reading_ahead import BATCHES, ReadAhead

EPOCHS = [[[3, 1], [0, 2], [4, 5], [7, 6], [8]], [[8, 0], [1, 2], [7, 3], [4, 5], [6]]]


class Counted(Dataset[Example]):
    """Nine samples; remembers which were read, and by which thread; number 7 cannot be read in the second epoch."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.threads: set[str] = set()
        self.spoiled = False

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> Example:
        self.read.append(index)
        self.threads.add(threading.current_thread().name)
        if self.spoiled and index == 7:
            raise ValueError("sample 7 cannot be shown")
        return Example(str(index), [index], None, [])


def names(examples: list[Example]) -> list[str]:
    return [example.name for example in examples]


def test_batches_come_in_order_and_the_next_are_begun() -> None:
    data, epoch = Counted(), 0
    ahead = ReadAhead(data, lambda: EPOCHS[epoch], threads=2)
    assert names(ahead.__getitems__(EPOCHS[0][0])) == ["3", "1"]
    until = time.monotonic() + 10
    while len(data.read) < 2 * (1 + BATCHES) and time.monotonic() < until:
        time.sleep(0.01)
    assert sorted(data.read) == sorted(i for batch in EPOCHS[0][: 1 + BATCHES] for i in batch)
    for batch in EPOCHS[0][1:]:
        assert names(ahead.__getitems__(batch)) == [str(i) for i in batch]
    epoch = 1
    for batch in EPOCHS[1]:
        assert names(ahead.__getitems__(batch)) == [str(i) for i in batch]
    assert sorted(data.read) == sorted(2 * list(range(9)))  # nothing twice in an epoch
    assert all(name.startswith("read") for name in data.threads)
    ahead.close()


def test_a_run_may_go_on_within_an_epoch() -> None:
    data = Counted()
    ahead = ReadAhead(data, lambda: EPOCHS[0], threads=1)
    assert names(ahead.__getitems__(EPOCHS[0][3])) == ["7", "6"]
    assert names(ahead.__getitems__(EPOCHS[0][4])) == ["8"]
    assert sorted(data.read) == [6, 7, 8]
    ahead.close()


def test_what_cannot_be_read_is_told_in_its_turn() -> None:
    data = Counted()
    data.spoiled = True
    ahead = ReadAhead(data, lambda: EPOCHS[1], threads=2)
    assert names(ahead.__getitems__(EPOCHS[1][0])) == ["8", "0"]
    assert names(ahead.__getitems__(EPOCHS[1][1])) == ["1", "2"]
    with pytest.raises(ValueError, match="sample 7 cannot be shown"):
        ahead.__getitems__(EPOCHS[1][2])
    ahead.close()
