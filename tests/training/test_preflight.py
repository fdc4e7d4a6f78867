import json
import math
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from safetensors import safe_open
from typer.testing import CliRunner

from dataset_builder.corpus import read_samples
from schemas.errors import CallError
from schemas.recipe import LoRA, TrainRecipe, TrainStage, load
from tests.training.conftest import write_recipe
from training.checkpoints.checkpoint import Checkpoint
from training.checkpoints.preset import load_preset
from training.inputs.dataset import SampleDataset
from training.inputs.feeds import FeedReader
from training.models.config import VQA2Config
from training.planning import device
from training.planning import preflight as planned
from training.planning.activations import FLOAT, Load
from training.planning.device import GIB, Device, free_disk
from training.planning.memory import Counts, Plan, memory, meta_model
from training.planning.preflight import (
    Preflight,
    Spread,
    load_of,
    longest_load,
    plan_of,
    preflight,
    spread_here,
)
from training.planning.stage_work import work_of
from training.planning.starting_point import starting_point, untrained_config
from training.trainer.run_folder import RunFolder
from training.trainer.train import train
from vqa2 import app, main

EVERYTHING = ["vision", "vision_projector", "motion", "motion_projector", "llm"]
RELEASED = Spread(frozen="bfloat16")


def recipe_of(**keys: Any) -> TrainRecipe:
    return TrainRecipe(corpus=".", out="model", preset="llava-onevision-7b", bf16=True, **keys)


def forecast(corpus: Path, gib: float, spread: Spread = RELEASED, **keys: Any) -> Preflight:
    recipe, preset = recipe_of(**keys), load_preset("llava-onevision-7b")
    card = Device(name="a card", free=int(gib * GIB), rate=1e14)
    work = work_of(recipe, preset, corpus)
    return preflight(recipe, untrained_config(preset), work, out=corpus / "model", device=card, spread=spread)


def test_what_cannot_fit_is_refused_with_what_would(shared_corpus: Path) -> None:
    found = forecast(shared_corpus, 80)
    with pytest.raises(CallError, match=r"'stage2': weights, gradients and optimiser alone take .*fit with lora"):
        found.require()
    fixed = 29999671840 * 3  # as many float32 gradients and twice as many moments, of 7.5 G numbers
    assert found.stages[-1].memory.gradients + found.stages[-1].memory.optimizer == pytest.approx(fixed, rel=1e-6)


def test_what_may_not_fit_is_a_warning(shared_corpus: Path) -> None:
    most = max(stage.memory.peak for stage in forecast(shared_corpus, 999).stages)
    found = forecast(shared_corpus, most / GIB - 0.1)
    assert not [problem for problem in found.problems() if "disk" not in problem]
    assert any("at its peak" in line and "fit with gradient_checkpointing" in line for line in found.warnings())
    assert any(line.startswith("warning: stage ") for line in found.lines())


@pytest.mark.parametrize("gib", [12, 24, 48])
def test_advice_is_true(shared_corpus: Path, gib: int) -> None:
    """Each is applied to the recipe, and the run then fits."""
    found = forecast(shared_corpus, gib)
    stage = next(stage for stage in found.stages if stage.name == "stage3")
    assert stage.advice
    applied = 0
    for advice in stage.advice:
        if "processes" in advice or "batch" in advice:
            continue
        bits = 4 if "bits: 4" in advice else None
        keys: dict[str, Any] = {"lora": LoRA(bits=bits)} if "lora" in advice else {}
        keys |= {"gradient_checkpointing": True} if "checkpointing" in advice else {}
        after = forecast(shared_corpus, gib, **keys)
        assert next(s for s in after.stages if s.name == "stage3").memory.peak <= gib * GIB
        applied += 1
    assert applied


def test_a_card_too_small_for_anything_gets_no_advice(shared_corpus: Path) -> None:
    found = forecast(shared_corpus, 2)
    assert all(stage.advice == [] for stage in found.stages if stage.memory.learning > 1e9)


