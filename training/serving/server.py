"""The server of the page: on one address, with uploads of a limited size in a folder that is gone with it."""

from __future__ import annotations

import ipaddress
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import CallError
from training.checkpoints.checkpoint import Checkpoint

GRACE = 3
"""Seconds that answers on their way have when the server is to end."""


def serve(
    checkpoint: Checkpoint,
    name: str,
    *,
    host: str,
    port: int,
    most_bytes: int,
    most_frames: int,
    told: Callable[[str], None],
) -> None:
    """Serve the page of a model until the process is interrupted; `told` is given its address once it answers.

    `port` 0 = any that is free. Raises CallError where the address cannot be had.
    """
    with _listening(host, port) as listening, _own_folder():
        import uvicorn
        from fastapi import FastAPI  # type: ignore[import-not-found,unused-ignore]  # comes with gradio
        from gradio import mount_gradio_app  # type: ignore[import-not-found,unused-ignore]
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        from training.serving.asked import Asked
        from training.serving.page import CSS, page, theme

        app = FastAPI(openapi_url=None)
        blocks = page(Asked(checkpoint, most_frames), name)
        mount_gradio_app(
            app,
            blocks,
            path="/",
            show_error=False,
            max_file_size=most_bytes,
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            enable_monitoring=False,
            pwa=False,
            mcp_server=False,
            theme=theme(),
            css=CSS,
        )
        # Only then does gradio refuse files of this machine that were not uploaded.
        blocks.has_launched = True
        if is_loopback(host):
            # Another site's page could else reach this one by a name of its own that leads here.
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", host])
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=GRACE))
        server.config.load()
        told(address(*listening.getsockname()[:2]))
        try:
            server.run(sockets=[listening])
        except KeyboardInterrupt:
            told("stopped")


def address(host: str, port: int) -> str:
    """Write the address of the page."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CallError(f"--host {host}: no such address here ({error.strerror})") from None
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(where)
            listening.listen()
        except OSError as error:
            raise CallError(f"{host}, port {port}: {error.strerror}; --port 0 takes one that is free") from None
        yield listening


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Have all that is uploaded lie in one folder, which is gone at the end, and nothing be told to anybody."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="vqa2-serve-", ignore_cleanup_errors=True) as folder:
        os.environ |= {
            "GRADIO_TEMP_DIR": folder,
            "GRADIO_ANALYTICS_ENABLED": "False",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        tempfile.tempdir = folder  # a large upload lies there while it comes
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before
