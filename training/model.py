"""The VQA² model: LLaVA-OneVision whose language model also reads motion tokens (arXiv 2411.03795).

A prompt holds one token per motion feature, written `<motion>`; the model replaces their embeddings by projected motion
features, as it does with the patches of key frames and images. All inputs are padded per sample on dimension 0 (beams
and generation repeat tensors there), never flattened over the batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, LlavaOnevisionForConditionalGeneration, LlavaOnevisionModel
from transformers.conversion_mapping import get_checkpoint_conversion_mapping, register_checkpoint_conversion_mapping
from transformers.models.llava_onevision.modeling_llava_onevision import LlavaOnevisionModelOutputWithPast

from training.config import MOTION_INPUTS, VQA2Config
from training.frames import normalised, rgb_of_planar
from training.slowfast import SlowFastFast


class MotionProjector(nn.Module):
    """Motion features [T, C] of one clip plus their position, to token embeddings [T, D]: two linear layers."""

    def __init__(self, config: VQA2Config) -> None:
        """Build for the configuration's motion channels and the language model's width."""
        super().__init__()
        width = config.text_config.hidden_size
        self.position_embedding = nn.Embedding(config.motion_positions, config.motion_channels)
        self.linear_1 = nn.Linear(config.motion_channels, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """Project features, whose count is at most the position embedding's length."""
        hidden: Tensor = self.linear_1(features + self.position_embedding.weight[: len(features)])
        out: Tensor = self.linear_2(nn.functional.gelu(hidden))
        return out


