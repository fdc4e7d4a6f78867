"""A whole corpus checks; any damage to it is named."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dataset_builder.build import build
from dataset_builder.check import check
from dataset_builder.corpus import MANIFEST, file_entry
from schemas.errors import CallError, DataError
from schemas.recipe import BuildRecipe, load


def problems(corpus: Path) -> list[str]:
    return [str(problem) for problem in check(corpus)]


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before


def accept_changed_bytes(corpus: Path, name: str) -> None:
    """Bring the manifest's checksum in line, so that only what the file says can be wrong."""
    entry = file_entry(corpus / name)
    text = (corpus / MANIFEST).read_text(encoding="utf-8")
    pattern = rf'("{re.escape(name)}": {{\s*"sha256": ")[0-9a-f]+(",\s*"bytes": )\d+'
    changed, count = re.subn(pattern, rf"\g<1>{entry.sha256}\g<2>{entry.bytes}", text)
    assert count == 1
    (corpus / MANIFEST).write_text(changed, encoding="utf-8")


def one(corpus: Path, pattern: str) -> Path:
    return next(path for path in sorted(corpus.glob(pattern)))


def test_a_fresh_corpus_has_no_problems(corpus: Path) -> None:
    assert problems(corpus) == []


def test_a_deleted_clip_is_named(corpus: Path) -> None:
    clip = one(corpus, "media/*/*.mp4")
    clip.unlink()
    (problem,) = problems(corpus)
    assert problem.startswith(f"{clip.relative_to(corpus).as_posix()}: the file is missing")


def test_one_flipped_byte_is_named_in_any_file(corpus: Path) -> None:
    for path in [p for p in sorted(corpus.rglob("*")) if p.is_file() and p.name != MANIFEST]:
        before = path.read_bytes()
        middle = len(before) // 2
        path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
        assert any(p.startswith(path.relative_to(corpus).as_posix()) for p in problems(corpus)), path
        path.write_bytes(before)
    assert problems(corpus) == []


def test_an_edited_level_word_is_named_even_under_a_new_checksum(corpus: Path) -> None:
    path = one(corpus, "data/stage2-ugc/*.jsonl")
    name = path.relative_to(corpus).as_posix()
    edit(path, lambda data: re.sub(rb"is (good|poor)\.", b"is high.", data))
    assert any(p.startswith(name) and "bytes" in p for p in problems(corpus))
    accept_changed_bytes(corpus, name)
    problem = problems(corpus)[0]
    assert problem.startswith(f"{name}:1: stage2-ugc/mine/")
    assert "does not hold the level word" in problem


@pytest.mark.parametrize(
    ("pattern", "replacement", "words"),
    [
        (rb'"mos":[0-9.]+', b'"mos":0.61', "not what the stored scale makes of the raw score|is not the level of"),
        (rb'"recipe":"[0-9a-f]{8}', b'"recipe":"00000000', "was built by another recipe"),
        (rb"<motion>", b"", "the media need"),
        (rb'"motion_frames":\d+', b'"motion_frames":4', "motion frames are fed"),
        (rb'"sha256":"[0-9a-f]{8}', b'"sha256":"00000000', "not the file that the manifest lists|says other bytes"),
        (rb'"task":"scoring"', b'"task":7', "7 is not of type"),
        (rb'"path":"media/', b'"path":"../media/', "component '..'"),
    ],
)
def test_edited_fields_are_named(corpus: Path, pattern: bytes, replacement: bytes, words: str) -> None:
    path = one(corpus, "data/stage2-ugc/*.jsonl")
    for candidate in sorted(corpus.glob("data/stage2-ugc/*.jsonl")):
        if re.search(pattern, candidate.read_bytes()):
            path = candidate
    edit(path, lambda data: re.sub(pattern, replacement, data, count=1))
    accept_changed_bytes(corpus, path.relative_to(corpus).as_posix())
    assert any(re.search(words, problem) for problem in problems(corpus)), problems(corpus)


def test_added_removed_and_repeated_lines_are_named(corpus: Path) -> None:
    path = one(corpus, "data/stage3/*.jsonl")
    name = path.relative_to(corpus).as_posix()
    first = path.read_bytes().splitlines(keepends=True)[0]
    edit(path, lambda data: data + first + b"\n")
    accept_changed_bytes(corpus, name)
    found = "\n".join(problems(corpus))
    assert "is there twice" in found
    assert "the line is empty" in found
    assert "the manifest says" in found


def test_files_that_nobody_listed_are_named(corpus: Path) -> None:
    (corpus / "media" / "extra.mp4").touch()
    (corpus / ".git").mkdir()
    (corpus / ".git" / "HEAD").touch()
    assert problems(corpus) == ["media/extra.mp4: the manifest does not list this file: remove it, or build again"]


def test_a_group_in_two_splits_is_named(corpus: Path) -> None:
    train, test = one(corpus, "data/stage2-ugc/train-*"), one(corpus, "data/stage2-ugc/test-*")
    edit(test, lambda data: train.read_bytes())
    accept_changed_bytes(corpus, test.relative_to(corpus).as_posix())
    assert any("the splits leak" in problem for problem in problems(corpus))


def test_referenced_media_are_checked_below_their_root(own_folder: Path) -> None:
    path = own_folder / "recipe.yaml"
    corpus = build(load(path, BuildRecipe, ["media=reference"]), path, own_folder.parent / "corpus").folder
    assert list(check(corpus)) == []
    assert list(check(corpus, own_folder / "clips")) == []
    (own_folder / "clips" / "cat.png").write_bytes(b"changed")
    (own_folder / "clips" / "häse..1.mp4").unlink()
    found = [str(problem) for problem in check(corpus, own_folder / "clips")]
    assert len(found) == 2
    assert "another file" in found[0]
    assert "is missing" in found[1]


def test_what_is_no_corpus(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="is no corpus"):
        problems(tmp_path)
    (corpus / MANIFEST).write_text("{")
    with pytest.raises(DataError, match=r"manifest.json: not JSON"):
        problems(corpus)


@pytest.mark.parametrize(
    ("pattern", "replacement", "words"),
    [
        (r'"seed": 0', '"seed": 5', "is not the one of recipe_sha256"),
        (r'"schema_version": "[^"]+"', '"schema_version": "9"', "schema_version"),
        (r'"records": \d+', '"records": 99', "the manifest says 99"),
        (r'"transient": 0', '"transient": 9', "9 of them transient"),
        (r'"media": "copy",\n  "records"', '"media": "zz",\n  "records"', "media"),
        (r'"scoring": \d+', '"scoring": 77', "the manifest says"),
        (r'"poor": \d+', '"poor": 77', "the manifest says"),
        (r'"hi": 4.5', '"hi": 4.6', "not what the stored scale makes"),
    ],
)
def test_an_edited_manifest_is_found_out(corpus: Path, pattern: str, replacement: str, words: str) -> None:
    path = corpus / MANIFEST
    edit(path, lambda data: re.sub(pattern, replacement, data.decode(), count=1).encode())
    assert any(words in problem for problem in problems(corpus)), problems(corpus)
