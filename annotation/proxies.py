"""Stand-ins for clips that browsers do not play, or not frame by frame: near-lossless H.264 of the same size.

Nothing is scaled. What is lost: what lies beyond 8 bits, chroma finer than 4:2:0, and the sound. Clips whose frames
last differently get a constant rate at which no frame is lost where there is one; a frame is shown as long as before,
so a time in the proxy is the same time in the clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from dataset_builder.clip_stages import ChangedError, hash_work, sha256_of, tools
from dataset_builder.encode import CARRIER_PRESET, X264, exact_rate, named_by_bytes
from dataset_builder.engine import Item, LocalEngine, Stage, Work, run_stage, source_digest
from dataset_builder.frame import Frame, frames_of
from dataset_builder.progress import Advance, Tracker, untracked
from dataset_builder.video import MediaError
from dataset_builder.video.opening import frame_rate, opened
from dataset_builder.video.opening import frames_of as decoded_frames_of
from schemas.errors import DataError
from schemas.record import Media, Record

CRF = 10
"""x264 rate factor of proxies: at least 42 dB luma PSNR to the clip (held by a test)."""
_AV1 = frozenset({"yuv420p", "yuv420p10le"})
PLAYED: dict[str, frozenset[str]] = {
    "h264": frozenset({"yuv420p", "yuvj420p"}),
    "vp8": frozenset({"yuv420p"}),
    "vp9": frozenset({"yuv420p"}),
    "av1": _AV1,
    "libdav1d": _AV1,
}
"""Decoders' names and pixel formats that browsers have too; all but vp8 tried in Chromium."""
CONTAINERS = frozenset({"mp4", "matroska"})
"""What browsers open, by the names of FFmpeg; `mov` and `webm` are read by the same demuxers."""
RATES = tuple(Fraction(*rate) for rate in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1)))
FASTEST = (Fraction(60000, 1001), Fraction(60), Fraction(120))
"""Rates that a clip of uneven frames may get, slowest first; beyond the last one frames are lost."""
RGB_MATRIX, SD_MATRIX = 0, 6
"""Code points of ITU-T H.273: no matrix (RGB), and the matrix of ITU-R BT.601, by which swscale makes luma of RGB."""
RENDERING = ("annotation.proxies", "dataset_builder.encode", "dataset_builder.frame", "dataset_builder.video")


@dataclass(frozen=True)
class Proxy:
    """The file that is played in a clip's place: its path below the folder of media, hash, rate and frames.

    `dropped` counts frames of the clip that it does not show. `reason` says why the clip itself is not played.
    """

    path: str
    sha256: str
    fps: float
    frames: int
    dropped: int
    reason: str


def unplayable(media: Media, container: str) -> str | None:
    """Say why browsers do not play a clip as raters need it, or None if they do; `container` is FFmpeg's name."""
    if media.variable_frame_rate:
        return "its frames last differently"
    if media.codec not in PLAYED:
        return f"browsers do not play {media.codec}"
    # Odd sizes have no 4:2:0, so that a proxy would be no better.
    odd = media.codec == "h264" and media.pixel_format == "yuv444p" and (media.width % 2 or media.height % 2)
    if media.pixel_format not in PLAYED[media.codec] and not odd:
        return f"browsers do not play {media.codec} in {media.pixel_format}"
    if not CONTAINERS & set(container.split(",")):
        return f"browsers do not open {container.partition(',')[0]} files"
    return None


def make_proxies(
    records: Sequence[Record],
    files: Mapping[str, Path],
    out: Path,
    work: Path,
    *,
    workers: int | None = None,
    timeout: float = 600.0,
    track: Tracker = untracked,
) -> dict[str, Proxy]:
    """Look at the file of every record, and make proxies below `out` where they are needed: gives them by record id.

    What earlier runs left in `work` is not redone. Raises DataError naming every file that is not its record's, or
    cannot be read.
    """
    look = Stage("look", "annotation.proxies:look_at", source_digest("annotation.proxies", "dataset_builder.video"))
    items = [
        Work(record.id, {**hash_work(record.id, files[record.id]).content}, {"path": str(files[record.id])})
        for record in records
    ]
    engine = LocalEngine(workers)
    seen = _run(look, items, work, engine, track("looking at clips", len(items)))
    problems, reasons = [], {}
    for record in records:
        found = seen[record.id]
        if found["sha256"] != record.media.sha256:
            problems.append(f"{record.id}: {record.media.path} is not the file that its record tells of: build again")
        elif reason := unplayable(record.media, found["container"]):
            reasons[record.id] = reason
    if problems:
        raise DataError("\n".join(problems))
    stage = Stage("proxy", "annotation.proxies:make_proxy", source_digest(*RENDERING), {"tools": tools()}, timeout)
    items = [
        Work(
            record.id,
            {"sha256": record.media.sha256, "uneven": record.media.variable_frame_rate},
            {"path": str(files[record.id]), "out_folder": str(out), "files_folder": str(out)},
        )
        for record in records
        if record.id in reasons
    ]
    made = _run(stage, items, work, engine, track("making proxies", len(items))) if items else {}
    return {
        record_id: Proxy(
            path=result["path"],
            sha256=result["sha256"],
            fps=result["fps"],
            frames=result["frames"],
            dropped=result["dropped"],
            reason=reasons[record_id],
        )
        for record_id, result in made.items()
    }


