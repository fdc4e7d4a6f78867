"""What holds for every backbone, on tiny random models that are fed by the data path."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageTextToText,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from dataset_builder.video import MediaError
from schemas.errors import CallError
from schemas.frames import key_frame_step
from schemas.levels import LEVELS
from schemas.recipe import TrainRecipe, load
from schemas.sample import IMAGE, MOTION, VIDEO, Turn
from tests.training.conftest import (
    EVERYTHING,
    scored,
    video_ref,
    write_clip,
    write_recipe,
    write_samples,
)
from tests.training.conftest import sample as sample_of
from training.checkpoints.checkpoint import load_checkpoint
from training.checkpoints.preset import load_preset
from training.checkpoints.schedule import PARTS
from training.checkpoints.start import initial_model, initial_tokens, model_config
from training.inference.score import score_clips
from training.inputs.conversation import encode, encode_open
from training.inputs.dataset import Collator, Example
from training.inputs.features import FeatureCache
from training.inputs.feeds import Feed
from training.inputs.tokens import Tokens
from training.models.config import CONFIGS, MotionConfig, PatchedConfig
from training.models.frames import key_frame_pixels, patched
from training.models.model import model_class
from training.models.qwen_vl import real_patches
from training.precompute import Model, clips_of_files, fill
from training.trainer.train import train

STOCK: dict[str, Any] = {
    "llava-onevision": (LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration),
    "qwen2.5-vl": (Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration),
    "qwen3-vl": (Qwen3VLConfig, Qwen3VLForConditionalGeneration),
}
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


def test_the_model_without_its_head_is_read_of_the_same_folder(model: Any, tmp_path: Path) -> None:
    """And of its own, with a network that extracts motion and without."""
    model.save_pretrained(tmp_path / "whole")
    assert _headless(tmp_path / "whole", model) <= {"lm_head.weight", "language_model.lm_head.weight"}
    model.model.save_pretrained(tmp_path / "headless")
    assert _headless(tmp_path / "headless", model) == set()
    config = _with(model.config, motion_extractor="slowfast", dense_size=32, dense_pixels="rgb24")
    networked = model_class(config)(config)
    networked.save_pretrained(tmp_path / "networked")
    assert len(_headless(tmp_path / "networked", networked)) == 1


def _headless(folder: Path, whole: Any) -> set[str]:
    """Hold what AutoModel reads to a model's part without the head; gives the names that it has no place for."""
    found, told = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert type(found) is type(whole.model)
    assert set(told["missing_keys"]) == set(told["mismatched_keys"]) == set()
    expected = whole.model.state_dict()
    assert found.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in found.state_dict().items())
    return set(told["unexpected_keys"])


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


@pytest.mark.parametrize("preset", ["tiny-qwen2.5-vl", "tiny-qwen3-vl"], indirect=True)  # squares have no grids
def test_grids_of_more_patches_than_there_are_are_refused(model: Any, geometry: MotionConfig, words: Tokens) -> None:
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


@torch.inference_mode()
def test_stock_weights_load_whole_and_give_stock_answers(geometry: MotionConfig, words: Tokens, tmp_path: Path) -> None:
    stock_config, stock_class = STOCK[geometry.backbone]
    ids = {n: getattr(geometry, n) for n in ("image_token_id", "video_token_id")}
    if not isinstance(geometry, PatchedConfig):
        ids = {name.replace("_id", "_index"): token for name, token in ids.items()}
    parts = {n: getattr(geometry, n).to_dict() for n in ("vision_config", "text_config")}
    torch.manual_seed(2)
    stock = stock_class(stock_config(**parts, **ids)).eval()
    stock.save_pretrained(tmp_path)
    model, info = model_class(geometry).from_pretrained(tmp_path, config=geometry, output_loading_info=True)
    assert {key.split(".")[1] for key in info["missing_keys"]} == {"motion_projector"}
    assert not info["unexpected_keys"]
    samples = [[image(1), video(geometry, 2, keys=3, frames=0)], [video(geometry, 3, frames=0)]]
    inputs = batch(geometry, words, *samples)
    given = dict(inputs)
    if isinstance(geometry, PatchedConfig):
        given["mm_token_type_ids"] = model.model.token_types(inputs["input_ids"])
        for pixels, grids in (("pixel_values", "image_grid_thw"), ("pixel_values_videos", "video_grid_thw")):
            given[pixels], given[grids] = real_patches(inputs[pixels], inputs[grids])
        if geometry.times_steps:
            given["second_per_grid_ts"] = inputs["second_per_grid_ts"].flatten()
    else:  # stock takes no masks, and as many pictures in each sample
        del given["image_mask"], given["frame_mask"]
        given, inputs = (_first_video(batch(geometry, words, samples[1]), keep) for keep in (False, True))
    torch.testing.assert_close(last(model.eval(), inputs), last(stock, given), rtol=0, atol=1e-5)


