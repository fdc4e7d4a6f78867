from pathlib import Path

import msgspec
import pytest

from schemas.annotation import Annotation
from schemas.errors import DataError
from schemas.record import Distortion, GroundTruth
from schemas.validate import read_jsonl
from stages.wording.ground_truth import annotate
from stages.wording.taxonomy import MOTION, SPATIAL
from tests.conftest import Cli


def truth(name: str = "noise", **known: object) -> GroundTruth:
    return GroundTruth(clip="a.mp4", distortions=[Distortion(name=name, **known)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("severity", "degree"), [(1, "slight"), (2, "moderate"), (3, "noticeable"), (5, "severe"), (None, "noticeable")]
)
def test_degrees_follow_severity(severity: int | None, degree: str) -> None:
    note = annotate(truth(severity=severity))
    assert (note.attributes[0].name, note.attributes[0].degree) == ("noise", degree)
    assert f"{degree} noise" in note.overall.lower()


def test_a_synthetic_rater_is_called_so() -> None:
    assert annotate(truth()).rater == "synthetic"


def test_times_are_told_as_they_are() -> None:
    note = annotate(truth("flicker", severity=3, start=0.5, end=1.5))
    assert (note.attributes[0].start, note.attributes[0].end) == (0.5, 1.5)
    assert "from 0.5 s to 1.5 s" in note.overall
    assert "throughout" in annotate(truth(severity=3)).overall


def test_every_name_of_the_taxonomy_can_be_told() -> None:
    for name in (*SPATIAL, *MOTION):
        assert name in annotate(truth(name, severity=1)).overall.lower()


def test_every_name_of_the_taxonomy_gets_a_depiction_and_a_remedy() -> None:
    for name in (*SPATIAL, *MOTION):
        note = annotate(truth(name, severity=1))
        assert note.in_context.startswith("Over the whole frame, ")
        assert [name in talk.question and bool(talk.answer) for talk in note.conversations] == [True]


@pytest.mark.parametrize(
    ("box", "where"),
    [
        ((0.0, 0.0, 0.25, 0.25), "in the upper left part of the frame"),
        ((0.7, 0.4, 0.3, 0.2), "in the right part of the frame"),
        ((0.4, 0.8, 0.2, 0.2), "in the lower part of the frame"),
        ((0.25, 0.25, 0.5, 0.5), "in the middle of the frame"),
        ((0.0, 0.0, 1.0, 0.5), "in the upper part of the frame"),
        ((0.0, 0.0, 1.0, 1.0), "over the whole frame"),
    ],
)
def test_a_place_is_told_as_it_is(box: tuple[float, ...], where: str) -> None:
    note = annotate(truth(box=box, start=1, end=2))
    assert note.attributes[0].where == where
    assert note.in_context.startswith(f"{where.capitalize()}, from 1.0 s to 2.0 s, ")


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"name": "nose"}, "distortions/0/name: the taxonomy has no 'nose'; did you mean 'noise'"),
        ({"severity": 6}, "distortions/0/severity: severity runs from 1 to 5, got 6"),
        ({"start": 1.0}, "distortions/0: .* give both start and end"),
        ({"start": 2.0, "end": 1.0}, "distortions/0: .* start < end"),
        ({"box": (0.5, 0.5, 0.6, 0.1)}, "distortions/0/box: "),
    ],
)
def test_what_cannot_be_is_refused_by_field(known: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        annotate(truth(**known))  # type: ignore[arg-type]


def test_nothing_done_is_said() -> None:
    note = annotate(GroundTruth(clip="a.mp4", distortions=[]))
    assert (note.attributes, note.overall) == ([], "The video shows no distortion.")


def test_the_command_names_every_bad_line(tmp_path: Path, vqa2: Cli) -> None:
    good = msgspec.json.encode(truth(severity=2)).decode()
    path, out = tmp_path / "truth.jsonl", tmp_path / "notes.jsonl"
    path.write_text(f'{good}\n{{"clip": "b"}}\nno json\n{good.replace("noise", "nose")}\n')
    done = vqa2("annotate", "ground-truth", path, "--out", out)
    assert done.returncode == 1
    assert f"{path}:2: " in done.stderr
    assert f"{path}:3: not JSON" in done.stderr
    assert f"{path}:4: distortions/0/name: the taxonomy has no 'nose'" in done.stderr
    assert not out.exists()
    path.write_text(good + "\n")
    done = vqa2("annotate", "ground-truth", path, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert msgspec.json.decode(done.stdout)["annotations"] == 1
    assert [note for _, note in read_jsonl(out, Annotation)] == [annotate(truth(severity=2))]
    assert vqa2("annotate", "ground-truth", tmp_path / "none.jsonl", "--out", out).returncode == 2
