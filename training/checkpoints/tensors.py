"""Tensors on disk: listed without being read, and copied from file to file, a few megabytes in memory at a time.

Safetensors are copied as bytes, so nothing can round or reorder them. Pickled checkpoints (.bin, .pth, .pyth) are read
by torch's `weights_only` loader, which runs no code of theirs, and mapped, not read whole.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dataset_builder.progress import Advance
from schemas.errors import CallError

SHARD_BYTES = 5_000_000_000
"""The most that one file of weights holds, as where transformers writes them."""
STEP = 4 << 20
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""Names of dtypes in the safetensors format."""
PICKLED = (".bin", ".pt", ".pth", ".pyth")
ZIPPED, OLD = b"PK\x03\x04", b"\x80"
"""How a file that torch pickled begins: since torch 1.6, and before, or without torch."""


class Stored(Protocol):
    """One tensor in a file."""

    @property
    def dtype(self) -> str:
        """Its name in the safetensors format."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""

    @property
    def size(self) -> int:
        """Its bytes."""

    def parts(self) -> Iterator[bytes]:
        """Give its bytes, row by row and little-endian, in pieces."""


@dataclass(frozen=True)
class Stretch:
    """A tensor of a safetensors file: `size` bytes from `start`."""

    dtype: str
    shape: tuple[int, ...]
    size: int
    path: Path
    start: int

    def parts(self) -> Iterator[bytes]:
        """Read it."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            left = self.size
            while left:
                part = file.read(min(left, STEP))
                if not part:
                    raise CallError(f"{self.path}: the file ends in the middle of a tensor")
                left -= len(part)
                yield part


class Mapped:
    """A tensor that torch holds, read from its file when it is asked for."""

    def __init__(self, name: str, tensor: Tensor) -> None:
        """Take a tensor and its name. Raises CallError for a dtype that safetensors lack."""
        if tensor.dtype not in DTYPES:
            raise CallError(f"{name} is of the dtype {tensor.dtype}, which no safetensors file holds")
        self._tensor = tensor
        self.dtype, self.shape = DTYPES[tensor.dtype], tuple(tensor.shape)
        self.size = tensor.numel() * tensor.element_size()

    def parts(self) -> Iterator[bytes]:
        """Read it."""
        flat = self._tensor.detach().contiguous().flatten().view(torch.uint8)
        for start in range(0, self.size, STEP):
            yield flat[start : start + STEP].numpy().tobytes()


def stored_in(path: Path) -> dict[str, Stored]:
    """List the tensors of a file, or of all shards that a folder's index names.

    Raises CallError for what holds no weights or cannot be read, and for an index that is not true of its shards.
    """
    if path.is_file():
        return _of_file(path)
    for stem in ("model.safetensors", "pytorch_model.bin"):
        index = path / f"{stem}.index.json"
        if index.is_file():
            return _sharded(path, index)
        if (path / stem).is_file():
            return _of_file(path / stem)
    raise CallError(
        f"{path}: no weights here: it has no model.safetensors, pytorch_model.bin, or index of their shards"
    )