def test_steps_and_hours_follow_from_the_samples(shared_corpus: Path) -> None:
    stage = TrainStage(name="s", configs=["stage3-mix"], train=["motion_projector", "llm"], epochs=2, batch=2)
    found = forecast(shared_corpus, 999, stages=[stage])
    assert (found.stages[0].samples, found.stages[0].steps) == (8, 8)
    twice = forecast(shared_corpus, 999, stages=[msgspec.structs.replace(stage, epochs=4)])
    assert found.hours is not None
    assert twice.hours == pytest.approx(2 * found.hours)
    shared = forecast(shared_corpus, 999, Spread(frozen="bfloat16", processes=4), stages=[stage])
    assert shared.stages[0].steps == 2
    assert shared.hours == pytest.approx(found.hours / 4)
    slower = forecast(shared_corpus, 999, stages=[msgspec.structs.replace(stage, train=["motion", *stage.train])])
    assert slower.hours is not None
    assert slower.hours > found.hours


def test_the_stated_load_is_at_least_that_of_the_sample(
    shared_corpus: Path, config: VQA2Config, trained: Checkpoint
) -> None:
    """A batch must not be longer than what was foretold of it, nor half as long."""
    located = [s for c in ("stage1", "stage2-ugc", "stage3-mix") for s in read_samples(shared_corpus, c, "train")]
    feeds = FeedReader(shared_corpus, config, keep=True)
    dataset = SampleDataset(located, feeds, config, trained.tokens)
    for index, one in enumerate(located):
        foretold, real = load_of(one.sample).tokens(config), len(dataset[index].input_ids)
        assert real <= foretold < 2 * real
    longest = longest_load([one.sample for one in located], config)
    assert longest.tokens(config) == max(load_of(one.sample).tokens(config) for one in located)


def test_disk_is_what_a_run_writes(shared_corpus: Path, trained: Checkpoint, tmp_path: Path) -> None:
    """A finished run of the tiny preset: the foretold bytes hold all weights, and little else."""
    recipe = load(write_recipe(tmp_path), TrainRecipe)  # the one that `trained` was trained by
    work = work_of(recipe, load_preset("tiny"), shared_corpus)
    found = preflight(recipe, trained.config, work, out=shared_corpus / "model", device=Device(name="x", free=None))
    weights = 0
    with safe_open(shared_corpus / "model" / "model.safetensors", "pt") as file:
        for name in file.keys():  # noqa: SIM118 - it is no dict
            weights += 4 * math.prod(file.get_slice(name).get_shape())
    learned = sum(4 * stage.memory.learning for stage in found.stages)
    assert found.disk == weights + learned
    often = preflight(
        msgspec.structs.replace(recipe, save_every=1),
        trained.config,
        work,
        out=shared_corpus / "model",
        device=Device(name="x", free=None),
    )
    assert often.disk > found.disk


