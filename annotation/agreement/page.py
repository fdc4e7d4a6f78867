"""The page of an agreement: who is kept and why, and how far raters agree, with plots."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import msgspec

from annotation.agreement.markup import (
    cards,
    document,
    dots,
    heat,
    intervals,
    number,
    percent,
    scatter,
    table,
)
from annotation.agreement.screening import CHECKS, Checked, Screened
from schemas.levels import LEVELS

if TYPE_CHECKING:
    from annotation.agreement.agree import Agreement
    from annotation.agreement.measures import LevelAgreement
    from schemas.pair import Acceptance

_CLASS = {"holds": "good", "fails": "bad", "not judged": "unknown"}
_STATE = {"accepted": "good", "excluded": "bad", "not judged": "unknown"}
_ASKED = {
    "gold": "gold right",
    "agreement": "agrees (r)",
    "attributes": "attributes (F1)",
    "sameness": "same answer",
    "unchanged": "unchanged",
    "haste": "in haste",
    "repeats": "repeats apart",
}
HARD = 12
"""So many gold clips are shown, hardest first."""


def page(found: Agreement) -> str:
    """Write the page."""
    title = f"Agreement of raters: {found.title or found.project}"
    parts = [f"<h1>{escape(title)}</h1>", f'<p class="lead">{escape(_lead(found))}</p>', _cards(found)]
    parts += _raters(found)
    if found.level:
        parts += _levels(found)
    if found.descriptions:
        parts += _described(found)
    if found.review:
        parts += _reviewed(found)
    if found.gold:
        parts += _gold(found)
    parts += _asked(found)
    return document(title, parts)


def _lead(found: Agreement) -> str:
    counted = found.counted
    left = {
        "skipped": counted.skipped,
        "drafts": counted.drafts,
        "without an answer": counted.empty,
        "replaced by a later one of the same rater": counted.superseded,
    }
    told = ", ".join(f"{n} {what}" for what, n in left.items() if n)
    return f"{counted.judged} responses are judged; left out: {told or 'none'}."


def _cards(found: Agreement) -> str:
    states = [rater.state for rater in found.raters]
    shown = {"raters kept": f"{len(states) - states.count('excluded')} of {len(states)}"}
    if "not judged" in states:
        shown["of them not judged, for want of items"] = str(states.count("not judged"))
    if found.level and found.level_of_all:
        shown["alpha of levels, ordinal, of those kept"] = number(found.level.ordinal)
        shown["the same of all raters"] = number(found.level_of_all.ordinal)
    if found.descriptions:
        shown["alike sets of attributes (F1)"] = number(found.descriptions.set_f1)
        shown["annotations go on"] = str(found.written.annotations)
    if found.review:
        shown["alpha of verdicts, ordinal"] = number(found.review.ordinal)
        shown["pairs have a verdict"] = str(found.written.verdicts)
    return cards(shown)


def _raters(found: Agreement) -> list[str]:
    parts = ["<h2>Raters</h2>"]
    excluded = [rater for rater in found.raters if not rater.kept]
    if excluded:
        rows = [[escape(rater.rater), "<br>".join(map(escape, rater.reasons)), _items(rater)] for rater in excluded]
        head = ["excluded", "why: statistic, and what is asked", "items"]
        parts.append(f'<div class="box">{table(head, rows, [2])}</div>')
    else:
        parts.append("<p>Nobody is excluded.</p>")
    by_hand = [f"<li>{escape(r.rater)}: {escape(r.by_hand)}</li>" for r in found.raters if r.by_hand and r.kept]
    if by_hand:
        parts.append(f"<ul>{''.join(by_hand)}</ul>")
    rows = []
    for rater, figures in zip(found.raters, found.figures, strict=True):
        checks = {check.check: check for check in rater.checks}
        cells = [_check(checks.get(name)) for name in CHECKS]
        rows.append(
            [
                escape(rater.rater),
                f'<span class="pill {_STATE[rater.state]}">{rater.state}</span>',
                str(figures.clips),
                *cells,
                number(figures.bias, 1),
                number(figures.inconsistency, 1),
                {None: "–", True: "rejects", False: "keeps"}[figures.bt500],
                number(figures.pace, 1),
            ]
        )
    head = ["rater", "", "clips", *(_ASKED[name] for name in CHECKS), "bias", "noise", "BT.500", "pace"]
    parts.append(
        f'<div class="box">{table(head, rows, range(2, len(head)))}'
        '<p class="unknown">✕ fails, · not judged for want of items or of agreement among the others; point at a figure'
        " for what it rests on. Repeats: levels apart. Bias and noise (inconsistency) are in points of the score (ITU-T"
        " P.910). Pace: middle time on"
        " task in durations of the clip. BT.500: what ITU-R BT.500 screening would do, for comparison.</p></div>"
    )
    parts.append(_rater_plots(found))
    return parts


def _items(rater: Screened) -> str:
    return "<br>".join(str(check.items) for check in rater.checks if check.result == "fails") or "–"


def _check(check: Checked | None) -> str:
    if check is None or check.value is None:
        return "–"
    mark = {"holds": "", "fails": " ✕", "not judged": " ·"}[check.result]
    shares = {"gold", "sameness", "unchanged", "haste"}
    told = percent(check.value) if check.check in shares else number(check.value)
    return f'<span class="{_CLASS[check.result]}" title="{escape(check.says)}">{told}{mark}</span>'


def _rater_plots(found: Agreement) -> str:
    rows: list[tuple[str, float, str]] = []
    line = None
    for rater in found.raters:
        for check in rater.checks:
            if check.check == "agreement" and check.value is not None:
                rows.append((rater.rater, check.value, _CLASS[check.result]))
                line = check.threshold if check.threshold is not None else line
    rows.sort(key=lambda row: -row[1])
    plots = []
    if rows:
        drawn = dots("agreement by rater", rows, line, -1, 1)
        plots.append(f'<div class="box"><h3>Agreement with the other raters of the same clip (r)</h3>{drawn}</div>')
    points = [
        (figures.rater, figures.bias, figures.inconsistency, _STATE[rater.state])
        for rater, figures in zip(found.raters, found.figures, strict=True)
        if figures.bias is not None and figures.inconsistency is not None
    ]
    if points:
        drawn = scatter("bias and inconsistency", points, "bias, points above the others", "inconsistency, points")
        plots.append(f'<div class="box"><h3>Bias and inconsistency of scores</h3>{drawn}</div>')
    return f'<div class="row">{"".join(plots)}</div>'


def _levels(found: Agreement) -> list[str]:
    level = found.level
    if level is None:
        return []
    rows = [_level_row("levels, raters kept", level)]
    if found.level_of_all:
        rows.append(_level_row("levels, all raters", found.level_of_all))
    if found.score:
        rows.append(_level_row("scores, raters kept", found.score))
    head = ["", "clips", "ratings", "alpha nominal", "alpha ordinal", "95 %", "alpha interval", "kappa²", "ICC(1)"]
    head += ["ICC(2,1)", "ICC(3,k)", "of the block"]
    parts = [
        "<h2>Levels and scores</h2>",
        f'<div class="box">{table(head, rows, range(1, 11))}'
        '<p class="unknown">kappa²: quadratically weighted kappa, mean over pairs of raters. ICC(2,1) and ICC(3,k) are'
        " of the largest block of clips that the same raters rated.</p></div>",
    ]
    plots = []
    if any(map(any, level.confusion)):
        shares = [[value / (sum(row) or 1) for value in row] for row in level.confusion]
        drawn = heat("levels of pairs of raters", LEVELS, shares, "{:.0%}")
        plots.append(
            f'<div class="box"><h3>What others say where one rater says …</h3>{drawn}'
            '<p class="unknown">Each row adds up to 100 %.</p></div>'
        )
    kappas = {(pair.one, pair.two): pair.kappa for pair in level.pairs}
    names = sorted({name for pair in kappas for name in pair})
    if names:
        cells = [[kappas.get((min(a, b), max(a, b))) if a != b else None for b in names] for a in names]
        drawn = heat("weighted kappa of pairs of raters", names, cells)
        plots.append(
            f'<div class="box"><h3>Weighted kappa of pairs of raters</h3>{drawn}'
            '<p class="unknown">Pairs with five clips or more in common; white: fewer, or 0 and below.</p></div>'
        )
    return [*parts, f'<div class="row">{"".join(plots)}</div>']


def _level_row(what: str, level: LevelAgreement) -> list[str]:
    block = level.block
    between = level.interval_of_ordinal
    return [
        what,
        str(level.items),
        str(level.ratings),
        number(level.nominal),
        number(level.ordinal),
        f"{between[0]:.2f} to {between[1]:.2f}" if between else "–",
        number(level.interval),
        number(level.kappa),
        number(level.icc_one),
        number(block.icc.two if block else None),
        number(block.icc.three_k if block else None),
        f"{len(block.raters)} raters, {block.items} clips" if block else "–",
    ]


def _described(found: Agreement) -> list[str]:
    said = found.descriptions
    if said is None or not said.pairs:
        return []
    rows = [
        [
            escape(a.name),
            str(a.named),
            number(a.f1),
            number(a.kappa),
            number(a.alpha),
            str(a.both),
            percent(a.degree_same),
            percent(a.degree_near),
            number(a.degree_kappa),
            number(a.degree_alpha),
        ]
        for a in said.attributes
    ]
    head = ["attribute", "named", "F1", "kappa", "alpha", "both name it", "same degree", "within one"]
    head += ["degree kappa²", "degree alpha"]
    spans = said.spans
    times = table(
        [
            "pairs of answers",
            "spans matched",
            "IoU of matched",
            "F1 at IoU 0.5",
            "IoU of all covered",
            "one throughout",
        ],
        [
            [
                str(spans.pairs),
                str(spans.matched),
                number(spans.matched_iou),
                number(spans.f1),
                number(spans.covered_iou),
                percent(spans.throughout_or_moments),
            ]
        ],
        range(6),
    )
    return [
        "<h2>Attributes, degrees and times</h2>",
        f"<p>Over {said.pairs} pairs of raters of one clip: sets of attributes are alike by F1 {number(said.set_f1)},"
        f" and the same in {percent(said.set_same)}.</p>",
        f'<div class="box">{table(head, rows, range(1, 10))}</div>',
        f'<div class="box"><h3>When, where both give the attribute moments</h3>{times}</div>',
    ]


def _reviewed(found: Agreement) -> list[str]:
    review = found.review
    if review is None:
        return []
    parts = [
        "<h2>Review</h2>",
        f"<p>{review.verdicts} verdicts; {review.pairs} pairs are judged twice or more: the same in"
        f" {percent(review.same)}, kappa {number(review.kappa)}, alpha nominal {number(review.nominal)}, ordinal"
        f" {number(review.ordinal)}.</p>",
    ]
    if not review.by_family:
        parts.append("<p>The file of pairs was not found: families and generators are not known.</p>")
    if review.unknown:
        parts.append(f"<p>{review.unknown} pairs are not in the file of pairs: they have no family.</p>")
    for what, kinds in (
        ("All", review.acceptance),
        ("By family", review.by_family),
        ("By generator", review.by_generator),
    ):
        if kinds:
            drawn = intervals(f"acceptance, {what}", [_acceptance(kind) for kind in kinds])
            parts.append(f'<div class="box"><h3>{what}: accepted as they are, Wilson 95 %</h3>{drawn}</div>')
    if review.reasons:
        rows = [[escape(reason), str(n)] for reason, n in review.reasons.items()]
        parts.append(f'<div class="box">{table(["reason of rejections", "verdicts"], rows, [1])}</div>')
    return parts


def _acceptance(kind: Acceptance) -> tuple[str, float, tuple[float, float], str]:
    note = f"{kind.accepted} of {kind.pairs}, {kind.edited} edited, {kind.rejected} rejected"
    if kind.undecided:
        note += f", {kind.undecided} open"
    return kind.of, kind.accepted / kind.pairs, kind.accepted_95, note


def _gold(found: Agreement) -> list[str]:
    rows = [[escape(g.record_id), f"{g.right} of {g.answers}"] for g in found.gold[:HARD] if g.right < g.answers]
    if not rows:
        return ["<h2>Gold clips</h2><p>Every kept rater got every gold clip right.</p>"]
    return [
        "<h2>Gold clips, hardest first</h2>",
        "<p>Where most of those kept are wrong, look at the known answer.</p>",
        f'<div class="box">{table(["clip", "right"], rows, [1])}</div>',
    ]


def _asked(found: Agreement) -> list[str]:
    rows = [[escape(name), f"{value:g}"] for name, value in msgspec.structs.asdict(found.thresholds).items()]
    return ["<h2>Thresholds</h2>", f'<div class="box">{table(["threshold", "value"], rows, [1])}</div>']
