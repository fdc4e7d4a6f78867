"""The export to TRL, through TRL's own trainer: a tiny model that is made here, no network, and the pixels arrive."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from datasets import load_dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from trl import SFTConfig, SFTTrainer

from dataset_builder.corpus import read_samples
from dataset_builder.exporters import trl
from dataset_builder.exporting import export

CONFIGS = ["stage1", "stage2-ugc", "stage3-mix"]
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ' : ' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ ' <image> ' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{{ ' </s> ' }}{% endfor %}"
)
SIZE, PATCH = 28, 14
TOKENS_AN_IMAGE = (SIZE // PATCH) ** 2


def processor_of(words: set[str]) -> LlavaProcessor:
    vocabulary = {word: index for index, word in enumerate(["<pad>", "<unk>", "<image>", "</s>", *sorted(words)])}
    words_alone = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words_alone.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words_alone, pad_token="<pad>", unk_token="<unk>", eos_token="</s>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE})
    return LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
        image_token="<image>",
    )


def model_of(processor: LlavaProcessor) -> LlavaForConditionalGeneration:
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(**small, image_size=SIZE, patch_size=PATCH),
            text_config=LlamaConfig(**small, vocab_size=len(processor.tokenizer), max_position_embeddings=4096),
            image_token_id=processor.tokenizer.convert_tokens_to_ids("<image>"),
        )
    )


@pytest.mark.parametrize("config", CONFIGS)
def test_trl_trains_on_the_pixels_of_an_export(config: str, corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    export(corpus, config, folder, trl)
    rows = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    samples = [located.sample for located in read_samples(corpus, config)]
    assert [json.loads(row["vqa2"])["id"] for row in rows] == [sample.id for sample in samples]
    processor = processor_of({word for row in rows for word in str(row["messages"]).split()})
    arguments = SFTConfig(
        output_dir=str(tmp_path / "out"),
        per_device_train_batch_size=len(rows),
        max_steps=1,
        max_length=None,
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        activation_checkpointing=False,
    )
    trainer = SFTTrainer(model=model_of(processor), args=arguments, train_dataset=rows, processing_class=processor)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    batch = next(iter(trainer.get_train_dataloader()))
    fed = sum(media.key_frames for sample in samples for media in sample.media)
    assert batch["pixel_values"].shape == (fed, 3, SIZE, SIZE)
    images = processor.tokenizer.convert_tokens_to_ids("<image>")
    assert (batch["input_ids"] == images).sum(1).sum() == fed * TOKENS_AN_IMAGE
    expected = processor.image_processor([image for row in rows for image in row["images"]], return_tensors="pt")
    assert torch.equal(
        torch.sort(batch["pixel_values"].flatten(1).sum(1)).values,
        torch.sort(expected["pixel_values"].flatten(1).sum(1)).values,
    )
    assert batch["pixel_values"].std() > 0.1
    loss = trainer.train().training_loss
    assert math.isfinite(loss)
    moved = [name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])]
    assert any("vision_tower" in name for name in moved)
