"""Claims held to the signal: right ones pass, wrong ones are contradicted, and what cannot be told is left alone."""

import itertools
import json
from pathlib import Path

import msgspec
import pytest

from dataset_builder.demo.contents import CONTENTS
from dataset_builder.distort import Shape, applied, distorted
from dataset_builder.encode import encode_frames
from dataset_builder.engine import LocalEngine
from dataset_builder.frame import frames_of
from dataset_builder.signal.calibrating import FOLDS, Case, calibrated, folds_of, held_to, threshold_of
from dataset_builder.signal.calibration import (
    COMMITTED,
    LEAST_PRECISION,
    MOST_SPURIOUS,
    Calibration,
    probes_digest,
    read_calibration,
)
from dataset_builder.signal.contradicting import contradictions
from dataset_builder.signal.known import KnownClip, known_clips
from dataset_builder.signal.measuring import Means, Measures, measure_clip
from dataset_builder.signal.probes import PROBES, evidence
from dataset_builder.video import inspect
from schemas.errors import CallError
from schemas.record import Distortion
from stages.claims.claim import Claim
from stages.wording.taxonomy import MOTION, SPATIAL
from tests.conftest import Cli


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return read_calibration()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> dict[str, Measures]:
    """Measures of two seconds of a film, clean and distorted; the freeze is in its second second."""
    folder, clean = tmp_path_factory.mktemp("made"), real_clips["bikes"]
    media = inspect(clean, clean.name)
    shape = Shape(media.width, media.height, media.fps, 75)
    found = {}
    for kind, window in {
        "noise": (None, None),
        "blur": (None, None),
        "block_effect": (None, None),
        "luma_flicker": (None, None),
        "frame_rate_drop": (None, None),
        "stutter_freeze": (2.0, 3.0),
        "clean": (None, None),
    }.items():
        frames = itertools.islice(frames_of(clean), 137, 137 + shape.frames)
        chain = [] if kind == "clean" else [applied(kind, 4, *window)]
        encode_frames(distorted(frames, shape, chain, seed=2, key="a"), shape.fps, folder / f"{kind}.mp4")
        found[kind] = measure_clip(folder / f"{kind}.mp4")
    return found


WORDS = {
    "noise": "noise",
    "blur": "spatial blur",
    "block_effect": "block effect",
    "luma_flicker": "flicker",
    "frame_rate_drop": "low frame rate",
    "stutter_freeze": "stuttering",
}


@pytest.mark.parametrize("kind", WORDS)
def test_the_right_claim_passes_and_its_denial_is_contradicted(
    kind: str, made: dict[str, Measures], calibration: Calibration
) -> None:
    has = Claim(attribute=WORDS[kind], present=True, degree="severe", quote="it has")
    lacks = Claim(attribute=WORDS[kind], present=False, quote="it lacks")
    assert contradictions([has], made[kind], calibration) == []
    (doubt,) = contradictions([lacks], made[kind], calibration)
    assert (doubt.check, doubt.quote) == ("signal", "it lacks")
    assert f"a clip without {WORDS[kind]} has less than" in doubt.why
    (doubt,) = contradictions([has], made["clean"], calibration)
    assert doubt.quote == "it has"
    assert f"a clip with severe {WORDS[kind]} has more than" in doubt.why
    assert contradictions([lacks], made["clean"], calibration) == []


def test_a_freeze_is_held_to_its_time(made: dict[str, Measures], calibration: Calibration) -> None:
    frozen = made["stutter_freeze"]

    def said(start: float, end: float | None = None, *, present: bool = True) -> list[str]:
        claim = Claim(attribute="stuttering", present=present, start=start, end=end)
        return [doubt.why for doubt in contradictions([claim], frozen, calibration)]

    assert said(2.0, 3.0) == []
    assert said(2.5) == []
    assert said(1.8, 2.4) == []
    (why,) = said(0.0, 1.0)
    assert why.startswith("from 0 s to 1.5 s the share of the time")
    assert len(said(0.5)) == 1
    assert said(0.0, 1.0, present=False) == []
    assert len(said(2.0, 3.0, present=False)) == 0, "an absence of a time is not judged by the whole clip"


def test_what_cannot_be_told_is_left_alone(made: dict[str, Measures], calibration: Calibration) -> None:
    noisy = Claim(attribute="noise", present=True, where="in the sky")
    assert contradictions([noisy], made["clean"], calibration) == []
    assert contradictions([Claim(attribute="bad acting", present=True)], made["clean"], calibration) == []
    assert contradictions([msgspec.structs.replace(noisy, where="")], {"error": "gone"}, calibration) == []
    mute = msgspec.structs.replace(
        calibration, rules=[msgspec.structs.replace(rule, threshold=None) for rule in calibration.rules]
    )
    every = [Claim(attribute=name, present=present, start=0.0) for name in PROBES for present in (True, False)]
    for measures in made.values():
        assert contradictions(every, measures, mute) == []


def test_a_calibration_for_other_probes_is_refused(made: dict[str, Measures], tmp_path: Path) -> None:
    other = msgspec.structs.replace(read_calibration(), probes="0" * 16)
    with pytest.raises(CallError, match="run vqa2 calibrate"):
        contradictions([], made["clean"], other)
    path = tmp_path / "other.json"
    path.write_bytes(msgspec.json.encode(other))
    with pytest.raises(CallError, match="run vqa2 calibrate"):
        read_calibration(path)
    path.write_text('{"rules": []}')
    with pytest.raises(CallError, match="no calibration"):
        read_calibration(path)
    with pytest.raises(CallError, match="cannot be read"):
        read_calibration(tmp_path / "none.json")


