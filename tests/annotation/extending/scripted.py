"""An OpenAI-compatible server on loopback that answers as it is told, and keeps account of what it would bill."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

MODEL = "scripted"


@dataclass(frozen=True)
class Act:
    """What happens to one request.

    `content` is what the model writes, None a good answer; `body` replaces the whole answer. `cut` sends that share of
    the body and resets the connection; `drip` waits that many seconds between pieces of the body; `stall` sends half
    and then nothing for that many seconds. `usage` replaces what is told of tokens, not what is billed.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: str | None = None
    body: bytes | None = None
    finish: str = "stop"
    refusal: str | None = None
    usage: Any = True
    seconds: float = 0.0
    cut: float | None = None
    drip: float = 0.0
    stall: float = 0.0
    id: str = "chatcmpl-1"


@dataclass(frozen=True)
class Seen:
    """One request as it came: its number, its JSON, its headers, and the tokens that are billed for it."""

    number: int
    body: dict[str, Any]
    headers: dict[str, str]
    billed: tuple[int, int]
    at: float


Script = Callable[[int, dict[str, Any]], Act]


class ScriptedServer:
    """Listens on loopback. `script(number, body)` gives the act for each request, numbered from 0."""

    def __init__(self, script: Script = lambda _number, _body: Act()) -> None:
        self.script = script
        self.seen: list[Seen] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer's body waits 40 ms for the client to have its head

            def log_message(self, *_: object) -> None: ...

            def do_POST(self) -> None:
                server.serve(self)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def billed(self, input_price: int, output_price: int) -> int:
        """Give the picodollars that are billed, at picodollars a token."""
        with self._lock:
            return sum(seen.billed[0] * input_price + seen.billed[1] * output_price for seen in self.seen)

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._lock:
            number = len(self.seen)
            act = self.script(number, body)
            read, wrote = tokens_of(body, act)
            # What fails once a model was asked is billed as if all had been written.
            lost = act.status >= 500 or act.cut is not None or act.stall or act.body is not None
            taken = act.status == 200 or act.status >= 500
            billed = (read, body["max_tokens"] if lost else wrote) if taken else (0, 0)
            self.seen.append(Seen(number, body, dict(handler.headers), billed, time.monotonic()))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self._answer(handler, act, body, (read, wrote))
        except OSError:
            handler.close_connection = True
        finally:
            with self._lock:
                self.at_once -= 1

    def _answer(self, handler: BaseHTTPRequestHandler, act: Act, body: dict[str, Any], tokens: tuple[int, int]) -> None:
        time.sleep(act.seconds)
        if act.body is not None:
            content = act.body
        elif act.status != 200:
            content = json.dumps({"error": {"message": f"as told: {act.status}", "code": "told"}}).encode()
        else:
            content = json.dumps(completion(act, body, tokens)).encode()
        handler.send_response(act.status)
        handler.send_header("Content-Type", "application/json")
        for name, value in act.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if act.cut is not None:
            handler.wfile.write(content[: int(len(content) * act.cut)])
            handler.wfile.flush()
            # Closed with a linger of 0 s, a connection is reset.
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            handler.close_connection = True
            return
        if act.stall:
            handler.wfile.write(content[: len(content) // 2])
            handler.wfile.flush()
            time.sleep(act.stall)
            handler.close_connection = True
            return
        if not act.drip:
            handler.wfile.write(content)
            return
        for start in range(0, len(content), 50):
            handler.wfile.write(content[start : start + 50])
            handler.wfile.flush()
            time.sleep(act.drip)


def tokens_of(body: dict[str, Any], act: Act) -> tuple[int, int]:
    """Count as the worst tokenizer does: every byte a token, and 20 for each message."""
    read = sum(len(message["content"].encode()) + 20 for message in body["messages"])
    wrote = len((act.content if act.content is not None else good(body)).encode()) // 4
    return read, min(max(wrote, 1), body["max_tokens"])


def completion(act: Act, body: dict[str, Any], tokens: tuple[int, int]) -> dict[str, Any]:
    told = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    text = None if act.refusal else act.content if act.content is not None else good(body)
    message = {"role": "assistant", "content": text, "refusal": act.refusal}
    found: dict[str, Any] = {
        "id": act.id,
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": act.finish}],
    }
    if act.usage is True:
        found["usage"] = told
    elif act.usage is not False:
        found["usage"] = act.usage
    return found


def good(body: dict[str, Any]) -> str:
    """Write a good answer to a request for pairs or for votes."""
    shown = asked(body)
    if "pairs" in shown:
        return json.dumps({"votes": [2] * len(shown["pairs"])})
    return json.dumps({"pairs": good_pairs(shown["note"])})


def good_pairs(said: dict[str, Any]) -> list[dict[str, Any]]:
    told, thing = said.get("overall", "There is severe noise."), said["shown"]
    quality = "quality-centric"
    return [
        {
            "family": quality,
            "form": "yes-no",
            "question": f"Is there noise in this {thing}?",
            "yes": True,
            "answer": f"Yes, {told}",
        },
        {
            "family": quality,
            "form": "multiple-choice",
            "question": f"How strong is the noise in this {thing}?",
            "options": ["Slight", "Moderate", "Noticeable", "Severe"],
            "right": 3,
        },
        {"family": "causal-analysis", "form": "open", "question": "What is the quality?", "answer": told},
    ]


def asked(body: dict[str, Any]) -> dict[str, Any]:
    """Give the data of a request: the JSON of its first message by the user."""
    text = next(message["content"] for message in body["messages"] if message["role"] == "user")
    found: dict[str, Any] = json.loads(text)
    return found
