"""Servers that fail in every way: every note gives pairs or a quarantine row, and the account is right."""

import email.utils
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from annotation.extending.generate import Generated, generate, plan, write_raw
from annotation.extending.ledger import Ledger
from schemas.errors import CallError, DataError
from schemas.extension import Judge, LlmRecipe, Price
from tests.annotation.extending.notes import note, notes
from tests.annotation.extending.scripted import MODEL, Act, Script, ScriptedServer, good, good_pairs

PRICES = {MODEL: Price(input=Decimal(2), output=Decimal(8))}
IN, OUT = 2_000_000, 8_000_000


def recipe(server: ScriptedServer, **changes: Any) -> LlmRecipe:
    return LlmRecipe(
        **{"base_url": server.url, "model": MODEL, "max_tokens": 400, "timeout": 5.0, "retries": 2} | changes
    )


def run(folder: Path, script: Script, count: int = 1, **changes: Any) -> tuple[Generated, ScriptedServer, Ledger]:
    """Run once, close all, and give what came of it."""
    with ScriptedServer(script) as server, Ledger(folder / "ledger", PRICES, Decimal(100)) as ledger:
        made = generate(notes(count), recipe(server, **changes), ledger)
        held = ledger.counted()
    assert Decimal(server.billed(IN, OUT)) / 10**12 <= held
    return made, server, ledger


def first(act: Act) -> Script:
    """Fail once, then answer well."""
    return lambda number, _: act if number == 0 else Act()


LOST = {
    "500": Act(status=500),
    "502": Act(status=502, body=b"<html>bad gateway</html>"),
    "503": Act(status=503),
    "closed before the answer": Act(cut=0.0),
    "closed in the answer": Act(cut=0.6),
    "stalled": Act(stall=3.0),
    "late": Act(seconds=3.0),
    "slow": Act(drip=0.3),
    "no completion": Act(body=b'{"object": "list"}'),
    "no JSON": Act(body=b"<html>welcome</html>"),
    "no choices": Act(body=b'{"choices": []}'),
}


@pytest.mark.parametrize("fault", LOST)
def test_an_answer_that_is_lost_is_asked_for_again_and_held(tmp_path: Path, fault: str) -> None:
    made, server, _ = run(tmp_path, first(LOST[fault]), timeout=1.0)
    assert len(made.pairs) == 3
    assert len(server.seen) == 2
    assert server.seen[0].body == server.seen[1].body
    with Ledger(tmp_path / "ledger", PRICES) as ledger:
        assert ledger.summary().possibly_billed == 1


@pytest.mark.parametrize("status", [429, 408, 409])
def test_a_refusal_for_now_is_asked_again(tmp_path: Path, status: int) -> None:
    made, server, _ = run(tmp_path, first(Act(status=status)))
    assert len(made.pairs) == 3
    assert len(server.seen) == 2
    with Ledger(tmp_path / "ledger", PRICES) as ledger:
        assert ledger.summary().free == (status == 429)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_the_server_says_how_long_to_wait_and_all_do(tmp_path: Path, status: int, as_date: bool) -> None:
    begun = time.time()
    until = email.utils.formatdate(int(begun) + 3, usegmt=True) if as_date else "2"
    act = Act(status=status, headers={"Retry-After": until})
    made, server, _ = run(tmp_path, lambda number, _: act if number == 0 else Act(seconds=0.1), 6, in_flight=2)
    assert len(made.pairs) == 18
    refused = server.seen[0].at
    later = [seen.at - refused for seen in server.seen[1:] if seen.at - refused > 0.3]
    assert len(later) >= 5
    assert min(later) >= (1.9 if not as_date else int(begun) + 3 - begun - 0.5), "those asked before are on their way"


def test_a_wait_of_hours_ends_the_run_and_nothing_is_lost(tmp_path: Path) -> None:
    def script(number: int, _: object) -> Act:
        return Act(status=429, headers={"Retry-After": "7200"}) if number >= 3 else Act()

    with ScriptedServer(script) as server, Ledger(tmp_path / "ledger", PRICES, Decimal(1)) as ledger:
        with pytest.raises(CallError, match="come back in 7200 s"):
            generate(notes(9), recipe(server, in_flight=2), ledger)
        assert ledger.summary().answered == 3
        server.script = lambda _number, _body: Act()
        assert len(generate(notes(9), recipe(server, in_flight=2), ledger).pairs) == 27
        assert ledger.summary().answered == 9


