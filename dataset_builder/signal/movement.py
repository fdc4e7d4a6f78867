"""What goes on from frame to frame: which frames repeat, how brightness and colour swing, how the camera moves.

Every frame is looked at squeezed to SMALL x SMALL. Sums are taken in integers: the same on every CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dataset_builder.signal.pictures import rounded

Luma = NDArray[np.int32]

SMALL = 64
"""Side of the squeezed frames."""
STILL = 0.05
"""Mean change of luma, in 8-bit steps, below which a frame repeats the one before: coding alone changes less."""
SWING_SECONDS = 1 / 12
"""What a swing of brightness is measured over: half a period of the 6 to 10 Hz that the eye sees best."""
SWAY_SECONDS = 1 / 6
"""What a shake of the camera is measured over: tremor and sway come several times a second."""
ONE = 1 << 12
"""Shifts are kept in 1/4096 of the squeezed frame's pixel."""


@dataclass
class Movement:
    """What is followed over a clip, a number a frame; small frames themselves are not kept."""

    luma: list[int] = field(default_factory=list)
    blue: list[int] = field(default_factory=list)
    red: list[int] = field(default_factory=list)
    change: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)
    _last: list[Luma] = field(default_factory=list)

    def add(self, luma: Luma, blue: int, red: int) -> None:
        """Take the next frame: its luma, [SMALL, SMALL], and the sums of its squeezed chromas."""
        self.luma.append(int(luma.sum(dtype=np.int64)))
        self.blue.append(blue)
        self.red.append(red)
        levels = _halved(luma)
        if self._last:
            self.change.append(int(np.abs(luma - self._last[0]).sum(dtype=np.int64)))
            right, down = _shift(self._last, levels) if self.change[-1] else (0, 0)
        else:
            self.change.append(0)
            right, down = 0, 0
        self.right.append(right)
        self.down.append(down)
        self._last = levels

    def pictures(self) -> list[int]:
        """List the frames that show something new; a clip starts with one."""
        return [index for index, change in enumerate(self.change) if index == 0 or change >= STILL * SMALL**2]

    def seconds(self, starts: Sequence[int], fps: float, shares: tuple[float, float]) -> list[dict[str, float]]:
        """Measure each stretch that begins at one of the frames `starts`.

        `shares` are width and height as shares of the shorter side. Gives the mean `luma`, its mean `change` from frame
        to frame and `still`, the share of frames that repeat the one before; `flicker` and `tint`, the median bend of
        mean luma and of mean chroma over SWING_SECONDS; and `shake`, the mean bend of the camera's path over
        SWAY_SECONDS in 1/1000 of the shorter side: what moves steadily has none. Lumas are in 8-bit steps.
        """
        swing, sway = max(1, round(SWING_SECONDS * fps)), max(1, round(SWAY_SECONDS * fps))
        flicker = _bends(self.luma, swing)
        tint = _bends(self.blue, swing) + _bends(self.red, swing)
        right, down = (_bends(list(np.cumsum(moves)), sway) for moves in (self.right, self.down))
        shake: NDArray[np.float64] = (shares[0] * right + shares[1] * down) / ONE / SMALL * 1000
        still = np.ones(len(self.change), np.int64)
        still[self.pictures()] = 0
        rows = []
        for start, end in zip(starts, [*starts[1:], len(self.luma)], strict=True):
            steps = slice(max(start, 1), end)
            count = max(end - steps.start, 0)
            rows.append(
                {
                    "luma": rounded(sum(self.luma[start:end]) / SMALL**2 / (end - start)),
                    "change": rounded(sum(self.change[steps]) / SMALL**2 / count) if count else 0.0,
                    "still": rounded(int(still[steps].sum()) / count) if count else 0.0,
                    "flicker": rounded(_middle(flicker, start, end, swing) / SMALL**2),
                    "tint": rounded(_middle(tint, start, end, swing) / (SMALL // 2) ** 2),
                    "shake": rounded(_over(shake, start, end, sway)),
                }
            )
        return rows


def _bends(values: Sequence[int], over: int) -> NDArray[np.int64]:
    """Give the absolute second difference over `over` frames both ways, around each frame from `over` on."""
    line = np.array(values, np.int64)
    if len(line) <= 2 * over:
        return np.zeros(0, np.int64)
    bends: NDArray[np.int64] = np.abs(line[2 * over :] - 2 * line[over:-over] + line[: -2 * over])
    return bends


def _within(bends: NDArray[np.generic], start: int, end: int, over: int) -> NDArray[np.generic]:
    return bends[max(start - over, 0) : max(end - over, 0)]


def _middle(bends: NDArray[np.int64], start: int, end: int, over: int) -> float:
    found = np.sort(_within(bends, start, end, over))
    return float(found[len(found) // 2]) if len(found) else 0.0


def _over(bends: NDArray[np.float64], start: int, end: int, over: int) -> float:
    found = _within(bends, start, end, over)
    return float(found.mean()) if len(found) else 0.0


def _halved(luma: Luma) -> list[Luma]:
    """Give the frame, its half and its quarter; the sums of four pixels are kept whole."""
    levels = [luma]
    for _ in range(2):
        last = levels[-1]
        levels.append(last[::2, ::2] + last[1::2, ::2] + last[::2, 1::2] + last[1::2, 1::2])
    return levels


def _shift(before: Sequence[Luma], after: Sequence[Luma]) -> tuple[int, int]:
    """Find by how much the picture moves right and down, in 1/ONE of a pixel of the largest of the levels.

    Registration by gradients from coarse to fine (Lucas and Kanade, IJCAI 1981): at each level what is known is moved
    back by whole pixels and the rest solved for. The sums are exact; only two by two equations are solved in floats.
    """
    right, down = 0, 0
    for level, (one, other) in enumerate(zip(reversed(before), reversed(after), strict=True)):
        if level:
            right, down = 2 * right, 2 * down
        for _ in range(2 if level == len(before) - 1 else 1):
            more = _rest(one, other, round(right / ONE), round(down / ONE))
            right, down = round(right / ONE) * ONE + more[0], round(down / ONE) * ONE + more[1]
    return right, down


def _rest(one: Luma, other: Luma, right: int, down: int) -> tuple[int, int]:
    height, width = one.shape
    most = height // 4
    right, down = max(-most, min(most, right)), max(-most, min(most, down))
    known = one[max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
    seen = other[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
    both = (known + seen).astype(np.int64)
    by_x, by_y = both[1:-1, 2:] - both[1:-1, :-2], both[2:, 1:-1] - both[:-2, 1:-1]
    change = (known - seen)[1:-1, 1:-1].astype(np.int64)
    xx, yy, xy = int((by_x * by_x).sum()), int((by_y * by_y).sum()), int((by_x * by_y).sum())
    bx, by = int((by_x * change).sum()), int((by_y * change).sum())
    whole = xx * yy - xy * xy
    if whole * 400 <= (xx + yy) ** 2:  # nothing to hold on to, or lines of one direction only
        return 0, 0
    # Gradients are of the sum of both frames over two pixels: four times those of one.
    x, y = 4 * (yy * bx - xy * by) / whole, 4 * (xx * by - xy * bx) / whole
    return tuple(round(ONE * max(-2.0, min(2.0, value))) for value in (x, y))  # type: ignore[return-value]
