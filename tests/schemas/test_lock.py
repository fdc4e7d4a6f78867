from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from schemas.lock import BenchmarkLock, Encode, LockedClip, LockedScale, MetricReport, Metrics, fingerprint
from schemas.validate import Problem, check_bytes

CLIPS = [LockedClip(id=f"konvid/{i}.mp4", sha256=f"{i:064x}", raw=1.5 + i / 3) for i in range(9)]
SCALE = LockedScale(source="konvid", lo=1.22, hi=4.64, direction="higher_is_better", mode="minmax")


def lock(clips: list[LockedClip] = CLIPS, **changes: Any) -> BenchmarkLock:
    clips = sorted(clips, key=lambda clip: clip.id)
    encode = Encode(
        sha256=fingerprint(clips), frame_rates={"30": 9}, seconds=72.0, probed=0, codecs={}, sizes={}, bytes=0
    )
    given = {"name": "k", "config": "stage2-ugc", "split": "test", "n": len(clips), "scales": [SCALE], "encode": encode}
    return BenchmarkLock(**{**given, "clips": clips, **changes})


def changed(index: int, **changes: Any) -> list[LockedClip]:
    return [msgspec.structs.replace(clip, **changes) if i == index else clip for i, clip in enumerate(CLIPS)]


def report(**changes: Any) -> dict[str, Any]:
    metrics = Metrics(n=9, srcc=0.5, plcc=None)
    made = MetricReport(
        benchmark=lock().named(),
        config="stage2-ugc",
        split="test",
        model="m",
        n_expected=9,
        errors=[],
        not_scored=[],
        trained=metrics,
        lock=lock(),
    )
    plain: dict[str, Any] = msgspec.to_builtins(made)
    return {**plain, **changes}


def problem(value: object, kind: type[msgspec.Struct]) -> str:
    found = check_bytes(msgspec.json.encode(value), kind, "f.json", 0)
    assert isinstance(found, Problem), found
    return str(found)


def test_the_digest_is_that_of_the_contents_whatever_order_they_come_in() -> None:
    mixed = random.Random(0).sample(CLIPS, len(CLIPS))
    assert lock(mixed).digest == lock().digest
    two = [SCALE, msgspec.structs.replace(SCALE, source="a")]
    assert lock(scales=two).digest == lock(scales=two[::-1]).digest


def test_the_digest_is_the_same_from_release_to_release() -> None:
    """A lock is published beside a benchmark: another digest of the same contents would break every report."""
    assert lock().digest == "10c221d99e4c78d8b4ca3b66694be71549a9da3781ac8fdf11e40e8fe427d4a8"


@pytest.mark.parametrize(
    "other",
    [
        lock(changed(3, raw=2.5000000000000004)),
        lock(changed(3, sha256="f" * 64)),
        lock(changed(3, id="konvid/33.mp4")),
        lock(CLIPS[1:]),
        lock(scales=[msgspec.structs.replace(SCALE, lo=1.0)]),
        lock(scales=[msgspec.structs.replace(SCALE, hi=5.0)]),
        lock(scales=[msgspec.structs.replace(SCALE, direction="lower_is_better")]),
    ],
)
def test_the_digest_sees_every_change_that_a_metric_would(other: BenchmarkLock) -> None:
    assert other.digest != lock().digest


def test_labels_are_no_part_of_the_digest() -> None:
    nominal = [msgspec.structs.replace(SCALE, mode="explicit")]
    assert lock(name="other", config="stage3-mix", split="val", scales=nominal).digest == lock().digest


def test_a_lock_reads_back_as_it_was_and_keeps_its_digest() -> None:
    raw = msgspec.json.encode(lock())
    found = check_bytes(raw, BenchmarkLock, "f.json", 0)
    assert isinstance(found, BenchmarkLock)
    assert found == lock()
    assert found.digest == lock().digest


def test_an_edited_lock_is_refused_by_what_was_edited() -> None:
    plain = msgspec.to_builtins(lock())
    assert "n is 8, but 9 clips are listed" in problem({**plain, "n": 8}, BenchmarkLock)
    assert "not sorted" in problem({**plain, "clips": plain["clips"][::-1]}, BenchmarkLock)
    twice = [plain["clips"][0], *plain["clips"]]
    assert "there twice" in problem({**plain, "clips": twice, "n": 10}, BenchmarkLock)
    other = [{**plain["clips"][0], "sha256": "e" * 64}, *plain["clips"][1:]]
    assert "encode/sha256" in problem({**plain, "clips": other}, BenchmarkLock)
    assert "version" in problem({**plain, "version": 2}, BenchmarkLock)
    nothing = [{**plain["clips"][0], "raw": None}, *plain["clips"][1:]]
    assert "clips/0/raw" in problem({**plain, "clips": nothing}, BenchmarkLock)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_is_a_number(value: float) -> None:
    with pytest.raises(ValueError, match=f"a: the score is {value}"):
        LockedClip(id="a", sha256="0" * 64, raw=value)


def test_a_report_that_does_not_add_up_is_refused() -> None:
    other = msgspec.to_builtins(lock(CLIPS[1:]))
    assert "not the digest" in problem(report(lock=other), MetricReport)
    assert "must be over 8 clips" in problem(report(not_scored=["konvid/0.mp4"]), MetricReport)
    assert "must be over 9 clips" in problem(report(n_expected=8), MetricReport)
    assert "must be over 9 clips" in problem(report(trivial={"n": 7, "srcc": 0.1, "plcc": 0.1}), MetricReport)
    whole = check_bytes(msgspec.json.encode(report(lock=None)), MetricReport, "f.json", 0)
    assert isinstance(whole, MetricReport)
    assert list(whole.metrics()) == ["trained"]
