"""Features computed once: what is read from the cache is what reading the clip anew would give, to the last bit."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from dataset_builder.corpus import file_entry
from dataset_builder.engine import LocalEngine
from dataset_builder.video import DenseForm, read_clip
from schemas.errors import CallError, DataError
from schemas.recipe import TrainRecipe, load
from tests.conftest import ROOT, Cli
from tests.training.conftest import Call, make_corpus, scored, video_ref, write_clip, write_recipe, write_samples
from training.checkpoints.checkpoint import Checkpoint, load_checkpoint
from training.checkpoints.preset import Preset, load_preset
from training.checkpoints.start import initial_extractor
from training.evaluation.evaluate import evaluate
from training.inference.score import score_clips
from training.inputs.features import FeatureCache, KeyFrames, motion_features, packed_key_frames, unpacked_key_frames
from training.inputs.feeds import read_feed
from training.models.slowfast import SlowFastFast
from training.precompute import ClipFile, Model, clips_of_corpus, fill
from training.trainer.train import train

LLM = [
    {"name": "s", "configs": ["stage2-ugc"], "train": ["llm", "motion_projector"], "steps": 2, "batch": 3, "lr": 0.01}
]
EXTRACTORS = ("frame_stats", "slowfast")


def run(recipe: Path) -> dict[str, object]:
    return train(load(recipe, TrainRecipe), recipe.parent)


def lively_extractor(seed: int) -> SlowFastFast:
    """Make weights whose features differ from frame to frame; fresh norms make them nearly constant."""
    torch.manual_seed(seed)
    extractor = SlowFastFast()
    for name, value in extractor.state_dict().items():
        if name.endswith("norm.running_mean"):
            value.normal_(0, 0.1)
    return extractor


def slowfast_preset(folder: Path, seed: int = 0, **changes: object) -> Path:
    """Write the tiny preset with a network as its motion extractor, and that network's released weights."""
    preset = yaml.safe_load((ROOT / "training" / "presets" / "tiny.yaml").read_text())
    dense = {"dense_size": 48, "dense_pixels": "rgb24", "dense_filter": "BICUBIC"}
    preset["model"] |= {"motion_extractor": "slowfast", **dense, **changes}
    weights = folder / f"slowfast{seed}.pth"
    torch.save({"model_state": lively_extractor(seed).state_dict()}, weights)
    path = folder / f"preset{seed}.yaml"
    path.write_text(yaml.safe_dump({**preset, "vocabulary": 400, "motion_weights": str(weights)}))
    return path


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a checkpoint of either extractor trained on it, and one cache with the features of both."""
    corpus = make_corpus(tmp_path_factory.mktemp("features") / "corpus")
    presets = {"frame_stats": "tiny", "slowfast": slowfast_preset(corpus).name}
    for name, preset in presets.items():
        run(write_recipe(corpus, out=name, preset=preset, stages=LLM))
        filled = fill(
            corpus / "cache", clips_of_corpus(corpus, corpus), Model(corpus / name), key_frames=name == "slowfast"
        )
        assert filled.failed == []
        assert filled.complete
        assert filled.packed == (6 if name == "frame_stats" else 13)  # six clips; their key frames and an image's
    return corpus


def cache_of(ready: Path, checkpoint: Checkpoint) -> FeatureCache:
    return FeatureCache(ready / "cache", checkpoint.config, checkpoint.model.model.motion_extractor, "vqa2 features X")


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_training_with_and_without_the_cache_is_the_same_to_the_last_bit(ready: Path, extractor: str) -> None:
    records = {}
    for out, cache in (("without", None), ("with", "cache")):
        keys = {"motion": {"train": False}} if extractor == "slowfast" else {}
        recipe = write_recipe(ready, model=extractor, out=f"{extractor}-{out}", stages=LLM, cache=cache, **keys)
        records[out] = run(recipe)["stages"]
    assert records["with"] == records["without"]
    weights = [(ready / f"{extractor}-{out}" / "model.safetensors").read_bytes() for out in records]
    assert weights[0] == weights[1]


def test_a_model_without_motion_takes_its_key_frames_from_a_cache(ready: Path, tmp_path: Path) -> None:
    keys = {"geometry": {"motion_extractor": "none"}, "stages": LLM}
    run(write_recipe(ready, out="unmoved", **keys))
    clips = clips_of_corpus(ready, ready)
    with pytest.raises(CallError, match="this model reads no motion; --key-frames keeps what it does read"):
        fill(tmp_path / "cache", clips, Model(ready / "unmoved"))
    filled = fill(tmp_path / "cache", clips, Model(ready / "unmoved"), key_frames=True)
    assert (filled.failed, filled.packed) == ([], 7)
    run(write_recipe(ready, out="unmoved-cached", cache=str(tmp_path / "cache"), **keys))
    weights = [(ready / name / "model.safetensors").read_bytes() for name in ("unmoved", "unmoved-cached")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_scores_and_metrics_with_and_without_the_cache_are_the_same(ready: Path, extractor: str) -> None:
    model = load_checkpoint(ready / extractor)
    cache = cache_of(ready, model)
    clips = sorted((ready / "media").iterdir())
    assert list(score_clips(model, clips, cache=cache)) == list(score_clips(model, clips))
    results = [evaluate(model, ready, "stage2-ugc", "test", ready, controls=True, cache=c) for c in (None, cache)]
    assert results[0] == results[1]
    assert results[0].untrained is not None


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_a_feed_from_the_cache_is_the_feed_of_the_clip(ready: Path, extractor: str) -> None:
    model = load_checkpoint(ready / extractor)
    cache = cache_of(ready, model)
    plain = read_feed(ready / "media" / "clip3.mp4", model.config)
    cached = read_feed(ready / "media" / "clip3.mp4", model.config, cache=cache)
    assert torch.equal(plain.pictures, cached.pictures)
    assert (plain.kind, plain.frames, plain.fps) == (cached.kind, cached.frames, cached.fps)
    assert plain.motion is not None
    assert cached.motion is not None
    assert cached.motion.dtype == torch.float32
    if extractor == "frame_stats":
        assert torch.equal(plain.motion, cached.motion)
    else:
        with torch.inference_mode():
            assert torch.equal(model.model.model.extract_motion(plain.motion), cached.motion)
        assert cached.motion.std(0).max() > 1e-3  # or any features would do
    still = read_feed(ready / "media" / "still.png", model.config, cache=cache)
    assert (still.kind, still.motion) == ("image", None)


def test_key_frames_are_kept_without_loss(real_clips: dict[str, Path]) -> None:
    clip = read_clip(real_clips["bikes"])
    pictures = torch.from_numpy(np.stack(clip.keys).transpose(0, 3, 1, 2).copy())
    noise = torch.randint(0, 256, (2, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for given in (pictures, noise, torch.zeros(1, 3, 16, 16, dtype=torch.uint8)):
        found = unpacked_key_frames(packed_key_frames(KeyFrames(given, 250, 25.0)))
        assert torch.equal(found.pictures, given)
        assert (found.frames, found.fps) == (250, 25.0)


def test_another_clip_other_weights_or_another_preprocessing_is_not_in_the_cache(ready: Path, tmp_path: Path) -> None:
    model = load_checkpoint(ready / "slowfast")
    extractor = model.model.model.motion_extractor
    sha256 = next(c.sha256 for c in clips_of_corpus(ready, ready) if c.path.name == "clip0.mp4")
    assert sha256 in cache_of(ready, model)
    other = FeatureCache(ready / "cache", model.config, lively_extractor(1), "")
    assert sha256 not in other
    changed = SlowFastFast()
    changed.load_state_dict(extractor.state_dict())
    with torch.no_grad():
        next(changed.parameters()).view(-1)[0] += 1e-6
    assert sha256 not in FeatureCache(ready / "cache", model.config, changed, "")
    for name, value in (("dense_size", 50), ("dense_filter", "AREA"), ("dense_pixels", "yuv420p")):
        config = load_checkpoint(ready / "slowfast").config
        setattr(config, name, value)
        assert sha256 not in FeatureCache(ready / "cache", config, extractor, "")
    overwritten = tmp_path / "clip0.mp4"
    shutil.copy(ready / "media" / "clip1.mp4", overwritten)
    cache = cache_of(ready, model)
    assert torch.equal(
        read_feed(overwritten, model.config, cache=cache).motion,  # type: ignore[arg-type]
        read_feed(ready / "media" / "clip1.mp4", model.config, cache=cache).motion,  # type: ignore[arg-type]
    )
    write_clip(overwritten, 9)
    (row,) = score_clips(model, [overwritten], cache=cache)
    assert row.error is not None
    assert "its motion features are not in the cache" in row.error
    assert row.error.endswith("run `vqa2 features X`")


def test_training_refuses_a_cache_that_lacks_a_clip_before_it_begins(ready: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(ready, corpus, ignore=shutil.ignore_patterns("*-with*"))
    write_clip(corpus / "media" / "clip2.mp4", 7)
    write_clip(corpus / "media" / "clip3.mp4", 8)
    write_samples(corpus, "stage2-ugc", "train", [scored(video_ref(f"clip{i}"), 0.9 - 0.1 * i) for i in range(4)])
    words = r"the motion features of media/clip2.mp4 and 1 more of 4 clips are not in the cache .*: run `vqa2 features "
    with pytest.raises(DataError, match=words + r".*/corpus --model .*/slowfast --out .*/cache`"):
        run(write_recipe(corpus, model="slowfast", out="more", stages=LLM, motion={"train": False}, cache="cache"))
    with pytest.raises(CallError, match="no such cache folder"):
        run(write_recipe(corpus, model="slowfast", out="more", stages=LLM, motion={"train": False}, cache="nowhere"))
    assert not (corpus / "more").exists()


def test_an_extractor_that_learns_takes_no_cache(ready: Path) -> None:
    stages = [{**LLM[0], "train": ["motion", "llm"]}]
    with pytest.raises(
        CallError,
        match=r"of a motion extractor that learns, features change .* `motion: \{train: false\}`",
    ):
        run(write_recipe(ready, model="slowfast", out="learned", stages=stages, cache="cache"))
    run(write_recipe(ready, model="frame_stats", out="rule", stages=stages, cache="cache"))  # a rule does not learn
    run(write_recipe(ready, model="slowfast", out="learned", stages=stages))
    learned = load_checkpoint(ready / "learned")
    fill(ready / "learned-cache", clips_of_corpus(ready, ready), Model(ready / "learned"))
    extractor = learned.model.model.motion_extractor
    cache = FeatureCache(ready / "learned-cache", learned.config, extractor, "")
    with pytest.raises(CallError, match="take --controls or --cache, not both"):
        evaluate(learned, ready, "stage2-ugc", "test", ready, controls=True, cache=cache)
    assert evaluate(learned, ready, "stage2-ugc", "test", ready, controls=False, cache=cache).errors == []


def test_a_preset_starts_with_the_features_of_its_released_weights(ready: Path, tmp_path: Path) -> None:
    preset = slowfast_preset(tmp_path, seed=5)
    cache = tmp_path / "cache"
    fill(cache, clips_of_corpus(ready, ready), Model(preset=str(preset)), key_frames=True)
    losses = []
    for given in (None, str(cache)):
        out = tmp_path / f"out{len(losses)}"
        losses.append(
            run(
                write_recipe(ready, preset=str(preset), out=str(out), stages=LLM, motion={"train": False}, cache=given)
            )["stages"]
        )
    assert losses[0] == losses[1]
    with pytest.raises(CallError, match="starts at random: train it"):
        initial_extractor(Preset(model={"text_config": {}}, stages=[]), load_checkpoint(ready / "slowfast").config)


def test_workers_parts_and_order_do_not_show_in_the_files(
    ready: Path, real_clips: dict[str, Path], tmp_path: Path
) -> None:
    phone = real_clips["carphone_pristine"]
    clips = [*clips_of_corpus(ready, ready), ClipFile(file_entry(phone).sha256, phone)]
    model = Model(ready / "frame_stats")
    one = fill(tmp_path / "one", clips, model, key_frames=True, engine=LocalEngine(1))
    assert (one.clips, one.done, one.failed) == (8, 8, [])
    done = []
    for i in (1, 2):
        partial = fill(tmp_path / "two", clips[::-1], model, key_frames=True, engine=LocalEngine(2), part=(i, 2))
        assert not partial.complete
        assert partial.packed == 0
        done.append(partial.done)
    assert 0 < done[0] < done[1] == 8  # the second part finds the first one's
    rest = fill(tmp_path / "two", clips, model, key_frames=True, engine=LocalEngine(2))
    assert rest.packed == one.packed == 15
    assert shards(tmp_path / "one") == shards(tmp_path / "two")
    assert len(shards(tmp_path / "one")) == 4
    again = fill(tmp_path / "one", clips, model, key_frames=True, engine=LocalEngine(1))
    assert (again.known, again.packed, again.failed) == (8, 0, [])


def test_a_clip_that_cannot_be_read_or_was_changed_is_named_and_not_tried_again(ready: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(ready, corpus, ignore=shutil.ignore_patterns("*-with*", "cache"))
    (corpus / "media" / "clip1.mp4").unlink()
    shutil.copy(corpus / "media" / "clip3.mp4", corpus / "media" / "clip2.mp4")
    model, clips = Model(corpus / "frame_stats"), clips_of_corpus(corpus, corpus)
    filled = fill(tmp_path / "cache", clips, model)
    reasons = {Path(path).name: reason for path, reason in filled.failed}
    assert reasons["clip1.mp4"] == "the file cannot be read (No such file or directory)"
    assert reasons["clip2.mp4"].startswith("its bytes are not those that are asked for")
    assert (filled.packed, filled.done) == (4, 4)
    shutil.copy(ready / "media" / "clip1.mp4", corpus / "media" / "clip1.mp4")
    assert len(fill(tmp_path / "cache", clips, model).failed) == 2
    assert len(fill(tmp_path / "cache", clips, model, retry_failed=True).failed) == 1


def test_a_version_stands_for_these_numbers() -> None:
    """Where these change on purpose, raise MOTION_VERSION: entries of the old code must not be found."""
    steps = np.arange(8)[:, None, None]
    y, x = np.mgrid[:72, :48]
    dense = ((x * 5 + y * 3 + steps * 11 + (x * y * (steps + 3)) % 17) % 220 + 16).astype(np.uint8)
    config = load_config(dense_size=48)
    assert config.dense_form == DenseForm(48, "AREA", "yuv420p")
    rule = motion_features(dense, config.dense_form, None)
    assert rule[3, :4].tolist() == pytest.approx(RULE, rel=1e-4)
    extractor = SlowFastFast()
    for index, value in enumerate(extractor.state_dict().values()):
        if value.is_floating_point():
            wave = torch.arange(value.numel(), dtype=torch.float64).mul(0.7 + index / 100).sin().view_as(value)
            value.copy_(wave * 0.2 + (1 if value.ndim == 1 else 0))
    found = motion_features(dense, config.dense_form, extractor.eval())
    assert found[3, :4].tolist() == pytest.approx(NETWORK, rel=1e-3)


RULE = [2.875202, 3.478261, 1.096865, 1.052470]
NETWORK = [0.128593, 0.182941, 0.0, 0.456470]


@pytest.mark.full
def test_the_command_killed_again_and_again_gives_the_files_of_one_run(
    ready: Path, real_clips: dict[str, Path], tmp_path: Path, vqa2: Cli
) -> None:
    clips = tmp_path / "clips"
    shutil.copytree(ready / "media", clips)
    for path in real_clips.values():
        shutil.copy(path, clips)
    command = [clips, "--model", ready / "slowfast", "--key-frames", "--json"]
    whole = vqa2("features", *command, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    assert json.loads(whole.stdout)["packed"] == 19
    killed = [sys.executable, "-m", "vqa2", "features", *map(str, command), "--out", str(tmp_path / "killed")]
    for done in (1, 5, 9):
        process = subprocess.Popen(killed, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list((tmp_path / "killed").glob("*/new/*/*.safetensors"))) < done:
            time.sleep(0.01)
        assert process.poll() is None, "it was over before it was killed"
        process.kill()
        process.wait()
    assert subprocess.run(killed, cwd=ROOT, capture_output=True, check=False).returncode == 0
    assert shards(tmp_path / "killed") == shards(tmp_path / "whole")


def test_the_command_on_clips_and_then_score(ready: Path, tmp_path: Path, call: Call) -> None:
    model, cache, clips = ready / "frame_stats", tmp_path / "cache", tmp_path / "clips"
    clips.mkdir()
    for name in ("clip0.mp4", "still.png"):
        shutil.copy(ready / "media" / name, clips)
    (clips / "bad.mp4").write_text("hello")
    code, out = call("features", clips, "--model", model, "--out", cache, "--json", "--workers", 1)
    told = json.loads(out)
    assert code == 1
    assert (told["clips"], told["done"], told["packed"]) == (3, 2, 1)
    assert [Path(failure["clip"]).name for failure in told["failed"]] == ["bad.mp4"]
    code, out = call("score", model, clips / "clip0.mp4", clips / "still.png", "--cache", cache, "--json")
    assert code == 0
    assert json.loads(out) == json.loads(call("score", model, clips / "clip0.mp4", clips / "still.png", "--json")[1])
    code, out = call("score", model, ready / "media" / "clip1.mp4", "--cache", cache)
    assert code == 1
    assert f"run `vqa2 features {ready / 'media' / 'clip1.mp4'} --model {model} --out {cache}`" in out
    for wrong in ([], ["--model", model, "--preset", "tiny"]):
        with pytest.raises(CallError, match="say whose features"):
            call("features", clips, "--out", cache, *wrong)
    with pytest.raises(CallError, match="one corpus alone"):
        call("features", ready, clips, "--model", model, "--out", cache)
    with pytest.raises(CallError, match="no such cache folder"):
        call("eval", model, ready, "--cache", tmp_path / "nowhere")


def shards(cache: Path) -> dict[str, bytes]:
    return {
        p.relative_to(cache).as_posix(): p.read_bytes()
        for kind in ("safetensors", "json")
        for p in cache.glob(f"*/*.{kind}")
    }


def load_config(**changes: object):  # type: ignore[no-untyped-def]
    from training.models.config import VQA2Config

    return VQA2Config(**{**load_preset("tiny").model, **changes})
