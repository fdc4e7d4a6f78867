"""Sparse reading: some frames of a clip, the same bits as a full decode gives, at about half its cost.

All packets are read, few are decoded: those from the last point at or before a wanted frame where decoding can begin,
up to the wanted frame; of these, frames that no other refers to are left out. Frames are matched by their times, so
this is done only where packets and times can be relied on: H.264, HEVC, VP9 and AV1 in MP4, MOV, Matroska, WebM and
MPEG-TS. Whatever looks odd (a packet without a time, two of one time, edit lists that hide packets, interlaced or
corrupt frames, parameter sets that change, more reordering than the decoder was told of, a wanted frame that does not
come out) is left to a full decode by raising DoubtfulError. Not seen: a stream that orders its decoder to drop frames
at a key frame (no_output_of_prior_pics_flag), which no encoder sets for a file.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dataset_builder.video.access import DoubtfulError, coded_reader
from dataset_builder.video.opening import refusal

CONTAINERS = frozenset({"mov", "mp4", "matroska", "webm", "mpegts"})
CODECS = frozenset({"h264", "hevc", "vp9", "av1"})
_SKIPS = frozenset({"h264", "hevc"})
"""Codecs whose decoder leaves out single frames on demand."""


@dataclass(frozen=True)
class _Row:
    """One packet, in decoding order: what it is known by when it comes again, and whether decoding can begin at it."""

    pts: int
    size: int
    starts: bool


@dataclass(frozen=True)
class _Table:
    rows: list[_Row]
    seek_to: int
    layered: bool


@dataclass(frozen=True)
class _Run:
    """Packets `first` to `last`, decoded without a gap, and the places and times of the wanted frames in them."""

    first: int
    last: int
    wanted: dict[int, int]


def every_nth_frame(
    container: InputContainer, stream: VideoStream, step: int
) -> tuple[int, list[int], Iterator[VideoFrame]]:
    """Give how many frames there are, the indices 0, step, 2 * step, ... and an iterator over the frames at these.

    `container` is to be freshly opened. Raises DoubtfulError, the iterator too at any frame, where only a full decode
    can be relied on, and MediaError where decoding fails.
    """
    codec = stream.codec_context.codec.canonical_name
    if codec not in CODECS or not CONTAINERS & set(container.format.name.split(",")):
        raise DoubtfulError(f"{codec} in {container.format.name}")
    table = _read_table(container, stream, codec)
    times = sorted(row.pts for row in table.rows)
    runs = _plan(table.rows, times[::step])
    skips = codec in _SKIPS and not table.layered
    return len(times), list(range(0, len(times), step)), _decoded(container, stream, table, runs, skips)


def _read_table(container: InputContainer, stream: VideoStream, codec: str) -> _Table:
    read = coded_reader(codec, bytes(stream.codec_context.extradata or b""))
    rows: list[_Row] = []
    parameters: list[bytes] = []
    seek_to, layered, ended = 0, False, False
    try:
        for packet in container.demux(stream):
            if ended:
                raise DoubtfulError("an empty packet")
            if not packet.size:  # at the end PyAV gives one to empty the decoder with
                ended = True
                continue
            if packet.pts is None or packet.is_discard or packet.is_corrupt or packet.has_sidedata("new_extradata"):
                raise DoubtfulError("a packet without a time, hidden, corrupt, or with another header")
            coded = read(memoryview(packet))
            if not rows:
                seek_to = packet.pts if packet.dts is None else packet.dts
            parameters.append(coded.parameters)
            layered |= coded.layered
            rows.append(_Row(packet.pts, packet.size, coded.starts and packet.is_keyframe))
    except av.FFmpegError as error:
        raise DoubtfulError(str(error)) from None
    if any(later not in {b"", parameters[0]} for later in parameters):
        raise DoubtfulError("parameter sets change")
    if _reordering(rows) > (stream.codec_context.reorder_depth if codec in _SKIPS else 0):
        raise DoubtfulError("more reordering than the decoder is told of: it would drop frames until it knows")
    return _Table(rows, seek_to, layered)


def _reordering(rows: list[_Row]) -> int:
    """Count the frames that are at most decoded before, but shown after another."""
    seen: list[int] = []
    most = 0
    for row in rows:
        most = max(most, len(seen) - bisect_right(seen, row.pts))
        insort(seen, row.pts)
    return most


def _plan(rows: list[_Row], wanted: list[int]) -> list[_Run]:
    """Choose what to decode for the frames shown at the times `wanted`, which are in order."""
    place = {row.pts: index for index, row in enumerate(rows)}
    if len(place) < len(rows) or not rows or not rows[0].starts or min(place) < rows[0].pts:
        raise DoubtfulError("two packets of one time, or a clip that does not begin with a key frame")
    starts = [index for index, row in enumerate(rows) if row.starts]
    latest = list(itertools.accumulate((row.pts for row in rows), max))
    if any(latest[index] != rows[index].pts for index in starts):
        raise DoubtfulError("frames before a key frame are shown after it")
    start_times = [rows[index].pts for index in starts]
    runs: list[_Run] = []
    for time in wanted:
        first, last = starts[bisect_right(start_times, time) - 1], place[time]
        if last < first:
            raise DoubtfulError("a frame shown after a key frame is decoded before it")
        if runs and first <= runs[-1].last:
            before = runs.pop()
            runs.append(_Run(before.first, max(before.last, last), {**before.wanted, last: time}))
        else:
            runs.append(_Run(first, last, {last: time}))
    return runs


def _decoded(
    container: InputContainer, stream: VideoStream, table: _Table, runs: list[_Run], skips: bool
) -> Iterator[VideoFrame]:
    missing = {time for run in runs for time in run.wanted.values()}
    shown: int | None = None
    try:
        for frame in _fed(container, stream, table, runs, skips):
            if frame.pts is None or (shown is not None and frame.pts <= shown):
                raise DoubtfulError("frames come out of the order of their times")
            if frame.interlaced_frame or frame.is_corrupt:
                raise DoubtfulError("an interlaced or corrupt frame")
            shown = frame.pts
            if shown in missing:
                missing.remove(shown)
                yield frame
    except av.FFmpegError as error:
        raise refusal(error, "decoding fails") from None
    if missing:
        raise DoubtfulError("a wanted frame does not come out")


def _fed(
    container: InputContainer, stream: VideoStream, table: _Table, runs: list[_Run], skips: bool
) -> Iterator[VideoFrame]:
    """Decode the packets of the runs and give every frame that comes out."""
    context = stream.codec_context
    container.seek(table.seek_to, stream=stream)
    ahead = iter(runs)
    run = next(ahead)
    for index, (row, packet) in enumerate(zip(table.rows, container.demux(stream), strict=False)):
        if (packet.pts, packet.size) != (row.pts, row.size):
            raise DoubtfulError("other packets come the second time")
        if index < run.first:
            continue
        if skips:
            context.skip_frame = "DEFAULT" if index in run.wanted else "NONREF"
        yield from packet.decode()
        if index == run.last:
            yield from stream.decode(None)  # what the decoder holds back for reordering
            context.flush_buffers()
            following = next(ahead, None)
            if following is None:
                return
            run = following
