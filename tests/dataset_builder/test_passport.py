"""Leak passports: copies are found whatever was done to them, other clips are not, and nothing is left unsaid."""

import dataclasses
import json
import re
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.passport import PROMISED, attack_item, cut_item, write_copy
from dataset_builder.build import build
from dataset_builder.check import check
from dataset_builder.leakage.fingerprint import GRID, RATE, Fingerprint, coefficients, fingerprint, quantised
from dataset_builder.leakage.passport import (
    corpus_clips,
    create_passport,
    from_samples,
    leaks,
    read_passport,
    write_passport,
)
from dataset_builder.leakage.search import candidates, compare, find_matches, is_blank
from schemas.errors import CallError, DataError
from schemas.passport import Passport
from schemas.recipe import BuildRecipe, load
from tests.conftest import Cli

SHOTS = {
    "bikes start": ("bikes", (0, 0, 272, 640), (0.0, 4.0)),
    "bikes end": ("bikes", (0, 0, 272, 640), (5.5, 9.5)),
    "bikes left": ("bikes", (0, 0, 272, 320), (5.5, 9.5)),
    "bikes right": ("bikes", (0, 320, 272, 640), (5.5, 9.5)),
    "phone": ("carphone_pristine", (0, 0, 144, 176), (0.0, 4.0)),
    "bunny": ("bigbuckbunny", (0, 0, 720, 1280), (0.0, 2.0)),
}
DIFFERENT = [
    ("bikes start", "bikes end"),
    ("bikes start", "bikes left"),
    ("bikes left", "bikes right"),
    ("bikes end", "phone"),
    ("phone", "bunny"),
]


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> dict[str, Path]:
    """Shots of real clips at 320 x 240."""
    folder, paths = tmp_path_factory.mktemp("shots"), {}
    for name, (clip, box, times) in SHOTS.items():
        paths[name] = folder / f"{name}.mp4"
        fps = {"carphone_pristine": 29.97}.get(clip, 25.0)
        plan = {"kind": "film", "file": str(real_clips[clip]), "boxes": [box, box], "times": times, "fps": fps}
        cut_item({**plan, "path": str(paths[name])})
    return paths


@pytest.fixture(scope="module")
def prints(shots: dict[str, Path]) -> dict[str, Fingerprint]:
    return {name: fingerprint(path) for name, path in shots.items()}


def copied(path: Path, attack: str) -> Fingerprint:
    found = attack_item({"path": str(path), "attack": attack, "of": 0})
    return from_samples(bytes.fromhex(found["words"]), found["seconds"])


QUICK = {
    "re-encoded, crf 40",
    "odd size 227 x 171",
    "pillarboxed to 16:9",
    "trimmed, letterboxed, tone, logo, 10 frames/s, crf 36",
}


@pytest.mark.parametrize("attack", [pytest.param(a, marks=[] if a in QUICK else pytest.mark.full) for a in PROMISED])
def test_a_copy_is_found_and_nothing_else(attack: str, shots: dict[str, Path], prints: dict[str, Fingerprint]) -> None:
    wanted = ["bikes start", "phone"]
    names = [name for name in prints if name not in {"bikes left", "bikes right"}]
    matches = find_matches([copied(shots[name], attack) for name in wanted], [prints[name] for name in names])
    assert [(wanted[m.query], names[m.reference]) for m in matches] == [(name, name) for name in wanted]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_shots_of_one_scene_do_not_match(one: str, other: str, prints: dict[str, Fingerprint]) -> None:
    assert compare(prints[one], prints[other]) is None
    assert compare(prints[one], prints[one]) is not None


def test_a_trimmed_copy_says_what_is_shared(shots: dict[str, Path], prints: dict[str, Fingerprint]) -> None:
    copy = copied(shots["bikes start"], "trimmed by 30 %")
    found = compare(copy, prints["bikes start"])
    assert found is not None
    assert found.seconds == pytest.approx(copy.seconds, abs=0.5)
    assert found.starts[0] <= 0.25
    assert 0 <= found.starts[1] <= 1.5


def test_what_cannot_be_found_is_not(shots: dict[str, Path], prints: dict[str, Fingerprint]) -> None:
    assert compare(copied(shots["bikes start"], "mirrored"), prints["bikes start"]) is None


