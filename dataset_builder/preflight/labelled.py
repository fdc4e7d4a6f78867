"""Which clips below a folder a recipe uses, and for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

import dataset_builder.sources
from dataset_builder.labels import LabelRow
from dataset_builder.matching import ClipFolder, NoMatchError
from schemas.errors import CallError
from schemas.plugins import load_plugin
from schemas.recipe import BuildRecipe, SourceRecipe
from schemas.session import ClipSession
from schemas.validate import Problem, read_jsonl


@dataclass(frozen=True)
class Used:
    """The clips of one source that its rows mean: `paths` below the probed folder; `clips` lies at `prefix` of it."""

    source: SourceRecipe
    prefix: str
    paths: list[str]

    def within(self, path: str) -> str:
        """Give a path of the probed folder as it is below the source's own folder."""
        return path.removeprefix(self.prefix)


def used_by(
    recipe: BuildRecipe, recipe_path: Path, folder: Path, plugins: Sequence[Path]
) -> tuple[list[Used], list[SourceRecipe]]:
    """Read the tables of the sources whose clips lie below `folder`; gives these, and the sources that lie elsewhere.

    Raises CallError if there is none.
    """
    root, used, elsewhere = folder.resolve(), [], []
    for source in recipe.sources:
        own = (recipe_path.parent / source.clips).resolve()
        if not own.is_relative_to(root):
            elsewhere.append(source)
            continue
        prefix = "" if own == root else f"{own.relative_to(root).as_posix()}/"
        used.append(Used(source, prefix, [prefix + path for path in _named(source, recipe_path.parent, own, plugins)]))
    if not used:
        raise CallError(
            f"no source of {recipe_path} has its clips below {str(folder)!r}: give the folder that holds them"
        )
    return used, elsewhere


def _named(source: SourceRecipe, base: Path, clips: Path, plugins: Sequence[Path]) -> list[str]:
    adapter = load_plugin(dataset_builder.sources, source.source, plugins)
    resolved = msgspec.structs.replace(source, scale=adapter.ABOUT.scale(source))
    listed, found = ClipFolder(clips), set()
    played = _played(base / source.sessions) if source.sessions else None
    for row in adapter.labels(resolved, base):
        if not isinstance(row, LabelRow):
            continue
        names = list(row.conversation.media) if row.conversation else [row.clip]
        if played is not None:
            names = [played[row.clip]] if row.clip in played else []
        for name in names:
            try:
                found.add(listed.match(name))
            except NoMatchError:
                continue  # `build` says so; what no file means costs nothing
    return sorted(found)


def _played(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise CallError(f"there is no file of sessions {str(path)!r}")
    rows = (row for _, row in read_jsonl(path, ClipSession, path.name))
    return {row.clip: row.media or row.clip for row in rows if not isinstance(row, Problem)}
