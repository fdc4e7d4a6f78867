"""How this process was launched: which of how many it is, and how they share the model."""

from __future__ import annotations

import os

import torch


def process() -> int:
    """Give the number of this process; the first one writes and tells."""
    return int(os.environ.get("RANK", "0"))


def processes() -> int:
    """Count the processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def own_device() -> None:
    """Take the GPU that is this process's own, before anything is put on one."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def changes_the_model() -> bool:
    """Say whether a stage leaves a model that only its own trainer can use: all but plain data parallelism do."""
    return any(_said(name) for name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"))


def uses_fsdp() -> bool:
    """Say whether the processes were started to use FSDP."""
    return _said("ACCELERATE_USE_FSDP")


def launched() -> str:
    """Name how the processes were started to share the model."""
    if uses_fsdp():
        return "fsdp"
    if _said("ACCELERATE_USE_DEEPSPEED"):
        return f"zero{os.environ.get('ACCELERATE_DEEPSPEED_ZERO_STAGE', '')}"
    return "none"


def _said(name: str) -> bool:
    return os.environ.get(name, "false").lower() in {"1", "true", "yes", "on"}
