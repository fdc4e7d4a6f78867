"""Exports: the samples of one config in another trainer's format, a file or a folder, and back.

Rows are written as they are read, in the order of the corpus, and are the same bytes every time. An export appears
whole or not at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import msgspec
import orjson
from PIL import Image

from dataset_builder import engine
from dataset_builder.clip_stages import sha256_of
from dataset_builder.corpus import read_manifest, read_samples, replacing
from dataset_builder.exporters._rows import KEY
from dataset_builder.progress import Tracker, untracked
from dataset_builder.video import MediaError, Pixels, read_clip
from schemas.errors import CallError, DataError
from schemas.record import SPLITS
from schemas.sample import MediaRef, Sample


@dataclass(frozen=True)
class Means:
    """By what key frames are written: the folder of a corpus that refers to its clips, processes, seconds a clip."""

    media_root: Path | None = None
    workers: int | None = None
    timeout: float = 600.0
    track: Tracker = untracked


BY_DEFAULT = Means()


@dataclass(frozen=True)
class Exported:
    """How many samples were written, and the key frames of how many clips and images (0 where rows only name them)."""

    samples: int
    clips: int


def export(
    corpus: Path,
    config: str,
    out: Path,
    exporter: ModuleType,
    *,
    split: str | None = None,
    means: Means = BY_DEFAULT,
) -> Exported:
    """Write the samples of one config, or of one split of it, to `out`.

    Raises CallError for an exporter that lacks something, an unknown config or split, a place inside the corpus and
    one that is taken, and DataError naming a sample that the format cannot hold or a clip that cannot be read.
    """
    if missing := [name for name in ("LOSES", "DATA", "row") if not hasattr(exporter, name)]:
        raise CallError(
            f"the exporter {_name(exporter)} has no {missing[0]}: dataset_builder/exporters/llava.py says what"
        )
    manifest = read_manifest(corpus)
    if split is not None and split not in SPLITS:
        raise CallError(f"there is no split {split!r}; there are: {', '.join(SPLITS)}")
    place = out.resolve()
    if corpus.resolve() in (place, *place.parents):
        raise CallError(f"{str(out)!r} lies inside the corpus: name a place elsewhere")
    next(read_samples(corpus, config, split), None)  # a config that is none is told before anything is opened
    samples = (located.sample for located in read_samples(corpus, config, split))
    if is_folder(exporter):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise CallError(f"{str(out)!r} is there already, and the format is a folder: remove it or name another")
        with replacing(out) as folder:
            data = str(exporter.DATA).replace("{config}", config)
            clips = _clips_of(corpus, manifest.media, means)
            return _write_folder(samples, data, folder, exporter, clips=clips, means=means)
    if out.is_dir():
        raise CallError(f"{str(out)!r} is a folder, and the format is one file: name a file")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{out.name}.") as scratch:
        partial = Path(scratch) / out.name
        with partial.open("wb") as file:
            written = write_rows(exporter, samples, file)
        partial.replace(place)
    return Exported(written, 0)


def is_folder(exporter: ModuleType) -> bool:
    """Say whether a format is a folder, not one file."""
    return not str(exporter.DATA).startswith(".")


def write_rows(exporter: ModuleType, samples: Iterable[Sample], file: BinaryIO) -> int:
    """Write the rows of samples as the format has them, and give how many. Raises DataError as the exporter does."""
    lines = str(exporter.DATA).endswith(".jsonl")
    written = 0
    file.write(b"" if lines else b"[\n")
    for sample in samples:
        file.write((b",\n" if written and not lines else b"") + orjson.dumps(exporter.row(sample)))
        file.write(b"\n" if lines else b"")
        written += 1
    file.write(b"" if lines else b"\n]\n")
    return written


def read_export(path: Path, exporter: ModuleType) -> Iterator[Sample]:
    """Read the samples of an export again, in its order.

    Raises CallError where the format or the place is wrong, DataError naming a row that is.
    """
    if not hasattr(exporter, "sample_of"):
        raise CallError(f"rows of {_name(exporter)} are not read back: {_second_line(exporter)}")
    if not path.exists():
        raise CallError(f"there is no {str(path)!r}")
    file = _rows_file(path, exporter) if path.is_dir() else path
    for number, row in read_rows(file):
        try:
            sample = exporter.sample_of(row)
            again = exporter.row(sample)
            if changed := [key for key, value in again.items() if key != KEY and row[key] != value]:
                raise ValueError(f"{changed[0]!r} was changed since the export in a way that cannot be read back")
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration, msgspec.MsgspecError) as error:
            told = str(error) if isinstance(error, ValueError) else f"no row of {_name(exporter)} ({error!r})"
            raise DataError(f"{file}: row {number}: {told}") from None
        yield sample


def read_rows(file: Path) -> Iterator[tuple[int, Any]]:
    """Give (number from 1, row) of a JSON list or of JSON lines; row by row where rows stand on lines of their own.

    Raises DataError for what is no JSON.
    """
    with file.open("rb") as lines:
        listed = lines.read(1) == b"["
        whole = listed and lines.read(2) not in {b"\n{", b"\n\n"}  # somebody else has written it anew
        lines.seek(0)
        numbers = count(1)
        for line_number, line in enumerate(lines if not whole else [lines.read()], 1):
            text = line.strip() if whole or not listed else line.strip().removesuffix(b",")
            if not text or (listed and not whole and text in {b"[", b"]"}):
                continue
            try:
                found = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                raise DataError(f"{file}: line {line_number}: no JSON ({error})") from None
            for row in found if whole else [found]:
                yield next(numbers), row


def _rows_file(folder: Path, exporter: ModuleType) -> Path:
    if not is_folder(exporter):
        raise CallError(f"{str(folder)!r} is a folder, {_name(exporter)} is a file")
    pattern = str(exporter.DATA).replace("{config}", "*")
    others = set(_beside(exporter, pattern))
    found = sorted(path for path in folder.glob(pattern) if path.name not in others)
    if len(found) != 1:
        told = ", ".join(path.name for path in found) or "none"
        raise CallError(f"{str(folder)!r} holds no one file {pattern} of rows ({told}): name the file itself")
    return found[0]


def _write_folder(
    samples: Iterable[Sample], data: str, folder: Path, exporter: ModuleType, *, clips: _Clips, means: Means
) -> Exported:
    shown: dict[str, tuple[MediaRef, str]] = {}
    frames = getattr(exporter, "FRAMES", False)

    def noted() -> Iterator[Sample]:
        for sample in samples:
            for media in sample.media if frames else ():
                shown.setdefault(media.sha256, (media, sample.id))
            yield sample

    with (folder / data).open("wb") as file:
        written = write_rows(exporter, noted(), file)
    for name, content in _beside(exporter, data).items():
        (folder / name).write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    items = [
        {
            "path": str(clips.path(media, sample_id)),
            "sha256": media.sha256,
            "files": [str(folder / name) for name in exporter.frame_files(media)],
        }
        for media, sample_id in shown.values()
    ]
    if not items:
        return Exported(written, 0)
    advance = means.track("key frames", len(items))
    outcomes = engine.run(
        "dataset_builder.exporting:write_frames",
        items,
        slots=means.workers,
        timeout=means.timeout,
        on_done=lambda outcome: advance(failed=outcome.error is not None),
    )
    for outcome, (media, sample_id) in zip(outcomes, shown.values(), strict=True):
        if outcome.error is not None:
            raise DataError(f"{sample_id}: {media.path}: {outcome.error}")
    return Exported(written, len(items))


def _beside(exporter: ModuleType, data: str) -> dict[str, Any]:
    files: dict[str, Any] = exporter.beside(data) if hasattr(exporter, "beside") else {}
    return files


def write_frames(item: dict[str, Any]) -> dict[str, Any]:
    """Write the key frames of a clip as PNG, losslessly: the engine's work. Raises MediaError."""
    path, files = Path(item["path"]), [Path(name) for name in item["files"]]
    folder = files[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    if sha256_of(path) != item["sha256"]:
        raise MediaError("it is another file than when the corpus was built")
    numbers = count()

    def saved(frame: Pixels) -> Path:
        part = folder / f"{next(numbers)}.part"  # the clip may be read anew from its first frame on
        Image.fromarray(frame).save(part, "PNG")
        return part

    parts = read_clip(path, each_key=saved).keys
    if len(parts) != len(files):
        raise MediaError(f"{len(parts)} key frames can be read of it, {len(files)} are fed")
    for part, file in zip(parts, files, strict=True):
        part.replace(file)
    for left in folder.glob("*.part"):
        left.unlink()
    return {}


@dataclass(frozen=True)
class _Clips:
    """Where the clips of a corpus lie, and what to do when one does not."""

    root: Path | None
    missing: str

    def path(self, media: MediaRef, sample_id: str) -> Path:
        """Give the file of a clip. Raises CallError or DataError saying what to do."""
        if self.root is None:
            raise CallError(self.missing)
        if not (path := self.root / media.path).is_file():
            raise DataError(f"{sample_id}: {media.path} is not there: {self.missing}")
        return path.resolve()


def _clips_of(corpus: Path, mode: str, means: Means) -> _Clips:
    if mode == "reference":
        return _Clips(means.media_root, "the corpus refers to its clips: say where they lie with --media-root")
    if mode == "recipes":
        return _Clips(corpus, f"put the clips back first: vqa2 regenerate {corpus} --clips FOLDER")
    return _Clips(corpus, "the corpus is not whole: vqa2 check says what it lacks")


def _name(exporter: ModuleType) -> str:
    return exporter.__name__.rpartition(".")[2].removeprefix("vqa2_plugin_")


def _second_line(exporter: ModuleType) -> str:
    """The paragraph of the docstring that says more of the format, as one line."""
    paragraphs: Sequence[str] = (exporter.__doc__ or "").split("\n\n")
    return " ".join(paragraphs[1].split()) if len(paragraphs) > 1 else "the format says too little"
