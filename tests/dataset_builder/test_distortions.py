"""The contract of every distortion, and that it does to a real clip what its docstring says."""

import hashlib
import itertools
import subprocess
import sys
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

import dataset_builder.distortions
from dataset_builder.distort import SEVERITIES, Degradation, Shape, distort_item, distorted
from dataset_builder.encode import EXACT, encode_video
from dataset_builder.video import MediaError, Pixels, inspect, rgb_frames
from schemas.errors import CallError
from schemas.plugins import load_plugin, plugin_names
from stages.wording.taxonomy import kind_of

KINDS = plugin_names(dataset_builder.distortions)
SIZE, FRAMES = 128, 16
SHAPE = Shape(SIZE, SIZE, 8.0, FRAMES)


@pytest.fixture(scope="session")
def clean(real_clips: dict[str, Path]) -> list[Pixels]:
    return [frame[80:208, 200:328] for frame in list(rgb_frames(real_clips["bikes"]))[::3][:FRAMES]]


def apply(frames: list[Pixels], kind: str, severity: int, seed: int = 0, **window: float) -> list[Pixels]:
    shape = Shape(frames[0].shape[1], frames[0].shape[0], 8.0, len(frames))
    return list(distorted(iter(frames), shape, Degradation(kind, severity, **window), seed=seed, key="k"))


def probe(kind: str, frames: list[Pixels], clean: list[Pixels]) -> float:
    """A physical measure that sees the distortion, larger for more of it; coding error needs the clean clip."""
    grey = np.stack(frames).astype(float).mean(axis=3)
    linear = (np.stack(frames) / 255.0) ** 2.2
    if kind == "blur":
        return -float(np.abs(np.diff(grey, axis=2)).mean())
    if kind == "compression":
        return float(((grey - np.stack(clean).astype(float).mean(axis=3)) ** 2).mean())
    if kind == "noise":
        return float(np.abs(np.diff(grey, axis=2, n=2)).mean())
    if kind == "overexposure":
        return float((np.stack(frames) >= 254).mean() + linear.mean())
    if kind == "underexposure":
        return -float(linear.mean())
    if kind == "stutter":
        return float((np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2)) == 0).mean())
    return float(np.abs(np.diff(grey.mean(axis=(1, 2)), n=2)).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_every_distortion_keeps_the_contract(kind: str, clean: list[Pixels]) -> None:
    module = load_plugin(dataset_builder.distortions, kind)
    assert module.__doc__
    assert kind_of(module.NAME)
    assert isinstance(module.STILLS, bool)
    for severity in SEVERITIES:
        frames = apply(clean, kind, severity)
        assert len(frames) == FRAMES
        assert all(frame.shape == (SIZE, SIZE, 3) and frame.dtype == np.uint8 for frame in frames)
        assert all(np.array_equal(a, b) for a, b in zip(frames, apply(clean, kind, severity), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_severity_is_monotone_in_a_physical_measure(kind: str, clean: list[Pixels]) -> None:
    def mean_over_seeds(severity: int) -> float:
        return float(np.mean([probe(kind, apply(clean, kind, severity, seed), clean) for seed in range(3)]))

    measured = [probe(kind, clean, clean), *map(mean_over_seeds, SEVERITIES)]
    assert all(before < after for before, after in itertools.pairwise(measured)), measured


@pytest.mark.parametrize("kind", KINDS)
def test_odd_sizes_and_short_clips(kind: str, clean: list[Pixels]) -> None:
    for count in (1, 2, 3):
        if count == 1 and not load_plugin(dataset_builder.distortions, kind).STILLS:
            with pytest.raises(CallError, match="needs more than one frame"):
                apply([clean[0]], kind, 3)
            continue
        frames = apply([frame[:45, :37] for frame in clean[:count]], kind, 5)
        assert [frame.shape for frame in frames] == [(45, 37, 3)] * count


def test_a_window_touches_nothing_outside(clean: list[Pixels]) -> None:
    for kind in KINDS:
        frames = apply(clean, kind, 5, start=0.5, end=1.5)
        changed = [not np.array_equal(a, b) for a, b in zip(clean, frames, strict=True)]
        assert not any(changed[:4] + changed[12:]), kind
        assert any(changed[4:12]), kind


def test_stuttering_repeats_frames_and_then_catches_up(clean: list[Pixels]) -> None:
    frames = apply(clean, "stutter", 4)
    which = [next(i for i, c in enumerate(clean) if np.array_equal(c, frame)) for frame in frames]
    assert all(shown <= index for index, shown in enumerate(which))
    assert which == sorted(which)
    assert len(set(which)) < FRAMES
    assert sum(shown == index for index, shown in enumerate(which)) >= FRAMES - 9


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Degradation("blurr", 1), "no distortion is called 'blurr'; did you mean 'blur'"),
        (Degradation("blur", 0), "severity runs from 1 to 5, not 0"),
        (Degradation("blur", 6), "severity runs from 1 to 5, not 6"),
        (Degradation("blur", 1, start=5, end=6), "lies outside the clip of 16 frames"),
        (Degradation("blur", 1, start=1, end=1), "lies outside"),
        (Degradation("blur", 1, start=-1, end=1), "lies outside"),
        (Degradation("blur", 1, start=0, end=9), "lies outside"),
        (Degradation("blur", 1, start=0, end=2.5), "lies outside"),
        (Degradation("blur", 1, start=float("nan"), end=1), "lies outside"),
        (Degradation("stutter", 1, start=0.5, end=0.625), "stutter needs more than one frame"),
    ],
)
def test_impossible_wishes_are_refused_by_name(wanted: Degradation, message: str, clean: list[Pixels]) -> None:
    with pytest.raises(CallError, match=message):
        distorted(iter(clean), SHAPE, wanted, seed=0, key="k")


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
        "kind": "noise",
        "severity": 2,
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
    item = {"source": str(cut), "media": msgspec.to_builtins(media), "kind": "blur", "severity": 1, "seed": 0}
    with pytest.raises(MediaError):
        distort_item({**item, "out_folder": str(tmp_path / "out"), "plugins": []})
    assert not list((tmp_path / "out").rglob("*"))


def test_a_still_becomes_a_still(tmp_path: Path, photograph: Path) -> None:
    media = inspect(photograph, "cat.png")
    item = {"source": str(photograph), "media": msgspec.to_builtins(media), "kind": "blur", "severity": 5, "seed": 0}
    made = distort_item({**item, "out_folder": str(tmp_path), "plugins": []})
    blurred = inspect(tmp_path / made["path"], "x")
    assert (blurred.kind, blurred.width, blurred.height, blurred.codec) == ("image", 451, 300, "png")


def test_a_users_distortion_is_one_file(tmp_path: Path, clean: list[Pixels]) -> None:
    (tmp_path / "negative.py").write_text(
        '"""Negative."""\nNAME, STILLS = "high contrast", True\n'
        "def apply(frames, shape, severity, rng):\n    return (255 - frame for frame in frames)\n"
    )
    frames = list(distorted(iter(clean), SHAPE, Degradation("negative", 1), seed=0, key="k", plugins=[tmp_path]))
    assert np.array_equal(frames[3], 255 - clean[3])
