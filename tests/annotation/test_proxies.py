"""Proxies: real clips in codecs that browsers do not play, and what of them is kept."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from annotation.proxies import even, make_proxies, unplayable, write_proxy
from dataset_builder.frame import frames_of
from dataset_builder.video import inspect
from schemas.errors import DataError
from schemas.record import Media, Record

LEAST_LUMA_PSNR = 42.0


def encode(
    source: Path,
    path: Path,
    codec: str,
    pixel_format: str = "yuv420p",
    times: list[int] | None = None,
    aspect: Fraction | None = None,
    frames: int = 30,
    **options: str,
) -> Path:
    """Write the first frames of a clip in another codec, at 25 frames a second or at `times` in milliseconds."""
    pictures = [frame for frame, _ in zip(frames_of(source), range(frames), strict=False)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = pictures[0].width, pictures[0].height, pixel_format
        stream.codec_context.time_base = Fraction(1, 1000 if times else 25)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for index, frame in enumerate(pictures):
            picture = frame.picture("yuv420p").reformat(format=pixel_format)
            picture.pts, picture.time_base = times[index] if times else index, Fraction(1, 1000 if times else 25)
            picture.pict_type = 0
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def luma_psnr(one: Path, other: Path) -> float:
    pairs = zip(frames_of(one), frames_of(other), strict=True)
    errors = [np.square(a.planes()[0].astype(float) - b.planes()[0]).mean() for a, b in pairs]
    return float(10 * np.log10(255**2 / np.mean(errors)))


def record_of(path: Path) -> Record:
    return Record(
        id=f"own/{path.name}",
        source="own",
        licence="private",
        group=path.name,
        split="train",
        media=inspect(path, path.name),
    )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Path:
    """Clips as browsers play them, and as they do not."""
    folder, source = tmp_path_factory.mktemp("clips"), real_clips["carphone_pristine"]
    encode(source, folder / "plain.mp4", "libx264")
    encode(source, folder / "ten.mkv", "libx264", "yuv420p10le")
    encode(source, folder / "wide.avi", "mpeg4", aspect=Fraction(12, 11), b="2M")
    encode(source, folder / "rgb.avi", "ffv1", "bgr0")
    encode(source, folder / "box.ts", "libx264")
    steps = np.cumsum([0] + [120 if index % 10 == 9 else 40 for index in range(29)])
    encode(source, folder / "uneven.mp4", "libx264", times=[int(step) for step in steps])
    return folder


def made(clips: Path, tmp_path: Path, **more: Any) -> dict[str, Any]:
    records = [record_of(path) for path in sorted(clips.iterdir())]
    files = {record.id: clips / record.media.path for record in records}
    return {
        name.partition("/")[2]: proxy
        for name, proxy in make_proxies(records, files, tmp_path / "media", tmp_path / "work", **more).items()
    }


def test_only_what_browsers_do_not_play_gets_a_proxy_that_is_the_same_to_the_eye(clips: Path, tmp_path: Path) -> None:
    proxies = made(clips, tmp_path)
    assert {name: proxy.reason for name, proxy in proxies.items()} == {
        "ten.mkv": "browsers do not play h264 in yuv420p10le",
        "wide.avi": "browsers do not play mpeg4",
        "rgb.avi": "browsers do not play ffv1",
        "box.ts": "browsers do not open mpegts files",
        "uneven.mp4": "its frames last differently",
    }
    for name in ("ten.mkv", "wide.avi", "rgb.avi", "box.ts"):
        proxy, path = proxies[name], tmp_path / "media" / proxies[name].path
        before, after = inspect(clips / name, name), inspect(path, name)
        assert (after.width, after.height, after.frames, after.fps) == (176, 144, before.frames, before.fps)
        assert (after.codec, after.pixel_format, after.sha256) == ("h264", "yuv420p", proxy.sha256)
        assert (proxy.frames, proxy.fps, proxy.dropped) == (before.frames, before.fps, 0)
        assert luma_psnr(clips / name, path) >= LEAST_LUMA_PSNR
        assert unplayable(after, "mov,mp4,m4a,3gp,3g2,mj2") is None


def test_pixels_that_are_not_square_stay_so(clips: Path, tmp_path: Path) -> None:
    write_proxy(clips / "wide.avi", tmp_path / "p.mp4", uneven=False)
    with av.open(str(tmp_path / "p.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(12, 11)


def test_a_moment_of_an_uneven_clip_is_the_same_moment_in_its_proxy(clips: Path, tmp_path: Path) -> None:
    told = write_proxy(clips / "uneven.mp4", tmp_path / "p.mp4", uneven=True)
    with av.open(str(clips / "uneven.mp4")) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    before = [frame.planes()[0].astype(float) for frame in frames_of(clips / "uneven.mp4")]
    after = [frame.planes()[0].astype(float) for frame in frames_of(tmp_path / "p.mp4")]
    assert not inspect(tmp_path / "p.mp4", "p").variable_frame_rate
    assert (told["frames"], told["dropped"], told["fps"]) == (len(after), 0, 25)
    for index, picture in enumerate(after):
        middle = (index + 0.5) / told["fps"]
        shown = max(at for at, time in enumerate(times) if time <= middle)
        errors = [np.abs(picture - other).mean() for other in before]
        assert int(np.argmin(errors)) == shown


def test_uneven_frames_get_the_slowest_rate_that_shows_them_all() -> None:
    rate, shown = even([0.0, 0.04, 0.08, 0.2, 0.24])
    assert (rate, len(shown), set(shown)) == (Fraction(24000, 1001), 7, set(range(5)))
    assert shown == sorted(shown)
    assert even([0.0, 0.034, 0.067, 0.1, 0.25]) == (Fraction(30000, 1001), [0, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4])
    fast, shown = even([0.0, 0.001, 0.002, 0.5])
    assert fast == 120
    assert len(set(shown)) < 4


def test_proxies_are_not_made_twice_and_come_back_when_they_are_gone(clips: Path, tmp_path: Path) -> None:
    first = made(clips, tmp_path)
    path = tmp_path / "media" / first["rgb.avi"].path
    kept = {name: (tmp_path / "media" / p.path).stat().st_mtime_ns for name, p in first.items() if name != "rgb.avi"}
    content = path.read_bytes()
    path.unlink()
    again = made(clips, tmp_path)
    assert again == first
    assert path.read_bytes() == content
    assert all((tmp_path / "media" / again[name].path).stat().st_mtime_ns == time for name, time in kept.items())


def test_a_file_that_is_not_its_records_is_named(clips: Path, tmp_path: Path) -> None:
    record = record_of(clips / "plain.mp4")
    with pytest.raises(DataError, match=r"own/plain.mp4: .*not the file"):
        make_proxies([record], {record.id: clips / "box.ts"}, tmp_path / "media", tmp_path / "work")


@pytest.mark.parametrize(
    ("codec", "pixel_format", "width", "plays"),
    [
        ("h264", "yuv444p", 451, True),
        ("h264", "yuv444p", 450, False),
        ("libdav1d", "yuv420p10le", 450, True),
        ("vp9", "yuv420p", 450, True),
        ("hevc", "yuv420p", 450, False),
    ],
)
def test_what_plays(codec: str, pixel_format: str, width: int, plays: bool) -> None:
    media = Media(
        path="a.mkv",
        sha256="0",
        bytes=1,
        kind="video",
        width=width,
        height=300,
        fps=25,
        frames=10,
        duration=0.4,
        codec=codec,
        pixel_format=pixel_format,
    )
    assert (unplayable(media, "matroska,webm") is None) == plays
