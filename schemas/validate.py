"""Validation: JSON Schemas generated from the structs, and JSONL files held to them line by line.

`msgspec` builds the struct, which checks all that the schema generated from it says, and what a JSON Schema cannot say
(placeholders against media, level words against scores). What it refuses goes the long way, which decides and explains:
`orjson` parses, `jsonschema-rs` names the field and the rule, and `msgspec` has the last word.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import jsonschema_rs
import msgspec
import orjson

from schemas import SCHEMA_VERSION
from schemas.annotation import Annotation
from schemas.comparison import Comparison, SampleChange
from schemas.extension import ExtendRecipe
from schemas.lock import BenchmarkLock, MetricReport
from schemas.manifest import Manifest, Quarantined
from schemas.notes import Notes
from schemas.pair import Pair, PairVerdict
from schemas.passport import Passport
from schemas.project import ProjectRecipe
from schemas.recipe import BuildRecipe, TrainRecipe
from schemas.record import GroundTruth, Record
from schemas.response import Response
from schemas.sample import Sample
from schemas.session import ClipSession, Session

T = TypeVar("T", bound=msgspec.Struct)

PUBLISHED: dict[str, type[msgspec.Struct]] = {
    "record": Record,
    "ground-truth": GroundTruth,
    "annotation": Annotation,
    "pair": Pair,
    "pair-verdict": PairVerdict,
    "response": Response,
    "sample": Sample,
    "session": Session,
    "clip-session": ClipSession,
    "manifest": Manifest,
    "quarantined": Quarantined,
    "notes": Notes,
    "benchmark-lock": BenchmarkLock,
    "metric-report": MetricReport,
    "passport": Passport,
    "comparison": Comparison,
    "sample-change": SampleChange,
    "build-recipe": BuildRecipe,
    "train-recipe": TrainRecipe,
    "project-recipe": ProjectRecipe,
    "extend-recipe": ExtendRecipe,
}
"""The structs whose JSON Schema is part of the published contract, by schema name."""

LOOSE = frozenset({Manifest, Comparison, SampleChange, TrainRecipe})
"""The structs with room for any value, which can nest deeper than a parser follows."""

SCHEMA_FOLDER = Path(__file__).parent / "jsonschema"

# A float64 holds at most 309 digits before the point, and orjson refuses an integer beyond it that msgspec takes. In as
# many digits at a stretch at least 9 are each 32nd byte, which costs a tenth of looking at every byte.
_STRIDE = 32
_DIGITS_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_SUSPECT = b"0" * (309 // _STRIDE)


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong in a file: `line` counts from 1 (0 = the whole file), `field` is a path like `media/0/path`."""

    file: str
    line: int
    field: str
    rule: str

    def __str__(self) -> str:
        """Write the problem as one line for a person."""
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}: {self.field + ': ' if self.field else ''}{self.rule}"


def json_schema(name: str) -> dict[str, Any]:
    """Generate the JSON Schema (Draft 2020-12) of a published struct."""
    schema = msgspec.json.schema(PUBLISHED[name])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:vqa2:{name}:{SCHEMA_VERSION}",
        **schema,
    }


def write_json_schemas(folder: Path = SCHEMA_FOLDER) -> list[Path]:
    """Write every published JSON Schema into `folder` and list the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in PUBLISHED:
        path = folder / f"{name}.schema.json"
        path.write_text(json.dumps(json_schema(name), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def check_bytes(raw: bytes, kind: type[T], file: str, line: int) -> T | Problem:
    """Read one JSON text as `kind`, or say what is wrong with it: the file, the line, the field and the rule."""
    if (read := _read_at_once(raw, kind)) is not None:
        return read
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return Problem(file, line, "", f"not JSON: {error}")
    try:
        broken = next(_validator(kind).iter_errors(value), None)
    except ValueError as error:  # jsonschema-rs follows values to a depth of 255
        return Problem(file, line, "", f"nested too deep: {error}")
    if broken:
        return Problem(file, line, "/".join(map(str, broken.instance_path)), broken.message)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as problem:
        rule, _, at = str(problem).partition(" - at `$")
        return Problem(file, line, at.strip("`.").replace("[", "/").replace("]", "").replace(".", "/"), rule)
    except ArithmeticError as error:
        return Problem(file, line, "", f"a number is out of range: {error}")


def read_jsonl(path: Path, kind: type[T], name: str | None = None) -> Iterator[tuple[int, T | Problem]]:
    """Yield each line of a JSONL file as (line number, struct or problem); blank lines are problems, a BOM is not."""
    file = name or path.name
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            text = (raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw).rstrip(b"\r\n")
            if not text or text.isspace():
                yield number, Problem(file, number, "", "the line is empty: remove it")
            else:
                yield number, check_bytes(text, kind, file, number)


def _read_at_once(raw: bytes, kind: type[T]) -> T | None:
    """Give the struct where msgspec alone suffices; None is no verdict, but asks for the long way.

    A schema accepts all that its struct is decoded from. What orjson or jsonschema-rs refuse and msgspec may take is
    left to the long way: integers of hundreds of digits, and deep nesting, which only some structs have room for.
    """
    if kind in LOOSE or _SUSPECT in raw[::_STRIDE].translate(_DIGITS_AS_ZERO):
        return None
    try:
        read: T = _decoder(kind).decode(raw)
    except (msgspec.DecodeError, ValueError, ArithmeticError):
        return None
    return read


@functools.cache
def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind)


@functools.cache
def _validator(kind: type[msgspec.Struct]) -> Any:
    name = next(name for name, struct in PUBLISHED.items() if struct is kind)
    return jsonschema_rs.Draft202012Validator(json_schema(name))
