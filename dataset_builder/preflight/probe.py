"""Looks at a folder of clips before anything is built of it: every header, a sample of the frames, what it costs."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from dataset_builder import engine
from dataset_builder.engine import Outcome
from dataset_builder.matching import ClipFolder, printable
from dataset_builder.preflight.cost import pixels_of
from dataset_builder.preflight.headers import Head
from dataset_builder.preflight.labelled import used_by
from dataset_builder.preflight.predict import Known, Prediction, Wanted, predict_build, predict_copying
from dataset_builder.preflight.sample import Failing, drawn, failing
from dataset_builder.progress import Tracker, untracked
from dataset_builder.video import CLIP_SUFFIXES
from schemas.errors import CallError
from schemas.recipe import BuildRecipe, SourceRecipe

SAMPLE = 200
"""Clips that are decoded: with none failing, 95 % sure that less than 2 % of the folder do."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A file that cannot be read, and why; `transient` marks a limit of this machine (time, memory)."""

    file: str
    reason: str
    transient: bool = False


class ClipRow(msgspec.Struct, frozen=True, kw_only=True):
    """One clip as the report lists it; what its header does not tell is None. Width and height are as stored."""

    file: str
    state: Literal["decodes", "decoding fails", "header fails", "not decoded"]
    reason: str | None = None
    bytes: int | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    frames: int | None = None
    seconds: float | None = None


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Least, median, most and sum of a quantity."""

    least: float
    median: float
    most: float
    total: float


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What the readable headers tell: clips by codec, size and frame rate, seconds, frames, and still images.

    `untimed` counts the clips whose container does not tell how long they are; they are in no sum.
    """

    bytes: int
    stills: int
    codecs: dict[str, int]
    sizes: dict[str, int]
    rates: dict[str, int]
    seconds: Spread | None
    frames: int
    untimed: int


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder of clips holds and what fails of it. `others` counts files that are no clips, by suffix."""

    folder: str
    clips: int
    others: dict[str, int]
    header_failures: list[Failure]
    decode_failures: list[Failure]
    failing: Failing
    contents: Contents
    prediction: Prediction | None
    seed: int
    rows: list[ClipRow]

    @property
    def failed(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.header_failures or self.decode_failures)


def probe(
    folder: Path,
    *,
    recipe: BuildRecipe | None = None,
    recipe_path: Path = Path(),
    sample: int | None = SAMPLE,
    seed: int = 0,
    workers: int | None = None,
    timeout: float = 600.0,
    plugins: Sequence[Path] = (),
    track: Tracker = untracked,
) -> Probe:
    """Read the headers of all clips below `folder`, decode `sample` of them (None: all), and predict a build.

    `recipe`, whose paths are relative to `recipe_path`, says which build; `timeout` is in seconds a clip. Raises
    CallError for a folder without clips, and for one that holds none of the recipe's.
    """
    listed = ClipFolder(folder)
    paths = [path for path in listed.paths if Path(path).suffix.lower() in CLIP_SUFFIXES]
    wanted: Wanted | None = None
    elsewhere: list[SourceRecipe] = []
    if recipe:
        used, elsewhere = used_by(recipe, recipe_path, folder, plugins)
        wanted = Wanted(recipe, recipe_path, folder, used, plugins)
    if not paths:
        raise CallError(f"there are no videos or images in {str(folder)!r}")
    others = Counter(Path(path).suffix.lower() for path in listed.paths if path not in set(paths))
    slots = workers or engine.usable_cores()

    def each(what: str, function: str, chosen: Sequence[str]) -> dict[str, Outcome]:
        advance = track(what, len(chosen))
        items = [{"path": str(folder / path), "relative": path} for path in chosen]
        done = engine.run(
            function, items, slots=slots, timeout=timeout, on_done=lambda o: advance(failed=o.error is not None)
        )
        return dict(zip(chosen, done, strict=True))

    headers = each("reading headers", "dataset_builder.preflight.headers:header_item", paths)
    heads = {path: Head(path, **o.result) for path, o in headers.items() if o.result is not None}
    unread = [Failure(file=path, reason=reason) for path, reason in listed.unusable] + _failures(headers)
    chosen = drawn(heads, sample, seed)
    # Clips beside the sample tell what groups and sources cost that the draw left out, and nothing of what fails.
    beside = list(dict.fromkeys(_of_each_group(heads, chosen, seed) + _of_each_source(heads, wanted, seed)))
    beside = [path for path in beside if path not in set(chosen)]
    outcomes = each("decoding a sample", "dataset_builder.preflight.cost:decode_item", chosen + beside)
    seen = [outcomes[path] for path in chosen]
    told = failing(len(heads), len(chosen), sum(o.result is None for o in seen))
    took = {path: {**o.result, **o.result["media"]} for path, o in outcomes.items() if o.result is not None}
    pixels = pixels_of(list(heads.values()), took)
    # A header that does not hold may promise any number of frames: such a clip counts as a usual one.
    usual = statistics.median(pixels.values()) if pixels else 0.0
    pixels |= {path: min(pixels[path], usual) for path, o in outcomes.items() if o.result is None}
    known = Known(heads, pixels, took, told, slots)
    prediction = None
    if took and wanted:
        advance = track("building a few on trial", 1)
        prediction = predict_build(known, wanted)
        remarks = [f"the clips of source {source.name!r} lie elsewhere: not counted" for source in elsewhere]
        prediction = msgspec.structs.replace(prediction, remarks=[*prediction.remarks, *remarks])
        advance()
    elif took:
        prediction = predict_copying(known)
    return Probe(
        folder=str(folder),
        clips=len(paths),
        others=dict(sorted(others.items())),
        header_failures=unread,
        decode_failures=_failures(outcomes),
        failing=told,
        contents=_contents(list(heads.values())),
        prediction=prediction,
        seed=seed,
        rows=[ClipRow(file=printable(path), state="header fails", reason=reason) for path, reason in listed.unusable]
        + list(_rows(headers, heads, outcomes)),
    )


def _failures(outcomes: Mapping[str, Outcome]) -> list[Failure]:
    return [
        Failure(file=path, reason=outcome.error or "unknown", transient=outcome.transient)
        for path, outcome in sorted(outcomes.items())
        if outcome.result is None
    ]


def _of_each_group(heads: Mapping[str, Head], chosen: Sequence[str], seed: int) -> list[str]:
    """Draw one clip of each group that the sample has none of."""
    groups = {heads[path].group for path in chosen}
    first: dict[tuple[str, str], str] = {}
    for path in drawn((path for path, head in heads.items() if head.group not in groups), None, seed):
        first.setdefault(heads[path].group, path)
    return list(first.values())


def _of_each_source(heads: Mapping[str, Head], wanted: Wanted | None, seed: int) -> list[str]:
    """Draw the clips of each source that a trial build needs."""
    return [
        path
        for use in (wanted.used if wanted else ())
        for path in drawn((path for path in use.paths if path in heads), wanted.tries(use) if wanted else 0, seed)
    ]


def _contents(heads: Sequence[Head]) -> Contents:
    seconds = [head.seconds for head in heads if head.seconds is not None]
    return Contents(
        bytes=sum(head.bytes for head in heads),
        stills=sum(head.still for head in heads),
        codecs=_counted(head.codec for head in heads),
        sizes=_counted(f"{head.width}x{head.height}" for head in heads),
        rates=_counted(f"{head.fps:.5g}" for head in heads if head.fps is not None),
        seconds=Spread(least=min(seconds), median=statistics.median(seconds), most=max(seconds), total=sum(seconds))
        if seconds
        else None,
        frames=sum(head.frames or 0 for head in heads),
        untimed=sum(head.seconds is None and not head.still for head in heads),
    )


def _counted(values: Any) -> dict[str, int]:
    """Count values, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))


def _rows(
    headers: Mapping[str, Outcome], heads: Mapping[str, Head], decoded: Mapping[str, Outcome]
) -> Iterator[ClipRow]:
    for path, read in headers.items():
        head, outcome = heads.get(path), decoded.get(path)
        if head is None:
            yield ClipRow(file=path, state="header fails", reason=read.error)
            continue
        state: Literal["decodes", "decoding fails", "not decoded"] = "not decoded"
        if outcome is not None:
            state = "decodes" if outcome.result is not None else "decoding fails"
        yield ClipRow(
            file=path,
            state=state,
            reason=outcome.error if outcome else None,
            bytes=head.bytes,
            codec=head.codec,
            width=head.width,
            height=head.height,
            fps=head.fps,
            frames=head.frames,
            seconds=head.seconds,
        )
