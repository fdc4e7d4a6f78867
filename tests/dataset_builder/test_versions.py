"""Distorted versions: sampled in balance, told in records, and rendered again from them to the same bytes."""

import itertools
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import dataset_builder.distortions
from dataset_builder.build import build
from dataset_builder.check import check
from dataset_builder.corpus import read_records, read_samples
from dataset_builder.distort import SEVERITIES
from dataset_builder.engine import LocalEngine
from dataset_builder.gathering.state import Means as BuildMeans
from dataset_builder.regenerate import Means, regenerate
from dataset_builder.sampling import planned
from schemas.plugins import load_plugin, plugin_names
from schemas.recipe import BuildRecipe, Distort, convert
from schemas.record import SPLITS, Media, Record
from tests.conftest import Cli

MODULES = {name: load_plugin(dataset_builder.distortions, name) for name in plugin_names(dataset_builder.distortions)}


def record(name: str, *, kind: Any = "video", seconds: float = 8.0) -> Record:
    media = Media(
        path=name,
        sha256="0" * 64,
        bytes=1,
        kind=kind,
        width=640,
        height=360,
        fps=25.0 if kind == "video" else 1.0,
        frames=int(seconds * 25) if kind == "video" else 1,
        duration=seconds,
        codec="h264",
        pixel_format="yuv420p",
        rotation=0,
        variable_frame_rate=False,
    )
    split = SPLITS[int(name) % 5 // 4]
    return Record(id=f"s/{name}", source="s", licence="l", group=f"g{name}", split=split, media=media)


def plan(records: list[Record], **distort: Any) -> list[Any]:
    return planned(records, MODULES, Distort(sources=["s"], **distort), 0, [])


def test_kinds_and_severities_come_equally_often_in_each_split() -> None:
    records = [record(str(number)) for number in range(200)]
    made = plan(records, per_clip=3)
    assert len(made) == 600
    for split in ("train", "val"):
        cells = Counter((c[0].kind, c[0].severity) for r, c in made if r.split == split)
        every = [cells[kind, severity] for kind in MODULES for severity in SEVERITIES]
        assert max(every) - min(every) <= 1
    for _, versions in itertools.groupby(made, key=lambda pair: pair[0].id):
        kinds = [chain[0].kind for _, chain in versions]
        assert len(set(kinds)) == 3
    assert made == plan(records[::-1], per_clip=3)


def test_windows_boxes_and_second_distortions_come_by_their_shares() -> None:
    made = plan([record(str(n)) for n in range(300)], per_clip=2, local_time=0.5, local_space=0.5, second=0.5)
    chains = [chain for _, chain in made]
    in_time = [c[0] for c in chains if c[0].start is not None]
    assert 0.4 < len(in_time) / len(chains) < 0.6
    assert all(a.start == int(a.start) and a.end - a.start in (1, 2, 3) and a.end <= 8 for a in in_time)
    spatial = [c[0] for c in chains if MODULES[c[0].kind].STILLS]
    in_space = [a for a in spatial if a.box]
    assert 0.35 < len(in_space) / len(spatial) < 0.65
    assert all(a.box[2:] == (0.5, 0.5) and max(a.box[:2]) <= 0.5 for a in in_space)
    strong = [c for c in chains if c[0].severity >= 3 and c[0].start is None and c[0].box is None]
    assert all(len(c) == 1 for c in chains if c[0].start is not None or c[0].box)
    assert 0.35 < sum(len(c) == 2 for c in strong) / len(strong) < 0.65
    assert all(len(c) == 1 for c in chains if c[0].severity < 3)
    assert all(c[1].severity <= c[0].severity - 2 for c in chains if len(c) == 2)
    assert all(MODULES[c[0].kind].NAME != MODULES[c[1].kind].NAME for c in chains if len(c) == 2)


def test_stills_get_no_distortion_over_time() -> None:
    made = plan([record(str(n), kind="image", seconds=1.0) for n in range(40)], local_time=1.0)
    assert all(MODULES[chain[0].kind].STILLS and chain[0].start is None for _, chain in made)


RECIPE = {
    "name": "c",
    "stages": ["stage1"],
    "distort": {"sources": ["own"], "per_clip": 3, "local_time": 0.5, "local_space": 0.5, "second": 0.5},
    "sources": [{"name": "own", "table": "t.csv", "clips": "clips", "licence": "own", "columns": {"clip": "clip"}}],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path], photograph: Path) -> Path:
    """The same distortions twice: `full` with its clips, `lean` without."""
    folder = tmp_path_factory.mktemp("versions")
    (folder / "clips").mkdir()
    shutil.copyfile(real_clips["carphone_pristine"], folder / "clips" / "phone.mp4")
    shutil.copyfile(photograph, folder / "clips" / "cat.png")
    (folder / "t.csv").write_text("clip\nphone.mp4\ncat.png\n")
    for media, out in (("copy", "full"), ("recipes", "lean")):
        recipe = convert({**RECIPE, "media": media}, BuildRecipe, "r")
        assert not build(recipe, folder / "r.yaml", folder / out, BuildMeans(LocalEngine(2))).quarantine
    return folder