class VQA2Model(LlavaOnevisionModel):  # type: ignore[misc]  # transformers ships no types
    """LLaVA-OneVision without its head, plus motion. Merges patches and motion into the token embeddings."""

    config_class = VQA2Config

    def __init__(self, config: VQA2Config) -> None:
        """Build the stock model, the motion extractor where it has weights, and the motion projector."""
        super().__init__(config)
        self.motion_extractor = SlowFastFast() if config.motion_extractor == "slowfast" else None
        self.motion_projector = MotionProjector(config)
        self.post_init()

    def forward(  # noqa: PLR0917  # stock signature: generation and the trainer read it
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        pixel_values: Tensor | None = None,
        image_mask: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        frame_mask: Tensor | None = None,
        motion_features: Tensor | None = None,
        motion_frames: Tensor | None = None,
        motion_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> LlavaOnevisionModelOutputWithPast:
        """Run the language model over tokens, patches and motion.

        `pixel_values` [B, I, 3, S, S] and `pixel_values_videos` [B, K, 3, S, S] are normalised images and key frames,
        `image_mask` [B, I] and `frame_mask` [B, K] say which are real (default: all). Motion comes either as
        `motion_features` [B, T, C] or as dense uint8 `motion_frames` [B, T, ...] for the extractor in the model, with
        `motion_mask` [B, T]. Raises ValueError when placeholders and media do not match in number.
        """
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.get_input_embeddings()(input_ids)
        if pixel_values is not None:
            images = _each_with_newline(self._patches(pixel_values, image_mask), self.image_newline)
            inputs_embeds = _merge(inputs_embeds, input_ids, self.config.image_token_id, images, "image")
        if pixel_values_videos is not None:
            videos = self._video_tokens(pixel_values_videos, frame_mask)
            inputs_embeds = _merge(inputs_embeds, input_ids, self.config.video_token_id, videos, "video")
        if motion_features is not None or motion_frames is not None:
            motion = self._motion_tokens(motion_features, motion_frames, motion_mask)
            inputs_embeds = _merge(inputs_embeds, input_ids, self.config.motion_token_index, motion, "motion")
        outputs = self.language_model(
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        return LlavaOnevisionModelOutputWithPast(
            last_hidden_state=outputs.last_hidden_state,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def extract_motion(self, frames: Tensor) -> Tensor:
        """Run the extractor on the dense uint8 frames of one clip; gives [T, C]."""
        if self.motion_extractor is None:
            raise ValueError("this model has no motion extractor in it: feed motion_features")
        rgb = rgb_of_planar(frames) if self.config.dense_pixels == "yuv420p" else frames
        features: Tensor = self.motion_extractor(normalised(rgb, self.dtype))
        return features

    def _patches(self, pixels: Tensor, mask: Tensor | None) -> Tensor:
        """Encode and project the real pictures of a batch: [N, patches, D] in reading order."""
        flat = pixels.flatten(0, 1) if mask is None else pixels[mask.bool()]
        states = self.vision_tower(flat.to(self.dtype), output_hidden_states=True).hidden_states
        patches: Tensor = self.multi_modal_projector(states[self.config.vision_feature_layer])
        return patches

    def _video_tokens(self, pixels: Tensor, mask: Tensor | None) -> Tensor:
        """Key frames pooled 2 x 2, one after the other, and one newline embedding after each video."""
        counts = [pixels.shape[1]] * len(pixels) if mask is None else mask.sum(1).tolist()
        pooled = self.apply_pooling(self._patches(pixels, mask))
        videos = [video.flatten(0, 1) for video in pooled.split([int(n) for n in counts]) if len(video)]
        return torch.cat([torch.cat([video, self.image_newline[None]]) for video in videos])

    def _motion_tokens(self, features: Tensor | None, frames: Tensor | None, mask: Tensor | None) -> Tensor:
        given = features if features is not None else frames
        assert given is not None
        counts = [given.shape[1]] * len(given) if mask is None else mask.sum(1).tolist()
        tokens = []
        for clip, count in zip(given, counts, strict=True):
            if count == 0:
                continue
            real = clip[: int(count)]
            found = real.to(self.dtype) if features is not None else self.extract_motion(real)
            tokens.append(self.motion_projector(found[:: self.config.motion_stride(int(count))]))
        return torch.cat(tokens)


class VQA2ForConditionalGeneration(LlavaOnevisionForConditionalGeneration):  # type: ignore[misc]  # as above
    """The VQA² model with its language modelling head."""

    config_class = VQA2Config

    def __init__(self, config: VQA2Config) -> None:
        """Build the model and its head."""
        super(LlavaOnevisionForConditionalGeneration, self).__init__(config)
        self.model = VQA2Model(config)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.post_init()

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
        image_mask: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        frame_mask: Tensor | None = None,
        motion_features: Tensor | None = None,
        motion_frames: Tensor | None = None,
        motion_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the model; inputs as VQA2Model.forward, `labels` [B, L] with -100 where no loss is taken."""
        return super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            labels=labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            pixel_values=pixel_values,
            image_mask=image_mask,
            pixel_values_videos=pixel_values_videos,
            frame_mask=frame_mask,
            motion_features=motion_features,
            motion_frames=motion_frames,
            motion_mask=motion_mask,
            **kwargs,
        )

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, *, is_first_iteration: bool | None = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Feed media with the prompt only; later steps have them in the cache. (`kwargs` must bear that name.)"""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        if not is_first_iteration and kwargs.get("use_cache", True):
            for name in ("pixel_values", "image_mask", "pixel_values_videos", "frame_mask", *MOTION_INPUTS):
                inputs.pop(name, None)
        return inputs


def _each_with_newline(patches: Tensor, newline: Tensor) -> Tensor:
    """[N, P, D] to [N * (P + 1), D]: a newline embedding after each picture."""
    return torch.cat([patches, newline.expand(len(patches), 1, -1)], dim=1).flatten(0, 1)


def _merge(embeds: Tensor, input_ids: Tensor | None, token: int, found: Tensor, kind: str) -> Tensor:
    """Put media embeddings where their placeholder tokens stand. Raises ValueError when the numbers differ."""
    if input_ids is None:
        raise ValueError(f"{kind} input needs input_ids, which say where its placeholders stand")
    where = input_ids == token
    if int(where.sum()) != len(found):
        raise ValueError(f"the prompt holds {int(where.sum())} {kind} tokens, the media give {len(found)}")
    return embeds.masked_scatter(where[..., None], found.to(embeds.dtype))


def _register() -> None:
    """Make the auto classes and the stock checkpoint renames know the model.

    Transformers applies the renames of a stock model's checkpoint to its own classes only: without these two lines
    stock LLaVA-OneVision weights leave the whole language model random, with no more than a warning.
    """
    AutoModelForImageTextToText.register(VQA2Config, VQA2ForConditionalGeneration)
    for ours, stock in ((VQA2Config.model_type, "llava_onevision"), ("VQA2Model", "LlavaOnevisionModel")):
        register_checkpoint_conversion_mapping(ours, get_checkpoint_conversion_mapping(stock), overwrite=True)


_register()
