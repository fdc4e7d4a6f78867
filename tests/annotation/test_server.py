"""The client against servers that answer badly: real sockets on loopback, no Label Studio needed."""

import time
from collections.abc import Iterator

import pytest

from annotation.server import AnswerLostError, LabelStudio
from annotation.tokens import Token
from schemas.errors import CallError, DataError
from tests.annotation.faulty_network import CUT, Fault, FaultyNetwork
from tests.annotation.live import free_port

SECRET = "f00dfeedf00dfeedf00dfeedf00dfeedf00dfeed"
NOWHERE = "http://127.0.0.1:9"


def client(url: str, patience: float = 0.0, told: list[str] | None = None) -> LabelStudio:
    lines = [] if told is None else told
    return LabelStudio(url, Token(SECRET, "a test"), told=lines.append, patience=patience, answer_within=1.0)


@pytest.fixture
def network() -> Iterator[FaultyNetwork]:
    with FaultyNetwork(NOWHERE) as found:
        yield found


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8080", "ftp://x", "http://", "http://x:port", "http://x?token=1", "http://a:b@x"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(CallError, match="address of a server"):
        client(url)


def test_a_token_in_an_address_is_not_repeated() -> None:
    with pytest.raises(CallError) as refused:
        client(f"http://x?token={SECRET}")
    assert SECRET not in str(refused.value)


def test_a_server_that_is_down_is_named_and_waited_for() -> None:
    url, told = f"http://127.0.0.1:{free_port()}", list[str]()
    with (
        client(url, 1.0, told) as server,
        pytest.raises(CallError, match=f"{url} does not answer GET /api/projects/1/"),
    ):
        server.project(1)
    assert len(told) == 1
    assert "asked again in 0.5 s" in told[0]


def test_what_is_read_is_asked_again_until_it_comes(network: FaultyNetwork) -> None:
    answers = iter([Fault(status=500), Fault(status=502), CUT, Fault(status=200, body=b'{"id": 1}')])
    network.plan = lambda *_: next(answers)
    with client(network.url, 30.0) as server:
        assert server.project(1) == {"id": 1}
    assert len(network.seen) == 4


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_says_how_long_to_wait(network: FaultyNetwork, status: int) -> None:
    answers = iter([Fault(status=status, headers={"Retry-After": "2"}), Fault(status=200, body=b"[]")])
    network.plan = lambda *_: next(answers)
    start = time.monotonic()
    with client(network.url, 30.0) as server:
        server.storages(1)
    assert time.monotonic() - start >= 2.0


@pytest.mark.parametrize("fault", [CUT, Fault(status=500), Fault(status=503), Fault(seconds=2.0, status=201)])
def test_what_changes_the_server_is_sent_once(network: FaultyNetwork, fault: Fault) -> None:
    network.plan = lambda *_: fault
    with client(network.url, 30.0) as server, pytest.raises(AnswerLostError):
        server.import_tasks(1, [{"data": {}}])
    assert len(network.seen) == 1


def test_what_was_never_taken_is_sent_again(network: FaultyNetwork) -> None:
    answers = iter([Fault(status=429), Fault(status=201, body=b'{"id": 7}')])
    network.plan = lambda *_: next(answers)
    with client(network.url, 30.0) as server:
        assert server.create_project({"title": "x"}) == 7


SHORT = b'{"detail": "Validation error", "validation_errors": {"title": ["short"]}}'
REFUSALS: list[tuple[Fault, type[Exception], str]] = [
    (Fault(status=401, body=f'{{"detail": "Invalid {SECRET}"}}'.encode()), CallError, r"token \(401\): Invalid \*\*\*"),
    (Fault(status=403), CallError, r"may not GET /api/projects/1/ .* \(403\): as told"),
    (Fault(status=404), CallError, "has no projects/1: as told"),
    (Fault(status=400, body=SHORT), DataError, r'\(400\): Validation error: {"title": \["short"\]}'),
    (Fault(status=302, headers={"Location": "https://elsewhere/"}), CallError, "on to https://elsewhere/"),
    (Fault(status=200, body=b"<html>a portal</html>"), CallError, "is it Label Studio"),
]


@pytest.mark.parametrize(("fault", "kind", "said"), REFUSALS)
def test_a_refusal_is_told_and_not_tried_again(
    network: FaultyNetwork, fault: Fault, kind: type[Exception], said: str
) -> None:
    network.plan = lambda *_: fault
    with client(network.url, 30.0) as server, pytest.raises(kind, match=said) as refused:
        server.project(1)
    assert SECRET not in str(refused.value)
    assert len(network.seen) == 1
