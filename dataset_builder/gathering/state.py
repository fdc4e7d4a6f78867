"""What is known while sources are gathered, and the run that gathers them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataset_builder import engine
from dataset_builder.labels import LabelRow
from schemas.annotation import Annotation
from schemas.levels import LevelScale
from schemas.manifest import Quarantined
from schemas.recipe import BuildRecipe
from schemas.record import Record, Split
from schemas.session import Session

Tracker = Callable[[str, int], Callable[[], None]]
"""Starts a progress bar (description, total) and gives the call that advances it by one."""


@dataclass(frozen=True)
class Run:
    """One run of a recipe: where its paths start, how many processes work, whose plug-ins count, who is told."""

    recipe: BuildRecipe
    folder: Path
    workers: int | None
    plugins: Sequence[Path]
    track: Tracker

    def each(self, what: str, function: str, items: Sequence[engine.Item]) -> list[engine.Outcome]:
        """Run a function by name on every item, with progress; outcomes come in the order of the items."""
        advance = self.track(what, len(items))
        return engine.run(function, items, slots=self.workers, timeout=self.recipe.timeout, on_done=lambda _: advance())


@dataclass(frozen=True)
class Told:
    """A published conversation, the corpus config that it goes into, and the ids of the records that it shows."""

    row: LabelRow
    config: str
    shown: list[str]


@dataclass(frozen=True)
class ToRender:
    """A rated session that is still to be rendered: from the record `played`, as the record `id`."""

    id: str
    played: str
    row: LabelRow
    group: str
    split: Split
    session: Session


@dataclass
class Gathered:
    """What is known after all sources were read: records by id, the annotations of each, scales, and quarantine."""

    records: dict[str, Record] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    rows: dict[str, tuple[str, int]] = field(default_factory=dict)
    annotations: dict[str, list[Annotation]] = field(default_factory=lambda: defaultdict(list))
    annotation_rows: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    scales: dict[str, LevelScale] = field(default_factory=dict)
    conversations: list[Told] = field(default_factory=list)
    sessions: list[ToRender] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
