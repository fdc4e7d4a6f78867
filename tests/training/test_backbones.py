"""What holds for every backbone, on tiny random models that are fed by the data path."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from torch import Tensor
from transformers import AutoConfig, AutoModelForImageTextToText

from schemas.errors import CallError
from schemas.levels import LEVELS
from schemas.sample import IMAGE, MOTION, VIDEO, Turn
from training.config import MotionConfig, PatchedConfig
from training.conversation import encode, encode_open
from training.dataset import Collator, Example
from training.feeds import Feed
from training.model import model_class
from training.preset import load_preset
from training.schedule import PARTS
from training.start import initial_model, initial_tokens, model_config
from training.tokens import Tokens

PRESETS = ["tiny", "tiny-qwen2.5-vl", "tiny-qwen3-vl"]
FRAMES = 8
CLOSE: dict[str, Any] = {"rtol": 0, "atol": 1e-4}


@pytest.fixture(scope="module", params=PRESETS)
def preset(request: pytest.FixtureRequest) -> str:
    """Each backbone in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def words(preset: str) -> Tokens:
    """A tokenizer with the special tokens of the backbone."""
    return initial_tokens(load_preset(preset), ["Which is better? Look: 1.0 seconds"])


@pytest.fixture(scope="module")
def geometry(preset: str, words: Tokens) -> MotionConfig:
    """The tiny configuration."""
    return model_config(load_preset(preset), words)


@pytest.fixture
def model(preset: str, geometry: MotionConfig) -> Any:
    """The tiny model on random weights."""
    return initial_model(load_preset(preset), copy.deepcopy(geometry), 0).eval()


def video(config: MotionConfig, seed: int, *, keys: int = 2, frames: int = FRAMES, size: int | None = None) -> Feed:
    """Make up a clip at 8 frames a second as it is fed: key frames and motion features."""
    random = torch.Generator().manual_seed(seed)
    height, width = (size, 2 * size) if size else (64, 64)
    pictures = torch.randint(0, 256, (keys, 3, height, width), dtype=torch.uint8, generator=random)
    motion = torch.randn(frames, config.motion_channels, generator=random) if frames else None
    return Feed("video", pictures, motion, 8 * keys, 8.0)


def image(seed: int) -> Feed:
    """Make up an image."""
    pictures = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return Feed("image", pictures, None, 1, 1.0)


def shown(feeds: Sequence[Feed]) -> str:
    """Write the placeholders of media."""
    of = {"image": [IMAGE], "video": [VIDEO, MOTION]}
    return " and ".join(p for feed in feeds for p in of[feed.kind] if p != MOTION or feed.motion is not None)


def example(config: MotionConfig, tokens: Tokens, feeds: list[Feed], *, answer: str | None = None) -> Example:
    """Ask about media; with `answer` to train on it, without to read what comes next."""
    media_tokens = [pair for feed in feeds for pair in feed.media_tokens(config)]
    question = f"Look: {shown(feeds)} Which is better?"
    if answer is None:
        return Example("asked", encode_open(question, "It is", media_tokens, tokens), None, feeds)
    turns = [Turn(role="user", text=question), Turn(role="assistant", text=answer)]
    encoded = encode(turns, media_tokens, tokens)
    return Example("learnt", encoded.input_ids, encoded.labels, feeds)


def batch(config: MotionConfig, tokens: Tokens, *samples: list[Feed], answer: str | None = None) -> dict[str, Any]:
    """Make model inputs of samples: padded on the left to ask, on the right to learn."""
    examples = [example(config, tokens, feeds, answer=answer) for feeds in samples]
    inputs = Collator(config, tokens, side="right" if answer else "left")(examples)
    del inputs["names"]
    return inputs


def mixed(config: MotionConfig) -> list[list[Feed]]:
    """Give an image, a video, text alone, two videos, a clip too short for motion, and two images with a video."""
    first, second = video(config, 1), video(config, 2, keys=3, frames=12)
    return [
        [image(3)],
        [first],
        [],
        [first, second],
        [video(config, 4, keys=1, frames=0)],
        [image(5), image(6), second],
    ]


