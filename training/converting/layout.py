"""What each tensor of the original LLaVA layout is called in our model folder, and what its configuration means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from schemas.errors import CallError
from training.converting.slowfast import Shapes, fast_shapes, slow_shapes
from training.models.config import VQA2Config
from training.models.model import VQA2ForConditionalGeneration

SLOWFAST = "model.slowfast.feature_extraction."
PREFIXES = (
    ("model.embed_tokens.", "language_model.model.embed_tokens."),
    ("model.layers.", "language_model.model.layers."),
    ("model.norm.", "language_model.model.norm."),
    ("lm_head.", "language_model.lm_head."),
    ("model.image_newline", "image_newline"),
    ("model.mm_projector.0.", "multi_modal_projector.linear_1."),
    ("model.mm_projector.2.", "multi_modal_projector.linear_2."),
    ("model.vision_tower.vision_tower.vision_model.", "vision_tower."),
    ("model.slowfast.position_embedding.", "model.motion_projector.position_embedding."),
    ("model.slowfast_projector.0.", "model.motion_projector.linear_1."),
    ("model.slowfast_projector.2.", "model.motion_projector.linear_2."),
)
"""Beginnings of names, theirs and those that our folder has on disk: stock LLaVA-OneVision's, plus motion."""
IN_MEMORY = (
    ("language_model.lm_head.", "lm_head."),
    ("language_model.model.", "model.language_model."),
    ("image_newline", "model.image_newline"),
    ("multi_modal_projector.", "model.multi_modal_projector."),
    ("vision_tower.", "model.vision_tower."),
)
"""Beginnings of names on disk and in the model, where they differ."""
EXTRACTOR = "model.motion_extractor.blocks."
HEAD = "lm_head.weight"
EMBEDDING = "model.embed_tokens.weight"
FOLLOWED = {
    "mm_projector_type": ("mlp2x_gelu",),
    "mm_patch_merge_type": ("spatial_unpad",),
    "mm_newline_position": ("one_token", None),
    "mm_spatial_pool_mode": ("bilinear", None),
    "mm_resampler_type": ("identity", None),
    "mm_vision_select_layer": (-2,),
    "mm_vision_select_feature": ("patch", None),
    "mm_use_im_start_end": (False, None),
}
"""Settings that change what a model computes, and the values that ours does the same for (None: not stated)."""
TOWERS = {
    "siglip-so400m-patch14-384": {
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "image_size": 384,
        "patch_size": 14,
    }
}
TOWER_KEYS = (*TOWERS["siglip-so400m-patch14-384"], "hidden_act", "layer_norm_eps")
TEXT_KEYS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_act",
    "max_position_embeddings",
    "initializer_range",
    "rms_norm_eps",
    "use_sliding_window",
    "sliding_window",
    "max_window_layers",
    "attention_dropout",
    "tie_word_embeddings",
)


def ours(name: str) -> str | None:
    """Give the name on our disk of an original tensor of the model; None for one that ours has no place for."""
    number, _, rest = name.removeprefix(SLOWFAST).partition(".")
    if name.startswith(SLOWFAST) and f"blocks.{number}.{rest}" in fast_shapes():
        return f"{EXTRACTOR}{number}.{rest}"
    return next((to + name.removeprefix(of) for of, to in PREFIXES if name.startswith(of)), None)


def slow(name: str) -> str | None:
    """Give pytorchvideo's name of an original tensor of the slow path; None for any other."""
    found = "blocks." + name.removeprefix(SLOWFAST)
    return found if name.startswith(SLOWFAST) and found in slow_shapes() else None


def expected(config: VQA2Config, *, head: bool) -> Shapes:
    """List every tensor of the original layout for a model, slow path included; `head` = with an lm_head of its own."""
    with torch.device("meta"):
        state = VQA2ForConditionalGeneration(config).state_dict()
    shapes: Shapes = {theirs(on_disk(name)): tuple(value.shape) for name, value in state.items()}
    if not head:
        del shapes[HEAD]
    return shapes | {SLOWFAST + name.removeprefix("blocks."): shape for name, shape in slow_shapes().items()}


def theirs(name: str) -> str:
    """Give the original name of a tensor on our disk, or one of the slow path by pytorchvideo's name."""
    if name.startswith((EXTRACTOR, "blocks.")):
        return SLOWFAST + name.removeprefix(EXTRACTOR).removeprefix("blocks.")
    return next((to + name.removeprefix(of) for to, of in PREFIXES if name.startswith(of)), name)


def on_disk(name: str) -> str:
    """Give the name on our disk of a tensor of the model; one that is such a name already stays."""
    return next((to + name.removeprefix(of) for to, of in IN_MEMORY if name.startswith(of)), name)


def read_config(folder: Path) -> dict[str, Any]:
    """Read an original `config.json`. Raises CallError where there is none, or it asks for what ours does otherwise."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CallError(f"{path}: no configuration: {error}") from None
    if not isinstance(config, dict) or not isinstance(config.get("mm_vision_tower"), str):
        raise CallError(f"{path}: no configuration of the original LLaVA layout: it names no mm_vision_tower")
    for key, values in FOLLOWED.items():
        if config.get(key) not in values:
            raise CallError(f"{path}: {key} is {config.get(key)!r}; a model can be converted where it is {values[0]!r}")
    return config


def geometry(config: dict[str, Any], folder: Path, positions: int) -> dict[str, Any]:
    """Give the arguments of VQA2Config, as a preset holds them. Raises CallError where too little is stated."""
    missing = [k for k in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads") if k not in config]
    if missing:
        raise CallError(f"{folder / 'config.json'}: does not state {missing[0]}")
    rope = config.get("rope_parameters") or {"rope_type": "default", "rope_theta": config.get("rope_theta", 10000.0)}
    text = {"model_type": "qwen2", **{k: config[k] for k in TEXT_KEYS if k in config}, "rope_parameters": rope}
    dtype = config.get("dtype") or config.get("torch_dtype")
    return {
        "key_frames": "resize",
        "motion_extractor": "slowfast",
        "motion_positions": positions,
        "dense_filter": "BICUBIC",
        "dense_pixels": "rgb24",
        **_tower(config["mm_vision_tower"], folder),
        "text_config": text,
        "tie_word_embeddings": bool(config.get("tie_word_embeddings", False)),
        **({"dtype": dtype} if dtype else {}),
    }


def _tower(name: str, folder: Path) -> dict[str, Any]:
    """The tower is read without its last layer and its head, so that no checkpoint holds these."""
    if (folder / name / "config.json").is_file():
        try:
            given = AutoConfig.from_pretrained(folder / name, local_files_only=True, trust_remote_code=False)
            given = getattr(given, "vision_config", given)
            tower = {key: getattr(given, key) for key in TOWER_KEYS}
        except (OSError, ValueError, AttributeError) as error:
            raise CallError(f"{folder / name}: the vision tower cannot be read: {error}") from None
    elif Path(name).name in TOWERS:
        tower = dict(TOWERS[Path(name).name])
    else:
        raise CallError(
            f"the vision tower {name!r} is not known (known: {', '.join(TOWERS)}), and no folder with a config.json"
        )
    layers = tower.pop("num_hidden_layers") - 1
    kind = {"model_type": "siglip_vision_model", "vision_use_head": False}
    return {"vision_config": {**kind, **tower, "num_hidden_layers": layers}, "dense_size": tower["image_size"]}
