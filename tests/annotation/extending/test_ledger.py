"""The ledger: addresses, the cap, what is held and what is let go, by threads and processes."""

import random
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from annotation.extending.ledger import Answer, Attempt, Ledger, NoRoom, NotYet, Request
from annotation.extending.prices import Tokens, cost, in_dollars, picodollars
from schemas.errors import CallError
from schemas.extension import Price

PRICES = {"m": Price(input=Decimal(2), output=Decimal(8))}
SAID = Answer("said", "stop", "", Tokens(10, 5))
SAID_COST = Decimal("0.00006")


def request(text: str = "hello", **changes: object) -> Request:
    parameters = {"max_tokens": 100, "temperature": 0.7}
    messages = [{"role": "user", "content": text}]
    return msgspec.structs.replace(Request(model="m", parameters=parameters, messages=messages), **changes)


def reserved(text: str = "hello") -> Decimal:
    return in_dollars(cost(request(text).most_tokens, PRICES["m"]))


def begun(ledger: Ledger, text: str = "hello") -> Attempt:
    attempt = ledger.begin(request(text))
    assert isinstance(attempt, Attempt)
    return attempt


def test_an_answer_is_found_by_all_that_it_depends_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, PRICES) as ledger:
        assert ledger.settle(begun(ledger), SAID) == SAID
        assert ledger.begin(request()) == SAID
    with Ledger(path, PRICES) as ledger:
        assert ledger.begin(request()) == SAID
        for other in (
            request("Hello"),
            request(model="n"),
            request(parameters={"max_tokens": 100, "temperature": 0.8}),
            request(parameters={"max_tokens": 100, "temperature": 0.7, "round": 1}),
            request(schema={"type": "object"}),
        ):
            assert ledger.answer(other) is None
        turned = request(parameters={"temperature": 0.7, "max_tokens": 100})
        assert ledger.answer(turned) == SAID


def test_the_cap_holds_to_the_last_picodollar(tmp_path: Path) -> None:
    pico = Decimal("0.000000000001")
    with Ledger(tmp_path / "enough", PRICES, reserved()) as ledger:
        assert isinstance(ledger.begin(request()), Attempt)
        assert ledger.counted() == reserved()
    with Ledger(tmp_path / "too little", PRICES, reserved() - pico) as ledger:
        refused = ledger.begin(request())
        assert refused == NoRoom(reserved(), reserved() - pico)
        assert ledger.summary().attempts == 0


def test_money_that_is_held_for_others_is_waited_for(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l", PRICES, reserved("a") + SAID_COST) as ledger:
        attempt = begun(ledger, "a")
        assert ledger.begin(request("b")) == NotYet("money is held")
        ledger.settle(attempt, SAID)
        assert ledger.counted() == SAID_COST
        second = begun(ledger, "b")
        ledger.fail(second, "status 500", free=False)
        assert isinstance(ledger.begin(request("b")), NoRoom), "what may have been billed is held for good"
        assert ledger.counted() == SAID_COST + reserved("b")


@pytest.mark.parametrize(("free", "held"), [(True, Decimal(0)), (False, reserved())])
def test_a_failure_is_held_unless_it_was_surely_free(tmp_path: Path, free: bool, held: Decimal) -> None:
    with Ledger(tmp_path / "l", PRICES, Decimal(1)) as ledger:
        ledger.fail(begun(ledger), "as told", free=free)
        assert ledger.counted() == held
        assert Decimal(ledger.summary().held) == held
        assert begun(ledger).number == 1, "it may be sent again"


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (Tokens(10, 5), SAID_COST),
        (None, reserved()),
        (Tokens(0, 5), reserved()),
        (Tokens(10, 0), reserved()),
        (Tokens(-10, 5), reserved()),
        (Tokens(10, 10**18), reserved()),
        (Tokens(10, 200), Decimal("0.00162")),
    ],
)
def test_tokens_that_cannot_be_count_as_they_were_reserved(tmp_path: Path, usage: Tokens, counted: Decimal) -> None:
    with Ledger(tmp_path / "l", PRICES, Decimal(1)) as ledger:
        ledger.settle(begun(ledger), msgspec.structs.replace(SAID, usage=usage))
        assert ledger.counted() == counted
        assert ledger.summary().beyond == (counted > reserved())


