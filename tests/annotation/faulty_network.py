"""A network between the code under test and the real server that fails as it is told."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Fault:
    """What happens to one request. Without `taken` the server never sees it.

    `status` is answered in place of the server's answer, None resets the connection; after `seconds`.
    """

    taken: bool = False
    status: int | None = None
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"detail": "as told"}'


SLOW = Fault(taken=True, seconds=4.0)
LOST = Fault(taken=True)
CUT = Fault()
Plan = Callable[[str, str], Fault | None]


class FaultyNetwork:
    """Listens on loopback and passes all on to `to`, except where `plan(method, path)` names a fault."""

    def __init__(self, to: str, plan: Plan = lambda _method, _path: None) -> None:
        self.to = urlsplit(to)
        self.plan = plan
        self.seen: list[tuple[str, str]] = []
        network = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer's body waits 40 ms for the client to have its head

            def log_message(self, *_: object) -> None: ...

            def handle_any(self) -> None:
                network.pass_on(self)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> FaultyNetwork:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        method, path = handler.command, handler.path
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.seen.append((method, path))
        fault = self.plan(method, path)
        answer = None
        if fault is None or fault.taken:
            try:
                answer = self._ask(method, path, body, dict(handler.headers))
            except (OSError, http.client.HTTPException):
                fault = CUT
        if fault is not None:
            time.sleep(fault.seconds)
            if fault.status is not None:
                answer = fault.status, list(fault.headers.items()), fault.body
            elif fault is not SLOW:
                answer = None
        if answer is None:
            # Closed with a linger of 0 s, a connection is reset.
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            handler.close_connection = True
            return
        status, headers, content = answer
        handler.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.to.hostname or "", self.to.port, timeout=120)
        try:
            connection.request(method, path, body or None, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()
