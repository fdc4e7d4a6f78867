"""What is known while sources are gathered, and the run that gathers them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataset_builder.engine import Engine, LocalEngine, Outcome, Part, Stage, StageResult, Work, run_stage
from dataset_builder.labels import LabelRow
from dataset_builder.leftovers import mark_as_cache
from dataset_builder.progress import Tracker, untracked
from schemas.annotation import Annotation
from schemas.levels import LevelScale
from schemas.manifest import Quarantined
from schemas.pair import Pair, PairVerdict
from schemas.recipe import BuildRecipe
from schemas.record import Record, Split
from schemas.session import Session

UNKNOWN = Outcome(None, "another part of this run has not done it yet", transient=True)


@dataclass(frozen=True)
class Means:
    """By what a recipe is run: processes and plug-ins, where work is kept, and who is told.

    `part` is this run's share of the work, of several that use the same work folder; `retry_failed` tries again what
    failed in an earlier run.
    """

    engine: Engine = field(default_factory=LocalEngine)
    plugins: Sequence[Path] = ()
    work: Path | None = None
    part: Part | None = None
    retry_failed: bool = False
    track: Tracker = untracked


class OtherPartsError(Exception):
    """One part of a run has done what it can: `stages` wait for the others, or nothing is left but to write."""

    def __init__(self, stages: Sequence[str]) -> None:
        """Take the names of the stages that other parts have not done yet."""
        super().__init__(", ".join(stages))
        self.stages = list(stages)


@dataclass(frozen=True)
class Run:
    """One run of a recipe: where its paths start, by what it is run, where its work is kept."""

    recipe: BuildRecipe
    folder: Path
    means: Means
    work: Path
    unfinished: list[str] = field(default_factory=list)
    """Stages whose other parts are not done yet."""

    def stage(self, what: str, stage: Stage, work: Sequence[Work], folder: Path) -> dict[str, Outcome]:
        """Run a stage with progress, keeping it in `folder`: the outcomes by id."""
        result = self.result_of(what, stage, work, folder, self.means.engine)
        found = dict.fromkeys((item.id for item in work), UNKNOWN)
        found.update(result.outcomes())
        return found

    def result_of(self, what: str, stage: Stage, work: Sequence[Work], folder: Path, engine: Engine) -> StageResult:
        """Run a stage as `stage` does, by this engine: what became of it, whose outcomes are read when asked for."""
        mark_as_cache(self.work)
        advance = self.means.track(what, len(work))
        result = run_stage(
            replace(stage, timeout=self.recipe.timeout),
            work,
            folder,
            engine=engine,
            part=self.means.part,
            retry_failed=self.means.retry_failed,
            told=lambda outcome: advance(failed=outcome.error is not None),
        )
        if not result.complete:
            self.unfinished.append(stage.name)
        return result

    def refuse_unfinished(self) -> None:
        """Stop here if a stage that comes next needs what other parts have not done. Raises OtherPartsError."""
        if self.unfinished:
            raise OtherPartsError(list(dict.fromkeys(self.unfinished)))


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
class PairsRead:
    """The pairs of one source that were read from `file`: those to be used, by record, and the lines of all.

    `judged` are those that reviewers gave a verdict on, which `verdicts` holds by pair.
    """

    file: str
    of: dict[str, list[Pair]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, int] = field(default_factory=dict)
    judged: list[Pair] = field(default_factory=list)
    verdicts: dict[str, PairVerdict] = field(default_factory=dict)


@dataclass
class Gathered:
    """What is known after all sources were read: records, their annotations, pairs by source, scales, quarantine."""

    records: dict[str, Record] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    rows: dict[str, tuple[str, int]] = field(default_factory=dict)
    annotations: dict[str, list[Annotation]] = field(default_factory=lambda: defaultdict(list))
    annotation_rows: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    pairs: dict[str, PairsRead] = field(default_factory=dict)
    scales: dict[str, LevelScale] = field(default_factory=dict)
    conversations: list[Told] = field(default_factory=list)
    sessions: list[ToRender] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
