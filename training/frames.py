"""From decoded pixels to model inputs: key frames to the tower's size, planar dense frames to RGB, normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from dataset_builder.video import Pixels

if TYPE_CHECKING:
    from training.config import VQA2Config


def key_frame_pixels(frame: Pixels, config: VQA2Config) -> Tensor:
    """Bring one key frame [H, W, 3] uint8 to the vision tower's [3, size, size] uint8."""
    return small_key_frame(frame, config.vision_config.image_size, config.key_frames)


def small_key_frame(frame: Pixels, size: int, form: Literal["resize", "crop"]) -> Tensor:
    """Bring one key frame [H, W, 3] uint8 to [3, size, size] uint8.

    `resize` is PIL's bicubic, as upstream feeds its tower: resizing in float drifts by up to 27 grey levels from it,
    and torch's uint8 kernel still by one. `crop` keeps native pixels, because resizing destroys blur and noise;
    a frame smaller than the crop is scaled up to it.
    """
    height, width = frame.shape[:2]
    if form == "crop" and min(height, width) >= size:
        top, left = (height - size) // 2, (width - size) // 2
        square = frame[top : top + size, left : left + size]
    else:
        square = np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BICUBIC))
    return torch.from_numpy(np.ascontiguousarray(square.transpose(2, 0, 1)))


def normalised(pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Map uint8 0..255 to -1..1: SigLIP's mean and standard deviation of 0.5, which upstream feeds SlowFast too."""
    return pixels.to(dtype) / 127.5 - 1


def rgb_of_planar(planar: Tensor) -> Tensor:
    """Convert planar 4:2:0 frames [T, S * 3 // 2, S] uint8 (limited range, BT.601) to RGB [T, 3, S, S] uint8."""
    size = planar.shape[-1]
    half = size // 2
    luma = (planar[:, None, :size].float() - 16) * (255 / 219)
    chroma = planar[:, size:].reshape(-1, 2, half, half).float() - 128
    chroma = F.interpolate(chroma, (size, size), mode="nearest") * (255 / 224)
    blue, red = chroma[:, :1], chroma[:, 1:]
    rgb = torch.cat([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], dim=1)
    return rgb.round().clamp(0, 255).to(torch.uint8)
