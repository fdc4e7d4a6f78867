"""A tiny corpus of real clips made at test time, and one model trained on it for a few steps."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
import torch
import typer
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

import dataset_builder.lock_commands
import training.commands
from dataset_builder.corpus import file_entry
from schemas import SCHEMA_VERSION
from schemas.levels import LevelScale, level_of_unit
from schemas.manifest import Manifest
from schemas.sample import MediaRef, Provenance, Sample, Target, Turn
from stages.wording.prompts import PUBLISHED
from training.checkpoints.checkpoint import Checkpoint, load_checkpoint
from training.checkpoints.preset import load_preset
from training.checkpoints.start import initial_model, model_config, quiet
from training.inputs.tokens import Tokens, train_tokenizer
from training.models.config import VQA2Config

Invoke = Callable[..., Result]
Call = Callable[..., tuple[int, str]]
FRAMES, FPS, SIZE = 16, 8, 128
EVERYTHING = ["vision", "vision_projector", "motion", "motion_projector", "llm"]
STAGES = [
    {"name": "stage1", "configs": ["stage1"], "train": ["vision", "vision_projector"], "steps": 2, "batch": 3},
    {"name": "stage2", "configs": ["stage2-ugc"], "train": EVERYTHING, "steps": 4, "batch": 3, "lr": 0.002},
    {"name": "stage3", "configs": ["stage3-mix"], "train": EVERYTHING, "steps": 2, "batch": 3},
]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Two threads are slower than one on models this small."""
    torch.set_num_threads(1)
    quiet()


def write_clip(path: Path, seed: int, *, frames: int = FRAMES, fps: int = FPS, size: int = SIZE) -> Path:
    """Encode a textured pan with more noise for a higher seed."""
    rng = np.random.default_rng(seed)
    wide = np.kron(rng.integers(0, 255, (size // 4, size // 2, 3)), np.ones((4, 4, 1))).astype(np.float64)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "18", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
        for t in range(frames):
            noisy = wide[:size, 2 * t : 2 * t + size] + rng.normal(0, 8 * seed, (size, size, 3))
            picture = np.ascontiguousarray(noisy.clip(0, 255).astype(np.uint8))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def video_ref(name: str, **changes: object) -> MediaRef:
    """Refer to a clip of `write_clip`, truly unless changed."""
    stated = {"frames": FRAMES, "fps": float(FPS), "key_frames": 2, "motion_frames": FRAMES, **changes}
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return MediaRef(record_id=name, kind="video", path=f"media/{name}.mp4", sha256=sha256, **stated)


def image_ref(name: str) -> MediaRef:
    """Refer to a still image."""
    return MediaRef(
        record_id=name,
        kind="image",
        path=f"media/{name}.png",
        sha256="0" * 64,
        frames=1,
        fps=1.0,
        key_frames=1,
        motion_frames=0,
    )


def sample(config: str, media: MediaRef, question: str, answer: str, mos: float | None = None) -> Sample:
    """Make one sample; with `mos` the answer must hold its level word."""
    target = mos if mos is None else Target(level=level_of_unit(mos), mos=mos, raw=mos, lo=0.0, hi=1.0, synthetic=True)
    return Sample(
        id=f"{config}/{media.record_id}/{len(question)}",
        stage=config,
        task="scoring",
        media=[media],
        turns=[Turn(role="user", text=question), Turn(role="assistant", text=answer)],
        target=target,
        provenance=Provenance(
            source="made",
            licence="CC0-1.0",
            group=media.record_id,
            wording="test",
            generator="template",
            family="",
            evidence=[],
            recipe="0" * 64,
        ),
    )


def scored(media: MediaRef, mos: float) -> Sample:
    """Ask for the quality of a clip as the published prompt does."""
    answer = f"The quality of this video is {level_of_unit(mos)}."
    return sample("stage2-ugc", media, PUBLISHED["ugc/video"], answer, mos)


def write_samples(corpus: Path, config: str, split: str, samples: list[Sample]) -> Path:
    """Write one shard of a corpus; a sample's media are hashed where their files are there."""
    path = corpus / "data" / config / f"{split}-00000.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    hashed = [msgspec.structs.replace(s, media=[_hashed(corpus, media) for media in s.media]) for s in samples]
    path.write_bytes(b"".join(msgspec.json.encode(s) + b"\n" for s in hashed))
    return path


def _hashed(corpus: Path, media: MediaRef) -> MediaRef:
    file = corpus / media.path
    return msgspec.structs.replace(media, sha256=file_entry(file).sha256) if file.is_file() else media


def write_manifest(corpus: Path) -> None:
    """Write the manifest of a corpus whose scores lie on [0, 1]."""
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name="six-clips",
        recipe_sha256="0" * 64,
        recipe={},
        tools={},
        scales=[LevelScale(source="made", lo=0.0, hi=1.0, mode="nominal")],
        configs={},
        media="copy",
        records=7,
        quarantined=0,
        transient=0,
        remarks=[],
        files={},
    )
    (corpus / "manifest.json").write_bytes(msgspec.json.encode(manifest))


def write_recipe(folder: Path, **keys: object) -> Path:
    """Write a training recipe of a few steps."""
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump({"corpus": ".", "out": "model", "stages": STAGES, **keys}))
    return path


def make_corpus(folder: Path) -> Path:
    """Make a corpus of six clips and an image: four clips to train on, two to test on."""
    (folder / "media").mkdir(parents=True)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (96, 80, 3), dtype=np.uint8)).save(folder / "media" / "still.png")
    refs = [video_ref(write_clip(folder / "media" / f"clip{i}.mp4", i).stem) for i in range(6)]
    graded = [scored(ref, 0.95 - 0.15 * i) for i, ref in enumerate(refs)]
    main = PUBLISHED["ours/stage1/video-spatial"]
    stage1 = [sample("stage1", ref, main, "It is noise.") for ref in refs[:4]]
    stage1.append(sample("stage1", image_ref("still"), PUBLISHED["stage1/image"], "It is block effect."))
    asked = PUBLISHED["stage3/video"].format(images=2, frames=FRAMES, question="Is the video noisy?")
    stage3 = [sample("stage3", ref, asked, "Yes.") for ref in refs[:4]]
    write_samples(folder, "stage1", "train", stage1)
    write_samples(folder, "stage2-ugc", "train", graded[:4])
    write_samples(folder, "stage2-ugc", "test", graded[4:])
    write_samples(folder, "stage3-mix", "train", stage3 + graded[:4])
    write_manifest(folder)
    return folder


