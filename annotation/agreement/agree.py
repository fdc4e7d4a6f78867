"""`vqa2 annotate agree`: measures agreement, screens raters, and writes what goes on into a corpus."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from annotation.agreement.answers import Answers, Counted, read_answers
from annotation.agreement.measures import (
    Descriptions,
    GoldClip,
    LevelAgreement,
    RaterFigures,
    descriptions,
    gold_clips,
    has_scores,
    level_agreement,
    rater_figures,
    score_agreement,
    score_of,
)
from annotation.agreement.page import page
from annotation.agreement.review import ReviewAgreement, decide, review_agreement
from annotation.agreement.screening import Screened, Thresholds, screen
from annotation.folder import read_pairs
from schemas.errors import CallError, DataError
from schemas.pair import Pair
from schemas.response import Response
from schemas.validate import Problem, read_jsonl

AGREEMENT = "agreement.json"
PAGE = "agreement.html"
ACCEPTED = "accepted.jsonl"
RATINGS = "ratings.csv"
VERDICTS = "verdicts.jsonl"


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What went on: how many annotations, ratings (of scores, or of levels where nobody scored) and verdicts."""

    annotations: int = 0
    ratings: int = 0
    ratings_of: Literal["score", "level"] | None = None
    verdicts: int = 0


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What `agreement.json` holds: who was asked, how far they agree, who is excluded and why, and what went on.

    `level_of_all` is over all raters; all else that is no figure of single raters is over those who are kept.
    """

    project: str
    title: str
    kind: Literal["depict", "review"]
    config_sha256: str
    recipe_sha256: str
    counted: Counted
    thresholds: Thresholds
    raters: list[Screened]
    figures: list[RaterFigures]
    level_of_all: LevelAgreement | None
    level: LevelAgreement | None
    score: LevelAgreement | None
    descriptions: Descriptions | None
    gold: list[GoldClip]
    review: ReviewAgreement | None
    written: Written


def agree(
    folder: Path,
    thresholds: Thresholds,
    keep: Collection[str] = (),
    exclude: Collection[str] = (),
    pairs: Path | None = None,
) -> Agreement:
    """Measure agreement in a project folder, screen its raters and write the results into it.

    `pairs` is the JSONL file that is reviewed (None: the project's).
    Raises CallError and DataError as `read_answers` and `screen` do.
    """
    answers = read_answers(folder)
    screened = screen(answers, thresholds, keep, exclude)
    kept = {rater.rater for rater in screened if rater.kept}
    going_on = [response for response in answers.of_role("clip") if response.rater in kept]
    verdicts = decide(going_on) if answers.kind == "review" else []
    ratings = _ratings(answers, going_on)
    depict, project = answers.kind == "depict", answers.project
    known = {} if depict else _pairs(folder, pairs)
    found = Agreement(
        project=project.name if project else "",
        title=(project.title or project.name) if project else "",
        kind=answers.kind,
        config_sha256=project.config_sha256 if project else "",
        recipe_sha256=project.recipe_sha256 if project else "",
        counted=answers.counted,
        thresholds=thresholds,
        raters=screened,
        figures=rater_figures(answers),
        level_of_all=level_agreement(answers.of_role("clip")) if depict else None,
        level=level_agreement(going_on) if depict else None,
        score=score_agreement(going_on) if depict and has_scores(answers) else None,
        descriptions=descriptions(going_on, answers.degrees) if depict else None,
        gold=gold_clips(answers, kept),
        review=None if depict else review_agreement(going_on, verdicts, known),
        written=Written(
            annotations=sum(response.annotation is not None for response in going_on),
            ratings=len(ratings),
            ratings_of=("score" if has_scores(answers) else "level") if ratings else None,
            verdicts=len(verdicts),
        ),
    )
    if answers.kind == "review":
        _put(folder / VERDICTS, _lines(verdicts))
    else:
        _put(folder / ACCEPTED, _lines(response.annotation for response in going_on if response.annotation))
        _put(folder / RATINGS, _table(("clip", "rater", "score"), ratings))
    _put(folder / PAGE, page(found).encode())
    _put(folder / AGREEMENT, msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return found


def thresholds_of(settings: Iterable[str]) -> Thresholds:
    """Read thresholds written as `name=value`. Raises CallError for one that is unknown or no number."""
    known = {field.name: field.type for field in msgspec.structs.fields(Thresholds)}
    given: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in known:
            raise CallError(f"--threshold is name=value with one of {', '.join(known)}; got {setting!r}")
        try:
            given[name] = known[name](value)
        except ValueError as error:
            raise CallError(f"--threshold {name} takes a number, not {value!r}") from error
    try:
        return Thresholds(**given)
    except ValueError as error:
        raise CallError(f"--threshold {error}") from error


def _ratings(answers: Answers, going_on: Iterable[Response]) -> list[tuple[str, str, float]]:
    by_level = not has_scores(answers)
    return sorted(
        (response.annotation.clip, response.rater, score)
        for response in going_on
        if response.annotation and (score := score_of(response.annotation, by_level)) is not None
    )


def _pairs(folder: Path, path: Path | None) -> dict[str, Pair]:
    """Read the pairs by id: from `path`, or those of the project."""
    if path is None:
        return {pair.id: pair for pair in read_pairs(folder)}
    if not path.is_file():
        raise CallError(f"there is no file of pairs {str(path)!r}")
    pairs = {}
    for _, pair in read_jsonl(path, Pair):
        if isinstance(pair, Problem):
            raise DataError(str(pair))
        pairs[pair.id] = pair
    return pairs


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _lines(rows: Iterable[msgspec.Struct]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def _put(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)
