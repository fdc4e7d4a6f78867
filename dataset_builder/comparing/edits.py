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
    return [] if _equal(old, new) else list(_edits("", old, new))


def _equal(old: object, new: object) -> bool:
    return type(old) is type(new) and old == new  # 1 == 1.0 == True


def _edits(at: str, old: Any, new: Any) -> Iterator[Edit]:
    old_keys, new_keys = _keyed(old), _keyed(new)
    if old_keys is None or new_keys is None:
        yield Edit(field=at, old=msgspec.to_builtins(old), new=msgspec.to_builtins(new))
        return
    for key in dict.fromkeys([*old_keys, *new_keys]):
        one, other = old_keys.get(key), new_keys.get(key)
        if not _equal(one, other):
            yield from _edits(f"{at}.{key}" if at else str(key), one, other)


def _keyed(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, dict):
        return value
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if isinstance(value, list) and value and all(isinstance(item, dict | msgspec.Struct) for item in value):
        things = [_keyed(item) or {} for item in value]
        names = [thing.get("name", thing.get("source", thing.get("of"))) for thing in things]
        named = None not in names and len(set(names)) == len(names)
        return dict(zip(names if named else range(len(value)), value, strict=True))
    return None