def _first_video(inputs: dict[str, Any], mask: bool) -> dict[str, Any]:
    return {name: value for name, value in inputs.items() if mask or name != "frame_mask"}


def test_qwen25_weights_from_before_its_parts_were_nested_load_whole(tmp_path: Path) -> None:
    """The published files name the language model `model.` and the tower `visual.`; motion stays where it is."""
    given = load_preset("tiny-qwen2.5-vl")
    words = initial_tokens(given, ["good"])
    model = initial_model(given, model_config(given, words), 0)
    model.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    old = {
        name.replace("model.visual.", "visual.").replace("model.language_model.", "model."): tensor
        for name, tensor in load_file(weights).items()
    }
    assert {"visual.patch_embed.proj.weight", "model.layers.0.mlp.up_proj.weight"} < old.keys()
    save_file(old, weights, metadata={"format": "pt"})
    again, info = AutoModelForImageTextToText.from_pretrained(tmp_path, output_loading_info=True)
    assert (list(info["missing_keys"]), list(info["unexpected_keys"])) == ([], [])
    kept = model.state_dict()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in again.state_dict().items())


NATIVE = {"qwen2.5-vl": (14, 56 * 56, 28 * 28 * 20), "qwen3-vl": (16, 64 * 64, 32 * 32 * 20)}
"""Patch, and the fewest and most pixels of a picture."""


def native(backbone: str) -> Any:
    """Make a configuration that keeps the shape of pictures."""
    patch, fewest, most = NATIVE[backbone]
    vision = {"patch_size": patch, "spatial_merge_size": 2, "temporal_patch_size": 2}
    return CONFIGS[backbone](vision_config=vision, key_frames="native", min_pixels=fewest, max_pixels=most)


