"""The contract of every distortion, and that it does to a real clip what its docstring says."""

import hashlib
import itertools
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import pytest

import dataset_builder.distortions
from dataset_builder.distort import SEVERITIES, Shape, applied, distort_item, distorted, truth_of
from dataset_builder.encode import encode_frames, encode_video
from dataset_builder.frame import EXACT, Frame, frames_of, frames_of_rgb
from dataset_builder.video import MediaError, Pixels, inspect, rgb_frames
from schemas.errors import CallError
from schemas.plugins import load_plugin, plugin_names
from stages.wording.taxonomy import kind_of

KINDS = plugin_names(dataset_builder.distortions)
SIZE, FRAMES = 128, 16
SHAPE = Shape(SIZE, SIZE, 8.0, FRAMES)
BLUR = [msgspec.to_builtins(applied("blur", 5))]


def lumas(frames: Iterable[Frame]) -> list[Pixels]:
    return [frame.planes()[0].copy() for frame in frames]


@pytest.fixture(scope="session")
def clean(real_clips: dict[str, Path]) -> list[Frame]:
    taken = itertools.islice(frames_of(real_clips["bikes"]), 0, 3 * FRAMES, 3)
    return [frame.cropped(200, 80, SIZE, SIZE) for frame in taken]


def apply(frames: list[Frame], kind: str, severity: int, seed: int = 0, **where: Any) -> list[Frame]:
    shape = Shape(frames[0].width, frames[0].height, 8.0, len(frames))
    return list(distorted(iter(frames), shape, [applied(kind, severity, **where)], seed=seed, key="k"))


