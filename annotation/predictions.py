"""What raters are shown to start from: ground truth, metadata or a model's scores, as Label Studio's results.

Only marks are predicted, never words: what an expert writes is the expert's own. The server takes any result, also of
controls and labels that no config has, so every one is held to the config here.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from annotation.folder import Prediction
from annotation.labeling import (
    ANSWER,
    DEGREE,
    INDEX,
    LEVEL,
    MOMENTS,
    QUESTION,
    SCORE,
    THROUGHOUT,
    VIDEO,
    Control,
    attributes_of,
    degrees_of,
)
from annotation.timeline import exact_rate, frames_of
from dataset_builder.distort import truth_of
from schemas.errors import CallError, DataError
from schemas.levels import LEVELS, LevelScale, level_of_unit
from schemas.pair import Pair
from schemas.project import ProjectRecipe
from schemas.record import Distortion, Record
from stages.wording.taxonomy import DEGREES, degree_of_severity

Result = dict[str, Any]
STALLING = ("stalling", "rebuffering", "stall", "stalls")
"""Words under which a project may ask for the stalls of streaming."""
Model = Mapping[str, tuple[str, float]]
"""Level word and score on [0, 1] by record id, as a model gave them."""


def predict(recipe: ProjectRecipe, record: Record, fps: float, frames: int, model: Model) -> list[Prediction]:
    """Give the prediction of one task, or none where nothing is known; `fps` and `frames` are of the file played.

    Attributes that the project does not ask for are left out.
    """
    asked = recipe.predictions
    marks = _Marks(recipe, fps, frames)
    if asked.ground_truth:
        for distortion in _ground_truth(record):
            marks.add(distortion.name, _degree(recipe, distortion), distortion.start, distortion.end)
    if asked.metadata:
        for stall in record.stalls or ():
            for word in STALLING:
                marks.add(
                    word, degrees_of(recipe)[len(degrees_of(recipe)) // 2], stall.start, stall.start + stall.duration
                )
    rated: tuple[str, float] | None = None
    if asked.metadata and record.score is not None:
        ends = record.score
        scale = LevelScale(
            source=record.source, lo=ends.lo, hi=ends.hi, mode="nominal", direction=ends.direction, fitted_on="scale"
        )
        unit = scale.unit(ends.value)
        rated = (level_of_unit(unit), unit)
    if rated := model.get(record.id, rated):
        marks.rate(*rated)
    if not marks.results:
        return []
    return [Prediction(model_version=model_version(recipe), result=marks.results)]


def predicted_pairs(pairs: Sequence[Pair]) -> list[Prediction]:
    """Give the words of pairs that reviewers see, and may edit."""
    results = []
    for index, pair in enumerate(pairs):
        for name, said in ((QUESTION, pair.question), (ANSWER, pair.answer)):
            results.append(_result(f"{name[0]}{index}", f"{name}_{index}", "textarea", {"text": [said]}))
    return [Prediction(model_version="pairs", result=results)]


def model_version(recipe: ProjectRecipe) -> str:
    """Name what predictions of a project come from, the same for all of its tasks."""
    asked = recipe.predictions
    told = {"ground-truth": asked.ground_truth, "metadata": asked.metadata, "scores": asked.scores is not None}
    return "+".join(name for name, wanted in told.items() if wanted)


def problem_of(results: Sequence[Result], controls: Mapping[str, Control], frames: int, pairs: int = 0) -> str | None:
    """Say what in predicted results the config does not have, or None: names, types, words, ranges, scores, pairs."""
    for result in results:
        name, value = result["from_name"], result["value"]
        control = controls.get(name)
        stem, _, index = name.rpartition("_")
        if control is None and index.isdigit() and int(index) < pairs:
            control = controls.get(f"{stem}_{INDEX}")
        if control is None:
            return f"the config has no control {name!r}"
        if result["to_name"] != control.of:
            return f"{name} is of {control.of!r}, not of {result['to_name']!r}"
        if result["type"] != control.tag:
            return f"{name} takes {control.tag}, not {result['type']}"
        said = value.get(control.tag, []) if control.values else []
        for path in (tuple(one) if control.tag == "taxonomy" else (one,) for one in said):
            if path not in control.values:
                return f"{name} has no {': '.join(path)!r}"
        for span in value.get("ranges", []):
            if not 1 <= span["start"] <= span["end"] <= frames:
                return f"{name} spans frames {span['start']} to {span['end']} of {frames}"
        if control.limits and not control.limits[0] <= value["number"] <= control.limits[1]:
            return f"{name} is from {control.limits[0]:g} to {control.limits[1]:g}, not {value['number']}"
    return None


def read_scores(path: Path, find: Callable[[str], str | None]) -> tuple[dict[str, tuple[str, float]], int]:
    """Read the JSON or CSV that `vqa2 score` writes: (level, score) by what `find` makes of a clip's name.

    The level is the likeliest one where the file tells, else the one that the score lies in. Gives also how many scored
    rows `find` makes nothing of. Raises CallError for a missing file, DataError naming the row that is wrong.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CallError(f"predictions.scores: {str(path)!r} cannot be read: {error.strerror}") from None
    rows = _json_rows(path, raw) if raw.lstrip()[:1] == b"[" else _csv_rows(path, raw)
    found: dict[str, tuple[str, float]] = {}
    unknown = 0
    for number, row in enumerate(rows, 1):
        if row.get("score") in {None, ""}:
            continue
        where = f"{path}: row {number}"
        try:
            clip, score = str(row["clip"]), float(row["score"])
            told = [row.get("levels", row).get(level) for level in LEVELS]
            chances = [float(chance) for chance in told if chance not in {None, ""}]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{where}: not what vqa2 score writes: {error!r}") from None
        if not 0 <= score <= 1 or any(not 0 <= chance <= 1 for chance in chances) or math.isnan(score):
            raise DataError(f"{where}: scores and level probabilities lie in [0, 1]")
        if (record_id := find(clip)) is None:
            unknown += 1
            continue
        likeliest = LEVELS[chances.index(max(chances))] if len(chances) == len(LEVELS) else level_of_unit(score)
        if record_id in found and found[record_id] != (likeliest, score):
            raise DataError(f"{where}: {clip!r} is scored twice")
        found[record_id] = (likeliest, score)
    return found, unknown