@torch.inference_mode()
def last(model: Any, inputs: dict[str, Any]) -> Tensor:
    """Give the logits after the last token of each sample."""
    asked = {name: value for name, value in inputs.items() if name != "labels"}
    logits: Tensor = model(**asked, logits_to_keep=1).logits[:, -1]
    return logits


def test_saved_and_loaded_by_the_auto_classes_it_is_the_same(
    model: Any, geometry: MotionConfig, words: Tokens, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path)
    assert _ours(AutoConfig.from_pretrained(tmp_path)) == _ours(geometry)
    again, info = AutoModelForImageTextToText.from_pretrained(tmp_path, output_loading_info=True)
    assert type(again) is model_class(geometry)
    assert (list(info["missing_keys"]), list(info["unexpected_keys"])) == ([], [])
    inputs = batch(geometry, words, *mixed(geometry))
    assert (last(again.eval(), inputs) - last(model, inputs)).abs().max() == 0


def _ours(config: MotionConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in MotionConfig.__dataclass_fields__}


def test_every_sample_of_a_mixed_batch_is_answered_as_by_itself(
    model: Any, geometry: MotionConfig, words: Tokens
) -> None:
    samples = mixed(geometry)
    together = last(model, batch(geometry, words, *samples))
    for row, sample in zip(together, samples, strict=True):
        torch.testing.assert_close(row, last(model, batch(geometry, words, sample))[0], **CLOSE)


def test_batches_to_learn_from_have_the_mean_loss_of_their_samples(
    model: Any, geometry: MotionConfig, words: Tokens
) -> None:
    samples = mixed(geometry)
    with torch.inference_mode():
        together = model(**batch(geometry, words, *samples, answer=" good")).loss
        alone = [model(**batch(geometry, words, sample, answer=" good")).loss for sample in samples]
    torch.testing.assert_close(together, torch.stack(alone).mean(), **CLOSE)


def test_two_videos_are_told_apart(model: Any, geometry: MotionConfig, words: Tokens) -> None:
    first, second = video(geometry, 1), video(geometry, 2)
    still = Feed("video", second.pictures, first.motion, second.frames, second.fps)
    moved = Feed("video", first.pictures, second.motion, first.frames, first.fps)
    asked = [[first, second], [second, first], [first, still], [first, moved], [first, first]]
    answers = last(model, batch(geometry, words, *asked))
    assert torch.pdist(answers).min() > 1e-3


@torch.inference_mode()
def test_motion_of_a_second_clip_begins_anew(model: Any, geometry: MotionConfig) -> None:
    clip = torch.randn(1, 4, geometry.motion_channels)
    one_after_other = model.model._motion_tokens(torch.cat([clip, clip], 1), None, torch.tensor([[1] * 4 + [2] * 4]))
    assert torch.equal(one_after_other[:4], one_after_other[4:])
    as_one = model.model._motion_tokens(torch.cat([clip, clip], 1), None, torch.ones(1, 8, dtype=torch.long))
    assert (as_one[:4] - as_one[4:]).abs().max() > 1e-3


@torch.inference_mode()
def test_generation_of_a_mixed_batch_equals_step_by_step_argmax(
    model: Any, geometry: MotionConfig, words: Tokens
) -> None:
    model.generation_config.eos_token_id = None
    inputs = batch(geometry, words, *mixed(geometry))
    inputs.pop("position_ids", None)
    greedy = model.generate(**inputs, max_new_tokens=3, do_sample=False)
    without_cache = model.generate(**inputs, max_new_tokens=3, do_sample=False, use_cache=False)
    steps = dict(inputs)
    for _ in range(3):
        found = last(model, {**steps, **_positions(model, steps)}).argmax(-1, keepdim=True)
        steps["input_ids"] = torch.cat([steps["input_ids"], found], 1)
        steps["attention_mask"] = torch.cat([steps["attention_mask"], torch.ones_like(found)], 1)
    assert torch.equal(greedy, steps["input_ids"])
    assert torch.equal(without_cache, greedy)


