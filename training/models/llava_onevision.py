"""LLaVA-OneVision with motion: the paper's model (arXiv 2411.03795). Key frames pooled, a newline after each video."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForImageTextToText,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionModel,
)
from transformers.models.llava_onevision.modeling_llava_onevision import LlavaOnevisionModelOutputWithPast

from training.models.config import VQA2Config
from training.models.motion import MotionGeneration, MotionModel, clips, merge, rename_as
from training.models.vision_memory import VisionMemory


class VQA2Model(MotionModel, LlavaOnevisionModel):  # type: ignore[misc]  # transformers ships no types
    """LLaVA-OneVision without its head, plus motion. Merges patches and motion into the token embeddings."""

    config_class = VQA2Config
    vision_memory: VisionMemory | None = None
    """Keeps what the tower says of a picture, while it does not learn."""

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
        `image_mask` [B, I] says which are real and `frame_mask` [B, K] of which video they are (default: all, of one).
        Motion comes either as `motion_features` [B, T, C] or as dense uint8 `motion_frames` [B, T, ...] for the
        extractor in the model, with `motion_mask` [B, T]. Raises ValueError when placeholders and media do not match in
        number.
        """
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.get_input_embeddings()(input_ids)
        if pixel_values is not None:
            images = _each_with_newline(self._patches(pixel_values, image_mask), self.image_newline)
            inputs_embeds = merge(inputs_embeds, input_ids, self.config.image_token_id, images, "image")
        if pixel_values_videos is not None:
            videos = self._video_tokens(pixel_values_videos, frame_mask)
            inputs_embeds = merge(inputs_embeds, input_ids, self.config.video_token_id, videos, "video")
        inputs_embeds = self.merge_motion(inputs_embeds, input_ids, motion_features, motion_frames, motion_mask)
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

    def _patches(self, pixels: Tensor, mask: Tensor | None) -> Tensor:
        """Encode and project the real pictures of a batch: [N, patches, D] in reading order."""
        flat = pixels.flatten(0, 1) if mask is None else pixels[mask.bool()]
        pictures = flat.to(self.dtype)
        states = self.vision_memory.patches(pictures, self._see) if self.vision_memory else self._see(pictures)
        patches: Tensor = self.multi_modal_projector(states)
        return patches

    def _see(self, pictures: Tensor) -> Tensor:
        states: Tensor = self.vision_tower(pictures, output_hidden_states=True).hidden_states[
            self.config.vision_feature_layer
        ]
        return states

    def _video_tokens(self, pixels: Tensor, mask: Tensor | None) -> Tensor:
        """Key frames pooled 2 x 2, one after the other, and one newline embedding after each video."""
        pooled = self.apply_pooling(self._patches(pixels, mask))
        videos = pooled.split([len(video) for video in clips(pixels, mask)])
        return torch.cat([torch.cat([video.flatten(0, 1), self.image_newline[None]]) for video in videos])


class VQA2ForConditionalGeneration(MotionGeneration, LlavaOnevisionForConditionalGeneration):  # type: ignore[misc]  # as above
    """The VQA² model with its language modelling head."""

    config_class = VQA2Config
    media_inputs: ClassVar[tuple[str, ...]] = ("pixel_values", "image_mask", "pixel_values_videos", "frame_mask")

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


def _each_with_newline(patches: Tensor, newline: Tensor) -> Tensor:
    """[N, P, D] to [N * (P + 1), D]: a newline embedding after each picture."""
    return torch.cat([patches, newline.expand(len(patches), 1, -1)], dim=1).flatten(0, 1)


AutoModel.register(VQA2Config, VQA2Model)
AutoModelForImageTextToText.register(VQA2Config, VQA2ForConditionalGeneration)
rename_as(VQA2Config.model_type, "llava_onevision")
rename_as("VQA2Model", "LlavaOnevisionModel")
