"""Low-rank adapters on a model of the family, in PEFT's format.

The model stays the object that it was: PEFT puts adapters around its linear layers and copies what learns whole, so
whatever trains or scores a model does not ask whether it has adapters.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors import safe_open
from torch import nn
from transformers import BitsAndBytesConfig

from schemas.errors import CallError
from schemas.recipe import LoRA
from training.checkpoints.schedule import PARTS

ADAPTED = ("llm", "vision")
"""The parts whose linear layers get adapters; the others are small and learn whole."""
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
HEAD = "lm_head"


def add_adapters(model: Any, lora: LoRA, parts: Collection[str]) -> PeftModel:
    """Put adapters into `model`, for the parts that will learn, and give PEFT's handle on it.

    Raises CallError when none of the parts has a layer to adapt.
    """
    layers = sorted(
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and name != HEAD
        and any(f"{name}.".startswith(PARTS[part]) for part in ADAPTED if part in parts)
    )
    if not layers:
        raise CallError("lora: no stage trains the language model or the vision tower, so there is nothing to adapt")
    whole = [name for name, _ in model.named_children() if name == HEAD and lora.head]
    whole += [name for part in parts if part not in ADAPTED for name in _modules_of(model, part)]
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=_pattern(layers),
        modules_to_save=sorted(whole) or None,
    )
    with _former_names():
        return get_peft_model(model, config)


def save_adapters(adapted: PeftModel, folder: Path, base: str | None) -> None:
    """Write adapters, and what learnt whole, as PEFT does; `base` is where the other weights are, from `folder`."""
    adapted.peft_config["default"].base_model_name_or_path = base
    adapted.save_pretrained(folder, save_embedding_layers=False)  # they never learn; else PEFT asks the hub about them
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's, for its own users: the card is made when it is pushed


def put_on(model: Any, folder: Path, *, merge: bool) -> Any:
    """Put the adapters of a folder on the model that they were trained on, or add them to its weights with `merge`.

    Raises CallError where the folder holds other tensors than the model takes.
    """
    with _former_names():
        warnings.filterwarnings("ignore", "Found missing adapter keys", UserWarning)  # which are an error here
        adapted = PeftModel.from_pretrained(model, folder)
    wanted = get_peft_model_state_dict(adapted, save_embedding_layers=False).keys()
    with safe_open(folder / WEIGHTS, "pt") as file:
        if wrong := sorted(wanted ^ set(file.keys())):
            raise CallError(f"{folder}: {len(wrong)} tensors are missing or of another model, as {wrong[0]}")
    return adapted.merge_and_unload() if merge else adapted.get_base_model()


def merged(adapted: PeftModel) -> Any:
    """Add adapters to the weights that they are around, and give the plain model."""
    return adapted.merge_and_unload()


def four_bit() -> BitsAndBytesConfig:
    """Say how a language model is loaded in 4 bits: doubly quantised NormalFloat (arXiv 2305.14314), the rest as it is.

    Raises CallError when bitsandbytes is not installed.
    """
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise CallError('4-bit weights need bitsandbytes: pip install "vqa2[qlora]"') from None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if torch.cuda.is_available() else torch.float32,
        llm_int8_skip_modules=[
            HEAD,
            *(prefix.rstrip(".") for part, prefixes in PARTS.items() if part != "llm" for prefix in prefixes),
        ],
    )


def keep_learnable(model: nn.Module) -> None:
    """Have 4-bit layers on a CPU with AVX512-BF16 stay as they are when they are asked between steps of training.

    bitsandbytes repacks them there for a faster product, through which no gradient goes and which rounds otherwise.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


@contextmanager
def _former_names() -> Iterator[None]:
    """PEFT 0.21 asks a model by a name that transformers 5 has given up, which says so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        yield


def _modules_of(model: nn.Module, part: str) -> list[str]:
    modules = dict(model.named_modules())
    found = []
    for name in (prefix.rstrip(".") for prefix in PARTS[part]):
        if isinstance(modules.get(name), nn.ModuleList):  # which PEFT does not copy
            found += [f"{name}.{index}" for index in range(len(modules[name]))]
        elif name in modules:
            found.append(name)
    return found


def _pattern(layers: list[str]) -> str:
    """Give one expression that all of the layers match and no other: short enough for people to read."""
    numbered: dict[str, None] = {}
    for layer in layers:
        numbered[re.sub(r"\\\.\d+\\\.", r"\\.\\d+\\.", re.escape(layer))] = None
    return "|".join(numbered)