def test_samples_do_not_depend_on_the_frame_rate(shots: dict[str, Path]) -> None:
    slow, whole = copied(shots["bikes end"], "10 frames/s"), fingerprint(shots["bikes end"])
    assert len(slow.words) == len(whole.words) == 4 * RATE
    assert slow.seconds == pytest.approx(whole.seconds, abs=0.1)


def still(picture: np.ndarray) -> Fingerprint:
    return Fingerprint(quantised(*coefficients(picture[None].astype(float))), 0.0)


@pytest.mark.parametrize("shade", [0, 16, 128, 255])
def test_flat_pictures_have_no_signs_and_match_nothing(shade: int) -> None:
    noise = np.random.default_rng(shade).normal(0, 1, (8, GRID, GRID))
    flat = Fingerprint(quantised(*coefficients(shade + noise)), 2.0)
    assert is_blank(flat)
    assert compare(flat, flat) is None
    assert find_matches([flat], [flat]) == []


def scene() -> np.ndarray:
    """A picture that is dark at the top and grows brighter softly: no border."""
    y, x = np.mgrid[0:GRID, 0:GRID] / GRID
    return 200 * y**2 * (1 + 0.5 * np.sin(9 * x + 5 * y))


@pytest.mark.parametrize(("top", "bottom"), [(12, 12), (20, 0), (1, 1), (0, 0)])
@pytest.mark.parametrize("turned", [False, True])
def test_borders_are_cut_and_dark_content_is_not(top: int, bottom: int, turned: bool) -> None:
    y, x = np.mgrid[0:GRID, 0:GRID] / GRID
    bright = 120 + 80 * np.sin(9 * x + 7 * y * y)
    rows = GRID - top - bottom
    shrunk = bright[np.linspace(0, GRID - 1, rows).round().astype(int)]
    boxed = np.pad(shrunk, ((top, bottom), (0, 0)))
    one, other = (bright.T, boxed.T) if turned else (bright, boxed)
    found = compare(still(one), still(other))
    assert found is not None
    assert found.picture <= 0.02
    dark = scene().T if turned else scene()
    left_whole = still(dark)
    assert (left_whole.words == still(dark + 15).words).all()


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 60), st.integers(0, 40), st.integers(0, 40), st.integers(0, 2**32))
def test_any_part_of_three_seconds_is_found_where_it_is(length: int, before: int, after: int, seed: int) -> None:
    draw = np.random.default_rng(seed)

    def clip(samples: int) -> Fingerprint:
        return Fingerprint(quantised(*[draw.normal(0, 10, (samples, 64))] * 2), samples / RATE)

    part = clip(length)
    longer = Fingerprint(np.concatenate([clip(before + 1).words, part.words, clip(after + 1).words]), 9.0)
    found = compare(part, longer)
    assert found is not None
    assert found.starts[1] - found.starts[0] == (before + 1) / RATE
    assert candidates([part], [longer]) in ([(0, 0)], [])
    assert (compare(clip(max(length, 12)), longer) is None) or length < 12


def test_candidates_lose_no_match(prints: dict[str, Fingerprint], shots: dict[str, Path]) -> None:
    copies = [copied(path, "trimmed, letterboxed, crf 36") for path in shots.values()]
    clips = list(prints.values())
    exhaustive = [(i, j) for i, a in enumerate(copies) for j, b in enumerate(clips) if compare(a, b)]
    assert [(m.query, m.reference) for m in find_matches(copies, clips)] == exhaustive
    assert {(i, i) for i in range(len(clips))} <= set(exhaustive)


