"""From decoded frames to arrays: RGB at full size and dense frames small, as displayed, without needless copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from dataset_builder.video.opening import MediaError, quarter_turns

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class DenseForm:
    """How every frame is read small for the motion extractor.

    Frames come as uint8, squeezed to `size` x `size` by the swscale `filter`: [T, 3, size, size] RGB for `rgb24`;
    [T, size * 3 // 2, size] planar 4:2:0 for `yuv420p` (half the memory, colour is converted on the device).
    """

    size: int
    filter: Literal["BICUBIC", "AREA"]
    pixels: Literal["rgb24", "yuv420p"]

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.size**2 * (6 if self.pixels == "rgb24" else 3) // 2


DENSE_FORMS = {"upstream": DenseForm(384, "BICUBIC", "rgb24"), "lean": DenseForm(224, "AREA", "yuv420p")}
"""`upstream` equals the released weights' input; `lean` is the cheap form."""
_RGB_AS = "bgr24"
"""What swscale shrinks RGB to: two and a half times as fast as its rgb24, and no further from PIL's bicubic."""


def rgb_of(frame: VideoFrame) -> Pixels:
    """Convert a decoded frame to [H, W, 3] uint8 RGB, not rotated."""
    return frame.reformat(format="rgb24", threads=1).to_ndarray().astype(np.uint8, copy=False)


def upright_rgb(frame: VideoFrame, convert: VideoReformatter) -> Pixels:
    """Convert a decoded frame to [H, W, 3] uint8 RGB as displayed: a view of the converted frame unless it is rotated.

    At 4K one copy is 25 MB. Raises MediaError for what is rotated by other than quarter turns.
    """
    rgb = _plane(convert.reformat(frame, format="rgb24", threads=1), 0, 3)
    if not (turn := quarter_turns(frame)):
        return np.ascontiguousarray(rgb)
    turned = np.rot90(rgb, turn)
    upright = np.empty(turned.shape, np.uint8)
    for channel in range(3):  # three times as fast as copying pixels of three bytes
        upright[..., channel] = turned[..., channel]
    return upright


class DenseFrames:
    """Frames read small, written into one array as they come: no list of frames beside it, so half the peak memory."""

    def __init__(self, form: DenseForm, expected: int) -> None:
        """Reserve room for as many frames as the header states; the array grows where there are more."""
        self._form, self._expected = form, expected
        self._shrink = VideoReformatter()
        self._rows: Pixels | None = None
        self._used = 0

    def append(self, frame: VideoFrame) -> None:
        """Shrink a decoded frame into the next row, as displayed. Raises MediaError as `upright_rgb` does."""
        form, turn = self._form, quarter_turns(frame)
        pixels = _RGB_AS if form.pixels == "rgb24" else form.pixels
        small = self._shrink.reformat(frame, form.size, form.size, pixels, interpolation=form.filter, threads=1)
        row = self._next_row()
        if form.pixels == "rgb24":
            bgr = _plane(small, 0, 3)
            for channel in range(3):
                row[channel] = np.rot90(bgr[..., 2 - channel], turn)
        else:
            half = form.size // 2
            chroma = row[form.size :].reshape(2, half, half)
            for index, plane in enumerate((row[: form.size], *chroma)):
                plane[:] = np.rot90(_plane(small, index), turn)

    def array(self) -> Pixels:
        """Give all rows in the shape of their DenseForm. Raises MediaError where no frame came."""
        if self._rows is None:
            raise MediaError("no frame decodes")
        return self._rows[: self._used]

    def _next_row(self) -> Pixels:
        size = self._form.size
        shape = (3, size, size) if self._form.pixels == "rgb24" else (size * 3 // 2, size)
        if self._rows is None:
            self._rows = np.empty((self._expected, *shape), np.uint8)
        elif self._used == len(self._rows):
            more = np.empty((len(self._rows) // 2 + 1, *shape), np.uint8)
            self._rows = np.concatenate([self._rows, more])
        self._used += 1
        row: Pixels = self._rows[self._used - 1]
        return row


def _plane(frame: VideoFrame, index: int, channels: int = 1) -> Pixels:
    """Look at a plane of a frame without copying it: [H, W], or [H, W, channels] of interleaved channels."""
    plane = frame.planes[index]
    lines: Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    used = lines[: plane.height, : plane.width * channels]
    return used if channels == 1 else used.reshape(plane.height, plane.width, channels)
