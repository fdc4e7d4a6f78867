"""How many question-answer pairs a second one core makes of experts' notes, and checks, balances and chooses.

Notes are made up: two problems each with degree, time and place, depictions, a conversation and a level, all of them
different. A second is one of a core's processor time.

    python -m benchmarks --only pairs
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks._findings import Cell, Findings, Limit, Table
from dataset_builder.pairing.checking import checked, without_repeats
from dataset_builder.pairing.choosing import choose
from dataset_builder.pairing.clip import draft
from schemas.annotation import Annotation, Attribute, Conversation
from schemas.draws import pick, share
from schemas.levels import LEVELS
from schemas.recipe import PairsRecipe
from schemas.record import Media, Record
from stages.claims.claim import Known
from stages.wording.taxonomy import DEGREES, MOTION, SPATIAL

NOTES, QUICK_NOTES = 3000, 30
MADE = 10_000
T = TypeVar("T")


def run(*, quick: bool) -> Findings:
    """Make, check and choose the pairs of many notes."""
    notes = [known(index) for index in range(QUICK_NOTES if quick else NOTES)]
    made, making = timed(lambda: [draft(each, 0) for each in notes])
    found, checking = timed(lambda: [checked(pairs, each) for pairs, each in zip(made, notes, strict=True)])
    good = [[pair for pair in pairs if not pair.doubts] for pairs in found]
    kept, comparing = timed(lambda: [without_repeats(pairs)[0] for pairs in good])
    chosen, choosing = timed(lambda: choose(kept, PairsRecipe(), 0))
    pairs = sum(map(len, made))
    whole = making + checking + comparing + choosing
    rows: list[dict[str, Cell]] = [
        {"step": step, "pairs a CPU second": pairs / seconds, "us a pair": 1e6 * seconds / pairs}
        for step, seconds in (
            ("made by templates", making),
            ("checked against the note", checking),
            ("compared for repeats", comparing),
            ("chosen and balanced", choosing),
            ("all of it", whole),
        )
    ]
    flagged = pairs - sum(map(len, good))
    about = {"notes": str(len(notes)), "pairs": str(pairs), "doubted": str(flagged), "chosen": str(len(chosen.kept))}
    limits = [Limit("template pairs made a CPU second", pairs / making, MADE, "pairs/s", least=True)]
    return Findings([Table("Pairs of notes", rows)], limits, about)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Do something and take its processor time, in seconds."""
    start = time.process_time()
    done = work()
    return done, time.process_time() - start


def known(index: int) -> Known:
    """Make up a clip of ten seconds and what an expert says of it."""
    name = f"s/{index}.mp4"
    spatial, motion = pick(SPATIAL, 0, name, "spatial"), pick(MOTION, 0, name, "motion")
    strong, weak = pick(DEGREES, 0, name, "strong"), pick(DEGREES, 0, name, "weak")
    start = round(1 + 6 * share(0, name, "start"), 1)
    media = Media(
        path=f"{index}.mp4",
        sha256=f"{index:064x}",
        bytes=1,
        kind="video",
        width=640,
        height=360,
        fps=25.0,
        frames=250,
        duration=10.0,
        codec="h264",
        pixel_format="yuv420p",
    )
    note = Annotation(
        id=f"a{index}",
        clip=f"{index}.mp4",
        rater="r",
        attributes=[
            Attribute(name=spatial, degree=weak, where="in the upper left part of the frame"),
            Attribute(name=motion, degree=strong, start=start, end=start + 2),
        ],
        overall=f"The video shows {weak} {spatial}, and {strong} {motion} from {start} s to {start + 2} s.",
        in_context=f"In the upper left, {spatial} covers the scene.",
        conversations=[Conversation(question="What would help most?", answer="A better camera, and more light.")],
        level=pick(LEVELS, 0, name, "level"),
    )
    return Known(Record(id=name, source="s", licence="l", group=name, split="train", media=media), [note], None)
