"""Checkpoints of the original layout, into our folders and back, and scored as upstream scores them."""

import io
import json
import math
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from schemas.errors import CallError
from schemas.recipe import TrainRecipe, load
from schemas.sample import IMAGE, MOTION, VIDEO, Turn
from tests.training.conftest import write_clip, write_recipe
from tests.training.original_layout import SIZE, SYSTEM, Original, make_original, make_slowfast, tokenizer
from training.checkpoints.checkpoint import BLOCK, Checkpoint, load_checkpoint, load_extractor
from training.checkpoints.start import initial_extractor, initial_tokens
from training.converting.convert import ORIGINAL, SLOW_PATH, convert, from_llava, to_llava, to_slowfast
from training.converting.layout import expected, geometry
from training.converting.scorers import KINDS, Kind, kind_of
from training.converting.slowfast import HEAD, fast_shapes, slow_shapes
from training.inference.score import score_clips
from training.inputs.conversation import encode, encode_open
from training.inputs.dataset import Collator, Example
from training.inputs.feeds import Feed, read_feed
from training.inputs.tokens import Tokens
from training.models.config import VQA2Config
from training.models.slowfast import SlowFastFast
from training.trainer.train import train
from vqa2 import app

UGC = (
    "The key frames of this video are:\n<image>. And the motion feature of the video is\n<image>. "
    "How would you rate the quality of this video?"
)
ASKED: dict[Kind, tuple[str, str, list[float]]] = {
    "ugc": (UGC, "The quality of the video is", [1, 0.75, 0.5, 0.25, 0]),
    "assistant": (UGC, "The quality of the video is", [1, 0.75, 0.5, 0.25, 0]),
    "streaming": (
        "How would you rate the quality of this video?\n<image>",
        "The quality of the video is",
        [1, 0.75, 0.5, 0.25, 0],
    ),
    "enhanced": ("<image><image>", "", [1, 0.8, 0.6, 0.4, 0.2]),
}
"""Prompt, answer prefix and weights (best level first) of upstream's scripts."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature of a released checkpoint, which tests only read."""
    return make_original(tmp_path_factory.mktemp("released") / "VQA-UGC-Scorer-llava_qwen")


