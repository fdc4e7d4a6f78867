"""Quarantine by reason: rows that differ only in the names and numbers they tell are counted as one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from schemas.manifest import Quarantined

_OF_ONE_INPUT = re.compile(r"^(?:pair \S+|[^:]+\.\w{2,5}): ")
_SPECIFIC = re.compile(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|(?<!\w)[-+]?\d[\d.,]*")
_REMEDY = re.compile(r"[;:] .*", re.DOTALL)
_TRANSIENT = " (a limit of the machine)"


def by_reason(rows: Iterable[Quarantined]) -> dict[str, int]:
    """Count quarantine rows by what is wrong, most frequent first; no name or number of a single input is left in."""
    counts = Counter(_kind(row) for row in rows)
    return dict(sorted(counts.items(), key=lambda of: (-of[1], of[0])))


def _kind(row: Quarantined) -> str:
    reason = _SPECIFIC.sub("…", _OF_ONE_INPUT.sub("", row.reason))
    return _REMEDY.sub("", reason).strip() + (_TRANSIENT if row.transient else "")
