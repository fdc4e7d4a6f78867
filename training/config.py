"""The configuration of the VQA² model: LLaVA-OneVision's, plus how motion enters and how clips are read for it."""

from __future__ import annotations

from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, LlavaOnevisionConfig

from dataset_builder.video import DenseForm
from training.frame_stats import STATISTICS

SLOWFAST_CHANNELS = 256
MOTION_INPUTS = ("motion_features", "motion_frames", "motion_mask")
"""The model inputs that carry motion; generation feeds them once, with the prompt."""


@strict
class VQA2Config(LlavaOnevisionConfig):  # type: ignore[misc]  # transformers ships no types
    """LLaVA-OneVision plus motion tokens (arXiv 2411.03795).

    `motion_extractor`: `slowfast` is the fast pathway of SlowFast-R50, which runs in the model; `frame_stats` is a rule
    without weights, which runs in the data path. `motion_positions` is the length of the learned position embedding:
    a clip with more motion frames gives every n-th feature, n = ceil(frames / motion_positions).
    `dense_*` say how every frame is read for the extractor, `key_frames` how a key frame becomes the vision tower's
    input: `resize` squeezes it to the tower's size, `crop` cuts the middle of that size out of it at native scale.
    `patch_embedding`: `dct` starts the patch embedding of a model without weights from a whitened luma DCT.
    """

    model_type = "vqa2_llava_onevision"

    motion_token_index: int = 151648
    motion_extractor: Literal["slowfast", "frame_stats"] = "slowfast"
    motion_positions: int = 2000
    dense_size: int = 384
    dense_filter: Literal["BICUBIC", "AREA"] = "BICUBIC"
    dense_pixels: Literal["rgb24", "yuv420p"] = "rgb24"
    key_frames: Literal["resize", "crop"] = "resize"
    patch_embedding: Literal["random", "dct"] = "random"

    def __post_init__(self, **kwargs: Any) -> None:
        """Refuse frame statistics of anything but planar frames."""
        super().__post_init__(**kwargs)
        if self.motion_extractor == "frame_stats" and self.dense_pixels != "yuv420p":
            raise ValueError("motion_extractor frame_stats reads planar frames: dense_pixels must be yuv420p")

    @property
    def motion_channels(self) -> int:
        """Channels of one motion feature, before the projector."""
        return SLOWFAST_CHANNELS if self.motion_extractor == "slowfast" else len(STATISTICS)

    @property
    def dense_form(self) -> DenseForm:
        """How every frame is read for the motion extractor."""
        return DenseForm(self.dense_size, self.dense_filter, self.dense_pixels)

    def motion_tokens(self, frames: int) -> int:
        """Give how many motion tokens `frames` motion frames make."""
        return len(range(0, frames, self.motion_stride(frames)))

    def motion_stride(self, frames: int) -> int:
        """Give the step between the motion features that are kept: 1 unless the position embedding is too short."""
        return max(1, -(-frames // self.motion_positions))

    @property
    def patches(self) -> int:
        """Vision tokens of one still image, without the newline."""
        return self._side() ** 2

    @property
    def pooled_patches(self) -> int:
        """Vision tokens of one key frame of a video, pooled 2 x 2, without the newline."""
        return ((self._side() + 1) // 2) ** 2

    def _side(self) -> int:
        side: int = self.vision_config.image_size // self.vision_config.patch_size
        return side


AutoConfig.register(VQA2Config.model_type, VQA2Config)
