"""`vqa2 convert`: checkpoints of the original LLaVA layout and of pytorchvideo into our folders, and back.

A conversion is a renaming: each tensor keeps its bytes, dtype and shape, and a name too many or too few stops it. What
no motion feature depends on (the slow pathway of SlowFast and the fusions that feed it) is kept beside the model, and
the small files of the original folder under `original/`, so that the way back gives the same tensors.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from safetensors.torch import load_file
from transformers import AddedToken, AutoTokenizer, Qwen2Config

from dataset_builder.corpus import replacing
from dataset_builder.progress import Tracker, untracked
from schemas.errors import CallError
from training.checkpoints.checkpoint import BLOCK, RECORD, Block
from training.checkpoints.preset import Preset, load_preset
from training.checkpoints.start import FAST_PATH, model_config
from training.checkpoints.tensors import SHARD_BYTES, Stored, same_bytes, some, stored_in, write_model, write_tensors
from training.converting import layout
from training.converting.scorers import SYSTEM, Kind, kind_of, scoring_for
from training.converting.slowfast import HEAD, Shapes, fast_shapes, slow_shapes
from training.inputs.tokens import SPECIALS, SYSTEM_TEMPLATE, TURN_END, Tokens
from training.models.config import VQA2Config
from training.models.slowfast import COUNTER

SLOW_PATH = "slow_path.safetensors"
"""What a converted folder keeps beside the model, by pytorchvideo's names."""
ORIGINAL = "original"
"""Folder of the original's small files: its configuration and tokenizer."""
SMALL = 64 << 20
"""Bytes of the largest file that is carried along; a tokenizer takes about a tenth of it."""
WEIGHTS_OF_OTHERS = (".safetensors", ".bin", ".pt", ".pth", ".pyth", ".index.json", ".gguf", ".h5", ".msgpack")
POSITIONS = "model.slowfast.position_embedding.weight"

Source = Literal["auto", "llava", "slowfast"]
Target = Literal["llava", "slowfast"]


@dataclass(frozen=True)
class Converted:
    """What was written: how many tensors and bytes of them, and the names kept in, or restored from, the slow path."""

    out: Path
    layout: str
    tensors: int
    bytes: int
    slow_path: list[str]


def convert(
    given: Path, out: Path, source: Source = "auto", kind: Kind | None = None, track: Tracker = untracked
) -> Converted:
    """Convert a checkpoint of others into a folder of ours. Raises CallError for one that does not fit, naming why."""
    _refuse(given, out)
    if given.is_dir() and (given / BLOCK).is_file():
        raise CallError(f"{given}: is a model folder of ours already; give --to llava to convert it back")
    slowfast = not given.is_dir() if source == "auto" else source == "slowfast"
    return from_slowfast(given, out, track) if slowfast else from_llava(given, out, kind, track)


def from_llava(
    given: Path, out: Path, kind: Kind | None = None, track: Tracker = untracked, shard_bytes: int = SHARD_BYTES
) -> Converted:
    """Convert a folder of the original LLaVA layout (LlavaQwenForCausalLM with SlowFast) into a model folder."""
    kind = kind or kind_of(given)
    described = layout.read_config(given)
    found = stored_in(given)
    for name in (layout.EMBEDDING, POSITIONS):
        if len(found[name].shape if name in found else ()) != 2:
            raise CallError(f"{given}: no VQA² checkpoint of the original layout: it lacks {name}")
    tokens = _tokens(given)
    geometry = layout.geometry(described, given, found[POSITIONS].shape[0])
    preset = _preset(geometry)
    config = _config(given, preset, tokens)
    rows = found[layout.EMBEDDING].shape[0]
    if config.text_config.vocab_size > rows:
        raise CallError(
            f"{given}: the text embedding has {rows} rows, the tokenizer with its placeholders for media needs "
            f"{config.text_config.vocab_size}"
        )
    tied = bool(geometry["tie_word_embeddings"])
    _hold(given, found, layout.expected(config, head=not tied or layout.HEAD in found))
    if tied and layout.HEAD in found and not same_bytes(found[layout.HEAD], found[layout.EMBEDDING]):
        raise CallError(f"{given}: tie_word_embeddings is true, but {layout.HEAD} and {layout.EMBEDDING} differ")
    model: dict[str, Stored] = {}
    slow: dict[str, Stored] = {}
    for name, stored in found.items():
        if place := layout.ours(name):
            model[place] = stored
        elif kept := layout.slow(name):
            slow[kept] = stored
    told = Converted(out, "model folder", len(found), _bytes(found), sorted(slow))
    block = Block(scoring=scoring_for(kind, tokens), preset=preset, seed=0, system=SYSTEM)
    record = {"converted_from": given.resolve().name, "kind": kind, "tensors": told.tensors, "slow_path": sorted(slow)}
    _hold_room(out, told.bytes)
    with replacing(out) as new:
        advance = track("convert", len(found))
        write_model(new, model, advance, shard_bytes)
        write_tensors(new / SLOW_PATH, slow, advance)
        config.architectures = ["VQA2ForConditionalGeneration"]
        config.save_pretrained(new)
        tokens.save(new)
        for name, content in ((BLOCK, block), (RECORD, record)):
            (new / name).write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        _carry(given, new / ORIGINAL)
    return told


