"""The main job on a user's own folder: every input accounted for, the same bytes always, errors that help."""

import random
import shutil
from contextlib import suppress
from itertools import islice
from pathlib import Path

import orjson
import pytest

from dataset_builder.build import Built, build
from dataset_builder.corpus import read_samples
from dataset_builder.encode import encode_frames
from dataset_builder.engine import LocalEngine
from dataset_builder.frame import frames_of
from dataset_builder.gathering.state import Means
from schemas.errors import CallError, DataError
from schemas.recipe import BuildRecipe, load
from schemas.sample import Sample

CONFIGS = ["stage1", "stage2-ugc", "stage2-streaming", "stage3", "stage3-mix"]


def make(folder: Path, out: str = "corpus", *overrides: str, workers: int | None = None) -> Built:
    path = folder / "recipe.yaml"
    return build(load(path, BuildRecipe, overrides), path, folder.parent / out, Means(LocalEngine(workers)))


def files(corpus: Path) -> dict[str, bytes]:
    return {p.relative_to(corpus).as_posix(): p.read_bytes() for p in sorted(corpus.rglob("*")) if p.is_file()}


def samples(built: Built, config: str) -> list[Sample]:
    return [located.sample for located in read_samples(built.folder, config)]


def test_every_input_ends_as_samples_or_in_quarantine(own_folder: Path) -> None:
    built = make(own_folder)
    assert {c: sum(n.splits.values()) for c, n in built.manifest.configs.items()} == {
        "stage1": 2,
        "stage2-ugc": 2,
        "stage2-streaming": 2,
        "stage3": 7,
        "stage3-mix": 9,
    }
    reasons = {(row.file, row.row): (row.field, row.reason) for row in built.quarantine}
    assert len(reasons) == len(built.quarantine)
    for where, field, words in [
        (("labels.csv", 3), "clip", "rows 3, 9 contradict each other"),
        (("labels.csv", 4), "clip", "cut.mp4: no readable video"),
        (("labels.csv", 5), "clip", "text.mp4: no readable video"),
        (("labels.csv", 6), "clip", "empty.mp4: the file is empty"),
        (("labels.csv", 8), "clip", "no clip is called 'missing'"),
        (("labels.csv", 9), "clip", "rows 3, 9 contradict each other"),
        (("labels.csv", 10), "clip", "duplicate of row 7"),
        (("labels.csv", 11), "mos", "'NaN' is not a finite number"),
        (("labels.csv", 12), "clip", "component '..'"),
        (("labels.csv", 13), "clip", "is absolute"),
        (("labels.csv", 14), "mos", "outside the declared scale 1 to 5"),
        (("labels.csv", 15), "type", "did you mean 'noise'"),
        (("labels.csv", 16), None, "2 cells, the header 5"),
        (("labels.csv", 17), "clip", "audio only"),
        (("unlabelled.mp4", None), None, "no usable row"),
        (("bad score.mp4", None), None, "no usable row"),
        (("annotations.jsonl", 2), "clip", "its clip is in quarantine"),
        (("annotations.jsonl", 3), "attributes", "ends at 99 s, the clip at 10 s"),
        (("annotations.jsonl", 4), None, "<video>, which stands for media"),
        (("annotations.jsonl", 5), None, '"rater" is a required property'),
        (("annotations.jsonl", 6), None, "no pair of this annotation"),
    ]:
        assert reasons[where][0] == field, where
        assert words in reasons[where][1], where
    rows = len((own_folder / "labels.csv").read_text(encoding="utf-8").splitlines()) - 1
    used = {"-bikes on road.mp4": 1, "häse..1.mp4": 2, "cat.png": 7}
    shown = {m.record_id.removeprefix("mine/") for c in CONFIGS for s in samples(built, c) for m in s.media}
    assert shown == set(used)
    assert {row for file, row in reasons if file == "labels.csv"} | set(used.values()) == set(range(1, rows + 1))


