"""How pairs are made of experts' notes by a language model: which server and model, at what price, judged by whom."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from schemas.pair import FAMILIES, Family
from schemas.project import Clips
from schemas.recipe import PairsRecipe

Structured = Literal["json_schema", "json_object", "none"]

PAIRS_A_NOTE: dict[Family, int] = {
    "quality-centric": 3,
    "temporal-centric": 1,
    "in-context-centric": 1,
    "extended-conversation": 1,
    "causal-analysis": 1,
}
"""Pairs that are asked for of one note. Seven follow from the 118k pairs of 16k notes of arXiv 2411.03795."""


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model costs, in dollars per million tokens read (`input`) and written (`output`); 0 for a local one."""

    input: Decimal
    output: Decimal

    def __post_init__(self) -> None:
        """Refuse what is no price."""
        for name in ("input", "output"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or not 0 <= value <= 1_000_000:
                raise ValueError(f"{name}: dollars per million tokens are 0 or more, got {value}")


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model on an OpenAI-compatible server, and how it is asked.

    `base_url` ends before `/chat/completions`. `temperature`, `top_p` and `seed` are left out of requests where they
    are None. `max_tokens` bounds an answer, and with it what the answer may cost; `limit` is the name under which the
    server takes it. `timeout` is seconds for a whole answer. `retries` follow a first try that failed. `structured` is
    how the form of the answer is asked for: by its schema, as any JSON, or in words alone.
    """

    base_url: str
    model: str
    temperature: float | None = 0.7
    top_p: float | None = None
    seed: int | None = 0
    max_tokens: int = 2000
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    timeout: float = 120.0
    retries: int = 5
    structured: Structured = "json_schema"

    def __post_init__(self) -> None:
        """Refuse a server without address, a model without name, and bounds that leave nothing."""
        if "@" in self.base_url:
            raise ValueError("base_url: the address of a server holds no name and no password")
        if not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url: {self.base_url!r} is no address such as http://127.0.0.1:8080/v1")
        if not self.model.strip():
            raise ValueError("model: name one")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature is 0 to 2, got {self.temperature:g}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is above 0 and at most 1, got {self.top_p:g}")
        if not 1 <= self.max_tokens <= 1_000_000:
            raise ValueError(f"max_tokens is 1 to 1000000, got {self.max_tokens}")
        if not 0 < self.timeout <= 86400:
            raise ValueError(f"timeout is seconds, above 0 and at most a day, got {self.timeout:g}")
        if not 0 <= self.retries <= 100:
            raise ValueError(f"retries is 0 to 100, got {self.retries}")


class Judge(Endpoint, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A second model that gives each pair 0 (wrong), 1 (unsure) or 2 (right) in each of `rounds`.

    A pair with a single 0, or with a mean below `mean`, is left to people.
    """

    rounds: int = 3
    mean: float = 1.0

    def __post_init__(self) -> None:
        """Refuse no rounds, and a mean that no votes can have."""
        super().__post_init__()
        if not 1 <= self.rounds <= 20:
            raise ValueError(f"rounds is 1 to 20, got {self.rounds}")
        if not 0 <= self.mean <= 2:
            raise ValueError(f"mean is 0 to 2, got {self.mean:g}")


class LlmRecipe(Endpoint, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a language model makes pairs of notes.

    `in_flight` requests are asked at once. A request asks for `families_a_request` of the families in `budget`, which
    holds the largest number of pairs of each family that a note gives. `prices` are those of the models, by name, or
    the YAML file that holds them, relative to the recipe.
    """

    in_flight: int = 8
    families_a_request: int = len(FAMILIES)
    budget: dict[Family, int] = msgspec.field(default_factory=lambda: dict(PAIRS_A_NOTE))
    prices: dict[str, Price] | str | None = None
    judge: Judge | None = None

    def __post_init__(self) -> None:
        """Refuse nobody to ask, and nothing to ask for."""
        super().__post_init__()
        if not 1 <= self.in_flight <= 1000:
            raise ValueError(f"in_flight is 1 to 1000, got {self.in_flight}")
        if not 1 <= self.families_a_request <= len(FAMILIES):
            raise ValueError(f"families_a_request is 1 to {len(FAMILIES)}, got {self.families_a_request}")
        if any(not 0 <= count <= 50 for count in self.budget.values()) or not any(self.budget.values()):
            raise ValueError("budget: ask for 0 to 50 pairs of each family, and for one at least")


class ExtendRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `vqa2 extend` makes question-answer pairs of, and by what.

    `clips` are the records (a corpus or a JSONL file) and the folder of their media, `annotations` the JSONL file of
    what experts said of them. `templates` and `llm` are the generators. `max_cost` is the most dollars that all calls
    together may cost, those of earlier runs with the same `ledger` included; the ledger lies in the folder that is made
    where none is named. With `signal` the clips are measured and claims that their pixels contradict are doubted.
    `calibration` is the file of `vqa2 calibrate` that the signal is judged by (None: the one that comes with this
    program); `pairs` says which of the pairs are taken.
    """

    name: str
    clips: Clips
    annotations: str
    templates: bool = True
    llm: LlmRecipe | None = None
    max_cost: Decimal | None = None
    ledger: str | None = None
    signal: bool = True
    calibration: str | None = None
    pairs: PairsRecipe = PairsRecipe()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a name that is no file name, no generator, and a cap on what costs nothing."""
        if not self.name.strip() or set("/\\\n\0") & set(self.name):
            raise ValueError(f"name: pairs are called by a plain name, not {self.name!r}")
        if not self.templates and self.llm is None:
            raise ValueError("templates: false needs an llm: nothing would make pairs")
        if self.max_cost is not None:
            if self.llm is None:
                raise ValueError("max_cost: templates cost nothing; name an llm, or leave it out")
            if not self.max_cost.is_finite() or self.max_cost < 0:
                raise ValueError(f"max_cost is dollars, 0 or more, got {self.max_cost}")
