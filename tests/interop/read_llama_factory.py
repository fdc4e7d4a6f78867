"""Read an export as LLaMA-Factory does, up to the batch its model is fed, and print what came out.

python read_llama_factory.py DATASET_DIR DATASET MEDIA_DIR
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import tiny_qwen

tiny_qwen.stand_in_for_compiled_parts()

from llamafactory.data import MultiModalDataCollatorForSeq2Seq, get_dataset, get_template_and_fix_tokenizer  # noqa: E402
from llamafactory.hparams import DataArguments, ModelArguments  # noqa: E402
from llamafactory.model.patcher import patch_processor  # noqa: E402
from transformers import Seq2SeqTrainingArguments  # noqa: E402


def main(dataset_dir: str, dataset: str, media_dir: str) -> None:
    """Go the way of its supervised training: dataset, tokens, collator."""
    cache = str(Path(dataset_dir).with_name("cache"))
    model = ModelArguments(model_name_or_path="none", video_fps=1.0, cache_dir=cache)
    data = DataArguments(
        dataset=dataset, dataset_dir=dataset_dir, media_dir=media_dir, template="qwen2_vl", cutoff_len=100_000
    )
    processor = tiny_qwen.processor()
    tokenizer = processor.tokenizer
    patch_processor(processor, tokenizer, model)
    template = get_template_and_fix_tokenizer(tokenizer, data)
    training = Seq2SeqTrainingArguments(output_dir=cache, use_cpu=True)
    rows = get_dataset(template, model, data, training, stage="sft", tokenizer=tokenizer, processor=processor)
    collate = MultiModalDataCollatorForSeq2Seq(template=template, processor=processor, tokenizer=tokenizer)
    found = []
    for row in rows["train_dataset"]:
        batch = collate([row])
        videos, images = (batch.get(key) for key in ("pixel_values_videos", "pixel_values"))
        tokens = batch["input_ids"][0].tolist()
        found.append(
            {
                "text": tokenizer.decode(tokens),
                "learned": tokenizer.decode([token for token in batch["labels"][0].tolist() if token >= 0]),
                "video_grids": batch["video_grid_thw"].tolist() if videos is not None else [],
                "video_pixels": 0 if videos is None else len(videos),
                "video_spread": 0.0 if videos is None else float(videos.float().std()),
                "image_pixels": 0 if images is None else len(images),
                "video_tokens": tokens.count(tiny_qwen.SPECIAL["<|video_pad|>"]),
                "image_tokens": tokens.count(tiny_qwen.SPECIAL["<|image_pad|>"]),
            }
        )
    names = ("llamafactory", "torch", "transformers", "datasets", "av")
    print(json.dumps({"versions": {name: version(name) for name in names}, "rows": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
