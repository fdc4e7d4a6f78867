"""The demo's raw material: real contents, honest tables, the same bytes always."""

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from dataset_builder.demo import clips
from dataset_builder.demo.clips import FPS, make_clips, make_view
from dataset_builder.demo.contents import CONTENTS, Content, locate
from dataset_builder.demo.quality import quality
from dataset_builder.demo.views import FILM_STEP, SIZE, VIEWS, clean_frames, read_pictures
from dataset_builder.distort import applied, distorted
from dataset_builder.frame import frames_of_rgb
from dataset_builder.video import Pixels, rgb_frames
from schemas.errors import CallError
from schemas.recipe import BuildRecipe, convert, load
from schemas.record import Stall
from stages.stage2_streaming import stalled_frames


def make(out: Path, content: str, view: str = "a", seed: int = 0) -> dict[str, list[list[str]]]:
    for part in ("ugc", "streaming", "clean"):
        (out / part / "clips").mkdir(parents=True, exist_ok=True)
    return make_view({"content": content, "view": view, "seed": seed, "out": str(out)})


def shown_of(clean: list[Pixels], kind: str, severity: int, seed: int) -> list[Pixels]:
    made = distorted(frames_of_rgb(clean), clips.SHAPE, [applied(kind, severity)], seed=seed, key="k")
    return [frame.rgb() for frame in made]


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


def test_any_number_of_workers_gives_the_same_bytes_and_every_file_is_accounted_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "CONTENTS", [c for c in CONTENTS if c.name in {"kiwi", "carphone_pristine"}])
    make_clips(tmp_path / "one", 0, workers=1)
    make_clips(tmp_path / "two", 0, workers=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    load(tmp_path / "one" / "build.yaml", BuildRecipe)
    bad = {"ugc": {"nobody labelled this.mp4"}, "streaming": set(), "clean": set()}
    lost = {
        "ugc": {"lost.mp4", "nobody rated this.mp4", "rated on another scale.mp4"},
        "streaming": set(),
        "clean": set(),
    }
    for part, unlabelled in bad.items():
        with (tmp_path / "one" / part / "labels.csv").open(newline="") as file:
            named = {row["clip"] for row in csv.DictReader(file)}
        there = {path.name for path in (tmp_path / "one" / part / "clips").iterdir()}
        assert there - named == unlabelled
        assert named - there == lost[part]


@pytest.mark.parametrize("content", [c for c in CONTENTS if c.kind == "film"], ids=lambda c: c.name)
def test_a_film_is_cut_within_one_shot(content: Content) -> None:
    for view in VIEWS:
        pictures = read_pictures(content, view)
        assert len(pictures) * FILM_STEP >= clips.FRAMES * FILM_STEP
        steps = [float(np.abs(b.astype(int) - a).mean()) for a, b in itertools.pairwise(pictures)]
        assert max(steps) < 35, (view, max(steps))


def test_a_pan_stays_in_the_picture_and_moves() -> None:
    for content in CONTENTS:
        for view in VIEWS:
            frames = clean_frames(content, view, 32, 0)
            assert [frame.shape for frame in frames] == [(SIZE, SIZE, 3)] * 32
            assert not np.array_equal(frames[0], frames[8])


def test_even_a_slight_distortion_over_time_costs() -> None:
    content = next(c for c in CONTENTS if c.name == "china")
    clean = clean_frames(content, "a", clips.FRAMES, 0)
    for kind in ("luma_flicker", "stutter_freeze"):
        shown = shown_of(clean, kind, 1, seed=0)
        assert quality(clean, shown) < 95, kind
    moved = [*clean[1:], clean[-1]]
    assert quality(clean, moved) < 60  # right pictures at the wrong times


def test_jitter_costs_more_than_the_same_shift_at_rest() -> None:
    content = next(c for c in CONTENTS if c.name == "china")
    clean = clean_frames(content, "a", clips.FRAMES, 0)
    at_rest = [np.roll(frame, 1, axis=1) for frame in clean]
    jitter = [np.roll(frame, 1 if index % 2 else -1, axis=1) for index, frame in enumerate(clean)]
    assert quality(clean, jitter) < 0.9 * quality(clean, at_rest)


def test_scores_fall_with_severity_and_clean_clips_are_best() -> None:
    content = next(c for c in CONTENTS if c.name == "china")
    clean = clean_frames(content, "a", clips.FRAMES, 0)
    assert quality(clean, clean) == 100
    for kind in clips.KINDS:
        scores = [np.mean([quality(clean, shown_of(clean, kind, s, seed=r)) for r in range(3)]) for s in (1, 3, 5)]
        assert 100 >= scores[0] > scores[1] > scores[2], (kind, scores)


def test_stalls_are_where_the_table_says(tmp_path: Path) -> None:
    seen = []
    for content in ("bikes", "china", "rocket", "moon"):
        for name, _, _, _, stalls in make(tmp_path / content, content)["streaming"]:
            frames = [frame.astype(int) for frame in rgb_frames(tmp_path / content / "streaming" / "clips" / name)]
            assert len(frames) % 4 == 0
            flags = stalled_frames([Stall(start=s, duration=d) for s, d in json.loads(stalls)], len(frames), FPS)
            assert flags.count("0") == 2 * clips.FRAMES
            last = np.zeros_like(frames[0])
            for frame, waits in zip(frames, flags, strict=True):
                held, darkened = (np.abs(frame - last * share).mean() for share in (1, 0.5))
                # The ring of a spinner covers a small part of the darkened frame.
                assert waits == "0" or min(held, darkened) < 2.5, (name, held, darkened)
                last = frame if waits == "0" else last
            seen += json.loads(stalls)
    assert len(seen) >= 4
    assert any(start == 0 for start, _ in seen)


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
