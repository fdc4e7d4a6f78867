"""Read an export as ms-swift does, up to the batch its model is fed, and print what came out.

FPS=1 ROOT_IMAGE_DIR=MEDIA_DIR python read_ms_swift.py ROWS_FILE
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version

import tiny_qwen

tiny_qwen.stand_in_for_compiled_parts()

from swift.dataset import load_dataset  # noqa: E402
from swift.model import get_model_processor  # noqa: E402
from swift.template import get_template  # noqa: E402
from transformers import Qwen2_5_VLConfig  # noqa: E402


def main(rows_file: str) -> None:
    """Go the way of its supervised training: dataset, template, collator."""
    rows, _ = load_dataset([rows_file], load_from_cache_file=False, strict=True)
    with tempfile.TemporaryDirectory() as folder:
        tiny_qwen.processor().save_pretrained(folder)
        Qwen2_5_VLConfig(architectures=["Qwen2_5_VLForConditionalGeneration"]).save_pretrained(folder)
        _, processor = get_model_processor(folder, model_type="qwen2_5_vl", load_model=False)
        template = get_template(processor, template_type="qwen2_5_vl")
        template.set_mode("train")
        found = []
        for row in rows:
            batch = template.data_collator([template.encode(row)])
            videos, images = (batch.get(key) for key in ("pixel_values_videos", "pixel_values"))
            tokens = batch["input_ids"][0].tolist()
            found.append(
                {
                    "text": processor.tokenizer.decode(tokens),
                    "learned": processor.tokenizer.decode([t for t in batch["labels"][0].tolist() if t >= 0]),
                    "video_grids": batch["video_grid_thw"].tolist() if videos is not None else [],
                    "video_pixels": 0 if videos is None else len(videos),
                    "video_spread": 0.0 if videos is None else float(videos.float().std()),
                    "image_pixels": 0 if images is None else len(images),
                    "video_tokens": tokens.count(tiny_qwen.SPECIAL["<|video_pad|>"]),
                    "image_tokens": tokens.count(tiny_qwen.SPECIAL["<|image_pad|>"]),
                }
            )
    names = ("ms-swift", "torch", "transformers", "datasets", "qwen-vl-utils", "decord")
    print(json.dumps({"versions": {name: version(name) for name in names}, "rows": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
