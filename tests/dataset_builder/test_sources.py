"""The contract of every source, and tables in all the shapes in which users have them."""

from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import orjson
import pyarrow
import pyarrow.parquet
import pytest
import scipy.io

import dataset_builder.sources
from dataset_builder.labels import LabelRow, Remark
from dataset_builder.sources import About, Example, Labelled
from dataset_builder.sources.table import labels
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.plugins import load_plugin, plugin_names
from schemas.recipe import Columns, Scale, SourceRecipe, convert
from schemas.record import Stall

COLUMNS = Columns(clip="clip", score="mos", std="sd", ratings="n", group="who", stalls="stalls")
ROWS: list[dict[str, Any]] = [
    {"clip": "a.mp4", "mos": 3.5, "sd": 0.5, "n": 20, "who": "x", "stalls": "[[1, 0.5]]"},
    {"clip": "-b ü", "mos": 1, "sd": None, "n": None, "who": None, "stalls": "[]"},
]


def read(folder: Path, table: str, columns: Columns = COLUMNS, **options: Any) -> list[Labelled]:
    scale = options.pop("scale", Scale(lo=1, hi=5))
    recipe = SourceRecipe(name="s", table=table, clips=".", licence="l", columns=columns, scale=scale, **options)
    return list(labels(recipe, folder))


def write_example(example: Example, folder: Path) -> None:
    for name, content in example.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif path.suffix == ".mat":
            scipy.io.savemat(path, dict(content))  # type: ignore[call-overload]
        elif path.suffix == ".parquet":
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(content)), path)
        else:
            book = openpyxl.Workbook()
            assert book.active is not None
            book.active.append(list(content[0]))  # type: ignore[index]
            for row in content:
                book.active.append(list(row.values()))  # type: ignore[attr-defined]
            book.save(path)


@pytest.mark.parametrize("name", plugin_names(dataset_builder.sources))
def test_every_source_keeps_the_contract(name: str, tmp_path: Path) -> None:
    source = load_plugin(dataset_builder.sources, name)
    assert source.__doc__
    about, example = source.ABOUT, source.EXAMPLE
    assert isinstance(about, About)
    assert about.title
    assert isinstance(example, Example)
    write_example(example, tmp_path)
    plain = {"name": name, "source": name, "table": example.table, "clips": ".", "licence": "l", **example.options}
    recipe = convert(plain, SourceRecipe, name)
    rows = list(source.labels(recipe, tmp_path))
    labelled = [row for row in rows if isinstance(row, LabelRow)]
    assert len(labelled) >= 2
    assert not [row for row in rows if isinstance(row, Quarantined)]
    assert all(row.table and row.row for row in labelled)
    scale = about.scale(recipe)
    for row in labelled:
        assert row.score is None or (scale is not None and scale.lo <= row.score.value <= scale.hi)
    if name != "table":
        assert about.homepage.startswith("http") or about.paper
        with pytest.raises(CallError, match="variant"):
            list(source.labels(msgspec.structs.replace(recipe, variant="no such score"), tmp_path))


def write(folder: Path, kind: str) -> str:
    path = folder / f"t.{kind}"
    header = list(ROWS[0])
    if kind in {"csv", "tsv"}:
        import csv

        with path.open("w", newline="", encoding="utf-8-sig") as file:
            out = csv.writer(file, delimiter="\t" if kind == "tsv" else ",")
            out.writerow(header)
            out.writerows([["" if v is None else v for v in row.values()] for row in ROWS])
    elif kind == "json":
        path.write_bytes(b"\xef\xbb\xbf" + orjson.dumps(ROWS))
    elif kind == "jsonl":
        path.write_bytes(b"\n".join(map(orjson.dumps, ROWS)))
    elif kind == "xlsx":
        book = openpyxl.Workbook()
        assert book.active is not None
        book.active.append(header)
        for row in ROWS:
            book.active.append(list(row.values()))
        book.save(path)
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    return path.name


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", "xlsx", "parquet"])
def test_every_format_says_the_same(tmp_path: Path, kind: str) -> None:
    first, second = read(tmp_path, write(tmp_path, kind))
    assert isinstance(first, LabelRow)
    assert isinstance(second, LabelRow)
    assert first.score is not None
    assert second.score is not None
    assert (first.row, first.clip, first.group) == (1, "a.mp4", "x")
    assert (first.score.value, first.score.std, first.score.ratings) == (3.5, 0.5, 20)
    assert first.stalls == [Stall(start=1.0, duration=0.5)]
    assert (second.clip, second.score.value, second.score.std, second.group, second.stalls) == (
        "-b ü",
        1.0,
        None,
        None,
        [],
    )


