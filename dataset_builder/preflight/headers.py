"""The headers of clips: what a file says of itself before any frame is decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from dataset_builder.video import MediaError, read_header

SHORT_SIDES = (144, 240, 360, 480, 576, 720, 1080, 1440, 2160, 4320)
"""Classes of picture size: a clip is of the first that its shorter side does not exceed."""


@dataclass(frozen=True)
class Head:
    """One readable header. `frames` and `seconds` are None where the container does not tell; `bytes` is the file."""

    path: str
    bytes: int
    codec: str
    width: int
    height: int
    fps: float | None
    frames: int | None
    seconds: float | None
    still: bool

    @property
    def group(self) -> tuple[str, str]:
        """Codec and class of picture size: clips of one group cost alike by the pixel."""
        side = min(self.width, self.height)
        limit = next((limit for limit in SHORT_SIDES if side <= limit), None)
        return self.codec, f"to {limit}p" if limit else f"over {SHORT_SIDES[-1]}p"

    @property
    def pixels(self) -> float | None:
        """Decoded pixels of the whole clip, where the header tells how many frames there are."""
        return None if self.frames is None else float(self.width * self.height * self.frames)


def header_item(item: dict[str, Any]) -> dict[str, Any]:
    """Read one header as work for the engine: {path} to the fields of a Head but its path. Raises MediaError."""
    path = Path(item["path"])
    head = read_header(path)
    try:
        options = {"protocol_whitelist": "file", "pattern_type": "none"}
        with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
            still = container.format.name.endswith("_pipe") or container.format.name == "image2"
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            seconds = _seconds(container.duration, av.time_base) or _seconds(
                stream.duration, 1 / stream.time_base if stream.time_base else 1
            )
            frames = stream.frames or (round(seconds * rate) if seconds and rate else None)
    except av.FFmpegError as error:
        raise MediaError(f"no readable video or picture ({error.strerror})") from None
    if min(head.width, head.height) < 1:
        raise MediaError("the header tells no picture size")
    return {
        "bytes": path.stat().st_size,
        "codec": head.codec,
        "width": head.width,
        "height": head.height,
        "fps": None if still or not rate or rate <= 0 else float(rate),
        "frames": 1 if still else frames,
        "seconds": None if still else seconds,
        "still": still,
    }


def _seconds(duration: int | None, per_second: Any) -> float | None:
    """Give a container's duration in seconds; what is absent, negative or endless is not known."""
    seconds = float(duration / per_second) if duration else 0.0
    return seconds if math.isfinite(seconds) and 0 < seconds < 1e7 else None
