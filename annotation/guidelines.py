"""The page that raters read first, and the shorter text that Label Studio shows before the first task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from markdown_it import MarkdownIt

from annotation.labeling import ATTRIBUTE_KEYS, DEGREE_KEYS, VERDICTS, attributes_of, degrees_of, reasons_of
from schemas.levels import LEVELS
from schemas.project import AttributeWord, ProjectRecipe

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2rem; border-bottom: 1px solid #8886; padding-bottom: .2rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .8rem .3rem 0;
vertical-align: top; border-bottom: 1px solid #8883; } td:first-child { white-space: nowrap; font-weight: 600; }
kbd { border: 1px solid #8889; border-radius: 4px; padding: 0 .35em; font: .85em ui-monospace, monospace;
white-space: nowrap; } ol.scale { padding: 0; display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; }
ol.scale li { border: 1px solid #8886; border-radius: 6px; padding: .2rem .7rem; }
"""
_BARE = {"<h2>": "<br><h2>", "<li>": "<li>– ", "</th><th>": "&emsp;</th><th>", "</td><td>": "&emsp;</td><td>"}
"""What keeps things apart where lists and tables have no style, and no style is let through."""
_OVER = {"whole": "all through", "moments": "moments", "both": "both"}
_LEVEL_HINTS = {
    "low": "hardly bearable to watch",
    "poor": "problems that annoy most of the time",
    "fair": "problems that are plain to see, and can be borne",
    "good": "small problems that do not disturb",
    "high": "no problem that one would notice",
}
"""What the levels mean where the recipe does not say: ours, after the wording of impairments in ITU-R BT.500."""
_HOW_DEPICT = (
    "Watch the whole clip once, at full size, before you mark anything. Watch it again as often as you need.",
    "<b>Problems all through the video</b>: pick the problem, then how strong it is. One degree for each problem.",
    "<b>Moments</b>: pick the problem ({first}), drag over the timeline from its first to its last frame, then click "
    "what you drew: set its degree, and say when and where it is by what is seen, <i>as the person jumps</i>. Then "
    "click its name by the timeline to let it go: a problem's key pressed before that would rename it.",
    "<b>Overall depiction</b>: what is wrong with the video as a whole, how strong and when, in whole sentences.",
    "<b>In-context depiction</b>: what a problem does to what is shown, and where in the frame.",
    "<b>Extended conversation</b>: one question that a viewer might ask on the quality, and your answer. May be empty.",
    "<b>Overall quality</b>: one of the five levels, and a score from 0 (worst) to 100 (best).",
    "Judge the technical quality, not whether you like what is shown.",
    "What is filled in when you open a task may be wrong or incomplete. Correct it by what you see.",
    "If a clip does not play, skip it and say so.",
)
_HOW_REVIEW = (
    "Watch the whole clip before you read the pairs. What is known of it stands below it.",
    "<b>accept</b>: question and answer are right as they stand.",
    "<b>accept with edits</b>: correct the words in place, as little as it takes, then pick this.",
    "<b>reject</b>: it cannot be saved by an edit. Say why: {reasons}.",
    "Trust what you see over what is written. If a clip does not play, skip it and say so.",
)


def guideline_page(recipe: ProjectRecipe, *, qualification: bool = False) -> str:
    """Write the page: one file without anything from elsewhere."""
    title = escape(recipe.title or recipe.name)
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}: guidelines</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n"
        f"{_body(recipe, qualification=qualification)}\n</body>\n</html>\n"
    )


def instruction(recipe: ProjectRecipe, *, qualification: bool = False) -> str:
    """Write what Label Studio shows before the first task, as HTML without styles."""
    body = _body(recipe, qualification=qualification)
    for tag, apart in _BARE.items():
        body = body.replace(tag, apart)
    return body


def _body(recipe: ProjectRecipe, *, qualification: bool) -> str:
    parts = []
    if qualification:
        parts.append(
            "<p><b>This is the qualification.</b> Do all of its clips. What is right for them is known: you get your "
            "answers back beside it, and are let in when enough of them agree.</p>"
        )
    if recipe.guidelines.strip():
        parts.append(MarkdownIt("commonmark", {"html": False}).enable("table").render(recipe.guidelines))
    return "\n".join(parts + (_review(recipe) if recipe.kind == "review" else _depict(recipe)))


def _depict(recipe: ProjectRecipe) -> list[str]:
    attributes = attributes_of(recipe)
    moments = [word for word in attributes if word.over != "whole"]
    whole = [word for word in attributes if word.over != "moments"]
    first = f"or press {_key(moments[0])}" if moments and moments[0].key else "by its label"
    left_out = [not whole and "Problems all through", not moments and "Moments"]
    steps = [step for step in _HOW_DEPICT if not any(name and f"<b>{name}" in step for name in left_out)]
    hints = {word.level: word.hint for word in recipe.levels} or _LEVEL_HINTS
    return [
        "<h2>What to do</h2>",
        _list(step.format(first=first) for step in steps),
        "<h2>Problems</h2>",
        _table(
            ("problem", "what it looks like", "said of", "key"),
            [(escape(a.name), escape(a.hint), _OVER[a.over], _key(a) if a.over != "whole" else "") for a in attributes],
        ),
        "<h2>Degrees</h2>",
        "<p>From weakest to strongest. The key sets the degree of the picked moment.</p>",
        _scale(
            f"{escape(degree)} {_alt(DEGREE_KEYS[index]) if index < len(DEGREE_KEYS) else ''}"
            for index, degree in enumerate(degrees_of(recipe))
        ),
        "<h2>Overall quality</h2>",
        _table(
            ("level", "what it means", "key"),
            [(level, escape(hints[level]), f"<kbd>Shift {n}</kbd>") for n, level in enumerate(LEVELS, 1)],
        ),
    ]


def _review(recipe: ProjectRecipe) -> list[str]:
    reasons = ", ".join(f"<i>{escape(reason)}</i>" for reason in reasons_of(recipe))
    steps = _list(step.format(reasons=reasons) for step in _HOW_REVIEW)
    return ["<h2>What to do</h2>", f"<p>Every pair gets one of {len(VERDICTS)} verdicts.</p>", steps]


def _key(word: AttributeWord) -> str:
    return _alt(word.key) if word.key else ""


def _alt(key: str) -> str:
    return f"<kbd>Alt {escape(key.upper() if key in ATTRIBUTE_KEYS + DEGREE_KEYS else key)}</kbd>"


def _list(items: Iterable[str]) -> str:
    return "<ol>\n" + "\n".join(f"<li>{item}</li>" for item in items) + "\n</ol>"


def _scale(items: Iterable[str]) -> str:
    return '<ol class="scale">' + "".join(f"<li>{item.strip()}</li>" for item in items) + "</ol>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table without the columns that nothing is in."""
    cells = list(rows)
    kept = [index for index in range(len(head)) if any(row[index] for row in cells)]
    lines = ["".join(f"<th>{head[index]}</th>" for index in kept)]
    lines += ["".join(f"<td>{row[index]}</td>" for index in kept) for row in cells]
    return "<table>\n" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "\n</table>"
