"""A real browser for tests: Chromium, which asks nobody for anything, and is ended where it does not end."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator

import psutil
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 120_000
"""Milliseconds that a page may take: the first one of a busy machine takes half a minute."""
ALONE = [
    # Names are not looked up, and nothing of the browser's own is asked for; root has no sandbox.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    *("--disable-quic", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-domain-reliability"),
    *(["--no-sandbox"] if os.getuid() == 0 else []),
]


def chromium() -> str:
    """Where the browser is. Raises FileNotFoundError: tests that need it fail without it, and do not skip."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise FileNotFoundError(
        "there is no Chromium to test with: make label-studio browser installs all that these tests need"
    )


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Start a browser, and see that nothing of it is left."""
    playwright = sync_playwright().start()
    started = playwright.chromium.launch(executable_path=chromium(), args=ALONE)
    mine = processes()
    yield started
    with ended_after(60):
        started.close()
        playwright.stop()
    assert not [child for child in mine if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def processes() -> list[psutil.Process]:
    """The browser's processes and its driver, of the tests of this process alone."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "chrom" in child.name() or child.name() == "node"
    ]


@contextlib.contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """End a browser that does not close when it is told to, and its driver: both may spin, on a core each, for ever."""

    def end() -> None:
        for child in processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()

    late = threading.Timer(seconds, end)
    late.start()
    try:
        yield
    finally:
        late.cancel()
