"""What is measured of a clip without a reference rises with what is wrong with it."""

import json
import shutil
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from dataset_builder.distort import applied, distort_item
from dataset_builder.signal.measuring import measure_clip
from dataset_builder.video import inspect
from tests.conftest import Cli


def mean(path: Path, name: str) -> float:
    return float(np.mean([row[name] for row in measure_clip(path)["seconds"]]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> dict[str, Path]:
    """A clean clip, and severe distortions of it."""
    clean = real_clips["carphone_pristine"]
    folder = tmp_path_factory.mktemp("made")
    found = {"clean": clean}
    for kind in ("noise", "blur", "block_effect", "overexposure", "underexposure", "stutter_freeze", "luma_flicker"):
        item = {
            "source": str(clean),
            "media": json.loads(_media(clean)),
            "chain": [{"kind": kind, "severity": 5, "parameters": dict(applied(kind, 5).parameters)}],
            "seed": 1,
            "out_folder": str(folder),
            "plugins": [],
        }
        found[kind] = folder / str(distort_item(item)["path"])
    return found


def _media(path: Path) -> bytes:
    return msgspec.json.encode(inspect(path, path.name))


@pytest.mark.parametrize(
    ("kind", "name", "sign"),
    [
        ("noise", "noise", 1),
        ("blur", "sharpness", -1),
        ("block_effect", "blockiness", 1),
        ("overexposure", "bright", 1),
        ("underexposure", "luma", -1),
        ("stutter_freeze", "still", 1),
        ("luma_flicker", "flicker", 1),
    ],
)
def test_a_measure_follows_its_distortion(made: dict[str, Path], kind: str, name: str, sign: int) -> None:
    clean, bad = mean(made["clean"], name), mean(made[kind], name)
    assert sign * (bad - clean) > 0.3 * abs(clean), (clean, bad)


def test_there_is_a_row_a_second_and_known_pixels_measure_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "grey.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "gray"
        for index in range(25):
            level = 250 if 10 <= index < 20 else 100
            frame = av.VideoFrame.from_ndarray(np.full((64, 64), level, np.uint8), format="gray")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    measured = measure_clip(path)
    first, second, third = measured["seconds"]
    assert (measured["frames"], measured["fps"]) == (25, 10)
    assert [row["at"] for row in measured["seconds"]] == [0, 1, 2]
    assert (first["luma"], second["luma"], third["luma"]) == (100, 250, 100)
    assert (first["change"], second["change"], third["change"]) == (0, 15, 30)
    assert (first["still"], second["still"], third["still"]) == (1, 0.9, 0.8)
    assert (first["bright"], second["bright"]) == (0, 1)
    assert {row["sharpness"] for row in measured["seconds"]} == {0}
    assert {row["blockiness"] for row in measured["seconds"]} == {1}


def test_a_folder_is_measured_whole_and_not_again(tmp_path: Path, real_clips: dict[str, Path], vqa2: Cli) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    shutil.copyfile(real_clips["carphone_pristine"], folder / "a.mp4")
    (folder / "cut.mp4").write_bytes(real_clips["bikes"].read_bytes()[:3000])
    done = vqa2("measure", folder, "--out", tmp_path / "m.jsonl", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"file": str(tmp_path / "m.jsonl"), "measured": 1, "failed": 1}
    good, bad = map(json.loads, (tmp_path / "m.jsonl").read_text().splitlines())
    assert (good["clip"], len(good["seconds"])) == ("a.mp4", 4)
    assert bad["clip"] == "cut.mp4"
    assert bad["error"]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "m.jsonl.work").rglob("*.jsonl")}
    vqa2("measure", folder, "--out", tmp_path / "m.jsonl")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "m.jsonl.work").rglob("*.jsonl")} == before


def test_a_clip_is_never_written_over(tmp_path: Path, real_clips: dict[str, Path], vqa2: Cli) -> None:
    shutil.copyfile(real_clips["bikes"], tmp_path / "a.mp4")
    for place in (tmp_path / "a.mp4", tmp_path):
        refused = vqa2("measure", tmp_path, "--out", place)
        assert refused.returncode == 2
        assert "is a folder or lies among the clips" in refused.stderr
    assert (tmp_path / "a.mp4").read_bytes() == real_clips["bikes"].read_bytes()
