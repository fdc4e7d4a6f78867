"""The audit of label tables: figures computed by hand, findings on hand-typed tables, and the command line."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dataset_builder.auditing.audit import Audit, audit
from dataset_builder.auditing.labels import UNDECLARED, Labels, Reading, grade, usual_scale
from dataset_builder.auditing.view import show
from schemas.errors import DataError
from schemas.levels import LEVELS, Direction, LevelScale, level_distribution
from tests.conftest import Cli

TEN = [10.0, 20, 30, 40, 50, 60, 70, 80, 85, 90]


def labels(scores: Sequence[float], clips: Sequence[str] | None = None, **more: Any) -> Labels:
    return Labels(
        clips=list(clips or [f"{at}.mp4" for at in range(len(scores))]),
        scores=np.array(scores, np.float64),
        rows=np.arange(1, len(scores) + 1),
        **more,
    )


def names(found: Audit) -> list[str]:
    return [finding.name for finding in found.findings]


def text_of(found: Audit, name: str) -> str:
    (text,) = (finding.text for finding in found.findings if finding.name == name)
    return text


def test_levels_ceilings_and_moves_by_hand() -> None:
    """Minmax cuts of 10 to 90 are at 26, 42, 58 and 74; nominal ones at 20, 40, 60, 80."""
    found = audit(labels(TEN), Reading(scale=(0.0, 100.0)))
    assert found.levels == {
        "minmax": {"low": 2, "poor": 2, "fair": 1, "good": 2, "high": 3},
        "nominal": {"low": 1, "poor": 2, "fair": 2, "good": 2, "high": 3},
    }
    # Ranks of levels: 1.5 1.5 3.5 3.5 5 6.5 6.5 9 9 9: squares off 5.5 sum to 79, those of 1 to 10 to 82.5.
    assert found.ceiling.srcc == pytest.approx((79 / 82.5) ** 0.5, abs=1e-12)
    # Nearest to a minmax cut: 40 and 42 are 2 / 80 = 0.025 apart, 60 and 58 as well; the others are further.
    assert found.near_cut == 0.2
    # On the nominal cuts themselves lie 20, 40, 60 and 80.
    assert found.nominal_near_cut == 0.4
    assert found.moves is not None
    assert found.moves.clips == 2
    assert found.moves.matrix["low"] == {"low": 1, "poor": 1, "fair": 0, "good": 0, "high": 0}
    assert found.moves.matrix["poor"] == {"low": 0, "poor": 1, "fair": 1, "good": 0, "high": 0}
    assert (found.range.lo, found.range.hi, found.mean, found.distinct, found.n) == (10, 90, 53.5, 10, 10)
    assert (sum(found.histogram.counts), found.histogram.lo, found.histogram.hi) == (10, 0, 100)
    assert found.findings == []


def test_plcc_ceiling_by_hand() -> None:
    """Scores 0, 1, 10 have levels 0, 0, 4: off their means by -4/3, -4/3, 8/3 and by -11/3, -8/3, 19/3."""
    found = audit(labels([0.0, 1, 10]))
    product, of_levels, of_scores = (44 + 32 + 152) / 9, (16 + 16 + 64) / 9, (121 + 64 + 361) / 9
    assert found.ceiling.plcc == pytest.approx(product / (of_levels * of_scores) ** 0.5, abs=1e-12)


def test_a_flipped_scale_flips_levels_and_keeps_ceilings() -> None:
    up = audit(labels(TEN), Reading(scale=(0.0, 100.0)))
    down = audit(labels([100 - score for score in TEN]), Reading(scale=(0.0, 100.0), direction="lower_is_better"))
    assert down.levels["minmax"] == up.levels["minmax"]
    assert down.ceiling.srcc == pytest.approx(up.ceiling.srcc)
    assert down.ceiling.plcc == pytest.approx(up.ceiling.plcc)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20),
    st.floats(-1e3, 1e3),
    st.floats(1e-3, 1e3),
    st.sampled_from(["higher_is_better", "lower_is_better"]),
)
def test_levels_of_many_are_levels_of_each(scores: list[float], lo: float, width: float, direction: Direction) -> None:
    scale = LevelScale(source="s", lo=lo, hi=lo + width, mode="explicit", direction=direction)
    graded = grade(np.array(scores), lo, lo + width, direction)
    assert graded.units.tolist() == [scale.unit(score) for score in scores]
    assert [LEVELS[at] for at in graded.levels] == [scale.level(score) for score in scores]


def test_hard_share_is_the_mean_of_the_levels_own_shares() -> None:
    """Minmax of 1 to 5 puts 2.4 at 0.35, poor; no std is known of 3, and that of 5 is 0."""
    found = audit(labels([1.0, 2.4, 3, 5], std=np.array([0.4, 0.8, np.nan, 0.0])))
    shares = level_distribution(0.0, 0.1)[0], level_distribution(0.35, 0.2)[1], 1.0
    assert found.hard_share == pytest.approx(sum(shares) / 3, abs=1e-12)
    assert audit(labels([1.0, 3, 5])).hard_share is None


@pytest.mark.parametrize(
    ("scores", "scale"),
    [
        ([0.0, 1], (0, 1)),
        ([1.2, 4.7], (1, 5)),
        ([0.5, 4.7], (0, 5)),
        ([1.0, 9.5], (1, 10)),
        ([0.0, 9.5], (0, 10)),
        ([8.4, 91], (0, 100)),
        ([-0.1, 3], None),
        ([3.0, 100.1], None),
    ],
)
def test_the_narrowest_usual_scale_is_taken(scores: list[float], scale: tuple[float, float] | None) -> None:
    assert usual_scale(np.array(scores)) == scale
    found = audit(labels(scores))
    assert names(found)[0] == ("scale_taken" if scale else "scale_unknown")
    assert (found.levels["nominal"] is None) == (scale is None)


def test_negative_scores_say_what_to_declare() -> None:
    found = audit(labels([-3.0, 4, 60]))
    assert "negative scores" in text_of(found, "scale_unknown")
    assert "--lo and --hi" in text_of(found, "scale_unknown")
    assert found.nominal_ceiling.srcc is None


def test_scores_outside_the_declared_scale_are_unusable_as_they_are_to_build() -> None:
    found = audit(labels([1.0, 3, 5.5, 4, 0]), Reading(scale=(1.0, 5.0)))
    assert (found.n, found.rows) == (3, 5)
    assert found.range.hi == 4
    assert text_of(found, "unusable") == (
        "2 rows cannot be used: the score lies outside the declared scale 1 to 5 (first: row 3)"
    )
    with pytest.raises(DataError, match="no row can be used: the score lies outside"):
        audit(labels([7.0]), Reading(scale=(1.0, 5.0)))
    with pytest.raises(DataError, match="holds no rows"):
        audit(labels([]))


def test_equal_scores_span_nothing() -> None:
    found = audit(labels([3.0] * 30))
    assert found.levels["minmax"] is None
    assert found.moves is None
    assert found.ceiling.srcc is None
    assert "constant" in names(found)


def test_an_impossible_sixth_level_is_named_by_row() -> None:
    found = audit(labels([0.0, 0.3, 0.5, 0.7, 1.0], levels=["1", "2", "3", "4", "6"]))
    assert text_of(found, "impossible_level") == (
        "'level' is 6 in 1 row, but there are five levels, 1 to 5: row 5 ('4.mp4')"
    )
    assert "level_disagrees" not in names(found)


@pytest.mark.parametrize(
    "cells", [["low", "fair", "High"], ["bad", "fair", "excellent"], ["1", "3", "5"], ["0", "2", "4"]]
)
def test_levels_in_words_or_numbers_agree_with_the_scores(cells: list[str]) -> None:
    assert not {"level_disagrees", "no_level", "impossible_level"} & set(names(audit(labels([1, 3, 5], levels=cells))))


def test_levels_that_disagree_are_held_to_the_nearest_range_mode() -> None:
    """Levels of the nominal scale but for row 2: under minmax rows 3 and 4 would disagree too."""
    found = audit(labels([1.9, 2.0, 3.0, 4.0], levels=["poor", "good", "fair", "good"]), Reading(scale=(1.0, 5.0)))
    (finding,) = (finding for finding in found.findings if finding.name == "level_disagrees")
    assert (finding.count, finding.rows) == (1, [2])
    assert "even under nominal" in finding.text


def test_a_level_column_of_something_else_is_let_be() -> None:
    assert names(audit(labels([1.0, 3, 5], levels=["indoor", "outdoor", None]))) == ["scale_taken"]
    assert "no_level" in names(audit(labels([1.0, 3, 5], levels=["low", "outdoor", None])))


def test_duplicates_by_name_file_name_and_stem() -> None:
    clips = ["a/1.mp4", "a/1.mp4", "b/1.mp4", "a/2.mp4", "a/2.mp4", "a/3.mp4", "a/3.avi", "v1.2", "v1.3"]
    found = audit(labels([1, 2, 3, 4, 4, 2, 2, 3, 3], clips))
    assert text_of(found, "duplicate_names") == "2 names stand in more than one row: 'a/1.mp4', 'a/2.mp4'"
    contradicting = next(finding for finding in found.findings if finding.name == "contradicting")
    assert (contradicting.count, contradicting.rows) == (1, [1, 2])
    assert "'1.mp4'" in text_of(found, "duplicate_basenames")
    assert "share 1 name" in text_of(found, "duplicate_basenames")
    assert "'a/3'" in text_of(found, "duplicate_stems")


def spread(low: float, high: float, n: int = 40) -> list[float]:
    """Distinct scores from `low` to `high` in an order that follows nothing."""
    return np.linspace(low, high, n)[np.random.default_rng(3).permutation(n)].tolist()


def test_scores_stretched_to_0_and_1_are_told() -> None:
    assert "prenormalised" in names(audit(labels(spread(0, 1))))
    assert "prenormalised" in names(audit(labels(spread(0, 100))))
    assert "prenormalised" not in names(audit(labels(spread(0.01, 1))))
    assert "prenormalised" not in names(audit(labels([0.0, 0.5, 1] * 20)))


@pytest.mark.parametrize(
    ("name", "scores", "direction", "words"),
    [
        ("DMOS", spread(20, 90), None, "above the middle"),
        ("mean_dmos", spread(10, 60), None, "below the middle"),
        ("DMOS", spread(20, 90), "lower_is_better", "is it lower_is_better?"),
    ],
)
def test_a_column_named_dmos_asks_for_its_direction(
    name: str, scores: list[float], direction: Direction | None, words: str
) -> None:
    reading = Reading(columns={"score": name}, direction=direction)
    assert words in text_of(audit(labels(scores), reading), "direction")


@pytest.mark.parametrize(
    ("name", "direction"),
    [("biasedMOS", None), ("MOS", None), ("dmos", "higher_is_better"), ("mos", "lower_is_better")],
)
def test_other_columns_do_not(name: str, direction: Direction | None) -> None:
    found = audit(labels(spread(20, 90)), Reading(columns={"score": name}, direction=direction))
    assert "direction" not in names(found)


@pytest.mark.parametrize(
    "form", ["c{0}_crf_{1}.mp4", "c{0}-qp{1}.mp4", "c{0}_level_{1}.png", "images/I{0:02}_03_{1:02}.png"]
)
def test_scores_that_rise_with_the_severity_in_the_names_are_told(form: str) -> None:
    clips = [form.format(at, 1 + at % 5) for at in range(40)]
    rising = [float(at % 5) + at / 100 for at in range(40)]
    falling = [5 - score for score in rising]
    assert "reversed" in names(audit(labels(rising, clips)))
    assert "reversed" not in names(audit(labels(falling, clips)))
    impairment = Reading(direction="lower_is_better")
    assert "reversed" not in names(audit(labels(rising, clips), impairment))
    assert "reversed" in names(audit(labels(falling, clips), impairment))


def test_two_score_columns_on_two_scales_or_against_each_other() -> None:
    scores = spread(1.2, 4.8)
    percent = np.array(scores) * 20
    found = audit(labels(scores, others={"gt_score": percent}), Reading(columns={"score": "mos"}))
    assert text_of(found, "two_scales") == "two score columns on two scales: 'mos' fits 1 to 5, 'gt_score' 0 to 100"
    assert "reversed" not in names(found)
    against = audit(labels(scores, others={"mos_2": 6 - np.array(scores)}), Reading(columns={"score": "mos"}))
    assert "run against each other (SRCC -1.00)" in text_of(against, "reversed")
    assert "two_scales" not in names(against)


def test_few_values_and_clipped_ends() -> None:
    assert "few_values" in names(audit(labels([1.0, 2, 3, 4, 5] * 20)))
    assert "few_values" not in names(audit(labels(spread(1, 5))))
    clipped = audit(labels([*spread(20, 99, 90), *[100.0] * 10]))
    assert "10 scores (10%) are exactly 100, the highest" in text_of(clipped, "clipped")
    assert "clipped" not in names(audit(labels([*spread(20, 99, 97), *[100.0] * 3])))


def test_sorted_tables_are_told() -> None:
    assert "its worst by number" in text_of(audit(labels(sorted(spread(1, 5)))), "sorted")
    assert "its best by number" in text_of(audit(labels(sorted(spread(1, 5), reverse=True))), "sorted")
    assert "sorted" not in names(audit(labels(spread(1, 5))))


def test_odd_names_stay_data_and_are_told() -> None:
    found = audit(labels([1, 2, 3, 4, 5], ["-a.mp4", "=1+1.mp4", "@x.mp4", "b\x1b[31m.mp4", "ü c.mp4"]))
    odd = next(finding for finding in found.findings if finding.name == "like_options")
    assert (odd.count, odd.rows) == (3, [1, 2, 3])
    control = next(finding for finding in found.findings if finding.name == "control_characters")
    assert control.rows == [4]
    assert "\x1b" not in control.text


@pytest.mark.parametrize("width", [80, 160])
def test_the_view_keeps_within_the_terminal(width: int) -> None:
    odd = labels(TEN, ["[red]a.mp4", "-b.mp4", *map(str, range(8))], std=np.full(10, 8.0), levels=["7"] * 10)
    reading = Reading(columns={"clip": "[bold]clip", "score": "mos"}, guessed=("clip",))
    console = Console(width=width, record=True, highlight=False)
    show(audit(odd, reading, "t.csv"), console)
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= width
    for words in (
        "clip '[bold]clip' (guessed)",
        "cuts of minmax",
        "cuts of nominal",
        "'level' is 7",
        "2 clips (20.0%)",
    ):
        assert words in " ".join(shown.split())
    ruler = next(line for line in shown.splitlines() if "cuts of nominal" in line).partition("cuts")[0]
    step = 24 if width == 160 else 12
    assert [at - 2 for at, mark in enumerate(ruler) if mark == "│"] == [step, 2 * step, 3 * step, 4 * step]


def test_the_view_of_a_table_without_ranges() -> None:
    console = Console(width=80, record=True)
    show(audit(labels([-2.0] * 3), UNDECLARED, "t.csv"), console)
    assert "all scores are -2" in console.export_text()


TABLE = """\
\ufeffVideo_Name;GT Score;SD;Level
-a.mp4;1,0;0,5;1
b.mp4;2,0;0,6;2
c.mp4;3,0;0,7;3
d.mp4;n/a;0,7;3
e.mp4;4,0;0,7;4
f.mp4;5,0;0,0;6
;4,0;0,7;4
g.mp4;x;0,7;3
"""


def test_audit_by_command(tmp_path: Path, vqa2: Cli) -> None:
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    done = vqa2("audit", "t.csv", "--separator", ";", "--decimal", ",", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["n"], found["rows"]) == (5, 8)
    assert found["columns"] == {"clip": "Video_Name", "score": "GT Score", "std": "SD", "level": "Level"}
    assert found["guessed"] == ["clip", "score", "std", "level"]
    assert found["levels"]["minmax"] == found["levels"]["nominal"] == dict.fromkeys(LEVELS, 1)
    assert found["ceiling"] == {"srcc": pytest.approx(1), "plcc": pytest.approx(1)}
    assert found["near_cut"] == 0.0
    assert found["range"] == {"lo": 1, "hi": 5}
    said = {finding["name"]: finding for finding in found["findings"]}
    assert said["like_options"]["rows"] == [1]
    assert said["impossible_level"]["rows"] == [6]
    unusable = [finding for finding in found["findings"] if finding["name"] == "unusable"]
    assert [(finding["count"], finding["rows"]) for finding in unusable] == [(2, [4]), (1, [7])]

    shown = vqa2("audit", "t.csv", "--separator", ";", "--decimal", ",", "--lo", 1, "--hi", 5, cwd=tmp_path)
    assert "scale 1 to 5 (declared)" in shown.stdout
    assert "5 of 8 rows" in shown.stdout


@pytest.mark.parametrize(
    ("text", "options", "code", "words"),
    [
        ("clip,MOS,DMOS\na,1,2\n", [], 2, "2 columns may hold the score: 'MOS', 'DMOS'; say which with --score"),
        ("clip,MOS,DMOS\na,1,2\n", ["--score", "DMSO"], 2, "no column 'DMSO' (for --score), did you mean 'DMOS'?"),
        ("clip,x\na,1\n", [], 2, "which column holds the score? Say it with --score. It has: clip, x"),
        ("x,mos\na,1\n", [], 2, "which column holds the clip? Say it with --clip"),
        ("a.mp4,3.5\nb.mp4,2.5\n", [], 2, "such as --header clip,mos"),
        ("a.mp4,-1,-1,3.5\nb.mp4,-1,-1,2.5\n", [], 2, "such as --header clip,mos"),
        ("clip;mos\na;1\n", [], 2, "declare separator: ';'"),
        ("clip,mos\na,x\n", [], 1, "no row can be used: mos: 'x' is not a number"),
        ("clip,mos\na,1\n", ["--lo", "1"], 2, "give both --lo and --hi"),
        ("clip,mos\na,1\n", ["--lo", "5", "--hi", "1"], 2, "--lo must lie below --hi"),
        ("clip,mos\na,1\n", ["--direction", "up"], 2, "higher_is_better or lower_is_better"),
        ("clip,mos\na,1\n", ["--decimal", ";"], 2, "--decimal is . or ,"),
        ("clip,mos\na,1\n", ["--source", "lsqv"], 2, "did you mean 'lsvq'?"),
        ("clip,mos\na,1\n", ["--source", "lsvq", "--clip", "clip"], 2, "a source knows its columns"),
        ("clip,mos\na,1\n", ["--variant", "mos"], 2, "go with --source"),
        ("clip,mos\na,1\n", ["--source", "lsvq", "--where", "mos"], 2, "--where is column=value"),
    ],
)
def test_what_cannot_be_read_says_what_to_declare(
    tmp_path: Path, vqa2: Cli, text: str, options: list[str], code: int, words: str
) -> None:
    (tmp_path / "t.csv").write_text(text)
    done = vqa2("audit", "t.csv", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_list_without_a_header(tmp_path: Path, vqa2: Cli) -> None:
    (tmp_path / "t.txt").write_text("a.mp4, -1, 3.5\nb.mp4, -1, 2.5\n")
    done = vqa2("audit", "t.txt", "--separator", ", ", "--header", "clip,_,mos", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["range"] == {"lo": 2.5, "hi": 3.5}


def test_a_table_read_by_its_source(tmp_path: Path, vqa2: Cli) -> None:
    (tmp_path / "KoNViD_1k_mos.csv").write_text(
        '"flickr_id","mos"\n"1234500001","3.42"\n"1234500002","2.18"\n"3","x"\n'
    )
    done = vqa2("audit", "KoNViD_1k_mos.csv", "--source", "konvid_1k", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["n"], found["rows"]) == (2, 3)
    assert found["columns"] == {"source": "konvid_1k"}
    assert found["scale"] == {"lo": 1, "hi": 5, "declared": True}
    assert "has 3 rows, the set publishes 1200" in found["findings"][0]["text"]


def test_single_ratings_are_audited_as_the_scores_that_they_make(tmp_path: Path, vqa2: Cli) -> None:
    """Two clips rated 4, 5 and 1, 2: their means are 4.5 and 1.5."""
    rows = "clip,who,rating\na.mp4,x,4\na.mp4,y,5\nb.mp4,x,1\nb.mp4,y,2\n"
    (tmp_path / "ratings.csv").write_text(rows)
    (tmp_path / "own.py").write_text(OWN_SOURCE)
    done = vqa2("audit", "ratings.csv", "--source", "own", "--plugins", ".", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["n"], found["range"]) == (2, {"lo": 1.5, "hi": 4.5})
    assert found["hard_share"] is not None


OWN_SOURCE = '''\
"""Single ratings."""

from dataset_builder.labels import LabelRow
from dataset_builder.sources import About, tables
from schemas.record import Score

ABOUT = About(title="own")


def labels(recipe, folder):
    for table in tables(recipe, folder):
        yield from table.each(
            lambda row: LabelRow(
                clip=row["clip"], subject=row["who"], score=Score(value=float(row["rating"]), lo=1.0, hi=5.0)
            )
        )
'''
