"""What models cost, in whole picodollars: a token at a price of 0.000001 dollars per million tokens costs one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from pathlib import Path

import msgspec
import yaml

from schemas.errors import CallError
from schemas.extension import LlmRecipe, Price

PICO = 10**12
LARGEST = 2**62
"""Costs stay within what SQLite adds up in whole numbers: 4.6 million dollars."""


class Tokens(msgspec.Struct, frozen=True):
    """How many tokens a request holds (`input`) and its answer (`output`)."""

    input: int
    output: int


def cost(tokens: Tokens, price: Price) -> int:
    """Give the picodollars that tokens cost, rounded up."""
    with localcontext(prec=60):
        exact = tokens.input * price.input * (PICO // 10**6) + tokens.output * price.output * (PICO // 10**6)
        return min(int(exact.to_integral_value(ROUND_CEILING)), LARGEST)


def picodollars(dollars: Decimal) -> int:
    """Give a cap in picodollars, rounded down. Raises CallError for what is no amount."""
    if not dollars.is_finite() or dollars < 0:
        raise CallError(f"the most to spend is an amount of dollars, 0 or more, not {dollars}")
    with localcontext(prec=60):
        return int((dollars * PICO).to_integral_value(ROUND_FLOOR)) if dollars < 10**9 else LARGEST


def in_dollars(pico: int) -> Decimal:
    """Give picodollars in dollars, exactly."""
    with localcontext(prec=60):
        return (Decimal(pico) / PICO).normalize() + 0


def price_table(recipe: LlmRecipe, base: Path) -> dict[str, Price]:
    """Give the prices of a recipe; a file of prices is relative to `base`. Raises CallError where it cannot be read."""
    if not isinstance(recipe.prices, str):
        return dict(recipe.prices or {})
    path = base / recipe.prices
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        return msgspec.convert(table, dict[str, Price])
    except OSError as error:
        raise CallError(f"prices: {recipe.prices!r} cannot be read: {error.strerror}") from None
    except (ValueError, yaml.YAMLError) as error:
        wanted = "lines are `model: {input: 0.1, output: 0.4}`, in dollars per million tokens"
        raise CallError(f"prices: {recipe.prices!r} is no table of prices ({error}): its {wanted}") from None


def refuse_unpriced(recipe: LlmRecipe, prices: Mapping[str, Price], cap: Decimal | None) -> None:
    """Refuse to keep to a cap where a model has no price. Raises CallError naming it."""
    models = [recipe.model] + ([recipe.judge.model] if recipe.judge else [])
    missing = [model for model in models if model not in prices]
    if cap is not None and missing:
        raise CallError(
            f"no price is known of {missing[0]!r}, so nothing can be kept below {cap} dollars: give prices, with "
            "{input: 0, output: 0} for a model of your own"
        )
