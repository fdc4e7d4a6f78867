"""The most memory that torch holds at a time while something is done, and batches of made media to do it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import torch
from torch.profiler import ProfilerActivity, profile

from schemas.recipe import LoRA, TrainStage
from schemas.sample import Turn
from stages.wording.prompts import PUBLISHED
from training.checkpoints.adapters import add_adapters
from training.checkpoints.preset import Preset
from training.checkpoints.schedule import freeze_but, optimizer
from training.checkpoints.start import initial_model, model_config
from training.inputs.conversation import encode
from training.inputs.dataset import Collator, Example
from training.inputs.feeds import Feed
from training.inputs.tokens import Tokens, train_tokenizer
from training.models.config import CONFIGS, MotionConfig
from training.planning.activations import Load
from training.planning.memory import Memory, Plan, memory
from training.trainer.stage_trainer import answers_only

ANSWER = "The quality of this video is good."


def peak_bytes(work: Callable[[], Any]) -> int:
    """Do a piece of work on the CPU, and add up what torch's allocator gives out and takes back meanwhile.

    What was there before does not count; what kernels take for themselves by that allocator does.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    found = seen.profiler.kineto_results.events()
    live = peak = 0
    for event in sorted((e for e in found if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def peak_of_steps(preset: Preset, plan: Plan, steps: int = 2) -> tuple[int, Memory]:
    """Train a model of random weights on a batch of noise, and give the peak beside what is foretold of it.

    That is what the trainer does: autocast, gradients clipped, AdamW. Two steps, since states are there from the second
    on alone.
    """
    tokens = made_tokens(preset)
    config = model_config(preset, tokens)
    shown = made_batch(config, tokens, plan.load)
    plan = msgspec.structs.replace(plan, load=stated(config, shown, plan.load))
    stage = TrainStage(name="measured", configs=["made"], train=[], steps=1)

    def train() -> None:
        batch = {name: tensor.clone() for name, tensor in shown.items()}
        model = prepared(preset, config, plan)
        learning = optimizer(model, stage)
        for _ in range(steps):
            for _ in range(plan.accumulate):
                with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
                    loss = model(**batch).loss
                loss.backward()
                del loss
            torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
            learning.step()
            learning.zero_grad()

    return peak_bytes(train), memory(config, plan)


def prepared(preset: Preset, config: MotionConfig, plan: Plan) -> Any:
    """Make a model of random weights ready to train, as the trainer would."""
    model = initial_model(preset, config, 0)
    if plan.frozen == "bfloat16":
        model.to(torch.bfloat16)
    freeze_but(model, plan.parts)
    if plan.adapters:
        lora = LoRA(rank=plan.adapters.rank, dropout=plan.adapters.dropout, head=plan.adapters.head)
        add_adapters(model, lora, plan.parts)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    if plan.gradient_checkpointing:
        model.activation_checkpointing_enable()
    return model.train()


def made_tokens(preset: Preset) -> Tokens:
    """Train a tokenizer on a few prompts."""
    return train_tokenizer([PUBLISHED["ugc/video"], ANSWER], 400, CONFIGS[preset.backbone].specials)


def made_batch(config: MotionConfig, tokens: Tokens, load: Load) -> dict[str, Any]:
    """Make a batch of noise that shows what `load` says, as the trainer gets it."""
    generator = torch.Generator().manual_seed(0)
    form = config.key_frame_form
    side = form.size if form.form != "native" else int(form.max_pixels**0.5) // form.size * form.size

    def noise(*shape: int) -> torch.Tensor:
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)

    def example(index: int) -> Example:
        feeds = [Feed("image", noise(1, 3, side, side), None, 1, 1.0) for _ in range(load.images)]
        if load.key_frames:
            motion = None
            if load.motion_frames and (load.cached or config.motion_extractor != "slowfast"):
                motion = torch.randn(load.motion_frames, config.motion_channels, generator=generator)
            elif load.motion_frames:
                motion = noise(load.motion_frames, 3, config.dense_size, config.dense_size)
            feeds.append(Feed("video", noise(load.key_frames, 3, side, side), motion, load.motion_frames, 25.0))
        pieces = [pair for feed in feeds for pair in feed.media_tokens(config)]
        asked = "".join(name for name, _ in pieces) + " How good is it?"
        answer = ANSWER if index % 2 == 0 else f"{ANSWER} It is good."  # of two lengths, so that there is padding
        encoded = encode([Turn(role="user", text=asked), Turn(role="assistant", text=answer)], pieces, tokens)
        return Example(str(index), encoded.input_ids, encoded.labels, feeds)

    batch = Collator(config, tokens, side="right")([example(index) for index in range(load.batch)])
    del batch["names"]
    return {**batch, **answers_only(batch["labels"])}


def stated(config: MotionConfig, batch: dict[str, Any], load: Load) -> Load:
    """Give the load with the numbers of tokens and answers that a batch really has."""
    seen = load.tokens(config) - load.text
    return replace(load, text=batch["input_ids"].shape[1] - seen, answers=len(batch["logits_to_keep"]))
