"""How a question about one or two videos is worded: the prompts of the paper's script for Q-Bench-Video."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.sample import MOTION, VIDEO

BASED = "analyze these images and answer the questions based on your observations."
_ORDER = "arranged in the same temporal order as they appear in the video"
_ONE = (
    "You will receive {images} distinct frames that have been uniformly sampled in each second from a video sequence, "
    f"{_ORDER}."
)
_ONE_MOVES = " In addition, you will also obtain motion features extracted from all {frames} frames of the video."
_TWO = (
    "You will receive {total} distinct frames in total. The first {images} frames and {next}-{total} frames are "
    f"uniformly sampled in each second from the first and the second video sequence, {_ORDER}s."
)
_TWO_MOVES = (
    " In addition, you will also obtain motion features extracted from all {frames} frames of the first video and all "
    "{others} frames of the second video. The temporal motion features also follow the original frame order of the "
    "video."
)
"""How the paper's script for Q-Bench-Video shows clips, without its slips; it names no place for the motion features of
one video alone, so they stand here as they do for two. A clip of too few frames for motion is shown without them."""


def prompt_about(asked: str, shown: Sequence[tuple[int, int]]) -> str:
    """Write the prompt of a question about one or two videos; `shown` gives key frames and motion frames of each."""
    (images, frames), *more = shown
    moves = all(motion for _, motion in shown)
    if not more:
        told = _ONE.format(images=images) + (_ONE_MOVES.format(frames=frames) if moves else "")
        return f"{told} Please {BASED}\n{_media('The video', frames)}{asked}"
    (second, others), *_ = more
    told = _TWO.format(total=images + second, images=images, next=images + 1)
    told += _TWO_MOVES.format(frames=frames, others=others) if moves else ""
    return f"{told} Please {BASED}\n{_media('The first video', frames)}{_media('The second video', others)}{asked}"


def _media(which: str, motion: int) -> str:
    return f"{which} frames:{VIDEO}\n" + (f"{which} motion features:{MOTION}\n" if motion else "")
