"""Clips whose distortions are known, measured: every kind and severity on clean clips, and some for a while only."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import msgspec

import dataset_builder.distortions
from dataset_builder.clip_stages import HASH, hash_work, probe_stage, probe_work, tools
from dataset_builder.demo.contents import Content
from dataset_builder.distort import SEVERITIES, Shape, applied, distorted, truth_of
from dataset_builder.encode import encode_frames
from dataset_builder.engine import Item, Outcome, Stage, Work, source_digest
from dataset_builder.frame import frames_of
from dataset_builder.leftovers import mark_as_cache
from dataset_builder.matching import ClipFolder
from dataset_builder.signal.clean import SECONDS, clean_contents
from dataset_builder.signal.measuring import MODULES, Means, Measures, measure_clip
from dataset_builder.versions import RENDERING
from dataset_builder.video import CLIP_SUFFIXES
from schemas.draws import pick
from schemas.errors import CallError, DataError
from schemas.plugins import plugin_names
from schemas.record import Applied, Distortion

WINDOW_SECONDS = 1
LOCAL_SEVERITIES = (3, 4, 5)
"""A weaker one that is seen for a second only is no ground on which to contradict anybody."""
LARGE_SEVERITIES = (1, 3, 5)
FREEZES = "stutter_freeze"
"""The kind whose time is held to the signal: of it there are local ones of all severities but the least."""


@dataclass(frozen=True)
class KnownClip:
    """A measured clip and what is wrong with it, None if it is clean; of the clean clip, its `content` and hash."""

    content: str
    sha256: str
    distortion: Distortion | None
    measures: Measures


@dataclass(frozen=True)
class Clean:
    """A clean clip: its content, file, hash and shape."""

    content: str
    path: Path
    sha256: str
    shape: Shape


def known_clips(
    means: Means, clips: Sequence[Path] = (), *, large: bool = False, contents: Sequence[Content] | None = None
) -> list[KnownClip]:
    """Distort and measure clean clips: the demo's contents (or those named), and those below the folders `clips`.

    What was measured is kept, the distorted clips are not. With `large` it is the larger contents at another
    size, and fewer severities. Raises CallError for a folder without clips, DataError for a clip that cannot be read.
    """
    # A stage's folder keeps what the last run wanted: runs at two sizes need one each.
    means = replace(means, work=means.work / ("large" if large else "usual"))
    own = _own(clips, means.work)
    mark_as_cache(means.work)
    cut = _cut(means, contents or clean_contents(large=large), large=large)
    plan = {
        f"{clean.sha256}/{number:04d}": (clean, chain)
        for clean in _looked_at(means, {**cut, **own})
        for number, chain in enumerate(_chains(clean, LARGE_SEVERITIES if large else SEVERITIES))
    }
    items = [_work(name, clean, chain) for name, (clean, chain) in plan.items()]
    outcomes = means.done("distorting and measuring", known_stage(), items)
    known = []
    for name, (clean, chain) in plan.items():
        outcome = outcomes[name]
        if outcome.result is None:
            if not chain or outcome.transient:
                raise DataError(f"{clean.path.name}: {outcome.error}")
            continue  # what has no colour cannot lose it
        known.append(KnownClip(clean.content, clean.sha256, next(iter(truth_of(chain)), None), outcome.result))
    return known


def known_stage() -> Stage:
    """Give the stage that distorts and measures."""
    digest = source_digest(*RENDERING, *MODULES, "dataset_builder.signal.known")
    return Stage("known", "dataset_builder.signal.known:make_and_measure", digest, {"tools": tools()})


def make_and_measure(item: Item) -> Item:
    """Distort one clip, measure what comes of it, and let it go: {path, sha256, shape, chain} to measures."""
    shape, chain = msgspec.convert(item["shape"], Shape), msgspec.convert(item["chain"], list[Applied])
    frames = itertools.islice(frames_of(Path(item["path"])), shape.frames)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "clip.mp4"
        encode_frames(distorted(frames, shape, chain, seed=0, key=item["sha256"]), shape.fps, made)
        return measure_clip(made)


def _work(name: str, clean: Clean, chain: Sequence[Applied]) -> Work:
    content = {"sha256": clean.sha256, "shape": msgspec.to_builtins(clean.shape), "chain": msgspec.to_builtins(chain)}
    return Work(name, content, {"path": str(clean.path)})


def _chains(clean: Clean, severities: Sequence[int]) -> Iterator[list[Applied]]:
    """List what is done to one clean clip: nothing; each kind at each severity; and each for a second."""
    yield []
    kinds = plugin_names(dataset_builder.distortions)
    starts = range(0, int(clean.shape.frames / clean.shape.fps - WINDOW_SECONDS) + 1, WINDOW_SECONDS)
    for kind in kinds:
        yield from ([applied(kind, severity)] for severity in severities)
        strengths = SEVERITIES[1:] if kind == FREEZES else [pick(LOCAL_SEVERITIES, 0, clean.content, kind, "severity")]
        for severity in strengths if starts else ():
            start = float(pick(tuple(starts), 0, clean.content, kind, str(severity)))
            yield [applied(kind, severity, start, start + WINDOW_SECONDS)]


def _cut(means: Means, contents: Sequence[Content], *, large: bool) -> dict[str, Path]:
    """Make the clean clips of contents."""
    folder, size = means.work / "clips", "large" if large else "usual"
    digest = source_digest("dataset_builder.signal.clean", "dataset_builder.encode", "dataset_builder.frame")
    stage = Stage("clean", "dataset_builder.signal.clean:make_clean", digest, {"tools": tools()})
    files = {content.name: folder / f"{content.name}.mp4" for content in contents}
    making = [
        Work(
            f"{name}-{size}",
            {"content": name, "large": large},
            {"path": str(path), "files_folder": str(folder)},
        )
        for name, path in files.items()
    ]
    _results(means.done("cutting clean clips", stage, making))
    return files


def _own(folders: Sequence[Path], work: Path) -> dict[str, Path]:
    """Find the clips of one's own; each is a content."""
    files: dict[str, Path] = {}
    for folder in folders:
        names = [name for name in ClipFolder(folder, [work]).paths if _is_clip(name)]
        if not names:
            raise CallError(f"{str(folder)!r}: there are no clips in it")
        files |= {f"{folder.name}/{name}": folder / name for name in names}
    return files


def _is_clip(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in CLIP_SUFFIXES


def _looked_at(means: Means, files: Mapping[str, Path]) -> Iterator[Clean]:
    """Hash and decode clean clips."""
    hashed = _results(means.done("hashing", HASH, [hash_work(*file) for file in files.items()]))
    probing = [probe_work(name, path, hashed[name]["sha256"]) for name, path in files.items()]
    probed = _results(means.done("probing", probe_stage(), probing))
    for name, path in files.items():
        media = probed[name]
        if media["kind"] == "image" or media["frames"] < 2 * media["fps"]:
            raise DataError(f"{name}: a still image, or shorter than two seconds: nothing to calibrate on")
        frames = min(media["frames"], round(SECONDS * media["fps"]))
        yield Clean(name, path, media["sha256"], Shape(media["width"], media["height"], media["fps"], frames))


def _results(outcomes: Mapping[str, Outcome]) -> dict[str, Item]:
    for name, outcome in outcomes.items():
        if outcome.result is None:
            raise DataError(f"{name}: {outcome.error}")
    return {name: outcome.result for name, outcome in outcomes.items() if outcome.result is not None}