def same(one: Frame, other: Frame) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.planes(), other.planes(), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_distortion_keeps_the_contract(kind: str, clean: list[Frame]) -> None:
    module = load_plugin(dataset_builder.distortions, kind)
    assert module.__doc__
    assert kind_of(module.NAME)
    assert isinstance(module.STILLS, bool)
    assert len(module.STEPS) == len(SEVERITIES)
    for severity in SEVERITIES:
        frames = apply(clean, kind, severity)
        assert [(frame.width, frame.height, frame.subsampled) for frame in frames] == [(SIZE, SIZE, True)] * FRAMES
        assert all(same(a, b) for a, b in zip(frames, apply(clean, kind, severity), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_severity_is_monotone_in_a_physical_measure(kind: str, clean: list[Frame]) -> None:
    probe = load_plugin(dataset_builder.distortions, kind).probe

    def mean_over_seeds(severity: int) -> float:
        return float(np.mean([probe(apply(clean, kind, severity, seed), clean) for seed in range(3)]))

    measured = [probe(clean, clean), *map(mean_over_seeds, SEVERITIES)]
    assert all(before < after for before, after in itertools.pairwise(measured)), measured


@pytest.mark.parametrize("kind", KINDS)
def test_odd_sizes_and_short_clips(kind: str, clean: list[Frame]) -> None:
    for count in (1, 2, 3):
        odd = list(frames_of_rgb(frame.rgb()[:45, :37] for frame in clean[:count]))
        if count == 1 and not load_plugin(dataset_builder.distortions, kind).STILLS:
            with pytest.raises(CallError, match="needs more than one frame"):
                apply(odd, kind, 3)
            continue
        frames = apply(odd, kind, 5)
        assert [(frame.width, frame.height) for frame in frames] == [(37, 45)] * count


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_touches_nothing_outside(kind: str, clean: list[Frame]) -> None:
    frames = apply(clean, kind, 5, start=1.0, end=1.875)
    changed = [not same(a, b) for a, b in zip(clean, frames, strict=True)]
    assert not any(changed[:8] + changed[15:])
    assert any(changed[8:15])


@pytest.mark.parametrize("kind", KINDS)
def test_a_box_touches_nothing_outside(kind: str, clean: list[Frame]) -> None:
    frames = apply(clean, kind, 5, box=(0.25, 0.5, 0.5, 0.25))
    inside = np.zeros((SIZE, SIZE), bool)
    inside[64:96, 32:96] = True
    changed = np.stack([a != b for a, b in zip(lumas(clean), lumas(frames), strict=True)]).any(axis=0)
    assert not changed[~inside].any()
    shares = [changed[inside].mean()]
    for index in (1, 2):
        chroma = np.stack([a.planes()[index] != b.planes()[index] for a, b in zip(clean, frames, strict=True)])
        assert not chroma.any(axis=0)[~inside[::2, ::2]].any()
        shares.append(chroma.any(axis=0)[inside[::2, ::2]].mean())
    assert max(shares) > 0.3


def test_a_box_in_a_still_has_a_soft_edge(photograph: Path) -> None:
    (still,) = frames_of(photograph)
    shape = Shape(still.width, still.height, 1.0, 1)
    wish = applied("underexposure", 5, box=(0.2, 0.2, 0.5, 0.5))
    (dark,) = distorted([still], shape, [wish], seed=0, key="k")
    loss = (still.rgb().astype(int) - dark.rgb()).mean(axis=2)
    assert loss[:60].max() == 0
    middle = loss[120]
    assert middle[180:230].mean() > 3 * middle[91:94].mean() > 0


def test_distortions_are_put_on_top_of_each_other(clean: list[Frame]) -> None:
    chain = [applied("blur", 4), applied("noise", 2, start=1.0, end=2.0)]
    both = list(distorted(iter(clean), SHAPE, chain, seed=0, key="k"))
    blurred = apply(clean, "blur", 4)
    assert all(same(a, b) for a, b in zip(both[:8], blurred[:8], strict=True))
    assert not any(same(a, b) for a, b in zip(both[8:], blurred[8:], strict=True))
    truth = truth_of(chain)
    assert [(d.name, d.main, d.start) for d in truth] == [("spatial blur", True, None), ("noise", False, 1.0)]


def test_stuttering_repeats_frames_and_then_catches_up(clean: list[Frame]) -> None:
    frames = apply(clean, "stutter_freeze", 4)
    which = [next(i for i, c in enumerate(clean) if same(c, frame)) for frame in frames]
    assert all(shown <= index for index, shown in enumerate(which))
    assert which == sorted(which)
    assert len(set(which)) < FRAMES
    assert sum(shown == index for index, shown in enumerate(which)) >= FRAMES - 9


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (("blurr", 1, {}), "no distortion is called 'blurr'; did you mean 'blur'"),
        (("blur", 0, {}), "severity runs from 1 to 5, not 0"),
        (("blur", 6, {}), "severity runs from 1 to 5, not 6"),
        (("blur", 1, {"start": 5, "end": 6}), "lies outside the clip of 16 frames"),
        (("blur", 1, {"start": 1, "end": 1}), "lies outside"),
        (("blur", 1, {"start": -1, "end": 1}), "lies outside"),
        (("blur", 1, {"start": 0, "end": 9}), "lies outside"),
        (("blur", 1, {"start": 0, "end": 2.5}), "lies outside"),
        (("blur", 1, {"start": float("nan"), "end": 1}), "lies outside"),
        (("blur", 1, {"box": (0.5, 0.5, 0.6, 0.5)}), "lies outside a frame of 128 x 128"),
        (("blur", 1, {"box": (0.5, 0.5, 0.05, 0.5)}), "covers fewer than 16"),
        (("stutter_freeze", 1, {"start": 0.5, "end": 0.625}), "stutter_freeze needs more than one frame"),
    ],
)
def test_impossible_wishes_are_refused_by_name(
    wanted: tuple[str, int, dict[str, Any]], message: str, clean: list[Frame]
) -> None:
    kind, severity, where = wanted
    with pytest.raises(CallError, match=message):
        distorted(iter(clean), SHAPE, [applied(kind, severity, **where)], seed=0, key="k")


