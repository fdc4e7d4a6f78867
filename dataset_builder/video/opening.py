"""Opening a clip: by content, never by name, with one decoder thread, refusing by name what is no clip."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from schemas.errors import DataError

PLAYLISTS = frozenset({"hls", "dash", "concat", "image2", "image2pipe"})
"""Container formats that point at other files: refused, a clip is one file."""
CLIP_SUFFIXES = (
    ".mp4",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".m4v",
    ".y4m",
    ".ts",
    ".mpg",
    ".mpeg",
    ".wmv",
    ".flv",
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".webp",
    ".gif",
    ".tif",
    ".tiff",
)
"""What folders are searched for; a file given by name is read whatever its suffix."""


_MOST_AT_ONCE = 2**31
"""FFmpeg's own bound on one allocation in bytes (av_max_alloc); it tells a larger one as want of memory, too."""


class MediaError(DataError):
    """A file that is no readable clip; the message says why."""


class AbsentError(MediaError):
    """A file that the system does not give: it may another time, so this says nothing of the clip."""

    transient = True


def refusal(error: av.FFmpegError, what: str) -> MediaError:
    """Make the error of a clip that FFmpeg refuses. Raises MemoryError where that was for want of memory."""
    if error.errno == errno.ENOMEM:
        if not _room_for(_MOST_AT_ONCE):
            raise MemoryError from None
        # There was room for all that FFmpeg ever takes at once, so a size was asked for that none can have.
        return MediaError(f"{what} (it states a size that no clip has: it is damaged)")
    if error.errno in {errno.EIO, errno.ENOENT, errno.EACCES, errno.ESTALE}:
        return AbsentError(f"the file cannot be read ({error.strerror})")
    return MediaError(f"{what} ({error.strerror})")


def _room_for(size: int) -> bool:
    try:
        mmap.mmap(-1, size).close()  # reserved and not written to: this takes no memory
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file by content, never by name: `file:` keeps `-`, `:` and `%d` in a name from meaning anything."""
    try:
        if path.stat().st_size == 0:
            raise MediaError("the file is empty")
        options = {"protocol_whitelist": "file", "pattern_type": "none"}
        # A title that is not UTF-8 makes no clip unreadable.
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        raise refusal(error, "no readable video or picture") from None
    except OSError as error:
        raise AbsentError(f"the file cannot be read ({error.strerror})") from None
    with container:
        if PLAYLISTS & set(container.format.name.split(",")) and not is_still(container):
            raise MediaError(f"a {container.format.name} playlist points at other files: give the clip itself")
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise MediaError("there is no video stream in it" + (" (audio only)" if container.streams.audio else ""))
        if streams[0].codec_context is None:  # PyAV's types do not say so
            raise MediaError("no decoder for its video stream")
        streams[0].thread_type = "NONE"
        streams[0].codec_context.thread_count = 1
        yield container, streams[0]


def frames_of(container: InputContainer, stream: VideoStream, sizes: list[int] | None = None) -> Iterator[VideoFrame]:
    """Decode all. `sizes` collects packet sizes: a caller can hold their count to what the header promises."""
    try:
        for packet in container.demux(stream):
            if sizes is not None and packet.size:
                sizes.append(packet.size)
            yield from packet.decode()
    except av.FFmpegError as error:
        raise refusal(error, "decoding fails") from None


def is_still(container: InputContainer) -> bool:
    """Say whether a file holds one picture rather than a film."""
    return container.format.name.endswith("_pipe") or container.format.name == "image2"


def frame_rate(stream: VideoStream) -> Fraction:
    """Give the average frame rate that the file states. Raises MediaError where it states none."""
    rate = stream.average_rate or stream.guessed_rate
    if not rate or rate <= 0:
        raise MediaError("the file states no frame rate")
    return rate


def quarter_turns(frame: VideoFrame) -> int:
    """Give the counter-clockwise quarter turns that display asks for. Raises MediaError for odd angles."""
    if frame.rotation % 90:
        raise MediaError(f"rotated by {frame.rotation} degrees: only quarter turns can be read")
    return frame.rotation // 90 % 4
