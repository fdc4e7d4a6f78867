"""Pages of HTML that need nothing beside themselves: a frame, tables, and plots as inline SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

GOOD, BAD, UNKNOWN, LINE = "#1a7f5a", "#c0392b", "#8a8f98", "#d5d9df"

_STYLE = """\
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2330; background: #f5f6f8; margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 28px 60px; }
h1 { font-size: 26px; margin: 8px 0 2px; }
h2 { font-size: 19px; margin: 34px 0 8px; }
h3 { font-size: 16px; margin: 18px 0 4px; }
.box h2, .box h3 { margin-top: 4px; }
p { margin: 6px 0 10px; max-width: 76em; }
.lead { color: #4c5566; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 16px 0; }
.card, .box { background: #fff; border: 1px solid #dfe2e8; border-radius: 8px; padding: 10px 16px; }
.card b { display: block; font-size: 22px; }
.card span { color: #4c5566; font-size: 13px; }
.box { margin: 12px 0; overflow-x: auto; }
.row { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; }
.row > .box { flex: 1 1 460px; margin: 0; }
table { border-collapse: collapse; font-size: 13.5px; }
th { text-align: left; color: #4c5566; font-weight: 600; border-bottom: 2px solid #d5d9df; vertical-align: bottom; }
th, td { padding: 4px 10px 4px 0; }
td { border-bottom: 1px solid #eceef2; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.n { white-space: nowrap; }
.good { color: #1a7f5a; } .bad { color: #c0392b; font-weight: 600; } .unknown { color: #6b7280; }
.pill { border-radius: 9px; padding: 1px 9px; font-size: 12.5px; white-space: nowrap; }
.pill.good { background: #e3f4ec; } .pill.bad { background: #fbe6e3; } .pill.unknown { background: #eceef2; }
blockquote { margin: 4px 0; padding: 2px 0 2px 12px; border-left: 3px solid #d5d9df; }
svg text { font: 12px system-ui, sans-serif; fill: #1d2330; }
svg text.quiet { fill: #6b7280; }
ul { margin: 4px 0 8px; padding-left: 22px; }
@media print { body { background: #fff; } .box, .card { break-inside: avoid; } }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """Put parts, which are HTML, into a page that loads nothing; the title is text."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Write a table; cells are HTML, header cells text; the columns in `numbers` stand to the right."""
    kind = [' class="n"' if index in numbers else "" for index in range(len(header))]
    head = "".join(f"<th{kind[index]}>{escape(cell)}</th>" for index, cell in enumerate(header))
    body = "".join(
        "<tr>" + "".join(f"<td{kind[index]}>{cell}</td>" for index, cell in enumerate(row)) + "</tr>\n" for row in rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"


def cards(figures: Mapping[str, str]) -> str:
    """Write figures with what they are, both text."""
    each = "".join(f'<div class="card"><b>{escape(v)}</b><span>{escape(k)}</span></div>' for k, v in figures.items())
    return f'<div class="cards">{each}</div>'


def number(value: float | None, digits: int = 2) -> str:
    """Write a number, or a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """Write a share, or a dash for none."""
    return "–" if value is None else f"{value:.0%}"


def dots(title: str, rows: Sequence[tuple[str, float, str]], line: float | None, lo: float, hi: float) -> str:
    """Draw a row with a dot for each (label, value, class of good, bad, unknown), and a line at the threshold."""
    left, width, step = 120, 330, 20
    height = 26 + step * len(rows) + 24

    def x(value: float) -> float:
        return left + width * (min(max(value, lo), hi) - lo) / (hi - lo)

    parts = [_axis(x, lo, hi, 22, height - 22)]
    if line is not None:
        parts.append(
            f'<line x1="{x(line):.1f}" x2="{x(line):.1f}" y1="20" y2="{height - 20}" stroke="{BAD}" '
            f'stroke-dasharray="5 3"/><text x="{x(line):.1f}" y="14" text-anchor="middle">asked {line:.2f}</text>'
        )
    for index, (label, value, kind) in enumerate(rows):
        y = 34 + step * index
        colour = {"good": GOOD, "bad": BAD}.get(kind, UNKNOWN)
        shape = (
            f'<path d="M{x(value) - 5:.1f} {y - 5}l10 10m0 -10l-10 10" stroke="{colour}" stroke-width="2.5"/>'
            if kind == "bad"
            else f'<circle cx="{x(value):.1f}" cy="{y}" r="5" fill="{colour}"/>'
        )
        parts.append(
            f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(label)}</text>{shape}'
            f'<text class="quiet" x="{left + width + 14}" y="{y + 4}">{value:.2f}</text>'
        )
    return _svg(title, left + width + 60, height, parts)


def scatter(title: str, points: Sequence[tuple[str, float, float, str]], across: str, up: str) -> str:
    """Draw points (label, x, y, class), y from 0, x about 0, with its axes named."""
    left, top, width, height = 56.0, 14.0, 380.0, 280.0
    reach = max([abs(x) for _, x, _, _ in points] + [1.0]) * 1.15
    most = max([y for _, _, y, _ in points] + [1.0]) * 1.15

    def at(x: float, y: float) -> tuple[float, float]:
        return left + width * (x + reach) / (2 * reach), top + height * (1 - y / most)

    middle = at(0, 0)[0]
    parts = [
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="{LINE}"/>',
        f'<line x1="{middle}" x2="{middle}" y1="{top}" y2="{top + height}" stroke="{LINE}"/>',
    ]
    for tick in _ticks(-reach, reach):
        parts.append(
            f'<text class="quiet" x="{at(tick, 0)[0]:.1f}" y="{top + height + 16}" text-anchor="middle">{tick:g}</text>'
        )
    for tick in _ticks(0, most):
        down = at(0, tick)[1] + 4
        parts.append(f'<text class="quiet" x="{left - 8}" y="{down:.1f}" text-anchor="end">{tick:g}</text>')
    for label, right, high, kind in points:
        colour = {"good": GOOD, "bad": BAD}.get(kind, UNKNOWN)
        cx, cy = at(right, high)
        parts.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="5" fill="{colour}" fill-opacity="0.75">'
            f"<title>{escape(label)}: {right:+.1f}, {high:.1f}</title></circle>"
        )
        if kind == "bad" or len(points) <= 12:
            anchor, shift = ("end", -9) if cx > left + 0.75 * width else ("start", 9)
            parts.append(f'<text x="{cx + shift:.1f}" y="{cy + 4:.1f}" text-anchor="{anchor}">{escape(label)}</text>')
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 34}" text-anchor="middle">{escape(across)}</text>')
    parts.append(
        f'<text transform="translate(14 {top + height / 2}) rotate(-90)" text-anchor="middle">{escape(up)}</text>'
    )
    return _svg(title, left + width + 20, top + height + 44, parts)


def heat(title: str, labels: Sequence[str], cells: Sequence[Sequence[float | None]], form: str = "{:.2f}") -> str:
    """Draw a square table whose cells are the darker the larger they are; None is left white."""
    side = 44 if len(labels) <= 10 else 26
    left, top = 100, 10
    most = max((value for row in cells for value in row if value is not None), default=1) or 1
    parts = []
    for i, row in enumerate(cells):
        y = top + i * side
        parts.append(f'<text x="{left - 8}" y="{y + side / 2 + 4}" text-anchor="end">{escape(labels[i])}</text>')
        for j, value in enumerate(row):
            x = left + j * side
            share = 0.0 if value is None else max(0.0, value / most)
            told = "" if value is None else form.format(value)
            parts.append(
                f'<rect x="{x}" y="{y}" width="{side - 1}" height="{side - 1}" fill="#1f5fa8"'
                f' fill-opacity="{share:.2f}" stroke="#eceef2"><title>{escape(labels[i])}, {escape(labels[j])}: '
                f"{told or 'none'}</title></rect>"
            )
            if side > 30 and told:
                ink = "#fff" if share > 0.55 else "#1d2330"
                parts.append(
                    f'<text x="{x + side / 2}" y="{y + side / 2 + 4}" text-anchor="middle" style="fill:{ink}">'
                    f"{told}</text>"
                )
    bottom = top + len(labels) * side
    for j, label in enumerate(labels):
        middle = left + j * side + side / 2
        parts.append(f'<text transform="translate({middle + 4} {bottom + 10}) rotate(45)">{escape(label)}</text>')
    longest = max((len(label) for label in labels), default=0)
    return _svg(title, left + len(labels) * side + 40, bottom + 20 + 6 * longest, parts)


def intervals(title: str, rows: Sequence[tuple[str, float, tuple[float, float], str]]) -> str:
    """Draw shares with their intervals: (label, share, (low, high), note)."""
    left, width, step = 190, 300, 24
    height = 14 + step * len(rows) + 24

    def x(value: float) -> float:
        return left + width * value

    parts = [_axis(x, 0, 1, 6, height - 22)]
    for index, (label, share, (low, high), note) in enumerate(rows):
        y = 18 + step * index
        parts.append(
            f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(label)}</text>'
            f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}" stroke="#1f5fa8" stroke-width="3"'
            f' stroke-opacity="0.35"/><circle cx="{x(share):.1f}" cy="{y}" r="5" fill="#1f5fa8"/>'
            f'<text class="quiet" x="{left + width + 14}" y="{y + 4}">{escape(note)}</text>'
        )
    return _svg(title, left + width + 330, height, parts)


def _axis(x: Callable[[float], float], lo: float, hi: float, top: float, bottom: float) -> str:
    return "".join(
        f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top}" y2="{bottom}" stroke="{LINE}"/>'
        f'<text class="quiet" x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
        for tick in _ticks(lo, hi)
    )


def _ticks(lo: float, hi: float) -> list[float]:
    """Choose about five round numbers from `lo` to `hi`."""
    step = next(s * 10**e for e in range(-3, 6) for s in (1, 2, 2.5, 5) if (hi - lo) / (s * 10**e) <= 6)
    first = -(-lo // step)
    return [round((first + index) * step, 6) for index in range(int((hi - first * step) / step + 1e-9) + 1)]


def _svg(title: str, width: float, height: float, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">{"".join(parts)}</svg>'
    )