@pytest.fixture(scope="session")
def invoke() -> Invoke:
    """The command line in this process: gives Click's result."""
    app = typer.Typer()
    training.commands.mount(app)
    dataset_builder.lock_commands.mount(app)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture(scope="session")
def call(invoke: Invoke) -> Call:
    """The command line in this process: gives exit code and standard output."""

    def run(*arguments: object) -> tuple[int, str]:
        result = invoke(*arguments)
        return result.exit_code, result.stdout

    return run


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus that a test may spoil."""
    return make_corpus(tmp_path / "corpus")


@pytest.fixture(scope="session")
def shared_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus that tests only read."""
    return make_corpus(tmp_path_factory.mktemp("shared") / "corpus")


@pytest.fixture(scope="session")
def tokens() -> Tokens:
    """A tokenizer trained on a few prompts."""
    return train_tokenizer([PUBLISHED["ugc/video"], "The quality of this video is good."], 400)


@pytest.fixture(scope="session")
def config(tokens: Tokens) -> VQA2Config:
    """The tiny preset's configuration."""
    return model_config(load_preset("tiny"), tokens)


@pytest.fixture(scope="session")
def trained(shared_corpus: Path) -> Checkpoint:
    """A checkpoint of a few steps on the shared corpus, read back from its folder."""
    from schemas.recipe import TrainRecipe, load
    from training.trainer.train import train

    recipe = write_recipe(shared_corpus, out="model")
    train(load(recipe, TrainRecipe), shared_corpus)
    return load_checkpoint(shared_corpus / "model")


@pytest.fixture(scope="session")
def talkative(shared_corpus: Path, trained: Checkpoint) -> Checkpoint:
    """The trained checkpoint, of which no answer ends before it is cut: how long an untaught one talks is chance."""
    folder = shared_corpus / "talkative"
    shutil.copytree(shared_corpus / "model", folder)
    checkpoint = load_checkpoint(folder)
    with torch.no_grad():
        checkpoint.model.lm_head.weight[trained.tokens.tokenizer.all_special_ids] = 0
    checkpoint.model.save_pretrained(folder)
    return load_checkpoint(folder)


def write_media(folder: Path, corpus: Path, *, longer: int) -> dict[str, Path]:
    """Write clips to ask about, one of `longer` frames and one of too few for motion, and name a picture."""
    return {
        "video": write_clip(folder / "video.mp4", 1),
        "longer": write_clip(folder / "longer.mp4", 2, frames=longer),
        "short": write_clip(folder / "short.mp4", 1, frames=3),
        "image": corpus / "media" / "still.png",
    }


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey clip of 300 frames: of the shared checkpoint's motion features one of 2 is fed, for it takes 256."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=100)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(300):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99, np.uint8), "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def fresh(trained: Checkpoint) -> Checkpoint:
    """The untrained model of the shared checkpoint, for a test to change."""
    block = trained.block
    return Checkpoint(initial_model(block.preset, trained.config, block.seed).eval(), trained.tokens, block)
