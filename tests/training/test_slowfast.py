import math

import pytest
import torch
from torch import nn

from benchmarks._slowfast import Both
from training.converting.slowfast import slow_shapes
from training.models.slowfast import REACH, SlowFastFast


@pytest.fixture
def extractor() -> SlowFastFast:
    """Norms of random size: fresh ones pass a residual block through unchanged at worst, which would hide errors."""
    torch.manual_seed(0)
    model = SlowFastFast().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


@torch.inference_mode()
def test_one_feature_a_frame_and_half_a_million_parameters(extractor: SlowFastFast) -> None:
    assert extractor(torch.randn(12, 3, 32, 32)).shape == (12, 256)
    assert sum(p.numel() for p in extractor.parameters()) == 514_152


@torch.inference_mode()
@pytest.mark.parametrize("chunk", [7, 40])
def test_chunks_give_the_whole_exactly(extractor: SlowFastFast, chunk: int) -> None:
    """In float64, where rounding cannot hide the little that the farthest frame adds."""
    frames = torch.randn(60, 3, 32, 32, dtype=torch.float64)
    whole = extractor.double()(frames, chunk=60)
    scale = float(whole.abs().max())
    torch.testing.assert_close(extractor(frames, chunk=chunk), whole, rtol=0, atol=1e-13 * scale)


@torch.inference_mode()
def test_a_frame_is_felt_eighteen_frames_away_and_no_further(extractor: SlowFastFast) -> None:
    frames = torch.randn(50, 3, 32, 32)
    other = frames.clone()
    other[25] += 1
    moved = (extractor(frames) - extractor(other)).abs().amax(1) > 0
    assert moved.nonzero().flatten().tolist() == list(range(25 - REACH, 25 + REACH + 1))


def test_names_are_those_of_pytorchvideo(extractor: SlowFastFast) -> None:
    names = set(extractor.state_dict())
    assert "blocks.0.multipathway_blocks.1.conv.weight" in names
    assert "blocks.1.multipathway_blocks.1.res_blocks.0.branch1_norm.running_var" in names
    assert "blocks.4.multipathway_blocks.1.res_blocks.2.branch2.norm_c.bias" in names


def test_training_mode_leaves_batch_statistics_alone(extractor: SlowFastFast) -> None:
    before = extractor.blocks[0].multipathway_blocks["1"].norm.running_mean.clone()
    extractor.train()(torch.randn(8, 3, 32, 32))
    torch.testing.assert_close(extractor.blocks[0].multipathway_blocks["1"].norm.running_mean, before, rtol=0, atol=0)


@torch.inference_mode()
def test_features_are_those_with_the_slow_pathway_beside_to_the_bit(extractor: SlowFastFast) -> None:
    frames = torch.randn(16, 3, 48, 48)
    both = Both(extractor).eval()
    assert torch.equal(both(frames), extractor(frames))
    assert sum(p.numel() for p in both.slow.parameters()) + sum(p.numel() for p in both.fusions.parameters()) == sum(
        math.prod(shape) for name, shape in slow_shapes().items() if name.endswith(("weight", "bias"))
    )
