"""Fills a cache: the stage of work that decodes each clip once and computes what is fed of it to the model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import torch

from dataset_builder.clip_stages import HASH, hash_work, sha256_of
from dataset_builder.corpus import corpus_configs, read_samples
from dataset_builder.engine import Engine, Item, LocalEngine, Outcome, Part, Stage, Work, run_stage, usable_cores
from dataset_builder.progress import Tracker, untracked
from dataset_builder.video import MediaError, read_clip
from schemas.errors import CallError, DataError
from schemas.frames import motion_frame_count
from training.cache import Cache, Entry, Method, pack, write_new
from training.checkpoint import load_extractor
from training.config import VQA2Config
from training.features import KeyFrames, key_frame_method, motion_features, motion_method, packed_key_frames
from training.frames import key_frame_pixels
from training.preset import load_preset
from training.slowfast import SlowFastFast
from training.start import initial_extractor

WORK = "work"
"""The folder of a cache in which the engine keeps what was done, and what failed."""
PER_GPU = 4
"""Processes that share a GPU on one machine: decoding on the CPU takes longer than features on the GPU."""
MOTION, KEY_FRAMES = "motion", "key_frames"


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

    def extractor(self) -> tuple[VQA2Config, SlowFastFast | None]:
        """Read the configuration and the extractor. Raises CallError when they cannot be had."""
        if self.checkpoint is not None:
            return load_extractor(self.checkpoint)
        if self.preset is None:
            raise CallError("say whose features: --model CHECKPOINT or --preset NAME")
        preset = load_preset(self.preset)
        config = VQA2Config(**preset.model)
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
    model that cannot be read or a folder that cannot be written, DataError for a damaged cache.
    """
    config, extractor = model.extractor()
    methods = {MOTION: motion_method(config, extractor)}
    if key_frames:
        methods[KEY_FRAMES] = key_frame_method(config)
    cache.mkdir(parents=True, exist_ok=True)
    packed = 0 if part else sum(pack(cache, method) for method in methods.values())
    work = list(_missing(cache, clips, methods, model))
    stage = Stage(
        f"features-{methods[MOTION].digest[:16]}",
        "training.precompute:compute_clip",
        params={MOTION: methods[MOTION].digest, KEY_FRAMES: key_frame_method(config).digest},
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


def _missing(cache: Path, clips: Sequence[ClipFile], methods: dict[str, Method], model: Model) -> Iterator[Work]:
    kept = {name: Cache(cache, method) for name, method in methods.items()}
    for clip in clips:
        make = [name for name in methods if clip.sha256 not in kept[name] and (clip.moves or name != MOTION)]
        if make:
            yield Work(
                clip.sha256,
                {"sha256": clip.sha256, "make": make},
                {
                    "path": str(clip.path),
                    "checkpoint": str(model.checkpoint) if model.checkpoint else None,
                    "preset": model.preset,
                    "files_folder": str(cache),
                },
            )


def compute_clip(item: Item) -> Item:
    """Compute one clip, as work for the engine: writes its entries below `files_folder` and gives their names.

    Raises DataError for a file that cannot be read, or is not the one that is asked for.
    """
    config, extractor, methods = _loaded(item["checkpoint"], item["preset"])
    if any(methods[name].digest != item[name] for name in item["make"]):
        raise CallError("the model is not the one that the run began with: run it again")
    path, root, sha256 = Path(item["path"]), Path(item["files_folder"]), item["sha256"]
    try:
        if sha256_of(path) != sha256:
            raise DataError("its bytes are not those that the corpus states: restore the file, or build again")
    except OSError as error:
        raise MediaError(f"the file cannot be read ({error.strerror})") from None
    files: dict[str, int] = {}
    form = config.dense_form if MOTION in item["make"] else None
    if KEY_FRAMES in item["make"]:
        clip = read_clip(path, form, each_key=partial(key_frame_pixels, config=config))
        if not clip.keys:
            raise MediaError("no frame decodes")
        entry = packed_key_frames(KeyFrames(torch.stack(clip.keys), clip.frames, clip.fps))
        files |= write_new(root, methods[KEY_FRAMES], sha256, entry)
        dense = clip.dense
    else:
        dense = read_clip(path, form, keys=False).dense
    if dense is not None and (count := motion_frame_count(len(dense))):
        features = motion_features(dense[:count], config, extractor)
        files |= write_new(root, methods[MOTION], sha256, Entry(features))
    return {"files": files}


@lru_cache(maxsize=1)
def _loaded(checkpoint: str | None, preset: str | None) -> tuple[VQA2Config, SlowFastFast | None, dict[str, Method]]:
    """Load the extractor once a process. One thread: another number of them gives other last bits on a CPU."""
    torch.set_num_threads(1)
    config, extractor = Model(Path(checkpoint) if checkpoint else None, preset).extractor()
    methods = {MOTION: motion_method(config, extractor), KEY_FRAMES: key_frame_method(config)}
    if extractor is not None and torch.cuda.is_available():
        extractor = extractor.to(f"cuda:{os.getpid() % torch.cuda.device_count()}")
    return config, extractor, methods


def _slots(extractor: SlowFastFast | None) -> int | None:
    """Give how many processes this machine should run: PER_GPU a GPU where the extractor runs on one."""
    if extractor is None or not torch.cuda.is_available():
        return None
    return min(usable_cores(), PER_GPU * torch.cuda.device_count())
