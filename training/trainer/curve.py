"""The curve of a run: a line for every step and every scoring, in a file, in TensorBoard and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from dataset_builder.corpus import put_file
from schemas.errors import DataError

SMOOTHED = 0.05
"""What share of a stage's steps the drawn mean of its losses reaches over."""


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One step of a stage, numbered from 1: its loss with the rate and gradient norm, or how it scored after it."""

    stage: str
    step: int
    loss: float | None = None
    lr: float | None = None
    grad_norm: float | None = None
    srcc: float | None = None
    plcc: float | None = None
    scored: int | None = None


class Curve:
    """The points of a run in the order in which they came, in a file of JSON lines.

    `tensorboard`, where it is given, is a folder that the same numbers are written to as TensorBoard's events, if it is
    installed.
    """

    def __init__(self, path: Path, tensorboard: Path | None = None, *, writes: bool = True) -> None:
        """Read what is there; half a line at the end, as a kill leaves it, is not. One process of a run `writes`.

        Raises DataError naming a line that is damaged.
        """
        self._path, self._writes = path, writes
        self._events = tensorboard
        self._writers: dict[str, Any] = {}
        self.points = list(_read(path)) if path.exists() else []

    def cut(self, stages: dict[str, int | None]) -> None:
        """Keep the points of these stages up to the step given, None = all; no others."""
        self.points = [p for p in self.points if p.stage in stages and p.step <= (stages[p.stage] or p.step)]
        if self._writes:
            put_file(self._path, b"".join(msgspec.json.encode(p) + b"\n" for p in self.points))

    def add(self, point: Point, **also: float) -> None:
        """Append a point; `also` are numbers that depend on the machine, for TensorBoard alone."""
        self.points.append(point)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(point) + b"\n")
        numbers = {"loss": point.loss, "lr": point.lr, "grad_norm": point.grad_norm}
        numbers |= {"srcc": point.srcc, "plcc": point.plcc, **also}
        for name, value in numbers.items():
            if value is not None and (writer := self._writer(point)):
                writer.add_scalar(name, value, point.step)

    def losses(self, stage: str) -> list[float]:
        """List the losses of a stage, a step each."""
        return [p.loss for p in self.points if p.stage == stage and p.loss is not None]

    def close(self) -> None:
        """End the event files."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, point: Point) -> Any:
        if self._events is None:
            return None
        if point.stage not in self._writers:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                self._events = None
                return None
            # What an earlier, longer try wrote from here on is not shown.
            self._writers[point.stage] = SummaryWriter(self._events / point.stage, purge_step=point.step)
        return self._writers[point.stage]


def _read(path: Path) -> Iterator[Point]:
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, 1):
        try:
            yield msgspec.json.decode(line, type=Point)
        except msgspec.DecodeError as error:
            if number < len(lines):
                raise DataError(f"{path} line {number}: {error}; remove the line, and the run goes on") from None


def draw(points: list[Point], path: Path) -> None:
    """Draw losses over steps, stage after stage, and below them SRCC where a split was watched: a PNG.

    The same points give the same bytes.
    """
    from matplotlib.figure import Figure

    stages = list(dict.fromkeys(p.stage for p in points))
    watched = any(p.srcc is not None for p in points)
    figure = Figure(figsize=(9, 5.5 if watched else 3.6), layout="constrained")
    axes = figure.subplots(2 if watched else 1, 1, sharex=True, squeeze=False)[:, 0]
    start = 0
    for index, stage in enumerate(stages):
        colour = f"C{index % 10}"
        losses = [(start + p.step, p.loss) for p in points if p.stage == stage and p.loss is not None]
        if losses:
            steps, values = zip(*losses, strict=True)
            axes[0].plot(steps, values, color=colour, alpha=0.3, linewidth=0.8)
            axes[0].plot(steps, _smoothed(values), color=colour, label=stage)
        scores = [(start + p.step, p.srcc) for p in points if p.stage == stage and p.srcc is not None]
        if watched and scores:
            axes[1].plot(*zip(*scores, strict=True), "o-", color=colour, markersize=4)
        start += max((p.step for p in points if p.stage == stage), default=0)
    axes[0].set_ylabel("loss (nats per answer token)")
    axes[0].set_yscale("log")
    axes[0].legend(loc="upper right", fontsize=8)
    if watched:
        axes[1].set_ylabel("SRCC on the watched split")
    axes[-1].set_xlabel("step")
    for panel in axes:
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _smoothed(values: tuple[float, ...]) -> list[float]:
    reach = max(1, round(len(values) * SMOOTHED))
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    return [(sums[i + 1] - sums[max(0, i + 1 - reach)]) / min(i + 1, reach) for i in range(len(values))]
