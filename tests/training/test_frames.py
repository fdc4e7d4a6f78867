import copy

import av
import numpy as np
import pytest
import torch
from PIL import Image

from training.models.config import VQA2Config
from training.models.frames import key_frame_pixels, normalised, rgb_of_planar


def resized(config: VQA2Config, size: int) -> VQA2Config:
    other = copy.deepcopy(config)
    other.key_frames, other.vision_config.image_size = "resize", size
    return other


@pytest.mark.parametrize("shape", [(300, 451), (97, 61), (384, 384)])
def test_resize_equals_pil_bicubic(config: VQA2Config, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    ours = key_frame_pixels(picture, resized(config, 384)).permute(1, 2, 0).numpy()
    pil = np.asarray(Image.fromarray(picture).resize((384, 384), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(ours, pil)


def test_resize_and_normalisation_equal_hugging_face(config: VQA2Config) -> None:
    from transformers import SiglipImageProcessorPil

    picture = np.random.default_rng(1).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    processor = SiglipImageProcessorPil(size={"height": 384, "width": 384})
    theirs = processor(Image.fromarray(picture), return_tensors="pt")["pixel_values"][0]
    torch.testing.assert_close(normalised(key_frame_pixels(picture, resized(config, 384))), theirs, rtol=0, atol=1e-6)


def test_crop_keeps_native_pixels_of_the_middle(config: VQA2Config) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (128, 100, 3), dtype=np.uint8)
    assert config.key_frames == "crop"
    np.testing.assert_array_equal(key_frame_pixels(picture, config).permute(1, 2, 0).numpy(), picture[32:96, 18:82])
    assert key_frame_pixels(picture[:40, :50], config).shape == (3, 64, 64)


def test_planar_frames_become_the_rgb_that_swscale_makes() -> None:
    smooth = np.linspace(20, 235, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    planar = av.VideoFrame.from_ndarray(smooth, format="rgb24").reformat(format="yuv420p").to_ndarray()
    ours = rgb_of_planar(torch.from_numpy(planar)[None])[0].permute(1, 2, 0).numpy()
    assert np.abs(ours.astype(int) - smooth).max() <= 6
