import msgspec
import pytest

from schemas.frames import key_frame_count, key_frame_indices, motion_frame_count
from schemas.levels import Level
from schemas.sample import MediaRef, Provenance, Sample, Target, Turn


def media(kind: str = "video", frames: int = 188, fps: float = 29.97, **changes: object) -> MediaRef:
    video = kind == "video"
    fields = {
        "record_id": "s/a.mp4",
        "kind": kind,
        "path": "media/aa/a.mp4",
        "sha256": "aa",
        "frames": frames,
        "fps": fps,
        "key_frames": key_frame_count(frames, fps) if video else 1,
        "motion_frames": motion_frame_count(frames) if video else 0,
    }
    return MediaRef(**{**fields, **changes})  # type: ignore[arg-type]


def sample(question: str, answer: str, refs: list[MediaRef], target: Target | None = None) -> Sample:
    return Sample(
        id="x",
        stage="stage2-ugc",
        task="scoring",
        media=refs,
        turns=[Turn(role="user", text=question), Turn(role="assistant", text=answer)],
        target=target,
        provenance=Provenance(
            source="s", licence="l", group="g", wording="w", generator="g", family="", evidence=[], recipe="r"
        ),
    )


@pytest.mark.parametrize(
    ("frames", "fps", "keys", "motion"), [(188, 30, 7, 188), (160, 30, 6, 160), (374, 24, 16, 372)]
)
def test_published_counts_of_fed_frames(frames: int, fps: float, keys: int, motion: int) -> None:
    """188 frames are 7 images and 160 are 6 in the released stage-3 records."""
    assert key_frame_count(frames, fps) == len(key_frame_indices(frames, fps)) == keys
    assert motion_frame_count(frames) == motion


@pytest.mark.parametrize(
    ("question", "refs"),
    [
        ("no placeholder", [media()]),
        ("<video> only", [media()]),
        ("<motion><video>", [media()]),
        ("<video><motion><video><motion>", [media()]),
        ("<video><motion>", []),
        ("<image>", [media()]),
        ("<video>", [media("image", 1, 1.0)]),
        ("<video><motion>", [media(frames=3)]),
    ],
)
def test_placeholders_must_match_media(question: str, refs: list[MediaRef]) -> None:
    with pytest.raises(ValueError, match="the media need"):
        sample(question, "The quality is good.", refs)


def test_matching_samples_can_be_made_and_read_back() -> None:
    for question, refs in [
        ("<video> <motion>", [media()]),
        ("<image>", [media("image", 1, 1.0)]),
        ("<video>", [media(frames=3)]),
        ("<video><motion> or <video><motion>", [media(), media()]),
        ("text alone", []),
    ]:
        made = sample(question, "fine", refs)
        assert msgspec.json.decode(msgspec.json.encode(made), type=Sample) == made


def test_counts_that_are_not_fed_are_refused() -> None:
    with pytest.raises(ValueError, match="7 key and 188 motion frames are fed"):
        media(key_frames=6)
    with pytest.raises(ValueError, match="are fed"):
        media(motion_frames=184)


def target(level: Level, mos: float) -> Target:
    return Target(level=level, mos=mos, raw=mos, lo=0.0, hi=1.0, synthetic=False)


def test_level_words_must_be_those_of_the_score() -> None:
    with pytest.raises(ValueError, match="is not the level"):
        target("good", 0.5)
    with pytest.raises(ValueError, match="does not hold the level word"):
        sample("<video><motion>", "The quality of this video is fair.", [media()], target("good", 0.7))


@pytest.mark.parametrize("path", ["/abs.mp4", "../up.mp4", "a/../b.mp4", "a\nb.mp4", "", "C:\\x.mp4", "a\\..\\b.mp4"])
def test_paths_that_leave_the_corpus_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        media(path=path)


@pytest.mark.parametrize("path", ["-a.mp4", "a b/ü..mp4", "x..y/..z.mp4", "...", "日本.mp4"])
def test_odd_but_legal_paths(path: str) -> None:
    assert media(path=path).path == path
