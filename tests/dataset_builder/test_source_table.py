"""What `vqa2 list sources --about` says, and the page that is written by it."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from dataset_builder.source_table import described, markdown

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"


def test_the_page_is_what_the_sources_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "run: vqa2 list sources --about > docs/sources.md"


def test_sources_are_described_for_people_and_machines(vqa2: Callable[..., CompletedProcess[str]]) -> None:
    told = json.loads(vqa2("list", "sources", "--about", "--json").stdout)
    assert told == described()
    cvd = told["cvd2014"]
    assert (cvd["licence"], cvd["counts"], cvd["scales"]["realigned"]["lo"]) == ("CC-BY-4.0", {"*": 234}, -6.5)
    assert "decimal commas" in cvd["mind"]
    assert vqa2("list", "sources", "--about").stdout == markdown()
    refused = vqa2("list", "stages", "--about")
    assert refused.returncode == 2
    assert "vqa2 list sources --about" in refused.stderr


def test_scales_and_counts_are_written_out(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        '"""Mine.\n\nMind | this.\n"""\nfrom dataset_builder.sources import About\nfrom schemas.recipe import Scale\n'
        'D = Scale(lo=0, hi=1, direction="lower_is_better", kind="dmos")\n'
        'ABOUT = About(title="a|b", scales={"x": D, "y": D, "z": Scale(lo=1, hi=5)}, counts={"a*": 1200, "*": 3})\n'
    )
    page = markdown([tmp_path])
    row = r"| [mine](#mine) | a\|b | `a*` 1,200, `*` 3 | `x`, `y` 0 to 1, low is good (dmos); `z` 1 to 5 |  |"
    assert row in page.splitlines()
    assert "## mine\n\nMine.\n\nMind | this.\n" in page
