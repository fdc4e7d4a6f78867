"""JSON as every reader takes it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable


def json_text(value: object, *, indent: int | None = None, default: Callable[[object], object] = str) -> str:
    """Write a value as JSON: NaN and infinities, which it lacks, as null; what else it lacks goes through `default`."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False, default=default)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