def test_json_lines_under_another_name_and_numbers_as_names(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"clip": 42, "mos": "3"}\n{"clip": "x", "mos": 2}\nnot json\n')
    first, second, third = read(tmp_path, "t.json", Columns(clip="clip", score="mos"))
    assert isinstance(first, LabelRow)
    assert first.clip == "42"
    assert isinstance(second, LabelRow)
    assert isinstance(third, Quarantined)
    assert (third.row, third.reason[:22]) == (3, "the line is not JSON: ")


def test_semicolons_and_decimal_commas_must_be_declared(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("clip;mos\na;3,5\n")
    columns = Columns(clip="clip", score="mos")
    with pytest.raises(CallError, match="declare separator: ';'"):
        read(tmp_path, "t.csv", columns)
    (row,) = read(tmp_path, "t.csv", columns, separator=";")
    assert isinstance(row, Quarantined)
    assert "declare decimal: ','" in row.reason
    (row,) = read(tmp_path, "t.csv", columns, separator=";", decimal=",")
    assert isinstance(row, LabelRow)
    assert row.score is not None
    assert row.score.value == 3.5


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("a,nan,,,,", "mos", "not a finite number"),
        ("a,inf,,,,", "mos", "not a finite number"),
        ("a,high,,,,", "mos", "not a number"),
        ("a,5.01,,,,", "mos", "outside the declared scale 1 to 5"),
        ("a,3,-1,,,", "mos", "standard deviation"),
        ("a,3,,2.5,,", "mos", "no number of ratings"),
        (",3,,,,", "clip", "names no clip"),
        ("../a,3,,,,", "clip", "component '..'"),
        ("/a,3,,,,", "clip", "absolute"),
        ('"a\nb",3,,,,', "clip", "newline"),
        ("a\0b,3,,,,", "clip", "NUL"),
        ('a,3,,,,"[[1]]"', "stalls", "no list"),
        ('a,3,,,,"[[1,2],[2,1]]"', "stalls", "before the one before it ends"),
        ('a,3,,,,"[[-1,2]]"', "stalls", "0 s or later"),
        ("a,3,,,", None, "5 cells, the header 6"),
        ("a,3,,,,,", None, "7 cells, the header 6"),
    ],
)
def test_bad_cells_are_quarantined_by_row_and_column(tmp_path: Path, line: str, field: str | None, reason: str) -> None:
    (tmp_path / "t.csv").write_text(f"clip,mos,sd,n,who,stalls\ngood,3,,,,\n{line}\ngood2,3,,,,\n")
    before, bad, after = read(tmp_path, "t.csv")
    assert isinstance(before, LabelRow)
    assert isinstance(after, LabelRow)
    assert isinstance(bad, Quarantined)
    assert (bad.file, bad.row, bad.field) == ("t.csv", 2, field)
    assert reason in bad.reason


def test_data_that_looks_like_code_or_options_stays_data(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("clip,mos\n=1+1,3\n--help,3\n1e5,3\nNA,3\nnull,3\n")
    rows = read(tmp_path, "t.csv", Columns(clip="clip", score="mos"))
    assert [row.clip for row in rows if isinstance(row, LabelRow)] == ["=1+1", "--help", "1e5", "NA", "null"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "it is empty"),
        ("t.csv", b"clip,mos,mos\n", "two columns are called 'mos'"),
        ("t.csv", b"Clip,MOS\n", "no column 'clip' \\(for clip\\), did you mean 'Clip'"),
        ("t.csv", "clip,mos\nä,3\n".encode("latin-1"), "declare its encoding"),
        ("t.json", b"{", "neither JSON nor JSON Lines"),
        ("t.json", b"[]", "holds no rows"),
        ("t.xlsx", b"PK", "cannot be read"),
        ("t.parquet", b"PAR1", "cannot be read"),
        ("t.doc", b"", "a table is .csv"),
    ],
)
def test_unreadable_tables_say_what_to_do(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CallError, match=message):
        read(tmp_path, name, Columns(clip="clip", score="mos"))


