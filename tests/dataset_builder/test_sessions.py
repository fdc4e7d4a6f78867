"""Rendered sessions: what was asked is found again in the decoded clip, frame by frame."""

import functools
import hashlib
import itertools
import os
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from dataset_builder.encode import RateError, at_bitrate, encode_video, through_codec
from dataset_builder.frame import Frame, frames_of, frames_of_rgb
from dataset_builder.streaming.render import SessionError, plan_of, played, render, render_file
from dataset_builder.video import inspect, rgb_frames
from schemas.errors import DataError
from schemas.session import Session
from stages.stage2_streaming import sentence, stalled_frames
from tests.conftest import ROOT, Cli

FPS = 30000 / 1001
LADDER = [
    {"representation": "high", "width": 176, "height": 144, "bitrate_kbps": 150, "duration": 1.502},
    {"representation": "low", "width": 88, "height": 72, "bitrate_kbps": 25, "duration": 1.0},
    {"representation": "middle", "width": 132, "height": 108, "bitrate_kbps": 60, "duration": 1.502},
]
WAITS = {"stalls": [{"media_time": 1.0, "duration": 0.7}, {"media_time": 3.0, "duration": 1.2}]}


def session(**fields: Any) -> Session:
    return msgspec.convert({"segments": LADDER} | fields, Session)


def lumas(path: Path) -> list[NDArray[np.int64]]:
    return [frame.planes()[0].astype(int) for frame in frames_of(path)]


