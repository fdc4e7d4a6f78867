"""Clips and notes that the tests of claims hold pairs to."""

from collections.abc import Iterator

from schemas.annotation import Annotation, Attribute
from schemas.levels import Level
from schemas.pair import Family, Form, Pair
from schemas.record import Distortion, GroundTruth, Media, Record
from stages.claims.claim import Known
from stages.wording.ground_truth import annotate
from stages.wording.taxonomy import MOTION, SPATIAL

A = Attribute
NOTES: tuple[tuple[float, list[Attribute], str, str, Level | None], ...] = (
    (
        12,
        [
            A(name="noise", degree="slight"),
            A(name="flicker", degree="severe", start=1, end=3, when="when it rains", where="left side"),
        ],
        "The video flickers severely. A little grain lies over the dark parts.",
        "The sky flickers.",
        "poor",
    ),
    (
        8,
        [
            A(name="camera shake", degree="noticeable", where="over the whole frame"),
            A(name="overexposure", degree="moderate", start=4, end=7.5, where="in the upper right part of the frame"),
        ],
        "Handheld shot. The upper right is too bright from 4 s on.",
        "The window clips to white.",
        "fair",
    ),
    (
        20,
        [
            A(name="compression blur", degree="severe", where="on the face of the singer"),
            A(name="stuttering", degree="noticeable", start=10, end=12),
        ],
        "Heavy compression smears the singer's face; playback stalls once in the middle.",
        "",
        "low",
    ),
    (
        6,
        [A(name="vignetting", degree="moderate", where="in the corners"), A(name="low frame rate", degree="severe")],
        "Corners are darkened and motion is choppy.",
        "",
        "poor",
    ),
    (10, [], "The video is crisp, steady and well exposed, with no visible flaws.", "", "high"),
    (
        9,
        [
            A(name="interlacing", degree="noticeable"),
            A(name="quality switch", degree="severe", start=3, end=6),
        ],
        "Combing on all moving edges, and the quality drops for three seconds.",
        "Edges of the players are torn.",
        "good",
    ),
    (
        15,
        [
            A(name="low contrast", degree="slight", where="in the background"),
            A(name="underexposure", degree="moderate", where="on the left"),
        ],
        "Everything looks a bit flat, and the left is too dark.",
        "",
        None,
    ),
)


def record(duration: float = 12.0, kind: str = "video", distortions: list[Distortion] | None = None) -> Record:
    still = kind == "image"
    media = Media(
        path="a.mp4",
        sha256="aa",
        bytes=1,
        kind="image" if still else "video",
        width=640,
        height=360,
        fps=1.0 if still else 25.0,
        frames=1 if still else int(duration * 25),
        duration=1.0 if still else duration,
        codec="h264",
        pixel_format="yuv420p",
    )
    return Record(
        id="s/a.mp4", source="s", licence="l", group="g", split="train", media=media, distortions=distortions or []
    )


def known(index: int) -> Known:
    duration, attributes, overall, in_context, level = NOTES[index]
    note = Annotation(
        id=f"n{index}", clip="c", rater="r", attributes=attributes, overall=overall, in_context=in_context, level=level
    )
    return Known(record=record(duration), annotations=[note], level=level)


def clips() -> Iterator[Known]:
    """Give the notes above, and ground truth of every distortion, whole and local, in the words of an annotation."""
    yield from map(known, range(len(NOTES)))
    for name in (*SPATIAL, *MOTION):
        for severity, span, box in (
            (1, None, None),
            (3, (2.0, 4.0), None),
            (5, (5.0, 9.0), (0.5, 0.5, 0.5, 0.5)),
            (2, None, (0.0, 0.0, 0.5, 0.5)),
        ):
            truth = Distortion(
                name=name,
                severity=severity,
                start=span[0] if span else None,
                end=span[1] if span else None,
                box=box,
            )
            note = annotate(GroundTruth(clip="c", distortions=[truth]), severity)
            yield Known(record=record(12, distortions=[truth]), annotations=[note], level="fair")


def pair(
    question: str, answer: str, form: Form = "open", family: Family = "quality-centric", generator: str = "llm:any"
) -> Pair:
    return Pair(
        id="p",
        record_id="s/a.mp4",
        family=family,
        form=form,
        question=question,
        answer=answer,
        evidence=[],
        generator=generator,
    )
