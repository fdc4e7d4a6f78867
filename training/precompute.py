"""Fills a cache: the stage of work that decodes each clip once and computes what is fed of it to the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import torch
from safetensors.torch import save

from dataset_builder.clip_stages import HASH, hash_work
from dataset_builder.corpus import corpus_configs, read_samples
from dataset_builder.engine import Engine, LocalEngine, Outcome, Part, Stage, Work, run_stage, usable_cores
from dataset_builder.progress import Tracker, untracked
from schemas.errors import CallError
from training.checkpoints.checkpoint import load_extractor
from training.checkpoints.preset import load_preset
from training.checkpoints.start import initial_extractor, preset_config
from training.inputs.cache import WORK, Cache, Method, pack, write_whole
from training.inputs.clip_stage import KEY_FRAMES, MOTION
from training.inputs.features import key_frame_method, motion_method
from training.models.config import MotionConfig
from training.models.slowfast import SlowFastFast

PER_GPU = 4
"""Processes that share a GPU on one machine: decoding on the CPU takes longer than features on the GPU."""
SECONDS_PER_CLIP = 3600.0
"""A network takes about 0.1 s a frame on one core."""


@dataclass(frozen=True)
class ClipFile:
    """A clip to be computed: the sha256 of its bytes, its file, and whether it is known to have motion."""

    sha256: str
    path: Path
    moves: bool = True


@dataclass(frozen=True)
class Model:
    """Whose motion extractor and preprocessing: a checkpoint folder, or a preset (its name or file)."""

    checkpoint: Path | None = None
    preset: str | None = None

    def extractor(self) -> tuple[MotionConfig, SlowFastFast | None]:
        """Read the configuration and the extractor, once. Raises CallError when they cannot be had."""
        return self._read

    @cached_property
    def _read(self) -> tuple[MotionConfig, SlowFastFast | None]:
        if self.checkpoint is not None:
            return load_extractor(self.checkpoint)
        if self.preset is None:
            raise CallError("say whose features: --model CHECKPOINT or --preset NAME")
        preset = load_preset(self.preset)
        config = preset_config(preset)
        return config, initial_extractor(preset, config)


@dataclass(frozen=True)
class Filled:
    """What became of the clips: how many there were, were there before, are new now, and (file, reason) that failed.

    `packed` entries went into shards; in one part of several nothing does, and `complete` is False.
    """

    clips: int
    known: int
    done: int
    failed: list[tuple[str, str]]
    packed: int
    complete: bool


def fill(
    cache: Path,
    clips: Sequence[ClipFile],
    model: Model,
    *,
    key_frames: bool = False,
    engine: Engine | None = None,
    part: Part | None = None,
    retry_failed: bool = False,
    track: Tracker = untracked,
) -> Filled:
    """Compute motion features (and `key_frames`) of clips that the cache does not hold, and pack them into it.

    Clips that fail are remembered and not tried again without `retry_failed`. A run that was killed goes on where it
    was. With `part` (i, n) one of n runs does its share; one run without it, after them, packs. Raises CallError for a
    model that cannot be read, or of which nothing can be computed, or a folder that cannot be written, DataError for a
    damaged cache.
    """
    config, extractor = model.extractor()
    both = {MOTION: motion_method(config, extractor), KEY_FRAMES: key_frame_method(config)}
    wanted = {MOTION: config.reads_motion, KEY_FRAMES: key_frames}
    methods = {name: method for name, method in both.items() if wanted[name]}
    if not methods:
        raise CallError("this model reads no motion; --key-frames keeps what it does read")
    cache = cache.absolute()  # processes elsewhere have another working folder
    cache.mkdir(parents=True, exist_ok=True)
    packed = 0 if part else sum(pack(cache, method) for method in methods.values())
    weights = _keep_weights(cache, extractor, both[MOTION]) if extractor else None
    work = list(_missing(cache, clips, methods, weights))
    stage = Stage(
        f"features-{both[MOTION].digest[:16]}",
        "training.inputs.clip_stage:compute_clip",
        params={"methods": msgspec.to_builtins(both)},
        timeout=SECONDS_PER_CLIP,
        gpus=0.0 if extractor is None else 1.0,
    )
    advance = track("features", len(work))

    def told(outcome: Outcome) -> None:
        advance(failed=outcome.error is not None)

    result = run_stage(
        stage,
        work,
        cache / WORK,
        engine=engine or LocalEngine(_slots(extractor)),
        part=part,
        retry_failed=retry_failed,
        told=told,
    )
    files = {clip.sha256: str(clip.path) for clip in clips}
    failed = sorted((files[clip], outcome.error) for clip, outcome in result.outcomes() if outcome.error is not None)
    if not part:
        packed += sum(pack(cache, method) for method in methods.values())
    return Filled(len(clips), len(clips) - len(work), result.done, failed, packed, result.complete and not part)


def clips_of_corpus(corpus: Path, media_root: Path) -> list[ClipFile]:
    """List the clips and images that the samples of a corpus show, each once.

    Raises CallError if the folder is no corpus, DataError naming a sample that is wrong.
    """
    found: dict[str, ClipFile] = {}
    for config in corpus_configs(corpus):
        for located in read_samples(corpus, config):
            for media in located.sample.media:
                clip = ClipFile(
                    media.sha256, media_root / media.path, media.kind == "video" and media.motion_frames > 0
                )
                found.setdefault(media.sha256, clip)
    return list(found.values())


def clips_of_files(
    cache: Path, files: Sequence[Path], *, engine: Engine | None = None, track: Tracker = untracked
) -> tuple[list[ClipFile], list[tuple[str, str]]]:
    """Hash files. Gives the clips, each content once, and (file, reason) of those that cannot be read."""
    advance = track("hash", len(files))

    def told(outcome: Outcome) -> None:
        advance(failed=outcome.error is not None)

    works = [hash_work(str(path.resolve()), path) for path in dict.fromkeys(files)]
    found: dict[str, ClipFile] = {}
    failed = []
    for name, outcome in run_stage(HASH, works, cache / WORK, engine=engine, told=told).outcomes():
        if outcome.result is None:
            failed.append((name, outcome.error or ""))
        else:
            sha256 = outcome.result["sha256"]
            found.setdefault(sha256, ClipFile(sha256, Path(name)))
    return list(found.values()), sorted(failed)


def _missing(
    cache: Path, clips: Sequence[ClipFile], methods: dict[str, Method], weights: Path | None
) -> Iterator[Work]:
    kept = {name: Cache(cache, method) for name, method in methods.items()}
    for clip in clips:
        make = [name for name in methods if clip.sha256 not in kept[name] and (clip.moves or name != MOTION)]
        if make:
            arguments = {
                "path": str(clip.path.absolute()),
                "extractor": str(weights) if weights else None,
                "files_folder": str(cache),
            }
            yield Work(clip.sha256, {"sha256": clip.sha256, "make": make}, arguments)


def _keep_weights(cache: Path, extractor: SlowFastFast, motion: Method) -> Path:
    """Write the extractor's weights for the processes that run it."""
    path = cache / WORK / f"{motion.folder}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save({name: tensor.contiguous() for name, tensor in extractor.state_dict().items()}))
    return path


def _slots(extractor: SlowFastFast | None) -> int | None:
    """Give how many processes this machine should run: PER_GPU a GPU where the extractor runs on one."""
    if extractor is None or not torch.cuda.is_available():
        return None
    return min(usable_cores(), PER_GPU * torch.cuda.device_count())
