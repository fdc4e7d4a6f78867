"""The demo's raw material: real contents, honest tables, the same bytes always."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from dataset_builder.demo import clips
from dataset_builder.demo.clips import FPS, clean_frames, make_view, quality
from dataset_builder.demo.contents import CONTENTS, Content, locate
from dataset_builder.distort import Degradation, distorted
from dataset_builder.video import rgb_frames
from schemas.errors import CallError
from schemas.recipe import BuildRecipe, convert


def make(out: Path, content: str, view: str = "a", seed: int = 0) -> dict[str, list[list[str]]]:
    for part in ("ugc", "streaming", "clean"):
        (out / part / "clips").mkdir(parents=True, exist_ok=True)
    return make_view({"content": content, "view": view, "seed": seed, "out": str(out)})


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_content_is_there_and_none_is_a_distorted_clip() -> None:
    assert len({content.name for content in CONTENTS}) == len(CONTENTS) >= 24
    for content in CONTENTS:
        assert locate(content).stat().st_size > 1000
        assert "distorted" not in content.file
    with pytest.raises(CallError, match=r"package no-such-wheel, which is not installed: pip install"):
        locate(Content("x", "no-such-wheel", "x.png", "photograph"))


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(tmp_path: Path) -> None:
    first, again = make(tmp_path / "a", "china"), make(tmp_path / "b", "china")
    assert first == again
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert make(tmp_path / "c", "china", seed=1) != first


def test_every_file_has_its_row_and_every_row_its_file(tmp_path: Path) -> None:
    rows = make(tmp_path, "bikes")
    for table, part in (("ugc", "ugc"), ("streaming", "streaming"), ("clean", "clean")):
        assert sorted(row[0] for row in rows[table]) == sorted(p.name for p in (tmp_path / part / "clips").iterdir())
    assert {row[2] for row in rows["ugc"]} == {"bikes"}
    assert len(rows["truth"]) == len(rows["ugc"])


def test_scores_fall_with_severity_and_clean_clips_are_best() -> None:
    content = next(c for c in CONTENTS if c.name == "china")
    clean = clean_frames(content, "a", clips.FRAMES, 0)
    assert quality(clean, clean) == 100
    for kind in clips.KINDS:
        scores = [
            np.mean(
                [
                    quality(clean, list(distorted(iter(clean), clips.SHAPE, Degradation(kind, s), seed=r, key="k")))
                    for r in range(3)
                ]
            )
            for s in (1, 3, 5)
        ]
        assert 100 >= scores[0] > scores[1] > scores[2], (kind, scores)


def test_stalls_are_where_the_table_says(tmp_path: Path) -> None:
    seen = 0
    for content in ("bikes", "china", "rocket", "moon"):
        for name, _, _, _, stalls in make(tmp_path / content, content)["streaming"]:
            frames = list(rgb_frames(tmp_path / content / "streaming" / "clips" / name))
            assert len(frames) % 4 == 0
            for start, duration in json.loads(stalls):
                first, last = round(start * FPS), round((start + duration) * FPS)
                held = frames[first - 1].astype(int)
                for frame in frames[first:last]:
                    assert np.abs(frame - held).mean() < 1.5
                assert last < len(frames)
                seen += 1
    assert seen >= 4


def test_the_same_number_of_contents_is_unseen_for_every_seed() -> None:
    for seed in range(5):
        splits = [clips.split_of(content.name, seed) for content in CONTENTS]
        assert splits.count("test") == round(0.3 * len(CONTENTS))
    assert len({tuple(clips.split_of(c.name, seed) for c in CONTENTS) for seed in range(5)}) == 5


def test_the_recipe_reads_strictly(tmp_path: Path) -> None:
    recipe = convert(clips._recipe(3), BuildRecipe, "build.yaml")
    assert recipe.seed == 3
    assert all(source.scale is None or source.scale.kind == "synthetic" for source in recipe.sources)


def test_tables_are_plain_csv(tmp_path: Path) -> None:
    clips._write_table(tmp_path / "t.csv", ["clip", "score"], [["a, b.mp4", 1]])
    with (tmp_path / "t.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"clip": "a, b.mp4", "score": "1"}]
