"""Builds that are cut short, added to, shared, or written elsewhere: the corpus is the one of a build in one go."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from dataset_builder.check import check
from dataset_builder.clip_stages import ChangedError
from dataset_builder.corpus import read_records
from dataset_builder.distort import applied
from dataset_builder.versions import make_version, version_work
from dataset_builder.video import inspect
from schemas.record import Origin, Record
from tests.conftest import Cli

RECIPE = """\
name: resumed
sources:
  - name: mine
    table: labels.csv
    clips: clips
    licence: private
    columns: {clip: clip, score: mos}
    scale: {lo: 1, hi: 5}
stages: [stage1, stage2-ugc]
distort: {sources: [mine], per_clip: 2, kinds: [noise, blur, stutter_freeze, luma_flicker]}
"""


@pytest.fixture
def folder(tmp_path: Path, real_clips: dict[str, Path]) -> Path:
    """A folder with two clips, and a third that is not labelled yet."""
    made = tmp_path / "own"
    (made / "clips").mkdir(parents=True)
    shutil.copyfile(real_clips["carphone_pristine"], made / "clips" / "phone.mp4")
    shutil.copyfile(real_clips["bikes"], made / "clips" / "bikes.mp4")
    (made / "clips" / "cut.mp4").write_bytes(real_clips["bikes"].read_bytes()[:5000])
    (made / "recipe.yaml").write_text(RECIPE)
    (made / "labels.csv").write_text("clip,mos\nphone,3\nbikes,4\ncut,2\n")
    return made


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def done(work: Path, stage: str) -> dict[str, float]:
    """When each part of a stage was written, by shard."""
    return {path.name: path.stat().st_mtime_ns for path in work.rglob(f"{stage}/*.jsonl")}


@pytest.mark.full
def test_a_build_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes(folder: Path, vqa2: Cli) -> None:
    whole, cut = folder.parent / "whole", folder.parent / "cut"
    began = time.monotonic()
    assert vqa2("build", folder / "recipe.yaml", "--out", whole).returncode == 0
    took = time.monotonic() - began
    chosen = random.Random(11)
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-m", "vqa2", "build", str(folder / "recipe.yaml"), "--out", str(cut)],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            process.wait(chosen.uniform(0.2, 0.6) * took)
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
    assert vqa2("build", folder / "recipe.yaml", "--out", cut).returncode == 0
    assert tree(cut) == tree(whole)
    assert not list(folder.parent.glob(".*"))


def test_a_second_build_reads_no_clip_again_and_a_new_clip_alone(folder: Path, vqa2: Cli) -> None:
    out, work = folder.parent / "corpus", folder.parent / "corpus.work"
    first = vqa2("build", folder / "recipe.yaml", "--out", out)
    assert first.returncode == 0, first.stderr
    kept, before = {stage: done(work, stage) for stage in ("hash", "probe", "distort")}, tree(out)
    assert all(kept.values())
    assert vqa2("build", folder / "recipe.yaml", "--out", out).returncode == 0
    assert {stage: done(work, stage) for stage in kept} == kept
    assert tree(out) == before
    shutil.copyfile(folder / "clips" / "phone.mp4", folder / "clips" / "copy.mp4")
    with (folder / "labels.csv").open("a") as table:
        table.write("copy,1\n")
    assert vqa2("build", folder / "recipe.yaml", "--out", out).returncode == 0
    same = done(work, "probe").items() & kept["probe"].items()
    assert len(same) >= len(kept["probe"]) - 1
    assert not list(check(out))
    assert {record.id for record in read_records(out)} > {"mine/copy.mp4"}


def test_a_changed_file_is_read_again_whatever_its_name(folder: Path, vqa2: Cli) -> None:
    out = folder.parent / "corpus"
    vqa2("build", folder / "recipe.yaml", "--out", out)
    bytes_before = {record.id: record.media.sha256 for record in read_records(out)}
    swapped = (folder / "clips" / "bikes.mp4").read_bytes()
    shutil.copyfile(folder / "clips" / "phone.mp4", folder / "clips" / "bikes.mp4")
    (folder / "clips" / "phone.mp4").write_bytes(swapped)
    vqa2("build", folder / "recipe.yaml", "--out", out)
    after = {record.id: record.media.sha256 for record in read_records(out)}
    assert after["mine/phone.mp4"] == bytes_before["mine/bikes.mp4"]
    assert after["mine/bikes.mp4"] == bytes_before["mine/phone.mp4"]
    assert not list(check(out))


def test_parts_of_a_build_share_the_work_and_write_the_same(folder: Path, vqa2: Cli) -> None:
    out, whole = folder.parent / "corpus", folder.parent / "whole"
    work, rendered = folder.parent / "corpus.work", [0]
    for _ in range(3):
        answers = []
        for part in ("1/2", "2/2"):
            told = vqa2("build", folder / "recipe.yaml", "--out", out, "--part", part, "--json")
            answers.append(json.loads(told.stdout))
            rendered.append(len(done(work, "distort")))
    assert answers == [{"part": "1/2", "waits_for": []}, {"part": "2/2", "waits_for": []}]
    assert len(set(rendered)) > 2  # neither part rendered all
    assert not out.exists()
    kept = done(work, "distort")
    assert vqa2("build", folder / "recipe.yaml", "--out", out).returncode == 0
    assert done(work, "distort") == kept
    assert vqa2("build", folder / "recipe.yaml", "--out", whole).returncode == 0
    assert tree(out) == tree(whole)


def test_failures_are_kept_until_they_are_tried_again(folder: Path, vqa2: Cli) -> None:
    out = folder.parent / "corpus"
    short = vqa2("build", folder / "recipe.yaml", "--out", out, "timeout=0.001", "--json")
    assert json.loads(short.stdout)["transient"] >= 2
    still = vqa2("build", folder / "recipe.yaml", "--out", out, "--json")
    assert json.loads(still.stdout)["transient"] >= 2
    again = json.loads(vqa2("build", folder / "recipe.yaml", "--out", out, "--retry-failed", "--json").stdout)
    assert (again["transient"], again["quarantined"]) == (0, 1)


def test_a_corpus_may_lie_on_another_file_system_than_its_work(folder: Path, vqa2: Cli) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == folder.stat().st_dev:
        pytest.skip("this system has no other file system at hand")
    with tempfile.TemporaryDirectory(dir=memory) as elsewhere:
        there, here = Path(elsewhere) / "corpus", folder.parent / "here"
        made = vqa2("build", folder / "recipe.yaml", "--out", there, "--work", folder.parent / "work")
        assert made.returncode == 0, made.stderr
        assert vqa2("build", folder / "recipe.yaml", "--out", here).returncode == 0
        assert tree(there) == tree(here)
        assert not list(check(there))


def test_a_rendered_clip_that_stands_in_two_places_takes_room_once(folder: Path, vqa2: Cli) -> None:
    vqa2("build", folder / "recipe.yaml", "--out", folder.parent / "corpus")
    rendered = [path for path in (folder.parent / "corpus.work" / "media").rglob("*.mp4") if path.is_file()]
    assert rendered
    assert all(os.stat(path).st_nlink == 2 for path in rendered)  # noqa: PTH116


def test_a_place_that_cannot_be_written_is_one_line(folder: Path, vqa2: Cli) -> None:
    (folder.parent / "corpus.work").write_text("a file")
    refused = vqa2("build", folder / "recipe.yaml", "--out", folder.parent / "corpus")
    assert refused.returncode == 2
    assert "error: cannot write to" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_clip_that_changes_while_it_is_distorted_gives_no_version(tmp_path: Path, folder: Path) -> None:
    clip = folder / "clips" / "phone.mp4"
    record = Record(
        id="mine/phone.mp4", source="mine", licence="", group="g", split="train", media=inspect(clip, "phone.mp4")
    )
    origin = Origin(record_id=record.id, sha256=record.media.sha256, chain=[applied("noise", 3)], seed=0, encoder={})
    work = version_work("v", clip, record, origin, folder=tmp_path / "made", plugins=[])
    assert make_version({**work.content, **work.arguments})["media"]["frames"] == record.media.frames
    shutil.copyfile(folder / "clips" / "bikes.mp4", clip)
    with pytest.raises(ChangedError, match="the file changed while the clips were read") as refused:
        make_version({**work.content, **work.arguments})
    assert refused.value.transient


def test_a_rendered_clip_that_is_damaged_later_is_found_and_made_again(folder: Path, vqa2: Cli) -> None:
    out = folder.parent / "corpus"
    vqa2("build", folder / "recipe.yaml", "--out", out)
    before = tree(out)
    rendered = sorted((folder.parent / "corpus.work" / "media").rglob("*.mp4"))[0]
    content = bytearray(rendered.read_bytes())
    content[3000] ^= 255
    rendered.write_bytes(content)
    refused = vqa2("build", folder / "recipe.yaml", "--out", out)
    assert refused.returncode == 1
    assert "was damaged since it was rendered and is removed: build again" in refused.stderr
    assert vqa2("build", folder / "recipe.yaml", "--out", out).returncode == 0
    assert tree(out) == before


def test_places_that_cannot_be_are_refused_at_once(folder: Path, vqa2: Cli) -> None:
    recipe = folder / "recipe.yaml"
    for wrong, told in (
        (["--out", "."], "names no folder to be made"),
        (["--out", folder.parent / "c", "--work", folder.parent / "c"], "is the corpus, or lies in it"),
        (["--out", folder.parent / "c", "--part", ""], "write I/N"),
    ):
        refused = vqa2("build", recipe, *wrong)
        assert (refused.returncode, told in refused.stderr) == (2, True), refused.stderr


def test_what_lies_in_a_work_folder_is_no_input(folder: Path, vqa2: Cli) -> None:
    inside = folder / "clips" / "corpus"
    first = json.loads(vqa2("build", folder / "recipe.yaml", "--out", inside, "--json").stdout)
    other = folder.parent / "other"
    shutil.rmtree(inside)
    assert json.loads(vqa2("build", folder / "recipe.yaml", "--out", other, "--json").stdout) == {
        **first,
        "corpus": str(other),
    }
