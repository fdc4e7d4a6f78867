"""Made-up notes: each speaks of its own number, so that requests and answers can be told apart."""

from __future__ import annotations

import msgspec

from annotation.extending.prompts import Note
from schemas.annotation import Annotation, Attribute, Conversation
from schemas.record import Media, Record

MEDIA = Media(
    path="clips/0.mp4",
    sha256="00",
    bytes=1,
    kind="video",
    width=640,
    height=360,
    fps=25.0,
    frames=200,
    duration=8.0,
    codec="h264",
    pixel_format="yuv420p",
)


def note(number: int, overall: str | None = None, *, kind: str = "video", said: bool = True) -> Note:
    media = msgspec.structs.replace(MEDIA, path=f"clips/{number}.mp4")
    if kind == "image":
        media = msgspec.structs.replace(media, kind="image", frames=1, fps=1.0, duration=1.0)
    record = Record(
        id=f"mine/clips/{number}.mp4", source="mine", licence="private", group=f"g{number}", split="train", media=media
    )
    annotation = Annotation(id=f"a{number:04d}", clip=f"{number}.mp4", rater="rater-1")
    if said:
        annotation = msgspec.structs.replace(
            annotation,
            attributes=[
                Attribute(name="noise", degree="severe", start=1.0, end=3.0, where="in the dark sky"),
                Attribute(name="flicker", degree="slight"),
            ],
            overall=overall or f"Clip number {number} shows severe noise and a slight flicker.",
            conversations=[Conversation(question="Why is there noise?", answer="The sensor was set to a high ISO.")],
            level="poor",
        )
    return Note(record, annotation)


def notes(count: int) -> list[Note]:
    return [note(number) for number in range(count)]
