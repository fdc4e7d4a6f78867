"""Clips in tars: by their hash, so that one clip more changes one tar, and as WebDataset has them."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from dataset_builder.corpus import file_entry
from hub_sync import tars
from hub_sync.tars import needed, read_tars, unpack, write_tars
from schemas.errors import DataError
from schemas.manifest import FileEntry
from tests.hub_sync.corpora import tree


def clips_of(folder: Path, count: int) -> dict[str, FileEntry]:
    """Clips of 1,000 bytes at the paths of a corpus."""
    found = {}
    for number in range(count):
        data = (b"%d" % number).ljust(1000, b".")
        sha256 = hashlib.sha256(data).hexdigest()
        path = folder / f"media/{sha256[:2]}/{sha256}.{'mp4' if number % 3 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        found[path.relative_to(folder).as_posix()] = file_entry(path)
    return found


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "TAR_BYTES", 10_000)


def test_one_clip_more_changes_one_tar(tmp_path: Path) -> None:
    clips = clips_of(tmp_path / "corpus", 101)
    *rest, last = clips
    before = write_tars(tmp_path / "corpus", tmp_path / "a", {path: clips[path] for path in rest})
    after = write_tars(tmp_path / "corpus", tmp_path / "b", clips)
    assert len(before.files) > 8
    changed = [name for name in after.files if before.files.get(name) != after.files[name]]
    assert changed == [*needed(after, [clips[last]])]
    assert before.files.keys() == after.files.keys()
    again = write_tars(tmp_path / "corpus", tmp_path / "c", dict(sorted(clips.items(), reverse=True)))
    assert again == after
    assert tree(tmp_path / "c") == tree(tmp_path / "b")


def test_members_are_grouped_by_key(tmp_path: Path) -> None:
    """A reader of WebDataset takes what is before the first dot for the key, and wants each key's files together."""
    clips = clips_of(tmp_path / "corpus", 60)
    written = write_tars(tmp_path / "corpus", tmp_path / "a", clips)
    keys: list[str] = []
    for name in sorted(written.files):
        with tarfile.open(tmp_path / "a" / name) as tar:
            members = tar.getmembers()
            assert all(member.isfile() and (member.mtime, member.uid, member.uname) == (0, 0, "") for member in members)
            keys += [member.name.split(".")[0] for member in members]
    assert sorted(keys) == sorted(entry.sha256 for entry in clips.values())


def test_unpacked_they_are_what_they_were(tmp_path: Path) -> None:
    clips = clips_of(tmp_path / "corpus", 40)
    written = write_tars(tmp_path / "corpus", tmp_path / "a", clips)
    assert read_tars(tmp_path / "a") == written
    wanted = dict(list(clips.items())[:3])
    names = needed(written, wanted.values())
    assert 0 < len(names) <= 3 < len(written.files)
    unpack(tmp_path / "a", names, wanted)
    assert {p: d for p, d in tree(tmp_path / "a").items() if p in clips} == {
        path: (tmp_path / "corpus" / path).read_bytes() for path in wanted
    }
    unpack(tmp_path / "a", written.files.keys() - names, clips)
    assert not list((tmp_path / "a").rglob("*.tar"))
    (tmp_path / "a/media/clips-00000-of-00001.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(DataError, match=r"clips-00000-of-00001\.tar: no readable tar"):
        unpack(tmp_path / "a", ["media/clips-00000-of-00001.tar"], clips)


@pytest.mark.parametrize("name", ["../clips-00000-of-00001.tar", "/etc/passwd", "media/../../x.tar", "media/a.mp4"])
def test_lists_of_what_is_no_tar(tmp_path: Path, name: str) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / tars.TARS).write_text(f'{{"files": {{"{name}": {{"sha256": "00", "bytes": 1}}}}}}')
    with pytest.raises(DataError, match="is no name of a tar of clips"):
        read_tars(tmp_path)
