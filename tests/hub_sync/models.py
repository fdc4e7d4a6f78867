"""Model folders to publish: tiny models that are trained here for a step, on a corpus that is published too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from schemas.recipe import TrainRecipe, convert
from training.checkpoints.start import quiet
from training.trainer.train import train

STAGE: dict[str, Any] = {"name": "ugc", "configs": ["stage2-ugc"], "train": ["llm", "motion_projector"], "steps": 1}


def trained(corpus: Path, out: Path, **keys: Any) -> Path:
    """Train a tiny model for one step, and give its folder."""
    torch.set_num_threads(1)
    quiet()
    recipe = {"corpus": str(corpus), "out": str(out), "stages": [{**STAGE, "batch": 1}], **keys}
    train(convert(recipe, TrainRecipe, "recipe"), out.parent)
    return out
