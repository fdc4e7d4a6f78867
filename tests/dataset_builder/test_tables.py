"""Tables in the shapes that other tools leave behind: each is read right, or refused with what to declare."""

import itertools
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from dataset_builder.labels import CellError, LabelRow, Remark
from dataset_builder.sources import Labelled
from dataset_builder.sources.table import labels
from dataset_builder.tables import Form, files_of, read_table
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.recipe import SourceRecipe, convert


def rows_of(path: Path, form: Form = Form()) -> list[dict[str, Any]]:  # noqa: B008
    _, rows = read_table(path, path.name, form)
    return [dict(row) for row in rows if not isinstance(row, CellError)]


def read(folder: Path, **source: Any) -> list[Labelled]:
    whole = {"name": "s", "table": "t.csv", "clips": ".", "licence": "l", **source}
    return list(labels(convert(whole, SourceRecipe, "r"), folder))


def values(rows: list[Labelled]) -> dict[str, float]:
    return {row.clip: row.score.value for row in rows if isinstance(row, LabelRow) and row.score}


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (3,)])
def test_matlab_vectors_lie_or_stand(tmp_path: Path, shape: tuple[int, ...]) -> None:
    names = np.empty(shape, dtype=object)
    names.reshape(-1)[:] = ["a.mp4", "b.mp4", "ü.mp4"]
    content = {"scores": np.array([1.5, 2, 3]).reshape(shape), "video_names": names, "index": np.ones((9, 3))}
    scipy.io.savemat(tmp_path / "t.mat", content)
    columns = {"clip": "video_names", "score": "scores"}
    found = values(read(tmp_path, table="t.mat", columns=columns, scale={"lo": 1, "hi": 5}))
    assert found == {"a.mp4": 1.5, "b.mp4": 2, "ü.mp4": 3}


def test_matlab_structs_and_what_is_not_a_column(tmp_path: Path) -> None:
    struct = {"vid": np.array(["a", "b"], dtype=object), "mos": [1.0, 2.0], "kinds": np.array(["x", "y", "z"], object)}
    scipy.io.savemat(tmp_path / "t.mat", {"data": struct, "said": "text", "one": 7.0})
    assert rows_of(tmp_path / "t.mat") == [{"data.vid": "a", "data.mos": 1.0}, {"data.vid": "b", "data.mos": 2.0}]


def test_matlab_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\0" * 64)
    with pytest.raises(CallError, match=r"save\(\.\.\., '-v7'\)"):
        rows_of(tmp_path / "new.mat")
    (tmp_path / "bad.mat").write_bytes(b"no such thing" * 20)
    with pytest.raises(CallError, match=r"bad\.mat: the table cannot be read: no MATLAB file"):
        rows_of(tmp_path / "bad.mat")
    scipy.io.savemat(tmp_path / "none.mat", {"matrix": np.ones((4, 4))})
    with pytest.raises(CallError, match="no variable with one value a row"):
        rows_of(tmp_path / "none.mat")


def test_objects_by_name_are_rows(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"a.mp4": 3.5, "b.mp4": 2}')
    assert rows_of(tmp_path / "t.json") == [{"key": "a.mp4", "value": 3.5}, {"key": "b.mp4", "value": 2}]
    (tmp_path / "t.json").write_text('{"a.mp4": {"mos": 3.5}, "b.mp4": {"mos": 2}}')
    assert rows_of(tmp_path / "t.json") == [{"key": "a.mp4", "mos": 3.5}, {"key": "b.mp4", "mos": 2}]


