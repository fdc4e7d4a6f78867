"""Stage 2, streaming scoring: the level of a session with stalls, told in both published forms (arXiv 2411.03795).

All counts that the text states are those of the frames fed: the motion frames, clip length floored to a multiple of 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.frames import key_frame_count, motion_frame_count
from schemas.record import Record, Stall
from schemas.sample import Sample
from stages import Given, make_sample, target_of
from stages.wording.prompts import SEQUENCE, SMOOTH, STALLED, word

NEEDS = "a score and the stalls of a streamed video of at least 4 frames"


def samples(record: Record, given: Given) -> Iterator[Sample]:
    """Ask for the level of a session twice: with a 0/1 character a frame, and with a sentence about its stalls."""
    target = target_of(record, given)
    frames = motion_frame_count(record.media.frames)
    if target is None or record.stalls is None or record.media.kind != "video" or not frames:
        return
    flags = stalled_frames(record.stalls, frames, record.media.fps)
    forms = {"stalls-as-sequence": SEQUENCE.format(flags=flags), "stalls-as-sentence": sentence(flags)}
    for task, stalling in forms.items():
        worded = word(
            "streaming",
            given.prompts,
            given.seed,
            f"{record.id}/{task}",
            seconds=record.media.duration,
            images=key_frame_count(record.media.frames, record.media.fps),
            frames=frames,
            stalling=stalling,
        )
        yield make_sample(
            record,
            given,
            stage="stage2-streaming",
            task=task,
            question=worded.text,
            answer=f"The quality of this video is {target.level}.",
            wording=worded.name + ("+ours/ending" if task == "stalls-as-sequence" else ""),
            target=target,
            evidence=["score", "stalls"],
        )


def stalled_frames(stalls: Sequence[Stall], frames: int, fps: float) -> str:
    """Write one character a frame, `1` where the frame shows a stall: frame i is on screen from i / fps on."""
    flags = ["0"] * frames
    for stall in stalls:
        first, last = round(stall.start * fps), round((stall.start + stall.duration) * fps)
        for index in range(max(0, first), min(frames, last)):
            flags[index] = "1"
    return "".join(flags)


def sentence(flags: str) -> str:
    """Tell a 0/1 string in the published sentence form."""
    events = sum(run != "" for run in flags.split("0"))
    if not events:
        return SMOOTH
    stalled, rest = flags.count("1"), len(flags) - 1 - flags.rindex("1")
    return STALLED.format(
        stalled=stalled,
        stalled_percent=100 * stalled / len(flags),
        events=events,
        rest=rest,
        rest_percent=100 * rest / len(flags),
    )
