"""What a build will take: disk, time and memory, from what reading a sample took and from a trial build of a few."""

from __future__ import annotations

import itertools
import math
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dataset_builder import engine
from dataset_builder.preflight.cost import Group, Range, exactly, scaled, uneven
from dataset_builder.preflight.headers import Head
from dataset_builder.preflight.labelled import Used
from dataset_builder.preflight.peak import peak_of
from dataset_builder.preflight.sample import Failing
from dataset_builder.preflight.trial import Trial
from dataset_builder.report.pictures import MOST_DISTORTIONS, PER_DISTORTION, PER_LEVEL
from schemas.errors import DataError
from schemas.levels import LEVELS
from schemas.recipe import BuildRecipe, plain

TRIAL_CLIPS = 12
"""So many clips of each source are built on trial; of one that is distorted enough for TRIAL_VERSIONS."""
TRIAL_VERSIONS = 40
"""Two of each kind of distortion: they cost unlike."""
LEAST_CLIPS = 3
TRIAL_PIXELS = 3e9
"""No further clip of a source is tried once the tried ones, and what is made of them, have so many pixels."""
MOST_PICTURES = PER_LEVEL * len(LEVELS) + PER_DISTORTION * MOST_DISTORTIONS
"""How many clips a report shows at most."""
RENDERING = ("distorting", "rendering")
"""Phases of a build, as it calls them, that render clips of others."""
RENDERING_VARIES = 0.7
"""Relative standard deviation of what one rendered version costs by the pixel, over the kinds of distortion."""
REST_VARIES = 1.5
"""What a small corpus took to be written tells of a large one to within this factor."""
KEPT_PER_TEXT = 2.2
"""Bytes that the driver holds for a byte of samples and records that it writes (measured on the demo's corpus)."""
ALLOCATOR = 1.25
"""A process may hold so much more than a single clip made it hold: memory that is free but not given back."""
EMPTY_PROCESS = 60e6
"""Bytes of a process that has imported what reads clips and has read none, about."""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes: `clips` that are copied, clips that are `rendered`, `text`: together the corpus of `total`.

    `peak` is what corpus and work folder take together before the work folder is removed.
    """

    clips: Range
    rendered: Range
    text: Range
    total: Range
    peak: Range


class Seconds(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of wall clock: `reading` the clips, `rendering` others, the `rest`; their sum. `cpu` is of reading."""

    reading: Range
    rendering: Range
    rest: Range
    total: Range
    cpu: Range


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What a build will take with so many `workers`; `tried` clips were built to tell.

    Without a recipe only reading and copying are counted. `memory` is the peak of all processes in bytes,
    `memory_a_worker` that of one.
    """

    workers: int
    recipe: str | None
    tried: int
    clips: int
    disk: Disk
    seconds: Seconds
    memory: Range
    memory_a_worker: Range
    remarks: list[str]


@dataclass(frozen=True)
class Known:
    """What the probe has found: readable `heads` by path, their `pixels`, and what `decoded` clips took."""

    heads: Mapping[str, Head]
    pixels: Mapping[str, float]
    decoded: Mapping[str, Mapping[str, Any]]
    failing: Failing
    workers: int

    def reading(self, paths: Sequence[str], what: str) -> Range:
        """Estimate the `cpu` or `wall` seconds of one process that decodes these clips."""
        measured = [(self.heads[p].group, self.pixels[p], float(took[what])) for p, took in self.decoded.items()]
        wanted: dict[Group, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
        for path in paths:
            group = self.heads[path].group
            clips, work = wanted[group]
            wanted[group] = (clips + 1, work + self.pixels[path])
        return scaled(measured, wanted)

    @property
    def whole(self) -> Range:
        """The share of clips that decode."""
        failing = self.failing
        return Range(1 - failing.share, 1 - failing.share_high, 1 - failing.share_low)

    def peaks(self, paths: Sequence[str]) -> list[float]:
        """Give the peak of a process that reads each of these clips: the largest that a clip of its group took."""
        seen: dict[Group, float] = defaultdict(float)
        largest, most = 1.0, EMPTY_PROCESS
        for path, took in self.decoded.items():
            group, peak = self.heads[path].group, float(took["peak"])
            seen[group] = max(seen[group], peak)
            largest, most = max(largest, self.picture(path)), max(most, peak)
        return [
            seen.get(self.heads[path].group)
            or EMPTY_PROCESS + (most - EMPTY_PROCESS) * max(1.0, self.picture(path) / largest)
            for path in paths
        ]

    def picture(self, path: str) -> float:
        """Give the pixels of one frame of a clip."""
        return float(self.heads[path].width * self.heads[path].height)


def predict_copying(known: Known) -> Prediction:
    """Predict a build that reads every clip once and copies it: what is sure of any recipe with `media: copy`."""
    paths = list(known.heads)
    size = known.whole * float(sum(head.bytes for head in known.heads.values()))
    slots = max(1, min(known.workers, len(paths)))
    reading, nothing = known.reading(paths, "wall") * (1 / slots), exactly(0.0)
    return Prediction(
        workers=known.workers,
        recipe=None,
        tried=0,
        clips=len(paths),
        disk=Disk(clips=size, rendered=nothing, text=nothing, total=size, peak=size),
        seconds=Seconds(
            reading=reading, rendering=nothing, rest=nothing, total=reading, cpu=known.reading(paths, "cpu")
        ),
        memory=_together(known.peaks(paths), slots, exactly(float(peak_of()))),
        memory_a_worker=_together(known.peaks(paths), 1, nothing),
        remarks=["samples (1 to 2 kB each), what is rendered, and copying are not counted: name the recipe"],
    )


@dataclass(frozen=True)
class Wanted:
    """The build that is to be predicted: a recipe read from `path`, and the clips that it uses below `folder`."""

    recipe: BuildRecipe
    path: Path
    folder: Path
    used: Sequence[Used]
    plugins: Sequence[Path] = ()

    def versions(self, used: Used) -> int:
        """Count what is made of each clip of a source: distorted versions, or the session that it is played in."""
        if self.recipe.distort and used.source.name in self.recipe.distort.sources:
            return self.recipe.distort.per_clip
        return 1 if used.source.sessions else 0

    def tries(self, used: Used) -> int:
        """Say how many clips of a source are to be built on trial."""
        versions = self.versions(used)
        return max(LEAST_CLIPS, math.ceil(TRIAL_VERSIONS / versions)) if versions else TRIAL_CLIPS


def predict_build(known: Known, wanted: Wanted) -> Prediction:
    """Predict a build of a recipe by building a few clips of each source. Raises DataError where those cannot be."""
    chosen = [_chosen(known, wanted, use) for use in wanted.used]
    with tempfile.TemporaryDirectory(prefix="vqa2-probe-") as scratch:
        trial = _try(known, wanted, chosen, Path(scratch))
    every = [[path for path in use.paths if path in known.heads] for use in wanted.used]
    return _Estimate(known, wanted, trial, chosen, every).prediction()


def _chosen(known: Known, wanted: Wanted, used: Used) -> list[str]:
    """Take the clips of a source that are built on trial: decoded ones, in the order that they were drawn in."""
    own, taken, pixels = set(used.paths), [], 0.0
    for path in known.decoded:
        if path in own:
            taken.append(path)
            pixels += known.pixels[path] * (1 + wanted.versions(used))
            if len(taken) >= wanted.tries(used) or (pixels > TRIAL_PIXELS and len(taken) >= LEAST_CLIPS):
                break
    return taken


def _try(known: Known, wanted: Wanted, chosen: Sequence[Sequence[str]], scratch: Path) -> Trial:
    """Build a corpus of the chosen clips alone: the recipe as it is, on folders that link to no others."""
    recipe, sources = wanted.recipe, []
    for use, paths in zip(wanted.used, chosen, strict=True):
        clips = scratch / "clips" / use.source.name
        clips.mkdir(parents=True)
        for path in paths:
            link = clips / use.within(path)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((wanted.folder / path).resolve())
        if paths:
            sources.append(msgspec.structs.replace(use.source, clips=str(clips)))
    if not sources:
        raise DataError("no clip that the recipe uses decodes: there is nothing to predict")
    names = {source.name for source in sources}
    distorted = [name for name in recipe.distort.sources if name in names] if recipe.distort else []
    distort = msgspec.structs.replace(recipe.distort, sources=distorted) if recipe.distort and distorted else None
    item = {
        "recipe": plain(msgspec.structs.replace(recipe, sources=sources, distort=distort)),
        "recipe_path": str(wanted.path.resolve()),
        "out": str(scratch / "corpus"),
        "work": str(scratch / "work"),
        "workers": known.workers,
        "plugins": [str(path.resolve()) for path in wanted.plugins],
    }
    (outcome,) = engine.run("dataset_builder.preflight.trial:trial_item", [item], slots=1, timeout=recipe.timeout * 100)
    if outcome.result is None:
        raise DataError(f"a trial build of {sum(map(len, chosen))} clips fails: {outcome.error}")
    return msgspec.convert(outcome.result, Trial)


@dataclass(frozen=True)
class _Estimate:
    """Goes from a trial build to the whole one. `chosen` and `every` are the clips tried and all, for each source."""

    known: Known
    wanted: Wanted
    trial: Trial
    chosen: Sequence[list[str]]
    every: Sequence[list[str]]

    def prediction(self) -> Prediction:
        disk, paths = self._disk(), list(itertools.chain(*self.every))
        largest, most = self._peaks(paths), min(self.known.workers, len(paths))
        held = KEPT_PER_TEXT * max(0.0, disk.text.value - sum(self.trial.text.values()))
        driver = Range(self.trial.driver_peak + held, float(self.trial.driver_peak), self.trial.driver_peak + 2 * held)
        return Prediction(
            workers=self.known.workers,
            recipe=self.wanted.path.name,
            tried=sum(map(len, self.chosen)),
            clips=len(paths),
            disk=disk,
            seconds=self._seconds(disk),
            memory=_together(largest, most, driver),
            memory_a_worker=_together(largest, 1, exactly(0.0)),
            remarks=[],
        )

    def _disk(self) -> Disk:
        whole, trial = self.known.whole, self.trial
        clips = rendered = text = exactly(0.0)
        for use, tried, every in zip(self.wanted.used, self.chosen, self.every, strict=True):
            if not tried:
                continue
            name = use.source.name
            share = min(1.0, trial.shown.get(name, 0) / len(tried))
            clips += whole * (share * sum(self.known.heads[path].bytes for path in every))
            text += whole * (trial.text.get(name, 0) * len(every) / len(tried))
            rendered += self._rendered(use, tried, every)
        more = sum(map(len, self.every)) / sum(map(len, self.chosen))
        text, kept = text + exactly(trial.manifest * more) + self._pages(more), exactly(trial.kept * more)
        if self.wanted.recipe.media == "copy":
            total = clips + rendered + text
            return Disk(clips=clips, rendered=rendered, text=text, total=total, peak=total + kept)
        return Disk(clips=exactly(0.0), rendered=rendered, text=text, total=text, peak=text + rendered + kept)

    def _pages(self, more: float) -> Range:
        """Estimate what is written for people, of `more` times the clips: a report shows so many of them at most."""
        trial, shown = self.trial, len(self.trial.pictures)
        a_picture = sum(trial.pictures) / max(shown, 1)
        least, likely = trial.pages, trial.pages + a_picture * (min(shown * more, max(MOST_PICTURES, shown)) - shown)
        return Range(likely, least, likely + a_picture * max(0.0, MOST_PICTURES - shown * more))

    def _rendered(self, use: Used, tried: Sequence[str], every: Sequence[str]) -> Range:
        """Estimate the bytes of what is rendered of the clips of a source, by the pixels of these."""
        pixels, prefix = self.known.pixels, f"{use.source.name}/"
        made = [
            (pixels[use.prefix + record_id.removeprefix(prefix)], float(size))
            for record_id, size in self.trial.rendered.get(use.source.name, [])
        ]
        if not made:
            return exactly(0.0)
        value = sum(size for _, size in made) * sum(pixels[p] for p in every) / sum(pixels[p] for p in tried)
        rates = [size / work for work, size in made]
        variation = statistics.pstdev(rates) / statistics.fmean(rates)
        return uneven(value, variation, [work for work, _ in made], self._works(use, every))

    def _works(self, use: Used, paths: Sequence[str]) -> list[float]:
        """List the pixels of every version that is rendered of these clips."""
        return [self.known.pixels[path] for path in paths for _ in range(self.wanted.versions(use))]

    def _seconds(self, disk: Disk) -> Seconds:
        known, trial = self.known, self.trial
        paths = list(itertools.chain(*self.every))
        reading = known.reading(paths, "wall") * (1 / max(1, min(known.workers, len(paths))))
        more_bytes = self._bytes(self.every) / max(self._bytes(self.chosen), 1.0)
        more_text = disk.text.value / max(sum(trial.text.values()) + trial.manifest + trial.pages, 1)
        tried, works = (
            [work for use, own in zip(self.wanted.used, clips, strict=True) for work in self._works(use, own)]
            for clips in (self.chosen, self.every)
        )
        rest, rendering = trial.once, 0.0
        for phase in trial.phases:
            if phase.what.startswith("reading"):
                rest += phase.first
            elif phase.what.startswith("drawing"):
                rest += phase.last  # of a report, whose pictures are bounded in number
            elif not phase.what.startswith(RENDERING):
                rest += phase.scaled(more_bytes, known.workers)
            else:
                rendering += phase.scaled(sum(works) / max(sum(tried), 1.0), known.workers)
        rest += trial.writing * more_text + trial.hashing * more_bytes
        rendered = uneven(rendering, RENDERING_VARIES, tried, works)
        others = Range(rest, rest / REST_VARIES, rest * REST_VARIES)
        return Seconds(
            reading=reading,
            rendering=rendered,
            rest=others,
            total=reading + rendered + others,
            cpu=known.reading(paths, "cpu"),
        )

    def _bytes(self, clips: Sequence[list[str]]) -> float:
        return float(sum(self.known.heads[path].bytes for path in itertools.chain(*clips)))

    def _peaks(self, paths: Sequence[str]) -> list[float]:
        """Give the peak of a process for each clip: what reading took, or what rendering took by the picture's size."""
        known, reading = self.known, dict(zip(paths, self.known.peaks(paths), strict=True))
        rendered = [
            (self.wanted.versions(use) > 0, path)
            for use, own in zip(self.wanted.used, self.every, strict=True)
            for path in own
        ]
        tried = [known.picture(path) for made, path in rendered if made and path in set(itertools.chain(*self.chosen))]
        for made, path in rendered:
            if made and tried:
                own = known.picture(path) / max(tried) * max(0.0, self.trial.child_peak - EMPTY_PROCESS)
                reading[path] = max(reading[path], EMPTY_PROCESS + own)
        return list(reading.values())


def _together(peaks: Sequence[float], processes: int, driver: Range) -> Range:
    """Add up so many processes and the driver: at worst the largest clips are read at the same time."""
    ordered = sorted(peaks, reverse=True)
    most, mean = sum(ordered[:processes]), sum(ordered) / len(ordered) * processes
    return Range(most, mean, most * ALLOCATOR) + driver
