"""One frame in the form in which it is wanted: colour planes or RGB, converted the same on every CPU.

Frames of a video pass from the decoder to the encoder as planes; only what needs RGB pays for it. swscale's flags
`accurate_rnd` and `bitexact` make its results independent of the processor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from dataset_builder.video import Pixels, decoded_frames

EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
SUBSAMPLED, FULL, RGB = "yuv420p", "yuv444p", "rgb24"
BLACK, WHITE, GREY = 16, 235, 128
"""Luma of black and of white, and chroma of grey, in 8-bit video (ITU-R BT.709, limited range)."""

Colour = tuple[int, int, int]
"""Primaries, transfer and matrix of a clip, by the code points of ITU-T H.273."""
Planes = tuple[Pixels, Pixels, Pixels]
"""Luma [H, W] and the two chromas, each [H, W] or, subsampled, [H/2, W/2]; uint8, limited range."""


class Frame:
    """A frame as planes or as RGB, whichever it was made from; the other is converted when it is asked for.

    Nobody writes into the arrays of a frame: the same frame may be shown twice.
    """

    __slots__ = ("_picture", "_reformat", "colour")

    def __init__(self, picture: VideoFrame, reformat: VideoReformatter, colour: Colour | None = None) -> None:
        """Hold a picture in one of the three formats SUBSAMPLED, FULL and RGB; `colour` tells what its clip says."""
        self._picture = picture
        self._reformat = reformat
        self.colour = colour

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self._picture.width

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self._picture.height

    @property
    def subsampled(self) -> bool:
        """Whether the chroma planes have half the size: even sizes of video."""
        return self._picture.format.name == SUBSAMPLED

    @property
    def is_rgb(self) -> bool:
        """Whether the frame was made from RGB: a still image."""
        return self._picture.format.name == RGB

    @property
    def video_format(self) -> str:
        """The pixel format in which a video holds the frame."""
        return _video_format(self._picture) if self.is_rgb else self._picture.format.name

    def rgb(self) -> Pixels:
        """Give the frame as [H, W, 3] uint8 RGB."""
        return np.ascontiguousarray(self.picture(RGB).to_ndarray().astype(np.uint8, copy=False))

    def planes(self) -> Planes:
        """Give luma and chroma, as Planes."""
        picture = self.picture(FULL) if self.is_rgb else self._picture
        y, u, v = (_view(picture, index) for index in range(3))
        return y, u, v

    def with_rgb(self, pixels: Pixels) -> Frame:
        """Make a frame of [H, W, 3] uint8 RGB; like its own, it is held as planes if it is one of a video."""
        made = Frame(VideoFrame.from_ndarray(np.ascontiguousarray(pixels), RGB), self._reformat, self.colour)
        return made if self.is_rgb else Frame(made.picture(made.video_format), self._reformat, self.colour)

    def with_planes(self, y: Pixels | None = None, u: Pixels | None = None, v: Pixels | None = None) -> Frame:
        """Make a frame of the planes given, and of one's own where none is given."""
        mine = self.planes()
        # An RGB frame has planes of full size.
        picture = VideoFrame(self.width, self.height, SUBSAMPLED if self.subsampled else FULL)
        for index, (given, own) in enumerate(zip((y, u, v), mine, strict=True)):
            _view(picture, index)[:] = own if given is None else given
        return Frame(picture, self._reformat, self.colour)

    def picture(self, pixel_format: str) -> VideoFrame:
        """Give the frame as PyAV's, in a pixel format."""
        if self._picture.format.name == pixel_format:
            return self._picture
        return self._reformat.reformat(self._picture, format=pixel_format, interpolation=EXACT, threads=1)

    def cropped(self, x: int, y: int, width: int, height: int) -> Frame:
        """Cut a rectangle out; of a subsampled frame all four numbers must be even."""
        if self.is_rgb:
            return self.with_rgb(self.rgb()[y : y + height, x : x + width])
        picture = VideoFrame(width, height, self._picture.format.name)
        for index, plane in enumerate(self.planes()):
            half = 2 if self.subsampled and index else 1
            rows = slice(y // half, (y + height) // half)
            _view(picture, index)[:] = plane[rows, x // half : (x + width) // half]
        return Frame(picture, self._reformat, self.colour)

    def scaled(self, width: int, height: int) -> Frame:
        """Give the frame in another size; one of a video keeps its form, with chroma of full size where it is odd."""
        if (self.width, self.height) == (width, height):
            return self
        even = width % 2 == 0 == height % 2
        wanted = RGB if self.is_rgb else SUBSAMPLED if even else FULL
        picture = self._reformat.reformat(self._picture, width, height, wanted, interpolation=EXACT, threads=1)
        return Frame(picture, self._reformat, self.colour)


def frames_of(path: Path) -> Iterator[Frame]:
    """Decode a clip or picture and give its frames as displayed, 8 bits deep. Raises MediaError.

    Still images come as RGB; video as planes, subsampled where both sides are even.
    """
    reformat = VideoReformatter()
    for decoded, turns, still in decoded_frames(path):
        colour = (int(decoded.color_primaries), int(decoded.color_trc), int(decoded.colorspace))
        picture = decoded
        if turns:
            pixels = reformat.reformat(picture, format=RGB, interpolation=EXACT, threads=1).to_ndarray()
            turned = np.ascontiguousarray(np.rot90(pixels, turns).astype(np.uint8, copy=False))
            picture = VideoFrame.from_ndarray(turned, RGB)
        wanted = RGB if still else _video_format(picture)
        if picture.format.name != wanted:
            picture = reformat.reformat(picture, format=wanted, interpolation=EXACT, threads=1)
        yield Frame(picture, reformat, None if still else colour)


def _video_format(picture: VideoFrame) -> str:
    """Choose planes that keep an odd size as it is."""
    return SUBSAMPLED if picture.width % 2 == 0 == picture.height % 2 else FULL


def frames_of_rgb(pixels: Iterable[Pixels], *, video: bool = True) -> Iterator[Frame]:
    """Make frames of [H, W, 3] uint8 RGB: as planes, as a video has them, or as they are."""
    reformat = VideoReformatter()
    for array in pixels:
        picture = VideoFrame.from_ndarray(np.ascontiguousarray(array), RGB)
        frame = Frame(picture, reformat)
        yield Frame(frame.picture(_video_format(picture)), reformat) if video else frame


def _view(picture: VideoFrame, index: int) -> Pixels:
    """See a plane of a picture as an array, without copying."""
    plane = picture.planes[index]
    rows: Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