def test_lists_without_a_header_and_ragged_rows(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a b, 1.mp4, -1, 3.5\n\nc.mp4, -1, 2\n")
    form = Form(separator=", ", header=["path", "duration", "fps", "mos"])
    header, rows = read_table(tmp_path / "t.txt", "t.txt", form)
    first, second = rows
    assert header == ["path", "duration", "fps", "mos"]
    assert first == {"path": "a b", "duration": "1.mp4", "fps": "-1", "mos": "3.5"}
    assert isinstance(second, CellError)
    ragged = rows_of(tmp_path / "t.txt", Form(separator=", ", header=["path", "duration", "mos"], ragged=True))
    assert ragged[1] == {"path": "c.mp4", "duration": "-1", "mos": "2"}


def test_blank_tails_are_no_rows_and_negative_scores_need_their_scale(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\ufeffContent;File;Original MOS;Realigned;;\nCity;a;71,2;-6,5;;\n;;;;;\n;;;;;\n")
    form = {"separator": ";", "decimal": ",", "columns": {"clip": "File", "score": "Realigned"}}
    (refused,) = read(tmp_path, **form, scale={"lo": 0, "hi": 100})
    assert isinstance(refused, Quarantined)
    assert "-6.5 lies outside the declared scale 0 to 100: mend the row or the scale" in refused.reason
    assert values(read(tmp_path, **form, scale={"lo": -10, "hi": 100})) == {"a": -6.5}


def test_two_scores_on_two_scales_are_told_apart_by_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image_name,MOS,MOS_zscore\na,3.9,71.5\nb,2.1,30\n")
    by_mos = read(tmp_path, columns={"clip": "image_name", "score": "MOS"}, scale={"lo": 1, "hi": 5})
    assert values(by_mos) == {"a": 3.9, "b": 2.1}
    mixed_up = read(tmp_path, columns={"clip": "image_name", "score": "MOS_zscore"}, scale={"lo": 1, "hi": 5})
    assert all(isinstance(row, Quarantined) and "outside the declared scale" in row.reason for row in mixed_up)


def test_only_a_declared_direction_turns_scores_round(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("clip,score\na,4\nb,1\n")
    columns = {"clip": "clip", "score": "score"}
    plain = read(tmp_path, columns=columns, scale={"lo": 1, "hi": 5})
    turned = read(tmp_path, columns=columns, scale={"lo": 1, "hi": 5, "direction": "lower_is_better"})
    assert values(plain) == values(turned)
    directions = {row.score.direction for row in (*plain, *turned) if isinstance(row, LabelRow) and row.score}
    assert directions == {"higher_is_better", "lower_is_better"}


def test_several_tables_of_one_pattern(tmp_path: Path) -> None:
    (tmp_path / "mos_a.csv").write_text("clip,mos\na,1\n")
    (tmp_path / "mos_b.csv").write_text("clip,mos\nb,2\n,3\n")
    rows = read(tmp_path, table="mos_*.csv", columns={"clip": "clip", "score": "mos"}, scale={"lo": 1, "hi": 5})
    assert [(row.table, row.row) for row in rows if isinstance(row, LabelRow)] == [("mos_a.csv", 1), ("mos_b.csv", 1)]
    assert [(row.file, row.row) for row in rows if isinstance(row, Quarantined)] == [("mos_b.csv", 2)]
    assert [name for name, _ in files_of(str(tmp_path / "mos_*.csv"), Path("/"), "s")] == ["mos_a.csv", "mos_b.csv"]
    with pytest.raises(CallError, match="there is no table 'moss_a.csv'; did you mean 'mos_a.csv'"):
        files_of("moss_a.csv", tmp_path, "s")


def test_rows_are_picked_by_declared_values(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("clip,device,mos\na,tv,1\nb,phone,2\nc,pc,3\n")
    columns, scale = {"clip": "clip", "score": "mos"}, {"lo": 1, "hi": 5}
    one = read(tmp_path, columns=columns, scale=scale, where={"device": "tv"})
    assert values(one) == {"a": 1}
    assert one[1:] == [Remark("left out by where: device is not tv", "t.csv")] * 2
    assert values(read(tmp_path, columns=columns, scale=scale, where={"device": ["tv", "pc"]})) == {"a": 1, "c": 3}
    with pytest.raises(CallError, match="no column 'devise'"):
        read(tmp_path, columns=columns, scale=scale, where={"devise": "tv"})


def test_an_encoding_that_breaks_half_way_is_named(tmp_path: Path) -> None:
    lines = ["clip,mos", *(f"clip {index},3" for index in range(50_000))]
    (tmp_path / "t.csv").write_bytes("\n".join(lines).encode() + "\nä,3\n".encode("latin-1"))
    with pytest.raises(CallError, match=r"t\.csv: not utf-8 a little after row 49\d\d\d: declare its encoding"):
        read(tmp_path, columns={"clip": "clip", "score": "mos"}, scale={"lo": 1, "hi": 5})


@pytest.mark.full
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_two_million_rows_are_streamed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"t.{kind}"
    with path.open("w") as file:
        file.write("clip,mos\n" if kind == "csv" else "")
        line = "clip {},{}\n" if kind == "csv" else '{{"clip": "clip {}", "mos": {}}}\n'
        for index in range(2_000_000):
            file.write(line.format(index, index % 5))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, rows = read_table(path, path.name)
    assert sum(1 for row in itertools.islice(rows, None) if isinstance(row, dict)) == 2_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_encodings_that_are_not_there_or_not_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("clip,mos\nä,3\n".encode("utf-16"))
    with pytest.raises(CallError, match=r"t\.csv: the text is UTF-16: declare encoding: utf-16"):
        rows_of(tmp_path / "t.csv")
    assert rows_of(tmp_path / "t.csv", Form(encoding="utf-16")) == [{"clip": "ä", "mos": "3"}]
    with pytest.raises(CallError, match="Python knows no encoding 'klingon'"):
        rows_of(tmp_path / "t.csv", Form(encoding="klingon"))


def test_a_dmos_needs_its_direction(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("clip,DMOS\na,4\nb,1e300\n")
    columns = {"clip": "clip", "score": "DMOS"}
    with pytest.raises(CallError, match="named as a DMOS, of which less or more may be better"):
        read(tmp_path, columns=columns, scale={"lo": 1, "hi": 5})
    with pytest.raises(CallError, match="kind: dmos needs its direction"):
        read(tmp_path, columns=columns, scale={"lo": 1, "hi": 5, "kind": "dmos"})
    row, huge = read(tmp_path, columns=columns, scale={"lo": 1, "hi": 5, "direction": "lower_is_better"})
    assert isinstance(row, LabelRow)
    assert row.score is not None
    assert row.score.direction == "lower_is_better"
    assert isinstance(huge, Quarantined)
    assert "too large" in huge.reason
