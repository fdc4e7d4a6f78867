"""What the sets of scored clips share: their labels are read by the sources of the same sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import dataset_builder.sources
from dataset_builder.labels import LabelRow
from dataset_builder.video import CLIP_SUFFIXES
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.plugins import load_plugin
from schemas.recipe import SourceRecipe
from training.testsets import About, Items, Range, ScoredItem

RATING_LISTS = "vqa2_ratings"
"""The source of the JSON lists in the repository of the VQA² paper: one list a set, called here by the set's name."""


def scored(
    about: About,
    source: str,
    labels: Path,
    *,
    variant: str,
    keep: Callable[[LabelRow], bool] = lambda _: True,
) -> Items:
    """Read a label file by `source`, or a JSON list by that of the paper's lists, where it is of the set `variant`.

    Rows that `keep` leaves out are no items of this set. Raises CallError for a file that is none of these.
    """
    is_list = labels.suffix.lower() == ".json"
    name = RATING_LISTS if is_list else source
    if not labels.is_file():
        raise CallError(f"{str(labels)!r}: no such label file")
    recipe = SourceRecipe(name=variant, table=labels.name, clips=".", source=name, variant=variant if is_list else None)
    module = load_plugin(dataset_builder.sources, name)
    items: list[ScoredItem] = []
    refused: list[str] = []
    for row in module.labels(recipe, labels.parent):
        if isinstance(row, Quarantined):
            refused.append(f"{row.file} row {row.row}: {row.reason}")
        elif isinstance(row, LabelRow) and keep(row):
            if row.score is None:
                refused.append(f"{row.table} row {row.row}: {row.clip} has no score")
            else:
                items.append(ScoredItem(plain(row.clip), row.clip, row.score.value))
    scale = module.ABOUT.scale(recipe)
    return once(Items(items, "", about.expected[""], refused, Range(scale.lo, scale.hi, scale.way)))


def plain(clip: str) -> str:
    """Give the id of a clip: its name without the suffix of a media file, which some tables write and some do not."""
    path = PurePosixPath(clip)
    return str(path.with_suffix("")) if path.suffix.lower() in CLIP_SUFFIXES else clip


def once(found: Items) -> Items:
    """Refuse clips that are listed twice: which of the rows counts is not ours to choose."""
    twice = {id_ for id_, n in Counter(item.id for item in found.items).items() if n > 1}
    kept = [item for item in found.scored if item.id not in twice]
    told = [f"{id_} is listed more than once" for id_ in sorted(twice)]
    return replace(found, items=kept, refused=[*found.refused, *told]) if twice else found


def no_parts(about: About, part: str | None) -> None:
    """Raise CallError where a part is asked for of a set that has none."""
    if part:
        raise CallError(f"{about.title} has no parts, so none is called {part!r}")
