"""The recipes that come with the package, what they allow, and the whole way from a released scorer to one's own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from schemas.errors import CallError
from schemas.recipe import RecipeError, TrainRecipe, load
from tests.conftest import ROOT
from tests.training.conftest import EVERYTHING, make_corpus, write_clip, write_recipe
from tests.training.original_layout import make_original
from tests.training.test_features import slowfast_preset
from training.checkpoints.preset import load_preset
from training.planning.stage_work import work_of
from training.recipes import find_recipe, recipe_names
from training.trainer.curve import Curve
from training.trainer.train import train
from vqa2 import app

STAGE = {"name": "s", "configs": ["stage2-ugc"], "train": EVERYTHING, "steps": 3, "batch": 2, "lr": 0.002}

TEXT = load_preset("tiny").model["text_config"]


def run(recipe: Path) -> None:
    train(load(recipe, TrainRecipe), recipe.parent)


def losses(model: Path) -> list[float | None]:
    return [p.loss for p in Curve(model / "curve.jsonl").points]


def test_recipes_are_found_by_name() -> None:
    assert recipe_names() == ["lean", "paper", "ugc-scorer-lora"]
    told = ["corpus=c", "out=o"]
    paper, base = find_recipe(Path("paper"), told)
    lean, _ = find_recipe(Path("lean"), [*told, "cache=f"])
    assert (base, paper.preset, lean.preset) == (Path(), "llava-onevision-7b", "llava-onevision-7b")
    assert paper.motion is not None
    assert paper.motion.train
    assert lean.motion is not None
    assert not lean.motion.train
    own, _ = find_recipe(Path("ugc-scorer-lora"), told)
    assert own.lora is not None
    assert own.watch is not None
    with pytest.raises(RecipeError, match="missing required field `corpus`"):
        find_recipe(Path("paper"), [])
    with pytest.raises(RecipeError, match="papr: no such file, and no recipe of ours; did you mean 'paper'"):
        find_recipe(Path("papr"), told)
    with pytest.raises(RecipeError, match="none.yaml: no such recipe"):
        find_recipe(Path("none.yaml"), told)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": {"vision_config": {}}}, "model.text_config, .* is missing"),
        ({"model": {"text_config": [1]}}, "model.text_config, .* no mapping"),
        (
            {"model": {"text_config": {"vocab_size": "many"}}},
            "model.text_config.vocab_size is a whole number, got 'many'",
        ),
        ({"backbones": "qwen3-vl"}, "unknown key 'backbones'; did you mean 'backbone'"),
    ],
)
def test_a_preset_of_ones_own_that_is_none_is_told(tmp_path: Path, change: dict[str, object], told: str) -> None:
    path = tmp_path / "own.yaml"
    tiny = yaml.safe_load((ROOT / "training" / "presets" / "tiny.yaml").read_text())
    path.write_text(yaml.safe_dump({**tiny, **change}))
    with pytest.raises(RecipeError, match=rf"own.yaml: {told}"):
        load_preset(str(path))


@pytest.mark.parametrize(
    ("text", "told"),
    [("model: [", "not readable as YAML"), ("- a", "a mapping of keys"), ("stages: []\nstages: []", "given twice")],
)
def test_a_preset_that_is_no_yaml_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=rf"own.yaml: .*{told}"):
        load_preset(str(path))


def test_the_paper_recipe_has_the_papers_rates() -> None:
    """Q-Future's finetune script: 1e-5, the tower at 2e-6, one epoch, cosine, warm-up 0.03."""
    stages = load_preset(find_recipe(Path("paper"), ["corpus=c", "out=o"])[0].preset).stages
    assert {(s.lr, s.warmup, s.epochs) for s in stages} == {(1e-5, 0.03, 1)}
    assert {s.vision_lr for s in stages if "vision" in s.train} == {2e-6}


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with a preset beside it whose motion extractor is a network."""
    corpus = make_corpus(tmp_path_factory.mktemp("networks") / "corpus")
    slowfast_preset(corpus)
    return corpus


@pytest.mark.parametrize(
    ("geometry", "told"),
    [
        ({"motion_extracter": "none"}, "geometry: unknown key 'motion_extracter'; did you mean 'motion_extractor'"),
        ({"hidden_size": 32}, "geometry: unknown key 'hidden_size'"),
        (
            {"text_config": {**TEXT, "hiden_size": 32}},
            "unknown key 'hiden_size'; did you mean 'hidden_size'",
        ),
    ],
)
def test_geometry_that_no_model_has_is_refused(shared_corpus: Path, geometry: dict[str, object], told: str) -> None:
    with pytest.raises(CallError, match=told):
        run(write_recipe(shared_corpus, out="o", stages=[STAGE], geometry=geometry))


def test_a_step_holds_as_many_samples_whoever_trains(shared_corpus: Path) -> None:
    recipe = load(write_recipe(shared_corpus, stages=[{**STAGE, "batch": 2}], step=8), TrainRecipe)
    for processes, passes in ((1, 4), (2, 2), (4, 1)):
        ((stage, _),) = work_of(recipe, load_preset("tiny"), shared_corpus, processes)
        assert stage.accumulate == passes
    for processes in (3, 8):
        with pytest.raises(CallError, match=f"batches of 2 in each of {processes} processes, of which 8 samples is no"):
            work_of(recipe, load_preset("tiny"), shared_corpus, processes)


@pytest.mark.parametrize(("name", "samples"), [("llava-onevision-7b", 8), ("qwen2.5-vl-7b", 64), ("qwen3-vl-8b", 64)])
def test_all_stages_of_a_published_schedule_have_steps_of_one_size(name: str, samples: int) -> None:
    assert [stage.batch * stage.accumulate for stage in load_preset(name).stages] == [samples] * 4


def test_the_papers_recipes_say_the_size_of_a_step() -> None:
    for name in ("paper", "lean"):
        assert find_recipe(Path(name), ["corpus=c", "out=o"])[0].step == 8


@pytest.mark.full
def test_the_recipe_says_over_its_stages_whether_the_extractor_learns(networks: Path) -> None:
    from safetensors.torch import load_file

    preset = next(networks.glob("*.yaml")).name
    moved = {}
    for learns in (True, False):
        out = f"learns-{learns}"
        run(write_recipe(networks, out=out, preset=preset, motion={"train": learns}, stages=[STAGE]))
        weights = load_file(networks / out / "model.safetensors")
        stem = next(n for n in sorted(weights) if n.startswith("model.motion_extractor.") and "weight" in n)
        moved[learns] = weights[stem]
    assert not moved[True].equal(moved[False])
    longer = {**STAGE, "steps": 2 * STAGE["steps"]}
    run(write_recipe(networks, out="longer", preset=preset, motion={"train": False}, stages=[longer]))
    assert load_file(networks / "longer" / "model.safetensors")[stem].equal(moved[False])
    with pytest.raises(CallError, match=r"cache: of a motion extractor that learns.*say `motion: \{train: false\}`"):
        run(write_recipe(networks, out="o", preset=preset, motion={"train": True}, cache="f", stages=[STAGE]))
    with pytest.raises(CallError, match="cache: of a motion extractor that learns"):
        run(write_recipe(networks, out="o", preset=preset, cache="f", stages=[STAGE]))
    frozen = {**STAGE, "train": ["llm"]}  # even where no stage would train it: the recipe has to say so
    for motion in (None, {"train": True}):
        with pytest.raises(CallError, match="cache: of a motion extractor that learns"):
            run(write_recipe(networks, out="o", preset=preset, motion=motion, cache="f", stages=[frozen]))
    with pytest.raises(CallError, match="measures motion by rule"):
        run(write_recipe(networks, out="o", motion={"train": True}, stages=[STAGE]))


def test_a_frozen_tower_is_asked_once(networks: Path) -> None:
    frozen = {**STAGE, "train": ["vision_projector", "motion_projector", "llm"], "steps": 6}
    run(write_recipe(networks, out="asked", stages=[frozen]))
    run(write_recipe(networks, out="kept", stages=[frozen], keep_vision=True))
    assert losses(networks / "kept") == pytest.approx(losses(networks / "asked"), abs=1e-5)
    assert not (networks / "kept.work" / "vision").exists()
    stages = [{**frozen, "name": "before"}, STAGE, {**frozen, "name": "after"}]
    run(write_recipe(networks, out="asked-anew", stages=stages))
    run(write_recipe(networks, out="kept-anew", stages=stages, keep_vision=True))
    assert losses(networks / "kept-anew") == pytest.approx(losses(networks / "asked-anew"), abs=1e-4)
    with pytest.raises(CallError, match="keep_vision: every stage trains the vision tower"):
        run(write_recipe(networks, out="o", stages=[STAGE], keep_vision=True))
    with pytest.raises(CallError, match=r"keep_vision: a tower of qwen2.5-vl mixes the pictures that it is shown"):
        run(write_recipe(networks, out="o", preset="tiny-qwen2.5-vl", stages=[STAGE, frozen], keep_vision=True))
    assert not (networks / "o.work").exists()


def test_what_is_kept_of_a_tower_is_computed_once(networks: Path, tmp_path: Path) -> None:
    import torch

    from training.models.vision_memory import VisionMemory

    seen: list[int] = []

    def compute(pictures: torch.Tensor) -> torch.Tensor:
        seen.append(len(pictures))
        return pictures.flatten(2).transpose(1, 2) * 2

    pictures = torch.rand(3, 3, 4, 4)
    memory = VisionMemory(tmp_path)
    first = memory.patches(pictures, compute)
    assert torch.equal(memory.patches(pictures.flip(0), compute), first.flip(0))
    assert seen == [1, 1, 1]
    memory.patches(pictures + 1, compute)
    assert len(seen) == 6


@pytest.mark.full
def test_from_the_released_scorer_to_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert, build of a table, finetune adapters by the named recipe, score: as docs/training.md says it."""
    monkeypatch.chdir(tmp_path)
    make_original(tmp_path / "VQA-UGC-Scorer-llava_qwen")
    (tmp_path / "clips").mkdir()
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip", "mos"])
        for seed in range(16):
            rows.writerow([write_clip(tmp_path / "clips" / f"clip{seed}.mp4", seed).name, 4.8 - 0.22 * seed])
    (tmp_path / "recipe.yaml").write_text(
        "name: mine\n"
        "sources:\n"
        "  - {name: mine, table: labels.csv, clips: clips, licence: proprietary,\n"
        "     columns: {clip: clip, score: mos}, scale: {lo: 1, hi: 5}}\n"
        "stages: [stage2-ugc]\n"
        "split: {train: 0.5, val: 0.25, test: 0.25}\n"
    )
    small = ["stages.0.accumulate=2", "stages.0.epochs=2", "watch.every=3", "gradient_checkpointing=false"]
    calls = [
        ["convert", "VQA-UGC-Scorer-llava_qwen", "ugc-scorer"],
        ["build", "recipe.yaml"],
        ["plan", "ugc-scorer-lora", "corpus=mine-corpus", "out=my-scorer"],
        ["train", "ugc-scorer-lora", "corpus=mine-corpus", "out=my-scorer", *small],
        ["eval", "my-scorer", "mine-corpus"],
    ]
    for call in calls:
        found = CliRunner().invoke(app, call)
        assert found.exit_code == 0, (call, found.output)
    record = json.loads((tmp_path / "my-scorer" / "training.json").read_text())
    assert record["stages"][0]["best"]["step"] > 0
    assert record["data"]["name"] == "mine"
    assert (tmp_path / "my-scorer" / "adapter_model.safetensors").stat().st_size < 300_000
    scored = CliRunner().invoke(app, ["score", "my-scorer", "clips", "--json"])
    assert scored.exit_code == 0, scored.output
