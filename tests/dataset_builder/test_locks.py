"""Locks of a real corpus, and that every way of measuring something else is refused by name."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import orjson
import pytest

from dataset_builder.build import build
from dataset_builder.corpus import read_manifest
from dataset_builder.locks import (
    differences,
    make_lock,
    read_lock,
    read_report,
    require_comparable,
    require_same,
    write_lock,
    write_report,
)
from schemas.errors import CallError, DataError
from schemas.levels import level_of_unit
from schemas.lock import BenchmarkLock, LockedClip, MetricReport, Metrics
from schemas.recipe import BuildRecipe, load
from tests.conftest import Cli
from tests.schemas.test_lock import CLIPS, SCALE, changed, lock

CONFIG, SPLIT = "stage2-ugc", "test"
RECIPE = """\
name: own
sources:
  - name: mine
    table: labels.csv
    clips: clips
    licence: private
    columns: {clip: clip, score: mos}
    scale: {lo: 1, hi: 5}
stages: [stage2-ugc]
split: {train: 0, test: 1}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Path:
    """A benchmark of three real clips, to be read only."""
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "clips").mkdir()
    rows = ["clip,mos"]
    for name, score in (("bikes", 3.5), ("bigbuckbunny", 4.5), ("carphone_pristine", 1.2)):
        shutil.copy(real_clips[name], folder / "clips" / f"{name}.mp4")
        rows.append(f"{name}.mp4,{score}")
    (folder / "labels.csv").write_text("\n".join(rows))
    (folder / "recipe.yaml").write_text(RECIPE)
    return build(load(folder / "recipe.yaml", BuildRecipe), folder / "recipe.yaml", folder / "corpus").folder


@pytest.fixture
def corpus(built: Path, tmp_path: Path) -> Path:
    """A benchmark that a test may change."""
    return Path(shutil.copytree(built, tmp_path / "elsewhere" / "corpus"))


def made(corpus: Path, media_root: Path | None = None) -> BenchmarkLock:
    return make_lock(corpus, CONFIG, SPLIT, media_root=media_root)


