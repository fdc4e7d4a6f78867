"""What a vision tower says of a picture, computed once and kept in files: for training while the tower is frozen."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


class VisionMemory:
    """Patches [N, P, D] of normalised pictures [N, 3, S, S], each computed alone and kept under the hash of its pixels.

    Alone, so that what is kept does not depend on the batch that it was first met in.
    """

    def __init__(self, folder: Path) -> None:
        """Keep in a folder, which must be of one tower and one run."""
        self._folder = folder

    def patches(self, pictures: Tensor, compute: Any) -> Tensor:
        """Give the patches of pictures, with `compute` those of one that is new."""
        return torch.cat([self._patches(picture, compute) for picture in pictures])

    def _patches(self, picture: Tensor, compute: Any) -> Tensor:
        pixels = picture.detach().cpu().contiguous()
        name = hashlib.sha256(pixels.view(torch.uint8).numpy().data).hexdigest()
        path = self._folder / name[:2] / f"{name}.safetensors"
        if path.is_file():
            known: Tensor = load_file(path)["patches"].to(picture.device)
            return known
        with torch.no_grad():
            found: Tensor = compute(picture[None])
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{name}.{os.getpid()}")
        save_file({"patches": found.cpu().contiguous()}, partial)
        partial.replace(path)
        return found


@contextlib.contextmanager
def remembering(model: Any, folder: Path | None) -> Iterator[None]:
    """Have a model of LLaVA-OneVision keep what its tower says while the context lasts; without a folder do nothing."""
    if folder is None:
        yield
        return
    model.model.vision_memory = VisionMemory(folder)
    try:
        yield
    finally:
        model.model.vision_memory = None
