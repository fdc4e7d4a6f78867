"""From decoded pixels to model inputs: key frames to the tower's size, planar dense frames to RGB, normalisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from dataset_builder.video import MediaError, Pixels

if TYPE_CHECKING:
    from training.models.config import MotionConfig, PatchedConfig

LONGEST = 200
"""How many times longer than wide, or wider than long, a picture may be (Qwen2-VL)."""
_PATCH_NAMES = ("patch", "spatial_merge", "temporal_patch")


@dataclass(frozen=True)
class KeyFrameForm:
    """How a key frame or image becomes the vision tower's picture.

    `resize` and `crop` give squares whose side is `size`. `native` keeps the shape as nearly as sides that are
    multiples of `size` and between `min_pixels` and `max_pixels` pixels allow.
    """

    form: Literal["resize", "crop", "native"]
    size: int
    min_pixels: int = 0
    max_pixels: int = 0

    def params(self) -> dict[str, Any]:
        """Give what the picture depends on, to be written down; `KeyFrameForm(**params)` is the form again."""
        params: dict[str, Any] = {"form": self.form, "size": int(self.size)}
        if self.form == "native":
            params |= {"min_pixels": self.min_pixels, "max_pixels": self.max_pixels}
        return params


def key_frame_pixels(frame: Pixels, config: MotionConfig) -> Tensor:
    """Bring one key frame [H, W, 3] uint8 to the vision tower's [3, h, w] uint8."""
    return small_key_frame(frame, config.key_frame_form)


def small_key_frame(frame: Pixels, form: KeyFrameForm) -> Tensor:
    """Bring one key frame [H, W, 3] uint8 to [3, h, w] uint8. Raises MediaError for a frame that is a mere line.

    `resize` is PIL's bicubic, as upstream feeds its tower: resizing in float drifts by up to 27 grey levels from it,
    and torch's uint8 kernel still by one. `crop` keeps native pixels, because resizing destroys blur and noise;
    a frame smaller than the crop is scaled up to it.
    """
    height, width = frame.shape[:2]
    if form.form == "crop" and min(height, width) >= form.size:
        top, left = (height - form.size) // 2, (width - form.size) // 2
        small = frame[top : top + form.size, left : left + form.size]
    else:
        size = native_size(height, width, form) if form.form == "native" else (form.size, form.size)
        small = np.asarray(Image.fromarray(frame).resize(size[::-1], Image.Resampling.BICUBIC))
    return torch.from_numpy(np.ascontiguousarray(small.transpose(2, 0, 1)))


def native_size(height: int, width: int, form: KeyFrameForm) -> tuple[int, int]:
    """Give the height and width of a picture that keeps its shape, by Qwen2-VL's rule.

    Sides are rounded to multiples of `form.size`; where that gives too many or too few pixels, both are first scaled by
    one factor and then rounded down or up. Raises MediaError for sides that differ 200 times, as Qwen2-VL does.
    """
    if max(height, width) > LONGEST * min(height, width):
        raise MediaError(f"a picture of {width} x {height} is too long and thin for this model")
    tall, wide = round(height / form.size) * form.size, round(width / form.size) * form.size
    if tall * wide > form.max_pixels:
        shrink = math.sqrt(height * width / form.max_pixels)
        tall, wide = (max(1, math.floor(side / shrink / form.size)) * form.size for side in (height, width))
    elif tall * wide < form.min_pixels:
        grow = math.sqrt(form.min_pixels / (height * width))
        tall, wide = (math.ceil(side * grow / form.size) * form.size for side in (height, width))
    return tall, wide


def patched(pictures: Tensor, config: PatchedConfig) -> Tensor:
    """Cut the pictures [K, 3, h, w] uint8 of one video or image into normalised patches, as Qwen backbones take them.

    Gives [steps * h/p * w/p, 3 * t * p * p] float32 for patches of p x p pixels and t frames: patches that become one
    token stand together, and the last picture is repeated where frames are missing to a step.
    """
    side, merge, frames = (int(getattr(config.vision_config, f"{n}_size")) for n in _PATCH_NAMES)
    missing = -len(pictures) % frames
    whole = torch.cat([pictures, pictures[-1:].expand(missing, -1, -1, -1)])
    mean, std = (torch.tensor(values)[:, None, None] for values in (config.picture_mean, config.picture_std))
    values = (whole / 255 - mean) / std
    _, channels, height, width = values.shape
    tiles = (height // side // merge, merge, side, width // side // merge, merge, side)
    cut = values.reshape(-1, frames, channels, *tiles).permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    return cut.reshape(-1, channels * frames * side * side)


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