@pytest.mark.parametrize("backbone", list(NATIVE))
@pytest.mark.parametrize("shape", [(120, 200), (30, 41), (333, 64), (112, 112), (97, 640)])
def test_pictures_equal_those_of_hugging_face(backbone: str, shape: tuple[int, int]) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    config = native(backbone)
    patch, fewest, most = NATIVE[backbone]
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    processor = Qwen2VLImageProcessorPil(
        patch_size=patch,
        size={"shortest_edge": fewest, "longest_edge": most},
        image_mean=list(config.picture_mean),
        image_std=list(config.picture_std),
    )
    theirs = processor(Image.fromarray(picture), return_tensors="pt")
    small = key_frame_pixels(picture, config)
    assert theirs["image_grid_thw"].tolist() == [[1, small.shape[1] // patch, small.shape[2] // patch]]
    torch.testing.assert_close(patched(small[None], config), theirs["pixel_values"], rtol=0, atol=2e-6)
    pieces = config.image_pieces(*small.shape[1:])
    assert dict(pieces)[IMAGE] * 4 == len(theirs["pixel_values"])


def test_a_step_of_a_video_holds_two_key_frames_and_the_last_is_repeated() -> None:
    config = native("qwen2.5-vl")
    three = torch.randint(0, 256, (3, 3, 56, 84), dtype=torch.uint8)
    first, second, third = (patched(frame[None], config).unflatten(1, (3, 2, 14, 14)) for frame in three)
    cut = patched(three, config).unflatten(1, (3, 2, 14, 14))
    assert len(cut) == 2 * len(first)
    assert torch.equal(cut[: len(first), :, 0], first[:, :, 0])
    assert torch.equal(cut[: len(first), :, 1], second[:, :, 1])
    assert torch.equal(cut[len(first) :], third)


def test_a_mere_line_is_no_picture() -> None:
    with pytest.raises(MediaError, match="a picture of 402 x 2 is too long and thin"):
        key_frame_pixels(np.zeros((2, 402, 3), np.uint8), native("qwen3-vl"))


@pytest.mark.parametrize(("count", "fps"), [(1, 25.0), (2, 25.0), (5, 23.976), (4, 0.4)])
def test_qwen3_is_told_the_times_that_hugging_face_tells(count: int, fps: float) -> None:
    from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor

    indices = [i * key_frame_step(fps) for i in range(count)]
    theirs = Qwen3VLProcessor._calculate_timestamps(None, indices, fps)  # type: ignore[arg-type]
    pieces = native("qwen3-vl").video_pieces(count, 64, 64, fps)
    assert [text for text, _ in pieces if "seconds" in text] == [f"<{time:.1f} seconds>" for time in theirs]
    assert [times for text, times in pieces if text == VIDEO] == [4] * len(theirs)


def test_qwen25_is_told_how_long_a_step_lasts() -> None:
    assert native("qwen2.5-vl").seconds_of_step(25.0) == 2
    assert native("qwen2.5-vl").seconds_of_step(23.976) == pytest.approx(2 * 24 / 23.976)


@pytest.mark.parametrize("preset", PRESETS, indirect=True)
def test_a_model_is_trained_read_back_and_asked_of_a_corpus_with_two_videos(preset: str, corpus: Path) -> None:
    """Key frames keep their shape where the backbone can; a clip of 3 frames has no motion."""
    write_clip(corpus / "media" / "short.mp4", 1, frames=3)
    short = video_ref("short", frames=3, key_frames=1, motion_frames=0)
    question = f"First: {VIDEO} {MOTION} Second: {VIDEO} Which is better?"
    two = replace(
        sample_of("stage3-mix", video_ref("clip0"), f"{VIDEO} {MOTION} x", "The first."),
        turns=[Turn(role="user", text=question), Turn(role="assistant", text="The first.")],
        media=[video_ref("clip0"), short],
    )
    write_samples(corpus, "stage3-mix", "train", [two, scored(video_ref("clip1"), 0.4)])
    given = load_preset(preset)
    if given.backbone != "llava-onevision":
        large = {"key_frames": "native", "min_pixels": 32 * 32, "max_pixels": 96 * 96}
        given = replace(given, model={**given.model, **large})
    (corpus / "own.yaml").write_bytes(msgspec.yaml.encode(given))
    stages = [{"name": "both", "configs": ["stage3-mix"], "train": EVERYTHING, "steps": 3, "batch": 2, "lr": 0.002}]
    recipe = write_recipe(corpus, preset="own.yaml", stages=stages, gradient_checkpointing=True)
    record = train(load(recipe, TrainRecipe), corpus)
    assert record["stages"][0]["samples"] == 2
    checkpoint = load_checkpoint(corpus / "model")
    assert checkpoint.config.backbone == given.backbone
    clips = [corpus / "media" / name for name in ("clip0.mp4", "short.mp4", "still.png")]
    rows = list(score_clips(checkpoint, clips, batch=3))
    assert all(row.error is None for row in rows), rows
    found, _ = clips_of_files(corpus / "cache", clips[:2])
    fill(corpus / "cache", found, Model(corpus / "model"), key_frames=True)
    cache = FeatureCache(corpus / "cache", checkpoint.config, None, "vqa2 features")
    assert [row.score for row in score_clips(checkpoint, clips[:2], batch=3, cache=cache)] == [
        row.score for row in score_clips(checkpoint, clips[:2], batch=3)
    ]


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own compiler still asks for it
def test_compiled_it_gives_the_same(model: Any, geometry: MotionConfig, words: Tokens) -> None:
    inputs = batch(geometry, words, *mixed(geometry))
    expected = last(model, inputs)
    torch._dynamo.reset()
    traced = torch.compile(model, backend="aot_eager")  # code is generated in tests/interop/compiled.py, in minutes
    torch.testing.assert_close(last(traced, inputs), expected, **CLOSE)
    torch._dynamo.reset()
