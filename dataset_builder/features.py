"""The declared columns of a data file, generated from the Sample struct.

Without declared features `datasets.load_dataset` guesses types per file and fails over nulls, empty lists and integers
among floats.
"""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from schemas.sample import Sample

_DTYPES = {str: "string", int: "int64", float: "float64", bool: "bool"}


def features() -> list[dict[str, Any]]:
    """Declare the columns of a data file in the form of a dataset card's YAML (`dataset_info`)."""
    return _fields(Sample)


def _fields(struct: type[msgspec.Struct]) -> list[dict[str, Any]]:
    hints = get_type_hints(struct)
    return [{"name": name, **_feature(hints[name])} for name in struct.__struct_fields__]


def _feature(kind: Any) -> dict[str, Any]:
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(k for k in get_args(kind) if k is not type(None))
    if get_origin(kind) is Literal:
        kind = type(get_args(kind)[0])
    if get_origin(kind) is list:
        inner = get_args(kind)[0]
        return {"list": _fields(inner)} if issubclass(inner, msgspec.Struct) else {"list": _DTYPES[inner]}
    if issubclass(kind, msgspec.Struct):
        return {"struct": _fields(kind)}
    return {"dtype": _DTYPES[kind]}
