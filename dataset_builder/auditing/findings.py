"""What looks wrong in a label table: one function each, from its labels to findings, each with what to do about it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.auditing.labels import Finding, Floats, Graded, Indices, Labels, Reading, usual_scale
from dataset_builder.correlation import srcc
from schemas.levels import LEVELS

SHOWN = 5
"""So many rows, names or reasons are named; the rest is counted."""
FEW = 20
"""Below so many rows, shares and correlations say nothing."""
SAMPLE = 1000
"""A table none of whose first so many names say how strongly the clip was distorted has no such names."""
REVERSED = 0.3
"""A rank correlation of the wrong sign from here on is told."""
FEW_VALUES = 12
CLIPPED = 0.05
SORTED = 0.9

WORDS: dict[str, int] = {
    **{level: at for at, level in enumerate(LEVELS)},
    **{"bad": 0, "excellent": 4},
}
"""Level words, of VQA² and of ITU-T P.910's five-point scale, as indices of LEVELS."""
SEVERITIES = (
    re.compile(r"(?:^|[_\W])crf[_-]?(\d+)", re.I),
    re.compile(r"(?:^|[_\W])qp[_-]?(\d+)", re.I),
    re.compile(r"(?:^|[_\W])(?:level|severity|strength)[_-]?(\d+)", re.I),
    re.compile(r"(?:^|/)i\d+_\d+_(\d+)\.\w+$", re.I),  # KADID-10k and TID2013: image, kind, severity
)
"""Ways in which a file name says how strongly the clip was distorted: the more, the worse."""
_DMOS = re.compile(r"DMOS|(?:^|[^a-zA-Z])[dD]_?(?:mos|Mos|MOS)")  # and not biasedMOS
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
AS_OPTIONS = ("-", "=", "+", "@")
"""First characters by which a name looks like an option of a command, or like a formula of a spreadsheet."""


def findings(labels: Labels, reading: Reading, minmax: Graded | None, nominal: Graded | None) -> list[Finding]:
    """Look for all there is to find in labels graded under the ranges that there are."""
    return [
        *(Finding(name="note", text=note) for note in labels.notes),
        *_unusable(labels),
        *_scale(labels, reading.scale, minmax),
        *_direction(labels, reading),
        *_other_columns(labels, reading),
        *_level_column(labels, reading.columns.get("level", "level"), {"minmax": minmax, "nominal": nominal}),
        *_duplicates(labels),
        *_values(labels),
        *_order(labels),
        *_odd_names(labels),
    ]


def _unusable(labels: Labels) -> Iterator[Finding]:
    by_count = sorted(labels.unusable.items(), key=lambda item: -item[1][0])
    for reason, (count, first) in by_count[:SHOWN]:
        text = f"{_rows(count)} cannot be used: {reason} (first: row {first})"
        yield Finding(name="unusable", text=text, count=count, rows=[first])
    if rest := by_count[SHOWN:]:
        count = sum(rows for _, (rows, _) in rest)
        text = f"{_rows(count)} more cannot be used, for {len(rest)} other reasons"
        yield Finding(name="unusable", text=text, count=count, rows=[first for _, (_, first) in rest[:SHOWN]])


def _scale(labels: Labels, scale: tuple[float, float] | None, minmax: Graded | None) -> Iterator[Finding]:
    lo, hi = labels.scores.min(), labels.scores.max()
    if minmax is None:
        text = f"all scores are {lo:g}: they span no minmax range, and nothing can be learnt of them"
        yield Finding(name="constant", text=text, count=len(labels.scores))
        return
    usual = usual_scale(labels.scores)
    if scale is None and usual:
        text = f"no rating scale is declared: taken as {usual[0]:g} to {usual[1]:g}; if it is another, declare it with"
        yield Finding(name="scale_taken", text=f"{text} --lo and --hi")
    elif scale is None:
        below = "negative scores fit" if lo < 0 else f"scores from {lo:g} to {hi:g} fit"
        text = f"{below} no usual rating scale: declare the ends of the scale with --lo and --hi"
        yield Finding(name="scale_unknown", text=text, count=int((labels.scores < 0).sum()))
    for top in (1, 100):
        if lo == 0 and hi == top and len(labels.scores) >= FEW and len(np.unique(labels.scores)) > FEW_VALUES:
            text = f"the scores run from exactly 0 to exactly {top}: they look stretched to their extremes already, so"
            text += " that the nominal range says no more than minmax; take the published scores if you can"
            yield Finding(name="prenormalised", text=text, count=len(labels.scores))