def to_llava(given: Path, out: Path, track: Tracker = untracked, shard_bytes: int = SHARD_BYTES) -> Converted:
    """Convert a model folder into the original LLaVA layout. Raises CallError where it cannot be whole."""
    _refuse(given, out)
    if not (given / BLOCK).is_file():
        raise CallError(f"{given}: no model folder of ours: it has no {BLOCK}")
    if not (given / ORIGINAL / "config.json").is_file() or not (given / SLOW_PATH).is_file():
        raise CallError(
            f"{given}: the original layout needs {ORIGINAL}/ and {SLOW_PATH}, which `vqa2 convert` keeps; a model "
            "trained from a converted folder takes both from there: copy them beside its weights"
        )
    described = layout.read_config(given / ORIGINAL)
    config = VQA2Config.from_pretrained(given, local_files_only=True)
    slow = {name: stored for name, stored in stored_in(given / SLOW_PATH).items() if name not in HEAD}
    model = {layout.on_disk(name): stored for name, stored in stored_in(given).items()}
    found = {layout.theirs(name): stored for name, stored in (model | slow).items()}
    tied = bool(described.get("tie_word_embeddings", False))
    _hold(given, found, layout.expected(config, head=not tied or layout.HEAD in found))
    told = Converted(out, "original LLaVA layout", len(found), _bytes(found), sorted(map(layout.theirs, slow)))
    _hold_room(out, told.bytes)
    with replacing(out) as new:
        _carry(given / ORIGINAL, new)
        write_model(new, found, track("convert", len(found)), shard_bytes)
    return told


def from_slowfast(given: Path, out: Path, track: Tracker = untracked) -> Converted:
    """Split a SlowFast-R50 8x8 checkpoint of pytorchvideo into its fast path, which models start from, and the rest."""
    found = stored_in(given)
    fast, slow = fast_shapes(), slow_shapes() | HEAD
    _hold(given, found, _present(fast | slow, found))
    told = Converted(out, "SlowFast folder", len(found), _bytes(found), sorted(found.keys() - fast.keys()))
    with replacing(out) as new:
        advance = track("convert", len(found))
        for file, shapes in ((FAST_PATH, fast), (SLOW_PATH, slow)):
            write_tensors(new / file, {name: found[name] for name in shapes if name in found}, advance)
    return told


def to_slowfast(given: Path, out: Path, track: Tracker = untracked) -> Converted:
    """Put a SlowFast checkpoint with pytorchvideo's names together again, out of a SlowFast or a model folder.

    `out` is a file: .pyth as pytorchvideo loads it, or .safetensors. The classifier is there if it was in what was
    converted; upstream's models have none.
    """
    _refuse(given, out)
    if out.suffix not in {".pyth", ".pth", ".safetensors"}:
        raise CallError(f"{str(out)!r}: name a .pyth or .safetensors file")
    if not (given / SLOW_PATH).is_file():
        raise CallError(f"{given}: has no {SLOW_PATH}, which `vqa2 convert` keeps")
    slow = stored_in(given / SLOW_PATH)
    if (given / FAST_PATH).is_file():
        fast = stored_in(given / FAST_PATH)
    else:
        start = layout.EXTRACTOR.removesuffix("blocks.")
        fast = {name.removeprefix(start): s for name, s in stored_in(given).items() if name.startswith(start)}
    found = fast | slow
    wanted = fast_shapes() | slow_shapes() | (HEAD if HEAD.keys() & slow.keys() else {})
    _hold(given, found, _present(wanted, found))
    told = Converted(out, "pytorchvideo's layout", len(found), _bytes(found), sorted(slow))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.new.") as scratch:
        file = Path(scratch) / "whole.safetensors"
        write_tensors(file, found, track("convert", len(found)))
        if out.suffix != file.suffix:
            file, plain = Path(scratch) / f"whole{out.suffix}", file
            torch.save({"model_state": load_file(plain)}, file)
        file.replace(out)
    return told


