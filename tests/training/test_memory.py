from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from benchmarks._allocations import made_batch, made_tokens, peak_bytes, peak_of_steps, prepared, stated
from schemas.recipe import TrainStage
from training.checkpoints.preset import Preset, load_preset
from training.checkpoints.schedule import optimizer
from training.checkpoints.start import model_config, preset_config
from training.planning.activations import Adapters, Load
from training.planning.memory import Counts, Plan, Sharding, memory, meta_model
from training.planning.memory_page import page

PROJECTORS = ("vision_projector", "motion_projector")
LEAN = ("vision", *PROJECTORS, "llm")
ALL = (*LEAN, "motion")
CLIP = Load(key_frames=2, motion_frames=24, cached=True)
NEAR = 0.2
"""How far the formula may be from what is measured."""


def small(**changes: Any) -> Preset:
    """The small preset, with motion frames that do not take seconds."""
    preset = load_preset("small")
    return msgspec.structs.replace(preset, model={**preset.model, "dense_size": 96, **changes})


def small_qwen(name: str) -> Preset:
    """A tiny preset of a Qwen backbone, made thicker, so that activations are more than weights, and with SlowFast."""
    preset = load_preset(name)
    model = {**preset.model, "key_frame_size": 256, "motion_extractor": "slowfast", "dense_size": 64}
    text = {**model["text_config"], "hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4}
    vision = {**model["vision_config"], "hidden_size": 96, "intermediate_size": 256, "depth": 4, "out_hidden_size": 128}
    sections = [4, 6, 6]
    if name == "tiny-qwen3-vl":
        sections, text["head_dim"] = [8, 4, 4], 32
    text["rope_parameters"] = {**text["rope_parameters"], "mrope_section": sections}
    model |= {"text_config": text, "vision_config": vision, "dense_pixels": "rgb24"}
    return msgspec.structs.replace(preset, model=model)


def near(preset: Preset, plan: Plan) -> None:
    measured, foretold = peak_of_steps(preset, plan)
    assert foretold.peak == pytest.approx(measured, rel=NEAR)
    assert foretold.activations > foretold.weights / 2, "weights alone would hide what activations are"


@pytest.mark.parametrize("parts", [LEAN, (*PROJECTORS, "llm"), PROJECTORS], ids=["all", "no vision", "projectors"])
def test_the_peak_is_near_whatever_learns(parts: tuple[str, ...]) -> None:
    near(small(), Plan(parts=parts, load=CLIP))


@pytest.mark.parametrize(
    "changes",
    [
        {"gradient_checkpointing": True},
        {"load": replace(CLIP, key_frames=1, batch=4)},
        {"load": replace(CLIP, cached=False), "parts": ALL},
        {"load": replace(CLIP, cached=False)},
        {"load": Load(images=1), "parts": ("vision", "vision_projector")},
        {"adapters": Adapters(rank=8, dropout=0.1), "parts": (*PROJECTORS, "llm")},
        {"accumulate": 2},
    ],
    ids=["checkpointing", "batch", "motion learns", "motion in the loop", "images", "adapters", "accumulate"],
)
def test_the_peak_is_near_however_it_learns(changes: dict[str, Any]) -> None:
    near(small(), msgspec.structs.replace(Plan(parts=LEAN, load=CLIP), **changes))


@pytest.mark.parametrize("name", ["tiny-qwen2.5-vl", "tiny-qwen3-vl"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_peak_is_near_for_each_backbone(name: str, checkpointing: bool) -> None:
    load = Load(key_frames=4, motion_frames=24)
    near(small_qwen(name), Plan(parts=ALL, load=load, gradient_checkpointing=checkpointing))


@pytest.mark.full
@pytest.mark.parametrize("frozen", ["float32", "bfloat16"])
@pytest.mark.parametrize("parts", [LEAN, (*PROJECTORS, "llm")])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_peak_is_near_in_bfloat16(frozen: Any, parts: tuple[str, ...], checkpointing: bool) -> None:
    load = replace(CLIP, key_frames=1, motion_frames=12)
    vision = {**load_preset("small").model["vision_config"], "image_size": 308}  # CPUs multiply bfloat16 slowly
    near(
        small(vision_config=vision),
        Plan(parts=parts, load=load, bf16=True, frozen=frozen, gradient_checkpointing=checkpointing),
    )


@pytest.mark.full
@pytest.mark.parametrize("name", ["tiny-qwen2.5-vl", "tiny-qwen3-vl"])
def test_the_peak_is_near_for_batches_of_each_backbone(name: str) -> None:
    near(small_qwen(name), Plan(parts=LEAN, load=Load(key_frames=3, motion_frames=24, cached=True, batch=4)))
    near(small_qwen(name), Plan(parts=("vision", "vision_projector"), load=Load(images=1, batch=2)))


@pytest.mark.parametrize("name", ["tiny", "tiny-qwen2.5-vl", "tiny-qwen3-vl"])
@pytest.mark.parametrize("adapters", [None, Adapters(rank=4), Adapters(rank=2, head=True)])
@pytest.mark.parametrize("parts", [LEAN, (*PROJECTORS, "llm")])
def test_weights_gradients_and_states_are_exact(name: str, adapters: Adapters | None, parts: tuple[str, ...]) -> None:
    """Counted of a model that was trained for a step."""
    preset = load_preset(name)
    tokens = made_tokens(preset)
    config = model_config(preset, tokens)
    plan = Plan(parts=parts, load=Load(key_frames=2, motion_frames=8, cached=True), adapters=adapters)
    model = prepared(preset, config, plan)
    learning = optimizer(model, TrainStage(name="s", configs=["c"], train=["llm"], steps=1))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    learning.step()
    states = [t for state in learning.state.values() for t in state.values()]
    foretold = memory(config, plan)
    assert foretold.weights == sum(map(size, [*model.parameters(), *model.buffers()]))
    assert foretold.gradients == sum(size(p.grad) for p in model.parameters() if p.grad is not None)
    assert foretold.optimizer == sum(map(size, states))
    assert foretold.learning == sum(p.numel() for p in model.parameters() if p.requires_grad)


def size(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


@pytest.mark.parametrize("name", ["llava-onevision-7b", "qwen2.5-vl-7b", "qwen3-vl-8b"])
def test_a_large_model_is_counted_without_memory_for_it(name: str) -> None:
    config = preset_config(load_preset(name))
    found = []
    plan = Plan(parts=ALL, load=Load(key_frames=10, motion_frames=300))
    assert peak_bytes(lambda: found.append(memory(config, plan))) < 2**25
    assert found[0].parameters > 8e9
    assert found[0].weights >= 4 * found[0].parameters


def test_shared_out_weights_are_a_share_of_each() -> None:
    config = preset_config(load_preset("llava-onevision-7b"))
    whole = memory(config, Plan(parts=LEAN, load=CLIP))
    ways: dict[Sharding, list[str]] = {
        "zero2": ["gradients", "optimizer"],
        "zero3": ["weights", "gradients", "optimizer"],
    }
    for sharding, shared in ways.items():
        plan = Plan(parts=LEAN, load=CLIP, processes=8, sharding=sharding)
        found = memory(config, plan)
        for name in ("weights", "gradients", "optimizer"):
            parts = 8 if name in shared else 1
            assert getattr(found, name) == pytest.approx(getattr(whole, name) / parts, rel=1e-4)
        assert found.peak < whole.peak


def test_four_bits_are_a_little_more_than_half_a_byte() -> None:
    config = preset_config(load_preset("llava-onevision-7b"))
    adapters = Adapters(rank=16)
    plan = Plan(parts=("llm",), load=CLIP, adapters=adapters, frozen="bfloat16", bf16=True)
    spared = memory(config, plan).weights - memory(config, msgspec.structs.replace(plan, bits=4)).weights
    layers = sum(p.numel() for p in meta_model(config).model.language_model.layers.parameters() if p.ndim > 1)
    assert spared == pytest.approx(layers * (16 - 4.127) / 8, rel=1e-6)


@pytest.mark.parametrize(("name", "load"), [("small", CLIP), ("tiny-qwen3-vl", Load(key_frames=3, motion_frames=8))])
def test_a_load_says_the_tokens_of_its_batch(name: str, load: Load) -> None:
    preset = load_preset(name)
    tokens = made_tokens(preset)
    config = model_config(preset, tokens)
    batch = made_batch(config, tokens, replace(load, cached=True))
    seen = stated(config, batch, load)
    assert seen.tokens(config) == batch["input_ids"].shape[1]
    assert 0 < seen.text < 200


def test_flops_of_a_step_are_six_a_weight_and_token() -> None:
    """The known rule (arXiv 2001.08361, section 2.1), for the language model alone: attention adds to it."""
    config = preset_config(load_preset("llava-onevision-7b"))
    load = Load(text=2000, answers=2000)
    counts = Counts(meta_model(config), plan := Plan(parts=("llm",), load=load))
    weights = counts.matrices_of("model.language_model.layers.") + counts.matrices_of("lm_head.")
    found = memory(config, plan, counts).flops
    assert 1.0 < found / (6 * weights * 2000) < 1.05
    again = memory(config, msgspec.structs.replace(plan, gradient_checkpointing=True), counts).flops
    assert 1.25 < again / found < 1.34


def test_the_page_is_what_the_command_writes() -> None:
    path = Path(__file__).parents[2] / "docs" / "memory.md"
    assert path.read_text(encoding="utf-8") == page(), "run `python -m training.planning.memory_page`"