def _direction(labels: Labels, reading: Reading) -> Iterator[Finding]:
    name, ends = reading.columns.get("score", ""), reading.scale or usual_scale(labels.scores)
    direction, better = reading.direction, reading.better
    if _DMOS.search(name) and ends:
        above = float(labels.scores.mean()) > (ends[0] + ends[1]) / 2
        says = f"the column {name!r} is named a DMOS, and its mean {labels.scores.mean():.4g} lies"
        if direction is None and above:
            text = (
                f"{says} above the middle of the scale, as quality does: read as higher_is_better; declare --direction"
            )
            yield Finding(name="direction", text=text)
        elif direction is None:
            text = f"{says} below the middle of the scale, as impairment does, but is read as higher_is_better:"
            yield Finding(name="direction", text=f"{text} declare --direction lower_is_better if less is better")
        elif better == "lower_is_better" and above:
            text = f"{says} above the middle of the scale: most clips would be bad; is it lower_is_better?"
            yield Finding(name="direction", text=text)
    for pattern in SEVERITIES:
        if not any(pattern.search(clip) for clip in labels.clips[:SAMPLE]):
            continue
        severity = np.array([_severity(pattern, clip) for clip in labels.clips])
        known = np.isfinite(severity)
        if known.sum() < max(FEW, len(severity) / 2):
            continue
        found = _srcc(severity[known], labels.scores[known])
        if found is not None and found * (1 if better == "higher_is_better" else -1) >= REVERSED:
            text = (
                f"scores get better with the severity in the clips' names (SRCC {found:+.2f} over {known.sum()} clips,"
            )
            text += f" read as {better}): is the direction the other one?"
            yield Finding(name="reversed", text=text, count=int(known.sum()))
        return


def _severity(pattern: re.Pattern[str], clip: str) -> float:
    match = pattern.search(clip)
    return float(match[1]) if match else float("nan")


def _other_columns(labels: Labels, reading: Reading) -> Iterator[Finding]:
    name = reading.columns.get("score", "")
    mine = usual_scale(labels.scores)
    for other, values in labels.others.items():
        known = np.isfinite(values)
        if known.sum() < 2:
            continue
        theirs = usual_scale(values[known])
        if mine != theirs:
            text = f"two score columns on two scales: {name!r} fits {_told(mine)}, {other!r} {_told(theirs)}"
            yield Finding(name="two_scales", text=text)
        found = _srcc(values[known], labels.scores[known]) if known.sum() >= FEW else None
        if found is not None and found <= -REVERSED:
            text = f"{name!r} and {other!r} run against each other (SRCC {found:+.2f}): one of them is an impairment"
            yield Finding(name="reversed", text=f"{text} score; check --direction (read as {reading.better})")


def _told(scale: tuple[float, float] | None) -> str:
    return f"{scale[0]:g} to {scale[1]:g}" if scale else "no usual scale"


def _level_column(labels: Labels, name: str, ranges: Mapping[str, Graded | None]) -> Iterator[Finding]:
    if labels.levels is None:
        return
    cells, base = _level_indices(labels.levels)
    known = np.isfinite(cells)
    if not known.any():
        return
    impossible = known & ~np.isin(cells, range(len(LEVELS)))
    for value in np.unique(cells[impossible]):
        at = np.flatnonzero(cells == value)
        text = f"{name!r} is {value + base:g} in {_rows(len(at))}, but there are five levels, {base} to {base + 4}:"
        text += f" {_named(labels, at)}"
        yield Finding(name="impossible_level", text=text, count=len(at), rows=_first(labels, at))
    if (~known).any():
        at = np.flatnonzero(~known)
        text = f"{name!r} holds no level in {_rows(len(at))}: {_named(labels, at)}"
        yield Finding(name="no_level", text=text, count=len(at), rows=_first(labels, at))
    wrong = {
        mode: np.flatnonzero(known & ~impossible & (graded.levels != cells))
        for mode, graded in ranges.items()
        if graded is not None
    }
    mode = min(wrong, key=lambda mode: len(wrong[mode]), default="")
    if mode and len(wrong[mode]):
        at = wrong[mode]
        text = f"{name!r} disagrees with the scores in {_rows(len(at))} even under {mode}, the nearest range:"
        text += f" {_named(labels, at)}"
        yield Finding(name="level_disagrees", text=text, count=len(at), rows=_first(labels, at))


def _level_indices(cells: Sequence[str | None]) -> tuple[Floats, int]:
    """Read cells as indices of LEVELS, NaN for what is none, and say at which number the table's levels start."""
    words = [(cell or "").strip().lower() for cell in cells]
    numbers = np.array([float(word) if _NUMBER.fullmatch(word) else np.nan for word in words])
    base = 0 if (numbers == 0).any() else 1
    by_word = np.array([WORDS.get(word, np.nan) for word in words])
    return np.where(np.isfinite(by_word), by_word, numbers - base), base