def test_what_a_living_run_asks_is_not_asked_by_another(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with Ledger(path, PRICES, Decimal(1)) as other:
        first = Ledger(path, PRICES, Decimal(1))
        begun(first)
        assert other.begin(request()) == NotYet("asked already")
        assert other.summary().in_flight == 1
        first.close()
        assert other.summary().possibly_billed == 1
        assert begun(other).number == 1
        assert other.counted() == 2 * reserved()
    assert list(path.with_name("l.runs").iterdir()) == []


def test_what_a_dead_run_asked_is_held_against_the_cap(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with Ledger(path, PRICES) as first:
        begun(first)
    with Ledger(path, PRICES, reserved()) as ledger:
        assert isinstance(ledger.begin(request()), NoRoom)
    with Ledger(path, PRICES, 2 * reserved()) as ledger:
        assert begun(ledger).number == 1


def test_threads_and_runs_together_stay_below_the_cap_and_send_nothing_twice(tmp_path: Path) -> None:
    path, cap = tmp_path / "l", 6 * reserved("00")
    most: list[Decimal] = []
    sent: list[str] = []

    def work(ledger: Ledger, seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(40):
            text = f"{draw.randrange(25):02d}"
            got = ledger.begin(request(text))
            if isinstance(got, Attempt):
                sent.append(text)
                most.append(ledger.counted())
                ledger.settle(got, SAID)

    with Ledger(path, PRICES, cap) as one, Ledger(path, PRICES, cap) as two:
        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(work, (one, two)[n % 2], n) for n in range(8)]:
                done.result()
        assert len(sent) == len(set(sent)) == one.summary().answered > 10
        assert max(most) <= cap
        assert one.counted() == len(sent) * SAID_COST


def test_what_had_no_price_is_counted_once_it_has_one(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with Ledger(path, {}) as ledger:
        ledger.settle(begun(ledger), SAID)
        begun(ledger, "b")
        assert ledger.summary().unpriced == 2
    with pytest.raises(CallError, match="2 attempts have no price.*m"):
        Ledger(path, {}, Decimal(1))
    with Ledger(path, PRICES, Decimal(1)) as ledger:
        assert ledger.counted() == SAID_COST + reserved("b")
        with pytest.raises(CallError, match="no price is known of 'n'"):
            ledger.begin(request(model="n"))


def test_only_its_owner_reads_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "l"
    with Ledger(path, PRICES) as ledger:
        begun(ledger)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


def _text(path: Path) -> None:
    path.write_text("hello " * 1000)


def _other(path: Path) -> None:
    import sqlite3

    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE x (y)")
    db.close()


@pytest.mark.parametrize("write", [_text, _other, Path.mkdir])
def test_what_is_no_ledger_is_refused_and_left_alone(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "l"
    write(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(CallError, match="ledger"):
        Ledger(path, PRICES)
    assert (path.read_bytes() if path.is_file() else b"") == before


@pytest.mark.parametrize("text", ["hello", "ﷺ" * 50, "日本語" * 40, "👩‍👩‍👧‍👦" * 9, "\x00\x01", "a" * 4000])
def test_reserved_tokens_are_no_fewer_than_bytes(text: str) -> None:
    assert request(text).most_tokens.input >= len(text.encode())
    assert request(text, schema={"x": text}).most_tokens.input >= 2 * len(text.encode())
    assert request(text).most_tokens.output == 100


def test_costs_are_exact_and_rounded_up() -> None:
    price = Price(input=Decimal("0.0375"), output=Decimal("0.3"))
    assert cost(Tokens(1, 0), price) == 37_500
    assert cost(Tokens(3, 7), price) == 3 * 37_500 + 7 * 300_000
    assert cost(Tokens(1, 0), Price(input=Decimal("0.0000001"), output=Decimal(0))) == 1
    assert picodollars(Decimal("0.1")) == 10**11
    assert in_dollars(picodollars(Decimal("12.345678901234"))) == Decimal("12.345678901234")
    for amount in ("-1", "NaN", "Infinity"):
        with pytest.raises(CallError):
            picodollars(Decimal(amount))
