"""The VQA² models: a backbone that reads text, images and videos, and motion besides, by any of three backbones.

A prompt holds one token per motion feature, written `<motion>`; the model replaces their embeddings by projected motion
features, as it does with the patches of key frames and images.
"""

from __future__ import annotations

from typing import Any

from training.models.config import MotionConfig
from training.models.llava_onevision import VQA2ForConditionalGeneration, VQA2Model
from training.models.motion import MotionGeneration, MotionProjector
from training.models.qwen_vl import VQA2Qwen3ForConditionalGeneration, VQA2Qwen25ForConditionalGeneration

MODELS: dict[str, Any] = {
    model.config_class.backbone: model
    for model in (VQA2ForConditionalGeneration, VQA2Qwen25ForConditionalGeneration, VQA2Qwen3ForConditionalGeneration)
}
"""The model class of each backbone."""

__all__ = [
    "MODELS",
    "MotionGeneration",
    "MotionProjector",
    "VQA2ForConditionalGeneration",
    "VQA2Model",
    "VQA2Qwen3ForConditionalGeneration",
    "VQA2Qwen25ForConditionalGeneration",
    "model_class",
]


def model_class(config: MotionConfig) -> Any:
    """Give the model class of a configuration."""
    return MODELS[config.backbone]