def test_the_carrier_adds_nothing_visible(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    for name, path in real_clips.items():
        frames = [frame[:144, :176] for frame in list(rgb_frames(path))[:24]]
        written = tmp_path / f"{name}.mp4"
        encode_video(iter(frames), 25, written)
        with av.open(str(written)) as container:
            luma = np.stack([frame.to_ndarray()[:144] for frame in container.decode(video=0)]).astype(float)
        given = [av.VideoFrame.from_ndarray(f, "rgb24").reformat(format="yuv420p", interpolation=EXACT) for f in frames]
        error = np.mean((luma - np.stack([frame.to_ndarray()[:144] for frame in given])) ** 2)
        assert 10 * np.log10(255**2 / error) >= 45, name
        assert inspect(written, "x").frames == 24


def test_the_same_frames_give_the_same_bytes_in_any_process(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    media = inspect(real_clips["carphone_pristine"], "a.mp4")
    item = {
        "source": str(real_clips["carphone_pristine"]),
        "media": msgspec.to_builtins(media),
        "chain": [msgspec.to_builtins(applied("noise", 2, start=1.0, end=2.0, box=(0.25, 0.25, 0.5, 0.5)))],
        "seed": 7,
        "out_folder": str(tmp_path),
        "plugins": [],
    }
    made = distort_item(item)
    assert hashlib.sha256((tmp_path / made["path"]).read_bytes()).hexdigest() == made["sha256"]
    assert made["path"] == f"{made['sha256'][:2]}/{made['sha256']}.mp4"
    script = f"from dataset_builder.distort import distort_item; print(distort_item({item!r})['sha256'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == made["sha256"]
    assert distort_item({**item, "seed": 8})["sha256"] != made["sha256"]
    assert not list(tmp_path.glob(".*"))


def test_a_clip_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(real_clips["bikes"].read_bytes()[:-100_000])
    media = inspect(real_clips["bikes"], "a.mp4")
    item = {"source": str(cut), "media": msgspec.to_builtins(media), "chain": BLUR, "seed": 0}
    with pytest.raises(MediaError):
        distort_item({**item, "out_folder": str(tmp_path / "out"), "plugins": []})
    assert not list((tmp_path / "out").rglob("*"))


def test_a_still_becomes_a_still(tmp_path: Path, photograph: Path) -> None:
    media = inspect(photograph, "cat.png")
    item = {"source": str(photograph), "media": msgspec.to_builtins(media), "chain": BLUR, "seed": 0}
    made = distort_item({**item, "out_folder": str(tmp_path), "plugins": []})
    blurred = inspect(tmp_path / made["path"], "x")
    assert (blurred.kind, blurred.width, blurred.height, blurred.codec) == ("image", 451, 300, "png")


def test_a_users_distortion_is_one_file(tmp_path: Path, clean: list[Frame]) -> None:
    (tmp_path / "negative.py").write_text(
        '"""Negative."""\nNAME, STILLS, STEPS = "high contrast", True, ({},) * 5\n'
        "def apply(frames, shape, step, rng):\n    return (frame.with_rgb(255 - frame.rgb()) for frame in frames)\n"
    )
    wanted = applied("negative", 1, plugins=[tmp_path])
    (still,) = frames_of_rgb([clean[3].rgb()], video=False)
    (frame,) = distorted([still], Shape(SIZE, SIZE, 1.0, 1), [wanted], seed=0, key="k", plugins=[tmp_path])
    assert np.array_equal(frame.rgb(), 255 - clean[3].rgb())


@pytest.mark.parametrize("kind", KINDS)
def test_the_carrier_adds_nothing_visible_to_distorted_frames(
    kind: str, tmp_path: Path, real_clips: dict[str, Path]
) -> None:
    clean = [frame.cropped(0, 0, 176, 144) for frame in itertools.islice(frames_of(real_clips["bigbuckbunny"]), 24)]
    made = list(distorted(iter(clean), Shape(176, 144, 25.0, 24), [applied(kind, 5)], seed=0, key="k"))
    encode_frames(made, 25, tmp_path / "made.mp4")
    written = list(frames_of(tmp_path / "made.mp4"))
    for plane in range(3):
        pairs = zip(made, written, strict=True)
        error = np.mean([np.mean((a.planes()[plane].astype(float) - b.planes()[plane]) ** 2) for a, b in pairs])
        assert error == 0 or 10 * np.log10(255**2 / error) >= 45, plane