def test_the_same_bytes_for_any_worker_count_order_and_place(own_folder: Path, tmp_path: Path) -> None:
    first = make(own_folder, workers=1)
    for workers in (2, 5):
        assert files(make(own_folder, f"w{workers}", workers=workers).folder) == files(first.folder)
    elsewhere = tmp_path / "else where"
    shutil.copytree(own_folder, elsewhere / "own")
    moved = make(elsewhere / "own")
    assert files(moved.folder) == files(first.folder)
    assert str(tmp_path) not in (first.folder / "manifest.json").read_text()


def test_the_order_of_label_rows_does_not_matter(own_folder: Path) -> None:
    first = make(own_folder)
    table = own_folder / "labels.csv"
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    random.Random(5).shuffle(rows)
    table.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    again = make(own_folder, "shuffled")
    data = {name for name in files(first.folder) if name.startswith(("data/", "media/"))}
    assert {n: b for n, b in files(again.folder).items() if n in data} == {n: files(first.folder)[n] for n in data}


def test_one_changed_score_changes_only_its_own_samples(own_folder: Path) -> None:
    before = {s.id: s for c in CONFIGS for s in samples(make(own_folder, "a", "sources.0.scale.range=nominal"), c)}
    table = own_folder / "labels.csv"
    table.write_text(
        table.read_text(encoding="utf-8").replace("cat,2.5", "cat,4.9").replace("cat.png,2.5", "cat.png,4.9")
    )
    after = {s.id: s for c in CONFIGS for s in samples(make(own_folder, "b", "sources.0.scale.range=nominal"), c)}
    assert before.keys() == after.keys()
    assert {i for i in before if before[i] != after[i]} == {"stage2-ugc/mine/cat.png/scoring"}


def test_the_scale_is_fitted_on_the_table_not_on_the_clips_at_hand(own_folder: Path) -> None:
    whole = make(own_folder).manifest.scales
    assert (whole[0].lo, whole[0].hi, whole[0].mode) == (1.2, 4.5, "minmax")
    (own_folder / "clips" / "häse..1.mp4").unlink()
    assert make(own_folder, "fewer").manifest.scales == whole


@pytest.mark.parametrize(
    ("overrides", "lo", "hi"),
    [
        (["sources.0.scale.range=nominal"], 1, 5),
        (["sources.0.scale={lo: 1, hi: 5, range: explicit, range_lo: 0, range_hi: 10}"], 0, 10),
    ],
)
def test_range_modes(own_folder: Path, overrides: list[str], lo: float, hi: float) -> None:
    built = make(own_folder, "corpus", *overrides)
    assert (built.manifest.scales[0].lo, built.manifest.scales[0].hi) == (lo, hi)
    target = samples(built, "stage2-ugc")[0].target
    assert target is not None
    assert target.mos == (target.raw - lo) / (hi - lo)


def test_media_can_stay_where_they_are(own_folder: Path) -> None:
    built = make(own_folder, "corpus", "media=reference")
    assert not (built.folder / "media").exists()
    for sample in samples(built, "stage2-ugc"):
        assert (own_folder / "clips" / sample.media[0].path).is_file()


def test_paraphrases_by_recipe(own_folder: Path) -> None:
    built = make(own_folder, "corpus", "prompts=varied")
    assert {s.provenance.wording.split("/")[0] for s in samples(built, "stage2-ugc")} == {"varied"}


def test_distorted_versions_join_their_contents_split(own_folder: Path) -> None:
    for path in (own_folder / "clips").glob("*.mp4"):
        with suppress(DataError):  # some are none
            start = list(islice(frames_of(path), 40))
            encode_frames(start, 25.0, path)
    built = make(own_folder, "corpus", "distort={sources: [mine], per_clip: 3}", "stages=[stage1, stage2-ugc]")
    made = [s for s in samples(built, "stage1") if "@" in s.id]
    assert len(made) == 9
    assert len({s.turns[1].text for s in made}) > 2
    for sample in made:
        assert (built.folder / sample.media[0].path).is_file()
        assert sample.provenance.group in {"a", "b", "f"}
    one = make(own_folder, "one", "distort={sources: [mine], per_clip: 3}", "stages=[stage1, stage2-ugc]", workers=1)
    assert files(one.folder) == files(built.folder)


