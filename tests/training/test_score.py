"""Scores of clips of every kind, by every backbone and both motion extractors, together and one by one."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image

import training.inputs.feeds
from schemas.errors import CallError
from schemas.levels import LEVELS, WEIGHTS
from schemas.sample import MOTION
from tests.training.conftest import write_clip
from tests.training.test_features import lively_extractor
from training.checkpoints.checkpoint import Block, Checkpoint, load_checkpoint, scoring_of
from training.checkpoints.preset import load_preset
from training.checkpoints.start import initial_model, initial_tokens, model_config
from training.inference.score import Question, ask_levels, extracted, grouped, score_clips
from training.inputs.ahead import ahead
from training.inputs.feeds import read_feed

PRESETS = ["tiny", "tiny-qwen2.5-vl", "tiny-qwen3-vl"]
EXTRACTORS = ["frame_stats", "slowfast"]


@pytest.fixture(scope="module")
def clips(shared_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Clips of several lengths (one too short for motion) and a still image."""
    folder = tmp_path_factory.mktemp("clips")
    made = [write_clip(folder / f"{frames}.mp4", seed, frames=frames) for seed, frames in enumerate((40, 3, 16, 8, 24))]
    return [*made[:2], shared_corpus / "media" / "still.png", *made[2:]]


def checkpoint_of(preset: str, extractor: str) -> Checkpoint:
    """Make an untrained model; the network extractor is one whose features differ from frame to frame."""
    given = load_preset(preset)
    words = initial_tokens(given, ["How would you rate the quality of this video? 1.0 seconds"])
    config = model_config(given, words)
    if extractor == "slowfast":
        config.motion_extractor, config.dense_size, config.dense_pixels = "slowfast", 32, "rgb24"
    model = initial_model(given, config, 0).eval()
    if extractor == "slowfast":
        model.model.motion_extractor.load_state_dict(lively_extractor(0).state_dict())
    return Checkpoint(model, words, Block(scoring=scoring_of(words), preset=given, seed=0))


@pytest.fixture(scope="module", params=[(p, e) for p in PRESETS for e in EXTRACTORS], ids="-".join)
def untrained(request: pytest.FixtureRequest) -> Checkpoint:
    """Each backbone with each extractor."""
    return checkpoint_of(*request.param)


@pytest.mark.parametrize("batch", [2, 3, 16])
def test_a_batch_scores_as_one_by_one(untrained: Checkpoint, clips: list[Path], batch: int) -> None:
    alone = list(score_clips(untrained, clips, batch=1))
    scores = [row.score for row in alone if row.score is not None]
    assert len({round(score, 3) for score in scores}) == len(clips)  # what is equal below is not equal by itself
    together = list(score_clips(untrained, clips, batch=batch))
    assert [row.clip for row in together] == [row.clip for row in alone] == list(map(str, clips))
    for a, b in zip(together, alone, strict=True):
        assert a.score == pytest.approx(b.score, abs=1e-4)
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-4)


def test_motion_features_made_ahead_are_those_that_the_model_makes(clips: list[Path]) -> None:
    checkpoint = checkpoint_of("tiny", "slowfast")
    feed = read_feed(clips[0], checkpoint.config)
    assert feed.motion is not None
    assert feed.motion.dtype is torch.uint8
    with torch.inference_mode():
        inside = checkpoint.model.model.extract_motion(feed.motion)
    made = extracted(checkpoint, feed).motion
    assert made is not None
    assert torch.equal(made, inside)
    assert made.std(0).max() > 0.001


def test_a_score_is_the_weighed_level_probability(trained: Checkpoint, clips: list[Path]) -> None:
    for row in score_clips(trained, clips):
        assert row.levels is not None
        assert tuple(row.levels) == LEVELS
        assert list(row.levels.values()) == row.probabilities
        assert sum(row.levels.values()) == pytest.approx(1)
        assert row.score == pytest.approx(sum(w * row.levels[level] for w, level in zip(WEIGHTS, LEVELS, strict=True)))


