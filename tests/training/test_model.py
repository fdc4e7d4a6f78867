import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText, LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

from training.models.config import VQA2Config
from training.models.model import VQA2ForConditionalGeneration

VIDEO_TOKENS, MOTION_TOKENS = 2 * 16 + 1, 8


@pytest.fixture
def model(config: VQA2Config) -> VQA2ForConditionalGeneration:
    torch.manual_seed(0)
    return VQA2ForConditionalGeneration(copy.deepcopy(config)).eval()


@pytest.fixture
def inputs(config: VQA2Config) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    ids = [20, 21] + [config.video_token_id] * VIDEO_TOKENS + [22] + [config.motion_token_index] * MOTION_TOKENS + [23]
    input_ids = torch.tensor([ids, ids])
    return {
        "input_ids": input_ids,
        "attention_mask": torch.ones_like(input_ids),
        "pixel_values_videos": torch.randn(2, 2, 3, 64, 64),
        "motion_features": torch.randn(2, MOTION_TOKENS, config.motion_channels),
    }


@torch.inference_mode()
def test_saved_and_loaded_it_is_the_same(model: Any, inputs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    again, info = AutoModelForImageTextToText.from_pretrained(tmp_path, output_loading_info=True)
    assert type(again) is VQA2ForConditionalGeneration
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert (again.eval()(**inputs).logits - model(**inputs).logits).abs().max() == 0


@torch.inference_mode()
def test_stock_weights_load_whole(config: VQA2Config, tmp_path: Path) -> None:
    plain = {k: getattr(config, k) for k in ("image_token_index", "video_token_index")}
    parts = {k: getattr(config, k).to_dict() for k in ("vision_config", "text_config")}
    torch.manual_seed(2)
    stock = LlavaOnevisionForConditionalGeneration(LlavaOnevisionConfig(**parts, **plain)).eval()
    stock.save_pretrained(tmp_path)
    model, info = VQA2ForConditionalGeneration.from_pretrained(tmp_path, config=config, output_loading_info=True)
    assert {key.split(".")[1] for key in info["missing_keys"]} == {"motion_projector"}
    assert not info["unexpected_keys"]
    ids = torch.tensor([[20] + [config.video_token_id] * VIDEO_TOKENS + [21, 22]])
    video = torch.randn(1, 2, 3, 64, 64)
    ours = model.eval()(input_ids=ids, pixel_values_videos=video).logits
    torch.testing.assert_close(ours, stock(input_ids=ids, pixel_values_videos=video).logits, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_motion_and_its_order_change_the_answer(model: Any, inputs: dict[str, torch.Tensor]) -> None:
    before = model(**inputs).logits[:, -1]
    for other in (inputs["motion_features"] + 1, inputs["motion_features"].flip(1)):
        assert (model(**{**inputs, "motion_features": other}).logits[:, -1] - before).abs().max() > 1e-4


@torch.inference_mode()
def test_equal_motion_at_another_time_is_another_token(model: Any, config: VQA2Config) -> None:
    first, second = model.model.motion_projector(torch.ones(2, config.motion_channels))
    assert (first - second).abs().max() > 1e-3


def test_generation_equals_step_by_step_argmax_and_beams_work(model: Any, inputs: dict[str, torch.Tensor]) -> None:
    length = inputs["input_ids"].shape[1]
    model.generation_config.eos_token_id = None
    greedy = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    ids = inputs["input_ids"]
    for _ in range(4):
        with torch.inference_mode():
            logits = model(**{**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)}).logits
        ids = torch.cat([ids, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(greedy, ids)
    beams = model.generate(**inputs, max_new_tokens=4, do_sample=False, num_beams=3, num_return_sequences=2)
    assert beams.shape == (4, length + 4)


@torch.inference_mode()
def test_padding_of_a_mixed_batch_is_not_seen(model: Any, inputs: dict[str, torch.Tensor]) -> None:
    """A batch of a video of two key frames and a text alone, padded to one shape, against each by itself."""
    alone = {k: v[:1] for k, v in inputs.items()}
    text = torch.tensor([[30, 31, 32]])
    length = inputs["input_ids"].shape[1]
    mixed = {
        "input_ids": torch.cat([alone["input_ids"], torch.nn.functional.pad(text, (0, length - 3), value=0)]),
        "attention_mask": torch.tensor([[1] * length, [1] * 3 + [0] * (length - 3)]),
        "pixel_values_videos": torch.cat([alone["pixel_values_videos"], torch.zeros(1, 2, 3, 64, 64)]),
        "frame_mask": torch.tensor([[1, 1], [0, 0]]),
        "motion_features": torch.cat([alone["motion_features"], torch.ones_like(alone["motion_features"])]),
        "motion_mask": torch.tensor([[1] * MOTION_TOKENS, [0] * MOTION_TOKENS]),
    }
    logits = model(**mixed).logits
    torch.testing.assert_close(logits[:1], model(**alone).logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(logits[1:, :3], model(input_ids=text).logits, rtol=0, atol=1e-4)


def test_placeholders_without_their_media_are_refused(model: Any, inputs: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="the prompt holds 16 motion tokens, the media give 14"):
        model(**{**inputs, "motion_features": inputs["motion_features"][:, :-1]})


@torch.inference_mode()
def test_a_clip_longer_than_the_position_embedding_is_strided(config: VQA2Config) -> None:
    frames = config.motion_positions + 5
    assert (config.motion_stride(frames), config.motion_tokens(frames)) == (2, -(-frames // 2))
    assert config.motion_tokens(config.motion_positions) == config.motion_positions
    model = VQA2ForConditionalGeneration(copy.deepcopy(config)).eval()
    ids = torch.tensor([[20] + [config.motion_token_index] * config.motion_tokens(frames) + [21]])
    assert model(input_ids=ids, motion_features=torch.randn(1, frames, config.motion_channels)).logits.isfinite().all()


def test_slowfast_in_the_model_learns_with_activation_checkpointing(config: VQA2Config) -> None:
    parts = {k: getattr(config, k).to_dict() for k in ("vision_config", "text_config")}
    torch.manual_seed(0)
    model = VQA2ForConditionalGeneration(
        VQA2Config(**parts, motion_token_index=5, video_token_index=4, dense_size=32, motion_extractor="slowfast")
    )
    model.activation_checkpointing_enable()
    model.train()
    ids = torch.tensor([[20] + [5] * 8 + [21, 22]])
    frames = torch.randint(0, 256, (1, 8, 3, 32, 32), dtype=torch.uint8)
    model(input_ids=ids, labels=ids, motion_frames=frames).loss.backward()
    stem = model.model.motion_extractor.blocks[0].multipathway_blocks["1"].conv.weight
    assert stem.grad.abs().max() > 0