def _positions(model: Any, inputs: dict[str, Any]) -> dict[str, Tensor]:
    if isinstance(model.config, PatchedConfig):
        return {}
    return {"position_ids": (inputs["attention_mask"].cumsum(1) - 1).clamp(min=0)}


@torch.inference_mode()
def test_beams_of_a_mixed_batch_are_those_of_each_sample(model: Any, geometry: MotionConfig, words: Tokens) -> None:
    model.generation_config.eos_token_id = None
    samples = mixed(geometry)
    how = {"max_new_tokens": 3, "do_sample": False, "num_beams": 3, "num_return_sequences": 2}
    inputs = batch(geometry, words, *samples)
    inputs.pop("position_ids", None)
    together = model.generate(**inputs, **how)[:, -3:]
    assert together.shape == (2 * len(samples), 3)
    for row, sample in zip(together.split(2), samples, strict=True):
        alone = batch(geometry, words, sample)
        alone.pop("position_ids", None)
        assert torch.equal(row, model.generate(**alone, **how)[:, -3:])


@torch.inference_mode()
def test_several_sampled_answers_come_of_one_prompt(model: Any, geometry: MotionConfig, words: Tokens) -> None:
    inputs = batch(geometry, words, [video(geometry, 1)], [image(2)])
    model.generation_config.eos_token_id = None
    torch.manual_seed(0)
    found = model.generate(**inputs, max_new_tokens=4, do_sample=True, num_return_sequences=3)
    assert found.shape == (6, inputs["input_ids"].shape[1] + 4)
    assert len({tuple(row.tolist()) for row in found}) > 2


def test_an_answer_after_another_model_call_is_the_same(model: Any, geometry: MotionConfig, words: Tokens) -> None:
    """Qwen models keep the shift of positions of the last prompt: the next must not see it."""
    text, long = batch(geometry, words, []), batch(geometry, words, [video(geometry, 1)])
    before = last(model, text)
    last(model, long)
    assert torch.equal(last(model, text), before)


@pytest.mark.parametrize("name", ["motion_features", "pixel_values_videos", "pixel_values"])
def test_media_that_their_placeholders_do_not_match_are_refused(
    model: Any, geometry: MotionConfig, words: Tokens, name: str
) -> None:
    inputs = batch(geometry, words, [image(1), video(geometry, 2)])
    tokens = {
        "motion_features": geometry.motion_token_index,
        "pixel_values_videos": geometry.video_token_id,
        "pixel_values": geometry.image_token_id,
    }
    where = (inputs["input_ids"][0] == tokens[name]).nonzero()[0]
    inputs["input_ids"][0, where] = words.text(" good")[0]
    with pytest.raises(ValueError, match=r"the prompt holds \d+ (motion|video|image) tokens, the media give \d+"):
        last(model, inputs)


def test_grids_of_more_patches_than_there_are_are_refused(model: Any, geometry: MotionConfig, words: Tokens) -> None:
    if not isinstance(geometry, PatchedConfig):
        pytest.skip("squares have no grids")
    inputs = batch(geometry, words, [video(geometry, 2)])
    inputs["pixel_values_videos"] = inputs["pixel_values_videos"][:, :-1]
    with pytest.raises(ValueError, match="the grids tell of 64 patches, the row has 63"):
        last(model, inputs)
    del inputs["video_grid_thw"]
    with pytest.raises(ValueError, match="video patches need their grids"):
        last(model, inputs)


def test_gradients_are_the_same_with_gradient_checkpointing(model: Any, geometry: MotionConfig, words: Tokens) -> None:
    inputs = batch(geometry, words, *mixed(geometry), answer=" good")
    model.train()
    found = []
    for checkpointing in (False, True):
        if checkpointing:
            model.activation_checkpointing_enable()
            assert model.is_activation_checkpointing
        model.zero_grad()
        model(**inputs).loss.backward()
        found.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
    plain, checkpointed = found
    assert {n.split(".")[1] for n in plain} >= {"language_model", "motion_projector"}
    for name, gradient in plain.items():
        torch.testing.assert_close(checkpointed[name], gradient, rtol=1e-4, atol=1e-6)