def test_a_still_is_found_again_and_other_stills_are_not(photograph: Path, tmp_path: Path) -> None:
    with av.open(str(photograph)) as container:
        picture = next(container.decode(video=0))
    pixels = picture.to_ndarray(format="rgb24")
    for name, part, size in (
        ("again", pixels, (227, 151)),
        ("left", pixels[:, :225], (225, 300)),
        ("right", pixels[:, 225:], (226, 300)),
    ):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(part), "rgb24").reformat(*size, format="yuvj420p")
        codec = av.CodecContext.create("mjpeg", "w")
        codec.width, codec.height, codec.pix_fmt, codec.time_base = *size, "yuvj420p", Fraction(1)
        codec.options = {"qmin": "12", "qmax": "12"}
        (tmp_path / f"{name}.jpg").write_bytes(b"".join(bytes(p) for p in [*codec.encode(frame), *codec.encode(None)]))
    whole = fingerprint(photograph)
    assert whole.seconds == 0
    stills = [fingerprint(tmp_path / f"{name}.jpg") for name in ("again", "left", "right")]
    assert [m.query for m in find_matches(stills, [whole])] == [0]


@pytest.fixture
def benchmark(tmp_path: Path, shots: dict[str, Path]) -> Path:
    """A benchmark's folder: three shots, one file that is none, and a table."""
    folder = tmp_path / "bench"
    (folder / "sub").mkdir(parents=True)
    for name in ("bikes start", "phone"):
        (folder / f"{name}.mp4").write_bytes(shots[name].read_bytes())
    (folder / "sub" / "-bünny.mp4").write_bytes(shots["bunny"].read_bytes())
    (folder / "broken.mp4").write_text("no clip")
    (folder / "labels.csv").write_text("clip,mos")
    return folder


def test_a_passport_holds_what_was_read_and_says_what_was_not(benchmark: Path, tmp_path: Path, vqa2: Cli) -> None:
    done = vqa2("passport", "create", benchmark, "--out", tmp_path / "p.json", "--name", "bench", "--json")
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert (summary["clips"], summary["others"], summary["blank"]) == (3, 1, [])
    assert "no readable video" in summary["unread"]["broken.mp4"]
    passport = read_passport(tmp_path / "p.json")
    assert [clip.name for clip in passport.clips] == ["bikes start.mp4", "phone.mp4", "sub/-bünny.mp4"]
    assert [clip.name for clip in passport.unread] == ["broken.mp4"]
    taken = fingerprint(benchmark / "phone.mp4")
    stored = from_samples(passport.clips[1].samples, passport.clips[1].seconds)
    assert (stored.words == taken.words).all()
    assert stored.seconds == taken.seconds
    assert passport == create_passport(benchmark, "bench", workers=1).passport


def test_names_can_be_withheld(benchmark: Path, tmp_path: Path, vqa2: Cli) -> None:
    (benchmark / "broken.mp4").unlink()
    assert vqa2("passport", "create", benchmark, "--no-names", "--out", tmp_path / "p.json").returncode == 0
    text = (tmp_path / "p.json").read_text(encoding="utf-8")
    assert not re.search("bikes|phone|nny", text)
    assert str(read_passport(tmp_path / "p.json").clips[0]).startswith("sha256 ")


def test_a_folder_without_clips_is_a_wrong_call(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CallError, match="no videos or images"):
        create_passport(tmp_path, "x")
    with pytest.raises(CallError, match="no folder of clips"):
        create_passport(tmp_path / "none", "x")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b'"rate":4', b'"rate":8', "other parameters"),
        (b'"hash":"signs-1"', b'"hash":"signs-9"', "hash: "),
        (b'"samples":"', b'"samples":"AAAA', "samples"),
        (b'"clips":[', b'"clips":[7', "p.json: "),
        (b'"seconds":', b'"second":', "second"),
    ],
)
def test_a_passport_that_cannot_be_used_is_refused(
    before: bytes, after: bytes, words: str, benchmark: Path, tmp_path: Path
) -> None:
    path = tmp_path / "p.json"
    write_passport(path, create_passport(benchmark, "bench").passport)
    assert isinstance(msgspec.json.decode(path.read_bytes(), type=Passport), Passport)
    assert before in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(before, after, 1))
    with pytest.raises(DataError, match=words):
        read_passport(path)
    with pytest.raises(CallError, match="there is no passport"):
        read_passport(tmp_path / "none.json")


