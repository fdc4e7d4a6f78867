"""A trial build of a few clips, measured: in a process of its own, so that its memory is its own."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import orjson

from dataset_builder.preflight.peak import ChildPeaks, peak_of
from dataset_builder.progress import Advance


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of the build's progress: when its first and its last item were done, in seconds from its start."""

    what: str
    items: int
    first: float
    last: float

    def scaled(self, factor: float, workers: int) -> float:
        """Give the seconds of a phase of `factor` times the work: starting its processes takes no longer."""
        if self.items <= workers or self.last <= self.first:
            return self.last * factor
        # The first items end `workers` at a time, so that many are not in the time between first and last.
        return self.first + (self.last - self.first) * self.items / (self.items - workers) * factor


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial build took: seconds, bytes.

    `once` is what does not grow with the clips (tables are read whole), `writing` what goes by the number of samples,
    `hashing` what goes by the bytes of the corpus; `text`, `shown` and `rendered` go by source: bytes of
    samples and records, clips that were shown as they are, and [clean clip, bytes] of those that were made of one;
    `pages` are the bytes of what is written for people, and `pictures` the sizes of the clips drawn in it; `kept` are
    the bytes of what the work folder keeps beside clips.
    """

    once: float
    phases: list[Phase]
    writing: float
    hashing: float
    driver_peak: int
    child_peak: int
    text: dict[str, int]
    shown: dict[str, int]
    rendered: dict[str, list[tuple[str, int]]]
    manifest: int
    pages: int
    pictures: list[int]
    kept: int


AFTER_SAMPLES = ("copying", "reading samples", "drawing")
"""Phases of a build, as it calls them, that come when samples are being written or are written."""


class _Clock:
    """Times the phases that a build tells of; `cpu` is when the last clip was read or rendered, in CPU seconds."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.cpu = time.process_time()
        self.timed: list[tuple[str, float, list[float]]] = []

    def track(self, what: str, _total: int) -> Advance:
        moments: list[float] = []
        self.timed.append((what, time.perf_counter(), moments))

        def advance(*, failed: bool = False) -> None:
            del failed
            moments.append(time.perf_counter())
            if not what.startswith(AFTER_SAMPLES):
                self.cpu = time.process_time()

        if not what.startswith(AFTER_SAMPLES):
            self.cpu = time.process_time()
        return advance

    def phases(self) -> list[Phase]:
        return [
            Phase(what=what, items=len(moments), first=moments[0] - start, last=moments[-1] - start)
            for what, start, moments in self.timed
            if moments
        ]


def run_trial(spec: dict[str, Any]) -> Trial:
    """Build the few clips of `spec` and measure it."""
    from dataset_builder import engine
    from dataset_builder.build import build
    from dataset_builder.corpus import CARD, MANIFEST, RECORDS, file_entry
    from dataset_builder.gathering.state import Means
    from dataset_builder.notes import FOLDER as NOTES
    from dataset_builder.report.page import REPORT
    from schemas.recipe import BuildRecipe

    recipe, out = msgspec.convert(spec["recipe"], BuildRecipe), Path(spec["out"])
    work, clock = Path(spec["work"]), _Clock()
    plugins = [Path(folder) for folder in spec["plugins"]]
    means = Means(engine.LocalEngine(spec["workers"]), plugins, work)
    with ChildPeaks() as children:
        build(recipe, Path(spec["recipe_path"]), out, replace(means, track=clock.track))
    ended, peak = time.perf_counter(), peak_of()
    phases = clock.phases()
    # What comes once in a process, such as imports, does not grow with the corpus: a second build is without it. CPU
    # seconds, since so little time would be drowned by whatever else the machine does.
    again = _Clock()
    build(recipe, Path(spec["recipe_path"]), out, replace(means, track=again.track))
    writing = time.process_time() - again.cpu
    text: dict[str, int] = defaultdict(int)
    for path in (out / "data").glob("*/*.jsonl"):
        for line in path.read_bytes().splitlines():
            text[orjson.loads(line)["provenance"]["source"]] += len(line) + 1
    shown: dict[str, int] = defaultdict(int)
    rendered: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for line in (out / RECORDS).read_bytes().splitlines():
        record = orjson.loads(line)
        source, media = record["source"], record["media"]
        text[source] += len(line) + 1
        if record["origin"]:
            rendered[source].append((record["origin"]["record_id"], media["bytes"]))
        elif recipe.media != "copy" or (out / media["path"]).is_file():
            shown[source] += 1
    began = time.process_time()
    for path in (out / "media").rglob("*.*"):
        file_entry(path)
    hashing = time.process_time() - began
    writing = max(0.0, writing - hashing)
    once = ended - clock.begun - sum(phase.last for phase in phases) - hashing - writing
    return Trial(
        once=max(0.0, once),
        phases=phases,
        writing=writing,
        hashing=hashing,
        driver_peak=peak,
        child_peak=children.largest,
        text=dict(text),
        shown=dict(shown),
        rendered=dict(rendered),
        manifest=(out / MANIFEST).stat().st_size,
        pages=sum(path.stat().st_size for path in [out / CARD, out / REPORT, *(out / NOTES).glob("*")]),
        pictures=[len(found) for found in re.findall(rb'"data:image/[^"]*"', (out / REPORT).read_bytes())],
        kept=sum(path.stat().st_size for path in work.glob("*/*.json*")),
    )


def trial_item(item: dict[str, Any]) -> dict[str, Any]:
    """Run a trial build as work for the engine: {recipe, recipe_path, out, work, workers, plugins} to a Trial."""
    made: dict[str, Any] = msgspec.to_builtins(run_trial(item))
    return made