def test_the_same_bytes_never_stand_in_two_splits(own_folder: Path) -> None:
    shutil.copy(own_folder / "clips" / "cat.png", own_folder / "clips" / "cat copy.png")
    table = own_folder / "labels.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("clip,mos,stalls,type,who", "clip,mos,stalls,type,part"))
    lines = ["clip,mos,stalls,type,part", "cat.png,2.5,,,train", "cat copy.png,3.5,,,test", "häse..1,4,,,test"]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    built = make(
        own_folder, "corpus", "sources.0.columns={clip: clip, score: mos, split: part}", "sources.0.annotations=null"
    )
    assert "the same bytes as 'mine/cat copy.png', which is in split test" in "".join(
        r.reason for r in built.quarantine
    )


def test_a_group_with_rows_in_two_splits_is_refused(own_folder: Path) -> None:
    lines = ["clip,mos,part,who", "cat.png,2.5,train,x", "häse..1,4,test,x"]
    (own_folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns = "sources.0.columns={clip: clip, score: mos, split: part, group: who}"
    with pytest.raises(DataError, match="group 'x' straddles splits: row 1 is in train, row 2 in test"):
        make(own_folder, "corpus", columns, "sources.0.annotations=null")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages=[stage2ugc]", "no stage is called 'stage2ugc'; did you mean 'stage2-ugc'"),
        ("stages=[]", "name at least one of stage1"),
        ("sources.0.source=tabel", "no source is called 'tabel'; did you mean 'table'"),
        ("sources.0.clips=clip", "no folder of clips"),
        ("sources.0.annotations=notes.jsonl", "no file of annotations 'notes.jsonl'"),
        ("sources.0.columns.score=MOS", "did you mean 'mos'"),
        ("sources.0.name=a/b", "a source is called by a plain word"),
        ("distort={sources: [yours]}", "no source is called 'yours'; there are: mine"),
        ("distort={sources: [mine], kinds: [blurr]}", "did you mean 'blur'"),
        ("distort={sources: [mine], severities: [6]}", "severity runs from 1 to 5"),
    ],
)
def test_wrong_recipes_name_the_nearest_valid_thing(own_folder: Path, override: str, message: str) -> None:
    with pytest.raises(CallError, match=message):
        make(own_folder, "corpus", override)
    assert not (own_folder.parent / "corpus").exists()


def test_a_folder_that_is_no_corpus_is_not_overwritten(own_folder: Path) -> None:
    precious = own_folder.parent / "corpus" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("mine")
    with pytest.raises(CallError, match="exists and is no corpus"):
        make(own_folder)
    assert precious.read_text() == "mine"


def test_a_failed_build_leaves_the_old_corpus(own_folder: Path) -> None:
    before = files(make(own_folder).folder)
    (own_folder / "labels.csv").write_text("")
    with pytest.raises(CallError, match="empty"):
        make(own_folder)
    assert files(own_folder.parent / "corpus") == before


def test_quarantine_is_written_as_shown(own_folder: Path) -> None:
    built = make(own_folder)
    rows = [orjson.loads(line) for line in (built.folder / "quarantine.jsonl").read_bytes().splitlines()]
    assert len(rows) == built.manifest.quarantined == len(built.quarantine)
    assert {"source", "file", "row", "field", "reason", "transient"} == set(rows[0])