def edit(corpus: Path, change: Callable[[list[dict]], list[dict]]) -> None:  # type: ignore[type-arg]
    (path,) = (corpus / "data" / CONFIG).glob(f"{SPLIT}-*.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in change(rows)), encoding="utf-8")


def refused(one: BenchmarkLock, other: BenchmarkLock) -> str:
    with pytest.raises(DataError, match="is not the benchmark") as caught:
        require_same(one, other, "the corpus")
    return str(caught.value)


def test_a_lock_says_what_the_corpus_holds(built: Path) -> None:
    found = made(built)
    assert found.name == f"own/{CONFIG}/{SPLIT}"
    assert [clip.id for clip in found.clips] == [
        f"mine/{name}.mp4" for name in ("bigbuckbunny", "bikes", "carphone_pristine")
    ]
    assert [clip.raw for clip in found.clips] == [4.5, 3.5, 1.2]
    listed = {entry.sha256 for path, entry in read_manifest(built).files.items() if path.startswith("media/")}
    assert {clip.sha256 for clip in found.clips} <= listed
    (scale,) = found.scales
    assert (scale.source, scale.lo, scale.hi, scale.mode) == ("mine", 1.2, 4.5, "minmax")
    assert found.encode.codecs == {"h264": 3}
    assert found.encode.probed == 3
    assert set(found.encode.sizes) == {"1280x720", "640x272", "176x144"}
    files = {path: entry.bytes for path, entry in read_manifest(built).files.items()}
    assert found.encode.bytes == sum(
        size for path, size in files.items() if any(clip.sha256 in path for clip in found.clips)
    )


def test_order_and_folder_change_nothing(corpus: Path, built: Path) -> None:
    edit(corpus, lambda rows: rows[::-1])
    assert made(corpus) == made(built)


def test_a_score_edited_in_the_corpus_is_named(corpus: Path, built: Path) -> None:
    def raise_the_lowest(rows: list[dict]) -> list[dict]:  # type: ignore[type-arg]
        unit = read_manifest(corpus).scales[0].unit(2.5)
        for row in rows:
            if row["target"]["raw"] == 1.2:
                worse = row["target"]["level"]
                row["target"] |= {"raw": 2.5, "mos": unit, "level": level_of_unit(unit)}
                row["turns"][-1]["text"] = row["turns"][-1]["text"].replace(worse, level_of_unit(unit))
        return rows

    edit(corpus, raise_the_lowest)
    said = refused(made(built), made(corpus))
    assert "other scores of 1: mine/carphone_pristine.mp4 (1.2 against 2.5)" in said
    assert "encode" not in said


@pytest.mark.parametrize(("key", "value"), [("raw", 2.5), ("mos", 0.01)])
def test_a_score_that_its_scale_does_not_give_is_refused(corpus: Path, key: str, value: float) -> None:
    edit(corpus, lambda rows: [{**row, "target": {**row["target"], key: value}} for row in rows])
    with pytest.raises(DataError, match=r"test-00000-of-00001.jsonl:1: .*(the corpus's scale makes|is not the level)"):
        made(corpus)


def test_other_bytes_of_a_clip_are_refused_where_they_lie(corpus: Path) -> None:
    clip = next(p for p in (corpus / "media").rglob("*.mp4") if p.stem == made(corpus).clips[2].sha256)
    clip.write_bytes(clip.read_bytes() + b"\0")
    with pytest.raises(
        DataError, match=r"jsonl:\d: sample .*carphone_pristine.mp4.* has other bytes .* another encode"
    ):
        made(corpus)


def test_a_corpus_of_another_encode_is_refused_by_clip_and_says_both(
    corpus: Path, built: Path, real_clips: dict[str, Path]
) -> None:
    other = real_clips["bikes"]
    sha256 = hashlib.sha256(other.read_bytes()).hexdigest()
    shutil.copy(other, corpus / "media" / "other.mp4")

    def exchange(rows: list[dict]) -> list[dict]:  # type: ignore[type-arg]
        for row in rows:
            if row["media"][0]["record_id"] == "mine/carphone_pristine.mp4":
                row["media"][0] |= {"path": "media/other.mp4", "sha256": sha256}
        return rows

    edit(corpus, exchange)
    said = refused(made(built), made(corpus))
    assert "another encode (other bytes) of 1: mine/carphone_pristine.mp4" in said
    assert "1 x 176x144" in said
    assert "1 x 640x272" in said
    assert "scores" not in said


def test_a_dropped_clip_is_named(corpus: Path, built: Path) -> None:
    edit(corpus, lambda rows: [row for row in rows if row["media"][0]["record_id"] != "mine/carphone_pristine.mp4"])
    said = refused(made(built), made(corpus))
    assert "n is 3 against 2" in said
    assert "only the first holds 1: mine/carphone_pristine.mp4" in said
    assert "only the second holds 1: mine/carphone_pristine.mp4" in refused(made(corpus), made(built))


def test_another_scale_is_named(corpus: Path, built: Path) -> None:
    manifest = json.loads((corpus / "manifest.json").read_text())
    manifest["scales"][0] |= {"lo": 1.0, "hi": 5.0, "mode": "nominal"}
    (corpus / "manifest.json").write_text(json.dumps(manifest))

    def rescale(rows: list[dict]) -> list[dict]:  # type: ignore[type-arg]
        for row in rows:
            was, mos = row["target"]["level"], (row["target"]["raw"] - 1) / 4
            row["target"] |= {"mos": mos, "lo": 1.0, "hi": 5.0, "level": level_of_unit(mos)}
            row["turns"][-1]["text"] = row["turns"][-1]["text"].replace(was, level_of_unit(mos))
        return rows

    edit(corpus, rescale)
    said = refused(made(built), made(corpus))
    assert "another scale of 'mine': 1.2 to 4.5 (minmax) against 1 to 5 (nominal)" in said
    assert "scores" not in said


def test_clips_that_are_not_at_hand_are_taken_by_their_samples_word(corpus: Path, built: Path) -> None:
    shutil.rmtree(corpus / "media")
    found = made(corpus)
    assert found.digest == made(built).digest
    assert (found.encode.probed, found.encode.codecs, found.encode.bytes) == (0, {}, 0)
    assert made(corpus, media_root=built).encode.probed == 3


def test_a_record_that_is_asked_twice_keeps_both(corpus: Path) -> None:
    edit(corpus, lambda rows: [*rows, {**rows[0], "id": "again"}])
    ids = [clip.id for clip in made(corpus).clips]
    assert len(ids) == 4
    assert "again" in ids


def test_a_sample_that_is_there_twice_is_refused(corpus: Path) -> None:
    edit(corpus, lambda rows: [*rows, rows[0]])
    with pytest.raises(DataError, match=r"holds 'stage2-ugc/.*' twice"):
        made(corpus)


def test_a_source_without_a_scale_is_named(corpus: Path) -> None:
    manifest = json.loads((corpus / "manifest.json").read_text())
    (corpus / "manifest.json").write_text(json.dumps({**manifest, "scales": []}))
    with pytest.raises(DataError, match="no scale of its source 'mine'"):
        made(corpus)


def test_at_most_five_clips_are_named() -> None:
    raised = [msgspec.structs.replace(clip, raw=clip.raw + 1) for clip in CLIPS]
    (said,) = differences(lock(), lock(raised))
    assert said.startswith("other scores of 9: konvid/0.mp4 (1.5 against 2.5), ")
    assert said.endswith(" and 4 more")
    assert said.count("against") == 5


def test_the_same_bytes_under_another_id_are_pointed_out() -> None:
    said = " ".join(differences(lock(), lock(changed(8, id="lsvq/8.mp4"))))
    assert "the same bytes under another id are 1: konvid/8.mp4 = lsvq/8.mp4" in said


def test_sources_and_directions_are_told_apart() -> None:
    turned = [msgspec.structs.replace(SCALE, direction="lower_is_better")]
    assert differences(lock(), lock(scales=turned)) == [
        "another scale of 'konvid': 1.22 to 4.64 (minmax) against 1.22 to 4.64 (minmax, lower is better)"
    ]
    more = [SCALE, msgspec.structs.replace(SCALE, source="lsvq")]
    assert differences(lock(), lock(scales=more)) == ["only the second has clips of the source 'lsvq'"]


@pytest.mark.parametrize("index", range(len(CLIPS)))
def test_nothing_that_changes_the_digest_goes_without_words(index: int) -> None:
    for other in (changed(index, raw=0.1), changed(index, sha256="0" * 63 + "x"), CLIPS[:index] + CLIPS[index + 1 :]):
        assert differences(lock(), lock(other))
    assert differences(lock(), lock(CLIPS[::-1], name="other")) == []


def report(of: BenchmarkLock, not_scored: tuple[str, ...] = (), srcc: float = 0.5, model: str = "m") -> MetricReport:
    metrics = Metrics(n=of.n - len(not_scored), srcc=srcc, plcc=0.25)
    errors = [f"{name}: unreadable" for name in not_scored]
    return MetricReport(
        benchmark=of.named(),
        config=of.config,
        split=of.split,
        model=model,
        n_expected=of.n,
        errors=errors,
        not_scored=list(not_scored),
        trained=metrics,
        lock=of,
    )


def test_reports_of_one_benchmark_compare_and_of_two_do_not() -> None:
    require_comparable({"a": report(lock()), "b": report(lock(CLIPS[::-1], name="other"))})
    with pytest.raises(DataError, match=r"a and c cannot .*other scores of 1: konvid/2.mp4 \(2.166666667 against 9\)"):
        require_comparable({"a": report(lock()), "b": report(lock()), "c": report(lock(changed(2, raw=9.0)))})


def test_reports_without_their_whole_lock_still_say_what_they_can() -> None:
    def short(of: BenchmarkLock) -> MetricReport:
        return msgspec.structs.replace(report(of), lock=None)

    require_comparable({"a": short(lock()), "b": report(lock())})
    for other, words in (
        (lock(CLIPS[1:]), "n is 9 against 8"),
        (lock(changed(1, sha256="f" * 64)), "another encode"),
        (lock(scales=[msgspec.structs.replace(SCALE, lo=1.0)]), "1.22 to 4.64"),
        (lock(changed(1, raw=3.0)), "other scores or ids"),
        (lock(changed(1, raw=3.0), name="z"), "'k' against 'z'"),
    ):
        with pytest.raises(DataError, match=words):
            require_comparable({"a": report(lock()), "b": short(other)})


def test_metrics_over_fewer_clips_do_not_compare_with_those_over_all() -> None:
    partial = report(lock(), ("konvid/1.mp4",))
    with pytest.raises(DataError, match="over different clips of k: the second did not score 1: konvid/1.mp4"):
        require_comparable({"a": report(lock()), "b": partial})
    with pytest.raises(
        DataError, match=r"the first did not score 1: konvid/1.mp4; the second did not score 1: kon.*/2"
    ):
        require_comparable({"a": partial, "b": report(lock(), ("konvid/2.mp4",))})
    require_comparable({"a": partial, "b": partial})


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    write_lock(tmp_path / "new" / "k.json", lock())
    assert read_lock(tmp_path / "new" / "k.json") == lock()
    write_report(tmp_path / "r.json", report(lock()))
    assert read_report(tmp_path / "r.json") == report(lock())


def test_wrong_files_are_named(tmp_path: Path) -> None:
    write_lock(tmp_path / "konvid.lock.json", lock())
    with pytest.raises(CallError, match=r"no such lock file; did you mean '.*konvid.lock.json'"):
        read_lock(tmp_path / "konvid-lock.json")
    with pytest.raises(DataError, match=r"konvid.lock.json: names no benchmark lock.*--out FILE"):
        read_report(tmp_path / "konvid.lock.json")
    (tmp_path / "cut.json").write_text('{"benchmark"')
    with pytest.raises(DataError, match="not JSON"):
        read_report(tmp_path / "cut.json")
    plain = msgspec.to_builtins(lock())
    plain["clips"][4] = msgspec.to_builtins(LockedClip(id=CLIPS[4].id, sha256="e" * 64, raw=1.0))
    (tmp_path / "edited.json").write_bytes(orjson.dumps(plain))
    with pytest.raises(DataError, match="edited.json: encode/sha256 is not that of the clips"):
        read_lock(tmp_path / "edited.json")


def test_locks_and_comparisons_by_command(built: Path, tmp_path: Path, vqa2: Cli) -> None:
    given = ("--config", CONFIG, "--split", SPLIT, "--name", "three films")
    done = vqa2("lock", "create", built, *given, "--out", "l.json", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = make_lock(built, CONFIG, SPLIT)
    assert json.loads(done.stdout)["lock"] == expected.digest
    assert json.loads(done.stdout)["encode"]["codecs"] == {"h264": 3}
    shown = vqa2("lock", "show", "l.json", cwd=tmp_path).stdout
    for words in ("three films: n 3", "mine: 1.2 to 4.5 (minmax)", "3 x h264", expected.digest):
        assert words in shown

    write_report(tmp_path / "a.json", report(expected, model="first"))
    write_report(tmp_path / "b.json", report(expected, srcc=-0.125, model="second"))
    write_report(tmp_path / "c.json", report(lock()))
    (tmp_path / "old.json").write_text('{"trained": {"n": 2, "srcc": 1.0, "plcc": 1.0}}')
    table = vqa2("compare", "a.json", "b.json", cwd=tmp_path).stdout
    for words in ("first", "second", "0.500", "-0.125", expected.digest[:12]):
        assert words in table
    rows = json.loads(vqa2("compare", "a.json", "b.json", "--json", cwd=tmp_path).stdout)
    assert rows["benchmark"]["lock"] == expected.digest
    assert [(row["report"], row["srcc"]) for row in rows["rows"]] == [("a.json", 0.5), ("b.json", -0.125)]

    for arguments, code, words in (
        (["compare", "a.json", "c.json"], 1, "only the first holds 3: mine/"),
        (["compare", "a.json", "old.json"], 1, "old.json: names no benchmark lock"),
        (["compare", "a.json"], 2, "two reports or more"),
        (["compare", "a.json", "a.jsn"], 2, "did you mean 'a.json'"),
        (["lock", "create", built, "--out", "x.json", "--split", "tets"], 2, "there are: train, val, test"),
        (["lock", "create", built, "--out", "x.json", "--split", "train"], 2, "holds no sample with a score"),
        (["lock", "create", built, "--out", built / "x.json"], 2, "inside the corpus"),
        (["lock", "show", "m.json"], 2, "no such lock file"),
    ):
        done = vqa2(*arguments, cwd=tmp_path)
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr
        assert not done.stdout
    assert not (tmp_path / "x.json").exists()


def test_a_partial_comparison_is_marked(tmp_path: Path, vqa2: Cli) -> None:
    for name in ("a", "b"):
        write_report(tmp_path / f"{name}.json", report(lock(), ("konvid/1.mp4", "konvid/5.mp4")))
    table = vqa2("compare", "a.json", "b.json", cwd=tmp_path).stdout
    assert "7 of 9" in table
    assert "PARTIAL: all of them leave out the same 2 of 9 clips" in table