def test_disk_holds_what_the_tower_said(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that leaves what it kept: two frames each of four clips, though two stages show them."""
    monkeypatch.setattr(RunFolder, "clear", lambda self: None)
    stages = [
        {"name": name, "configs": [config], "train": ["llm"], "epochs": 1, "batch": 2}
        for name, config in (("a", "stage2-ugc"), ("b", "stage3-mix"))
    ]
    recipe = load(write_recipe(corpus, stages=stages, keep_vision=True), TrainRecipe)
    work, start = work_of(recipe, load_preset("tiny"), corpus), starting_point(recipe, corpus)
    device = Device(name="x", free=None)
    found, without = (
        preflight(given, start.config, work, out=corpus / "model", device=device)
        for given in (recipe, msgspec.structs.replace(recipe, keep_vision=False))
    )
    train(recipe, corpus)
    files = list((corpus / "model.work" / "vision").rglob("*.safetensors"))
    assert len(files) == 8
    assert found.disk - without.disk == pytest.approx(sum(file.stat().st_size for file in files), rel=0.01)


def test_disk_of_merged_adapters_is_that_of_all_weights(shared_corpus: Path) -> None:
    apart, merged = (forecast(shared_corpus, 999, lora=LoRA(merge=merge)) for merge in (False, True))
    parameters = max(stage.memory.parameters for stage in apart.stages)
    learned = sum(stage.memory.learning for stage in apart.stages)
    assert apart.disk < parameters
    assert merged.disk - 2 * FLOAT * learned == pytest.approx(2 * (parameters - learned))  # the base is in 16 bits


def test_snapshots_of_deepspeed_hold_every_weight(shared_corpus: Path) -> None:
    stage = TrainStage(name="s", configs=["stage2-ugc"], train=["llm"], steps=2, batch=1)
    cut = Spread(frozen="bfloat16", processes=2, sharding="zero3")
    fsdp, zero3, zero2 = (
        forecast(shared_corpus, 999, spread, lora=LoRA(), save_every=1, stages=[stage])
        for spread in (
            cut,
            msgspec.structs.replace(cut, deepspeed=True),
            msgspec.structs.replace(cut, deepspeed=True, sharding="zero2"),
        )
    )
    parameters = fsdp.stages[0].memory.parameters
    assert fsdp.disk < parameters
    assert zero3.disk - fsdp.disk >= 2 * parameters
    assert zero2.disk - zero3.disk == pytest.approx(2 * parameters, rel=0.1)  # what is frozen, once more


def test_how_processes_were_launched_says_whose_snapshots_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not spread_here("float32").deepspeed
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    assert spread_here("float32") == Spread(sharding="zero2", deepspeed=True)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert spread_here("float32") == Spread(sharding="zero3")


@pytest.mark.parametrize(
    ("told", "files", "free"),
    [
        ("0::/", {}, 8 * GIB),
        ("0::/", {"memory.max": "max", "memory.current": "5"}, 8 * GIB),
        ("0::/", {"memory.max": f"{4 * GIB}", "memory.current": f"{GIB}"}, 3 * GIB),
        ("0::/", {"memory.max": f"{64 * GIB}", "memory.current": f"{GIB}"}, 8 * GIB),
        ("0::/", {"memory.max": f"{GIB}", "memory.current": f"{2 * GIB}"}, 0),
        (
            "0::/",
            {
                "memory.max": f"{4 * GIB}",
                "memory.current": f"{4 * GIB}",
                "memory.stat": f"anon 5\nactive_file {GIB}\ninactive_file {GIB}\n",
            },
            2 * GIB,
        ),
        ("0::/a/b", {"a/memory.max": f"{2 * GIB}", "a/memory.current": "0", "a/b/memory.max": "max"}, 2 * GIB),
        (
            "3:cpu:/\n2:memory:/a",
            {"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": "1"},
            8 * GIB,
        ),
        (
            "2:memory:/elsewhere",
            {
                "memory/memory.limit_in_bytes": f"{4 * GIB}",
                "memory/memory.usage_in_bytes": f"{3 * GIB}",
                "memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}\ntotal_active_file 0\n",
            },
            2 * GIB,
        ),
    ],
)
def test_free_memory_is_within_the_control_groups_limit(
    tmp_path: Path, told: str, files: dict[str, str], free: int
) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(f"{told}\n")
    (proc / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {8 * GIB // 1024} kB\n")
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    assert device._free_memory(proc, groups) == free


def test_free_memory_is_unknown_where_nothing_tells_it(tmp_path: Path) -> None:
    assert device._free_memory(tmp_path, tmp_path) is None


def test_a_full_disk_is_refused(shared_corpus: Path) -> None:
    found = forecast(shared_corpus, 999)
    full = msgspec.structs.replace(found, disk_free=found.disk - 1)
    with pytest.raises(CallError, match=r"writes .* of files, the disk has .* free"):
        full.require()
    assert free_disk(shared_corpus / "not" / "yet" / "there") == pytest.approx(
        shutil.disk_usage(shared_corpus).free, rel=0.1
    )


def test_a_cache_and_a_frozen_extractor_spare_its_operations(shared_corpus: Path) -> None:
    config = untrained_config(load_preset("llava-onevision-7b"))
    model = meta_model(config)
    stage = TrainStage(name="s", configs=["stage2-ugc"], train=["llm"], epochs=1)
    clip = load_of(next(read_samples(shared_corpus, "stage2-ugc", "train")).sample)
    plan = plan_of(stage, recipe_of(), clip)
    found = memory(config, plan, Counts(model, plan))
    assert 0 < found.extraction < found.flops
    cached = forecast(shared_corpus, 999, stages=[stage], cache="kept").stages[0].memory
    assert cached.extraction == 0


def test_plan_prints_a_table_of_80_columns_and_what_cannot_be(shared_corpus: Path) -> None:
    path = write_recipe(shared_corpus.parent, corpus=str(shared_corpus), preset="llava-onevision-7b", bf16=True)
    result = CliRunner().invoke(app, ["plan", str(path), "--device", "24GB"])
    assert result.exit_code == 2
    table = result.output.splitlines()[:4]
    assert table[0].split() == ["stage", "samples", "steps", "weights", "gradients", "states", "peak", "hours"]
    assert [row.split()[0] for row in table[1:]] == ["stage1", "stage2", "stage3"]
    assert all(len(row) <= 80 for row in table)
    assert "cannot be: stage 'stage2': weights" in result.output


def test_plan_says_the_same_as_json_and_that_a_small_run_can_be(shared_corpus: Path) -> None:
    path = write_recipe(shared_corpus.parent, corpus=str(shared_corpus))
    result = CliRunner().invoke(app, ["plan", str(path), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["problems"] == []
    assert [stage["name"] for stage in told["stages"]] == ["stage1", "stage2", "stage3"]
    assert told["hours"] > 0
    assert not (shared_corpus.parent / "model").exists()


def test_plan_leaves_out_what_training_leaves_out_of_a_model_without_motion(shared_corpus: Path) -> None:
    stage = {"configs": ["stage2-ugc"], "steps": 1, "batch": 1}
    both = [
        {**stage, "name": "motion", "train": ["motion", "motion_projector"]},
        {**stage, "name": "all", "train": ["motion_projector", "vision_projector"]},
    ]
    unmoved = {"corpus": str(shared_corpus), "geometry": {"motion_extractor": "none"}}

    def planned_stages(stages: list[dict[str, Any]]) -> Any:
        path = write_recipe(shared_corpus.parent, stages=stages, **unmoved)
        result = CliRunner().invoke(app, ["plan", str(path), "--json", "--device", "24GB"])
        assert result.exit_code == 0, result.output
        return json.loads(result.output)["stages"]

    found = planned_stages(both)
    assert [one["name"] for one in found] == ["all"]
    assert found == planned_stages([{**both[1], "train": ["vision_projector"]}])


def test_train_refuses_what_cannot_fit_before_it_reads_weights(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("weights were read")

    small = Device(name="this machine", free=32 * GIB)
    monkeypatch.setattr(planned, "device_here", lambda *, bf16, extracts: small)
    monkeypatch.setattr("training.trainer.train.Beginning", read)
    stage = {"name": "s", "configs": ["stage2-ugc"], "train": ["llm"], "steps": 1, "batch": 1}
    path = write_recipe(corpus, preset="llava-onevision-7b", bf16=True, stages=[stage])
    before = sorted(corpus.rglob("*"))
    monkeypatch.setattr("sys.argv", ["vqa2", "train", str(path)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("error: stage 's': weights, gradients and optimiser alone take ")
    assert "this machine has 32.0 GiB free; it would fit with lora: {rank: 16}" in line
    assert sorted(corpus.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--device", "big"], "24GB"),
        (["--sharding", "some"], "zero2"),
        (["batch=1"], "batch"),
        (["cache=nowhere"], "no such cache folder"),
        (["cache=."], "no cache folder"),
    ],
)
def test_plan_refuses_what_it_does_not_know(shared_corpus: Path, arguments: list[str], told: str) -> None:
    path = write_recipe(shared_corpus.parent, corpus=str(shared_corpus))
    result = CliRunner().invoke(app, ["plan", str(path), *arguments])
    assert result.exit_code != 0
    assert told in result.output + str(result.exception)


def test_a_checkpoint_is_a_starting_point(shared_corpus: Path, trained: Checkpoint) -> None:
    recipe = TrainRecipe(corpus=".", out="next", model="model")
    start = starting_point(recipe, shared_corpus)
    plan = Plan(parts=("llm",), load=Load(text=99))
    assert memory(start.config, plan) == memory(trained.config, plan)
    assert start.frozen == "float32"
    with pytest.raises(CallError):
        starting_point(TrainRecipe(corpus=".", out="next", model="nowhere"), shared_corpus)


def test_a_preset_without_a_tokenizer_has_the_words_of_the_one_to_be() -> None:
    assert untrained_config(load_preset("tiny")).text_config.vocab_size == 1024
    assert untrained_config(load_preset("llava-onevision-7b")).text_config.vocab_size == 152000
