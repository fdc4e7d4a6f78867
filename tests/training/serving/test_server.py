"""The command and its server: what programs call by name, what is kept and for how long, and how it ends."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli
from tests.training.conftest import write_clip
from tests.training.serving.conftest import Served, client_of, handle_file, served
from training.checkpoints.checkpoint import Checkpoint
from training.inference.answering import answer_stream
from training.inference.score import score_clips
from training.serving import server as serving
from training.serving.server import is_loopback

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def client(server: Served) -> Any:
    return client_of(server)


@pytest.fixture(scope="module")
def refusal() -> type[Exception]:
    """What the client raises of an error that the page tells."""
    from gradio_client.exceptions import AppError

    return AppError


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 3)


def test_programs_score_ask_and_compare_by_name(
    client: Any, clip: Path, talkative: Checkpoint, shared_corpus: Path
) -> None:
    row = next(iter(score_clips(talkative, [clip])))
    scored = client.predict(handle_file(clip), api_name="/score")
    assert scored["score"] == pytest.approx(row.score, abs=1e-6)
    assert scored["levels"] == pytest.approx(row.levels, abs=1e-6)
    assert scored["level"] == max(scored["levels"], key=scored["levels"].get)

    answer = "".join(answer_stream(talkative, [clip], "Is it noisy?"))
    asked = client.submit(handle_file(clip), "Is it noisy?", api_name="/ask")
    assert asked.result() == answer
    assert len(asked.outputs()) > 3
    assert all(later.startswith(earlier) for earlier, later in zip(asked.outputs(), asked.outputs()[1:], strict=False))

    other = shared_corpus / "media" / "clip5.mp4"
    compared = client.predict(handle_file(clip), handle_file(other), "Which is sharper?", api_name="/compare")
    assert compared["answer"] == "".join(answer_stream(talkative, [clip, other], "Which is sharper?"))
    assert compared["first"] == scored
    assert compared["second"]["score"] == pytest.approx(next(iter(score_clips(talkative, [other]))).score, abs=1e-6)


def test_what_is_wrong_reaches_programs_in_words(
    client: Any, refusal: type[Exception], clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(refusal, match="No readable video or picture"):
        client.predict(handle_file(tmp_path / "text.mp4"), api_name="/score")
    with pytest.raises(refusal, match="The question is empty"):
        client.predict(handle_file(clip), " ", api_name="/ask")


def test_nothing_is_fetched_or_read_that_was_not_uploaded(server: Served, clip: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.5)
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/clip.mp4"
        assert "nothing is fetched from an address" in called(server, "score", {"path": url})
        with pytest.raises(TimeoutError):
            elsewhere.accept()
    for here in (clip, Path(__file__)):
        answer = called(server, "score", {"path": str(here)})
        assert "event: error" in answer
        assert "levels" not in answer
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{server.url}gradio_api/file={here}", timeout=60)


def called(server: Served, name: str, file: dict[str, str]) -> str:
    """Call by the bare protocol, which the client would not do: it uploads what it is given the path of."""
    body = json.dumps({"data": [{**file, "meta": {"_type": "gradio.FileData"}}]}).encode()
    where = f"{server.url}gradio_api/call/{name}"
    asked = urllib.request.Request(where, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{where}/{event}", timeout=60) as answer:
        return str(answer.read().decode())


def test_it_ends_clean_and_leaves_nothing(model: Path, clip: Path) -> None:
    with served(model) as started:
        client_of(started).predict(handle_file(clip), api_name="/score")
        assert any(path.read_bytes() == clip.read_bytes() for path in started.kept())
        code, out, err = started.interrupt()
        assert (code, out) == (0, "stopped")
        assert err == ""
        assert started.kept() == []


def test_an_address_that_is_taken_is_told(vqa2: Cli, model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = vqa2("serve", model, "--port", port)
    assert done.returncode == 2
    assert f"port {port}: Address already in use; --port 0 takes one that is free" in done.stderr


def test_another_name_for_this_machine_is_refused(server: Served) -> None:
    """A page of another site could give itself a name that leads here."""
    port = int(server.url.rstrip("/").rpartition(":")[2])
    for host, status in (("evil.example", 400), ("localhost", 200)):
        with socket.create_connection(("127.0.0.1", port)) as sent:
            sent.sendall(f"GET /config HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            assert sent.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("lab", False)]
)
def test_which_addresses_are_reached_from_here_alone(host: str, here: bool) -> None:
    assert is_loopback(host) == here


def test_an_address_is_written_as_browsers_take_it() -> None:
    assert serving.address("::1", 80) == "http://[::1]:80/"
