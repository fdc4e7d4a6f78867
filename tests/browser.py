"""A real browser for tests: Chromium, which asks nobody for anything, and is killed at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from unittest import mock

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
    """Start a browser, and kill it and its driver at the end.

    They are not asked to close: over that, both have been seen to spin for ever, and all else stood almost still.
    """
    before = psutil.Process().children()
    # They leave their files behind, killed.
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as folder:
        with mock.patch.dict(os.environ, TMPDIR=folder):
            playwright = sync_playwright().start()
        [driver] = [child for child in psutil.Process().children() if child not in before]
        try:
            yield playwright.chromium.launch(executable_path=chromium(), args=ALONE)
        finally:
            kill_with_its_own(driver)
            playwright.stop()


def kill_with_its_own(driver: psutil.Process) -> None:
    """Kill a process and those that it started. Raises AssertionError if one of these lives on half a minute later."""
    browsers = driver.children(recursive=True)
    for process in [driver, *browsers]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _, left = psutil.wait_procs(browsers, timeout=30)
    assert not [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
