"""Writes docs/memory.md: which GPUs the large presets can be trained on, and how: `python -m
training.planning.memory_page`.

All figures are those of training.planning.memory for one clip of 10 s in a batch; nothing in the page is typed by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.checkpoints.preset import load_preset
from training.checkpoints.start import preset_config, quiet
from training.models.config import MotionConfig
from training.planning.activations import Adapters, Load
from training.planning.device import CUDA_CONTEXT, GIB
from training.planning.memory import Counts, Memory, Plan, memory, meta_model
from training.planning.preflight import EXTRACTOR_SHARE, SHARE

PRESETS = ("llava-onevision-7b", "qwen2.5-vl-7b", "qwen3-vl-8b")
CARDS = (24, 48, 80)
GPUS = (1, 4, 8)
CLIP = Load(key_frames=10, motion_frames=300, text=200, answers=50, cached=True)
LEAN = ("vision", "vision_projector", "motion_projector", "llm")
LORA = Adapters(rank=16)
WAYS: dict[str, dict[str, Any]] = {
    "full": {"parts": LEAN},
    "full, the extractor too": {"parts": (*LEAN, "motion"), "load": replace(CLIP, cached=False)},
    "LoRA": {"parts": LEAN[1:], "adapters": LORA},
    "QLoRA": {"parts": LEAN[1:], "adapters": LORA, "bits": 4},
}

HEAD = f"""\
# What fits on which GPU

`python -m training.planning.memory_page` writes this page; a test holds it to the code. For a corpus and recipe of your
own, `vqa2 plan RECIPE --device 24GB` says the same of every stage, with disk and hours, and `vqa2 train` asks it before
it begins: it refuses a run whose weights, gradients and optimiser states alone do not fit, and says what would.

Each row is a clip of 10 s at 30 frames a second: {CLIP.key_frames} key frames, {CLIP.motion_frames} motion frames,
{CLIP.text} tokens of text, {CLIP.answers} of them answers; one clip a GPU at a time, `bf16: true`, released weights of
16 bits. "full" trains all but the motion extractor, whose features come from a cache; "the extractor too" runs and
trains it in the loop, as the paper does; LoRA has rank {LORA.rank} on the language model, whole projectors and a frozen
vision tower; QLoRA keeps the language model in 4 bits besides. Several GPUs share by FSDP in the full rows; adapters
need no sharding, so each GPU takes what one does.

A card's driver and the allocator's gaps are taken to need {CUDA_CONTEXT / GIB:.0f} GiB. A dash: on none of
{", ".join(map(str, CARDS))} GB.
"""

TAIL = f"""\

## How it is computed

The model is built on torch's meta device, which holds shapes alone. Weights, gradients and optimiser states are counted
tensor by tensor, and equal those of a model that was trained for a step to the byte (`tests/training/test_memory.py`).
What learns is float32, with two float32 moments: 16 bytes a number; what does not is 2 bytes under `bf16: true`.

Activations are by formula: what each operation keeps for its gradient, as arXiv 2205.05198 counts it, for the layers of
these backbones (`training/planning/activations.py`). Bytes a token of one decoder layer that learns, of width *h*, with
queries *q*, keys *k* and inner width *f*, in float32: 4 (6*h* + 2*q* + 2*k* + 4*f*) + 4 a head. Under autocast both
norms keep float32 inputs, matrix products bfloat16 ones, each its own copy, and a copy of every weight that learns
lives until its gradient is there. With gradient checkpointing a layer keeps its input, and all of that for one layer at
a time. Logits are computed where answers are, and nowhere else.

The peak is found by walking through a step: gradients appear while activations go. Against torch's own allocator, on
models of the small and tiny presets' size and all three backbones, it is within 10 % (tests hold it to 20 %); the
benchmark `training` shows the figures. Nobody has held it to a GPU yet: kernels there keep work space of their own.

Hours are an estimate: FLOPs over {SHARE:g} of the speed of large matrix products, and those of the motion extractor,
whose layers are thin, over its own speed; both are timed for a second or less. On a card that is not at hand the
extractor's is taken to be {EXTRACTOR_SHARE:g} of the other. The progress bar of `vqa2 train`
knows better after some steps.
"""


def page() -> str:
    """Write the page."""
    quiet()
    lines = [HEAD]
    for name in PRESETS:
        config = preset_config(load_preset(name))
        lines += ["", f"## {name}", "", f"{CLIP.tokens(config)} tokens a clip.", ""]
        lines += _table(list(_rows(config)))
    return "\n".join(lines) + "\n" + TAIL


def _rows(config: MotionConfig) -> Iterator[list[str]]:
    yield ["how", "checkpointing", "learns", "weights", "gradients, states", *(_gpus(count) for count in GPUS)]
    model = meta_model(config)
    for way, keys in WAYS.items():
        for checkpointing in (False, True):
            found = [_memory(config, model, keys, checkpointing=checkpointing, processes=count) for count in GPUS]
            one = found[0]
            yield [
                way,
                "yes" if checkpointing else "no",
                f"{one.learning / 1e6:.0f} M",
                f"{one.weights / GIB:.1f}",
                f"{(one.gradients + one.optimizer) / GIB:.1f}",
                *(f"{each.peak / GIB:.1f}: {_card(each)}" for each in found),
            ]


def _memory(config: MotionConfig, model: Any, keys: dict[str, Any], *, checkpointing: bool, processes: int) -> Memory:
    full = "adapters" not in keys
    plan = Plan(
        frozen="bfloat16",
        bf16=True,
        gradient_checkpointing=checkpointing,
        processes=processes if full else 1,
        sharding="zero3" if full and processes > 1 else "none",
        **{"load": CLIP, **keys},
    )
    return memory(config, plan, Counts(model, plan))


def _card(found: Memory) -> str:
    """Name the smallest card on which it fits."""
    fitting = [card for card in CARDS if found.peak + CUDA_CONTEXT <= card * GIB]
    return f"{fitting[0]} GB" if fitting else "–"


def _gpus(count: int) -> str:
    return "1 GPU, GiB: card" if count == 1 else f"{count} GPUs, GiB each: card"


def _table(rows: list[list[str]]) -> list[str]:
    head, *body = rows
    lines = [head, ["---", "---", *["---:"] * (len(head) - 2)], *body]
    return ["| " + " | ".join(row) + " |" for row in lines]


if __name__ == "__main__":
    text = page()
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(text)
    else:
        (Path(__file__).parents[2] / "docs" / "memory.md").write_text(text, encoding="utf-8")