def test_nothing_beside_the_corpus_is_touched(own_folder: Path) -> None:
    beside = {name: own_folder.parent / name for name in ("corpus.old", "corpus.partial")}
    for path in beside.values():
        path.mkdir()
        (path / "precious").write_text("mine")
    make(own_folder)
    make(own_folder)
    with pytest.raises(CallError):
        make(own_folder, "fails", "sources.0.table=nope.csv")
    assert all((path / "precious").read_text() == "mine" for path in beside.values())
    assert {p.name for p in own_folder.parent.iterdir()} == {"own", "corpus", "corpus.work", *beside}


def test_groups_shared_by_two_tables_never_straddle(own_folder: Path) -> None:
    (own_folder / "labels.csv").write_text("clip,mos,part,who\ncat,2.5,train,G\nphone,3,train,H\n")
    (own_folder / "more.csv").write_text("clip,mos,part,who\nhäse..1,2.5,test,G\nphone,3,test,K\n", encoding="utf-8")
    (own_folder / "recipe.yaml").write_text(
        "name: two\nstages: [stage2-ugc]\nsources:\n"
        + "".join(
            f"  - {{name: {name}, table: {table}, clips: clips, licence: l, scale: {{lo: 1, hi: 5}}, "
            "columns: {clip: clip, score: mos, split: part, group: who}}\n"
            for name, table in (("one", "labels.csv"), ("two", "more.csv"))
        )
    )
    with pytest.raises(DataError, match="content group 'G' straddles splits"):
        make(own_folder)


def test_a_bad_annotation_costs_nothing_but_itself(own_folder: Path) -> None:
    lines = [
        '{"id":"b1","clip":"cat","rater":"r","conversations":[{"question":"ok?","answer":"  "}]}',
        '{"id":"b2","clip":"cat","rater":"r","attributes":[{"name":"noise","degree":"extreme"}]}',
        '{"id":"b3","clip":"cat","rater":"r","attributes":[{"name":"noise","degree":"severe"},'
        '{"name":"noise","degree":"slight"}]}',
        '{"id":"b4","clip":"cat","rater":"r","overall":"A fine picture."}',
    ]
    (own_folder / "annotations.jsonl").write_text("\n".join(lines))
    built = make(own_folder)
    reasons = {row.row: row.reason for row in built.quarantine if row.file == "annotations.jsonl"}
    assert set(reasons) == {1, 2, 3}
    assert "blank" in reasons[1]
    assert "no degree is called 'extreme'" in reasons[2]
    assert "named twice" in reasons[3]
    assert {s.provenance.evidence[0] for s in samples(built, "stage3")} == {"annotation:b4"}
    assert any("cat.png" in s.id for s in samples(built, "stage2-ugc"))


def test_a_table_without_usable_scores_says_why(own_folder: Path) -> None:
    (own_folder / "labels.csv").write_text("clip;mos\ncat;2,5\nphone;3,5\n")
    columns = "sources.0.columns={clip: clip, score: mos}"
    with pytest.raises(DataError, match=r"labels.csv row 1 mos: '2,5' is not a number; .* declare decimal: ','"):
        make(own_folder, "corpus", columns, "sources.0.separator=;", "sources.0.annotations=null")


@pytest.mark.parametrize(
    ("stalls", "reason"),
    [
        ("[[0.5,0.5],[1.0,0.5]]", "write them as one"),
        ("[[0.51,0.001]]", "covers none of the frames"),
        ("[[3.0,9.0]]", "ends at 12 s, the clip at"),
    ],
)
def test_stalls_that_no_frame_shows_are_refused(own_folder: Path, stalls: str, reason: str) -> None:
    (own_folder / "labels.csv").write_text(f'clip,mos,stalls\ncat,2.5,\nphone,3,"{stalls}"\n')
    columns = "sources.0.columns={clip: clip, score: mos, stalls: stalls}"
    built = make(own_folder, "corpus", columns, "sources.0.annotations=null", "sources.0.scale.range=nominal")
    (row,) = [row for row in built.quarantine if row.row == 2]
    assert row.field == "stalls"
    assert reason in row.reason