@pytest.fixture(scope="module")
def converted(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a model folder, which tests only read."""
    out = tmp_path_factory.mktemp("converted") / "ugc"
    convert(original, out)
    return out


@pytest.fixture(scope="module")
def upstream(original: Path) -> Original:
    return Original(original)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven frames, of which motion reads eight, at the tower's size: nothing is resized."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 2, frames=11, fps=4, size=SIZE)


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    """An original that a test may spoil."""
    return Path(shutil.copytree(original, tmp_path / original.name))


def our_logits(checkpoint: Checkpoint, feed: Feed) -> torch.Tensor:
    scoring = checkpoint.block.scoring
    shown = scoring.shown(feed)
    ids = encode_open(
        scoring.question(feed), scoring.prefix(feed), shown.media_tokens(checkpoint.config), checkpoint.tokens
    )
    batch = Collator(checkpoint.config, checkpoint.tokens, side="left")([Example("one", ids, None, [shown])])
    batch.pop("names")
    with torch.inference_mode():
        logits: torch.Tensor = checkpoint.model(**batch).logits[0, -1]
    return logits


def with_kind(checkpoint: Checkpoint, original: Path, kind: Kind, tmp_path: Path) -> Checkpoint:
    """Give the checkpoint that converting as `kind` gives; the weights are the same for all."""
    convert(original, tmp_path / kind, kind=kind)
    return load_checkpoint(tmp_path / kind)


@torch.inference_mode()
@pytest.mark.parametrize("kind", ASKED)
def test_a_video_gives_the_logits_and_the_score_of_upstream(
    original: Path, converted: Path, upstream: Original, clip: Path, kind: Kind, tmp_path: Path
) -> None:
    checkpoint = with_kind(load_checkpoint(converted), original, kind, tmp_path)
    feed = read_feed(clip, checkpoint.config)
    assert feed.motion is not None
    assert (len(feed.pictures), len(feed.motion)) == (3, 8)
    prompt, prefix, weights = ASKED[kind]
    theirs = upstream.of_video(prompt, prefix, feed.pictures, feed.motion)
    assert theirs.std() > 0.1
    torch.testing.assert_close(our_logits(checkpoint, feed), theirs, rtol=0, atol=1e-4)
    (row,) = score_clips(checkpoint, [clip])
    expected = theirs[upstream.level_ids()].softmax(0) @ torch.tensor(weights)
    assert row.score == pytest.approx(float(expected), abs=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("kind", "prompt", "prefix"),
    [
        ("image", "<image>", "The overall quality of the image is"),
        ("ugc", "<image>\nHow would you rate the quality of this image?", "The quality of the image is"),
    ],
)
def test_an_image_gives_the_logits_of_upstream(
    original: Path, converted: Path, upstream: Original, kind: Kind, prompt: str, prefix: str, tmp_path: Path
) -> None:
    checkpoint = with_kind(load_checkpoint(converted), original, kind, tmp_path)
    picture = torch.randint(0, 255, (1, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    feed = Feed("image", picture, None, 1, 1.0)
    theirs = upstream.of_image(prompt, prefix, picture[0])
    torch.testing.assert_close(our_logits(checkpoint, feed), theirs, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_the_slow_pathway_changes_no_feature(converted: Path, upstream: Original) -> None:
    frames = torch.randn(12, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    _, extractor = load_extractor(converted)
    assert extractor is not None
    theirs = upstream.slowfast(frames)
    torch.testing.assert_close(extractor(frames), theirs, rtol=0, atol=1e-5)
    spoilt = Original(upstream.folder)
    for name in spoilt.state:
        if "multipathway_blocks.0" in name or "fusion" in name:
            spoilt.state[name] = torch.zeros_like(spoilt.state[name])
    torch.testing.assert_close(spoilt.slowfast(frames), theirs, rtol=0, atol=0)


def raw(folder: Path) -> dict[str, tuple[str, bytes]]:
    found = {}
    for path in folder.glob("model*.safetensors"):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no dict
                tensor = file.get_tensor(name)
                found[name] = (
                    f"{tensor.dtype} {list(tensor.shape)}",
                    tensor.flatten().view(torch.uint8).numpy().tobytes(),
                )
    return found


def test_there_and_back_is_equal_to_the_bit(original: Path, copy: Path, tmp_path: Path) -> None:
    """With tensors of three dtypes, over shards in every folder."""
    state = load_file(copy / "model.safetensors")
    for name in state:
        if state[name].is_floating_point():
            kind = torch.bfloat16 if "layers" in name else torch.float16 if "slowfast" in name else torch.float32
            state[name] = state[name].to(kind)
    (copy / "model.safetensors").unlink()
    write_shards(copy, state, ".safetensors")
    there = from_llava(copy, tmp_path / "ours", "ugc", shard_bytes=300_000)
    back = to_llava(tmp_path / "ours", tmp_path / "back", shard_bytes=20_000_000)
    assert raw(tmp_path / "back") == raw(copy)
    assert len(list((tmp_path / "ours").glob("model-*.safetensors"))) > 3
    assert len(list((tmp_path / "back").glob("model-*.safetensors"))) > 1
    assert there.tensors == back.tensors == len(state)
    slow = sorted(n for n in state if "multipathway_blocks.0" in n or "multipathway_fusion" in n)
    assert back.slow_path == slow
    assert len(there.slow_path) == len(slow) == len(slow_shapes())
    small = {p.name: p.read_bytes() for p in copy.iterdir() if p.is_file() and "model" not in p.name}
    assert small.keys() == {"config.json", "tokenizer.json", "tokenizer_config.json"}
    for name, content in small.items():
        assert (tmp_path / "back" / name).read_bytes() == content
    assert load_checkpoint(tmp_path / "ours").block.system == SYSTEM


def write_shards(folder: Path, state: dict[str, torch.Tensor], suffix: str) -> None:
    stem = "model" if suffix == ".safetensors" else "pytorch_model"
    names = list(state)
    where = {}
    for number in range(3):
        file = f"{stem}-{number + 1:05}-of-00003{suffix}"
        part = {name: state[name] for name in names[number::3]}
        if suffix == ".bin":
            torch.save(part, folder / file)
        else:
            save_file(part, folder / file)
        where |= dict.fromkeys(part, file)
    (folder / f"{stem}{suffix}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


def test_pickled_shards_give_the_same_model(copy: Path, converted: Path, tmp_path: Path) -> None:
    write_shards(copy, load_file(copy / "model.safetensors"), ".bin")
    (copy / "model.safetensors").unlink()
    convert(copy, tmp_path / "ours")
    assert raw(tmp_path / "ours") == raw(converted)
    assert (tmp_path / "ours" / SLOW_PATH).read_bytes() == (converted / SLOW_PATH).read_bytes()


class Harmful:
    """What runs code where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "slowfast.pth"])
