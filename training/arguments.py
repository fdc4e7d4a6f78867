"""What the arguments of commands stand for: a checkpoint, clips, a cache. torch is imported inside functions only."""

from __future__ import annotations

import difflib
import importlib.util
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.errors import CallError
from training.plain_json import json_text

if TYPE_CHECKING:
    from training.checkpoints.checkpoint import Checkpoint
    from training.inputs.features import FeatureCache

CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Read motion features from this folder of `vqa2 features`.")
]

MOST_NAMED = 3
"""Words that a command line in a message repeats at most."""
NEEDED = ("torch", "transformers", "accelerate")


def require_torch() -> None:
    """Raise CallError, which says what to install, where a library of training is missing."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise CallError(
            f'{missing[0]} is not installed: pip install "vqa2[train]". On a machine without a GPU first take the CPU '
            "build of PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"
        )


def loaded(model: Path) -> Checkpoint:
    """Read a checkpoint folder and put the model on the device that scoring takes."""
    require_torch()
    import torch

    from training.checkpoints.checkpoint import load_checkpoint
    from training.checkpoints.start import device, quiet
    from training.fitting import fitting

    quiet()
    with fitting("the model", "take a machine, or a GPU, with more"):
        checkpoint = load_checkpoint(model)
        checkpoint.model.to(device())
    if checkpoint.block.preset.threads:
        torch.set_num_threads(checkpoint.block.preset.threads)
    return checkpoint


def feature_cache(root: Path, checkpoint: Checkpoint, model: Path, clips: Sequence[object]) -> FeatureCache:
    """Open the cache of motion features for a model; what is missing there is told with the command that fills it."""
    from training.inputs.features import FeatureCache

    named = clips if len(clips) <= MOST_NAMED else ["CLIPS"]
    remedy = shlex.join(map(str, ["vqa2", "features", *named, "--model", model, "--out", root]))
    return FeatureCache(root, checkpoint.config, checkpoint.model.model.motion_extractor, remedy)


def files_of(clips: list[Path]) -> list[Path]:
    """List the files of clips and folders, in order. Raises CallError for one that is not there, or an empty folder."""
    return [file for clip in clips for file in _each(clip)]


def _each(clip: Path) -> Iterator[Path]:
    if clip.is_dir():
        found, told = _below(clip)
        for line in told:
            typer.echo(f"{clip}: {line}", err=True)
        if not found:
            raise CallError(f"{clip}: no videos or images in this folder")
        yield from found
    elif clip.exists():
        yield clip
    else:
        siblings = [p.name for p in clip.parent.iterdir()] if clip.parent.is_dir() else []
        near = difflib.get_close_matches(clip.name, siblings, 1)
        raise CallError(f"{clip}: no such clip" + (f"; did you mean {str(clip.with_name(near[0]))!r}?" if near else ""))


def _below(folder: Path) -> tuple[list[Path], list[str]]:
    """List the clips below a folder by their suffix, links to nothing among them, and say what is left out."""
    from dataset_builder.video import CLIP_SUFFIXES

    found: list[Path] = []
    told: list[str] = []
    others = 0
    for parent, folders, files in os.walk(folder, onerror=_unreadable):
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        told += [f"{name} is a linked folder, which is not entered: give it itself" for name in sorted(linked)]
        clips = [Path(parent) / name for name in files if Path(name).suffix.lower() in CLIP_SUFFIXES]
        found += clips
        others += len(files) - len(clips)
    if others:
        told.append(f"{others} other files are no clips by their suffix; name one to have it read")
    return sorted(found), told


def _unreadable(error: OSError) -> None:
    raise CallError(f"{error.filename}: the folder cannot be read ({error.strerror})")


def print_json(value: object) -> None:
    """Print a value as JSON; a number that is none, as a cell of a table may be, is null."""
    sys.stdout.write(json_text(value, indent=2) + "\n")


def print_line(line: str) -> None:
    """Print a line for people."""
    sys.stdout.write(line + "\n")
