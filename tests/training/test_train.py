import json
from pathlib import Path

import pytest
import torch

from dataset_builder.corpus import read_samples
from schemas.errors import CallError, DataError
from schemas.recipe import TrainRecipe, TrainStage, load
from tests.training.conftest import EVERYTHING, video_ref, write_recipe
from training.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.checkpoints.preset import load_preset, preset_names
from training.checkpoints.schedule import PARTS, TEXT_EMBEDDINGS, freeze_but, optimizer
from training.checkpoints.start import initial_model, initial_tokens, preset_config
from training.inputs.dataset import Collator, SampleDataset
from training.inputs.feeds import FeedReader
from training.trainer.curve import Curve
from training.trainer.run_folder import RunFolder
from training.trainer.stage_trainer import Kept, answers_only
from training.trainer.train import run_stage, train


def run(recipe: Path) -> dict[str, object]:
    return train(load(recipe, TrainRecipe), recipe.parent)


def part_of(parameter: str) -> str:
    return next(part for part, prefixes in PARTS.items() if parameter.startswith(prefixes))


def test_every_parameter_is_of_exactly_one_part(fresh: Checkpoint) -> None:
    for name, _ in fresh.model.named_parameters():
        assert sum(name.startswith(prefixes) for prefixes in PARTS.values()) == 1, name


@pytest.mark.parametrize("parts", [["vision", "vision_projector"], ["motion", "motion_projector"], EVERYTHING])
def test_frozen_parts_stay_bit_equal_and_the_others_move(
    shared_corpus: Path, fresh: Checkpoint, parts: list[str], tmp_path: Path
) -> None:
    before = {name: p.detach().clone() for name, p in fresh.model.named_parameters()}
    stage = TrainStage(name="s", configs=["stage2-ugc"], train=parts, steps=2, batch=2, lr=0.01)  # type: ignore[arg-type]
    samples = list(read_samples(shared_corpus, "stage2-ugc", "train"))
    feeds = FeedReader(shared_corpus, fresh.config, keep=True)
    kept = Kept(RunFolder(tmp_path / "work", {}).stage(0, "s"), Curve(tmp_path / "curve.jsonl"))
    run_stage(stage, samples, fresh, feeds, TrainRecipe(corpus=".", out="x"), kept=kept)
    moved = {name for name, p in fresh.model.named_parameters() if not torch.equal(p, before[name])}
    assert {part_of(name) for name in moved} == set(parts) - {"motion"}  # frame statistics have no weights
    assert not any(TEXT_EMBEDDINGS in name for name in moved)
    if parts == EVERYTHING:
        assert {n for n in before if n.startswith("model.language_model") and TEXT_EMBEDDINGS not in n} <= moved
        assert "lm_head.weight" in moved


@torch.inference_mode()
def test_a_loss_from_the_answers_alone_is_the_whole_loss(trained: Checkpoint, shared_corpus: Path) -> None:
    feeds = FeedReader(shared_corpus, trained.config, keep=True)
    samples = list(read_samples(shared_corpus, "stage3-mix", "train"))
    data = SampleDataset(samples, feeds, trained.config, trained.tokens)
    batch = Collator(trained.config, trained.tokens, side="right")([data[0], data[5]])  # two questions, two lengths
    batch.pop("names")
    whole = trained.model(**batch)
    short = trained.model(**batch, **answers_only(batch["labels"]))
    torch.testing.assert_close(short.loss, whole.loss)
    assert short.logits.shape[1] < whole.logits.shape[1] / 2


def test_the_vision_tower_learns_at_its_own_rate(fresh: Checkpoint) -> None:
    stage = TrainStage(
        name="s", configs=[], train=["vision", "llm"], steps=1, lr=1e-3, vision_lr=1e-4, weight_decay=0.1
    )
    freeze_but(fresh.model, stage.train)
    groups = {(g["lr"], g["weight_decay"]): g["params"] for g in optimizer(fresh.model, stage).param_groups}
    assert set(groups) == {(1e-3, 0.1), (1e-3, 0.0), (1e-4, 0.1), (1e-4, 0.0)}
    assert any(p is fresh.model.lm_head.weight for p in groups[1e-3, 0.1])
    tower = fresh.model.model.vision_tower.embeddings.patch_embedding
    assert any(p is tower.weight for p in groups[1e-4, 0.1])


def test_the_same_seed_gives_the_same_weights_and_another_does_not(corpus: Path) -> None:
    stages = [{"name": "s", "configs": ["stage2-ugc"], "train": EVERYTHING, "steps": 3, "batch": 2, "lr": 0.002}]
    found = []
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(write_recipe(corpus, out=out, seed=seed, stages=stages))
        found.append((corpus / out / "model.safetensors").read_bytes())
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_a_checkpoint_says_how_it_is_asked_and_what_it_was_trained_on(trained: Checkpoint, shared_corpus: Path) -> None:
    folder = shared_corpus / "model"
    record = json.loads((folder / "training.json").read_text())
    assert [stage["steps"] for stage in record["stages"]] == [2, 4, 2]
    assert record["recipe"]["seed"] == 0
    assert len(record["corpus_manifest_sha256"]) == 64
    assert trained.block.scoring.video_prefix == "The quality of this video is"
    assert trained.block.scoring.level_tokens == list(trained.tokens.levels())
    assert {p.name for p in folder.iterdir()} >= {"model.safetensors", "tokenizer.json", "config.json", "vqa2.json"}


