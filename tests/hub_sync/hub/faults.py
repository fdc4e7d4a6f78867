"""What goes wrong on demand, and what was asked: an ASGI layer in front of the server."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote

from starlette.requests import ClientDisconnect

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
MOMENT = 0.01  # s


@dataclass
class Request:
    """One request as it went; `status` stays None where no answer was sent. `at` is time.monotonic()."""

    method: str
    path: str
    query: str
    kind: str
    status: int | None = None
    received: int = 0
    sent: int = 0
    user: str | None = None
    fault: Fault | None = None
    at: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class Fault:
    """Which requests fail, and how: see `HubServer.fault`."""

    kind: str | None = None
    method: str | None = None
    path: str | None = None
    times: int | None = 1
    skip: int = 0
    each_kind_once: bool = False
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=lambda: {"error": "as told"})
    drop: Literal["before", "after"] | None = None
    delay: float = 0.0
    hold: bool = False
    stall_after: int | None = None
    cut_after: int | None = None
    stall_upload_after: int | None = None
    corrupt: bool = False
    hits: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    _kinds: set[str] = field(default_factory=set)

    def release(self) -> None:
        """Let what is held go on, and what is stalled end."""
        self.over.set()

    def strikes(self, request: Request) -> bool:
        """Whether this request is one of them; it then counts."""
        if (self.kind or request.kind) != request.kind or (self.method or request.method) != request.method:
            return False
        if self.path is not None and not re.search(self.path, request.path):
            return False
        if self.each_kind_once:
            if request.kind in self._kinds:
                return False
            self._kinds.add(request.kind)
        elif self.times is not None and self.hits >= self.times:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        self.reached.set()
        return True


class FaultLayer:
    """Logs every request, and lets the first fault that fits strike."""

    def __init__(self, app: App, kind_of: Callable[[str, str], str]) -> None:
        self.app = app
        self.kind_of = kind_of
        self.log: list[Request] = []
        self.faults: list[Fault] = []
        self.ending = threading.Event()
        self.errors: list[Exception] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        raw = scope["raw_path"].decode("ascii")
        request = Request(
            scope["method"], unquote(raw), scope["query_string"].decode(), self.kind_of(scope["method"], raw)
        )
        scope["request_log"] = request
        self.log.append(request)
        request.fault = next((fault for fault in tuple(self.faults) if fault.strikes(request)), None)
        # uvicorn hands out bound methods of what serves the request, which knows the connection.
        connection = send.__self__.transport  # type: ignore[attr-defined]

        async def counted_receive() -> Message:
            message = await receive()
            request.received += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            await send(message)
            request.status = message.get("status", request.status)
            request.sent += len(message.get("body", b""))

        try:
            if request.fault is None:
                await self.app(scope, counted_receive, counted_send)
            else:
                await self._fail(request.fault, scope, counted_receive, counted_send, connection)
        except ClientDisconnect:
            pass
        except Exception as error:
            self.errors.append(error)
            raise

    async def _fail(
        self, fault: Fault, scope: MutableMapping[str, Any], receive: Receive, send: Send, connection: asyncio.Transport
    ) -> None:
        await asyncio.sleep(fault.delay)
        if fault.hold:
            await self._wait(fault, connection)
        if fault.drop == "before" or self.ending.is_set():
            await _close(connection)
        elif fault.status is not None:
            await _drain(receive)
            await _answer(send, fault)
        else:
            await self.app(scope, self._reading(fault, receive, connection), self._sending(fault, send, connection))

    def _reading(self, fault: Fault, receive: Receive, connection: asyncio.Transport) -> Receive:
        read = 0

        async def reading() -> Message:
            nonlocal read
            if fault.stall_upload_after is not None and read >= fault.stall_upload_after:
                await self._wait(fault, connection)
                await _close(connection)
                return {"type": "http.disconnect"}
            message = await receive()
            read += len(message.get("body", b""))
            return message

        return reading

    def _sending(self, fault: Fault, send: Send, connection: asyncio.Transport) -> Send:
        limit = fault.cut_after if fault.stall_after is None else fault.stall_after
        sent = 0
        gone = False

        async def sending(message: Message) -> None:
            nonlocal sent, gone
            body = message.get("body", b"")
            if gone:
                return
            if fault.drop == "after":
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    gone = True
                    await _close(connection)
                return
            if fault.corrupt and body and not sent:
                body = bytes([body[0] ^ 0xFF]) + body[1:]
            if limit is not None and message["type"] == "http.response.body" and sent + len(body) >= limit:
                gone = True
                await send({**message, "body": body[: limit - sent], "more_body": True})
                if fault.stall_after is not None:
                    await self._wait(fault, connection)
                await _close(connection)
                return
            sent += len(body)
            await send({**message, "body": body} if "body" in message else message)

        return sending

    async def _wait(self, fault: Fault, connection: asyncio.Transport) -> None:
        while not (fault.over.is_set() or self.ending.is_set() or connection.is_closing()):
            await asyncio.sleep(MOMENT)


async def _answer(send: Send, fault: Fault) -> None:
    body = json.dumps(fault.body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **fault.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _drain(receive: Receive) -> None:
    """Read what the client still sends: a connection closed on it would lose the answer."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return


async def _close(connection: asyncio.Transport) -> None:
    """Reset the connection, and give the loop a turn to take note."""
    connection.abort()
    await asyncio.sleep(MOMENT)
