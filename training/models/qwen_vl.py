"""Qwen2.5-VL and Qwen3-VL with motion. Pictures of any size, and positions in three dimensions.

The stock models take the patches of a batch as one flat list, which beams and splits over devices cannot repeat or cut;
here each sample has its own row, whose grids say how much of it is real.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForImageTextToText,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLModel,
    Qwen3VLForConditionalGeneration,
    Qwen3VLModel,
)
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import WeightRenaming
from transformers.modeling_outputs import BaseModelOutputWithPast

from training.models.config import VQA2Qwen3Config, VQA2Qwen25Config
from training.models.motion import MotionGeneration, MotionModel, merge

IMAGE_TYPE, VIDEO_TYPE = 1, 2
"""How the stock models mark the tokens of pictures among those of text, which are 0."""


class QwenMotionModel(MotionModel):
    """A Qwen-VL model without its head, plus motion."""

    if TYPE_CHECKING:
        get_input_embeddings: Any
        get_image_features: Any
        get_rope_index: Any
        compute_3d_position_ids: Any
        language_model: nn.Module

    def forward(  # noqa: PLR0917  # stock signature: generation and the trainer read it
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        pixel_values: Tensor | None = None,
        image_grid_thw: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        video_grid_thw: Tensor | None = None,
        second_per_grid_ts: Tensor | None = None,
        motion_features: Tensor | None = None,
        motion_frames: Tensor | None = None,
        motion_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Run the language model over tokens, patches and motion.

        `pixel_values` [B, P, D] and `pixel_values_videos` are the patches of a sample's images and videos (see
        training.models.frames.patched), `image_grid_thw` [B, N, 3] and `video_grid_thw` how many steps, rows and
        columns of them each has, 0 for none. `second_per_grid_ts` [B, N] is how long a step of a video lasts
        (Qwen2.5-VL only). Motion as in VQA2Model. Raises ValueError when placeholders and media do not match in number.
        """
        kwargs = {k: v for k, v in kwargs.items() if k not in _STOCK_ONLY}
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.get_input_embeddings()(input_ids)
        deep: dict[int, list[Tensor]] = {}
        for kind, pixels, grids in (
            (IMAGE_TYPE, pixel_values, image_grid_thw),
            (VIDEO_TYPE, pixel_values_videos, video_grid_thw),
        ):
            if pixels is None:
                continue
            name = "image" if kind == IMAGE_TYPE else "video"
            if grids is None:
                raise ValueError(f"{name} patches need their grids")
            seen = self.get_image_features(*real_patches(pixels, grids), return_dict=True)  # the same for videos
            token = self._tokens()[kind]
            inputs_embeds = merge(inputs_embeds, input_ids, token, torch.cat(tuple(seen.pooler_output)), name)
            deep[kind] = [torch.cat(tuple(layer)) for layer in getattr(seen, "deepstack_features", [])]
        inputs_embeds = self.merge_motion(inputs_embeds, input_ids, motion_features, motion_frames, motion_mask)
        if position_ids is None:
            grids_of = flat_grids(image_grid_thw, video_grid_thw, second_per_grid_ts)
            position_ids = self._positions(input_ids, inputs_embeds, attention_mask, past_key_values, **grids_of)
        outputs: BaseModelOutputWithPast = self.language_model(
            input_ids=None,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **self._deepstack(input_ids, deep),
            **kwargs,
        )
        return outputs

    def token_types(self, input_ids: Tensor) -> Tensor:
        """Say of each token whether it stands for a piece of an image, of a video, or for neither."""
        types = torch.zeros_like(input_ids)
        for kind, token in self._tokens().items():
            types[input_ids == token] = kind
        return types

    def _tokens(self) -> dict[int, int]:
        return {IMAGE_TYPE: self.config.image_token_id, VIDEO_TYPE: self.config.video_token_id}

    def _positions(
        self,
        input_ids: Tensor | None,
        embeds: Tensor,
        attention_mask: Tensor | None,
        past: Any,
        **grids: Tensor,
    ) -> Tensor | None:
        """Give the positions [3, B, L] of a prompt, or of what goes on after it. They need the tokens' ids."""
        if input_ids is None or (past is not None and past.get_seq_length()):
            later: Tensor | None = self.compute_3d_position_ids(
                input_ids=input_ids,
                image_grid_thw=None,
                video_grid_thw=None,
                inputs_embeds=embeds,
                attention_mask=attention_mask,
                past_key_values=past,
            )
            return later
        positions: Tensor
        positions, self.rope_deltas = self.get_rope_index(
            input_ids,
            mm_token_type_ids=self.token_types(input_ids),
            attention_mask=attention_mask,
            **grids,
        )
        return positions

    def _deepstack(self, input_ids: Tensor | None, deep: dict[int, list[Tensor]]) -> dict[str, Any]:
        """Give what Qwen3-VL adds to its first layers where pictures stand: nothing in Qwen2.5-VL."""
        layers = [kind for kind in deep if deep[kind]]
        if not layers:
            return {}
        assert input_ids is not None
        types = self.token_types(input_ids)
        shown = types > 0
        joint = []
        for level in zip(*(deep[kind] for kind in layers), strict=True):
            found = level[0].new_zeros(int(shown.sum()), level[0].shape[-1])
            for kind, features in zip(layers, level, strict=True):
                found[types[shown] == kind] = features
            joint.append(found)
        return {"visual_pos_masks": shown, "deepstack_visual_embeds": joint}


