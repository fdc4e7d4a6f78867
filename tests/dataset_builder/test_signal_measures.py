"""What is measured of a clip's pixels: freezes to the frame, combs, shakes, and records that cannot be measured."""

import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
import pytest

from dataset_builder.distort import Shape, applied, distorted
from dataset_builder.encode import encode_frames, encode_video
from dataset_builder.engine import LocalEngine
from dataset_builder.frame import frames_of
from dataset_builder.signal.measuring import Measures, measure_clip, measure_records
from dataset_builder.signal.movement import SMALL, Movement
from dataset_builder.signal.pictures import at_full_size, at_small_size
from dataset_builder.signal.probes import holds
from dataset_builder.video import Pixels, inspect, rgb_frames
from schemas.record import Record

FPS = 25


@pytest.fixture(scope="module")
def scene(photograph: Path) -> list[Pixels]:
    """Three seconds of a pan over a photograph, one pixel a frame, 320 x 240."""
    (picture,) = rgb_frames(photograph)
    return [np.ascontiguousarray(picture[:240, index : index + 320]) for index in range(3 * FPS)]


def measured(frames: Iterable[Pixels], path: Path, fps: float = FPS) -> Measures:
    encode_video(frames, fps, path)
    return measure_clip(path)


def test_a_freeze_is_told_to_the_frame(scene: list[Pixels], tmp_path: Path) -> None:
    frozen = [*scene[:30], *[scene[29]] * 20, *scene[50:]]
    (long,) = [hold for hold in holds(measured(frozen, tmp_path / "a.mp4")) if hold[1] > 1]
    assert long[0] == pytest.approx(29 / FPS)
    assert long[1] == 21
    pale = [frame // 8 + 100 for frame in scene]  # moves no less where little is to be seen of it
    assert {held for _, held in holds(measured(pale, tmp_path / "b.mp4"))} == {1}


def test_times_are_those_of_the_frames_where_these_last_differently(scene: list[Pixels], tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mkv"
    encode_video(scene, FPS, whole)
    _without(whole, cut, range(26, 50))
    (long,) = [hold for hold in holds(measure_clip(cut)) if hold[1] > 2]
    assert long[0] == pytest.approx(1.0, abs=0.002)
    assert inspect(cut, "cut").variable_frame_rate


def _without(source: Path, out: Path, frames: range) -> None:
    """Write a clip again without some frames, the others at their times."""
    import av

    with av.open(str(source)) as before, av.open(str(out), "w") as after:
        stream = after.add_stream("ffv1", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.time_base = before.streams.video[0].time_base or Fraction(1, FPS)
        for index, frame in enumerate(before.decode(video=0)):
            if index not in frames:
                after.mux(stream.encode(frame))
        after.mux(stream.encode())


def test_a_pan_has_no_shake_and_a_shaken_one_has_as_much_as_it_is_moved(scene: list[Pixels], tmp_path: Path) -> None:
    assert max(row["shake"] for row in measured(scene, tmp_path / "a.mp4")["seconds"]) < 0.5
    # Four pixels to and fro twelve frames apart: the path bends by eight at its turns, over a height of 240.
    shaken = [np.roll(frame, 4 * (index // 4 % 2), axis=1) for index, frame in enumerate(scene)]
    bends = [row["shake"] for row in measured(shaken, tmp_path / "b.mp4")["seconds"]]
    assert np.mean(bends) == pytest.approx(1000 * 8 / 240, rel=0.2)


def test_shifts_are_found_beyond_one_pixel(photograph: Path) -> None:
    (picture,) = rgb_frames(photograph)
    luma = picture[: 4 * SMALL, : 4 * SMALL, 1].astype(np.int32)
    movement = Movement()
    for right in (0, 36, 39):  # nine squeezed pixels, and three quarters of one
        seen = np.roll(luma, right, axis=1).reshape(SMALL, 4, SMALL, 4).mean(axis=(1, 3)).astype(np.int32)
        movement.add(seen, 0, 0)
    assert movement.right[1:] == pytest.approx([9 * 4096, 0.75 * 4096], rel=0.1)
    assert np.abs(movement.down).max() < 0.1 * 4096


def test_noise_of_a_known_spread_measures_as_that(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    grain = np.clip(np.rint(rng.normal(120, 5, (480, 640))), 0, 255).astype(np.uint8)
    seen = at_full_size(grain)
    assert seen["noise"] == pytest.approx(5, rel=0.03)
    assert seen["grain"] == pytest.approx(5, rel=0.15)


def test_what_is_smeared_one_way_is_blurred_that_way(photograph: Path) -> None:
    (picture,) = rgb_frames(photograph)
    luma = picture[..., 1]
    for smeared in (_mean_of(luma, 9), _mean_of(luma.T, 9).T):
        seen, clean = at_small_size(np.ascontiguousarray(smeared)), at_small_size(luma)
        assert seen["blur"] > 1.5 * clean["blur"]
        assert seen["smear"] > 3 * clean["smear"]


def _mean_of(luma: Pixels, pixels: int) -> Pixels:
    sums = sum(luma[:, index : luma.shape[1] - pixels + index].astype(np.uint16) for index in range(pixels))
    means: Pixels = (np.asarray(sums) // pixels).astype(np.uint8)
    return means


def test_torn_lines_show_and_torn_columns_count_against_them(real_clips: dict[str, Path], tmp_path: Path) -> None:
    clean = real_clips["bikes"]
    media = inspect(clean, "bikes.mp4")
    shape = Shape(media.width, media.height, media.fps, 50)
    frames = distorted(itertools.islice(frames_of(clean), 50), shape, [applied("interlacing", 3)], seed=0, key="a")
    encode_frames(frames, media.fps, tmp_path / "torn.mp4")
    torn = measure_clip(tmp_path / "torn.mp4")["seconds"]
    whole = measure_clip(clean)["seconds"]
    assert max(row["woven"] for row in torn) > max(row["woven"] for row in whole) + 0.5
    lines = np.zeros((64, 64), np.uint8)
    lines[::2] = 100
    assert at_full_size(lines)["woven"] == -at_full_size(np.ascontiguousarray(lines.T))["woven"] > 5


def test_bits_are_counted_a_pixel(real_clips: dict[str, Path]) -> None:
    clip = real_clips["carphone_pristine"]
    told = measure_clip(clip)
    assert told["bits_per_pixel"] == pytest.approx(8 * clip.stat().st_size / (176 * 144 * 120), abs=1e-4)
    assert (told["codec"], told["width"], told["height"], told["frames"]) == ("h264", 176, 144, 120)


def record(name: str, path: Path, root: Path, **changes: str) -> Record:
    media = msgspec.structs.replace(inspect(path, path.relative_to(root).as_posix()), **changes)
    return Record(id=name, source="own", licence="mine", group=name, split="train", media=media)


def test_records_are_measured_by_their_bytes_and_what_fails_is_told(
    tmp_path: Path, real_clips: dict[str, Path], scene: list[Pixels]
) -> None:
    root = tmp_path / "clips"
    root.mkdir()
    for name in ("one", "same", "gone", "damaged", "other"):
        encode_video(scene if name in {"one", "same"} else scene[len(name) :], FPS, root / f"{name}.mp4")
    records = [record(name, root / f"{name}.mp4", root) for name in ("one", "same", "gone", "damaged")]
    records.append(record("other", root / "other.mp4", root, sha256="0" * 64))
    (root / "gone.mp4").unlink()
    (root / "damaged.mp4").write_bytes((root / "damaged.mp4").read_bytes()[:4000])
    told = measure_records(records, root, tmp_path / "work", engine=LocalEngine(1))
    assert list(told) == ["one", "same", "gone", "damaged", "other"]
    assert told["one"] == told["same"]
    assert len(told["one"]["seconds"]) == 3
    assert "cannot be read" in told["gone"]["error"]
    assert told["damaged"].keys() == {"error"}
    assert "changed" in told["other"]["error"]
    encode_video(scene[4:], FPS, root / "gone.mp4")
    again = measure_records(records[:3], root, tmp_path / "work", engine=LocalEngine(1))
    assert again["one"] == told["one"]
    assert len(again["gone"]["seconds"]) == 3
