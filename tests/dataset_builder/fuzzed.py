"""Broken containers: whole ones of many formats, seeded ways to break them, and the look that is taken at one."""

import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.frame import VideoFrame
from PIL import Image

from dataset_builder.video import DENSE_FORMS, MediaError, inspect, read_clip, read_header

FRAMES = 10
CONTAINERS = {
    "h264.mp4": ("libx264", "yuv420p", {"movflags": "+faststart"}),
    "h264-tail.mp4": ("libx264", "yuv420p", {}),
    "h264-fragments.mp4": ("libx264", "yuv420p", {"movflags": "frag_keyframe+empty_moov"}),
    "h264.mov": ("libx264", "yuv444p", {}),
    "h264.mkv": ("libx264", "yuv420p", {}),
    "h264.ts": ("libx264", "yuv420p", {}),
    "hevc.mp4": ("libx265", "yuv420p", {}),
    "hevc.mkv": ("libx265", "yuv420p10le", {}),
    "av1.mp4": ("libsvtav1", "yuv420p", {}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {}),
    "vp8.webm": ("libvpx", "yuv420p", {}),
    "ffv1.mkv": ("ffv1", "yuv444p", {}),
    "prores.mov": ("prores_ks", "yuv422p10le", {}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", {}),
    "mpeg1.mpeg": ("mpeg1video", "yuv420p", {}),
    "wmv2.wmv": ("wmv2", "yuv420p", {}),
    "flv1.flv": ("flv", "yuv420p", {}),
    "raw.y4m": ("wrapped_avframe", "yuv420p", {}),
    "moving.gif": ("gif", "rgb8", {}),
}
"""File name: encoder, pixel format, options of the container."""
PICTURES = ("picture.png", "picture.jpg", "picture.bmp", "picture.webp", "picture.tif")
ODD_NUMBERS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0x00FFFFFF)


def write_whole(folder: Path, clip: Path) -> dict[str, bytes]:
    """Write the first frames of a real clip in every format, and one frame as every kind of picture."""
    frames: list[VideoFrame] = []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            frames.append(frame)
            if len(frames) == FRAMES:
                break
    for name, (codec, pixels, options) in CONTAINERS.items():
        _encode(folder / name, frames, codec, pixels, options)
    for name in PICTURES:
        Image.fromarray(frames[0].to_ndarray(format="rgb24")).save(folder / name)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _encode(path: Path, frames: list[VideoFrame], codec: str, pixels: str, options: dict[str, str]) -> None:
    quiet = {"libx265": {"x265-params": "log-level=none"}}.get(codec, {})
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, pixels
        stream.codec_context.thread_count = 1
        stream.codec_context.options = quiet
        for index, frame in enumerate(frames):
            picture = frame.reformat(format=pixels)
            picture.pts, picture.time_base, picture.pict_type = index, Fraction(1, 25), 0
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def cut(data: bytearray, rng: random.Random) -> None:
    """End the file somewhere."""
    del data[rng.randrange(len(data)) :]


def flip(data: bytearray, rng: random.Random) -> None:
    """Flip a few bits anywhere."""
    for _ in range(rng.randint(1, 24)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_head(data: bytearray, rng: random.Random) -> None:
    """Flip a few bits of the first 600 bytes: what the file says of itself."""
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(min(len(data), 600))] ^= 1 << rng.randrange(8)


def flip_tail(data: bytearray, rng: random.Random) -> None:
    """Flip a few bits of the last 600 bytes: tables and indices."""
    for _ in range(rng.randint(1, 8)):
        data[-1 - rng.randrange(min(len(data), 600))] ^= 1 << rng.randrange(8)


def number(data: bytearray, rng: random.Random) -> None:
    """Put an extreme number in the place of four bytes."""
    at = rng.randrange(max(1, len(data) - 4))
    data[at : at + 4] = rng.choice(ODD_NUMBERS).to_bytes(4, rng.choice(("big", "little")))


def number_head(data: bytearray, rng: random.Random) -> None:
    """Do the same among the first 600 bytes."""
    at = rng.randrange(min(len(data) - 4, 600))
    data[at : at + 4] = rng.choice(ODD_NUMBERS).to_bytes(4, rng.choice(("big", "little")))


def blank(data: bytearray, rng: random.Random) -> None:
    """Overwrite a stretch with one byte, as a disk that lost sectors."""
    at, length = rng.randrange(len(data)), rng.randint(1, len(data) // 3 + 1)
    data[at : at + length] = bytes([rng.choice((0, 255, 71))]) * len(data[at : at + length])


def noise(data: bytearray, rng: random.Random) -> None:
    """Overwrite a stretch with random bytes."""
    at, length = rng.randrange(len(data)), rng.randint(1, 2000)
    data[at : at + length] = rng.randbytes(len(data[at : at + length]))


def drop(data: bytearray, rng: random.Random) -> None:
    """Take a stretch out."""
    at = rng.randrange(len(data))
    del data[at : at + rng.randint(1, len(data) // 3 + 1)]


def insert(data: bytearray, rng: random.Random) -> None:
    """Put random bytes in."""
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.randint(1, 600))


def repeat(data: bytearray, rng: random.Random) -> None:
    """Say a stretch twice."""
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.randint(1, len(data) // 3 + 1)]


def swap(data: bytearray, rng: random.Random) -> None:
    """Let two stretches change places."""
    size = rng.randint(1, len(data) // 4 + 1)
    a, b = sorted(rng.randrange(max(1, len(data) - size)) for _ in range(2))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


MUTATIONS: dict[str, Callable[[bytearray, random.Random], None]] = {
    f.__name__: f
    for f in (cut, flip, flip_head, flip_tail, number, number_head, blank, noise, drop, insert, repeat, swap)
}


def mutated(whole: bytes, mutation: str, seed: str) -> bytes:
    """Break a file in one way, drawn by seed."""
    data = bytearray(whole)
    MUTATIONS[mutation](data, random.Random(seed))
    return bytes(data)


def look(item: dict[str, Any]) -> dict[str, Any]:
    """Break {whole} by {mutation} and {seed} into {path}, and read it in every way that a build or a training does.

    Gives, for each way, `read` or why not; any error but a MediaError is left to the engine, which calls it a defect.
    """
    path = Path(item["path"])
    path.write_bytes(mutated(Path(item["whole"]).read_bytes(), item["mutation"], item["seed"]))
    told = {}
    try:
        for name, way in WAYS.items():
            try:
                way(path)
                told[name] = "read"
            except MediaError as error:
                told[name] = str(error)
    finally:
        path.unlink()
    return told


WAYS: dict[str, Callable[[Path], object]] = {
    "header": read_header,
    "inspect": lambda path: inspect(path, "x"),
    "key frames": read_clip,
    "all frames": lambda path: read_clip(path, DENSE_FORMS["lean"]),
}
