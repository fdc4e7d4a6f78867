"""The stage of work that computes what a cache keeps of one clip. Runs in processes of the engine.

It is given methods and an extractor's weights, not a model: transformers takes three times as long to import as torch.
"""

from __future__ import annotations

import os
from functools import lru_cache, partial
from pathlib import Path

import msgspec
import torch
from safetensors.torch import load_file

from dataset_builder.clip_stages import sha256_of
from dataset_builder.engine import Item
from dataset_builder.video import DenseForm, MediaError, read_clip
from schemas.errors import CallError, DataError
from schemas.frames import motion_frame_count
from training.inputs.cache import Entry, Method, write_new
from training.inputs.features import key_frames_of, motion_features, packed_key_frames, weights_digest
from training.models.frames import KeyFrameForm, small_key_frame
from training.models.slowfast import SlowFastFast

MOTION, KEY_FRAMES = "motion", "key_frames"
"""What may be made of a clip."""


def compute_clip(item: Item) -> Item:
    """Compute one clip, as work for the engine: writes its entries below `files_folder` and gives their names.

    `make` says what of `methods`. Raises DataError for a file that cannot be read, or is not the one that is asked for.
    """
    methods = {name: msgspec.convert(item["methods"][name], Method) for name in item["make"]}
    path, root, sha256 = Path(item["path"]), Path(item["files_folder"]), item["sha256"]
    try:
        if sha256_of(path) != sha256:
            raise DataError("its bytes are not those that are asked for: restore the file, or build again")
    except OSError as error:
        raise MediaError(f"the file cannot be read ({error.strerror})") from None
    motion, pictures = methods.get(MOTION), methods.get(KEY_FRAMES)
    form = DenseForm(**motion.params["dense"]) if motion else None
    files: dict[str, int] = {}
    if pictures:
        how = {name: pictures.params[name] for name in KeyFrameForm.__annotations__ if name in pictures.params}
        clip = read_clip(path, form, each_key=partial(small_key_frame, form=KeyFrameForm(**how)))
        entry = packed_key_frames(key_frames_of(clip))
        files |= write_new(root, pictures, sha256, entry)
        dense = clip.dense
    else:
        dense = read_clip(path, form, keys=False).dense
    if motion and form and dense is not None and (count := motion_frame_count(len(dense))):
        extractor = _extractor(item["extractor"], motion.params["weights"]) if item["extractor"] else None
        files |= write_new(root, motion, sha256, Entry(motion_features(dense[:count], form, extractor)))
    return {"files": files}


@lru_cache(maxsize=1)
def _extractor(weights: str, digest: str) -> SlowFastFast:
    """Load the extractor once a process. One thread: another number of them gives other last bits on a CPU."""
    torch.set_num_threads(1)
    extractor = SlowFastFast().eval()
    extractor.load_state_dict(load_file(weights), assign=True)
    if weights_digest(extractor) != digest:
        raise CallError(f"{weights} does not hold the weights that the run began with: run it again")
    return extractor.to(f"cuda:{os.getpid() % torch.cuda.device_count()}") if torch.cuda.is_available() else extractor
