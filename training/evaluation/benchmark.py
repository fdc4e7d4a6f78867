"""A model on a test set: every item scored or told why not, under a lock where all clips are at hand.

Nothing leaves a metric in silence. `n_expected` is what the set publishes, or what the caller states instead, and never
less than the label file lists; an item without a clip, a clip that cannot be read, and a row that cannot be used each
stand in the outcome by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from msgspec.structs import replace

from dataset_builder.locks import require_same
from dataset_builder.matching import ClipFolder, NoMatchError
from dataset_builder.progress import Tracker, untracked
from dataset_builder.video import MediaError
from schemas.errors import CallError, DataError
from schemas.lock import BenchmarkLock, MetricReport, Metrics
from training.checkpoints.checkpoint import Checkpoint
from training.evaluation.grading import Grade, accuracies, graded, vlmevalkit
from training.evaluation.judging import Judge, NoJudge
from training.evaluation.metrics import RESAMPLES, Agreement, agreement
from training.evaluation.outcomes import Line, Outcome
from training.evaluation.testset_locks import lock_of
from training.inference.answering import generated, likeliest
from training.inference.score import Question, feed_of, score_clips, too_long
from training.inputs.features import FeatureCache
from training.testsets import LETTERS, Items, QuestionItem, ScoredItem
from training.testsets._questions import prompt_of

AnswerBy = Literal["generate", "letter"]
CHUNK = 16
"""Questions whose clips are held in memory at once."""


@dataclass(frozen=True)
class Asked:
    """A test set as it is to be asked: its items, the files of its clips, and their lock.

    `files` holds the files that are there by the clip's name, `absent` why a clip has none; `unlocked` says why there
    is no lock.
    """

    set: str
    found: Items
    notes: str
    n_expected: int
    files: Mapping[str, Path]
    absent: Mapping[str, str]
    lock: BenchmarkLock | None
    unlocked: str

    def absence(self, item: ScoredItem | QuestionItem) -> str:
        """Say which clips of an item are not there; "" if all are."""
        return "; ".join(self.absent[clip] for clip in _clips(item) if clip in self.absent)


@dataclass(frozen=True)
class Model:
    """A model to be asked: what it is called, what tells its weights from others, and how it is loaded when needed."""

    name: str
    weights: str
    load: Callable[[], tuple[Checkpoint, FeatureCache | None]]


@dataclass(frozen=True)
class Settings:
    """How a test set is asked and measured; `judge` is of open-ended answers, the rest of the intervals."""

    by: AnswerBy = "generate"
    judge: Judge | None = None
    resamples: int = RESAMPLES
    seed: int = 0
    track: Tracker = untracked


DEFAULT = Settings()


def asked_of(
    name: str,
    testset: ModuleType,
    labels: Path,
    clips: Path,
    *,
    part: str | None = None,
    expect: int | None = None,
    lock: BenchmarkLock | None = None,
    track: Tracker = untracked,
) -> Asked:
    """Read a test set, find its clips and lock it.

    With `lock` the items and the files at hand must be that benchmark's (DataError saying how they differ); of clips
    that are missing its word is taken. Raises CallError when the label file, its part or the folder is none.
    """
    found: Items = testset.items(labels, part)
    if not found.items:
        why = f": {found.refused[0]}" if found.refused else ""
        raise DataError(f"{labels}: no item of {testset.ABOUT.title} in it{why}")
    folder = ClipFolder(clips)
    files: dict[str, Path] = {}
    absent: dict[str, str] = {}
    for clip in dict.fromkeys(clip for item in found.items for clip in _clips(item)):
        try:
            files[clip] = clips / folder.match(clip)
        except NoMatchError as error:
            absent[clip] = str(error)
    made = lock_of(name, found, files, lock, track)
    if lock and made:
        require_same(lock, made, f"{labels.name} with its clips")
    unlocked = "" if made else f"{len(absent)} clips are missing"
    n_expected = max(found.expected or 0 if expect is None else expect, len(found.items))
    return Asked(name, found, testset.ABOUT.notes, n_expected, files, absent, lock or made, unlocked)


def run(
    asked: Asked,
    model: Model,
    settings: Settings = DEFAULT,
    *,
    done: Mapping[str, Line] | None = None,
    each: Callable[[Line], None] = lambda _: None,
) -> Outcome:
    """Score or ask every item, and measure. `each` is given the line of every item as soon as it stands.

    What `done` holds is not asked again; the model is loaded only if something is left to ask. Raises CallError when
    `done` is of another model, set or way of asking.
    """
    how = settings.by if asked.found.questions else "score"
    earlier = dict(done or {})
    for line in earlier.values():
        if (line.set, line.weights, line.by) != (asked.set, model.weights, how):
            its = f"{line.set}, model {line.model} ({line.weights}), by {line.by}"
            mine = f"{asked.set}, model {model.name} ({model.weights}), by {how}"
            raise CallError(f"the lines of the earlier run are of {its}, this run is of {mine}")
    blank = {item.id: _blank(item, asked, model, how) for item in asked.found.items}
    lines: dict[str, Line] = {}
    judge = settings.judge or NoJudge()
    by_id = {item.id: item for item in asked.found.questions}
    grades: dict[str, Grade] = {}
    for line in _lines(asked, model, settings, blank, earlier):
        told = line
        if item := by_id.get(line.id):
            verdicts: list[int] = []
            if item.open_ended and line.answer is not None:
                verdicts = judge.verdicts(item.question, item.reference, line.answer)
            grades[line.id] = graded(item, line.answer, verdicts)
            told = replace(line, verdicts=verdicts, credit=grades[line.id].credit)
        lines[line.id] = told
        each(told)
    return _outcome(asked, model, settings, lines, list(grades.values()))


def report_of(asked: Asked, outcome: Outcome) -> MetricReport:
    """Give what `vqa2 compare` reads. Raises CallError where there is no lock, or no correlation to tell."""
    if asked.lock is None or outcome.metrics is None:
        raise CallError(f"there is nothing to compare by: {asked.unlocked or 'this set asks questions'}")
    return MetricReport(
        benchmark=asked.lock.named(),
        config=asked.lock.config,
        split=asked.lock.split,
        model=outcome.model,
        n_expected=asked.lock.n,
        errors=[f"{item}: {error}" for item, error in outcome.errors.items()],
        not_scored=sorted({*outcome.missing, *outcome.errors}),
        trained=Metrics(n=outcome.metrics.n, srcc=outcome.metrics.srcc.value, plcc=outcome.metrics.plcc.value),
        lock=asked.lock,
    )


def _clips(item: ScoredItem | QuestionItem) -> tuple[str, ...]:
    return (item.clip,) if isinstance(item, ScoredItem) else item.clips


def _blank(item: ScoredItem | QuestionItem, asked: Asked, model: Model, how: str) -> Line:
    """Make the line of an item as it is before anything is asked."""
    line = Line(
        id=item.id,
        set=asked.set,
        part=asked.found.part,
        model=model.name,
        weights=model.weights,
        by=how,
        clips=list(_clips(item)),
        error=asked.absence(item),
    )
    if isinstance(item, ScoredItem):
        return replace(line, part=item.part or line.part, raw=item.raw)
    return replace(
        line,
        question=item.question,
        type=item.type,
        concerns=list(item.concerns),
        options=list(item.options),
        right="" if item.right is None else LETTERS[item.right],
        reference=item.reference,
    )


def _lines(
    asked: Asked, model: Model, settings: Settings, blank: Mapping[str, Line], earlier: Mapping[str, Line]
) -> Iterator[Line]:
    """Give the lines: of the earlier run, of what has no clip, then what the model says of the rest."""
    for item_id, line in blank.items():
        if item_id in earlier:
            yield earlier[item_id]
        elif line.error:
            yield line
    todo = [item for item in asked.found.items if item.id not in earlier and not blank[item.id].error]
    if not todo:
        return
    checkpoint, cache = model.load()
    scored = [item for item in todo if isinstance(item, ScoredItem)]
    yield from _scored(asked, scored, blank, checkpoint, cache, track=settings.track)
    questions = [item for item in todo if isinstance(item, QuestionItem)]
    advance = settings.track("ask", len(questions)) if questions else None
    for start in range(0, len(questions), CHUNK):
        for line in _answered(asked, questions[start : start + CHUNK], blank, checkpoint, cache, by=settings.by):
            yield line
            if advance:
                advance(failed=bool(line.error))


def _scored(
    asked: Asked,
    items: Sequence[ScoredItem],
    blank: Mapping[str, Line],
    checkpoint: Checkpoint,
    cache: FeatureCache | None,
    *,
    track: Tracker,
) -> Iterator[Line]:
    of_path: dict[str, list[ScoredItem]] = {}
    for item in items:
        of_path.setdefault(str(asked.files[item.clip]), []).append(item)
    advance = track("score", len(of_path)) if of_path else None
    for row in score_clips(checkpoint, map(Path, of_path), cache=cache):
        if advance:
            advance(failed=row.score is None)
        for item in of_path[row.clip]:
            yield replace(blank[item.id], score=row.score, levels=row.probabilities, error=row.error or "")


def _answered(
    asked: Asked,
    items: Sequence[QuestionItem],
    blank: Mapping[str, Line],
    checkpoint: Checkpoint,
    cache: FeatureCache | None,
    *,
    by: AnswerBy,
) -> Iterator[Line]:
    ready: dict[str, Question] = {}
    failed: dict[str, str] = {}
    for item in items:
        try:
            feeds = [feed_of(checkpoint, asked.files[clip], item.media, cache) for clip in item.clips]
        except MediaError as error:
            failed[item.id] = str(error)
            continue
        shown = [(len(feed.pictures), 0 if feed.motion is None else len(feed.motion)) for feed in feeds]
        question = Question(item.id, prompt_of(item, shown), "", feeds)
        if told := too_long(checkpoint, question):
            failed[item.id] = told
        else:
            ready[item.id] = question
    choices = [item for item in items if item.id in ready and by == "letter" and not item.open_ended]
    offered = [LETTERS[: len(item.options)] for item in choices]
    letters = likeliest(checkpoint, [ready[item.id] for item in choices], offered)
    answers = {item.id: f"{letter}." for item, letter in zip(choices, letters, strict=True) if letter}
    failed |= {item.id: "the model gives no number: NaN" for item in choices if item.id not in answers}
    spoken = [item_id for item_id in ready if item_id not in answers and item_id not in failed]
    answers |= dict(zip(spoken, generated(checkpoint, [ready[item_id] for item_id in spoken]), strict=True))
    for item in items:
        yield replace(blank[item.id], answer=answers.get(item.id), error=failed.get(item.id, ""))


def _outcome(
    asked: Asked, model: Model, settings: Settings, lines: Mapping[str, Line], grades: Sequence[Grade]
) -> Outcome:
    absent = {item.id for item in asked.found.items if asked.absence(item) and lines[item.id].error}
    ordered = [lines[item.id] for item in asked.found.items]
    names = sorted({line.part for line in ordered if asked.found.scored})
    parts = {name: _measured([line for line in ordered if line.part == name], settings) for name in names if name}
    return Outcome(
        set=asked.set,
        part=asked.found.part,
        model=model.name,
        weights=model.weights,
        by=settings.by if asked.found.questions else "score",
        notes=asked.notes,
        published=asked.found.expected,
        listed=len(ordered),
        n_expected=asked.n_expected,
        n_scored=sum(not line.error for line in ordered),
        missing=[line.id for line in ordered if line.id in absent],
        refused=asked.found.refused,
        errors={line.id: line.error for line in ordered if line.error and line.id not in absent},
        lock=asked.lock.named() if asked.lock else None,
        unlocked=asked.unlocked,
        scale=[asked.found.scale.lo, asked.found.scale.hi] if asked.found.scale else None,
        metrics=_measured(ordered, settings) if asked.found.scored else None,
        parts=parts if len(parts) > 1 else {},
        mean_of_parts=_means(parts) if len(parts) > 1 else {},
        accuracy=accuracies(grades, settings.seed) if grades else {},
        vlmevalkit=vlmevalkit(grades),
        judge=settings.judge.name if settings.judge else "",
        unjudged=sum(grade.open_ended and grade.credit is None for grade in grades),
    )


def _measured(lines: Sequence[Line], settings: Settings) -> Agreement:
    pairs = [(line.score, line.raw) for line in lines if line.score is not None and line.raw is not None]
    predicted, truth = [score for score, _ in pairs], [raw for _, raw in pairs]
    return agreement(predicted, truth, resamples=settings.resamples, seed=settings.seed, track=settings.track)


def _means(parts: Mapping[str, Agreement]) -> dict[str, float]:
    """Average each metric over the parts, where every part has it."""
    means = {}
    for name in next(iter(parts.values())).metrics():
        values = [found.metrics()[name].value for found in parts.values()]
        defined = [value for value in values if value is not None]
        if len(defined) == len(values):
            means[name] = sum(defined) / len(defined)
    return means
