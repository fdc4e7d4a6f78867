"""Level scales and splits of a source: fitted once on its label table, never on the clips that happen to be there."""

from __future__ import annotations

from collections.abc import Sequence

from dataset_builder.labels import LabelRow
from schemas.draws import share
from schemas.errors import DataError
from schemas.levels import LevelScale
from schemas.recipe import SourceRecipe, SplitShares
from schemas.record import Split


def split_of(row: LabelRow, group: str, shares: SplitShares, seed: int) -> Split:
    """Give the split of a row: its own, if the table has one, else drawn from hash(seed, content group)."""
    if row.split is not None:
        return row.split
    drawn = share(seed, "split", group)
    if drawn < shares.train:
        return "train"
    return "val" if drawn < shares.train + shares.val else "test"


def fit_scale(recipe: SourceRecipe, rows: Sequence[tuple[LabelRow, Split]]) -> LevelScale | None:
    """Fit the level scale of a source on all valid rows of its table, whether or not their clips are at hand.

    None for a source without scores. Raises DataError if a minmax range has nothing to span.
    """
    scale = recipe.scale
    if scale is None:
        return None
    if scale.range == "nominal":
        lo, hi, said = scale.lo, scale.hi, "the ends of the rating scale"
    elif scale.range == "explicit" and scale.range_lo is not None and scale.range_hi is not None:
        lo, hi, said = scale.range_lo, scale.range_hi, "given in the recipe"
    else:
        fitted = [row.score.value for row, split in rows if row.score and scale.fit_on in ("all", split)]
        said = f"{len(fitted)} scores: {'the whole table' if scale.fit_on == 'all' else 'the train split'}"
        if not fitted or min(fitted) == max(fitted):
            raise DataError(
                f"source {recipe.name!r}: {len(fitted)} usable scores span no range; declare scale.range: nominal"
            )
        lo, hi = min(fitted), max(fitted)
    return LevelScale(
        source=recipe.name,
        lo=float(lo),
        hi=float(hi),
        mode=scale.range,
        direction=scale.way,
        fitted_on=said,
    )