def test_what_is_committed_holds_for_this_code_and_contradicts_only_where_it_is_right() -> None:
    calibration = read_calibration(COMMITTED)
    assert calibration.probes == probes_digest()
    assert set(calibration.contents) == {content.name for content in CONTENTS}
    assert {rule.attribute for rule in calibration.rules} == set(PROBES) == {*SPATIAL, *MOTION}
    speaking = [rule for rule in calibration.rules if rule.threshold is not None]
    assert len(speaking) >= 20
    for rule in speaking:
        assert rule.precision is not None
        assert rule.precision >= LEAST_PRECISION, rule
        assert rule.spurious <= MOST_SPURIOUS, rule
        assert rule.recall > 0.1, rule
        assert rule.false_claims > 20 < rule.true_claims, rule


def cases(wrong: list[float], right: list[float]) -> list[Case]:
    return [Case(True, doubt, "a") for doubt in wrong] + [Case(False, doubt, "a") for doubt in right]


def test_a_threshold_is_the_lowest_that_is_right_often_enough() -> None:
    assert threshold_of(cases([0.0] * 100, [1.0] * 50 + [2.0] * 50)) == 1.0
    assert threshold_of(cases([0.0] * 98 + [1.0] * 2, [1.0] * 20 + [2.0] * 80)) == 2.0
    # The same shares of fewer claims prove nothing, nor does a probe that tells nothing.
    assert threshold_of(cases([0.0] * 20, [1.0] * 100)) is None
    assert threshold_of(cases([0.0, 1.0] * 100, [0.0, 1.0] * 100)) is None
    assert threshold_of(cases([], [1.0])) is None


def test_folds_keep_a_content_together_and_are_of_equal_size() -> None:
    fold = folds_of([f"content {index}" for index in range(24)])
    assert sorted(fold.values()) == sorted([*range(FOLDS)] * 3)
    assert fold == folds_of([f"content {index}" for index in reversed(range(24))])


def known(content: int, grain: float, found: str | None, severity: int = 3) -> KnownClip:
    """A clip of one second with that grain."""
    row = {"at": 0.0, "grain": grain, "detail": 1.0}
    distortion = None if found is None else Distortion(name=found, severity=severity)
    return KnownClip(str(content), "0" * 64, distortion, {"duration": 1.0, "seconds": [row]})


def test_precision_is_told_of_contents_that_were_left_out() -> None:
    clips = [
        known(content, grain, found, 1 + turn % 5)
        for content in range(24)
        for turn in range(10)
        for grain, found in ((5.0, "noise"), (1.0, None), (1.0, "flicker"))
    ]
    rules = {(rule.kind, rule.severity): rule for rule in calibrated(clips, ["noise"]).rules}
    assert (rules["present", 1].threshold, rules["absent", 0].threshold) == (1.0, 5.0)
    assert rules["present", 1].precision == rules["present", 1].recall == 1
    assert (rules["absent", 0].false_claims, rules["absent", 0].true_claims) == (240, 480)
    assert calibrated(clips, ["noise"]) == calibrated(clips[::-1], ["noise"])
    # One content whose clean clips are as noisy: few enough to allow for, until they are too many.
    few = [*clips, *(known(0, 5.0, None) for _ in range(4))]
    (absent,) = [rule for rule in calibrated(few, ["noise"]).rules if rule.kind == "absent"]
    assert (absent.threshold, absent.spurious) == (5.0, round(4 / 484, 4))
    many = [*clips, *(known(0, 5.0, None) for _ in range(48))]
    (absent,) = [rule for rule in calibrated(many, ["noise"]).rules if rule.kind == "absent"]
    assert absent.threshold is None


def test_a_folder_without_clips_and_a_folder_to_write_are_refused(tmp_path: Path, vqa2: Cli) -> None:
    (tmp_path / "empty").mkdir()
    refused = vqa2("calibrate", "--clips", tmp_path / "empty", "--out", tmp_path / "c.json")
    assert refused.returncode == 2
    assert "there are no clips in it" in refused.stderr
    refused = vqa2("calibrate", "--out", tmp_path)
    assert refused.returncode == 2
    assert not (tmp_path / "c.json").exists()


@pytest.mark.full
def test_known_clips_are_made_and_measured_alike_and_the_committed_rules_hold_on_them(tmp_path: Path) -> None:
    (content,) = [content for content in CONTENTS if content.name == "carphone_pristine"]
    found = known_clips(Means(tmp_path / "one", LocalEngine(2)), contents=[content])
    again = known_clips(Means(tmp_path / "one", LocalEngine(1)), contents=[content])
    assert json.dumps([clip.measures for clip in found]) == json.dumps([clip.measures for clip in again])
    assert len(found) == 1 + 20 * 6 + 3
    assert sum(clip.distortion is None for clip in found) == 1
    rules = held_to([rule for rule in read_calibration().rules if rule.threshold is not None], found)
    assert sum(rule.spurious * rule.true_claims for rule in rules) <= 0.05 * sum(rule.true_claims for rule in rules)
    assert sum(rule.recall * rule.false_claims for rule in rules) >= 0.5 * sum(rule.false_claims for rule in rules)
    (clean,) = [clip.measures for clip in found if clip.distortion is None]
    assert evidence("noise", clean) is not None
