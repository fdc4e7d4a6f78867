"""`python -m tests.annotation.extending.drive JSON`: one run of `generate` in a process of its own, to be killed."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from annotation.extending.generate import generate
from annotation.extending.ledger import Ledger
from schemas.errors import CallError
from schemas.extension import LlmRecipe, Price
from tests.annotation.extending.notes import notes

PRICE = {"input": "2", "output": "8"}
"""Dollars per million tokens: 2,000,000 and 8,000,000 picodollars a token."""


def main(told: dict[str, Any]) -> None:
    recipe = msgspec.convert(told["recipe"], LlmRecipe)
    prices = {recipe.model: msgspec.convert(PRICE, Price)}
    cap = None if told["cap"] is None else Decimal(told["cap"])
    with Ledger(Path(told["ledger"]), prices, cap) as ledger:
        print("ready", flush=True)
        try:
            made = generate(notes(told["notes"]), recipe, ledger)
        except CallError as error:
            print(json.dumps({"refused": str(error)}))
            return
        result = {
            "pairs": [pair.id for pair in made.pairs],
            "quarantined": len(made.quarantine),
            "left": made.left,
            "counts": msgspec.to_builtins(made.counts),
            "summary": msgspec.to_builtins(ledger.summary()),
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
