"""Pairs about where and when a distortion is seen, from the ground truth of a record."""

from schemas.record import Distortion, Media, Record
from stages.wording.local_pairs import local_pairs


def record(*distortions: Distortion) -> Record:
    media = Media(
        path="a.mp4",
        sha256="0" * 64,
        bytes=1,
        kind="video",
        width=640,
        height=360,
        fps=25.0,
        frames=250,
        duration=10.0,
        codec="h264",
        pixel_format="yuv420p",
        rotation=0,
        variable_frame_rate=False,
    )
    return Record(
        id="s/a@x", source="s", licence="l", group="g", split="train", media=media, distortions=list(distortions)
    )


def test_a_time_is_asked_for_when_it_is_known() -> None:
    (pair,) = local_pairs(record(Distortion(name="noise", severity=4, start=2.0, end=5.0)), 0)
    assert (pair.family, pair.answer) == ("temporal-centric", "From 2.0 s to 5.0 s.")
    assert "noise" in pair.question
    assert (pair.evidence, pair.generator) == (["distortion:noise"], "template:ground-truth-when")


def test_a_place_is_asked_for_when_it_is_known() -> None:
    local = Distortion(name="spatial blur", severity=2, box=(0.0, 0.0, 0.5, 0.5))
    (pair,) = local_pairs(record(local), 0)
    assert (pair.family, pair.answer) == ("in-context-centric", "In the upper left part of the frame.")
    assert (pair.evidence, pair.generator) == (["distortion:spatial blur"], "template:ground-truth-where")


def test_each_distortion_is_asked_for_by_what_is_known_of_it() -> None:
    noise = Distortion(name="noise", severity=4, start=2.0, end=5.0, box=(0.5, 0.5, 0.5, 0.5))
    blur = Distortion(name="spatial blur", severity=2, main=False)
    made = list(local_pairs(record(blur, noise), 0))
    assert sorted(pair.family for pair in made) == ["in-context-centric", "temporal-centric"]
    assert all("noise" in pair.question for pair in made)
    assert not list(local_pairs(record(blur), 0))
