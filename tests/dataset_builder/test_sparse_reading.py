"""Sparse reading: the bits of a full decode, whatever made the file, and a full decode wherever that is doubtful."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from dataset_builder.video import MediaError, Pixels, read_clip
from dataset_builder.video.access import DoubtfulError
from dataset_builder.video.opening import opened
from dataset_builder.video.sparse import every_nth_frame
from tests.dataset_builder.test_video import write_rotated

FRAMES, RATE, WIDTH, HEIGHT = 90, 8, 160, 96
TICK = Fraction(1, 1000)


@dataclass(frozen=True)
class Encode:
    """How a clip is made, and whether it may be read sparsely."""

    suffix: str
    codec: str
    options: dict[str, str] = field(default_factory=dict)
    pixel_format: str = "yuv420p"
    sparse: bool = True


X264 = {"preset": "fast"}
X265 = "log-level=none:pools=none:frame-threads=1"
ENCODES = {
    "h264 long GOP, B-pyramid": Encode("mp4", "libx264", {**X264, "g": "250", "bf": "3", "b-pyramid": "normal"}),
    "h264 two GOPs, strict pyramid": Encode("mp4", "libx264", {**X264, "g": "40", "bf": "5", "b-pyramid": "strict"}),
    "h264 open GOP": Encode("mp4", "libx264", {**X264, "g": "17", "bf": "3", "x264-params": "open-gop=1"}),
    "h264 open GOP in TS": Encode("ts", "libx264", {**X264, "g": "17", "bf": "3", "x264-params": "open-gop=1"}),
    "h264 intra-refresh": Encode("mp4", "libx264", {**X264, "g": "20", "x264-params": "intra-refresh=1"}),
    "h264 intra-refresh in TS": Encode("ts", "libx264", {**X264, "g": "20", "x264-params": "intra-refresh=1"}),
    "h264 baseline": Encode("mov", "libx264", {**X264, "g": "20", "profile": "baseline"}),
    "h264 all intra": Encode("mp4", "libx264", {**X264, "g": "1"}),
    "h264 slices, many references": Encode("mkv", "libx264", {"g": "30", "refs": "8", "bf": "8", "slices": "4"}),
    "h264 zero latency": Encode("mkv", "libx264", {**X264, "tune": "zerolatency", "g": "12"}),
    "h264 ten bit": Encode("mkv", "libx264", {**X264, "g": "20"}, "yuv420p10le"),
    "h264 in TS": Encode("ts", "libx264", {**X264, "g": "20", "bf": "3"}),
    "h264 interlaced": Encode("mp4", "libx264", {**X264, "g": "30", "flags": "+ildct+ilme"}, sparse=False),
    "h264 in AVI": Encode("avi", "libx264", {**X264, "g": "20", "bf": "0"}, sparse=False),
    "hevc open GOP": Encode("mp4", "libx265", {"preset": "fast", "x265-params": f"{X265}:keyint=14:min-keyint=14"}),
    "hevc closed GOP": Encode("mkv", "libx265", {"preset": "fast", "x265-params": f"{X265}:keyint=14:open-gop=0"}),
    "hevc leading pictures": Encode(
        "mp4", "libx265", {"preset": "fast", "x265-params": f"{X265}:keyint=14:open-gop=0:radl=2:bframes=4"}
    ),
    "hevc temporal layers": Encode(
        "mp4", "libx265", {"preset": "fast", "x265-params": f"{X265}:keyint=24:temporal-layers=3:b-adapt=0:bframes=3"}
    ),
    "hevc in TS": Encode("ts", "libx265", {"preset": "fast", "x265-params": f"{X265}:keyint=14"}),
    "vp9 hidden frames": Encode("webm", "libvpx-vp9", {"g": "30", "lag-in-frames": "16", "auto-alt-ref": "1"}),
    "vp9 in MP4": Encode("mp4", "libvpx-vp9", {"g": "16", "deadline": "realtime", "cpu-used": "6"}),
    "vp9 profile 1": Encode("mkv", "libvpx-vp9", {"g": "16", "cpu-used": "5"}, "yuv444p"),
    "av1 closed GOP": Encode("mp4", "libsvtav1", {"g": "16", "preset": "12", "svtav1-params": "irefresh-type=2"}),
    "av1 forward key frames": Encode(
        "mkv", "libsvtav1", {"g": "32", "preset": "12", "svtav1-params": "irefresh-type=1"}
    ),
    "mpeg4 B-frames in AVI": Encode("avi", "mpeg4", {"g": "20", "bf": "2"}, sparse=False),
    "mpeg2 in TS": Encode("ts", "mpeg2video", {"g": "12", "bf": "2"}, sparse=False),
    "mjpeg": Encode("mov", "mjpeg", {}, "yuvj420p", sparse=False),
}


@pytest.fixture(scope="module")
def pictures(real_clips: dict[str, Path]) -> list[Pixels]:
    with av.open(str(real_clips["bikes"])) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(FRAMES), strict=False)]
    return [frame.reformat(WIDTH, HEIGHT, "rgb24").to_ndarray() for frame in frames]


def written(path: Path, how: Encode, pictures: Iterable[Pixels], times: list[int] | None = None) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(how.codec, rate=RATE, options=how.options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, how.pixel_format
        stream.codec_context.thread_count = 1
        if times:
            stream.time_base = stream.codec_context.time_base = TICK
        for index, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            if times:
                frame.pts, frame.time_base = times[index], TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remuxed(source: Path, target: Path, shift: float = 0.0, skip: int = 0, keep: int | None = None) -> Path:
    """Copy packets, `skip` left out at the start, at most `keep` of them, all earlier by `shift` seconds."""
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"} if shift else {}
    with av.open(str(source)) as given, av.open(str(target), "w", options=options) as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        packets = [packet for packet in given.demux(given.streams.video[0]) if packet.size]
        for packet in packets[skip:][:keep]:
            assert packet.pts is not None
            packet.pts -= round(shift / packet.time_base)
            packet.dts = None if packet.dts is None else packet.dts - round(shift / packet.time_base)
            packet.stream = stream
            out.mux(packet)
    return target


def small(frame: Pixels) -> bytes:
    return Image.fromarray(frame).resize((48, 48), Image.Resampling.BICUBIC).tobytes()


def all_frames(path: Path) -> list[Pixels]:
    """Decode a clip in full, without any of the code under test."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        decoded = list(container.decode(stream))
        return [np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90) for frame in decoded]


