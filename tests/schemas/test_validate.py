import json
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from schemas.annotation import Annotation
from schemas.validate import PUBLISHED, SCHEMA_FOLDER, Problem, check_bytes, json_schema, read_jsonl, write_json_schemas


def test_committed_schemas_are_the_generated_ones(tmp_path: Path) -> None:
    for path in write_json_schemas(tmp_path):
        committed = SCHEMA_FOLDER / path.name
        assert committed.read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), "run: vqa2 schema --write"
    assert {p.name for p in SCHEMA_FOLDER.glob("*.json")} == {f"{name}.schema.json" for name in PUBLISHED}


@pytest.mark.parametrize("name", PUBLISHED)
def test_schemas_are_valid_draft_2020_12(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(name))


GOOD: dict[str, Any] = {"id": "a", "clip": "c", "rater": "r", "attributes": [{"name": "noise", "degree": "slight"}]}


@pytest.mark.parametrize(
    "value",
    [
        GOOD,
        {**GOOD, "score": 50},
        {**GOOD, "score": None},
        {**GOOD, "score": "50"},
        {**GOOD, "level": "excellent"},
        {**GOOD, "extra": 1},
        {"id": "a"},
        {**GOOD, "attributes": [{"name": "noise"}]},
        [],
    ],
)
def test_the_fast_validator_agrees_with_the_reference(value: object) -> None:
    schema = json_schema("annotation")
    assert jsonschema_rs.is_valid(schema, value) == jsonschema.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("line", "field", "rule"),
    [
        (b"{", "", "not JSON"),
        (b'{"id": "a", "clip": "c"}', "", '"rater" is a required property'),
        (b'{"id": 1, "clip": "c", "rater": "r"}', "id", "1 is not of type"),
        (b'{"id": "a", "clip": "c", "rater": "r", "lvl": "good"}', "", "Additional properties"),
        (
            b'{"id": "a", "clip": "c", "rater": "r", "attributes": [{"name": "n", "degree": "d", "start": 1}]}',
            "attributes/0",
            "both start and end",
        ),
    ],
)
def test_a_problem_names_field_and_rule(line: bytes, field: str, rule: str) -> None:
    found = check_bytes(line, Annotation, "notes.jsonl", 7)
    assert isinstance(found, Problem)
    assert found.field == field
    assert rule in found.rule
    assert str(found).startswith("notes.jsonl:7: ")


def test_reading_names_lines_and_takes_a_bom(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n\n" + json.dumps(GOOD).encode())
    (_, first), (two, blank), (three, last) = read_jsonl(path, Annotation)
    assert isinstance(first, Annotation)
    assert last == first
    assert (two, three) == (2, 3)
    assert str(blank) == "notes.jsonl:2: the line is empty: remove it"