def files(corpus: Path) -> dict[str, bytes]:
    media = corpus / "media"
    return {path.relative_to(media).as_posix(): path.read_bytes() for path in media.rglob("*") if path.is_file()}


def test_a_corpus_of_recipes_holds_no_clip_and_gets_all_of_them_back(made: Path, tmp_path: Path) -> None:
    assert not list(check(made / "lean"))
    assert not (made / "lean" / "media").exists()
    assert len(files(made / "full")) == 6
    lean = tmp_path / "lean"
    shutil.copytree(made / "lean", lean)
    done = regenerate(lean, [made / "clips"], Means(workers=2))
    assert (done.rendered, done.copied, done.there, done.problems) == (6, 0, 0, [])
    assert files(lean) == files(made / "full")
    assert not list(check(lean))
    some = sorted(path for path in (lean / "media").rglob("*") if path.is_file())
    some[0].write_bytes(b"x")
    some[1].unlink()
    assert [p.file for p in check(lean)] == [some[0].relative_to(lean).as_posix()]
    again = regenerate(lean, [made / "clips"], Means(workers=1))
    assert (again.rendered, again.there, again.problems) == (2, 4, [])
    assert not list(check(lean))


def test_records_tell_what_was_done(made: Path) -> None:
    records = {record.id: record for record in read_records(made / "full")}
    versions = [record for record in records.values() if record.origin]
    assert len(versions) == 6
    for version in versions:
        assert version.origin is not None
        clean = records[version.origin.record_id]
        assert version.origin.sha256 == clean.media.sha256
        assert (version.group, version.split) == (clean.group, clean.split)
        assert [(d.severity, d.start, d.box) for d in version.distortions] == [
            (step.severity, step.start, step.box) for step in version.origin.chain
        ]
        assert [d.main for d in version.distortions] == [True, *[False] * (len(version.origin.chain) - 1)]
    asked = {s.sample.media[0].record_id: s.sample for s in read_samples(made / "full", "stage1")}
    assert {name: f"It is {records[name].distortions[0].name}." for name in asked} == {
        name: sample.turns[1].text for name, sample in asked.items()
    }


def test_check_regenerates_and_finds_what_is_not_the_same(made: Path, vqa2: Cli, tmp_path: Path) -> None:
    fine = vqa2("check", made / "lean", "--regenerate", "--clips", made / "clips")
    assert (fine.returncode, fine.stdout.splitlines()[-1]) == (0, f"{made / 'lean'}: no problems")
    assert "6 clips render to the same bytes" in fine.stderr
    missing = vqa2("check", made / "lean", "--regenerate", "--clips", tmp_path)
    assert missing.returncode == 1
    assert missing.stdout.count("is in none of the folders: give the folder that holds it with --clips") == 6
    other = tmp_path / "other"
    shutil.copytree(made / "lean", other)
    records = (other / "records.jsonl").read_text()
    (other / "records.jsonl").write_text(records.replace('"seed":0', '"seed":1'))
    (other / "records.jsonl").write_text(records.replace('"crf":"4"', '"crf":"30"'))
    assert "was written with encoder settings" in vqa2("regenerate", other, "--clips", made / "clips").stdout
    (other / "records.jsonl").write_text(records.replace('"seed":0', '"seed":1'))
    changed = vqa2("check", other, "--regenerate", "--clips", made / "clips", "--json")
    assert changed.returncode == 1
    assert "records.jsonl" in changed.stdout


def test_regenerate_says_what_it_did(made: Path, vqa2: Cli, tmp_path: Path) -> None:
    shutil.copytree(made / "lean", tmp_path / "lean")
    first = vqa2("regenerate", tmp_path / "lean", "--clips", made / "clips")
    assert (first.returncode, first.stdout) == (0, "6 clips rendered, 0 copied, 0 were there\n")
    second = vqa2("regenerate", tmp_path / "lean", "--clips", made / "clips", "--json")
    assert second.stdout == '{"rendered":0,"copied":0,"there":6,"problems":[]}\n'