def _refuse(given: Path, out: Path) -> None:
    if not given.exists():
        raise CallError(f"{given}: there is no such file or folder")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CallError(f"{out}: already there; remove it, or name another")


def _config(given: Path, preset: Preset, tokens: Tokens) -> VQA2Config:
    try:
        config = model_config(preset, tokens)
        assert isinstance(config, VQA2Config)  # the preset names no other backbone
        layout.expected(config, head=True)  # a model of such a configuration can be built
    except (CallError, ValueError, TypeError, RuntimeError, ZeroDivisionError) as error:
        told = str(error).strip().splitlines()[0]
        raise CallError(f"{given / 'config.json'}: describes no model that can be built: {told}") from None
    return config


def _tokens(folder: Path) -> Tokens:
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, config=Qwen2Config(), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise CallError(f"{folder}: its tokenizer cannot be read: {error}") from None
    known = tokenizer.get_vocab()
    tokenizer.add_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIALS if s not in known])
    tokenizer.eos_token = TURN_END
    tokenizer.chat_template = SYSTEM_TEMPLATE.replace("SYSTEM", SYSTEM)
    return Tokens(tokenizer, SYSTEM)


def _preset(geometry: dict[str, Any]) -> Preset:
    """The paper's schedule over this model: an untrained one of its geometry starts at random."""
    paper = load_preset("llava-onevision-7b")
    return msgspec.structs.replace(paper, model=geometry, weights=None, tokenizer=None, motion_weights=None)


def _present(shapes: Shapes, found: Iterable[str]) -> Shapes:
    """Leave the counters of norms out where a file leaves them all out, as old ones do."""
    counted = any(name.endswith(COUNTER) for name in found)
    return {name: shape for name, shape in shapes.items() if counted or not name.endswith(COUNTER)}


def _hold(given: Path, found: Mapping[str, Stored], expected: Shapes) -> None:
    """Raise CallError naming the first tensors that are missing, unexpected, or of another shape."""
    wrong = []
    if missing := sorted(expected.keys() - found.keys()):
        wrong.append(f"{len(missing)} missing: {some(missing)}")
    if unexpected := sorted(found.keys() - expected.keys()):
        wrong.append(f"{len(unexpected)} unexpected: {some(unexpected)}")
    shaped = [
        f"{name} is {list(found[name].shape)} instead of {list(shape)}"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != tuple(shape)
    ]
    if shaped:
        wrong.append(f"{len(shaped)} of another shape: {some(shaped)}")
    if wrong:
        raise CallError(f"{given}: the tensors are not those of its configuration; {'; '.join(wrong)}")


def _hold_room(out: Path, size: int) -> None:
    parent = next(folder for folder in out.resolve().parents if folder.exists())
    if (free := shutil.disk_usage(parent).free) < size:
        raise CallError(f"{out}: {size / 1e9:.1f} GB are to be written, {free / 1e9:.1f} GB are free")


def _carry(folder: Path, to: Path) -> None:
    """Copy the files of a folder that are not weights."""
    to.mkdir(exist_ok=True)
    for file in sorted(folder.iterdir()):
        if file.is_file() and not file.name.endswith(WEIGHTS_OF_OTHERS) and file.stat().st_size <= SMALL:
            shutil.copyfile(file, to / file.name)


def _bytes(tensors: Mapping[str, Stored]) -> int:
    return sum(stored.size for stored in tensors.values())
