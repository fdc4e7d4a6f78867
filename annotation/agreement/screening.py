"""Which raters can be relied on: seven checks of each, with what each rests on.

A rater is excluded where a check fails: its statistic lies beyond its threshold, over enough items. With fewer items,
or on material where even the middle rater shows nothing, a check is `not judged` and excludes nobody. The checks:

- `gold`: the share of clips with a known answer that are right; fails where even the upper end of its 95 % interval
  lies below `gold_right`. Not judged where the middle rater does not reach it: then the gold is in doubt.
- `agreement`: the correlation of levels (of verdicts, in a review) with the mean of the other raters of the same clip.
- `attributes`: how alike the sets of attributes are (F1) with those of other raters of the same clip, beyond chance.
- `sameness`: the share of the answer given most often.
- `unchanged`: the share of predictions that are submitted as they were.
- `haste`: the share of tasks submitted in less than half of the clip's duration.
- `repeats`: the mean distance, in levels, of two answers to the same clip.

`agreement` and `attributes` are held to a share of what the middle rater reaches; excluded raters are nobody's peers,
so that who was dealt the tasks of a spammer is not blamed. `sameness` and `unchanged` fail only where so many would be
a wonder (binomial, below `chance`) for a rater with the share of the middle one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from annotation.agreement.answers import VERDICT_VALUES, Answers, level_of, names_of
from annotation.agreement.coefficients import Floats
from dataset_builder.intervals import wilson
from schemas.annotation import Annotation
from schemas.errors import CallError
from schemas.response import Response

Check = Literal["gold", "agreement", "attributes", "sameness", "unchanged", "haste", "repeats"]
CHECKS: tuple[Check, ...] = get_args(Check)
State = Literal["accepted", "excluded", "not judged"]
Result = Literal["holds", "fails", "not judged"]
CROSSED = 300
"""So many answers of a rater are crossed with so many of others to see how alike answers are by chance."""


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the checks ask, and from how many items on they judge."""

    gold_right: float = 0.6
    gold_items: int = 5
    agreement_share: float = 0.4
    agreement_middle: float = 0.3
    agreement_items: int = 15
    attributes_share: float = 0.25
    attributes_middle: float = 0.2
    attributes_items: int = 15
    sameness: float = 0.75
    sameness_items: int = 15
    unchanged: float = 0.75
    unchanged_items: int = 15
    haste: float = 0.5
    haste_items: int = 15
    repeat_levels: float = 1.5
    repeat_items: int = 8
    chance: float = 1e-3

    def __post_init__(self) -> None:
        """Refuse shares off 0 to 1, and fewer than two items."""
        for name, value in msgspec.structs.asdict(self).items():
            if name.endswith("_items") and value < 2:
                raise ValueError(f"{name} is 2 or more, got {value}")
            if name != "repeat_levels" and not name.endswith("_items") and not 0 <= value <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, got {value:g}")


THRESHOLDS = Thresholds()


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one rater: the statistic, the threshold that it is held to, and over how many items.

    `says` is the check in words. None: the statistic is not defined, or the threshold has nothing to go by.
    """

    check: Check
    result: Result
    value: float | None
    threshold: float | None
    items: int
    least_items: int
    says: str


class Screened(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks found of one rater; `reasons` are the failed ones in words, `by_hand` why a person overrode them.

    `not judged`: neither gold nor agreement could be judged, and nothing else failed. Such a rater is kept.
    """

    rater: str
    state: State
    reasons: list[str]
    checks: list[Checked]
    by_hand: str | None = None

    @property
    def kept(self) -> bool:
        """Whether the rater's answers go on."""
        return self.state != "excluded"