def test_slowfast_in_the_model_gives_what_its_features_give(geometry: MotionConfig, words: Tokens) -> None:
    config = _with(geometry, motion_extractor="slowfast", dense_size=32, dense_pixels="rgb24")
    torch.manual_seed(0)
    model = model_class(config)(config).eval()
    first, second = (_dense(seed, frames) for seed, frames in ((1, 8), (2, 12)))
    with torch.inference_mode():
        features = [
            Feed("video", f.pictures, model.model.extract_motion(f.motion), f.frames, f.fps) for f in (first, second)
        ]
    inputs = batch(config, words, [first, second], [second])
    assert inputs["motion_frames"].dtype is torch.uint8
    expected = last(model, batch(config, words, features, features[1:]))
    torch.testing.assert_close(last(model, inputs), expected, **CLOSE)
    model.train()
    model(**batch(config, words, [first, second], answer=" good")).loss.backward()
    assert model.model.motion_extractor.blocks[0].multipathway_blocks["1"].conv.weight.grad.abs().max() > 0


def _dense(seed: int, frames: int) -> Feed:
    random = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=random)
    dense = torch.randint(0, 256, (frames, 3, 32, 32), dtype=torch.uint8, generator=random)
    return Feed("video", pictures, dense, 16, 8.0)


def _with(config: MotionConfig, **changes: Any) -> MotionConfig:
    """Make the same configuration with other values."""
    other = copy.deepcopy(config)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft 0.21 asks for it
def test_adapters_are_kept_read_back_and_merged(
    model: Any, geometry: MotionConfig, words: Tokens, preset: str, tmp_path: Path
) -> None:
    from peft import LoraConfig, PeftModel, get_peft_model

    samples = [[video(geometry, 1)], [image(2)], [video(geometry, 3), video(geometry, 4)]]
    inputs = batch(geometry, words, *samples, answer=" good")
    before = last(model, inputs)
    adapters = LoraConfig(
        r=4, target_modules=r".*language_model.*(q_proj|v_proj)", modules_to_save=["motion_projector", "lm_head"]
    )
    tuned = get_peft_model(copy.deepcopy(model), adapters)
    optimiser = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=0.01)
    losses = []
    for _ in range(5):
        loss = tuned(**inputs).loss
        losses.append(float(loss.detach()))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert losses[-1] < losses[0] / 2
    tuned.eval().save_pretrained(tmp_path)
    after = last(tuned, inputs)
    assert (after - before).abs().max() > 0.1
    again = PeftModel.from_pretrained(initial_model(load_preset(preset), copy.deepcopy(geometry), 0), tmp_path).eval()
    kept = tuned.state_dict()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in again.state_dict().items())
    torch.testing.assert_close(last(again, inputs), after, rtol=0, atol=1e-5)  # memory lies elsewhere: other last bits
    merged = again.merge_and_unload()
    assert type(merged) is model_class(geometry)
    torch.testing.assert_close(last(merged, inputs), after, **CLOSE)


def test_every_parameter_is_in_one_part_and_none_is_without(model: Any, geometry: MotionConfig) -> None:
    found = {
        name: [part for part, prefixes in PARTS.items() if name.startswith(prefixes)]
        for name, _ in model.named_parameters()
    }
    assert all(len(parts) == 1 for parts in found.values()), found
    assert {parts[0] for parts in found.values()} == {"vision", "vision_projector", "motion_projector", "llm"}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"motion_extractor": "slow"}, "'motion_extractor' expected one of"),
        ({"key_frames": "cropped"}, "'key_frames' expected one of"),
        ({"motion_positions": "many"}, "'motion_positions' expected int"),
        ({"dense_pixels": "rgb24"}, "frame_stats reads planar frames"),
    ],
)
def test_a_preset_of_what_there_is_not_is_refused(
    preset: str, words: Tokens, changes: dict[str, Any], wrong: str
) -> None:
    given = load_preset(preset)
    with pytest.raises(CallError, match=wrong):
        model_config(replace(given, model={**given.model, **changes}), words)


def test_the_level_words_are_whole(words: Tokens) -> None:
    assert len(words.levels()) == len(LEVELS)
