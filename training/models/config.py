"""The configurations of the family: a stock backbone's, plus how motion enters and how clips are read for it.

What is ours stands in MotionConfig; the three classes say what their backbone shows of a picture, and as which tokens.
Annotations are evaluated here: `strict` validates no field whose type it is given as text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, LlavaOnevisionConfig, Qwen2_5_VLConfig, Qwen3VLConfig

from dataset_builder.video import DenseForm
from schemas.frames import key_frame_step
from schemas.sample import IMAGE, VIDEO
from training.models.frame_stats import STATISTICS
from training.models.frames import KeyFrameForm

SLOWFAST_CHANNELS = 256
MOTION_INPUTS = ("motion_features", "motion_frames", "motion_mask")
"""The model inputs that carry motion; generation feeds them once, with the prompt."""
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
"""What the Qwen-VL models write around the patches of a picture."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""What OpenAI's CLIP subtracts from RGB on [0, 1] and divides by; Qwen2.5-VL kept it."""
HALF = (0.5, 0.5, 0.5)

Pieces = Sequence[tuple[str, int]]
"""Special tokens or plain text, and how often each stands there."""


@dataclass(kw_only=True)
class MotionConfig:
    """What every backbone has besides its stock configuration (arXiv 2411.03795).

    `motion_extractor`: `slowfast` is the fast pathway of SlowFast-R50, which runs in the model; `frame_stats` is a rule
    without weights, which runs in the data path; `none` is a model without motion tokens. `motion_positions` is the
    length of the learned position embedding: a clip with more motion frames gives every n-th feature,
    n = ceil(frames / motion_positions).
    `dense_*` say how every frame is read for the extractor, `key_frames` how a key frame becomes the vision tower's
    input: `resize` squeezes it to the tower's size, `crop` cuts the middle of that size out of it at native scale,
    `native` (Qwen backbones) keeps its shape, within the bounds on its pixels.
    `patch_embedding`: `dct` starts the patch embedding of a model without weights from a whitened luma DCT.
    """

    backbone: ClassVar[str]
    """How presets call it."""
    specials: ClassVar[tuple[str, ...]] = ()
    """Special tokens that its prompts hold besides those of the whole family."""
    if TYPE_CHECKING:  # what the stock configurations have
        model_type: ClassVar[str]
        text_config: ClassVar[Any]
        vision_config: ClassVar[Any]
        image_token_id: ClassVar[int]
        video_token_id: ClassVar[int]

    motion_token_index: int = 151648
    motion_extractor: Literal["slowfast", "frame_stats", "none"] = "slowfast"
    motion_positions: int = 2000
    dense_size: int = 384
    dense_filter: Literal["BICUBIC", "AREA"] = "BICUBIC"
    dense_pixels: Literal["rgb24", "yuv420p"] = "rgb24"
    key_frames: Literal["resize", "crop", "native"] = "resize"
    patch_embedding: Literal["random", "dct"] = "random"

    def __post_init__(self, **kwargs: Any) -> None:
        """Refuse frame statistics of anything but planar frames."""
        super().__post_init__(**kwargs)  # type: ignore[misc]  # the stock configuration's
        if self.motion_extractor == "frame_stats" and self.dense_pixels != "yuv420p":
            raise ValueError("motion_extractor frame_stats reads planar frames: dense_pixels must be yuv420p")

    @property
    def reads_motion(self) -> bool:
        """Whether the model is shown motion at all."""
        return self.motion_extractor != "none"

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
    def key_frame_form(self) -> KeyFrameForm:
        """How a key frame or image becomes the vision tower's picture."""
        raise NotImplementedError

    def image_pieces(self, height: int, width: int) -> Pieces:
        """Write one image of the tower's pixels as tokens."""
        raise NotImplementedError

    def video_pieces(self, count: int, height: int, width: int, fps: float) -> Pieces:
        """Write `count` key frames of the tower's pixels as tokens; `fps` is the clip's."""
        raise NotImplementedError

    def estimated_tokens(self, kind: Literal["video", "image"], pictures: int) -> int:
        """Estimate the vision tokens of so many key frames, or of an image, without their size."""
        raise NotImplementedError


