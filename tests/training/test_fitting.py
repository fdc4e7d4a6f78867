"""Want of memory is told as what to do, and nothing else is taken for it."""

import pytest
import torch

from schemas.errors import CallError
from training.fitting import fitting


def test_want_of_memory_is_told_with_its_remedy() -> None:
    told = "^a pass takes more memory than there is: cut the clips$"
    with pytest.raises(CallError, match=told), fitting("a pass", "cut the clips"):
        torch.empty(2**50)
    with pytest.raises(CallError, match="cut the clips"), fitting("a pass", "cut the clips"):
        bytearray(2**60)


def test_other_errors_are_let_through() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"), fitting("a pass", "cut the clips"):
        torch.ones(2) + torch.ones(3)
