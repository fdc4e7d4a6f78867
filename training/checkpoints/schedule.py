"""The freeze schedule: which parameters each named part of the model is, and the optimiser over those that learn."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn

from schemas.recipe import TrainStage

PARTS: dict[str, tuple[str, ...]] = {
    "vision": (
        "model.vision_tower.",
        "model.visual.patch_embed.",
        "model.visual.pos_embed.",
        "model.visual.blocks.",
    ),
    "vision_projector": (
        "model.multi_modal_projector.",
        "model.image_newline",
        "model.visual.merger.",
        "model.visual.deepstack_merger_list.",
    ),
    "motion": ("model.motion_extractor.",),
    "motion_projector": ("model.motion_projector.",),
    "llm": ("model.language_model.", "lm_head."),
}
"""The names that a part's parameters begin with, in any backbone (`TrainStage.train`)."""
TEXT_EMBEDDINGS = "embed_tokens"
"""Frozen throughout (arXiv 2411.03795)."""


ADAPTER_MARKS = (".lora_A.", ".lora_B.", ".modules_to_save.")
"""What stands in the names of weights that PEFT adds, and of the copies that learn whole."""


def freeze_but(model: nn.Module, parts: Collection[str]) -> None:
    """Let the named parts learn and nothing else; text embeddings never do.

    In a model with adapters only these learn, and the copies that PEFT made of what learns whole.
    """
    prefixes = tuple(prefix for part in parts for prefix in PARTS[part])
    named = dict(model.named_parameters())
    adapted = any(is_added(name) for name in named)
    for name, parameter in named.items():
        learns = name.startswith(prefixes) and TEXT_EMBEDDINGS not in name and (not adapted or is_added(name))
        # Weights in 4 bits are integers and can never learn.
        parameter.requires_grad_(learns and parameter.is_floating_point())


def is_added(name: str) -> bool:
    """Say whether PEFT added a parameter."""
    return any(mark in name for mark in ADAPTER_MARKS)


def optimizer(model: nn.Module, stage: TrainStage) -> torch.optim.AdamW:
    """Make AdamW over what learns: the vision tower at its own rate; biases and norms do not decay."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        vision = stage.vision_lr is not None and name.startswith(PARTS["vision"])
        rate = stage.vision_lr if vision and stage.vision_lr is not None else stage.lr
        groups.setdefault((rate, stage.weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": lr, "weight_decay": wd} for (lr, wd), p in groups.items()], fused=True
    )
