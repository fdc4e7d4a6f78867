"""What the sources say of their sets, in one place: for machines, and as the text of docs/sources.md."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import dataset_builder.sources
from dataset_builder.sources import About
from schemas.plugins import load_plugin, plugin_names
from schemas.recipe import Scale

INTRODUCTION = """# Sources

Where labels come from. `source: <name>` in a recipe picks one of these; a published set then knows its columns, its
rating scale and, where it states one, its licence ([recipes.md](recipes.md)). `variant` picks one of a set's scores;
the first named here is taken if none is picked. A table with more or fewer rows than the set publishes is told among
the remarks of a build. Where no licence stands here, none was read: look, and declare it in the recipe.

This page is written by `vqa2 list sources --about > docs/sources.md`.
"""


def described(plugins: Sequence[Path] = ()) -> dict[str, dict[str, Any]]:
    """Describe every source by name: what it is, what to mind, and all of its `ABOUT`, as plain values."""
    found = {}
    for name in plugin_names(dataset_builder.sources, plugins):
        module = load_plugin(dataset_builder.sources, name, plugins)
        about = getattr(module, "ABOUT", None) or About(title=name)
        what, _, mind = inspect.cleandoc(module.__doc__ or "").partition("\n\n")
        found[name] = {"what": what, "mind": mind.strip(), **msgspec.to_builtins(about)}
    return found


def markdown(plugins: Sequence[Path] = ()) -> str:
    """Write the sources as Markdown: a table of all, then what to mind with each."""
    sources = described(plugins)
    lines = [INTRODUCTION, "| source | set | rows published | scores | licence |", "|---|---|---|---|---|"]
    for name, about in sources.items():
        cells = (f"[{name}](#{name})", about["title"], _counts(about), _scales(about), about["licence"])
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    for name, about in sources.items():
        lines += ["", f"## {name}", "", about["what"]]
        lines += ["", about["mind"]] if about["mind"] else []
        facts = [f"- {what}: {about[what]}" for what in ("homepage", "paper", "licence") if about[what]]
        lines += ["", *facts] if facts else []
    return "\n".join(lines) + "\n"


def _counts(about: dict[str, Any]) -> str:
    counts = about["counts"]
    if list(counts) == ["*"]:
        return f"{counts['*']:,}"
    return ", ".join(f"`{pattern}` {count:,}" for pattern, count in counts.items())


def _scales(about: dict[str, Any]) -> str:
    """Write the scales, variants of one scale together."""
    variants: dict[str, list[str]] = {}
    for variant, plain in about["scales"].items():
        scale = msgspec.convert(plain, Scale)
        said = f"{scale.lo:g} to {scale.hi:g}{'' if scale.way == 'higher_is_better' else ', low is good'}"
        variants.setdefault(said + ("" if scale.kind == "mos" else f" ({scale.kind})"), []).append(variant)
    return "; ".join(f"{', '.join(f'`{name}`' for name in names)} {said}" for said, names in variants.items())
