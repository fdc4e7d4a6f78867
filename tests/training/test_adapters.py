from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas.errors import CallError
from schemas.recipe import LoRA, RecipeError, TrainRecipe, load
from tests.conftest import ROOT
from tests.training.conftest import EVERYTHING, make_corpus, write_recipe
from training.checkpoints.adapters import add_adapters
from training.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.inference.score import score_clips
from training.trainer.train import train

STAGE = {"name": "s", "configs": ["stage2-ugc"], "train": EVERYTHING, "steps": 4, "batch": 2, "lr": 0.01}
LORA = {"rank": 4, "alpha": 8, "head": True}


def run(recipe: Path) -> dict[str, object]:
    return train(load(recipe, TrainRecipe), recipe.parent)


def scores(checkpoint: Checkpoint, corpus: Path) -> list[float]:
    rows = list(score_clips(checkpoint, sorted((corpus / "media").glob("*.mp4"))))
    assert all(row.score is not None for row in rows)
    return [row.score or 0.0 for row in rows]


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with a base, adapters to it, the same merged, and the same with the language model in 4 bits."""
    corpus = make_corpus(tmp_path_factory.mktemp("adapted") / "corpus")
    run(write_recipe(corpus, out="base", stages=[STAGE]))
    keys = {"model": "base", "stages": [STAGE, {**STAGE, "name": "more", "train": ["llm", "motion_projector"]}]}
    run(write_recipe(corpus, out="adapters", lora=LORA, **keys))
    run(write_recipe(corpus, out="merged", lora={**LORA, "merge": True}, **keys))
    run(write_recipe(corpus, out="rounded", lora={**LORA, "bits": 4}, **keys))
    return corpus


def test_a_folder_of_adapters_is_small_and_names_its_base(adapted: Path) -> None:
    names = {p.name for p in (adapted / "adapters").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "vqa2.json", "training.json"} <= names
    assert "model.safetensors" not in names
    config = json.loads((adapted / "adapters" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "../base"
    assert set(config["modules_to_save"]) == {"lm_head", "model.motion_projector", "model.multi_modal_projector"}
    assert json.loads((adapted / "adapters" / "vqa2.json").read_text())["base"]["path"] == "../base"


def test_adapters_put_on_their_base_score_as_the_merged_model(adapted: Path) -> None:
    assert json.loads((adapted / "merged" / "vqa2.json").read_text())["base"] is None
    base, put_on, merged = (load_checkpoint(adapted / name) for name in ("base", "adapters", "merged"))
    assert scores(put_on, adapted) == pytest.approx(scores(merged, adapted), abs=1e-5)
    assert max(abs(a - b) for a, b in zip(scores(put_on, adapted), scores(base, adapted), strict=True)) > 0.01


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft 0.21 asks for it
def test_peft_itself_reads_the_folder(adapted: Path) -> None:
    from peft import PeftModel

    ours = load_checkpoint(adapted / "adapters")
    theirs = PeftModel.from_pretrained(load_checkpoint(adapted / "base").model, adapted / "adapters").merge_and_unload()
    for name, parameter in ours.model.named_parameters():
        assert torch.equal(parameter, theirs.get_parameter(name)), name


def test_adapters_that_are_not_whole_are_refused(adapted: Path) -> None:
    shutil.copytree(adapted / "adapters", adapted / "halves")
    path = adapted / "halves" / "adapter_model.safetensors"
    learned = load_file(path)
    gone = sorted(name for name in learned if "lora_B" in name)[0]
    save_file({name: tensor for name, tensor in learned.items() if name != gone}, path)
    with pytest.raises(CallError, match=f"halves: 1 tensors are missing or of another model, as {gone}$"):
        load_checkpoint(adapted / "halves")


def test_four_bits_are_trained_upon_and_read_again(adapted: Path) -> None:
    rounded = load_checkpoint(adapted / "rounded")
    layer = rounded.model.model.language_model.layers[0].self_attn.q_proj
    assert "4bit" in type(layer).__name__.lower()
    assert layer.base_layer.weight.dtype == torch.uint8
    assert rounded.model.model.vision_tower.embeddings.patch_embedding.weight.dtype == torch.float32
    learned = load_file(adapted / "rounded" / "adapter_model.safetensors")
    assert max(t.abs().max() for name, t in learned.items() if "lora_B" in name) > 0
    record = json.loads((adapted / "rounded" / "training.json").read_text())
    assert record["stages"][1]["loss_last_tenth"] < record["stages"][0]["loss_first_tenth"]
    exact = scores(load_checkpoint(adapted / "adapters"), adapted)
    assert scores(rounded, adapted) == pytest.approx(exact, abs=0.2)


def test_adapters_on_a_base_of_16_bits_are_watched_and_read_again(adapted: Path) -> None:
    """As the released scorers are, and the recipe for them trains: 16-bit weights, and float32 where they learn."""
    base = load_checkpoint(adapted / "base")
    save_checkpoint(adapted / "halved", replace(base, model=base.model.bfloat16()), {})
    watch = {"split": "train", "config": "stage2-ugc", "every": 2}
    stages = [{**STAGE, "train": ["vision_projector", "motion_projector", "llm"]}]
    for bits in (None, 4):
        out = f"on-halved-{bits}"
        lora = {"rank": 4, "alpha": 8, "bits": bits}
        run(write_recipe(adapted, out=out, model="halved", bf16=True, lora=lora, watch=watch, stages=stages))
        curve = (adapted / out / "curve.jsonl").read_text().splitlines()
        assert sum(json.loads(line).get("srcc") is not None for line in curve) == 2
        assert len(scores(load_checkpoint(adapted / out), adapted)) == 6
    assert scores(load_checkpoint(adapted / "on-halved-4"), adapted) == pytest.approx(
        scores(load_checkpoint(adapted / "on-halved-None"), adapted), abs=0.2
    )


def test_only_what_peft_added_learns(adapted: Path) -> None:
    base = load_file(adapted / "base" / "model.safetensors")
    merged = load_file(adapted / "merged" / "model.safetensors")
    moved = {name for name in base if not torch.equal(base[name], merged[name])}
    assert any("self_attn.q_proj" in name for name in moved)
    assert "language_model.lm_head.weight" in moved
    learnt_whole = ("multi_modal_projector.", "motion_projector.")
    adapted_alone = {name for name in moved if not name.removeprefix("model.").startswith(learnt_whole)}
    assert not any("norm" in name or "embed" in name for name in adapted_alone)


def test_what_cannot_be_adapted_is_refused(adapted: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    with pytest.raises(CallError, match="random weights are not kept in 4 bits"):
        run(write_recipe(adapted, out=out, lora={"bits": 4}, stages=[STAGE]))
    with pytest.raises(CallError, match="nothing to adapt"):
        run(write_recipe(adapted, out=out, model="base", lora=LORA, stages=[{**STAGE, "train": ["motion_projector"]}]))
    with pytest.raises(RecipeError, match="nothing is merged into them"):
        run(write_recipe(adapted, out=out, model="base", lora={"bits": 4, "merge": True}, stages=[STAGE]))
    for lora in (None, {"rank": 2}, {"rank": 2, "bits": 4}):
        with pytest.raises(CallError, match="adapters to weights in 4 bits, which cannot learn on: name its base"):
            run(write_recipe(adapted, out="o", model="rounded", lora=lora, stages=[STAGE]))
    with pytest.raises(CallError, match="holds adapters, whose base is read as it is: leave out bits"):
        run(write_recipe(adapted, out=out, model="adapters", lora={"bits": 4}, stages=[STAGE]))
    with pytest.raises(RecipeError, match="rank is 1 or more"):
        run(write_recipe(adapted, out=out, model="base", lora={"rank": 0}, stages=[STAGE]))


def test_adapters_without_their_base_or_on_another(adapted: Path, tmp_path: Path) -> None:
    shutil.copytree(adapted / "adapters", tmp_path / "adapters")
    with pytest.raises(CallError, match=r"adapters to the checkpoint \.\./base, which is not there"):
        load_checkpoint(tmp_path / "adapters")
    shutil.copytree(adapted / "merged", tmp_path / "base")
    with pytest.raises(CallError, match="adapters to other weights"):
        load_checkpoint(tmp_path / "adapters")
    (tmp_path / "adapters" / "adapter_model.safetensors").rename(tmp_path / "adapters" / "adapter_model.bin")
    with pytest.raises(CallError, match="weights in other formats are not read"):
        load_checkpoint(tmp_path / "adapters")


def test_adapters_on_an_untrained_model_need_no_base(adapted: Path, fresh: Checkpoint) -> None:
    run(write_recipe(adapted, out="first", lora=LORA, stages=[STAGE]))
    assert json.loads((adapted / "first" / "vqa2.json").read_text())["base"] is None
    assert len(scores(load_checkpoint(adapted / "first"), adapted)) == 6
    handle = add_adapters(fresh.model, LoRA(rank=2), ["llm"])
    trainable = {name for name, p in handle.named_parameters() if p.requires_grad}
    assert trainable
    assert all("language_model" in name for name in trainable)


class _Bomb:
    """Pickled, it writes a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


