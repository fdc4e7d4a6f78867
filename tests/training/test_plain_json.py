"""What is printed for machines is JSON, whatever a table's cells hold."""

import json
import math
from pathlib import Path

import pytest

from training.arguments import print_json
from training.inference.score import Row
from training.inference.score_file import ScoreFile
from training.inference.score_given import Given
from training.plain_json import json_text

NONE = [math.nan, math.inf, -math.inf]


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def test_numbers_that_are_none_are_null_at_any_depth(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"columns": {"mos": math.nan, "all": NONE, "two": (math.inf, 1.5)}, "n": 3, "named": Path("é"), "no": None}
    expected = {
        "columns": {"mos": None, "all": [None] * 3, "two": [None, 1.5]},
        "n": 3,
        "named": "é",
        "no": None,
    }
    assert json.loads(json_text(value), parse_constant=refuse) == expected
    print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed, parse_constant=refuse) == expected
    assert '"named": "é"' in printed


def test_what_json_lacks_goes_through_the_default() -> None:
    assert json_text({"cell": b"ab"}, default=len) == '{"cell": 2}'


def test_the_lines_of_a_score_file_are_json(tmp_path: Path) -> None:
    file = ScoreFile(tmp_path / "scores.jsonl", "0" * 12, ["bad", "good"])
    cells = {"mos": math.inf, "std": math.nan, "all": NONE, "raw": b"a", "n": 2}
    given = Given("1.mp4", Path("1.mp4"), columns=cells)
    file.finish([given], {"1.mp4": Row("1.mp4", 0.25, {"bad": 0.75, "good": 0.25})})
    (line,) = file.path.read_text().splitlines()
    told = json.loads(line, parse_constant=refuse)
    assert {name: told[name] for name in cells} == {"mos": None, "std": None, "all": [None] * 3, "raw": "a", "n": 2}
