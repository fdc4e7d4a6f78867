"""A real model behind a real server: the protocol holds, and what it takes is within what was reserved."""

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from annotation.extending.endpoint import Asking, GaveUpError
from annotation.extending.generate import generate
from annotation.extending.ledger import Ledger, Request
from annotation.extending.prompts import votes_schema
from schemas.errors import CallError
from schemas.extension import LlmRecipe, Price
from tests.annotation.extending.notes import notes
from tests.annotation.extending.small_model import MODEL, small_model

pytestmark = pytest.mark.full

PRICES = {MODEL: Price(input=Decimal("0.1"), output=Decimal("0.4"))}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with small_model() as address:
        yield address


def request(text: str, schema: bool = False, **parameters: object) -> Request:
    told = {"max_tokens": 1, "temperature": 0.0, "seed": 1, **parameters}
    wanted = votes_schema() if schema else None
    return Request(model=MODEL, parameters=told, messages=[{"role": "user", "content": text}], schema=wanted)


@pytest.fixture
def asking(address: str, tmp_path: Path) -> Iterator[Asking]:
    recipe = LlmRecipe(base_url=address, model=MODEL, timeout=300.0, retries=0)
    with Ledger(tmp_path / "l", PRICES, Decimal(1)) as ledger:
        made = Asking(recipe, ledger, None, threading.Event())
        yield made
        made.close()


@pytest.mark.parametrize(
    "text", ["hello", "ﷺ" * 10, "日本語" * 10, "👩‍👩‍👧‍👦" * 5, "\x01\x02", "a b\n\n" * 30, "é̈" * 20]
)
def test_more_tokens_are_reserved_than_are_read(asking: Asking, text: str) -> None:
    answer = asking.ask(request(text))
    assert answer.usage is not None
    assert 1 <= answer.usage.input <= request(text).most_tokens.input
    assert answer.usage.output <= 1
    assert answer.finish == "length"


def test_a_schema_is_kept_to(asking: Asking) -> None:
    answer = asking.ask(request("Vote.", schema=True, max_tokens=60))
    assert answer.usage is not None
    if answer.finish == "stop":
        assert set(json.loads(answer.content)["votes"]) <= {0, 1, 2}
    assert answer.content.replace(" ", "").replace("\n", "").startswith('{"votes":[')
    assert asking.ask(request("Vote.", schema=True, max_tokens=60)) == answer
    assert asking.sent == 1


def test_what_does_not_fit_is_refused_and_free(asking: Asking) -> None:
    with pytest.raises(GaveUpError, match="400"):
        asking.ask(request("word " * 3000))
    assert asking._ledger.counted() == 0


def test_all_notes_are_accounted_for(address: str, tmp_path: Path) -> None:
    recipe = LlmRecipe(base_url=address, model=MODEL, timeout=300.0, max_tokens=64, in_flight=2)
    recipe = msgspec.structs.replace(recipe, budget={"causal-analysis": 1})
    with Ledger(tmp_path / "l", PRICES, Decimal(1)) as ledger:
        made = generate(notes(3), recipe, ledger)
        paired = {pair.evidence[0].partition(":")[2] for pair in made.pairs}
        failed = {failure.raw.annotation for failure in made.quarantine}
        assert paired | failed == {"a0000", "a0001", "a0002"}
        assert not paired & failed
        assert ledger.summary().beyond == 0
        assert 3 <= ledger.summary().answered == made.counts.sent <= 6
        again = generate(notes(3), recipe, ledger)
        assert again.counts.sent == 0
        assert again.pairs == made.pairs


def test_a_server_that_ends_ends_the_run(tmp_path: Path) -> None:
    with small_model() as gone:
        pass
    recipe = LlmRecipe(base_url=gone, model=MODEL, retries=0)
    with Ledger(tmp_path / "l", PRICES) as ledger, pytest.raises(CallError, match="not reached"):
        generate(notes(1), recipe, ledger)
