"""Training recipes that come with the package, by name. Their paths are relative to where they are called."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from schemas.recipe import RecipeError, TrainRecipe, load


def recipe_names() -> list[str]:
    """List the recipes that the package holds."""
    return sorted(p.name.removesuffix(".yaml") for p in files(__name__).iterdir() if p.name.endswith(".yaml"))


def find_recipe(recipe: Path, overrides: Sequence[str]) -> tuple[TrainRecipe, Path]:
    """Read a recipe file, or one of the package by its name, and give it with the folder that its paths are from.

    Raises RecipeError naming the file, the key and the nearest valid one.
    """
    if not recipe.exists() and str(recipe) in recipe_names():
        with as_file(files(__name__) / f"{recipe}.yaml") as path:
            return load(path, TrainRecipe, overrides), Path()
    if not recipe.exists() and not recipe.suffix:
        near = difflib.get_close_matches(str(recipe), recipe_names(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"ours are {', '.join(recipe_names())}"
        raise RecipeError(f"{recipe}: no such file, and no recipe of ours; {hint}")
    return load(recipe, TrainRecipe, overrides), recipe.parent