@strict
class VQA2Config(MotionConfig, LlavaOnevisionConfig):  # type: ignore[misc]  # transformers ships no types
    """LLaVA-OneVision (Qwen2, SigLIP) plus motion tokens: the paper's model."""

    model_type = "vqa2_llava_onevision"
    backbone: ClassVar[str] = "llava-onevision"

    def __post_init__(self, **kwargs: Any) -> None:
        """Refuse pictures of another shape than the tower's square."""
        super().__post_init__(**kwargs)
        if self.key_frames == "native":
            raise ValueError("key_frames native is for Qwen backbones: SigLIP reads squares, by resize or crop")

    @property
    def key_frame_form(self) -> KeyFrameForm:
        """Squares of the tower's size."""
        return KeyFrameForm(self.key_frames, self.vision_config.image_size)

    @property
    def patches(self) -> int:
        """Vision tokens of one still image, without the newline."""
        return self._side() ** 2

    @property
    def pooled_patches(self) -> int:
        """Vision tokens of one key frame of a video, pooled 2 x 2, without the newline."""
        return ((self._side() + 1) // 2) ** 2

    def image_pieces(self, height: int, width: int) -> Pieces:
        """Patches and one newline."""
        del height, width
        return [(IMAGE, self.patches + 1)]

    def video_pieces(self, count: int, height: int, width: int, fps: float) -> Pieces:
        """Pooled patches of every key frame, and one newline after the video."""
        del height, width, fps
        return [(VIDEO, count * self.pooled_patches + 1)]

    def estimated_tokens(self, kind: Literal["video", "image"], pictures: int) -> int:
        """All but the newline."""
        return pictures * (self.patches if kind == "image" else self.pooled_patches)

    def _side(self) -> int:
        side: int = self.vision_config.image_size // self.vision_config.patch_size
        return side


@dataclass(kw_only=True)
class PatchedConfig(MotionConfig):
    """What the Qwen backbones have besides: pictures of any size, cut into patches, key frames taken in pairs.

    `key_frame_size` is the side that `resize` and `crop` give. `native` keeps the shape of a picture: its sides become
    multiples of a merged patch, its pixels at least `min_pixels` and at most `max_pixels`.
    """

    specials: ClassVar[tuple[str, ...]] = (VISION_START, VISION_END)
    picture_mean: ClassVar[tuple[float, ...]]
    picture_std: ClassVar[tuple[float, ...]]
    times_steps: ClassVar[bool] = False
    """Whether the model is told how long a step of a video lasts."""

    key_frame_size: int = 448
    min_pixels: int = 56 * 56
    max_pixels: int = 28 * 28 * 1280

    def __post_init__(self, **kwargs: Any) -> None:
        """Refuse a picture that merged patches do not tile."""
        super().__post_init__(**kwargs)
        if self.key_frames != "native" and self.key_frame_size % self.tile:
            raise ValueError(f"key_frame_size {self.key_frame_size} is no multiple of a merged patch of {self.tile}")
        if not self.tile**2 <= self.min_pixels <= self.max_pixels:
            raise ValueError(f"needed: {self.tile**2} (a merged patch) <= min_pixels <= max_pixels")

    @property
    def tile(self) -> int:
        """The side in pixels of what becomes one token."""
        tile: int = self.vision_config.patch_size * self.vision_config.spatial_merge_size
        return tile

    @property
    def key_frame_form(self) -> KeyFrameForm:
        """Squares of `key_frame_size`, or the picture's own shape."""
        if self.key_frames == "native":
            return KeyFrameForm("native", self.tile, self.min_pixels, self.max_pixels)
        return KeyFrameForm(self.key_frames, self.key_frame_size)

    def image_pieces(self, height: int, width: int) -> Pieces:
        """A token for every merged patch, between the marks of vision."""
        return self._between_marks(IMAGE, self._tiles(height, width))

    def video_pieces(self, count: int, height: int, width: int, fps: float) -> Pieces:
        """The same for all frames of the video, where several of them make one step in time."""
        del fps
        return self._between_marks(VIDEO, self.steps(count) * self._tiles(height, width))

    def estimated_tokens(self, kind: Literal["video", "image"], pictures: int) -> int:
        """Take the largest that a picture may be."""
        pixels = self.max_pixels if self.key_frames == "native" else self.key_frame_size**2
        return (1 if kind == "image" else self.steps(pictures)) * (pixels // self.tile**2)

    def steps(self, pictures: int) -> int:
        """Give how many steps in time so many key frames make: the last is repeated where one is missing."""
        return -(-pictures // int(self.vision_config.temporal_patch_size))

    def seconds_of_step(self, fps: float) -> float:
        """Give how long a step in time lasts: its key frames stand a second apart, as nearly as the rate allows."""
        return int(self.vision_config.temporal_patch_size) * key_frame_step(fps) / fps

    def _tiles(self, height: int, width: int) -> int:
        return (height // self.tile) * (width // self.tile)

    @staticmethod
    def _between_marks(placeholder: str, count: int) -> Pieces:
        return [(VISION_START, 1), (placeholder, count), (VISION_END, 1)]


@strict
class VQA2Qwen25Config(PatchedConfig, Qwen2_5_VLConfig):  # type: ignore[misc]  # transformers ships no types
    """Qwen2.5-VL plus motion tokens. It is told the seconds between steps as positions."""

    model_type = "vqa2_qwen2_5_vl"
    backbone: ClassVar[str] = "qwen2.5-vl"
    picture_mean, picture_std = CLIP_MEAN, CLIP_STD
    times_steps: ClassVar[bool] = True


@strict
class VQA2Qwen3Config(PatchedConfig, Qwen3VLConfig):  # type: ignore[misc]  # transformers ships no types
    """Qwen3-VL plus motion tokens. It is told the time of each step in words."""

    model_type = "vqa2_qwen3_vl"
    backbone: ClassVar[str] = "qwen3-vl"
    picture_mean, picture_std = HALF, HALF

    def video_pieces(self, count: int, height: int, width: int, fps: float) -> Pieces:
        """Each step by itself, after the mean time of its key frames in seconds."""
        of_step = int(self.vision_config.temporal_patch_size)
        times = [min(i, count - 1) * key_frame_step(fps) / fps for i in range(self.steps(count) * of_step)]
        pieces: list[tuple[str, int]] = []
        for first, last in zip(times[::of_step], times[of_step - 1 :: of_step], strict=True):
            pieces.append((f"<{(first + last) / 2:.1f} seconds>", 1))
            pieces += self._between_marks(VIDEO, self._tiles(height, width))
        return pieces


CONFIGS: dict[str, type[MotionConfig]] = {c.backbone: c for c in (VQA2Config, VQA2Qwen25Config, VQA2Qwen3Config)}
"""The configuration class of each backbone."""

for _config in CONFIGS.values():
    AutoConfig.register(_config.model_type, _config)
