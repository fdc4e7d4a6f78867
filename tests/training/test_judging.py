"""Judges of open-ended answers: kept verdicts, and a real server on this machine that speaks OpenAI's protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import CallError, DataError
from training.evaluation.judging import KeptJudge, NoJudge, ServerJudge


class Server(ThreadingHTTPServer):
    """Answers chat completions with what it is told to say, in turn."""

    says: list[str]
    asked: list[dict[str, Any]]
    instead: dict[str, Any]
    """Takes the place of keys of its answer."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        said = self.server.says[(len(self.server.asked) - 1) % len(self.server.says)]
        message = {"role": "assistant", "content": said}
        told = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        }
        body = (said if said.startswith("<") else json.dumps(told | self.server.instead)).encode()
        self.send_response(400 if said == "refuse" else 200)
        self.send_header("Content-Type", "text/html" if said.startswith("<") else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.says, made.asked, made.instead = ["Score: 2"], [], {}
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def judge_of(server: Server) -> ServerJudge:
    return ServerJudge("grader", f"http://127.0.0.1:{server.server_address[1]}/v1")


def test_a_server_is_asked_five_times(server: Server) -> None:
    server.says = ["Score: 2", "Score:1", "**Score**: 0", "2", "score 1"]
    assert judge_of(server).verdicts("What harms it?", "Blur.", "Some blur.") == [2, 1, 0, 2, 1]
    assert len(server.asked) == 5
    said = server.asked[0]["messages"][0]["content"]
    assert all(words in said for words in ("What harms it?", "Reference: Blur.", "Answer: Some blur."))
    assert server.asked[0]["model"] == "grader"


@pytest.mark.parametrize("reply", ["I would say 7 of 10", "Score: 1.5", "Score: 3", "2 of 2", "Score: 12", ""])
def test_a_reply_that_is_no_grade_leaves_the_answer_unjudged(server: Server, reply: str) -> None:
    server.says = ["Score: 2", reply, "Score: 2.", "Score: 2", "Score: 2"]
    assert judge_of(server).verdicts("q", "r", "a") == []


def test_a_server_that_refuses_is_told(server: Server) -> None:
    server.says = ["refuse"]
    with pytest.raises(DataError, match="the judge 'grader' cannot be asked"):
        judge_of(server).verdicts("q", "r", "a")


@pytest.mark.parametrize("choices", [[], None, [{"index": 0, "finish_reason": "stop", "message": None}]])
def test_an_answer_that_holds_none_is_told(server: Server, choices: object) -> None:
    server.instead = {"choices": choices}
    with pytest.raises(DataError, match="the judge 'grader' gave no answer"):
        judge_of(server).verdicts("q", "r", "a")


def test_a_page_in_place_of_an_answer_is_told(server: Server) -> None:
    server.says = ["<html>Score: 2</html>"]
    with pytest.raises(DataError, match="the judge 'grader' gave no answer"):
        judge_of(server).verdicts("q", "r", "a")


def test_what_was_judged_is_never_asked_again(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    assert KeptJudge(path, judge_of(server)).verdicts("q", "r", "a") == [2] * 5
    assert KeptJudge(path, judge_of(server)).verdicts("q", "r", "a") == [2] * 5
    offline = KeptJudge(path)
    assert offline.verdicts("q", "r", "a") == [2] * 5
    assert offline.name == "grader"
    assert len(server.asked) == 5
    assert KeptJudge(path, judge_of(server)).verdicts("q", "r", "another answer") == [2] * 5
    assert len(server.asked) == 10


def test_anybody_can_fill_the_file(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    assert KeptJudge(path).verdicts("q", "r", "a") == []
    assert KeptJudge(path).verdicts("q", "r", "a") == []
    (line,) = path.read_text().splitlines()
    assert json.loads(line) == {"question": "q", "reference": "r", "answer": "a", "judge": "", "verdicts": []}
    path.write_text(json.dumps({**json.loads(line), "judge": "people", "verdicts": [1, 2]}) + "\n")
    judge = KeptJudge(path)
    assert (judge.verdicts("q", "r", "a"), judge.name) == ([1, 2], "people")


@pytest.mark.parametrize(
    "line", ["{", '{"question": "q"}', '{"question":"q","reference":"r","answer":"a","verdicts":[3]}']
)
def test_a_wrong_line_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "v.jsonl").write_text("\n" + line)
    with pytest.raises(DataError, match=r"v\.jsonl line 2"):
        KeptJudge(tmp_path / "v.jsonl")


def test_judges_are_not_mixed(tmp_path: Path, server: Server) -> None:
    line = {"question": "q", "reference": "r", "answer": "a", "judge": "people", "verdicts": [1]}
    (tmp_path / "v.jsonl").write_text(json.dumps(line))
    with pytest.raises(CallError, match="grader and people"):
        KeptJudge(tmp_path / "v.jsonl", judge_of(server))


def test_without_a_judge_there_is_no_verdict() -> None:
    assert NoJudge().verdicts("q", "Blur.", "Blur.") == []
