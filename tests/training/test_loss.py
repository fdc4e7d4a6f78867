"""What the loss of a step is: the same however its batch is cut, with level words soft or hard."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
import torch

from dataset_builder.corpus import read_samples
from schemas.levels import LEVELS, WEIGHTS, level_distribution, level_of_unit
from schemas.recipe import TrainRecipe, load
from schemas.sample import Target
from tests.training.conftest import EVERYTHING, image_ref, make_corpus, sample, write_recipe, write_samples
from training.checkpoints.checkpoint import Checkpoint
from training.inputs.dataset import Collator, SampleDataset
from training.inputs.feeds import FeedReader
from training.inputs.soft_levels import divergence, level_probabilities
from training.trainer.curve import Curve, Point
from training.trainer.order import LengthGrouped
from training.trainer.stage_trainer import answers_only
from training.trainer.train import train

STAGE = {"name": "s", "configs": ["stage1", "stage2-ugc", "stage3-mix"], "train": EVERYTHING, "lr": 0.002}


def curve(corpus: Path, out: str, stage: dict[str, object], **keys: object) -> list[Point]:
    train(load(write_recipe(corpus, out=out, stages=[{**STAGE, **stage}], **keys), TrainRecipe), corpus)
    return Curve(corpus / out / "curve.jsonl").points


def losses(points: list[Point]) -> list[float]:
    return [p.loss for p in points if p.loss is not None]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of videos, an image and text alone, with opinion scores in some."""
    corpus = make_corpus(tmp_path_factory.mktemp("mixed") / "corpus")
    words = sample("stage1", image_ref("still"), "<image>\nWhat is blur?", "A loss of fine detail.")
    text = msgspec.structs.replace(
        words,
        id="text",
        media=[],
        turns=[msgspec.structs.replace(words.turns[0], text="What is blur?"), words.turns[1]],
    )
    stage1 = [located.sample for located in read_samples(corpus, "stage1", "train")]
    write_samples(corpus, "stage1", "train", [*stage1, words, text])
    return corpus


@pytest.mark.parametrize("soft", [0.0, 0.7])
def test_accumulated_batches_equal_the_large_one(mixed: Path, soft: float) -> None:
    """Batches of images, videos and text in one, whose answers differ in length, in one pass or one by one."""
    found = {}
    for batch, cut in ((4, 1), (2, 2), (1, 4)):
        stage = {"batch": batch, "accumulate": cut, "epochs": 2, "soft_levels": soft}
        found[batch] = losses(curve(mixed, f"b{batch}-{soft}", stage))
    assert len(found[4]) == 2 * math.ceil(19 / 4)
    assert found[2] == pytest.approx(found[4], abs=2e-5)
    assert found[1] == pytest.approx(found[4], abs=2e-5)


def test_soft_levels_change_the_loss_by_the_divergence(mixed: Path, trained: Checkpoint) -> None:
    points = {
        weight: losses(curve(mixed, f"w{weight}", {"batch": 4, "steps": 1, "lr": 0.0, "soft_levels": weight}))[0]
        for weight in (0.0, 1.0, 2.0)
    }
    assert points[1.0] > points[0.0] + 1e-3
    assert points[2.0] - points[1.0] == pytest.approx(points[1.0] - points[0.0], abs=1e-5)


@torch.inference_mode()
def test_the_divergence_is_the_textbooks(trained: Checkpoint, shared_corpus: Path) -> None:
    feeds = FeedReader(shared_corpus, trained.config, keep=True)
    samples = list(read_samples(shared_corpus, "stage2-ugc", "train"))[:2]
    tokens = trained.block.scoring.level_tokens
    data = SampleDataset(samples, feeds, trained.config, trained.tokens, tokens)
    batch = Collator(trained.config, trained.tokens, side="right")([data[0], data[1]])
    rows, wanted = batch.pop("soft_rows"), batch.pop("soft_levels")
    assert [batch["labels"][r, p].item() for r, p in rows.tolist()] == [
        tokens[LEVELS.index(s.sample.target.level)] for s in samples if s.sample.target
    ]
    del batch["names"]
    answers = answers_only(batch["labels"])
    found = divergence(trained.model(**batch | answers).logits, answers["logits_to_keep"], rows, wanted, tokens)
    expected = 0.0
    for (row, place), probabilities in zip(rows.tolist(), wanted.tolist(), strict=True):
        logits = trained.model(**batch).logits[row, place - 1, tokens].double()
        told = (logits - logits.logsumexp(0)).tolist()
        expected += sum(p * (math.log(p) - q) for p, q in zip(probabilities, told, strict=True) if p)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("mos", [0.0, 0.1, 0.25, 0.4999, 0.5, 0.8, 1.0])
def test_a_score_is_shared_so_that_its_weighted_sum_is_the_score(mos: float) -> None:
    target = Target(level=level_of_unit(mos), mos=mos, raw=mos, lo=0.0, hi=1.0, synthetic=False)
    shared = level_probabilities(target)
    assert sum(shared) == pytest.approx(1)
    assert sum(p * w for p, w in zip(shared, WEIGHTS, strict=True)) == pytest.approx(mos)
    assert sum(p > 0 for p in shared) <= 2
    spread = list(level_distribution(mos, 0.1))
    known = msgspec.structs.replace(target, std=0.1, distribution=spread)
    assert level_probabilities(known) == spread


def test_answers_without_a_level_word_have_no_soft_level(trained: Checkpoint, shared_corpus: Path) -> None:
    feeds = FeedReader(shared_corpus, trained.config, keep=True)
    samples = list(read_samples(shared_corpus, "stage1", "train"))
    data = SampleDataset(samples, feeds, trained.config, trained.tokens, trained.block.scoring.level_tokens)
    assert all(data[index].soft is None for index in range(len(data)))


def test_an_order_follows_from_seed_and_epoch_alone() -> None:
    lengths = [(7 * i) % 31 for i in range(100)]
    order, again = LengthGrouped(lengths, 4, 1), LengthGrouped(lengths, 4, 1)
    first = list(order)
    order.epoch = again.epoch = 1
    assert list(order) == list(again) != first
    assert sorted(first) == sorted(order) == list(range(100))
    assert list(LengthGrouped(lengths, 4, 2)) != first
    apart = [
        max(lengths[i] for i in first[at : at + 4]) - min(lengths[i] for i in first[at : at + 4])
        for at in range(0, 96, 4)
    ]
    assert sum(apart) / len(apart) < 5


def test_bf16_learns_beside_float32(mixed: Path) -> None:
    stage = {"batch": 4, "steps": 4}
    exact, rounded = losses(curve(mixed, "f32", stage)), losses(curve(mixed, "bf16", stage, bf16=True))
    assert rounded == pytest.approx(exact, rel=0.02)
    assert rounded != exact
