"""The curve's file: what a kill leaves of it is read, what is damaged is named."""

from pathlib import Path

import pytest

from schemas.errors import DataError
from training.trainer.curve import Curve, Point

POINTS = [Point(stage="one", step=step, loss=1 / step) for step in range(1, 5)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    curve = Curve(tmp_path / "curve.jsonl")
    for point in POINTS:
        curve.add(point)
    return tmp_path / "curve.jsonl"


def test_half_a_line_at_the_end_is_left_out(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])
    assert Curve(path).points == POINTS[:-1]


def test_a_damaged_line_is_named(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], lines[1][:-9], *lines[2:]]))
    with pytest.raises(DataError, match=r"curve.jsonl line 2: .*remove the line"):
        Curve(path)


def test_a_cut_is_written_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curve, before = Curve(path), path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="no space"):
            curve.cut({"one": 2})
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["curve.jsonl"]
    Curve(path).cut({"one": 2})
    assert Curve(path).points == POINTS[:2]