class QwenMotionGeneration(MotionGeneration):
    """A Qwen-VL model with its head, plus motion."""

    media_inputs: ClassVar[tuple[str, ...]] = (
        "pixel_values",
        "image_grid_thw",
        "pixel_values_videos",
        "video_grid_thw",
        "second_per_grid_ts",
    )

    def forward(  # noqa: PLR0917  # stock signature: generation and the trainer read it
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        pixel_values: Tensor | None = None,
        image_grid_thw: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        video_grid_thw: Tensor | None = None,
        second_per_grid_ts: Tensor | None = None,
        motion_features: Tensor | None = None,
        motion_frames: Tensor | None = None,
        motion_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the model; inputs as QwenMotionModel.forward, `labels` [B, L] with -100 where no loss is taken."""
        timed = {} if second_per_grid_ts is None else {"second_per_grid_ts": second_per_grid_ts}
        return super().forward(  # type: ignore[misc]  # the stock model's
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            labels=labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            pixel_values=pixel_values,
            image_grid_thw=image_grid_thw,
            pixel_values_videos=pixel_values_videos,
            video_grid_thw=video_grid_thw,
            motion_features=motion_features,
            motion_frames=motion_frames,
            motion_mask=motion_mask,
            **timed,
            **kwargs,
        )

    def _prepare_position_ids_for_generation(self, inputs_tensor: Tensor, model_kwargs: dict[str, Any]) -> Tensor:
        """Give the stock method what it makes positions of: types of tokens, and grids as one list."""
        ids = model_kwargs.get("input_ids", inputs_tensor)
        given = dict(model_kwargs)
        if ids.ndim == 2 and not ids.is_floating_point():
            given["mm_token_type_ids"] = self.model.token_types(ids)  # type: ignore[attr-defined]
            given |= flat_grids(
                *(given.pop(n, None) for n in ("image_grid_thw", "video_grid_thw", "second_per_grid_ts"))
            )
        positions: Tensor = super()._prepare_position_ids_for_generation(inputs_tensor, given)  # type: ignore[misc]
        return positions


_STOCK_ONLY = ("mm_token_type_ids", "mm_encoder_outputs")
"""What the stock model with its head gives the one without, and we find out by ourselves."""


def real_patches(pixels: Tensor, grids: Tensor) -> tuple[Tensor, Tensor]:
    """Make one list of patches [n, D] and one of grids [m, 3] of those of a batch, padding left out.

    Raises ValueError when a sample's grids tell of more patches than there are.
    """
    counts = grids.prod(-1).sum(-1)
    if bool((counts > pixels.shape[1]).any()):
        raise ValueError(f"the grids tell of {int(counts.max())} patches, the row has {pixels.shape[1]}")
    real = torch.arange(pixels.shape[1], device=pixels.device) < counts[:, None]
    return pixels[real], grids[grids.prod(-1) > 0]


def flat_grids(images: Tensor | None, videos: Tensor | None, seconds: Tensor | None) -> dict[str, Tensor]:
    """Make one list of the grids of a batch, and of how long the steps of its videos last."""
    flat = {}
    if images is not None:
        flat["image_grid_thw"] = images[images.prod(-1) > 0]
    if videos is not None:
        real = videos.prod(-1) > 0
        flat["video_grid_thw"] = videos[real]
        if seconds is not None:
            flat["second_per_grid_ts"] = seconds[real]
    return flat


class VQA2Qwen25Model(QwenMotionModel, Qwen2_5_VLModel):  # type: ignore[misc]  # transformers ships no types
    """Qwen2.5-VL without its head, plus motion."""

    config_class = VQA2Qwen25Config


class VQA2Qwen25ForConditionalGeneration(QwenMotionGeneration, Qwen2_5_VLForConditionalGeneration):  # type: ignore[misc]  # as above
    """Qwen2.5-VL plus motion."""

    config_class = VQA2Qwen25Config

    def __init__(self, config: VQA2Qwen25Config) -> None:
        """Build the model and its head."""
        super(Qwen2_5_VLForConditionalGeneration, self).__init__(config)
        self.model = VQA2Qwen25Model(config)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.post_init()


class VQA2Qwen3Model(QwenMotionModel, Qwen3VLModel):  # type: ignore[misc]  # as above
    """Qwen3-VL without its head, plus motion."""

    config_class = VQA2Qwen3Config


class VQA2Qwen3ForConditionalGeneration(QwenMotionGeneration, Qwen3VLForConditionalGeneration):  # type: ignore[misc]  # as above
    """Qwen3-VL plus motion."""

    config_class = VQA2Qwen3Config

    def __init__(self, config: VQA2Qwen3Config) -> None:
        """Build the model and its head."""
        super(Qwen3VLForConditionalGeneration, self).__init__(config)
        self.model = VQA2Qwen3Model(config)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.post_init()


def _register_renames() -> None:
    """Have checkpoints from before Transformers nested Qwen2.5-VL's parts renamed, as its own classes do.

    Its own rule takes all of `model.` but those parts for the language model, of which motion is none.
    """
    visual = WeightRenaming("^visual", "model.visual")
    nested = r"^model(?!\.(language_model|visual|motion_))", "model.language_model"
    renames = [visual, WeightRenaming(*nested)]
    register_checkpoint_conversion_mapping("VQA2Qwen25ForConditionalGeneration", renames, overwrite=True)
    register_checkpoint_conversion_mapping("VQA2Qwen25Model", [WeightRenaming(*nested)], overwrite=True)


_register_renames()
AutoModel.register(VQA2Qwen25Config, VQA2Qwen25Model)
AutoModel.register(VQA2Qwen3Config, VQA2Qwen3Model)
AutoModelForImageTextToText.register(VQA2Qwen25Config, VQA2Qwen25ForConditionalGeneration)
AutoModelForImageTextToText.register(VQA2Qwen3Config, VQA2Qwen3ForConditionalGeneration)