def is_sparse(path: Path) -> bool:
    try:
        with opened(path) as (container, stream):
            for _ in every_nth_frame(container, stream, RATE)[2]:
                pass
    except DoubtfulError:
        return False
    return True


def held_to_full_decode(path: Path, sparse: bool) -> None:
    clip, full = read_clip(path, each_key=small), all_frames(path)
    assert clip.frames == len(full) > RATE
    assert clip.key_indices == list(range(0, len(full), round(clip.fps)))
    assert clip.keys == [small(np.ascontiguousarray(full[index])) for index in clip.key_indices]
    assert is_sparse(path) == sparse


@pytest.mark.parametrize("name", ENCODES)
def test_key_frames_are_those_of_a_full_decode(tmp_path: Path, pictures: list[Pixels], name: str) -> None:
    how = ENCODES[name]
    held_to_full_decode(written(tmp_path / f"clip.{how.suffix}", how, pictures), how.sparse)


def test_other_containers_times_and_turns(tmp_path: Path, pictures: list[Pixels]) -> None:
    how = ENCODES["h264 two GOPs, strict pyramid"]
    plain = written(tmp_path / "plain.mp4", how, pictures)
    for suffix in ("mov", "mkv", "ts"):
        held_to_full_decode(remuxed(plain, tmp_path / f"copy.{suffix}"), sparse=True)
    draw = np.random.default_rng(0)
    uneven = [int(time) for time in np.cumsum(draw.integers(20, 400, len(pictures)))]
    held_to_full_decode(written(tmp_path / "uneven.mkv", how, pictures, uneven), sparse=True)
    held_to_full_decode(written(tmp_path / "uneven.mp4", how, pictures, uneven), sparse=True)
    write_rotated(plain, tmp_path / "turned.mp4", 90)
    held_to_full_decode(tmp_path / "turned.mp4", sparse=True)


def test_what_is_doubtful_is_decoded_in_full(tmp_path: Path, pictures: list[Pixels]) -> None:
    how = ENCODES["h264 in TS"]
    plain = written(tmp_path / "plain.mp4", how, pictures)
    hidden = remuxed(plain, tmp_path / "edit_list.mp4", shift=0.5)
    assert len(all_frames(hidden)) < FRAMES
    held_to_full_decode(hidden, sparse=False)
    headless = remuxed(written(tmp_path / "plain.ts", how, pictures), tmp_path / "headless.ts", skip=7)
    held_to_full_decode(headless, sparse=False)
    open_gop = remuxed(
        written(tmp_path / "open.mp4", ENCODES["hevc open GOP"], pictures), tmp_path / "led.mkv", skip=14
    )
    held_to_full_decode(open_gop, sparse=False)
    crowded = written(tmp_path / "crowded.mkv", how, pictures, [2 * i // 3 for i in range(FRAMES)])
    assert not is_sparse(crowded)


def test_parameter_sets_that_change_are_doubtful(tmp_path: Path, pictures: list[Pixels]) -> None:
    one = written(tmp_path / "one.ts", ENCODES["h264 in TS"], pictures[:40])
    other = Encode("ts", "libx264", {**X264, "g": "20", "bf": "3", "refs": "1", "x264-params": "weightp=0:cabac=0"})
    two = written(tmp_path / "two.ts", other, pictures[40:], [125 * i for i in range(40, FRAMES)])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    held_to_full_decode(joined, sparse=False)


def test_a_damaged_clip_never_gives_other_frames_than_it_says(tmp_path: Path, pictures: list[Pixels]) -> None:
    """Sparse reading sees less of the damage than a full decode; it ends with as many key frames, or by name."""
    path = written(tmp_path / "clip.mp4", ENCODES["h264 two GOPs, strict pyramid"], pictures)
    whole = path.read_bytes()
    draw, ended = np.random.default_rng(1), []
    for _ in range(60):
        damaged = bytearray(whole)
        for at in draw.integers(64, len(whole), 8):
            damaged[at] ^= 1 << int(draw.integers(8))
        path.write_bytes(damaged)
        try:
            clip = read_clip(path, each_key=small)
            ended.append("read")
            assert len(clip.keys) == len(clip.key_indices) == -(-clip.frames // max(1, round(clip.fps)))
        except MediaError:
            ended.append("refused")
    assert set(ended) == {"read", "refused"}


def test_each_key_frame_is_given_as_it_comes_and_not_kept(tmp_path: Path, pictures: list[Pixels]) -> None:
    path = written(tmp_path / "clip.mp4", ENCODES["h264 long GOP, B-pyramid"], pictures)
    shapes = read_clip(path, each_key=np.shape)
    assert shapes.keys == [(HEIGHT, WIDTH, 3)] * -(-FRAMES // RATE)
    assert read_clip(path, each_key=partial(np.mean, axis=(0, 1))).keys[0].shape == (3,)