@pytest.mark.parametrize(
    ("act", "match"),
    [
        (Act(status=401), "wants a key, and none was found.*VQA2_LLM_TOKEN.*401"),
        (Act(status=403), "403"),
        (Act(status=404), "has no model 'scripted'"),
        (Act(status=402), "no money left"),
        (Act(status=429, body=b'{"error": {"message": "x", "code": "insufficient_quota"}}'), "no money left"),
        (Act(status=307, headers={"Location": "http://127.0.0.1:9/v1"}), "sends requests on to http://127.0.0.1:9/v1"),
    ],
)
def test_what_no_request_can_do_better_ends_the_run_at_once(tmp_path: Path, act: Act, match: str) -> None:
    with ScriptedServer(lambda _number, _body: act) as server, Ledger(tmp_path / "l", PRICES, Decimal(1)) as ledger:
        with pytest.raises(CallError, match=match):
            generate(notes(50), recipe(server, in_flight=4), ledger)
        assert len(server.seen) <= 8
        assert ledger.counted() == 0


def test_a_server_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        gone = recipe(server, retries=1)
    with Ledger(tmp_path / "l", PRICES, Decimal(1)) as ledger:
        with pytest.raises(CallError, match="not reached"):
            generate(notes(3), gone, ledger)
        assert ledger.counted() == 0