class _Marks:
    """Results of one task as they come together."""

    def __init__(self, recipe: ProjectRecipe, fps: float, frames: int) -> None:
        self._over = {word.name: word.over for word in attributes_of(recipe)}
        self._rate, self._frames = exact_rate(fps), frames
        self._regions = 0
        self._throughout: list[list[str]] = []
        self.results: list[Result] = []

    def add(self, name: str, degree: str, start: float | None, end: float | None) -> None:
        """Mark an attribute where the project asks for it: on the timeline, or of the whole clip."""
        over = self._over.get(name)
        if over is None:
            return
        timed = start is not None and end is not None
        if (over == "both" and not timed) or over == "whole":
            self._all_through(name, degree)
            return
        span = (1, self._frames)
        if start is not None and end is not None:
            if start * self._rate >= self._frames or end <= start:
                return
            span = frames_of(start, end, self._rate, self._frames)
        self._regions += 1
        ranges = [{"start": span[0], "end": span[1]}]
        key = f"m{self._regions}"
        self.results += [
            _result(key, MOMENTS, "timelinelabels", {"ranges": ranges, "timelinelabels": [name]}),
            _result(key, DEGREE, "choices", {"ranges": ranges, "choices": [degree]}),
        ]

    def rate(self, level: str, unit: float) -> None:
        """Set level and score."""
        self.results += [
            _result("level", LEVEL, "choices", {"choices": [level]}),
            _result("score", SCORE, "number", {"number": round(100 * unit)}),
        ]

    def _all_through(self, name: str, degree: str) -> None:
        """An attribute has one degree all through the clip: the first that is told."""
        if any(path[0] == name for path in self._throughout):
            return
        if not self._throughout:
            self.results.append(_result("all", THROUGHOUT, "taxonomy", {"taxonomy": self._throughout}))
        self._throughout.append([name, degree])


def _result(key: str, name: str, kind: str, value: dict[str, Any]) -> Result:
    return {"id": key, "from_name": name, "to_name": VIDEO, "type": kind, "value": value}


def _ground_truth(record: Record) -> Sequence[Distortion]:
    return record.distortions or (truth_of(record.origin.chain) if record.origin else [])


def _degree(recipe: ProjectRecipe, distortion: Distortion) -> str:
    """Put a severity into the project's words; a ladder of its own is spread over the severities from 1 to 5."""
    degrees, severity = degrees_of(recipe), distortion.severity
    if tuple(degrees) == DEGREES:
        return "noticeable" if severity is None else degree_of_severity(severity)
    return degrees[round(((severity or 3) - 1) / 4 * (len(degrees) - 1))]


def _json_rows(path: Path, raw: bytes) -> list[dict[str, Any]]:
    try:
        rows = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}") from None
    if any(not isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: not what vqa2 score writes: a row is no object")
    return [{name: value for name, value in row.items() if name != "levels" or value is not None} for row in rows]


def _csv_rows(path: Path, raw: bytes) -> list[dict[str, Any]]:
    try:
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not the CSV that vqa2 score writes: {error}") from None
    if rows and not {"clip", "score"} <= rows[0].keys():
        raise DataError(f"{path}: not the CSV that vqa2 score writes: it has no columns clip and score")
    return [dict(row) for row in rows]