LABELS = """\
clip,mos,who,split
copied,3,a,train
own,2,b,train
theirs,4,c,test
version,1,b,train
"""
RECIPE = """\
name: corpus
sources:
  - name: mine
    table: labels.csv
    clips: clips
    licence: private
    columns: {clip: clip, score: mos, group: who, split: split}
    scale: {lo: 1, hi: 5}
stages: [stage2-ugc]
"""


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory, shots: dict[str, Path]) -> Path:
    """A corpus: a letterboxed copy of a benchmark's clip in train, the clip itself in test, two versions of another."""
    folder = tmp_path_factory.mktemp("leaking") / "own"
    (folder / "clips").mkdir(parents=True)
    for name, shot, attack in (
        ("copied", "bikes start", "trimmed, letterboxed, crf 36"),
        ("own", "bikes end", "10 frames/s"),
        ("version", "bikes end", "re-encoded, crf 40"),
        ("theirs", "bikes start", "odd size 227 x 171"),
    ):
        write_copy(shots[shot], folder / "clips" / f"{name}.mp4", PROMISED[attack], name)
    (folder / "labels.csv").write_text(LABELS)
    (folder / "recipe.yaml").write_text(RECIPE)
    recipe = load(folder / "recipe.yaml", BuildRecipe)
    return build(recipe, folder / "recipe.yaml", folder.parent / "corpus").folder


def test_check_names_training_clips_that_are_a_benchmarks(
    leaking: Path, benchmark: Path, tmp_path: Path, vqa2: Cli
) -> None:
    passport = tmp_path / "p.json"
    write_passport(passport, create_passport(benchmark, "bench").passport)
    assert list(check(leaking)) == []
    done = vqa2("check", leaking, "--against", passport, "--json")
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert re.search(
        r"^media/.*: 'mine/copied.mp4' of split train shows bikes start.mp4 of 'bench' "
        r"\([23]\S* s of it, from 0\S* s here and \S+ s there\)$",
        problem,
    ), problem


def test_check_names_the_same_file_even_when_it_is_flat(leaking: Path, tmp_path: Path) -> None:
    clips = corpus_clips(leaking)
    (path,) = [path for path, clip in clips.items() if "own" in clip.record_id]
    folder = tmp_path / "same"
    folder.mkdir()
    (folder / "x.mp4").write_bytes((leaking / path).read_bytes())
    passport = create_passport(folder, "same").passport
    blind = msgspec.structs.replace(passport.clips[0], samples=bytes(32))
    passport = msgspec.structs.replace(passport, clips=[blind])
    (problem,) = leaks(clips, [passport], near_duplicates=False)
    assert str(problem) == f"{path}: 'mine/own.mp4' of split train is the same file as x.mp4 of 'same'"


def test_near_duplicates_are_told_across_splits_only(leaking: Path) -> None:
    (problem,) = leaks(corpus_clips(leaking), [], near_duplicates=True)
    assert "'mine/copied.mp4' of split train shows 'mine/theirs.mp4' of split test" in str(problem)
    one_group = {path: dataclasses.replace(clip, group="a") for path, clip in corpus_clips(leaking).items()}
    assert list(leaks(one_group, [], near_duplicates=True)) == []


def test_a_clip_that_cannot_be_read_is_said(leaking: Path, tmp_path: Path) -> None:
    clips = corpus_clips(leaking)
    path = next(path for path, clip in clips.items() if "own" in clip.record_id)
    (tmp_path / "broken.mp4").write_bytes(b"broken")
    clips[path] = dataclasses.replace(clips[path], file=tmp_path / "broken.mp4")
    found = [str(problem) for problem in leaks(clips, [], near_duplicates=True)]
    assert any(f"{path}: whether 'mine/own.mp4' of split train leaks cannot be told" in problem for problem in found)


def test_clips_that_lie_elsewhere_need_their_root(leaking: Path, vqa2: Cli) -> None:
    own = leaking.parent / "own"
    path = own / "recipe.yaml"
    corpus = build(load(path, BuildRecipe, ["media=reference"]), path, leaking.parent / "referring").folder
    with pytest.raises(CallError, match="--media-root"):
        corpus_clips(corpus)
    done = vqa2("check", corpus, "--near-duplicates", "--media-root", own / "clips")
    assert (done.returncode, "copied.mp4: 'mine/copied.mp4'" in done.stdout) == (1, True)