UNUSABLE = {
    "no JSON": Act(content="Sure! Here are your pairs."),
    "half JSON": Act(content='{"pairs": [{"family": "quality'),
    "cut at the limit": Act(content='{"pairs": [{"family": "quality', finish="length"),
    "a list": Act(content="[]"),
    "nothing": Act(content=""),
    "no pairs": Act(content='{"pairs": []}'),
    "deep": Act(content='{"pairs": ' + "[" * 100_000),
    "other keys": Act(content='{"pairs": [], "note": 1}'),
    "half a character": Act(
        content='{"pairs": [{"family": "quality-centric", "form": "open", "question": "\\ud800?", '
    ),
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_an_answer_that_cannot_be_used_is_repaired_once(tmp_path: Path, fault: str) -> None:
    made, server, _ = run(tmp_path, first(UNUSABLE[fault]))
    assert len(made.pairs) == 3
    assert len(server.seen) == 2
    roles = [message["role"] for message in server.seen[1].body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert {pair.request for pair in made.pairs} != {None}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_what_cannot_be_repaired_is_quarantined_with_its_text(tmp_path: Path, fault: str) -> None:
    act = UNUSABLE[fault]
    made, server, _ = run(tmp_path, lambda _number, _body: act)
    assert not made.pairs
    assert len(server.seen) == 2
    [failure] = made.quarantine
    assert not failure.row.transient
    assert failure.row.file == "clips/0.mp4"
    assert "annotation a0000" in failure.row.reason
    assert failure.raw.text == (act.content or "")[:65536]
    write_raw(tmp_path / "raw.jsonl", made.quarantine)
    assert json.loads((tmp_path / "raw.jsonl").read_text())["annotation"] == "a0000"
    assert (tmp_path / "raw.jsonl").stat().st_mode & 0o077 == 0
    again, later, _ = run(tmp_path, lambda _number, _body: Act())
    assert again.quarantine == made.quarantine
    assert not later.seen, "an answer that cannot be used is an answer: it is not asked for again"


@pytest.mark.parametrize(
    "act",
    [Act(refusal="I cannot help with that."), Act(content="", finish="content_filter")],
    ids=["refused", "filter"],
)
def test_a_refusal_is_not_argued_with(tmp_path: Path, act: Act) -> None:
    made, server, _ = run(tmp_path, lambda _number, _body: act)
    assert len(server.seen) == 1
    assert made.quarantine[0].raw.text == (act.refusal or "")


def test_a_request_that_the_server_cannot_take_is_quarantined_and_the_others_go_on(tmp_path: Path) -> None:
    def script(_: int, body: dict[str, Any]) -> Act:
        return Act(status=400) if "number 3 " in body["messages"][1]["content"] else Act()

    made, server, _ = run(tmp_path, script, 8)
    assert len(server.seen) == 8
    assert [failure.raw.annotation for failure in made.quarantine] == ["a0003"]
    assert "as told: 400" in made.quarantine[0].row.reason
    assert len(made.pairs) == 21


@pytest.mark.parametrize("act", [Act(status=400), Act(status=500)], ids=["refused", "failing"])
def test_a_server_that_answers_nothing_is_not_asked_for_ever(tmp_path: Path, act: Act) -> None:
    with ScriptedServer(lambda _number, _body: act) as server, Ledger(tmp_path / "l", PRICES, Decimal(1)) as ledger:
        with pytest.raises(CallError, match="has answered none of 20 requests.*structured"):
            generate(notes(60), recipe(server, retries=0, in_flight=4), ledger)
        assert 20 <= len(server.seen) <= 24


def test_a_huge_answer_is_not_read_to_its_end(tmp_path: Path) -> None:
    made, server, _ = run(tmp_path, lambda _number, _body: Act(content="x" * 20_000_000))
    assert len(server.seen) == 1
    assert "larger than" in made.quarantine[0].row.reason
    assert len(made.quarantine[0].raw.text) == 65536


@pytest.mark.parametrize(
    "usage", [False, None, {}, {"prompt_tokens": "7", "completion_tokens": 1}, {"prompt_tokens": -1}, [1], 5]
)
def test_tokens_that_are_not_told_count_in_full(tmp_path: Path, usage: Any) -> None:
    made, _, _ = run(tmp_path, lambda _number, _body: Act(usage=usage))
    assert len(made.pairs) == 3
    with Ledger(tmp_path / "ledger", PRICES) as ledger:
        assert ledger.counted() > Decimal("0.0032"), "400 tokens written at 8 dollars per million, and what is read"


def test_one_name_for_all_answers_matters_nothing(tmp_path: Path) -> None:
    made, _, _ = run(tmp_path, lambda _number, _body: Act(id="the-same"), 5)
    assert len({pair.id for pair in made.pairs}) == len(made.pairs) == 15


def test_two_pairs_that_ask_the_same_are_not_taken(tmp_path: Path) -> None:
    def script(number: int, body: dict[str, Any]) -> Act:
        twice = json.loads(good(body))["pairs"][:1] * 2
        return Act(content=json.dumps({"pairs": twice})) if number == 0 else Act()

    made, server, _ = run(tmp_path, script)
    assert "two pairs ask the same" in server.seen[1].body["messages"][-1]["content"]
    assert len(made.pairs) == 3


def test_among_all_faults_every_note_is_accounted_for(tmp_path: Path) -> None:
    faults = [*LOST.values(), *UNUSABLE.values(), Act(status=429), Act(status=400), Act(refusal="no"), Act(usage=None)]

    def script(number: int, _: object) -> Act:
        return faults[number % len(faults)] if number % 3 else Act()

    made, server, _ = run(tmp_path, script, 60, timeout=1.0, retries=1)
    paired = {pair.evidence[0] for pair in made.pairs}
    failed = {f"annotation:{failure.raw.annotation}" for failure in made.quarantine}
    assert paired | failed == {f"annotation:a{number:04d}" for number in range(60)}
    assert not paired & failed
    assert not made.left
    assert paired
    assert failed
    again, later, _ = run(tmp_path, lambda _number, _body: Act(), 60)
    assert {pair.id for pair in made.pairs} <= {pair.id for pair in again.pairs}
    transient = {failure.raw.annotation for failure in made.quarantine if failure.row.transient}
    assert transient
    assert {f"annotation:{name}" for name in transient} <= {pair.evidence[0] for pair in again.pairs}
    answered = [seen.body["messages"] for seen in server.seen]
    assert all(answered.count(seen.body["messages"]) <= 2 for seen in later.seen)


def test_the_order_of_answers_changes_nothing(tmp_path: Path) -> None:
    one, _, _ = run(tmp_path / "a", lambda number, _: Act(seconds=0.05 * (number % 3)), 20, in_flight=8)
    other, server, _ = run(tmp_path / "b", lambda _number, _body: Act(), 20, in_flight=1)
    assert one.pairs == other.pairs
    assert [pair.id for pair in one.pairs] == sorted(pair.id for pair in one.pairs)
    assert server.most_at_once == 1


def test_a_cap_is_reached_and_kept(tmp_path: Path) -> None:
    cap = Decimal("0.06")
    with (
        ScriptedServer(lambda _number, _body: Act(seconds=0.02)) as server,
        Ledger(tmp_path / "l", PRICES, cap) as ledger,
    ):
        made = generate(notes(40), recipe(server), ledger)
        assert Decimal(server.billed(IN, OUT)) / 10**12 == ledger.counted() <= cap
        assert 3 <= len(server.seen) < 40
        assert made.stopped.startswith("a request may cost")
        assert len(made.left) == made.counts.left == 40 - len(server.seen)
        assert made.counts.pairs == 3 * len(server.seen)
    with ScriptedServer() as server, Ledger(tmp_path / "l", PRICES, Decimal(1)) as ledger:
        assert generate(notes(40), recipe(server), ledger).counts.pairs == 120
        assert len(server.seen) == len(made.left)


def test_a_judge_votes_in_rounds_and_leaves_doubts(tmp_path: Path) -> None:
    def script(_: int, body: dict[str, Any]) -> Act:
        if body["model"] != "judge":
            return Act()
        number = body["seed"]
        return Act(content=json.dumps({"votes": [[2, 2, 2], [2, 0, 1], [1, 2, 1]][number - 1]}))

    with ScriptedServer(script) as server, Ledger(tmp_path / "l", {}) as ledger:
        wanted = recipe(server, judge=Judge(base_url=server.url, model="judge", max_tokens=50, mean=1.5))
        made = generate(notes(1), wanted, ledger)
        assert [pair.votes for pair in made.pairs] == [[2, 2, 1], [2, 0, 2], [2, 1, 1]]
        assert [[doubt.why for doubt in pair.doubts] for pair in made.pairs] == [
            [],
            ["a vote of 0 among 2, 0, 2"],
            ["the votes 2, 1, 1 have a mean below 1.5"],
        ]
        assert made.pairs[0].checks == ["judge"]
        assert len(server.seen) == 4
        assert generate(notes(1), wanted, ledger).pairs == made.pairs
        assert len(server.seen) == 4


def test_a_judge_that_does_not_vote_leaves_doubts(tmp_path: Path) -> None:
    def script(_: int, body: dict[str, Any]) -> Act:
        return Act(content='{"votes": [2]}') if body["model"] == "judge" else Act()

    with ScriptedServer(script) as server, Ledger(tmp_path / "l", {}) as ledger:
        wanted = recipe(server, judge=Judge(base_url=server.url, model="judge", max_tokens=50, rounds=1))
        made = generate(notes(1), wanted, ledger)
        assert len(server.seen) == 3
        assert all("1 votes for 3 pairs" in pair.doubts[0].why for pair in made.pairs)


def test_an_odd_note_or_two_of_a_name(tmp_path: Path) -> None:
    with ScriptedServer() as server, Ledger(tmp_path / "l", {}) as ledger:
        made = generate([note(0, said=False), note(1, kind="image")], recipe(server), ledger)
        assert made.counts.silent == 1
        assert len(server.seen) == 1
        assert "temporal-centric" not in server.seen[0].body["messages"][0]["content"]
        assert [pair for pair in made.pairs if "video" in pair.question + pair.answer] == []
        with pytest.raises(DataError, match="two annotations are called 'a0001'"):
            generate([note(1), note(1)], recipe(server), ledger)


@pytest.mark.parametrize(
    ("structured", "sent"), [("json_schema", "json_schema"), ("json_object", "json_object"), ("none", None)]
)
def test_the_form_is_asked_for_as_the_server_can(tmp_path: Path, structured: Any, sent: str | None) -> None:
    with ScriptedServer() as server, Ledger(tmp_path / "l", {}) as ledger:
        wanted = recipe(server, structured=structured, limit="max_completion_tokens", temperature=None, max_tokens=77)
        server.script = lambda _number, body: body.setdefault("max_tokens", 77) and Act()
        assert len(generate(notes(1), wanted, ledger).pairs) == 3
        body = server.seen[0].body
        assert body.get("response_format", {}).get("type") == sent
        assert body["max_completion_tokens"] == 77
        assert "temperature" not in body
        assert not {"structured", "round"} & body.keys()


def test_a_plan_sends_nothing_and_bounds_what_is_sent(tmp_path: Path) -> None:
    with ScriptedServer() as server, Ledger(tmp_path / "l", PRICES) as ledger:
        wanted = recipe(server, families_a_request=2)
        before = plan(notes(4), wanted, None, PRICES)
        assert not server.seen
        assert before.requests == 12
        assert before == plan(notes(4), wanted, ledger, PRICES)
        assert before.dollars is not None
        server.script = lambda _number, body: Act(content=json.dumps({"pairs": _of_families(body)}))
        generate(notes(4), wanted, ledger)
        assert len(server.seen) == 12
        assert Decimal(before.dollars[0]) < ledger.counted() < Decimal(before.dollars[1])
        after = plan(notes(5), wanted, ledger, PRICES)
        assert (after.requests, after.answered) == (15, 12)
        assert plan(notes(4), wanted, ledger, PRICES).dollars == ("0", "0")
        assert plan(notes(4), wanted, None, {}).dollars is None


def _of_families(body: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = body["response_format"]["json_schema"]["schema"]["properties"]["pairs"]["items"]["anyOf"][0]
    families = wanted["properties"]["family"]["enum"]
    said = json.loads(body["messages"][1]["content"])["note"]
    return [{**good_pairs(said)[2], "family": family, "question": f"What of {family}?"} for family in families]
