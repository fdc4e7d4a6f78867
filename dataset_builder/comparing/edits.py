"""What differs between two values: a list of dotted keys with what each was and is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.comparison import Edit


def edits(old: object, new: object) -> list[Edit]:
    """List what differs between two structs or plain values.

    The things of a list that have names of their own are matched by name, those of other lists by position; a list of
    plain values is one value.
    """
    return list(_edits("", msgspec.to_builtins(old), msgspec.to_builtins(new)))


def _edits(at: str, old: Any, new: Any) -> Iterator[Edit]:
    if old == new and type(old) is type(new):
        return
    old_keys, new_keys = _keyed(old), _keyed(new)
    if old_keys is None or new_keys is None:
        yield Edit(field=at, old=old, new=new)
        return
    for key in dict.fromkeys([*old_keys, *new_keys]):
        yield from _edits(f"{at}.{key}" if at else str(key), old_keys.get(key), new_keys.get(key))


def _keyed(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        names = [item.get("name", item.get("source", item.get("of"))) for item in value]
        named = None not in names and len(set(names)) == len(names)
        return dict(zip(names if named else range(len(value)), value, strict=True))
    return None