def found_stalls(path: Path, shown: str) -> str:
    """Look for waits in a decoded clip, knowing nothing but how they look: one 0/1 character a frame."""
    flags, last = "", None
    for luma in lumas(path):
        if last is None:
            waits = np.percentile(luma, 90) < 20  # black; a spinner covers less than a tenth
        elif shown == "frozen":
            waits = np.abs(luma - last).mean() < 0.3
        else:
            waits = np.abs(luma - (16 + (last - 16) // 2)).mean() < np.abs(luma - last).mean()
        flags += "01"[int(waits)]
        last = last if waits else luma
    return flags


@pytest.mark.parametrize("shown", ["frozen", "spinner"])
def test_stalls_are_found_again_in_the_decoded_clip(tmp_path: Path, real_clips: dict[str, Path], shown: str) -> None:
    wanted = session(**WAITS, initial_buffering=0.4, shown=shown)
    rendered = render_file(real_clips["carphone_pristine"], wanted, tmp_path / "s.mp4")
    media = inspect(tmp_path / "s.mp4", "s.mp4")
    expected = "1" * 12 + "0" * 30 + "1" * 21 + "0" * 60 + "1" * 36 + "0" * 30
    found = found_stalls(tmp_path / "s.mp4", shown)
    assert found == expected
    assert rendered.flags == expected
    assert stalled_frames(rendered.stalls, media.frames, media.fps) == found
    told = sentence(found)
    for words in ("duration of this video is 69 frames", "events of the video is 3", "end of the video is 30 frames"):
        assert words in told


def test_media_frames_are_all_there_and_in_order(real_clips: dict[str, Path]) -> None:
    path = real_clips["carphone_pristine"]
    source = list(frames_of(path))
    rich = [segment | {"width": 176, "height": 144, "bitrate_kbps": 1500} for segment in LADDER]
    wanted = session(**WAITS, segments=rich, initial_buffering=0.4)
    plan = plan_of(wanted, 120, FPS)
    shown = list(render(lambda: frames_of(path), wanted, plan))
    assert len(shown) == plan.frames == 120 + 69
    kept = [frame.planes()[0] for frame, waits in zip(shown, plan.flags, strict=True) if waits == "0"]
    for index, luma in enumerate(kept):
        near = range(max(0, index - 1), min(120, index + 2))
        errors = {i: np.abs(luma.astype(int) - source[i].planes()[0]).mean() for i in near}
        assert errors[index] == min(errors.values()) < 2, index


def test_each_segment_takes_its_bitrate_and_starts_with_a_key_frame(real_clips: dict[str, Path]) -> None:
    for name, (width, height, fps, frames) in {
        "carphone_pristine": (176, 144, FPS, 120),
        "bikes": (640, 272, 25.0, 250),
    }.items():
        rate, third = width * height * fps / 1000, frames / fps / 3
        ladder = [
            {"representation": i, "width": width // d * 2, "height": height // d * 2, "bitrate_kbps": rate * share}
            | {"duration": third}
            for i, (d, share) in enumerate([(2, 0.15), (4, 0.02), (3, 0.06)])
        ]
        wanted = msgspec.convert({"segments": ladder}, Session)
        plan = plan_of(wanted, frames, fps)
        sizes: list[list[int]] = [[], [], []]

        def spend(segment: int, size: int, sizes: list[list[int]] = sizes) -> None:
            sizes[segment].append(size)

        shown = played(functools.partial(frames_of, real_clips[name]), wanted, plan, spend)
        assert sum(1 for _ in shown) == frames
        for spent, length, segment in zip(sizes, plan.segments, wanted.segments, strict=True):
            kbps = sum(spent) * 8 / 1000 / (length / fps)
            assert kbps == pytest.approx(segment.bitrate_kbps, rel=0.25), (name, segment)
            assert spent[0] > 3 * np.median(spent[1:])


def test_quality_rises_with_bitrate(real_clips: dict[str, Path]) -> None:
    path = real_clips["carphone_pristine"]
    source = [frame.planes()[0].astype(int) for frame in frames_of(path)]

    def psnr(width: int, height: int, kbps: float) -> float:
        one = {"representation": 0, "width": width, "height": height, "bitrate_kbps": kbps, "duration": 4.004}
        wanted = msgspec.convert({"segments": [one]}, Session)
        frames = played(lambda: frames_of(path), wanted, plan_of(wanted, 120, FPS))
        error = np.mean([np.mean((f.planes()[0] - s) ** 2) for f, s in zip(frames, source, strict=True)])
        return float(10 * np.log10(255**2 / error))

    rising = [psnr(88, 72, 12), psnr(88, 72, 30), psnr(176, 144, 60), psnr(176, 144, 150), psnr(176, 144, 400)]
    assert all(b - a > 1 for a, b in itertools.pairwise(rising)), rising


@pytest.mark.parametrize("fps", [0.5, 10.0, 24000 / 1001, 25.0, FPS, 60.0, 240.0])
def test_no_error_adds_up_over_many_events(fps: float) -> None:
    for seed in range(20):
        rng = random.Random(seed)
        frame = 1 / fps
        segments = [
            {"representation": i, "width": 64, "height": 64, "bitrate_kbps": 50, "duration": frame * rng.uniform(9, 30)}
            for i in range(40)
        ]
        length = sum(s["duration"] for s in segments)
        times = sorted(frame * (5 * i + rng.uniform(0, 3)) for i in range(1, int(length * fps / 5)))
        stalls = [{"media_time": t, "duration": frame * rng.uniform(1.01, 4)} for t in times]
        wanted = msgspec.convert({"segments": segments, "stalls": stalls, "initial_buffering": 3.3 * frame}, Session)
        plan = plan_of(wanted, round(length * fps), fps)
        assert len(plan.stalled) == len(stalls) + 1
        waited = wanted.initial_buffering
        for stall, (first, end) in zip(wanted.stalls, plan.stalled[1:], strict=True):
            assert abs(first - (stall.media_time + waited) * fps) <= 1 + 1e-6
            waited += stall.duration
            assert abs(end - (stall.media_time + waited) * fps) <= 1 + 1e-6
        assert plan.frames == pytest.approx((length + waited) * fps, abs=1)
        ends = np.cumsum(plan.segments)
        assert np.abs(ends - np.cumsum([s["duration"] * fps for s in segments])).max() <= 1
        assert stalled_frames(plan.stalls, plan.frames, fps) == plan.flags


@pytest.mark.parametrize(
    ("fields", "frames", "reason"),
    [
        ({}, 100, "the segments last 4.004 s, the clip 3.33667 s"),
        ({}, 122, "make them cover it"),
        (
            {"stalls": [{"media_time": 1.0, "duration": 0.02}]},
            120,
            "the stall at 1 s lasts 0.02 s, less than one frame",
        ),
        ({"initial_buffering": 0.02}, 120, "initial_buffering lasts 0.02 s"),
        (
            {"stalls": [{"media_time": t, "duration": 1.0} for t in (1.0, 1.01)]},
            120,
            "the same frame as the one before",
        ),
        ({"stalls": [{"media_time": 0.01, "duration": 1.0}], "initial_buffering": 1}, 120, "the same frame"),
        ({"segments": [LADDER[0] | {"duration": d} for d in (4.0, 0.004)]}, 120, "segment 2 lasts 0.004 s, not one"),
    ],
)
def test_sessions_that_do_not_fit_the_clip_are_refused(fields: dict[str, Any], frames: int, reason: str) -> None:
    with pytest.raises(SessionError, match=reason):
        plan_of(session(**fields), frames, FPS)


def test_a_clip_of_other_frames_than_planned_is_refused(real_clips: dict[str, Path]) -> None:
    path = real_clips["carphone_pristine"]
    short = msgspec.convert({"segments": [LADDER[1] | {"duration": 1.0}]}, Session)
    with pytest.raises(SessionError, match="more than the 30 frames"):
        list(render(lambda: frames_of(path), short, plan_of(short, 30, FPS)))
    long = msgspec.convert({"segments": [LADDER[1] | {"duration": 5.0}]}, Session)
    with pytest.raises(SessionError, match="ends in segment 1, 30 frames before"):
        list(render(lambda: frames_of(path), long, plan_of(long, 150, FPS)))
    with pytest.raises(SessionError, match="has no frames"):
        list(render(list, short, plan_of(short, 30, FPS)))


def test_a_bitrate_that_no_encoder_can_keep_is_refused(real_clips: dict[str, Path]) -> None:
    frames = functools.partial(frames_of, real_clips["carphone_pristine"])
    with pytest.raises(RateError, match="1 kbit/s are too few for pictures of 176 x 144"):
        list(at_bitrate(frames(), frames(), FPS, 1))
    assert list(at_bitrate([], [], FPS, 100)) == []


@pytest.mark.parametrize(("size", "fps", "count"), [((95, 71), 25.0, 8), ((64, 48), 0.5, 5), ((64, 48), 240.0, 480)])
def test_odd_sizes_and_odd_rates(tmp_path: Path, size: tuple[int, int], fps: float, count: int) -> None:
    width, height = size
    rng = np.random.default_rng(0)
    still = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    encode_video((np.roll(still, i, axis=1) for i in range(count)), fps, tmp_path / "c.mp4")
    halves = [
        {"representation": i, "width": 47, "height": 33, "bitrate_kbps": 400, "duration": count / fps / 2}
        for i in range(2)
    ]
    wait = {"media_time": 2 / fps, "duration": 3 / fps}
    wanted = msgspec.convert({"segments": halves, "stalls": [wait], "shown": "spinner"}, Session)
    render_file(tmp_path / "c.mp4", wanted, tmp_path / "s.mp4")
    media = inspect(tmp_path / "s.mp4", "s.mp4")
    assert (media.width, media.height, media.fps, media.frames) == (width, height, fps, count + 3)


def test_a_spinner_turns_once_a_second_and_leaves_the_frame_dark(real_clips: dict[str, Path]) -> None:
    path = real_clips["carphone_pristine"]
    wanted = session(stalls=[{"media_time": 1.0, "duration": 2.0}], shown="spinner")
    shown = [f.planes()[0].astype(int) for f in render(lambda: frames_of(path), wanted, plan_of(wanted, 120, FPS))]
    before, waits = shown[29], shown[30:90]
    assert np.array_equal(waits[0], waits[30])
    assert len({luma.tobytes() for luma in waits}) == 12
    dark = 16 + np.maximum(before - 16, 0) // 2
    assert 0 < (waits[0] != dark).mean() < 0.02


def test_a_frozen_wait_before_the_first_frame_is_black() -> None:
    frames = list(frames_of_rgb([np.full((48, 64, 3), value, np.uint8) for value in range(50, 150)]))
    one = {"representation": 0, "width": 64, "height": 48, "bitrate_kbps": 500, "duration": 4.0}
    wanted = msgspec.convert({"segments": [one], "initial_buffering": 1}, Session)
    shown: list[Frame] = list(render(lambda: frames, wanted, plan_of(wanted, 100, 25)))
    assert all((frame.rgb() == 0).all() for frame in shown[:25])
    assert shown[25].rgb().mean() > 40


MASKED = """
import ctypes, sys
from pathlib import Path
import msgspec
import dataset_builder.encode as encode
import dataset_builder.streaming.render as sessions
from schemas.session import Session
if sys.argv[4] == "masked":
    [library] = {line.split()[-1] for line in open("/proc/self/maps") if "libavutil" in line}
    ctypes.CDLL(library).av_force_cpu_flags(0)
    encode.X264 += ":asm=0"
sessions.render_file(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Session), Path(sys.argv[3]))
"""


@pytest.mark.full
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="masks the processor by what Linux offers")
def test_the_same_bytes_whatever_the_processor_can(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    wanted = session(**WAITS, initial_buffering=0.4, shown="spinner")
    plain = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-FMA,-FMA4,-AVX,-SSE4_2"
    found = set()
    for mask in ("free", "masked"):
        out = tmp_path / f"{mask}.mp4"
        told = {} if mask == "free" else {"GLIBC_TUNABLES": plain, "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"}
        clip = str(real_clips["carphone_pristine"])
        subprocess.run(
            [sys.executable, "-c", MASKED, clip, msgspec.json.encode(wanted).decode(), str(out), mask],
            env={**os.environ, "PYTHONPATH": str(ROOT), **told},
            check=True,
            timeout=300,
        )
        found.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(found) == 1


def test_the_command_renders_and_tells(tmp_path: Path, real_clips: dict[str, Path], vqa2: Cli) -> None:
    (tmp_path / "s.json").write_bytes(msgspec.json.encode(session(**WAITS)))
    clip, out = real_clips["carphone_pristine"], tmp_path / "out.mp4"
    ran = vqa2("session", "render", clip, tmp_path / "s.json", "--out", out, "--json")
    assert ran.returncode == 0, ran.stderr
    told = orjson.loads(ran.stdout)
    assert told["frames"] == len(told["flags"]) == len(list(rgb_frames(out))) == 120 + 57
    assert told["stalls"] == [[30 / FPS, 21 / FPS], [111 / FPS, 36 / FPS]]
    assert [row["asked"] for row in told["kbps"]] == [150, 25, 60]
    assert vqa2("session", "render", clip, tmp_path / "no.json", "--out", out).returncode == 2
    (tmp_path / "s.json").write_text('{"segments": []}')
    refused = vqa2("session", "render", clip, tmp_path / "s.json", "--out", out)
    assert refused.returncode == 1
    assert "a session has at least one" in refused.stderr


def test_a_still_image_is_refused(tmp_path: Path, photograph: Path) -> None:
    with pytest.raises(DataError, match="a still image is not streamed"):
        render_file(photograph, session(), tmp_path / "s.mp4")


def test_a_fixed_rate_factor_still_gives_every_frame(real_clips: dict[str, Path]) -> None:
    assert sum(1 for _ in through_codec(frames_of(real_clips["carphone_pristine"]), FPS, 30)) == 120


def test_times_are_taken_as_they_are_written() -> None:
    tenth = [LADDER[0] | {"duration": 0.1}] * 10
    wanted = msgspec.convert({"segments": tenth}, Session)
    assert plan_of(wanted, 25, 25).segments == (3, 2, 3, 2, 3, 2, 3, 2, 3, 2)
    assert Fraction(str(0.1)) * 25 == Fraction(5, 2)
