"""The fast pathway of SlowFast-R50 8x8 (arXiv 1812.03982): per-frame motion features of a clip.

Only the fast pathway is built: fusion runs from fast to slow, so the fast features never depend on the slow pathway,
and VQA² uses fast features alone (0.5 M of 34.6 M parameters). Parameters keep pytorchvideo's names
(`blocks.{i}.multipathway_blocks.1...`), so that SLOWFAST_8x8_R50.pyth and upstream's slowfast.pth load.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FAST = 1
"""Index of the fast pathway in pytorchvideo's names."""
COUNTER = "num_batches_tracked"
"""How many batches a norm's statistics came from: nothing is computed of it, and old files leave it out."""
REACH = 18
"""A feature depends on at most this many frames before and after its own: 2 of the stem, 1 of each of 16 blocks."""
CHUNK = 128
"""How many frames are computed at a time, beside those that reach them."""
STAGES = ((3, 8, 32), (4, 16, 64), (6, 32, 128), (3, 64, 256))
"""(blocks, inner channels, output channels) of the four residual stages."""


class _Branch(nn.Module):
    def __init__(self, inputs: int, inner: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv_a = nn.Conv3d(inputs, inner, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.norm_a = nn.BatchNorm3d(inner)
        self.conv_b = nn.Conv3d(inner, inner, (1, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1), bias=False)
        self.norm_b = nn.BatchNorm3d(inner)
        self.conv_c = nn.Conv3d(inner, outputs, 1, bias=False)
        self.norm_c = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        # In place, here and below: the same bits, without the time that a new tensor of such a size takes.
        x = torch.relu_(self.norm_a(self.conv_a(x)))
        x = torch.relu_(self.norm_b(self.conv_b(x)))
        out: Tensor = self.norm_c(self.conv_c(x))
        return out


class _Block(nn.Module):
    """A bottleneck; the first of a stage changes the channels, so its shortcut is a convolution."""

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.changes = inputs != outputs
        if self.changes:
            self.branch1_conv = nn.Conv3d(inputs, outputs, 1, stride=(1, stride, stride), bias=False)
            self.branch1_norm = nn.BatchNorm3d(outputs)
        self.branch2 = _Branch(inputs, inner, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.branch1_norm(self.branch1_conv(x)) if self.changes else x
        return torch.relu_(self.branch2(x).add_(shortcut))


class _Stem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, STAGES[0][1], (5, 7, 7), stride=(1, 2, 2), padding=(2, 3, 3), bias=False)
        self.norm = nn.BatchNorm3d(STAGES[0][1])
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pool(torch.relu_(self.norm(self.conv(x))))
        return out


class _Stage(nn.Module):
    def __init__(self, inputs: int, depth: int, inner: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.res_blocks = nn.ModuleList(
            _Block(outputs if i else inputs, inner, outputs, 1 if i else stride) for i in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        for block in self.res_blocks:
            x = block(x)
        return x


class _Pathways(nn.Module):
    """Holds the fast module under the name that it has beside the slow one."""

    def __init__(self, fast: nn.Module) -> None:
        super().__init__()
        self.multipathway_blocks = nn.ModuleDict({str(FAST): fast})

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.multipathway_blocks[str(FAST)](x)
        return out


class SlowFastFast(nn.Module):
    """Frames [T, 3, H, W] (float, normalised as the key frames are) to features [T, 256], one a frame.

    Batch normalisation always uses its stored statistics, also in training: with one clip a batch those of the batch
    would be noise, and only so is the result independent of `chunk`.
    """

    def __init__(self) -> None:
        """Build the stem and the four stages."""
        super().__init__()
        blocks: list[nn.Module] = [_Pathways(_Stem())]
        inputs = STAGES[0][1]
        for index, (depth, inner, outputs) in enumerate(STAGES):
            blocks.append(_Pathways(_Stage(inputs, depth, inner, outputs, 2 if index else 1)))
            inputs = outputs
        self.blocks = nn.ModuleList(blocks)

    def train(self, mode: bool = True) -> SlowFastFast:
        """Set training mode, but leave batch normalisation on its stored statistics."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.train(False)
        return self

    def forward(self, frames: Tensor, chunk: int = CHUNK) -> Tensor:
        """Extract features `chunk` frames at a time, each with the neighbours that reach it: exact, less memory."""
        parts = []
        for start in range(0, len(frames), chunk):
            first, last = max(0, start - REACH), min(len(frames), start + chunk + REACH)
            x = frames[first:last].transpose(0, 1)[None]
            for block in self.blocks:
                x = block(x)
            parts.append(x[0].mean((-2, -1)).T[start - first : start - first + chunk])
        return torch.cat(parts)[: len(frames)]
