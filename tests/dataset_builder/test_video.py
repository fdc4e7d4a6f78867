"""Reading real clips: the published index rule, both dense forms, and every odd file handled or refused by name."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from PIL import Image

from dataset_builder.video import DENSE_FORMS, DenseForm, MediaError, inspect, read_clip


def encode(
    path: Path,
    frames: np.ndarray,
    rate: Fraction | int = 10,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times: list[int] | None = None,
    rotation: int | None = None,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], pixel_format
        if times:
            stream.time_base = Fraction(1, 1000)
            stream.codec_context.time_base = Fraction(1, 1000)
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            if times:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def picture(count: int = 12, height: int = 48, width: int = 64) -> np.ndarray:
    """A bright top left corner on a ramp that moves: orientation and order can be seen."""
    ramp = np.linspace(30, 120, width, dtype=np.uint8)[None, :, None].repeat(height, 0).repeat(3, 2)
    frames = np.stack([np.roll(ramp, 3 * i, axis=1) for i in range(count)])
    frames[:, : height // 3, : width // 3] = 250
    return frames


def test_key_frames_follow_the_published_rule_and_equal_full_decoding(real_clips: dict[str, Path]) -> None:
    for name, wanted in {"bigbuckbunny": 6, "bikes": 10, "carphone_pristine": 4}.items():
        clip = read_clip(real_clips[name])
        with av.open(str(real_clips[name])) as container:
            full = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        step = round(clip.fps)
        assert clip.key_indices == list(range(0, len(full), step))
        assert len(clip.keys) == wanted == -(-clip.frames // step)
        for index, key in zip(clip.key_indices, clip.keys, strict=True):
            assert np.array_equal(key, full[index])


@pytest.mark.parametrize("name", DENSE_FORMS)
def test_dense_frames_come_in_the_declared_form(real_clips: dict[str, Path], name: str) -> None:
    form = DENSE_FORMS[name]
    clip = read_clip(real_clips["carphone_pristine"], form, keys=False)
    assert clip.keys == []
    assert clip.dense is not None
    shape = (3, 384, 384) if name == "upstream" else (336, 224)
    assert clip.dense.shape == (120, *shape)
    with av.open(str(real_clips["carphone_pristine"])) as container:
        frame = list(container.decode(video=0))[57]
    assert clip.dense[57].shape == shape
    pixels = "bgr24" if name == "upstream" else form.pixels
    wanted = VideoReformatter().reformat(frame, form.size, form.size, pixels, interpolation=form.filter).to_ndarray()
    assert np.array_equal(clip.dense[57], wanted[..., ::-1].transpose(2, 0, 1) if name == "upstream" else wanted)
    if name == "upstream":
        whole = Image.fromarray(frame.to_ndarray(format="rgb24")).resize((384, 384), Image.Resampling.BICUBIC)
        assert np.abs(clip.dense[57].transpose(1, 2, 0).astype(int) - np.asarray(whole)).mean() < 1.5


def test_what_inspection_tells(real_clips: dict[str, Path], photograph: Path) -> None:
    media = inspect(real_clips["bigbuckbunny"], "x.mp4")
    assert (media.width, media.height, media.frames, media.fps, media.duration) == (1280, 720, 132, 25.0, 5.28)
    assert (media.kind, media.codec, media.pixel_format, media.variable_frame_rate) == (
        "video",
        "h264",
        "yuv420p",
        False,
    )
    still = inspect(photograph, "x.png")
    assert (still.kind, still.frames, still.fps, still.width, still.height) == ("image", 1, 1.0, 451, 300)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_metadata_is_applied(tmp_path: Path, turn: int) -> None:
    plain = encode(tmp_path / "plain.mp4", picture())
    turned = tmp_path / "turned.mp4"
    write_rotated(plain, turned, turn)
    upright, media = read_clip(plain, DenseForm(32, "AREA", "yuv420p")), inspect(turned, "x.mp4")
    clip = read_clip(turned, DenseForm(32, "AREA", "yuv420p"))
    rgb = read_clip(turned, DenseForm(32, "AREA", "rgb24"))
    k = -turn // 90
    assert np.array_equal(clip.keys[0], np.rot90(upright.keys[0], k))
    assert (media.height, media.width) == clip.keys[0].shape[:2]
    assert media.rotation == turn
    assert clip.dense is not None
    assert upright.dense is not None
    assert rgb.dense is not None
    assert np.array_equal(clip.dense[0][:32], np.rot90(upright.dense[0][:32], k))
    luma = rgb.dense[0].mean(axis=0)
    assert abs(luma - clip.dense[0][:32]).mean() < 25  # the same way up, not the same range


def write_rotated(source: Path, target: Path, turn: int) -> None:
    """Set the display matrix in the track header of an MP4: what a phone writes."""
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    cos = {90: 0, 180: -1, 270: 0}[turn]
    sin = {90: 1, 180: 0, 270: -1}[turn]
    for index, value in zip((0, 1, 3, 4), (cos, sin, -sin, cos), strict=True):
        data[at + 4 * index : at + 4 * index + 4] = (value << 16 & 0xFFFFFFFF).to_bytes(4, "big")
    target.write_bytes(data)


def test_ten_bit_odd_sizes_and_other_codecs_are_read(tmp_path: Path) -> None:
    ten = encode(tmp_path / "ten.mkv", picture(), codec="libx265", pixel_format="yuv420p10le")
    assert inspect(ten, "x").pixel_format == "yuv420p10le"
    assert read_clip(ten, DENSE_FORMS["lean"]).keys[0].dtype == np.uint8
    odd = encode(tmp_path / "odd.mkv", picture(height=47, width=63), codec="ffv1", pixel_format="yuv444p")
    assert read_clip(odd).keys[0].shape == (47, 63, 3)
    vp9 = encode(tmp_path / "vp9.webm", picture(), codec="libvpx-vp9")
    assert inspect(vp9, "x").frames == 12


def test_a_variable_frame_rate_is_read_frame_by_frame_and_said(tmp_path: Path) -> None:
    times = [0, 100, 200, 300, 1000, 1100, 1200, 1900, 2000, 2100, 2200, 2300]
    path = encode(tmp_path / "vfr.mkv", picture(), times=times)
    media = inspect(path, "x")
    assert media.variable_frame_rate
    assert media.frames == 12 == read_clip(path).frames


def test_one_frame_and_short_clips(tmp_path: Path) -> None:
    one = encode(tmp_path / "one.mp4", picture(1))
    assert inspect(one, "x").frames == 1
    clip = read_clip(one, DENSE_FORMS["lean"])
    assert clip.key_indices == [0]
    assert clip.dense is not None
    assert len(clip.dense) == 1


def test_names_that_mean_something_to_ffmpeg(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    for name in ("-i.mp4", "a:b.mp4", "frame%03d.mp4", "http:x.mp4", "ü ñ.mp4", "pipe:0"):
        path = tmp_path / name
        path.write_bytes(real_clips["carphone_pristine"].read_bytes())
        assert inspect(path, "x").frames == 120


def test_unreadable_files_are_refused_by_name(tmp_path: Path, real_clips: dict[str, Path], own_folder: Path) -> None:
    whole = real_clips["bikes"].read_bytes()
    clips = own_folder / "clips"
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole[:30000] + bytes(400_000) + whole[430_000:])
    playlist = tmp_path / "list.mp4"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nother.ts\n#EXT-X-ENDLIST\n")
    for path, reason in {
        clips / "cut.mp4": "no readable video",
        clips / "text.mp4": "no readable video",
        clips / "empty.mp4": "the file is empty",
        clips / "sound.wav": "there is no video stream in it \\(audio only\\)",
        tmp_path / "missing.mp4": "cannot be read",
        tmp_path: "cannot be read|no readable video",
        broken: "decoding fails|truncated|no readable video",
        playlist: "playlist|no readable video",
    }.items():
        with pytest.raises(MediaError, match=reason):
            inspect(path, "x")


def test_a_file_cut_in_its_middle_is_truncated_not_short(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    """Header first, as streaming writes it, or no header at all: the end is missing either way."""
    fast = tmp_path / "fast.mp4"
    mkv = tmp_path / "whole.mkv"
    for target, options in ((fast, {"movflags": "faststart"}), (mkv, {})):
        with av.open(str(real_clips["bikes"])) as source, av.open(str(target), "w", options=options) as out:
            stream = out.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
        assert inspect(target, "x").frames == 250
        cut = tmp_path / f"cut{target.suffix}"
        cut.write_bytes(target.read_bytes()[: target.stat().st_size // 2])
        with pytest.raises(MediaError, match="truncated|decoding fails"):
            inspect(cut, "x")


def test_peak_memory_is_that_of_the_small_frames(real_clips: dict[str, Path]) -> None:
    """Full-size frames of the whole clip would be 132 x 2.8 MB."""
    script = (
        "import resource, sys; from pathlib import Path; from dataset_builder.video import *\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "read_clip(Path(sys.argv[1]), DENSE_FORMS['lean'])\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(real_clips["bigbuckbunny"])], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 120


def test_cut_pictures_are_truncated_not_grey(tmp_path: Path, photograph: Path) -> None:
    photo, moving = tmp_path / "photo.jpg", tmp_path / "moving.gif"
    with Image.open(photograph) as picture:
        picture.save(photo)
        picture.save(moving, save_all=True, append_images=[picture.rotate(5), picture.rotate(10)], duration=100)
    for path in (photo, moving):
        assert inspect(path, "x").width == 451
        whole = path.read_bytes()
        for share in (0.1, 0.5, 0.95):
            path.write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(MediaError, match="truncated|decoding fails|no readable"):
                inspect(path, "x")


def test_short_matroska_files_are_held_to_their_duration(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mkv", np.random.default_rng(0).integers(0, 255, (16, 96, 96, 3), np.uint8), 8)
    assert inspect(whole, "x").frames == 16
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    with pytest.raises(MediaError, match="truncated|decoding fails"):
        inspect(cut, "x")


def test_a_variable_frame_rate_lasts_as_long_as_its_times(tmp_path: Path) -> None:
    path = encode(tmp_path / "vfr.mkv", picture(4), times=[0, 100, 200, 2000])
    assert inspect(path, "x").duration > 2


def test_a_clip_that_is_damaged_in_its_middle_is_refused_by_name(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    content = bytearray(real_clips["bikes"].read_bytes())
    for place in range(20_000, 30_000, 501):
        content[place] ^= 255
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    with pytest.raises(MediaError, match=r"damaged: \d+ of \d+ frames do not decode whole|decoding fails"):
        inspect(damaged, "damaged.mp4")


def test_a_size_that_none_can_have_is_damage_not_want_of_memory(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    """FFmpeg tells both alike. Where there is little memory it cannot be told, and the clip is worth another try."""
    content = bytearray(real_clips["bikes"].read_bytes())
    entries = content.find(b"stts") + 8
    content[entries : entries + 4] = (2**28 - 1).to_bytes(4, "big")  # of 8 bytes each
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    with pytest.raises(MediaError, match="it states a size that no clip has"):
        read_clip(damaged)
    script = (
        "import resource, sys; from pathlib import Path; from dataset_builder.video import read_clip\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "try: read_clip(Path(sys.argv[1]))\n"
        "except MemoryError: print('no memory')"
    )
    done = subprocess.run([sys.executable, "-c", script, str(damaged)], capture_output=True, text=True, check=True)
    assert done.stdout == "no memory\n"
