"""Metrics of a model as its card tells them: read from the reports of `vqa2 eval --out` and `vqa2 benchmark --json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from huggingface_hub import EvalResult

from schemas.errors import CallError, DataError
from schemas.lock import Benchmark, MetricReport

TITLES = {"srcc": "SRCC", "plcc": "PLCC", "plcc_fitted": "PLCC after the 4-parameter logistic", "krcc": "KRCC"}
"""Metrics that a card tells, and how it calls them. `plcc` is without a logistic fit."""
ACCURACY, OVERALL, OF_TYPE = "accuracy", "overall", "type: "
"""What answers to questions are measured by, and the groups of them that a card tells: all, and each type."""
TASK = "video-classification"
"""The task of the Hub that takes a clip and gives what it is worth; it has none of quality."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One metric with its interval, as the outcome of a test set holds it."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What a card tells of the metrics of a test set of scores."""

    srcc: Measured
    plcc: Measured
    plcc_fitted: Measured
    krcc: Measured


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """What a card tells of the answers to a group of `n` questions: the share that is right, of those `graded`."""

    n: int
    graded: int
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def measured(self) -> Measured:
        """The accuracy with its interval."""
        return Measured(value=self.accuracy, low=self.low, high=self.high)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a card tells of a run on a test set."""

    set: str
    part: str
    model: str
    n_expected: int
    n_scored: int
    lock: Benchmark | None
    metrics: Agreement | None = None
    accuracy: dict[str, Accuracy] = {}
    by: str = ""
    judge: str = ""


@dataclass(frozen=True)
class Result:
    """What one report says: of which model, on which benchmark, over how many of its clips or questions.

    `accuracy` is of questions, overall and by type; `asked` says how these were asked, and who judged.
    """

    model: str
    benchmark: str
    split: str
    lock: str | None
    n: int
    n_expected: int
    values: dict[str, Measured]
    accuracy: dict[str, Accuracy] = field(default_factory=dict)
    asked: str = ""

    @property
    def complete(self) -> bool:
        """Whether it is over every clip, or question, of the benchmark: others are no result of it."""
        return self.n >= self.n_expected


def read_results(paths: Sequence[Path], model: str) -> list[Result]:
    """Read reports of a model. Raises CallError for a file that is none, or is of another model."""
    return [result for path in paths for result in _results(path, model)]


def eval_results(results: Sequence[Result]) -> list[EvalResult]:
    """Give what the header of a card says of complete results."""
    return [
        EvalResult(
            task_type=TASK,
            task_name="Video quality assessment",
            dataset_type=result.benchmark.split("/", maxsplit=1)[0],
            dataset_name=result.benchmark,
            dataset_split=result.split or None,
            dataset_args={"lock": result.lock, "n": result.n} | ({"asked": result.asked} if result.asked else {}),
            metric_type=name,
            metric_name=TITLES.get(name, ACCURACY),
            metric_value=measured.value,
        )
        for result in results
        if result.complete
        for name, measured in _headline(result).items()
        if measured.value is not None
    ]


def _headline(result: Result) -> dict[str, Measured]:
    """Give what counts as the result: of questions, the accuracy over all of them."""
    overall = result.accuracy.get(OVERALL)
    return result.values | ({ACCURACY: overall.measured} if overall else {})


def _results(path: Path, model: str) -> Iterator[Result]:
    try:
        read = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise CallError(f"--metrics {path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise CallError(f"--metrics {path}: no JSON: {error}") from None
    for one in read if isinstance(read, list) else [read]:
        result = _result(one, path)
        if result.model != model:
            raise DataError(
                f"--metrics {path}: it is of the model {result.model!r}, this folder is {model!r}: take the report of "
                "this one"
            )
        yield result


def _result(plain: Any, path: Path) -> Result:
    try:
        if isinstance(plain, dict) and "set" in plain:
            found = msgspec.convert(plain, Outcome)
            return _of_outcome(found, path)
        report = msgspec.convert(plain, MetricReport)
    except msgspec.ValidationError as error:
        raise CallError(
            f"--metrics {path}: no report of `vqa2 eval --out` or `vqa2 benchmark --json`: {error}"
        ) from None
    return Result(
        report.model,
        report.benchmark.name,
        report.split,
        report.benchmark.lock,
        report.trained.n,
        report.n_expected,
        {"srcc": Measured(value=report.trained.srcc), "plcc": Measured(value=report.trained.plcc)},
    )


def _of_outcome(found: Outcome, path: Path) -> Result:
    """Take the result of a test set: of questions, over those that were graded. Raises CallError where it has none."""
    name = f"{found.set}/{found.part}" if found.part else found.set
    lock = found.lock.lock if found.lock else None
    if found.metrics is not None:
        values = {key: getattr(found.metrics, key) for key in TITLES}
        return Result(found.model, name, found.part, lock, found.n_scored, found.n_expected, values)
    if OVERALL not in found.accuracy:
        raise CallError(f"--metrics {path}: {found.set} has neither correlations nor accuracies to tell")
    told = {key: one for key, one in found.accuracy.items() if key == OVERALL or key.startswith(OF_TYPE)}
    asked = f"by {found.by}{f', judged by {found.judge}' if found.judge else ''}"
    return Result(found.model, name, found.part, lock, told[OVERALL].graded, found.n_expected, {}, told, asked)
