import os
import unicodedata
from pathlib import Path

import pytest

from dataset_builder.matching import ClipFolder, NoMatchError
from schemas.errors import CallError


def folder_of(root: Path, *names: str) -> ClipFolder:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return ClipFolder(root)


@pytest.mark.parametrize(
    ("label", "file"),
    [
        ("a.mp4", "a.mp4"),
        ("a", "a.mp4"),
        ("sub/b", "sub/b.mkv"),
        ("b", "sub/b.mkv"),
        ("./a.mp4", "a.mp4"),
        ("v1.2", "v1.2.mp4"),
        ("-c", "-c.mp4"),
        ("x..y", "x..y.mp4"),
        (unicodedata.normalize("NFD", "ü"), "ü.mp4"),
    ],
)
def test_labels_mean_files(tmp_path: Path, label: str, file: str) -> None:
    clips = folder_of(tmp_path, "a.mp4", "sub/b.mkv", "v1.2.mp4", "-c.mp4", "x..y.mp4", "ü.mp4")
    assert clips.match(label) == file


@pytest.mark.parametrize("label", ["z", "other/b.mkv", "A.mp4", "sub"])
def test_no_match(tmp_path: Path, label: str) -> None:
    with pytest.raises(NoMatchError, match="no clip is called"):
        folder_of(tmp_path, "a.mp4", "sub/b.mkv").match(label)


def test_what_could_mean_two_files_means_none(tmp_path: Path) -> None:
    clips = folder_of(tmp_path, "a.mp4", "a.mkv", "x/b.mp4", "y/b.mp4")
    with pytest.raises(NoMatchError, match=r"'a.mkv' or 'a.mp4'"):
        clips.match("a")
    with pytest.raises(NoMatchError, match=r"x/b.mp4' or 'y/b.mp4"):
        clips.match("b")
    assert clips.match("a.mp4") == "a.mp4"
    assert clips.match("x/b") == "x/b.mp4"


def test_entries_that_are_no_clips_are_named(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "nowhere.mp4").symlink_to(tmp_path / "gone.mp4")
    (tmp_path / "new\nline.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4")).touch()
    clips = folder_of(tmp_path, "good.mp4", "\U0001f600.mp4")
    assert clips.paths == ["good.mp4", "\U0001f600.mp4"]
    reasons = dict(clips.unusable)
    assert "linked folder" in reasons["linked"]
    assert "link to nothing" in reasons["nowhere.mp4"]
    assert "newline" in reasons["new\nline.mp4"]
    assert "no ordinary file" in reasons["pipe.mp4"]
    assert "not UTF-8" in reasons["\\udcff.mp4"]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="no folder of clips"):
        ClipFolder(tmp_path / "gone")
