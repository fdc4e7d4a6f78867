"""Validation: JSON Schemas generated from the structs, and JSONL files held to them line by line.

`jsonschema-rs` checks at speed and names the field and the rule; `msgspec` then builds the struct, which checks what a
JSON Schema cannot say (placeholders against media, level words against scores).
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
from schemas.lock import BenchmarkLock, MetricReport
from schemas.manifest import Manifest, Quarantined
from schemas.pair import Pair
from schemas.passport import Passport
from schemas.recipe import BuildRecipe, TrainRecipe
from schemas.record import GroundTruth, Record
from schemas.sample import Sample
from schemas.session import ClipSession, Session

T = TypeVar("T", bound=msgspec.Struct)

PUBLISHED: dict[str, type[msgspec.Struct]] = {
    "record": Record,
    "ground-truth": GroundTruth,
    "annotation": Annotation,
    "pair": Pair,
    "sample": Sample,
    "session": Session,
    "clip-session": ClipSession,
    "manifest": Manifest,
    "quarantined": Quarantined,
    "benchmark-lock": BenchmarkLock,
    "metric-report": MetricReport,
    "passport": Passport,
    "build-recipe": BuildRecipe,
    "train-recipe": TrainRecipe,
}
"""The structs whose JSON Schema is part of the published contract, by schema name."""

SCHEMA_FOLDER = Path(__file__).parent / "jsonschema"


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
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return Problem(file, line, "", f"not JSON: {error}")
    if broken := next(_validator(kind).iter_errors(value), None):
        return Problem(file, line, "/".join(map(str, broken.instance_path)), broken.message)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as problem:
        rule, _, at = str(problem).partition(" - at `$")
        return Problem(file, line, at.strip("`.").replace("[", "/").replace("]", "").replace(".", "/"), rule)


def read_jsonl(path: Path, kind: type[T], name: str | None = None) -> Iterator[tuple[int, T | Problem]]:
    """Yield each line of a JSONL file as (line number, struct or problem); blank lines are problems, a BOM is not."""
    file = name or path.name
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            text = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if not text.strip():
                yield number, Problem(file, number, "", "the line is empty: remove it")
            else:
                yield number, check_bytes(text.rstrip(b"\r\n"), kind, file, number)


@functools.cache
def _validator(kind: type[msgspec.Struct]) -> Any:
    name = next(name for name, struct in PUBLISHED.items() if struct is kind)
    return jsonschema_rs.Draft202012Validator(json_schema(name))