def test_training_goes_on_from_a_checkpoint(trained: Checkpoint, shared_corpus: Path, tmp_path: Path) -> None:
    stages = [{"name": "s", "configs": ["stage2-ugc"], "train": ["llm"], "steps": 1, "batch": 2, "lr": 0.0}]
    run(write_recipe(shared_corpus, model="model", out=str(tmp_path / "more"), stages=stages))
    again = load_checkpoint(tmp_path / "more")
    for name, parameter in trained.model.named_parameters():
        assert torch.equal(parameter, again.model.get_parameter(name)), name


def test_a_clip_that_cannot_be_read_stops_the_run_by_name(corpus: Path) -> None:
    (corpus / "media" / "clip2.mp4").write_bytes((corpus / "media" / "clip2.mp4").read_bytes()[:700])
    with pytest.raises(DataError, match=r"train-00000.jsonl:3: sample stage1/clip2/\d+: media/clip2.mp4: "):
        run(write_recipe(corpus))
    assert not (corpus / "model").exists()


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_batch(corpus: Path) -> None:
    stages = [{"name": "s", "configs": ["stage2-ugc"], "train": EVERYTHING, "steps": 9, "batch": 2, "lr": 1e30}]
    with pytest.raises(DataError, match=r"stage s: the loss is nan at step \d, on the batch data/stage2-ugc/train-000"):
        run(write_recipe(corpus, stages=stages))


def test_gradients_that_are_no_numbers_stop_the_run_and_name_the_samples(corpus: Path) -> None:
    """The loss is one here: what the projector makes too large it makes small again, but not on the way back."""
    stage = {"name": "s", "configs": ["stage2-ugc"], "train": ["motion_projector"], "steps": 1, "lr": 0.01}
    run(write_recipe(corpus, stages=[stage], out="given"))
    given = load_checkpoint(corpus / "given")
    projector = given.model.model.motion_projector
    with torch.no_grad():
        projector.linear_1.weight *= 1e25
        projector.linear_2.weight *= 1e-25
    save_checkpoint(corpus / "steep", given, {})
    with pytest.raises(DataError, match=r"the gradients' norm is inf at step 1, after the samples data/stage2-"):
        run(write_recipe(corpus, stages=[stage], model="steep"))
    assert not (corpus / "model").exists()


def test_stages_that_find_nothing(corpus: Path) -> None:
    stages = [{"name": "s", "configs": ["stage2-ugc"], "train": ["llm"], "steps": 1, "media": "image"}]
    with pytest.raises(CallError, match="stage 's': stage2-ugc has no samples of images alone"):
        run(write_recipe(corpus, stages=stages))
    with pytest.raises(CallError, match="nothing learns"):
        run(write_recipe(corpus, stages=[{**stages[0], "media": "all", "train": ["motion"]}]))


def test_an_output_that_is_there_is_not_overwritten(corpus: Path) -> None:
    (corpus / "model").mkdir()
    (corpus / "model" / "notes.txt").touch()
    with pytest.raises(CallError, match="already there"):
        run(write_recipe(corpus))


def test_an_unknown_preset_names_the_nearest(corpus: Path) -> None:
    large = ["llava-onevision-7b", "qwen2.5-vl-7b", "qwen3-vl-8b"]
    assert preset_names() == [*large, "small", "tiny", "tiny-qwen2.5-vl", "tiny-qwen3-vl"]
    with pytest.raises(CallError, match="did you mean 'tiny'"):
        run(write_recipe(corpus, preset="tinny"))


def test_presets_follow_the_papers_freeze_schedule() -> None:
    for name in preset_names():
        image, video, *later = load_preset(name).stages
        assert [(s.configs, s.media) for s in (image, video)] == [(["stage1"], "image"), (["stage1"], "video")]
        assert (image.train, video.train) == (["vision", "vision_projector"], ["motion", "motion_projector"])
        assert {c for s in later[:-1] for c in s.configs} == {"stage2-ugc", "stage2-streaming"}
        assert later[-1].configs == ["stage3-mix"]
        assert all((s.train, s.media) == (EVERYTHING, "all") for s in later)


@pytest.mark.parametrize(
    ("name", "parameters"), [("llava-onevision-7b", 8.05e9), ("qwen2.5-vl-7b", 8.31e9), ("qwen3-vl-8b", 8.79e9)]
)
def test_large_presets_have_the_size_of_their_models(name: str, parameters: float) -> None:
    from training.models.model import model_class

    config = preset_config(load_preset(name))
    with torch.device("meta"):
        model = model_class(config)(config)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(parameters, rel=0.003)
    assert config.motion_channels == 256


def test_the_papers_model_sees_the_papers_patches() -> None:
    from training.models.config import VQA2Config

    config = preset_config(load_preset("llava-onevision-7b"))
    assert isinstance(config, VQA2Config)
    assert (config.patches, config.pooled_patches) == (729, 196)


def test_a_preset_whose_weights_are_not_there_says_so(
    corpus: Path, trained: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    preset = load_preset("llava-onevision-7b")
    recipe = load(write_recipe(corpus, preset="llava-onevision-7b"), TrainRecipe)
    with pytest.raises(CallError, match="the tokenizer 'llava-hf/llava-onevision-qwen2-7b-ov-chat-hf' cannot be had"):
        train(recipe, corpus, anyway=True)
    with pytest.raises(CallError, match="the weights 'llava-hf/.*' cannot be had"):
        initial_model(preset, trained.config, 0)
    with pytest.raises(CallError, match="hf download"):
        initial_tokens(preset, [])


def test_clips_may_lie_elsewhere(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (corpus / "media").rename(tmp_path / "elsewhere" / "media")
    assert video_ref("clip0").path == "media/clip0.mp4"
    run(write_recipe(corpus, media_root=str(tmp_path / "elsewhere")))
    assert (corpus / "model" / "vqa2.json").exists()