def test_pickled_code_never_runs(copy: Path, tmp_path: Path, name: str) -> None:
    (copy / "model.safetensors").unlink()
    torch.save({"model.norm.weight": Harmful(tmp_path / "ran")}, copy / name)
    with pytest.raises(CallError, match="would run the file's own code"):
        convert(copy / name if name.endswith(".pth") else copy, tmp_path / "ours", kind="ugc")
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(Harmful(tmp_path / "ran")))
    assert (tmp_path / "ran").exists(), "the harm itself works"
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("what", ["a tokenizer", "a tower"])
def test_code_that_a_folder_brings_never_runs(
    copy: Path, trained: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Not even where somebody says yes when asked."""
    (given := tmp_path / "given").mkdir()
    folder = given if what == "a tokenizer" else copy / "tower"
    theirs = {"AutoConfig": "theirs.Theirs", "AutoTokenizer": ["theirs.Theirs", None]}
    (folder / "theirs.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Theirs: pass\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Theirs", "auto_map": theirs}))
    if what == "a tower":
        (folder / "config.json").write_text(json.dumps({"model_type": "theirs", "auto_map": theirs}))
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    preset = msgspec.structs.replace(trained.block.preset, tokenizer=str(given))
    with pytest.raises(CallError, match="custom code"):
        _ = initial_tokens(preset, []) if folder == given else convert(copy, tmp_path / "ours", kind="ugc")
    assert not (tmp_path / "ran").exists()


def test_our_loader_reads_no_pickle(converted: Path, tmp_path: Path) -> None:
    spoilt = Path(shutil.copytree(converted, tmp_path / "spoilt"))
    (spoilt / "model.safetensors").unlink()
    torch.save({"lm_head.weight": Harmful(tmp_path / "ran")}, spoilt / "pytorch_model.bin")
    with pytest.raises(CallError, match="cannot be read"):
        load_checkpoint(spoilt)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_lacks_a_tensor_is_not_loaded(converted: Path, tmp_path: Path) -> None:
    spoilt = Path(shutil.copytree(converted, tmp_path / "spoilt"))
    state = load_file(spoilt / "model.safetensors")
    del state["language_model.model.layers.1.mlp.up_proj.weight"]
    (spoilt / "model.safetensors").unlink()
    save_file(state, spoilt / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        CallError, match=r"1 tensors are missing .* as model.language_model.layers.1.mlp.up_proj.weight"
    ):
        load_checkpoint(spoilt)


def change(copy: Path, case: str) -> None:
    state = load_file(copy / "model.safetensors")
    first, fusion = (
        "model.layers.0.mlp.up_proj.weight",
        "model.slowfast.feature_extraction.0.multipathway_fusion.norm.bias",
    )
    if case == "missing":
        del state[first], state["model.mm_projector.2.bias"]
    elif case == "slow":
        del state[fusion]
    elif case == "unexpected":
        state["model.vision_resampler.query"] = torch.zeros(3)
    elif case == "shape":
        state[first] = torch.zeros(3, 4)
    elif case == "emptied":
        state[fusion] = torch.zeros(0)
    elif case == "layer":
        start = "model.vision_tower.vision_tower.vision_model.encoder.layers."
        state |= {
            n.replace(f"{start}0.", f"{start}2."): v.clone() for n, v in state.items() if n.startswith(f"{start}0.")
        }
    (copy / "model.safetensors").unlink()
    save_file(state, copy / "model.safetensors")


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("missing", "2 missing: model.layers.0.mlp.up_proj.weight, model.mm_projector.2.bias$"),
        ("slow", "1 missing: model.slowfast.feature_extraction.0.multipathway_fusion.norm.bias$"),
        ("unexpected", "1 unexpected: model.vision_resampler.query$"),
        ("shape", r"1 of another shape: model.layers.0.mlp.up_proj.weight is \[3, 4\] instead of \[128, 64\]$"),
        ("emptied", r"fusion.norm.bias is \[0\] instead of \[16\]$"),
        ("layer", r"16 unexpected: \S+layers.2.layer_norm1.bias, \S+, \S+ and 13 more$"),
    ],
)
def test_names_and_shapes_that_do_not_fit_are_told(copy: Path, tmp_path: Path, case: str, told: str) -> None:
    change(copy, case)
    with pytest.raises(CallError, match=told):
        convert(copy, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("mm_newline_position", "grid", "mm_newline_position is 'grid'; .* 'one_token'"),
        ("mm_projector_type", "linear", "mm_projector_type is 'linear'"),
        ("mm_spatial_pool_mode", "average", "mm_spatial_pool_mode is 'average'"),
        ("mm_vision_tower", "openai/clip-vit-large", "vision tower 'openai/clip-vit-large' is not known"),
        ("mm_vision_tower", None, "it names no mm_vision_tower"),
        ("num_attention_heads", "four", "config.json: describes no model that can be built"),
        ("num_hidden_layers", None, "config.json: describes no model that can be built"),
        ("hidden_size", 32, "36 of another shape: model.image_newline is"),
    ],
)
def test_what_ours_computes_otherwise_is_refused(
    copy: Path, tmp_path: Path, key: str, value: object, told: str
) -> None:
    config = json.loads((copy / "config.json").read_bytes())
    (copy / "config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(CallError, match=told):
        convert(copy, tmp_path / "ours")


def test_a_vocabulary_without_room_for_placeholders_is_refused(tmp_path: Path) -> None:
    short = make_original(tmp_path / "ugc-scorer", vocab_size=len(tokenizer()) + 2)
    with pytest.raises(CallError, match=r"embedding has \d+ rows, the tokenizer with its placeholders"):
        convert(short, tmp_path / "ours")


def test_a_tokenizer_that_splits_a_level_word_is_refused(copy: Path, tmp_path: Path) -> None:
    told = json.loads((copy / "tokenizer.json").read_bytes())
    told["model"]["merges"] = told["model"]["merges"][:1]
    (copy / "tokenizer.json").write_text(json.dumps(told))
    with pytest.raises(CallError, match="splits the level word 'low'"):
        convert(copy, tmp_path / "ours")


@torch.inference_mode()
def test_a_tied_head_needs_no_tensor_of_its_own(clip: Path, tmp_path: Path) -> None:
    tied = make_original(tmp_path / "ugc-scorer", tie_word_embeddings=True)
    convert(tied, tmp_path / "ours")
    checkpoint = load_checkpoint(tmp_path / "ours")
    feed = read_feed(clip, checkpoint.config)
    assert feed.motion is not None
    theirs = Original(tied).of_video(UGC, "The quality of the video is", feed.pictures, feed.motion)
    torch.testing.assert_close(our_logits(checkpoint, feed), theirs, rtol=0, atol=1e-4)
    to_llava(tmp_path / "ours", tmp_path / "back")
    assert raw(tmp_path / "back") == raw(tied)


def test_a_head_that_is_said_to_be_tied_and_is_not_is_refused(copy: Path, tmp_path: Path) -> None:
    config = json.loads((copy / "config.json").read_bytes())
    (copy / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    with pytest.raises(CallError, match="lm_head.weight and model.embed_tokens.weight differ"):
        convert(copy, tmp_path / "ours")


def test_the_released_towers_layers_are_those_without_the_last(copy: Path, tmp_path: Path) -> None:
    """Against the real tower's geometry a miniature cannot hold: its first names tell how many layers are asked for."""
    config = json.loads((copy / "config.json").read_bytes())
    (copy / "config.json").write_text(json.dumps({**config, "mm_vision_tower": "google/siglip-so400m-patch14-384"}))
    with pytest.raises(CallError, match=rf"{24 * 16} missing: \S+encoder.layers.10.layer_norm1.bias"):
        convert(copy, tmp_path / "ours")


def test_the_names_of_the_released_size_add_up_to_its_parameters() -> None:
    """Their pages state 8.08 B; the configuration is Qwen2-7B's, with LLaVA-OneVision's tower."""
    described = {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rope_theta": 1e6,
        "mm_vision_tower": "google/siglip-so400m-patch14-384",
    }
    shapes = expected(VQA2Config(**geometry(described, Path(), 2000)), head=True)
    assert round(sum(math.prod(shape) for shape in shapes.values()) / 1e9, 2) == 8.08
    assert shapes["model.slowfast_projector.0.weight"] == (3584, 256)
    assert shapes["model.vision_tower.vision_tower.vision_model.encoder.layers.25.mlp.fc1.weight"] == (4304, 1152)


def test_a_converted_model_trains_and_goes_back(converted: Path, corpus: Path, tmp_path: Path) -> None:
    stage = {"name": "own", "configs": ["stage2-ugc"], "train": ["motion_projector", "llm"], "steps": 3, "batch": 1}
    recipe = write_recipe(corpus, out="model", model=str(converted), stages=[{**stage, "lr": 0.01}])
    train(load(recipe, TrainRecipe), corpus)
    assert load_checkpoint(corpus / "model").block == load_checkpoint(converted).block
    shutil.copyfile(converted / SLOW_PATH, corpus / "model" / SLOW_PATH)
    shutil.copytree(converted / ORIGINAL, corpus / "model" / ORIGINAL)
    to_llava(corpus / "model", tmp_path / "back")
    to_llava(converted, tmp_path / "was")
    back, was = raw(tmp_path / "back"), raw(tmp_path / "was")
    assert back.keys() == was.keys()
    changed = {name for name in was if back[name] != was[name]}
    assert "model.slowfast_projector.0.weight" in changed
    assert not any(name.startswith(("model.slowfast.feature", "model.vision", "model.mm_")) for name in changed)


def test_released_models_are_told_by_name() -> None:
    named = {
        "VQA-UGC-Scorer-llava_qwen": "ugc",
        "VQA-Streaming-Scorer-llava_qwen": "streaming",
        "VQA-Assistant-llava_qwen": "assistant",
        "VQA-Assistant-llava-qwen-enhanced": "enhanced",
    }
    assert {name: kind_of(Path(name)) for name in named} == named
    assert set(named.values()) | {"image"} == set(KINDS)
    with pytest.raises(CallError, match="give --kind ugc|streaming|assistant|enhanced|image"):
        kind_of(Path("checkpoint-500"))


def test_the_system_prompt_is_part_of_every_conversation(converted: Path) -> None:
    checkpoint = load_checkpoint(converted)
    tokens, turns = checkpoint.tokens, [Turn(role="user", text="Hi"), Turn(role="assistant", text="It is good.")]
    written = tokens.tokenizer.apply_chat_template(
        [{"role": turn.role, "content": turn.text} for turn in turns], tokenize=False
    )
    assert written.startswith(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\nHi")
    encoded = encode(turns, [], tokens)
    assert tokens.tokenizer(written)["input_ids"] == encoded.input_ids
    without = encode(turns, [], Tokens(tokens.tokenizer))
    assert encoded.input_ids[-len(without.input_ids) :] == without.input_ids
    assert encoded.labels == [-100] * (len(encoded.labels) - len(without.labels)) + without.labels


def test_a_block_of_before_system_prompts_is_read(trained: Checkpoint, shared_corpus: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(shared_corpus / "model", tmp_path / "old"))
    block = json.loads((old / BLOCK).read_bytes())
    assert block.pop("system") == ""
    (old / BLOCK).write_bytes(msgspec.json.encode(block))
    assert load_checkpoint(old).block == trained.block


def test_a_streaming_scorer_is_shown_no_motion_and_an_enhanced_one_two_bare_tokens(
    original: Path, tmp_path: Path
) -> None:
    convert(original, tmp_path / "s", kind="streaming")
    convert(original, tmp_path / "e", kind="enhanced")
    streaming, enhanced = (json.loads((tmp_path / name / BLOCK).read_bytes())["scoring"] for name in "se")
    assert streaming["video_prompt"] == f"How would you rate the quality of this video?\n{VIDEO}"
    assert (enhanced["video_prompt"], enhanced["video_prefix"]) == (VIDEO + MOTION, "")
    assert (enhanced["image_prompt"], enhanced["image_prefix"]) == (IMAGE, "")


@pytest.fixture(scope="module")
def slowfast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like pytorchvideo's SLOWFAST_8x8_R50.pyth."""
    path = tmp_path_factory.mktemp("slowfast") / "SLOWFAST_8x8_R50.pyth"
    torch.manual_seed(3)
    torch.save({"model_state": make_slowfast(), "epoch": 196}, path)
    return path


@pytest.mark.parametrize("suffix", [".pyth", ".safetensors"])
def test_slowfast_there_and_back_is_equal_to_the_bit(slowfast: Path, tmp_path: Path, suffix: str) -> None:
    done = convert(slowfast, tmp_path / "ours")
    assert set(done.slow_path) == slow_shapes().keys() | HEAD.keys()
    assert load_file(tmp_path / "ours" / "fast_path.safetensors").keys() == fast_shapes().keys()
    back = tmp_path / f"back{suffix}"
    to_slowfast(tmp_path / "ours", back)
    state = load_file(back) if suffix == ".safetensors" else torch.load(back, weights_only=True)["model_state"]
    was = torch.load(slowfast, weights_only=True)["model_state"]
    assert state.keys() == was.keys()
    assert all(state[n].dtype == was[n].dtype and torch.equal(state[n], was[n]) for n in was)
    assert sorted(p.name for p in tmp_path.iterdir()) == [back.name, "ours"]


@torch.inference_mode()
def test_a_preset_starts_its_extractor_from_a_converted_slowfast(
    slowfast: Path, tmp_path: Path, trained: Checkpoint
) -> None:
    """An old file without the counters of its norms too."""
    told = torch.load(slowfast, weights_only=True)
    old = tmp_path / "old.pyth"
    torch.save({n: v for n, v in told["model_state"].items() if "num_batches" not in n}, old)
    convert(slowfast, tmp_path / "ours")
    convert(old, tmp_path / "ours-old")
    back = tmp_path / "back.safetensors"
    to_slowfast(tmp_path / "ours-old", back)
    assert load_file(back).keys() == torch.load(old, weights_only=True).keys()
    config = msgspec.structs.replace(trained.block.preset).model | {"motion_extractor": "slowfast"}
    frames = torch.randn(4, 3, 32, 32)
    features = []
    for weights in (slowfast, tmp_path / "ours", tmp_path / "ours-old", old):
        preset = msgspec.structs.replace(trained.block.preset, motion_weights=str(weights), model=config)
        shaped = type(trained.config)(**config)
        extractor = initial_extractor(preset, shaped)
        assert extractor is not None
        features.append(extractor(frames))
    for other in features[1:]:
        torch.testing.assert_close(other, features[0], rtol=0, atol=0)


Extract = Callable[[object], SlowFastFast | None]


@pytest.fixture
def extract(trained: Checkpoint) -> Extract:
    """Makes the extractor that a preset with these motion weights starts with."""

    def made(weights: object) -> SlowFastFast | None:
        model = {**trained.block.preset.model, "motion_extractor": "slowfast"}
        preset = msgspec.structs.replace(trained.block.preset, motion_weights=str(weights), model=model)
        return initial_extractor(preset, type(trained.config)(**model))

    return made


def test_motion_weights_that_are_none_are_told(slowfast: Path, extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    whole, old = slowfast.read_bytes(), tmp_path / "old.pth"
    state = torch.load(slowfast, weights_only=True)
    torch.save(state, old, _use_new_zipfile_serialization=False)
    assert extract(old) is not None
    for content, told in (
        (b"", "no file that torch wrote: it begins with b''; is the download complete"),
        (b"<!DOCTYPE html><title>404</title>", "no file that torch wrote: it begins with b'<!DO'"),
        (whole[: len(whole) // 2], "cannot be read: .*; is the download complete"),
        (old.read_bytes()[:700], "cannot be read: .*; is the download complete"),
        (old.read_bytes()[:1], "cannot be read: .*; is the download complete"),
    ):
        path.write_bytes(content)
        with pytest.raises(CallError, match=f"weights.pth: {told}.*; download the file once, let `vqa2 convert`"):
            extract(path)
    name, tensor = next((name, value) for name, value in state["model_state"].items() if name in fast_shapes())
    for value, told in (
        (torch.zeros(3), "no state_dict"),
        ({"model_state": {name: 3}}, "no state_dict"),
        ({"model_state": {**state["model_state"], name: tensor[:1]}}, rf"{name} is \[1, 3, .* instead of \[8, 3, "),
        ({"model_state": {name: tensor}}, "no SlowFast-R50 weights: .* tensors are missing"),
        ({"model_state": Harmful(tmp_path / "ran")}, "would run the file's own code"),
    ):
        torch.save(value, path)
        with pytest.raises(CallError, match=f"weights.pth.*{told}"):
            extract(path)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(CallError, match="nowhere.pth.*No such file"):
        extract(tmp_path / "nowhere.pth")


def test_motion_weights_of_a_url_are_kept_and_told_where(
    slowfast: Path, extract: Extract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    kept = tmp_path / "hub" / "checkpoints" / "SLOWFAST.pyth"
    with pytest.raises(CallError, match="'https://127.0.0.1:1/SLOWFAST.pyth' cannot be read: .*refused"):
        extract("https://127.0.0.1:1/SLOWFAST.pyth")
    assert list(kept.parent.iterdir()) == []
    shutil.copy(slowfast, kept)
    assert extract("https://127.0.0.1:1/SLOWFAST.pyth") is not None
    kept.write_bytes(slowfast.read_bytes()[:1000])
    with pytest.raises(CallError, match=f"{kept}: cannot be read"):
        extract("https://127.0.0.1:1/SLOWFAST.pyth")


def test_the_slowfast_in_a_model_folder_comes_out_again(original: Path, converted: Path, tmp_path: Path) -> None:
    to_slowfast(converted, tmp_path / "out.safetensors")
    start = "model.slowfast.feature_extraction."
    was = {
        n.replace(start, "blocks."): v
        for n, v in load_file(original / "model.safetensors").items()
        if n.startswith(start)
    }
    state = load_file(tmp_path / "out.safetensors")
    assert state.keys() == was.keys()
    assert all(torch.equal(state[n], was[n]) for n in was)


def test_a_slowfast_of_other_shapes_is_refused(slowfast: Path, tmp_path: Path) -> None:
    state = torch.load(slowfast, weights_only=True)["model_state"]
    state["blocks.0.multipathway_fusion.conv_fast_to_slow.weight"] = torch.zeros(16, 8, 5, 1, 1)  # of SLOWFAST_4x16
    torch.save({"model_state": state}, tmp_path / "other.pyth")
    with pytest.raises(
        CallError, match=r"conv_fast_to_slow.weight is \[16, 8, 5, 1, 1\] instead of \[16, 8, 7, 1, 1\]"
    ):
        convert(tmp_path / "other.pyth", tmp_path / "ours")


def test_the_way_back_needs_what_was_kept(
    converted: Path, trained: Checkpoint, shared_corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(CallError, match=f"needs {ORIGINAL}/ and {SLOW_PATH}"):
        to_llava(shared_corpus / "model", tmp_path / "back")
    with pytest.raises(CallError, match="is a model folder of ours already; give --to llava"):
        convert(converted, tmp_path / "again")
    with pytest.raises(CallError, match="already there"):
        convert(converted, converted)
    with pytest.raises(CallError, match="no such file or folder"):
        convert(tmp_path / "nothing", tmp_path / "again")


@pytest.fixture
def shard_folder(copy: Path) -> Path:
    write_shards(copy, load_file(copy / "model.safetensors"), ".safetensors")
    (copy / "model.safetensors").unlink()
    return copy


def test_shards_that_are_not_as_their_index_says_are_refused(shard_folder: Path, tmp_path: Path) -> None:
    index = shard_folder / "model.safetensors.index.json"
    told = json.loads(index.read_bytes())
    told["weight_map"]["model.norm.weight"] = "model-00004-of-00003.safetensors"
    index.write_text(json.dumps(told))
    with pytest.raises(CallError, match="'model-00004-of-00003.safetensors', which is not beside it"):
        convert(shard_folder, tmp_path / "ours")
    del told["weight_map"]["model.norm.weight"]
    index.write_text(json.dumps(told))
    with pytest.raises(CallError, match="model.norm.weight stands in one of them alone"):
        convert(shard_folder, tmp_path / "ours")
    told["weight_map"]["model.norm.weight"] = "../outside.safetensors"
    index.write_text(json.dumps(told))
    with pytest.raises(CallError, match="not beside it"):
        convert(shard_folder, tmp_path / "ours")


@pytest.mark.parametrize("content", [b"", b"\x10", b"\xff" * 64, b"\x02" + b"\0" * 7 + b"{}x"])
def test_a_broken_file_is_refused(copy: Path, tmp_path: Path, content: bytes) -> None:
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(CallError, match=r"no safetensors file|no VQA² checkpoint"):
        convert(copy, tmp_path / "ours")


def test_the_command(original: Path, tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["convert", str(original), str(tmp_path / "ours"), "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert told["slow_path"] == sorted(slow_shapes())
    assert told["tensors"] == len(raw(original))
    ran = CliRunner().invoke(app, ["convert", str(tmp_path / "ours"), str(tmp_path / "back"), "--to", "llava"])
    assert ran.exit_code == 0, ran.output
    assert f"{len(slow_shapes())} that no motion feature depends on restored" in ran.stdout
    assert raw(tmp_path / "back") == raw(original)
    ran = CliRunner().invoke(app, ["convert", "in", "out", "--to", "llava", "--kind", "ugc"])
    assert isinstance(ran.exception, CallError)
