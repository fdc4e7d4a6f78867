"""Plots as SVG, narrow enough for a phone. Their colours are those of the page, by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dataset_builder.report.facts import BINS, Scores
from dataset_builder.report.markup import Html, joined, percent, tag
from schemas.levels import CUTS, LEVELS

WIDTH = 340
"""Pixels, before a plot is scaled to its box."""
_LEFT, _RIGHT = 8, 332
_TOP, _FLOOR = 18, 112
_LEVELS_TOP, _LEVELS_FLOOR = 158, 226


def score_plot(title: str, by_split: Mapping[str, Scores]) -> Html:
    """Draw how MOS is spread with the cuts of the levels, and below each level its share, for all splits side by side.

    Both show shares of a split, so that a small split can be held against a large one. The first split is drawn as
    bars, the others as lines.
    """
    shares = {split: [count / scores.count for count in scores.bins] for split, scores in by_split.items()}
    most = max((share for bins in shares.values() for share in bins), default=0) or 1
    parts = [_cuts()]
    for index, (split, bins) in enumerate(shares.items()):
        heights = [_FLOOR - (_FLOOR - _TOP) * share / most for share in bins]
        parts.append(_filled(split, heights) if index == 0 else _outline(split, heights))
    parts.append(_text(_LEFT, 11, f"samples by MOS: the tallest bar is {percent(most)}", "quiet"))
    parts.append(_line(_LEFT, _RIGHT, _FLOOR, _FLOOR, "axis"))
    for tick in (0, *CUTS, 1):
        anchor = "start" if tick == 0 else "end" if tick == 1 else "middle"
        parts.append(_text(_at(tick), _FLOOR + 14, f"{tick:g}", "quiet", anchor))
    parts += _level_bars(by_split)
    return _svg(f"{title}. {_told(by_split)}", 246, parts)


def _cuts() -> Html:
    ends = ((_TOP, _FLOOR), (_LEVELS_TOP - 6, _LEVELS_FLOOR))
    return joined(_line(_at(cut), _at(cut), top, floor, "cut") for top, floor in ends for cut in CUTS)


def _filled(split: str, heights: Sequence[float]) -> Html:
    step = (_RIGHT - _LEFT) / BINS
    return joined(
        tag("rect", class_=split, x=f"{_LEFT + index * step:.2f}", y=f"{y:.2f}", width=f"{step - 0.8:.2f}",
            height=f"{_FLOOR - y:.2f}")
        for index, y in enumerate(heights)
        if y < _FLOOR
    )  # fmt: skip


def _outline(split: str, heights: Sequence[float]) -> Html:
    path = [f"M{_LEFT} {_FLOOR}"]
    path += [f"V{y:.2f}H{_at((index + 1) / BINS):.2f}" for index, y in enumerate(heights)]
    return tag("path", class_=f"line {split}", d="".join([*path, f"V{_FLOOR}"]))


def _level_bars(by_split: Mapping[str, Scores]) -> list[Html]:
    parts = [_text(_LEFT, _LEVELS_TOP - 14, "samples by level, in %", "quiet")]
    shares = {s: [scores.levels[level] / scores.count for level in LEVELS] for s, scores in by_split.items()}
    most = max((share for each in shares.values() for share in each), default=0) or 1
    room = (_RIGHT - _LEFT) / len(LEVELS)
    width = min(26.0, (room - 8) / max(len(shares), 1))
    for index, level in enumerate(LEVELS):
        middle = _LEFT + (index + 0.5) * room
        parts.append(_text(middle, _LEVELS_FLOOR + 14, level, "", "middle"))
        for place, (split, each) in enumerate(shares.items()):
            x = middle + (place - len(shares) / 2) * width
            height = (_LEVELS_FLOOR - _LEVELS_TOP - 4) * each[index] / most
            y = _LEVELS_FLOOR - height
            parts.append(
                tag("rect", class_=split, x=f"{x + 1:.2f}", y=f"{y:.2f}", width=f"{width - 2:.2f}",
                    height=f"{height:.2f}")
            )  # fmt: skip
            told = percent(each[index]).removesuffix(" %")
            parts.append(_text(x + width / 2, y - 3, told, "small", "middle"))
    return [*parts, _line(_LEFT, _RIGHT, _LEVELS_FLOOR, _LEVELS_FLOOR, "axis")]


def intervals(title: str, rows: Sequence[tuple[str, float, tuple[float, float] | None]], lo: float, hi: float) -> Html:
    """Draw a dot for each (name, value) on a scale from `lo` to `hi`, with its interval where there is one."""
    step = 34

    def at(value: float) -> float:
        return _LEFT + (_RIGHT - 44 - _LEFT) * (min(max(value, lo), hi) - lo) / (hi - lo)

    floor = step * len(rows) + 8
    ticks = [lo + (hi - lo) * index / 4 for index in range(5)]
    parts = [_line(at(tick), at(tick), 4, floor, "cut") for tick in ticks]
    parts += [_text(at(tick), floor + 14, f"{tick:g}", "quiet", "start" if tick == lo else "middle") for tick in ticks]
    for index, (name, value, interval) in enumerate(rows):
        y = 26 + step * index
        parts.append(_text(_LEFT + 5, y - 10, name if len(name) <= 46 else f"{name[:45]}…", ""))
        if interval:
            parts.append(_line(at(interval[0]), at(interval[1]), y, y, "interval"))
        parts.append(tag("circle", class_="train", cx=f"{at(value):.2f}", cy=y, r=4.5))
        parts.append(_text(_RIGHT, y + 4, f"{value:.2f}", "", "end"))
    told = "; ".join(
        f"{name} {value:.2f}" + (f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else "")
        for name, value, interval in rows
    )
    return _svg(f"{title}: {told}", floor + 22, parts)


def _told(by_split: Mapping[str, Scores]) -> str:
    """Say what a plot shows to whoever cannot see it."""
    return ". ".join(
        f"{split}, {scores.count:,} samples: "
        + ", ".join(f"{level} {percent(scores.levels[level] / scores.count)}" for level in LEVELS)
        for split, scores in by_split.items()
    )


def _at(unit: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * unit


def _line(x1: float, x2: float, y1: float, y2: float, kind: str) -> Html:
    return tag("line", class_=kind, x1=f"{x1:.2f}", x2=f"{x2:.2f}", y1=f"{y1:.2f}", y2=f"{y2:.2f}")


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> Html:
    return tag("text", words, class_=kind or None, x=f"{x:.2f}", y=f"{y:.2f}", text_anchor=anchor)


def _svg(told: str, height: float, parts: Sequence[Html]) -> Html:
    return tag("svg", *parts, role="img", aria_label=told, viewBox=f"0 0 {WIDTH} {height:g}", class_="plot")