def test_every_clip_is_accounted_for_in_order(trained: Checkpoint, clips: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    given = [clips[0], tmp_path / "text.mp4", clips[1], tmp_path / "nowhere.mp4", clips[0]]
    rows = list(score_clips(trained, given, batch=1))
    assert [row.clip for row in rows] == list(map(str, given))
    assert [row.score is None for row in rows] == [False, True, False, True, False]
    assert all(row.error for row in rows if row.score is None)
    assert rows[0] == rows[4]


@pytest.mark.parametrize(
    ("lengths", "batch", "tokens", "groups"),
    [
        ([], 4, 100, []),
        ([10, 9, 8, 7, 6], 2, 100, [[4, 3], [2, 1], [0]]),
        ([30, 10, 10, 30], 16, 60, [[1, 2], [0, 3]]),
        ([50, 60, 10], 16, 100, [[2, 0], [1]]),
        ([70, 10], 16, 50, [[1], [0]]),
    ],
)
def test_passes_take_neighbours_in_length_up_to_their_bounds(
    lengths: list[int], batch: int, tokens: int, groups: list[list[int]]
) -> None:
    assert list(grouped(lengths, batch, tokens)) == groups


def test_what_a_pass_takes_does_not_grow_with_its_clips(
    trained: Checkpoint, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass of clips takes no more tokens than one sequence may have."""
    seen: list[tuple[int, ...]] = []
    hook = trained.model.register_forward_pre_hook(
        lambda _module, _given, inputs: seen.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    try:
        expected = [row.score for row in score_clips(trained, clips)]
        assert [count for count, _ in seen] == [6]
        longest = max(length for _, length in seen)
        monkeypatch.setattr(trained.config.text_config, "max_position_embeddings", 2 * longest)
        seen.clear()
        assert [row.score for row in score_clips(trained, clips)] == pytest.approx(expected, abs=1e-5)
        assert len(seen) > 1
        assert all(count * length <= 2 * longest for count, length in seen)
        monkeypatch.setattr(trained.config.text_config, "max_position_embeddings", longest - 1)
        rows = list(score_clips(trained, clips))
        assert [row.score is None for row in rows] == [True, *[False] * 5]
        assert rows[0].error == f"{longest} tokens, the model reads at most {longest - 1}: cut the clip"
    finally:
        hook.remove()


def test_results_come_in_order_and_no_more_are_made_than_may_wait() -> None:
    begun: list[int] = []

    def double(number: int) -> int:
        begun.append(number)
        if number == 7:
            raise RuntimeError("seven")
        return 2 * number

    results = ahead(double, iter(range(100)), workers=3, most=4)
    assert next(results) == 0
    assert set(begun) <= set(range(5))
    assert [next(results) for _ in range(6)] == [2, 4, 6, 8, 10, 12]
    with pytest.raises(RuntimeError, match="seven"):
        next(results)
    assert max(begun) < 12
    assert list(ahead(double, [], workers=3, most=4)) == []


def test_a_folder_that_is_no_model_names_the_nearest(shared_corpus: Path, trained: Checkpoint) -> None:
    with pytest.raises(CallError, match="did you mean '.*model'"):
        load_checkpoint(shared_corpus / "modle")


# Clips of every kind


def encoded(path: Path, pictures: Sequence[np.ndarray], *, fps: int = 8, sound: bool = False, turn: int = 0) -> Path:
    """Encode pictures as they are; with a sound track, or with a turn (degrees) that the player is to make."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "18", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        track = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
        if track is not None:
            samples = np.zeros((1, 8000), np.float32)
            heard = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            heard.sample_rate = 8000
            container.mux(track.encode(heard))
            container.mux(track.encode())
    return path


def noise(height: int, width: int, frames: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return list(random.integers(0, 255, (frames, height, width, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of clips that are each odd in a way of their own."""
    folder = tmp_path_factory.mktemp("odd")
    grey = [np.full((64, 64, 3), 99, np.uint8)] * 2008
    encoded(folder / "long.mp4", grey, fps=100)
    encoded(folder / "still.mp4", grey[:16])
    encoded(folder / "three frames.mp4", noise(64, 64, 3))
    encoded(folder / "one frame.mp4", noise(64, 64, 1))
    encoded(folder / "with sound.mp4", noise(64, 64, 8), sound=True)
    encoded(folder / "silent.mp4", noise(64, 64, 8))
    encoded(folder / "vertical.mp4", noise(160, 90, 8))
    encoded(folder / "small.mp4", noise(16, 16, 8))
    encoded(folder / "line.mp4", noise(2, 640, 8))
    Image.fromarray(noise(9, 7, 1)[0]).save(folder / "small.png")
    Image.fromarray(noise(64, 64, 1)[0]).convert("L").save(folder / "grey.jpg")
    Image.fromarray(noise(64, 64, 1)[0]).convert("RGBA").save(folder / "see-through.png")
    whole = write_clip(folder / "whole.mp4", 1, frames=64)
    (folder / "head only.mp4").write_bytes(whole.read_bytes()[:300])
    with av.open(str(whole)) as source, av.open(str(folder / "whole.mkv"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    half = (folder / "whole.mkv").read_bytes()
    (folder / "cut short.mkv").write_bytes(half[: len(half) // 2])
    jpeg = (folder / "grey.jpg").read_bytes()
    (folder / "cut short.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "text.mp4").write_text("hello")
    (folder / "empty.mp4").touch()
    (folder / "playlist.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nwhole.mp4\n")
    with av.open(str(folder / "sound only.mp4"), "w") as container:
        track = container.add_stream("aac", rate=8000, layout="mono")
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        heard.sample_rate = 8000
        container.mux(track.encode(heard))
        container.mux(track.encode())
    return folder


REFUSED = {
    "cut short.jpg": "truncated: the picture has no end",
    "cut short.mkv": "truncated: the header promises 8.00 s, ",
    "empty.mp4": "the file is empty",
    "head only.mp4": "no readable video or picture",
    "playlist.m3u8": "no readable video or picture",
    "sound only.mp4": "there is no video stream in it (audio only)",
    "text.mp4": "no readable video or picture",
}


def test_odd_clips_are_scored_or_say_why_not(untrained: Checkpoint, odd: Path) -> None:
    paths = sorted(odd.iterdir())
    rows = {Path(row.clip).name: row for row in score_clips(untrained, paths)}
    assert len(rows) == len(paths)
    failed = {name: row.error for name, row in rows.items() if row.score is None}
    refused = dict(REFUSED)
    if untrained.config.key_frames == "native":
        refused["line.mp4"] = "too long and thin"
    assert failed.keys() == refused.keys()
    for name, why in refused.items():
        assert why in (failed[name] or "")
    for row in rows.values():
        if row.levels is not None:
            assert 0 <= row.score <= 1  # type: ignore[operator]
            assert sum(row.levels.values()) == pytest.approx(1)
    same = [rows[name].probabilities for name in ("silent.mp4", "with sound.mp4")]
    assert same[0] == pytest.approx(same[1], abs=1e-5)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_a_clip_is_fed_what_it_is(extractor: str, odd: Path) -> None:
    """Motion of more frames than there are positions is strided; a clip of under 4 frames has none."""
    checkpoint = checkpoint_of("tiny", extractor)
    long = read_feed(odd / "long.mp4", checkpoint.config)
    assert long.motion is not None
    assert len(long.motion) == 2008
    assert checkpoint.config.motion_positions == 256
    assert dict(long.media_tokens(checkpoint.config))[MOTION] == 251  # every 8th of 2008
    short = read_feed(odd / "three frames.mp4", checkpoint.config)
    assert (short.kind, short.motion) == ("video", None)
    assert read_feed(odd / "one frame.mp4", checkpoint.config).kind == "image"


def test_a_scorer_of_key_frames_alone_reads_nothing_else(trained: Checkpoint, clips: list[Path]) -> None:
    scoring = replace(trained.block.scoring, video_prompt=trained.block.scoring.video_prompt_without_motion)
    still = Checkpoint(trained.model, trained.tokens, replace(trained.block, scoring=scoring))
    assert read_feed(clips[0], still.config, motion=False).motion is None
    in_full = read_feed(clips[0], still.config)
    assert in_full.motion is not None
    shown = scoring.shown(in_full)
    asked = Question(str(clips[0]), scoring.question(in_full), scoring.prefix(in_full), [shown])
    assert list(score_clips(still, clips[:1])) == ask_levels(still, [asked])
    assert list(score_clips(still, clips[:1])) != list(score_clips(trained, clips[:1]))


def test_a_clip_that_memory_may_not_hold_is_refused(
    trained: Checkpoint, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.inputs.feeds, "MOST_DENSE", 39 * 128 * 128 * 3 // 2)
    long, short, *_ = score_clips(trained, clips)
    assert long.error == "40 frames, for motion at most 39 are read: cut the clip, or read from a cache"
    assert short.score is not None
