"""SlowFast-R50 8x8 with both pathways (arXiv 1812.03982), around a fast pathway of ours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.converting.slowfast import FUSED, FUSION_REACH, WIDER
from training.models.slowfast import STAGES, SlowFastFast

ALPHA = 4
"""The fast pathway sees this many frames for each of the slow one's."""


class Both(nn.Module):
    """Frames [T, 3, H, W] to the features [T, 256] of the fast pathway, with the slow one computed beside it.

    So pytorchvideo's slowfast_r50 runs, without its head; the slow pathway's weights are random.
    """

    def __init__(self, fast: SlowFastFast) -> None:
        """Build the slow pathway beside a fast one."""
        super().__init__()
        self.fast = fast
        stem = STAGES[0][1]
        slow: list[nn.Module] = [_Stem(stem * WIDER)]
        fusions = [_Fusion(stem)]
        inputs = stem * (WIDER + FUSED)
        for index, (depth, inner, outputs) in enumerate(STAGES):
            blocks = []
            for block in range(depth):
                stride, reach = 2 if index and not block else 1, 3 if index > 1 else 1
                blocks.append(_Block(inputs, inner * WIDER, outputs * WIDER, stride, reach))
                inputs = outputs * WIDER
            slow.append(nn.Sequential(*blocks))
            if index + 1 < len(STAGES):
                fusions.append(_Fusion(outputs))
            inputs += outputs * FUSED
        self.slow, self.fusions = nn.ModuleList(slow), nn.ModuleList(fusions)

    def forward(self, frames: Tensor) -> Tensor:
        """Run both pathways over the whole clip."""
        fast = frames.transpose(0, 1)[None]
        slow = fast[:, :, ::ALPHA]
        for index, block in enumerate(self.fast.blocks):
            slow, fast = self.slow[index](slow), block(fast)
            if index < len(STAGES):
                slow = torch.cat([slow, self.fusions[index](fast)], dim=1)
        return fast[0].mean((-2, -1)).T


def _conv(inputs: int, outputs: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> nn.Sequential:
    around = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Sequential(nn.Conv3d(inputs, outputs, kernel, stride, around, bias=False), nn.BatchNorm3d(outputs))


class _Stem(nn.Sequential):
    def __init__(self, width: int) -> None:
        pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        super().__init__(_conv(3, width, (1, 7, 7), (1, 2, 2)), nn.ReLU(), pool)


class _Fusion(nn.Sequential):
    def __init__(self, fast: int) -> None:
        super().__init__(_conv(fast, FUSED * fast, (FUSION_REACH, 1, 1), (ALPHA, 1, 1)), nn.ReLU())


class _Block(nn.Module):
    def __init__(self, inputs: int, inner: int, outputs: int, stride: int, reach: int) -> None:
        super().__init__()
        step = (1, stride, stride)
        self.aside = _conv(inputs, outputs, (1, 1, 1), step) if inputs != outputs else nn.Identity()
        self.branch = nn.Sequential(
            _conv(inputs, inner, (reach, 1, 1), (1, 1, 1)),
            nn.ReLU(),
            _conv(inner, inner, (1, 3, 3), step),
            nn.ReLU(),
            _conv(inner, outputs, (1, 1, 1), (1, 1, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.aside(x) + self.branch(x))
