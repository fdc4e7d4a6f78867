"""torch.compile's code generation gives the numbers of the plain network, for every backbone.

Not collected by itself: `make test-interop` names this file, for torch takes minutes to compile what runs for
milliseconds here. What comes before code generation is tested in tests/training/test_backbones.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.training.test_backbones import CLOSE, PRESETS, batch, last, mixed
from training.checkpoints.preset import load_preset
from training.checkpoints.start import initial_model, initial_tokens, model_config


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own compiler still asks for it
def test_compiled_it_gives_the_same(name: str) -> None:
    preset = load_preset(name)
    tokens = initial_tokens(preset, ["Which is better? Look: 1.0 seconds"])
    config: Any = model_config(preset, tokens)
    model = initial_model(preset, config, 0).eval()
    inputs = batch(config, tokens, *mixed(config))
    expected = last(model, inputs)
    torch._dynamo.reset()
    torch.testing.assert_close(last(torch.compile(model), inputs), expected, **CLOSE)
    assert torch._dynamo.utils.counters["inductor"], "nothing was compiled"
    torch._dynamo.reset()