def look_at(item: Item) -> Item:
    """Say what a file is, as work for the engine: {path} to {sha256, container}. Raises DataError."""
    path = Path(item["path"])
    try:
        sha256 = sha256_of(path)
    except OSError as error:
        raise DataError(f"the file cannot be read ({error.strerror})") from None
    with opened(path) as (container, _):
        return {"sha256": sha256, "container": container.format.name}


def make_proxy(item: Item) -> Item:
    """Make the proxy of a clip, as work for the engine: {path, sha256, uneven, out_folder} to what a Proxy holds."""
    path, out = Path(item["path"]), Path(item["out_folder"])
    if sha256_of(path) != item["sha256"]:
        raise ChangedError("the file changed while proxies were made: run again")
    told: Item = {}
    named = named_by_bytes(out, ".mp4", lambda file: told.update(write_proxy(path, file, uneven=item["uneven"])))
    return {**named, **told, "files": {named["path"]: (out / named["path"]).stat().st_size}}


def write_proxy(path: Path, file: Path, *, uneven: bool) -> Item:
    """Encode a clip for browsers: gives {fps, frames, dropped}. Raises MediaError."""
    with opened(path) as (container, stream):
        rate, aspect = exact_rate(float(frame_rate(stream))), stream.sample_aspect_ratio
        times = [frame.time for frame in decoded_frames_of(container, stream)] if uneven else []
    if uneven:
        rate, shown = even(times)
        frames = _repeated(frames_of(path), shown)
    else:
        shown, frames = [], frames_of(path)
    count = _encode(frames, rate, aspect, file)
    dropped = len(times) - len(set(shown)) if uneven else 0
    return {"fps": float(rate), "frames": count, "dropped": dropped}


def even(times: Sequence[float | None]) -> tuple[Fraction, list[int]]:
    """Choose a constant rate for frames at `times` (seconds), and say which frame each of its slots shows.

    The slowest rate that shows every frame is taken, or the fastest there is. A slot shows the last frame that has
    begun by its middle; the last frame lasts as long as the one before it. Raises MediaError for a clip without times.
    """
    starts = [time for time in times if time is not None]
    if len(starts) < len(times) or not starts:
        raise MediaError("its frames have no times")
    starts = sorted(start - min(starts) for start in starts)
    end = starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else 1 / float(RATES[0]))
    shown: list[int] = []
    for rate in (*RATES, *FASTEST):
        shown = _slots(starts, end, rate)
        if len(set(shown)) == len(starts):
            break
    return rate, shown


def _slots(starts: Sequence[float], end: float, rate: Fraction) -> list[int]:
    shown, at = [], 0
    for slot in range(max(1, round(end * rate))):
        middle = (slot + 0.5) / float(rate)
        while at + 1 < len(starts) and starts[at + 1] <= middle:
            at += 1
        shown.append(at)
    return shown


def _repeated(frames: Iterator[Frame], shown: Sequence[int]) -> Iterator[Frame]:
    """Give frames as often as `shown` names their index."""
    at, frame = -1, None
    for wanted in shown:
        while at < wanted:
            frame, at = next(frames), at + 1
        assert frame is not None
        yield frame


def _encode(frames: Iterator[Frame], rate: Fraction, aspect: Fraction | None, file: Path) -> int:
    """Write frames with a key frame a second, so that browsers find each one fast; gives their number."""
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    settings = {"crf": str(CRF), "preset": CARRIER_PRESET, "g": str(max(1, round(rate))), "x264-params": X264}
    count = 0
    with av.open(str(file), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=rate)
        codec = stream.codec_context
        for frame in frames:
            if count == 0:
                codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, frame.video_format
                codec.thread_count, codec.options = 1, settings
                if aspect:
                    codec.sample_aspect_ratio = aspect
                if frame.colour:
                    primaries, transfer, matrix = frame.colour
                    codec.color_primaries, codec.color_trc = primaries, transfer
                    codec.colorspace = SD_MATRIX if matrix == RGB_MATRIX else matrix
            picture = frame.picture(frame.video_format)
            picture.pts, picture.time_base, picture.pict_type = count, 1 / rate, 0
            container.mux(stream.encode(picture))
            count += 1
        if count == 0:
            raise MediaError("no frame decodes")
        container.mux(stream.encode())
    return count


def _run(stage: Stage, items: Sequence[Work], work: Path, engine: LocalEngine, advance: Advance) -> dict[str, Item]:
    """Run a stage over all items. Raises DataError naming every item that failed."""
    done = run_stage(stage, items, work, engine=engine, told=lambda outcome: advance(failed=outcome.error is not None))
    results, problems = {}, []
    for item_id, outcome in done.outcomes():
        if outcome.result is None:
            problems.append(f"{item_id}: {outcome.error}")
        else:
            results[item_id] = outcome.result
    if problems:
        raise DataError("\n".join(problems))
    return results