def test_a_missing_table_and_an_undeclared_scale(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("clip,mos\n")
    with pytest.raises(CallError, match="did you mean 'labels.csv'"):
        read(tmp_path, "label.csv")
    with pytest.raises(CallError, match="needs its rating scale"):
        read(tmp_path, "labels.csv", scale=None)


def test_what_other_tools_write_is_read_or_quarantined_by_row(tmp_path: Path) -> None:
    columns = Columns(clip="clip", score="mos")
    (tmp_path / "t.json").write_text('[{"clip": "a", "mos": NaN}, {"clip": "b", "mos": 3}, "hello", {"clip": 4}]')
    nan, good, text, bare = read(tmp_path, "t.json", columns)
    assert isinstance(nan, Quarantined)
    assert isinstance(good, LabelRow)
    assert isinstance(text, Quarantined)
    assert text.reason == "the row is no object: 'hello'"
    assert isinstance(bare, LabelRow)
    (tmp_path / "t.json").write_text('[\n{"clip": "a", "mos": ' + "9" * 400 + '},\n{"clip": "b", "mos": 3}\n]')
    huge, good = read(tmp_path, "t.json", columns)
    assert isinstance(huge, Quarantined)
    (tmp_path / "t.jsonl").write_text('{"clip": "a\u2028b", "mos": 3}\n{"clip": "c", "mos": 3}\n', encoding="utf-8")
    assert [row.clip for row in read(tmp_path, "t.jsonl", columns) if isinstance(row, LabelRow)] == ["a\u2028b", "c"]
    (tmp_path / "t.csv").write_text(f"clip,mos\n{'x' * 200_000},3\na,1_5\n")
    long, underscored = read(tmp_path, "t.csv", columns)
    assert isinstance(long, LabelRow)
    assert isinstance(underscored, Quarantined)


def ratings_table(folder: Path, extra: str = "") -> None:
    rows = [("a", "p", 5), ("a", "q", 4), ("a", "r", 3), ("b", "p", 3), ("b", "q", 2), ("b", "r", 1)]
    lines = "".join(f"{clip},{who},{score},g{clip}\n" for clip, who, score in rows)
    (folder / "t.csv").write_text("clip,who,mos,of\n" + lines + extra)


RATED = Columns(clip="clip", score="mos", subject="who", group="of")


@pytest.mark.parametrize(("model", "mos"), [("mos", [4, 2]), ("bt500", [4, 2]), ("p913", [4, 2]), ("p910", [4, 2])])
def test_single_ratings_become_one_row_a_clip(tmp_path: Path, model: str, mos: list[float]) -> None:
    ratings_table(tmp_path)
    rows = read(tmp_path, "t.csv", RATED, opinion=model)
    assert all(isinstance(row, LabelRow) and row.score for row in rows)
    found = [(row.clip, row.row, row.group, row.score) for row in rows if isinstance(row, LabelRow)]
    assert [(clip, at, group) for clip, at, group, _ in found] == [("a", 1, "ga"), ("b", 4, "gb")]
    scores = [score for *_, score in found if score]
    assert [score.value for score in scores] == pytest.approx(mos)
    assert [(score.ratings, score.opinion) for score in scores] == [(3, model)] * 2
    if model == "mos":  # t(2) at 97.5 % is 4.303
        assert [score.std for score in scores] == pytest.approx([1, 1])
        assert [score.ci95 for score in scores] == pytest.approx([4.302653 / 3**0.5] * 2, abs=1e-6)


def test_ratings_that_cannot_count_are_quarantined(tmp_path: Path) -> None:
    ratings_table(tmp_path, "a,s,,ga\na,,4,ga\na,s,9,ga\na,s,4,other\n,s,4,x\n")
    rows = read(tmp_path, "t.csv", RATED)
    bad = [(row.row, row.reason) for row in rows if isinstance(row, Quarantined)]
    assert sorted(at for at, _ in bad) == [7, 8, 9, 10, 11]
    reasons = dict(bad)
    assert "holds no rating" in reasons[7]
    assert "names no subject" in reasons[8]
    assert "outside the declared scale" in reasons[9]
    assert "row 1 says something else of this clip" in reasons[10]
    assert [row.score.value for row in rows if isinstance(row, LabelRow) and row.score] == [4, 2]


def test_a_subject_who_rates_twice_is_told(tmp_path: Path) -> None:
    ratings_table(tmp_path, "a,p,5,ga\n")
    rows = read(tmp_path, "t.csv", RATED)
    assert [row.text for row in rows if isinstance(row, Remark)] == ["a subject rated a clip again: each rating counts"]
    assert [row.score.ratings for row in rows if isinstance(row, LabelRow) and row.score] == [4, 3]
