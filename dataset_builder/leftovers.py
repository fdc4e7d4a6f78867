"""What killed processes leave beside their work: told from that of processes that still run."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

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
