"""HTML that cannot be injected into: whatever is not markup already is escaped where it is put in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

VOID = frozenset({"img", "meta", "line", "rect", "path", "circle"})
"""Elements without content: of HTML those that have no end tag, of SVG shapes that hold nothing here."""


LONG_CELL = 40
"""Characters from which on the text of a cell may be broken into lines."""


class Html(str):
    """Text that is markup. Only this module and `tag` make it, so a plain string is never taken for it."""

    __slots__ = ()


def shown(value: object) -> Html:
    """Give markup as it is, and anything else as text, escaped."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def tag(name: str, /, *inside: object, **attributes: object) -> Html:
    """Write an element. Attributes: `class_` is class, `stroke_width` is stroke-width; None and False are left out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Html(f"<{name}{told}>" if name in {"img", "meta"} else f"<{name}{told}/>")
    return Html(f"<{name}{told}>{joined(inside)}</{name}>")


def joined(parts: Iterable[object], between: str = "") -> Html:
    """Put parts one behind the other."""
    return Html(escape(between).join(map(shown, parts)))


def lines(parts: Iterable[object]) -> Html:
    """Put parts on lines of their own."""
    return joined(parts, "\n")


def table(
    caption: str,
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    numbers: Iterable[int] = (),
    *,
    total: bool = False,
) -> Html:
    """Write a table: its first column heads the rows, the columns in `numbers` stand to the right.

    With `total` the last row sums the others up.
    """
    right = set(numbers)

    def kind(index: int, cell: object = "") -> str | None:
        return "n" if index in right else "words" if len(str(cell)) > LONG_CELL else None

    listed = list(rows)
    header = joined(tag("th", cell, scope="col", class_=kind(index)) for index, cell in enumerate(head))
    body = []
    for number, row in enumerate(listed):
        first = tag("th", row[0], scope="row", class_=kind(0))
        rest = joined(tag("td", cell, class_=kind(index, cell)) for index, cell in enumerate(row) if index)
        body.append(tag("tr", first, rest, class_="total" if total and number == len(listed) - 1 else None))
    made = tag("table", tag("caption", caption), tag("thead", tag("tr", header)), "\n", tag("tbody", lines(body)))
    return tag("div", made, class_="wide", role="region", aria_label=caption, tabindex="0")


def bars(
    caption: str, head: tuple[str, str], counts: Sequence[tuple[object, int]], of: int | None = None, more: str = ""
) -> Html:
    """Write counts as a table with a bar in each row; `of` is what shares are taken of (without it there are none)."""
    most = max((count for _, count in counts), default=0) or 1
    rows = []
    for label, count in counts:
        bar = tag("span", style=f"width:{100 * count / most:.1f}%")
        cells = [tag("th", label, scope="row"), tag("td", bar, class_="bar", aria_hidden="true")]
        cells.append(tag("td", f"{count:,}", class_="n"))
        if of:
            cells.append(tag("td", percent(count / of), class_="n"))
        rows.append(tag("tr", *cells))
    titles = [tag("th", head[0], scope="col"), tag("td"), tag("th", head[1], scope="col", class_="n")]
    titles += [tag("th", "share", scope="col", class_="n")] if of else []
    made = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *titles)),
        "\n",
        tag("tbody", lines(rows)),
        class_="bars",
    )
    return tag("div", made, tag("p", more, class_="quiet") if more else "", class_="box")


def cards(figures: Iterable[tuple[str, object]]) -> Html:
    """Write figures with what they are."""
    each = (tag("div", tag("dt", name), tag("dd", figure)) for name, figure in figures)
    return tag("dl", *each, class_="cards")


def code(value: object) -> Html:
    """Write a name as it stands, apart from the words around it."""
    return tag("code", value)


def link(name: object, address: str) -> Html:
    """Write a link; what is no address of the web stays text."""
    if not address.startswith(("https://", "http://")):
        return shown(name)
    return tag("a", name, href=address, rel="noreferrer noopener")


def percent(share: float) -> str:
    """Write a share; one that is there is never told as 0 %."""
    return "<1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def document(title: str, style: str, body: Iterable[object]) -> Html:
    """Put a page together, which may load and run nothing: its own style and pictures in it are all it has."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(style)),
    ]
    page = tag("html", "\n", tag("head", lines(head)), "\n", tag("body", "\n", lines(body), "\n"), "\n", lang="en")
    return Html(f"<!DOCTYPE html>\n{page}\n")
