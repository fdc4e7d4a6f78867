"""Where decoding can begin: what the first bytes of coded frames say, read without decoding.

A container's key-frame flag also marks pictures that later ones reach back over (recovery points of H.264), so the
coded data are asked. Bitstreams: ITU-T H.264 7.3.1 and 7.4.1, ITU-T H.265 7.3.1 and 7.4.2, VP9 bitstream specification
6.2 and annex B, AV1 bitstream specification 5.3 to 5.9; sample formats: ISO/IEC 14496-15 5.3.3 and 8.3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


class DoubtfulError(Exception):
    """Reading parts of this file may give other frames than decoding all of it; the message says why."""


@dataclass(frozen=True)
class Coded:
    """What a packet holds: `starts` where decoding can begin with it, the `parameters` it carries (empty for none),
    and whether it is `layered`: part of a higher temporal layer, to which pictures that count as non-reference matter.
    """

    starts: bool
    parameters: bytes = b""
    layered: bool = False


Reader = Callable[[memoryview], Coded]


def coded_reader(codec: str, extradata: bytes) -> Reader:
    """Give the function that reads packets of `codec`; `extradata` is the stream's header as the container keeps it.

    The function raises DoubtfulError for a packet that does not hold exactly one shown frame, where that can be told.
    """
    configured = extradata[:1] == b"\x01"  # avcC or hvcC: lengths before the units; else Annex B start codes
    if codec == "h264":
        length = (extradata[4] & 3) + 1 if configured and len(extradata) > 4 else 0
        return lambda data: _h264(_units(data, length))
    if codec == "hevc":
        length = (extradata[21] & 3) + 1 if configured and len(extradata) > 21 else 0
        return lambda data: _hevc(_units(data, length))
    return {"vp9": _vp9, "av1": _av1}[codec]


def _units(data: memoryview, length_bytes: int) -> Iterator[memoryview]:
    """Split a packet into NAL units, by lengths or, with `length_bytes` 0, by start codes."""
    if not length_bytes:
        whole = data.tobytes()
        start = whole.find(b"\0\0\1")
        while start >= 0:
            following = whole.find(b"\0\0\1", start + 3)
            if unit := data[start + 3 : following if following >= 0 else len(data)]:
                yield unit
            start = following
        return
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + length_bytes], "big")
        at += length_bytes
        if at + size > len(data):
            raise DoubtfulError("a unit reaches over the end of its packet")
        if size:
            yield data[at : at + size]
        at += size


def _h264(units: Iterator[memoryview]) -> Coded:
    starts, parameters = False, []
    for unit in units:
        kind = unit[0] & 31
        starts |= kind == 5  # a slice of an IDR picture
        if kind in {7, 8, 13, 15}:
            parameters.append(unit.tobytes().rstrip(b"\0"))
    return Coded(starts, b"\0\0\1".join(parameters))


def _hevc(units: Iterator[memoryview]) -> Coded:
    starts, layered, parameters = False, False, []
    for unit in units:
        if len(unit) < 2:
            raise DoubtfulError("a unit without a header")
        kind, layer, temporal = unit[0] >> 1 & 63, (unit[0] & 1) << 5 | unit[1] >> 3, (unit[1] & 7) - 1
        if layer:
            continue
        if kind in {16, 17, 18, 36, 37}:
            raise DoubtfulError("a spliced stream: pictures that lead a splice are not shown")
        starts |= kind in {19, 20, 21}  # IDR and CRA pictures
        layered |= kind < 32 and temporal > 0
        if kind in {32, 33, 34}:
            parameters.append(unit.tobytes().rstrip(b"\0"))
    return Coded(starts, b"\0\0\1".join(parameters), layered)


def _vp9(data: memoryview) -> Coded:
    heads = [frame[0] for frame in _vp9_frames(data) if frame]
    starts, shown = False, 0
    for index, head in enumerate(heads):
        if head >> 6 != 0b10:
            raise DoubtfulError("no VP9 frame")
        flags = head if head & 0b0011_0000 == 0b0011_0000 else head >> 1  # profile 3 has a reserved bit more
        repeats, inter, shows = bool(flags & 4), bool(flags & 2), bool(flags & 1)
        shown += repeats or shows
        starts |= index == 0 and shows and not repeats and not inter
    if shown != 1:
        raise DoubtfulError(f"a packet that shows {shown} frames")
    return Coded(starts)


def _vp9_frames(data: memoryview) -> list[memoryview]:
    """Split a superframe by the index at its end; any other packet is one frame."""
    mark = data[-1]
    count, width = (mark & 7) + 1, (mark >> 3 & 3) + 1
    index = len(data) - 2 - count * width
    if mark >> 5 != 0b110 or index < 0 or data[index] != mark:
        return [data]
    frames, at = [], 0
    for place in range(index + 1, len(data) - 1, width):
        size = int.from_bytes(data[place : place + width], "little")
        frames.append(data[at : at + size])
        at += size
    return frames


def _av1(data: memoryview) -> Coded:
    at, shown, first, parameters = 0, 0, None, b""
    while at < len(data):
        kind, extended, sized = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
        at += 1 + extended
        size, at = _leb128(data, at) if sized else (len(data) - at, at)
        if at + size > len(data):
            raise DoubtfulError("a unit reaches over the end of its packet")
        if kind == 1:
            parameters += data[at : at + size].tobytes()
        if kind in {3, 6} and size:  # frame header, or frame with its header
            head = data[at]
            shown += head >> 7 or head >> 4 & 1
            first = head if first is None else first
        at += size
    if shown != 1 or first is None:
        raise DoubtfulError(f"a packet that shows {shown} frames")
    return Coded(first >> 4 == 0b0001, parameters)  # a key frame that is shown, not the repeat of one


def _leb128(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[at : at + 8]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, at + index + 1
    raise DoubtfulError("a size without an end")
