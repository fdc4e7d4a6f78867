"""The server in a thread of the test, with what a test asks of it and does to it."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import uvicorn

from tests.hub_sync.hub.context import WRITER, Hub
from tests.hub_sync.hub.faults import Fault, FaultLayer, Request
from tests.hub_sync.hub.repos import Commit, Entry
from tests.hub_sync.hub.routes import application, kind_of
from tests.hub_sync.hub.store import Store

ROOT = Path(__file__).parents[3]
PATIENCE = 20.0  # s


class HubServer:
    """A Hub of its own on loopback, with its files in `folder`. Clients run in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self._hub = Hub(Store(folder))
        self._layer = FaultLayer(application(self._hub), kind_of)
        self._port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return self._hub.endpoint

    def start(self) -> None:
        """On the same port as before, if there was one."""
        # The protocol is named for asyncio, which has connections of no other send at once (TCP_NODELAY).
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(256)
        self._port = listener.getsockname()[1]
        # Two names for one server: clients pass no token on to another host, and so it is with the real one's files.
        self._hub.endpoint, self._hub.cdn = f"http://127.0.0.1:{self._port}", f"http://localhost:{self._port}"
        self._layer.ending.clear()
        config = uvicorn.Config(
            self._layer,
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=60,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it, with all that is held; what was stored stays."""
        if self._server and self._thread:
            self._layer.ending.set()
            self._server.should_exit = True
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive(), "the server does not end"
        self._server = self._thread = None

    def environment(self, home: Path, token: str | None = WRITER) -> dict[str, str]:
        """For a client: this Hub and no other, a cache and settings of its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "160",
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "100ms",  # of 3 s
            "NO_PROXY": "127.0.0.1,localhost",
            **({"HF_TOKEN": token} if token else {}),
        }

    @property
    def large(self) -> int:
        """Bytes; a text file over this is sent as a large one."""
        return self._hub.large

    @large.setter
    def large(self, size: int) -> None:
        self._hub.large = size

    # What another publisher does meanwhile.

    def create_repo(self, repo: str, private: bool = False) -> None:
        self._hub.create(repo, private)

    def commit(self, repo: str, files: Mapping[str, bytes], delete: Iterable[str] = (), branch: str = "main") -> str:
        """The id of a commit of regular files."""
        changes: list[tuple[str, str, Entry | None]] = [("deletedFile", path, None) for path in delete]
        for path, data in files.items():
            changes.append(("file", path, Entry(self._hub.store.put_blob(data), len(data))))
        return self._hub.repos[repo].add_commit(branch, changes, "by another publisher").id

    def tag(self, repo: str, name: str, revision: str = "main") -> None:
        self._hub.repos[repo].add_tag(name, revision)

    # What is there.

    def exists(self, repo: str) -> bool:
        return repo in self._hub.repos

    def branches(self, repo: str) -> dict[str, str]:
        return dict(self._hub.repos[repo].branches)

    def tags(self, repo: str) -> dict[str, str]:
        return dict(self._hub.repos[repo].tags)

    def head(self, repo: str, revision: str = "main") -> str:
        return self._hub.repos[repo].resolve(revision).id

    def commits(self, repo: str, revision: str = "main") -> list[Commit]:
        """Newest first."""
        return self._hub.repos[repo].history(revision)

    def entries(self, repo: str, revision: str = "main") -> dict[str, Entry]:
        return dict(self._hub.repos[repo].resolve(revision).files)

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """Every file with its bytes, which are checked against their hash where they are large."""
        store = self._hub.store
        return {
            path: (store.large(entry.sha256) if entry.sha256 else store.blob(entry.oid)).read_bytes()
            for path, entry in self.entries(repo, revision).items()
        }

    # What was asked, and what goes wrong.

    @property
    def errors(self) -> list[Exception]:
        """What the server itself stumbled over: a client sees status 500 and may well go on."""
        return self._layer.errors

    @property
    def log(self) -> list[Request]:
        return self._layer.log

    def requests(self, kind: str | None = None, method: str | None = None) -> list[Request]:
        return [one for one in self.log if kind in {None, one.kind} and method in {None, one.method}]

    def kinds(self) -> Counter[str]:
        return Counter(one.kind for one in self.log)

    def clear_log(self) -> None:
        self._layer.log.clear()

    def fault(self, kind: str | None = None, method: str | None = None, path: str | None = None, **how: Any) -> Fault:
        """Let requests of this kind, with this method, and with this pattern in their path fail.

        Which: `times` (1; None is always), after `skip` that pass, or `each_kind_once`.
        How: `status` with `headers` and `body`; `drop` "before" or "after" the work; `delay` in seconds;
        `hold` until `release()`; `stall_after` or `cut_after` bytes of the answer; `stall_upload_after` bytes of what
        is sent; `corrupt` the first byte of the answer.
        """
        fault = Fault(kind, method, path, **how)
        self._layer.faults.append(fault)
        return fault

    def rate_limit(self, kind: str | None = None, seconds: int = 1, times: int | None = 1) -> Fault:
        """429, with the headers that say how long to wait."""
        headers = {
            "ratelimit": f'"api";r=0;t={seconds}',
            "ratelimit-policy": '"fixed window";"api";q=1000;w=300',
            "Retry-After": str(seconds),
        }
        return self.fault(kind, status=429, headers=headers, times=times, body={"error": "Too many requests"})

    def clear_faults(self) -> None:
        for fault in self._layer.faults:
            fault.release()
        self._layer.faults.clear()