def test_pickled_weights_are_never_run(adapted: Path, tmp_path: Path) -> None:
    for name, weights in (("base", "pytorch_model.bin"), ("adapters", "adapter_model.bin")):
        folder = tmp_path / name
        shutil.copytree(adapted / name, folder)
        next(folder.glob("*model.safetensors")).unlink()
        (folder / weights).write_bytes(pickle.dumps({"x": _Bomb(tmp_path / "ran")}))
        with pytest.raises(CallError):
            load_checkpoint(folder)
    assert not (tmp_path / "ran").exists()
    pickle.loads((tmp_path / "base" / "pytorch_model.bin").read_bytes())  # the bomb is one
    assert (tmp_path / "ran").exists()


def test_code_that_comes_with_a_model_is_never_run(adapted: Path, tmp_path: Path) -> None:
    """Not even where somebody answers the question of transformers whether to."""
    for part in ("tokenizer", "config"):
        folder = tmp_path / part
        shutil.copytree(adapted / "base", folder)
        made = tmp_path / f"{part} ran"
        (folder / "own.py").write_text(
            "from pathlib import Path\n"
            f"Path({str(made)!r}).touch()\n"
            "from transformers import PretrainedConfig, PreTrainedTokenizerFast\n"
            "class OwnTokenizer(PreTrainedTokenizerFast): pass\n"
            "class OwnConfig(PretrainedConfig): pass\n"
        )
        path = folder / ("tokenizer_config.json" if part == "tokenizer" else "config.json")
        told = json.loads(path.read_text())
        if part == "tokenizer":
            told |= {"tokenizer_class": "OwnTokenizer", "auto_map": {"AutoTokenizer": ["own.OwnTokenizer", None]}}
        else:
            told |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
        path.write_text(json.dumps(told))
        command = [sys.executable, "-m", "vqa2", "score", str(folder), str(adapted / "media" / "clip0.mp4")]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")}
        done = subprocess.run(
            command, input="y\n" * 9, capture_output=True, text=True, cwd=ROOT, env=environment, check=False
        )
        assert not made.exists(), done.stderr
        assert "Traceback" not in done.stderr
        assert "y/N" not in done.stdout + done.stderr
