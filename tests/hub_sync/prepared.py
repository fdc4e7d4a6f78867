"""The command line in processes of their own that start at once: forked from one that has imported all they need.

Between tries its clients of the Hub wait a tenth as long as they would. How often and what they try is theirs;
`HubServer.environment` does the same for Xet's client, which has a setting.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

HURRY = 10
IMPORTED = ("vqa2", "datasets", "hf_xet", "huggingface_hub.hf_api", "hub_sync.pull", "hub_sync.push", "hub_sync.verify")
WAITING = ("huggingface_hub.utils._http", "hub_sync.hub")
MOST = 1 << 16
"""Bytes of arguments and environment."""


class Prepared:
    """A process that forks the command line whenever it is told to; what is read at import is as in `env`."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, env=env, pass_fds=[theirs.fileno()])

    def start(self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start the command line, its streams piped as text."""
        return _Forked(self.socket, arguments, cwd, env)

    def end(self) -> None:
        """End it; what it forked goes on."""
        self.socket.close()
        self._process.kill()
        self._process.wait()


class _Forked(subprocess.Popen[str]):
    """Forked by another process, which tells how it ended; in all else as any other."""

    def __init__(self, asked: socket.socket, arguments: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self._asked = asked
        pipe = subprocess.PIPE
        super().__init__([*arguments], cwd=cwd, env=env, text=True, stdin=pipe, stdout=pipe, stderr=pipe)

    def _execute_child(self, args: Any, *rest: Any) -> None:  # type: ignore[override]
        cwd, env, streams = rest[4], rest[5], (rest[9], rest[12], rest[14])
        self._ended, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            told = json.dumps({"arguments": args, "cwd": str(cwd), "env": dict(env)}).encode()
            assert len(told) < MOST
            socket.send_fds(self._asked, [told], [*streams, theirs.fileno()])
        for stream in streams:
            os.close(stream)
        self.pid = int(self._ended.recv(64) or 0)
        assert self.pid, "the process that forks has ended"
        self._child_created = True

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:  # type: ignore[override]
        try:
            told = self._ended.recv(64, socket.MSG_DONTWAIT if wait_flags & os.WNOHANG else 0)
        except BlockingIOError:
            return 0, 0
        self._ended.close()
        return self.pid, int(told)

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:  # type: ignore[override]
        if self.returncode is None:
            pid, status = self._try_wait(os.WNOHANG)
            if pid:
                self._handle_exitstatus(status)  # type: ignore[attr-defined]
        return self.returncode


def _serve(asked: socket.socket) -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    clock = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: time.sleep(seconds / HURRY)})
    for name in WAITING:
        vars(sys.modules[name])["time"] = clock
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits below is waited for by nobody
    while True:
        told, streams, *_ = socket.recv_fds(asked, MOST, 4)
        if not told:
            return
        if os.fork() == 0:
            asked.close()
            _watch(json.loads(told), streams)
        for stream in streams:
            os.close(stream)


def _watch(told: dict[str, Any], streams: list[int]) -> NoReturn:
    """Fork the command, tell its pid, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, status = streams
    pid = os.fork()
    if pid == 0:
        os.close(status)
        _run(told, streams)
    with socket.socket(fileno=status) as ended:
        for stream in streams:
            os.close(stream)
        ended.send(str(pid).encode())
        ended.send(str(os.waitpid(pid, 0)[1]).encode())
    os._exit(0)


def _run(told: dict[str, Any], streams: list[int]) -> NoReturn:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["env"])
    sys.argv = ["vqa2", *told["arguments"]]
    sys.modules["vqa2"].main()
    sys.exit()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