def _duplicates(labels: Labels) -> Iterator[Finding]:
    names = Counter(labels.clips)
    if twice := [name for name, count in names.items() if count > 1]:
        scores_of = defaultdict(set)
        again = set(twice)
        for clip, score in zip(labels.clips, labels.scores.tolist(), strict=True):
            if clip in again:
                scores_of[clip].add(score)
        text = f"{_names(twice)} in more than one row: {_some(twice)}"
        yield Finding(name="duplicate_names", text=text, count=len(twice), rows=_rows_named(labels, twice))
        if unlike := [name for name in twice if len(scores_of[name]) > 1]:
            text = f"{_names(unlike)} in rows with different scores: {_some(unlike)}; a build leaves"
            text += " them out: keep one row each, or pick rows, or read them as single ratings"
            yield Finding(name="contradicting", text=text, count=len(unlike), rows=_rows_named(labels, unlike))
    for what, key in (("file name in different folders", _basename), ("name but for the extension", _stem)):
        seen: dict[str, str] = {}
        shared: set[str] = set()
        for name in names:
            if seen.setdefault(key(name), name) != name:
                shared.add(key(name))
        if shared:
            text = f"different clips share {_count(shared)}, the same {what}: {_some(sorted(shared))}; they"
            text += " cannot be told apart by it"
            short = "duplicate_basenames" if key is _basename else "duplicate_stems"
            yield Finding(name=short, text=text, count=len(shared))


def _basename(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _stem(name: str) -> str:
    folder, _, last = name.replace("\\", "/").rpartition("/")
    start, dot, extension = last.rpartition(".")
    return f"{folder}/{start if dot and start and extension.isalnum() and len(extension) <= 4 else last}".lstrip("/")


def _values(labels: Labels) -> Iterator[Finding]:
    scores = labels.scores
    distinct = len(np.unique(scores))
    if len(scores) < FEW or distinct < 2:
        return
    if distinct <= FEW_VALUES:
        text = f"{len(scores)} scores take only {distinct} values: these look like levels or single ratings, not like"
        yield Finding(name="few_values", text=f"{text} mean opinion scores", count=distinct)
        return
    for end, value in (("lowest", scores.min()), ("highest", scores.max())):
        at = np.flatnonzero(scores == value)
        if len(at) > CLIPPED * len(scores):
            text = f"{len(at)} scores ({len(at) / len(scores):.0%}) are exactly {value:g}, the {end}: the scale was cut"
            text += f" off there; {_named(labels, at)}"
            yield Finding(name="clipped", text=text, count=len(at), rows=_first(labels, at))


def _order(labels: Labels) -> Iterator[Finding]:
    scores = labels.scores
    if len(scores) < FEW:
        return
    found = _srcc(np.arange(len(scores), dtype=np.float64), scores)
    if found is not None and abs(found) >= SORTED:
        way = "worst" if found > 0 else "best"
        text = f"the rows are sorted by score (SRCC with their order {found:+.2f}): the first rows are not a sample"
        yield Finding(name="sorted", text=f"{text} of the table, they are its {way} by number", count=len(scores))


def _odd_names(labels: Labels) -> Iterator[Finding]:
    like_options = [at for at, clip in enumerate(labels.clips) if clip.startswith(AS_OPTIONS)]
    if like_options:
        text = f"clips of {_rows(len(like_options))} start with one of {' '.join(AS_OPTIONS)}: they stay data"
        text += " here, but spreadsheets and commands may take them for formulas and options;"
        text += f" {_named(labels, like_options)}"
        yield Finding(name="like_options", text=text, count=len(like_options), rows=_first(labels, like_options))
    unprintable = [at for at, clip in enumerate(labels.clips) if not clip.isprintable()]
    if unprintable:
        text = (
            f"clips of {_rows(len(unprintable))} have control characters in their names: {_named(labels, unprintable)}"
        )
        yield Finding(name="control_characters", text=text, count=len(unprintable), rows=_first(labels, unprintable))


def _srcc(left: Floats, right: Floats) -> float | None:
    return srcc(left, right)  # type: ignore[arg-type]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _names(names: Sequence[str]) -> str:
    return "1 name stands" if len(names) == 1 else f"{len(names)} names stand"


def _count(names: set[str]) -> str:
    return "1 name" if len(names) == 1 else f"{len(names)} names"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more


def _first(labels: Labels, at: Sequence[int] | Indices) -> list[int]:
    return [int(labels.rows[index]) for index in at[:SHOWN]]


def _named(labels: Labels, at: Sequence[int] | Indices) -> str:
    """Name the first rows with their clips."""
    named = ", ".join(f"row {labels.rows[index]} ({labels.clips[index]!r})" for index in at[:SHOWN])
    return named + (f" and {len(at) - SHOWN} more" if len(at) > SHOWN else "")


def _rows_named(labels: Labels, names: Sequence[str]) -> list[int]:
    wanted = set(names[:SHOWN])
    return [int(labels.rows[at]) for at, clip in enumerate(labels.clips) if clip in wanted][: 2 * SHOWN]