def write_tensors(path: Path, tensors: Mapping[str, Stored], advance: Advance | None = None) -> None:
    """Write one safetensors file, tensor after tensor. Wide dtypes come first, so that each tensor is aligned."""
    order = sorted(tensors, key=lambda name: (-_width(tensors[name]), name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name in order:
        stored = tensors[name]
        header[name] = {"dtype": stored.dtype, "shape": stored.shape, "data_offsets": [at, at + stored.size]}
        at += stored.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            _copy(tensors[name], file)
            if advance:
                advance()


def write_model(
    folder: Path, tensors: Mapping[str, Stored], advance: Advance | None = None, shard_bytes: int = SHARD_BYTES
) -> None:
    """Write the weights of a model as transformers names them: one file, or shards and their index."""
    shards = list(_shards(tensors, shard_bytes))
    if len(shards) == 1:
        write_tensors(folder / "model.safetensors", tensors, advance)
        return
    where: dict[str, str] = {}
    for number, names in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_tensors(folder / file, {name: tensors[name] for name in names}, advance)
        where |= dict.fromkeys(names, file)
    total = {"total_size": sum(stored.size for stored in tensors.values())}
    index = {"metadata": total, "weight_map": dict(sorted(where.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def same_bytes(one: Stored, other: Stored) -> bool:
    """Tell whether two tensors are equal to the bit, in dtype and shape too."""
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return all(a == b for a, b in zip(one.parts(), other.parts(), strict=True))


def state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint that torch pickled, by name. Raises CallError for what `pickled` does not read.

    pytorchvideo's files hold them as `model_state`.
    """
    state = pickled(path)
    state = state.get("model_state", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CallError(f"{path}: no state_dict: a mapping of names to tensors")
    return {str(name): value for name, value in state.items()}


def pickled(path: Path) -> Any:
    """Read a checkpoint that torch pickled, running no code of it.

    Raises CallError for one that would need to, one that is damaged, and a file of something else.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(ZIPPED))
        if start.startswith((ZIPPED, OLD)):  # old ones cannot be mapped
            return torch.load(path, map_location="cpu", weights_only=True, mmap=start == ZIPPED)
    except UnpicklingError:
        raise CallError(
            f"{path}: holds more than tensors, and reading that would run the file's own code, which is never done; "
            "have it saved again as a state_dict, or as safetensors"
        ) from None
    except (OSError, RuntimeError, ValueError, EOFError, LookupError, TypeError, AssertionError) as error:
        told = str(error).strip() or type(error).__name__
        raise CallError(f"{path}: cannot be read: {told.splitlines()[0]}; is the download complete?") from None
    raise CallError(f"{path}: no file that torch wrote: it begins with {start!r}; is the download complete?")


def _width(stored: Stored) -> int:
    return stored.size // max(1, math.prod(stored.shape))


def _copy(stored: Stored, file: BinaryIO) -> None:
    for part in stored.parts():
        file.write(part)


def _shards(tensors: Mapping[str, Stored], most: int) -> Iterator[list[str]]:
    names: list[str] = []
    size = 0
    for name, stored in tensors.items():
        if names and size + stored.size > most:
            yield names
            names, size = [], 0
        names.append(name)
        size += stored.size
    yield names


def _sharded(folder: Path, index: Path) -> dict[str, Stored]:
    try:
        where: dict[str, str] = json.loads(index.read_bytes())["weight_map"]
    except (ValueError, KeyError, TypeError):
        raise CallError(f"{index}: no index of weights") from None
    found: dict[str, Stored] = {}
    files = sorted(set(where.values()))
    if absent := [file for file in files if Path(file).name != file or not (folder / file).is_file()]:
        raise CallError(f"{index}: names {absent[0]!r}, which is not beside it: is the download complete?")
    for file in files:
        held = _of_file(folder / file)
        named = {name for name, of in where.items() if of == file}
        if wrong := sorted(named ^ held.keys()):
            raise CallError(f"{index}: is not true of {file}: {some(wrong)} stands in one of them alone")
        found |= held
    return found


def _of_file(path: Path) -> dict[str, Stored]:
    if path.suffix in PICKLED:
        return {name: Mapped(name, value) for name, value in state_dict(path).items()}
    try:
        with safe_open(path, "pt"):  # the library's own check of the whole header
            pass
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header: dict[str, Any] = json.loads(file.read(length))
    except (OSError, SafetensorError, ValueError, struct.error) as error:
        raise CallError(f"{path}: no safetensors file: {error}") from None
    return dict(_stretches(path, header, 8 + length))


def _stretches(path: Path, header: dict[str, Any], start: int) -> Iterator[tuple[str, Stretch]]:
    for name, told in header.items():
        if name != "__metadata__":
            first, end = told["data_offsets"]
            yield name, Stretch(told["dtype"], tuple(told["shape"]), end - first, path, start + first)


def some(names: Iterable[str], shown: int = 3) -> str:
    """Name the first few of many."""
    listed = list(names)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more