@dataclass(frozen=True)
class _Rows:
    """Answers as arrays [answers]: item and rater by index, value (NaN: none) and attributes [answers, words]."""

    item: NDArray[np.int64]
    rater: NDArray[np.int64]
    value: Floats
    marks: Floats | None

    @property
    def near(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All ordered pairs of answers by different raters to one item."""
        of_item: dict[int, list[int]] = defaultdict(list)
        for row, item in enumerate(self.item.tolist()):
            of_item[item].append(row)
        pairs = [(a, b) for rows in of_item.values() for a in rows for b in rows if self.rater[a] != self.rater[b]]
        found = np.array(pairs, np.int64).reshape(-1, 2)
        return found[:, 0], found[:, 1]


def screen(
    answers: Answers,
    thresholds: Thresholds = THRESHOLDS,
    keep: Collection[str] = (),
    exclude: Collection[str] = (),
) -> list[Screened]:
    """Check every rater; those in `keep` and `exclude` are decided by hand, and their checks told all the same.

    Raises CallError for a rater named by hand who is not there, or is named both ways.
    """
    raters = answers.raters
    for name in [*keep, *exclude]:
        if name not in raters:
            raise CallError(f"no rater is called {name!r}; there are: {', '.join(raters)}")
        if name in keep and name in exclude:
            raise CallError(f"rater {name!r} cannot be kept and excluded")
    own = _own_checks(answers, thresholds)
    rows = _rows(answers, raters)
    peers = _Peers(rows, len(raters), thresholds, "verdict" if answers.kind == "review" else "level")
    failing = {index for index, name in enumerate(raters) if _fails(own[name])}
    by_hand = {raters.index(name) for name in exclude}
    kept = {raters.index(name) for name in keep}
    out = (failing | by_hand) - kept
    # One at a time, the worst first: what a spammer's peers suffer goes away with the spammer.
    for _ in raters:
        worse = {
            index: min(margins)
            for index, checks in enumerate(peers.checks(out))
            if index not in out | kept and (margins := [_margin(check) for check in checks if check.result == "fails"])
        }
        if not worse or 2 * (len(out) + 1) > len(raters):  # a minority that agrees is nobody's measure
            break
        out.add(min(worse, key=lambda index: (worse[index], index)))
    found = []
    for index, (name, checks) in enumerate(zip(raters, peers.checks(out), strict=True)):
        all_checks = sorted([*own[name], *checks], key=lambda check: CHECKS.index(check.check))
        reasons = [check.says for check in all_checks if check.result == "fails"]
        judged = any(check.check in {"gold", "agreement"} and check.result != "not judged" for check in all_checks)
        state: State = "excluded" if reasons else "accepted" if judged else "not judged"
        hand = None
        if index in by_hand and not reasons:
            state, reasons, hand = "excluded", ["excluded by hand"], "excluded by hand"
        elif index in kept and reasons:
            state, hand = "accepted", f"kept by hand in spite of: {'; '.join(reasons)}"
            reasons = []
        found.append(Screened(rater=name, state=state, reasons=reasons, checks=all_checks, by_hand=hand))
    return found


def gold_right(said: Annotation, known: Annotation) -> bool:
    """Say whether an answer is right: within one level, and with at least half of the attributes (F1 >= 0.5).

    What the known answer leaves open is not asked: a gold clip without a level, or one that names no attributes.
    """
    level, asked = level_of(said), level_of(known)
    if asked is not None and (level is None or abs(level - asked) > 1):
        return False
    return not known.attributes or set_f1(names_of(said), names_of(known)) >= 0.5


def set_f1(one: Collection[str], two: Collection[str]) -> float:
    """Give the F1 (Dice) of two sets; two empty ones are alike."""
    return 2 * len(set(one) & set(two)) / (len(one) + len(two)) if one or two else 1.0


def _own_checks(answers: Answers, asked: Thresholds) -> dict[str, list[Checked]]:
    """Make the checks that need no peers on the same clip."""
    by_rater: dict[str, list[Response]] = {name: [] for name in answers.raters}
    for response in answers.responses:
        by_rater[response.rater].append(response)
    right = {name: _gold(answers, said) for name, said in by_rater.items()}
    same = {name: _sameness(answers, said) for name, said in by_rater.items()}
    unchanged = {name: [not r.changed for r in said if r.changed is not None] for name, said in by_rater.items()}
    if answers.kind == "review":  # who accepts all pairs has changed nothing, and may be right: `sameness` judges that
        unchanged = {name: [] for name in by_rater}
    usual_gold = _middle([_share(hits) for hits in right.values()])
    usual_same = _middle([hits / n if n else None for hits, n in same.values()])
    usual_unchanged = _middle([_share(hits) for hits in unchanged.values()])
    checks: dict[str, list[Checked]] = {}
    for name, said in by_rater.items():
        checks[name] = [
            _gold_check(right[name], usual_gold, asked),
            _too_many("sameness", same[name], usual_same, asked, "answers are the same one"),
            _too_many(
                "unchanged",
                (sum(unchanged[name]), len(unchanged[name])),
                usual_unchanged,
                asked,
                "predictions were submitted unchanged",
            ),
            _haste_check(answers, said, asked),
            _repeats_check(said, asked),
        ]
    return checks


def _gold(answers: Answers, said: Iterable[Response]) -> list[bool]:
    return [
        gold_right(response.annotation, answers.gold[response.record_id])
        for response in said
        if response.role == "gold" and response.annotation and response.record_id in answers.gold
    ]


def _gold_check(right: list[bool], usual: float | None, asked: Thresholds) -> Checked:
    hits, n = sum(right), len(right)
    upper = wilson(hits, n)[1]
    says = f"{hits} of {n} gold clips are right"
    result: Result = "fails" if upper < asked.gold_right else "holds"
    if n < asked.gold_items:
        result, says = "not judged", f"{says}: {asked.gold_items} are needed to judge"
    elif usual is not None and usual < asked.gold_right:
        result, says = "not judged", f"{says}, but the middle rater has {usual:.0%} right: the gold is in doubt"
    else:
        says += f" (at most {upper:.0%} by the 95 % interval, {asked.gold_right:.0%} asked)"
    return Checked(
        check="gold",
        result=result,
        value=hits / n if n else None,
        threshold=asked.gold_right,
        items=n,
        least_items=asked.gold_items,
        says=says,
    )


def _sameness(answers: Answers, said: Iterable[Response]) -> tuple[int, int]:
    whole: list[Hashable] = []
    for response in said:
        if answers.kind == "review":
            whole += [verdict.verdict for verdict in response.verdicts]
        elif response.annotation and response.role != "repeat":
            names = frozenset((a.name, a.degree, a.start, a.end) for a in response.annotation.attributes)
            whole.append((level_of(response.annotation), names))
    return max(Counter(whole).values(), default=0), len(whole)


def _too_many(
    check: Literal["sameness", "unchanged"],
    counted: tuple[int, int],
    usual: float | None,
    asked: Thresholds,
    what: str,
) -> Checked:
    hits, n = counted
    most, least_items = {
        "sameness": (asked.sameness, asked.sameness_items),
        "unchanged": (asked.unchanged, asked.unchanged_items),
    }[check]
    says = f"{hits} of {n} {what}"
    result: Result = "holds"
    if n < least_items or usual is None:
        result, says = "not judged", f"{says}: {least_items} are needed"
    else:
        says += f" (below {most:.0%} asked, the middle rater has {usual:.0%})"
        # Nobody is so steady that one in twenty would be odd.
        wonder = float(bdtrc(hits - 1, n, max(usual, 0.05))) if hits else 1.0
        if hits / n >= most and wonder < asked.chance:
            result = "fails"
        elif hits / n >= most:
            says += f": not beyond what the others do (p = {wonder:.2g})"
    return Checked(
        check=check,
        result=result,
        value=hits / n if n else None,
        threshold=most,
        items=n,
        least_items=least_items,
        says=says,
    )


def _haste_check(answers: Answers, said: Iterable[Response], asked: Thresholds) -> Checked:
    paces = paces_of(answers, said)
    hasty, n = sum(pace < 0.5 for pace in paces), len(paces)
    says = f"{hasty} of {n} tasks took less than half of the clip's duration"
    if n < asked.haste_items:
        says += f": {asked.haste_items} are needed"
    else:
        says += f" (below {asked.haste:.0%} asked)"
    result: Result = "not judged" if n < asked.haste_items else "fails" if hasty / n >= asked.haste else "holds"
    return Checked(
        check="haste",
        result=result,
        value=hasty / n if n else None,
        threshold=asked.haste,
        items=n,
        least_items=asked.haste_items,
        says=says,
    )


def paces_of(answers: Answers, said: Iterable[Response]) -> list[float]:
    """List how long tasks took, in durations of their clips, where both are known."""
    return [
        response.seconds / answers.seconds[response.task]
        for response in said
        if response.seconds is not None and response.task in answers.seconds
    ]


def repeated(said: Iterable[Response]) -> list[tuple[Annotation, Annotation]]:
    """List what one rater said of a clip and said of it again."""
    first = {response.task: response.annotation for response in said}
    return [
        (before, response.annotation)
        for response in said
        if response.of is not None and response.annotation and (before := first.get(response.of))
    ]


def _repeats_check(said: list[Response], asked: Thresholds) -> Checked:
    apart = [
        abs(one - two)
        for before, again in repeated(said)
        if (one := level_of(before)) is not None and (two := level_of(again)) is not None
    ]
    n = len(apart)
    mean = sum(apart) / n if n else None
    says = f"{n} repeated clips are {0 if mean is None else mean:.2g} levels apart on average"
    if n < asked.repeat_items:
        says += f": {asked.repeat_items} are needed"
    else:
        says += f" (below {asked.repeat_levels:g} asked)"
    result: Result = "holds"
    if mean is None or n < asked.repeat_items:
        result = "not judged"
    elif mean >= asked.repeat_levels:
        result = "fails"
    return Checked(
        check="repeats",
        result=result,
        value=mean,
        threshold=asked.repeat_levels,
        items=n,
        least_items=asked.repeat_items,
        says=says,
    )


class _Peers:
    """The checks of raters against others of the same clips, whoever of these is left out."""

    def __init__(self, rows: _Rows, raters: int, asked: Thresholds, what: str) -> None:
        self._rows, self._raters, self._asked, self._what = rows, raters, asked, what
        self._of = [np.flatnonzero(rows.rater == rater) for rater in range(raters)]
        self._near = rows.near
        self._alike: Floats = np.zeros(0)
        if rows.marks is not None:
            one, two = self._near
            self._alike = _f1(rows.marks[one], rows.marks[two])

    def checks(self, out: Collection[int]) -> list[list[Checked]]:
        """Check every rater against those not in `out`."""
        asked = self._asked
        found = [
            self._judged(
                "agreement",
                [self._correlation(rater, out) for rater in range(self._raters)],
                out,
                (asked.agreement_share, asked.agreement_middle, asked.agreement_items),
                f"{self._what}s correlate with the others' by {{}} over {{}} {self._what}s",
            )
        ]
        if self._rows.marks is not None:
            found.append(
                self._judged(
                    "attributes",
                    [self._likeness(rater, out) for rater in range(self._raters)],
                    out,
                    (asked.attributes_share, asked.attributes_middle, asked.attributes_items),
                    "attributes are like the others' by {} beyond chance (F1) over {} clips",
                )
            )
        return [list(checks) for checks in zip(*found, strict=True)]

    def _correlation(self, rater: int, out: Collection[int]) -> tuple[float | None, int]:
        """Correlate with the mean of the others: r, 0 where this rater never varies, and over how many answers."""
        rows = self._rows
        counts = ~np.isin(rows.rater, [*out, rater]) & np.isfinite(rows.value)
        size = int(rows.item.max(initial=-1)) + 1
        total = np.bincount(rows.item[counts], rows.value[counts], size)
        many = np.bincount(rows.item[counts], minlength=size)
        mine = self._of[rater]
        mine = mine[np.isfinite(rows.value[mine]) & (many[rows.item[mine]] > 0)]
        own, others = rows.value[mine], (total / np.maximum(many, 1))[rows.item[mine]]
        if len(mine) < 2 or np.ptp(others) == 0:
            return None, len(mine)
        return (0.0 if np.ptp(own) == 0 else float(np.corrcoef(own, others)[0, 1])), len(mine)

    def _likeness(self, rater: int, out: Collection[int]) -> tuple[float | None, int]:
        """Give F1 with others of the same clip beyond that with others of other clips: (same - other) / (1 - other)."""
        rows, (one, two) = self._rows, self._near
        if rows.marks is None:
            return None, 0
        peer = ~np.isin(rows.rater, [*out, rater])
        near = (rows.rater[one] == rater) & peer[two]
        items = len(np.unique(rows.item[one[near]]))
        strangers = np.flatnonzero(peer)
        if not items or not len(strangers):
            return None, items
        mine, strangers = _thinned(self._of[rater]), _thinned(strangers)
        crossed = _f1(rows.marks[mine][:, None, :], rows.marks[strangers][None, :, :])
        apart = rows.item[mine][:, None] != rows.item[strangers][None, :]
        if not apart.any():
            return None, items
        same, other = float(self._alike[near].mean()), float(crossed[apart].mean())
        return (None if other >= 1 else (same - other) / (1 - other)), items

    def _judged(
        self,
        check: Check,
        values: list[tuple[float | None, int]],
        out: Collection[int],
        asked: tuple[float, float, int],
        what: str,
    ) -> list[Checked]:
        share, least_middle, least_items = asked
        usual = _middle([v for rater, (v, n) in enumerate(values) if rater not in out and n >= least_items])
        threshold = None if usual is None else share * usual
        found = []
        for value, n in values:
            says = what.format("none" if value is None else f"{value:.2f}", n)
            result: Result = "not judged"
            if n < least_items:
                says += f": {least_items} are needed"
            elif value is None or usual is None or threshold is None:
                says += ": there is nothing to hold it to"
            elif usual < least_middle:
                says += f", but the middle rater has {usual:.2f}: too little for anyone to be judged by"
            else:
                result = "fails" if value < threshold else "holds"
                says += f" (at least {threshold:.2f} asked, {share:g} of the middle rater's {usual:.2f})"
                if check == "agreement" and value <= -threshold:
                    says += ": as if the scale were taken the wrong way round"
            found.append(
                Checked(
                    check=check,
                    result=result,
                    value=value,
                    threshold=threshold,
                    items=n,
                    least_items=least_items,
                    says=says,
                )
            )
        return found


def _rows(answers: Answers, raters: list[str]) -> _Rows:
    """Put the answers to clips and gold clips into arrays; repeats would count a rater's clip twice."""
    at = {name: index for index, name in enumerate(raters)}
    items: dict[str, int] = {}
    said: list[tuple[int, int, float, frozenset[str]]] = []
    for response in answers.responses:
        rater = at[response.rater]
        if answers.kind == "review":
            for verdict in response.verdicts:
                item = items.setdefault(verdict.pair_id, len(items))
                said.append((item, rater, VERDICT_VALUES[verdict.verdict], frozenset()))
        elif response.annotation and response.role != "repeat":
            level = level_of(response.annotation)
            value = float("nan") if level is None else float(level)
            item = items.setdefault(response.record_id, len(items))
            said.append((item, rater, value, names_of(response.annotation)))
    words = sorted({name for *_, names in said for name in names})
    marks = None
    if words:
        place = {word: index for index, word in enumerate(words)}
        marks = np.zeros((len(said), len(words)))
        for row, (*_, names) in enumerate(said):
            marks[row, [place[name] for name in names]] = 1
    return _Rows(
        np.array([row[0] for row in said], np.int64),
        np.array([row[1] for row in said], np.int64),
        np.array([row[2] for row in said], np.float64),
        marks,
    )


def _f1(one: Floats, two: Floats) -> Floats:
    """Give the F1 of sets [..., words]; two empty ones are alike."""
    size = one.sum(-1) + two.sum(-1)
    alike: Floats = np.where(size > 0, 2 * (one * two).sum(-1) / np.maximum(size, 1), 1.0)
    return alike


def _thinned(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[:: -(-len(rows) // CROSSED)] if len(rows) > CROSSED else rows


def _share(hits: list[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _fails(checks: Iterable[Checked]) -> bool:
    return any(check.result == "fails" for check in checks)


def _margin(check: Checked) -> float:
    return (check.value or 0) / check.threshold if check.threshold else 0.0
