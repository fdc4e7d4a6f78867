"""A folder is looked at before it is built: every header, a sample of the frames, and what a build will take."""

import io
import json
import re
import shutil
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from scipy.stats import binomtest

from dataset_builder.build import build
from dataset_builder.preflight.cost import Range, scaled, uneven
from dataset_builder.preflight.headers import header_item
from dataset_builder.preflight.probe import ClipRow, Probe, probe
from dataset_builder.preflight.sample import drawn, exact_interval, failing
from dataset_builder.preflight.show import show
from dataset_builder.video import CLIP_SUFFIXES, MediaError, inspect
from schemas.errors import CallError
from schemas.recipe import BuildRecipe, load
from tests.conftest import Cli

RECIPE = """\
name: own
sources:
  - name: mine
    table: labels.csv
    clips: clips
    licence: private
    columns: {clip: clip, score: mos}
    scale: {lo: 1, hi: 5}
  - name: clean
    table: clean.csv
    clips: clips/clean
    licence: private
    columns: {clip: clip}
  - name: far
    table: clean.csv
    clips: elsewhere
    licence: private
    columns: {clip: clip}
stages: [stage1, stage2-ugc]
distort: {sources: [clean], kinds: [blur, noise, stutter_freeze], per_clip: 2}
"""


def remuxed(source: Path, target: Path, packets: int, **options: str) -> Path:
    """Write the first packets of a clip again, with its header first."""
    import av

    with av.open(str(source)) as whole, av.open(str(target), "w", options=options) as out:
        stream = out.add_stream_from_template(whole.streams.video[0])
        for index, packet in enumerate(whole.demux(whole.streams.video[0])):
            if packet.dts is not None and index < packets:
                packet.stream = stream
                out.mux(packet)
    return target


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path], photograph: Path) -> Path:
    """Forty good clips and a photograph, two that break off, and four whose headers say nothing."""
    base = tmp_path_factory.mktemp("probed")
    clips = base / "clips"
    (clips / "clean").mkdir(parents=True)
    (base / "elsewhere").mkdir()
    phone = real_clips["carphone_pristine"]
    for number in range(36):
        remuxed(phone, clips / f"phone {number:02}.mp4", 12 + number)
    for number in range(4):
        remuxed(phone, clips / "clean" / f"clean {number}.mp4", 30 + 5 * number)
    shutil.copy(photograph, clips / "cat.png")
    whole = remuxed(real_clips["bikes"], base / "whole.mp4", 250, movflags="faststart").read_bytes()
    for number in range(2):
        (clips / f"breaks off {number}.mp4").write_bytes(whole[: len(whole) // 2 + number])
    (clips / "no header.mp4").write_bytes(real_clips["bikes"].read_bytes()[:200_000])
    (clips / "empty.mp4").touch()
    (clips / "text.MP4").write_text("hello")
    shutil.copy(sound(base / "sound.wav"), clips / "sound only.avi")
    (clips / "notes.txt").write_text("x")
    (clips / "more.txt").write_text("x")
    (clips / "README").write_text("x")
    names = [f"phone {number:02}" for number in range(36)]
    (base / "labels.csv").write_text("clip,mos\n" + "".join(f"{n},{1 + i / 9}\n" for i, n in enumerate(names)))
    (base / "clean.csv").write_text("clip\n" + "".join(f"clean {number}\n" for number in range(4)))
    (base / "recipe.yaml").write_text(RECIPE)
    return base


def sound(path: Path) -> Path:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    return path


@pytest.fixture(scope="module")
def sampled(folder: Path) -> Probe:
    return probe(folder / "clips", sample=20, seed=3)


@pytest.fixture(scope="module")
def full(folder: Path) -> Probe:
    return probe(folder / "clips", sample=None)


def test_every_header_that_fails_is_named_with_its_reason(sampled: Probe) -> None:
    reasons = {failure.file: failure.reason for failure in sampled.header_failures}
    assert reasons.keys() == {"no header.mp4", "empty.mp4", "text.MP4", "sound only.avi"}
    assert reasons["empty.mp4"] == "the file is empty"
    assert "audio only" in reasons["sound only.avi"]
    assert all("no readable video" in reasons[name] for name in ("no header.mp4", "text.MP4"))
    assert sampled.clips == 47
    assert sampled.failing.clips == 43
    assert sampled.others == {"": 1, ".txt": 2}


def test_all_clips_decoded_are_counted_and_nothing_is_estimated(full: Probe) -> None:
    assert [f.file for f in full.decode_failures] == ["breaks off 0.mp4", "breaks off 1.mp4"]
    told = full.failing
    assert (told.complete, told.decoded, told.failed, told.low, told.high) == (True, 43, 2, 2, 2)
    assert told.share == told.share_low == told.share_high == 2 / 43
    assert full.failed


def test_contents(full: Probe, folder: Path) -> None:
    contents = full.contents
    assert contents.stills == 1
    assert contents.codecs == {"h264": 42, "png": 1}
    assert contents.sizes == {"176x144": 40, "640x272": 2, "451x300": 1}
    assert contents.untimed == 0
    assert contents.seconds is not None
    good = [inspect(folder / "clips" / row.file, "x") for row in full.rows if row.state == "decodes"]
    videos = [media for media in good if media.kind == "video"]
    assert len(videos) == 40
    # Those that break off promise the 250 frames that they do not have.
    assert contents.frames == sum(media.frames for media in good) + 2 * 250
    assert contents.seconds.least == pytest.approx(min(media.duration for media in videos), abs=0.05)


def test_headers_tell_what_decoding_finds(folder: Path, photograph: Path) -> None:
    for path in (folder / "clips" / "phone 07.mp4", photograph):
        head, media = header_item({"path": str(path)}), inspect(path, "x")
        assert (head["width"], head["height"], head["frames"]) == (media.width, media.height, media.frames)
        assert (head["codec"], head["bytes"], head["still"]) == (media.codec, media.bytes, media.kind == "image")
    with pytest.raises(MediaError, match="empty"):
        header_item({"path": str(folder / "clips" / "empty.mp4")})


def test_the_sample_is_drawn_by_seed_among_readable_headers(folder: Path, sampled: Probe) -> None:
    decoded = {row.file for row in sampled.rows if row.state in ("decodes", "decoding fails")}
    names = [row.file for row in sampled.rows if row.state != "header fails"]
    chosen = set(drawn(names, 20, 3))
    assert chosen == set(drawn(reversed(names), 20, 3)) != set(drawn(names, 20, 4))
    assert chosen <= decoded
    # Beside the sample one clip of each codec and size is decoded, for what it costs.
    assert len(decoded - chosen) <= 2
    assert sampled.failing.decoded == 20
    assert sampled.failing.failed == len({f.file for f in sampled.decode_failures} & chosen)
    assert len(set(drawn([*names, "one more.mp4"], 20, 3)) & chosen) >= 19


@pytest.mark.parametrize("tries", [1, 2, 20, 200, 1000])
def test_the_interval_is_the_exact_one(tries: int) -> None:
    for hits in {0, 1, tries // 7, tries // 2, tries - 1, tries}:
        wanted = binomtest(hits, tries).proportion_ci(0.95, "exact")
        assert exact_interval(hits, tries) == pytest.approx((wanted.low, wanted.high), rel=1e-9, abs=1e-12)


def test_failing_clips_are_never_fewer_than_seen_nor_more_than_left() -> None:
    told = failing(1000, 200, 3)
    wanted = binomtest(3, 200).proportion_ci(0.95, "exact")
    assert (told.share, told.expected, told.complete) == (0.015, 15, False)
    assert (told.low, told.high) == (3, -int(-wanted.high * 1000 // 1))  # rounded up
    nearly = failing(210, 200, 3)
    assert (nearly.low, nearly.high) == (3, 10)
    assert failing(5, 5, 5).low == failing(5, 5, 5).high == 5
    assert failing(0, 0, 0).share == 0


def test_one_large_clip_does_not_stand_for_small_ones() -> None:
    small, large = ("h264", "to 360p"), ("h264", "to 2160p")
    measured = [(small, 10.0, 20.0), (small, 12.0, 24.0), (large, 1000.0, 500.0)]
    wanted = {small: (100, 1000.0), large: (1, 1000.0)}
    found = scaled(measured, wanted)
    assert found.value == pytest.approx(2 * 1000 + 500)
    assert found.low == pytest.approx(found.high) == pytest.approx(found.value)
    uneven = scaled([(small, 10.0, 20.0), (small, 10.0, 40.0), (small, 10.0, 30.0)], {small: (100, 1000.0)})
    # Ratio 3, relative variance 1/9 from three of a hundred: 1.96 * 3000 * sqrt(1/9 / 3 * 0.97).
    assert uneven == Range(3000.0, pytest.approx(3000 - 1114.5, abs=0.5), pytest.approx(3000 + 1114.5, abs=0.5))
    absent = scaled(measured, {("vp9", "to 360p"): (4, 40.0)})
    assert absent.low < absent.value < absent.high
    assert scaled([], wanted).value == 0


def test_what_costs_unlike_is_told_within_wide_ends() -> None:
    few, many = uneven(10, 1.4, [1.0] * 40, [1.0] * 64), uneven(10, 1.4, [1.0] * 400, [1.0] * 6400)
    assert few.low < many.low < 10 < many.high < few.high
    assert few.high == pytest.approx(10 * 10 / few.low)
    # One part that is most of the work is as good as one part.
    one = uneven(10, 1.4, [1.0] * 400, [1.0] * 99 + [10_000.0])
    assert one.high > 3 * many.high
    assert uneven(10, 0.0, [1.0], [1.0]) == uneven(10, 1.0, [], [1.0]) == Range(10, 10, 10)


def without(recipe: str, source: str) -> str:
    """Take one source out of the text of a recipe."""
    return re.sub(rf"  - name: {source}\n(    .*\n)+", "", recipe)


@pytest.mark.full
def test_the_disk_that_a_build_takes_is_predicted(folder: Path, tmp_path: Path) -> None:
    """Against a build of the same recipe. Time and memory are no matter for a test: docs/probe.md has measured ones."""
    near = folder / "near.yaml"
    near.write_text(without(RECIPE, "far"))
    recipe = load(near, BuildRecipe)
    prediction = probe(folder / "clips", recipe=recipe, recipe_path=near, sample=10, workers=1).prediction
    assert prediction is not None
    assert prediction.clips == 36 + 4
    corpus = build(recipe, near, tmp_path / "corpus").folder
    files = [path for path in corpus.rglob("*") if path.is_file()]
    total, media = sum(p.stat().st_size for p in files), sum(p.stat().st_size for p in files if "media" in p.parts)
    disk = prediction.disk
    assert disk.total.value == pytest.approx(total, rel=0.2)
    assert disk.clips.value + disk.rendered.value == pytest.approx(media, rel=0.2)
    assert disk.text.value == pytest.approx(total - media, rel=0.2)
    assert 0 < disk.rendered.low < disk.rendered.value < disk.rendered.high
    assert disk.total.value < disk.peak.value
    assert 0 < prediction.seconds.rendering.value < prediction.seconds.total.value
    assert prediction.memory.value > prediction.memory_a_worker.value > 0
    assert not list(folder.glob("*corpus*"))


def test_a_build_of_labelled_clips_is_predicted(folder: Path) -> None:
    """Only what the recipe uses is counted, and what lies elsewhere is said."""
    path = folder / "mine.yaml"
    path.write_text(without(RECIPE, "clean").partition("distort:")[0])
    recipe = load(path, BuildRecipe)
    told = probe(folder / "clips", recipe=recipe, recipe_path=path, sample=10, workers=1)
    prediction = told.prediction
    assert prediction is not None
    assert prediction.clips == 36
    assert prediction.tried == 12
    assert prediction.remarks == ["the clips of source 'far' lie elsewhere: not counted"]
    size = sum(clip.stat().st_size for clip in (folder / "clips").glob("phone *.mp4"))
    assert prediction.disk.clips.value == pytest.approx(size * (1 - told.failing.share))
    assert prediction.disk.rendered == Range(0, 0, 0)
    # A sample of stage 2 and a record are some 2 kB; the report has a size of its own, of at most so many pictures.
    (pages,) = (path.stat().st_size for path in [build(recipe, path, folder / "built").folder / "report.html"])
    assert 36 * 1000 < prediction.disk.text.value - pages < 36 * 4000
    assert prediction.seconds.rendering.value == 0
    assert prediction.seconds.total.value > prediction.seconds.reading.value > 0


def test_without_a_recipe_reading_and_copying_are_predicted(sampled: Probe) -> None:
    prediction = sampled.prediction
    assert prediction is not None
    assert prediction.disk.clips.value == pytest.approx(sampled.contents.bytes * (1 - sampled.failing.share))
    assert prediction.disk.clips.low <= prediction.disk.clips.value <= prediction.disk.clips.high
    assert prediction.seconds.reading.value > 0


def test_calls_that_cannot_be_meant(folder: Path, tmp_path: Path) -> None:
    recipe = load(folder / "recipe.yaml", BuildRecipe)
    with pytest.raises(CallError, match="no source of"):
        probe(folder / "clips" / "clean" / "..", recipe=recipe, recipe_path=tmp_path / "recipe.yaml")
    with pytest.raises(CallError, match="no videos or images"):
        probe(folder / "elsewhere")
    with pytest.raises(CallError, match="no folder of clips"):
        probe(folder / "nowhere")


@pytest.mark.parametrize("width", [80, 160])
def test_how_it_looks(sampled: Probe, full: Probe, width: int) -> None:
    for found in (sampled, full):
        page = io.StringIO()
        show(found, Console(file=page, width=width, highlight=False))
        lines = page.getvalue().splitlines()
        long = [line for line in lines if len(line) > width]
        assert all(line.startswith(("  ", "Note: ")) for line in long)  # a file and its reason stay on one line
        for failure in (*found.header_failures, *found.decode_failures):
            assert f"  {failure.file}: {failure.reason}" in lines
    assert "counted" in page.getvalue()


def test_the_command(folder: Path, vqa2: Cli, tmp_path: Path) -> None:
    out = tmp_path / "report.jsonl"
    done = vqa2("probe", folder / "clips", "--full", "--json", "--out", out)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert [failure["file"] for failure in found["decode_failures"]] == ["breaks off 0.mp4", "breaks off 1.mp4"]
    assert len(found["header_failures"]) == 4
    assert found["failing"]["complete"]
    rows = [msgspec.json.decode(line, type=ClipRow) for line in out.read_bytes().splitlines()]
    assert [row.file for row in rows] == sorted(row.file for row in rows)
    assert {row.file for row in rows} == {
        p.relative_to(folder / "clips").as_posix()
        for p in (folder / "clips").rglob("*")
        if p.suffix.lower() in CLIP_SUFFIXES
    }
    assert vqa2("probe", folder / "clips" / "clean", "--workers", 1).returncode == 0
    missing = vqa2("probe", folder / "clip")
    assert missing.returncode == 2
    assert "did you mean 'clips'?" in missing.stderr


def test_a_clip_is_never_written_over_and_every_entry_has_a_line(
    tmp_path: Path, real_clips: dict[str, Path], vqa2: Cli
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    shutil.copyfile(real_clips["carphone_pristine"], folder / "a.mp4")
    (folder / "gone.mp4").symlink_to("nothing.mp4")
    refused = vqa2("probe", folder, "--out", folder / "a.mp4")
    assert (refused.returncode, "lies among the clips" in refused.stderr) == (2, True)
    assert (folder / "a.mp4").read_bytes() == real_clips["carphone_pristine"].read_bytes()
    vqa2("probe", folder, "--out", tmp_path / "lines.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert {line["file"]: line["state"] for line in lines} == {"a.mp4": "decodes", "gone.mp4": "header fails"}
    assert vqa2("probe", folder, "--timeout", "inf").returncode == 2
