"""What killed processes leave beside their work: told from that of processes that still run."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from schemas.errors import CallError

ABANDONED_SECONDS = 24 * 3600.0
"""After how long without a change something of another host is taken to be left behind."""


def is_abandoned(path: Path, pid: int, host: str) -> bool:
    """Say whether the process that made `path` is gone; of another host's, whether `path` has not changed for long."""
    try:
        if host == socket.gethostname():
            os.kill(pid, 0)
            return False
        return path.stat().st_mtime < time.time() - ABANDONED_SECONDS
    except (ProcessLookupError, FileNotFoundError):
        return True
    except PermissionError:  # it runs, as another user
        return False


CACHE_TAG = "CACHEDIR.TAG"
"""The file by which a folder says that what is in it can be made again (the Cache Directory Tagging Specification)."""


def mark_as_cache(folder: Path) -> None:
    """Make a folder and mark it as one that holds no one's originals. Raises CallError where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CACHE_TAG).write_text("Signature: 8a477f597d28d172789f06886806bc55\n", encoding="ascii")
    except OSError as error:
        raise CallError(f"cannot write to {str(folder)!r}: {error.strerror}") from None
