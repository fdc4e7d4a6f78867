"""Where a run starts: the untrained model of a preset, on random or released weights, and its tokenizer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AddedToken, AutoTokenizer

from schemas.errors import CallError
from schemas.sample import IMAGE, MOTION, VIDEO
from training.checkpoints.preset import Preset
from training.checkpoints.tensors import state_dict
from training.inputs.tokens import CHAT_TEMPLATE, SPECIALS, TURN_END, Tokens, train_tokenizer
from training.models.config import CONFIGS, VISION_END, VISION_START, MotionConfig, VQA2Config
from training.models.model import model_class
from training.models.slowfast import COUNTER, SlowFastFast

LUMA = (0.299, 0.587, 0.114)
FAST_PATH = "fast_path.safetensors"
"""The fast pathway, by pytorchvideo's names, in a folder that `vqa2 convert` makes of a SlowFast checkpoint."""
TRAINING_ONLY_MISSING = ("model.motion_projector.", "model.motion_extractor.")
"""What stock weights do not hold."""


def quiet() -> None:
    """Keep transformers from writing bars and notices of its own; errors are raised, not logged."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def device() -> torch.device:
    """Give the device to compute on: the first GPU, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def initial_tokens(preset: Preset, texts: Iterable[str]) -> Tokens:
    """Train the preset's tokenizer on `texts`, or load the one it names. Raises CallError when it cannot be had."""
    specials = CONFIGS[preset.backbone].specials
    if preset.tokenizer is None:
        return train_tokenizer(texts, preset.vocabulary, specials)
    try:
        tokenizer = AutoTokenizer.from_pretrained(preset.tokenizer, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _unavailable("tokenizer", preset.tokenizer, error) from None
    known = tokenizer.get_vocab()
    tokenizer.add_tokens(
        [AddedToken(s, special=True, normalized=False) for s in (*SPECIALS, *specials) if s not in known]
    )
    tokenizer.eos_token, tokenizer.chat_template = TURN_END, CHAT_TEMPLATE
    return Tokens(tokenizer)


def model_config(preset: Preset, tokens: Tokens) -> MotionConfig:
    """Give the preset's configuration with the token ids of the tokenizer."""
    geometry = {**preset.model, "text_config": dict(preset.model["text_config"])}
    size = max(geometry["text_config"].get("vocab_size", 0), len(tokens.tokenizer))
    geometry["text_config"]["vocab_size"] = size
    config_class = CONFIGS[preset.backbone]
    tokens.require(config_class.specials)
    if config_class is VQA2Config:
        ids = {"image_token_index": tokens.id(IMAGE), "video_token_index": tokens.id(VIDEO)}
    else:
        ids = {"image_token_id": tokens.id(IMAGE), "video_token_id": tokens.id(VIDEO)}
        ids |= {"vision_start_token_id": tokens.id(VISION_START), "vision_end_token_id": tokens.id(VISION_END)}
    ids |= {"motion_token_index": tokens.id(MOTION), "eos_token_id": tokens.id(TURN_END)}
    return preset_config(msgspec.structs.replace(preset, model={**geometry, **ids}))


def preset_config(preset: Preset) -> MotionConfig:
    """Give the preset's configuration as it stands. Raises CallError for one that its backbone does not have."""
    try:
        return CONFIGS[preset.backbone](**preset.model)
    except (StrictDataclassError, ValueError, TypeError) as error:
        raise CallError(f"the preset's model: {' '.join(str(error).split())}") from None


def initial_model(preset: Preset, config: MotionConfig, seed: int, bits: Literal[4] | None = None) -> Any:
    """Make the untrained model: the same for the same preset, configuration and seed.

    With `bits` the language model of released weights is kept in so many. Raises CallError when these cannot be had or
    do not fit.
    """
    if bits and preset.weights is None:
        raise CallError("lora: random weights are not kept in 4 bits; give a model, or a preset with weights")
    torch.manual_seed(seed)
    if preset.weights is None:
        model = model_class(config)(config)
        if config.patch_embedding == "dct":
            _start_from_dct(_patch_embedding(model.model))
    else:
        model = _released(preset.weights, config, bits)
    if preset.motion_weights and model.model.motion_extractor is not None:
        _load_slowfast(model.model.motion_extractor, preset.motion_weights)
    return model


def initial_extractor(preset: Preset, config: MotionConfig) -> SlowFastFast | None:
    """Make the motion extractor that `initial_model` starts with, alone; None for frame statistics, which are a rule.

    Raises CallError when its weights cannot be had, or start at random.
    """
    if config.motion_extractor != "slowfast":
        return None
    if not preset.motion_weights:
        raise CallError("this preset's motion extractor starts at random: train it, then give the checkpoint")
    extractor = SlowFastFast()
    _load_slowfast(extractor, preset.motion_weights)
    return extractor.eval()


def _released(weights: str, config: MotionConfig, bits: Literal[4] | None) -> Any:
    how: dict[str, Any] = {}
    if bits:
        from training.checkpoints.adapters import four_bit, keep_learnable

        how["quantization_config"] = four_bit()
    try:
        loaded = model_class(config).from_pretrained(
            weights, config=config, use_safetensors=True, output_loading_info=True, **how
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise _unavailable("weights", weights, error) from None
    model, info = loaded
    missing = sorted(k for k in info["missing_keys"] if not k.startswith(TRAINING_ONLY_MISSING))
    if bits:
        keep_learnable(model)
    if missing:
        raise CallError(f"{weights}: no {config.backbone} weights: {len(missing)} tensors are missing, as {missing[0]}")
    return model


def _load_slowfast(extractor: nn.Module, weights: str) -> None:
    """Load the fast pathway out of a SlowFast checkpoint with pytorchvideo's names, or a folder of `vqa2 convert`.

    Raises CallError where there is none in it.
    """
    if (converted := Path(weights) / FAST_PATH).is_file():
        weights = str(converted)
    try:
        state = _slowfast_in(weights)
    except (OSError, HTTPException, SafetensorError, ValueError) as error:
        raise CallError(
            f"the motion weights {weights!r} cannot be read: {_reason(error)}; download the file once, let "
            "`vqa2 convert` make a folder of it, and name that as motion_weights"
        ) from None
    wanted = extractor.state_dict()
    if missing := sorted(name for name in wanted.keys() - state.keys() if not name.endswith(COUNTER)):
        raise CallError(f"{weights}: no SlowFast-R50 weights: {len(missing)} tensors are missing, as {missing[0]}")
    found = {name: state[name] for name in wanted if name in state}
    if other := [name for name, tensor in found.items() if tensor.shape != wanted[name].shape]:
        shapes = f"{list(found[other[0]].shape)} instead of {list(wanted[other[0]].shape)}"
        raise CallError(f"{weights}: no SlowFast-R50 weights: {other[0]} is {shapes}")
    extractor.load_state_dict({**wanted, **found})


def _slowfast_in(weights: str) -> dict[str, Tensor]:
    """Read the tensors of a file, or of a URL, whose file is kept where torch.hub keeps such."""
    path = Path(weights)
    if weights.startswith("https://"):
        path = Path(torch.hub.get_dir(), "checkpoints", PurePosixPath(urlsplit(weights).path).name)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(weights, str(path), progress=False)
    found: dict[str, Tensor] = load_file(path) if path.suffix == ".safetensors" else state_dict(path)
    return found


def _unavailable(what: str, name: str, error: Exception) -> CallError:
    return CallError(
        f"the {what} {name!r} cannot be had: {_reason(error)}; fetch them once with `hf download {name}` on a "
        "machine with a network, or start from preset: tiny, which needs none"
    )


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _patch_embedding(model: Any) -> nn.Module:
    """Find the layer that cuts pictures into patches: Conv2d, in the Qwen towers Conv3d over the frames of a step."""
    visual = getattr(model, "visual", None)
    embedding: nn.Module = visual.patch_embed.proj if visual else model.vision_tower.embeddings.patch_embedding
    return embedding


def _start_from_dct(embedding: Any) -> None:
    """Start a patch embedding from the luma DCT of a patch, whitened as natural pictures need it.

    Their amplitude falls as 1 / frequency, so each coefficient is scaled by its frequency: unlike random filters, these
    tell blur, noise and blocks apart from the first step. Frames of one step are averaged. Deterministic.
    """
    channels, side = embedding.weight.shape[0], embedding.weight.shape[-1]
    n = torch.arange(side)
    basis = torch.cos(math.pi / side * (n[None] + 0.5) * n[:, None]) * math.sqrt(2 / side)
    basis[0] /= math.sqrt(2)
    frequency = torch.hypot(*torch.meshgrid(n.float(), n.float(), indexing="ij")).flatten()
    order = frequency.argsort(stable=True)[:channels]
    filters = torch.einsum("ui,vj->uvij", basis, basis).flatten(0, 1)[order]
    scale = frequency[order].clamp(min=0.5) * 2 / side
    with torch.no_grad():
        embedding.weight.zero_()
        found = (filters * scale[:, None, None])[:, None] * torch.tensor(LUMA)[:, None, None]
        flat = embedding.weight.ndim == 4
        embedding.weight[: len(order)] = found if flat else found[:, :, None] / embedding.weight.shape[2]
        if embedding.bias is not None:
            embedding.bias.zero_()
