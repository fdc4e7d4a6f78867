"""Broken containers never take the driver down: every one ends as a result, or as an error that names what is wrong."""

import shutil
from collections import Counter
from pathlib import Path

import av
import psutil
import pytest

from dataset_builder import engine
from dataset_builder.video import inspect
from tests.dataset_builder.fuzzed import MUTATIONS, WAYS, mutated, write_whole

LOOK = "tests.dataset_builder.fuzzed:look"
TIMEOUT = 5.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return {name: folder / name for name in write_whole(folder, real_clips["carphone_pristine"])}


def items(whole: dict[str, Path], scratch: Path, rounds: range) -> list[engine.Item]:
    return [
        {
            "whole": str(path),
            "mutation": mutation,
            "seed": f"{name} {mutation} {number}",
            "path": str(scratch / f"{mutation}-{number}-{name}"),
        }
        for number in rounds
        for mutation in MUTATIONS
        for name, path in whole.items()
    ]


def hold(whole: dict[str, Path], scratch: Path, rounds: range) -> None:
    wanted = items(whole, scratch, rounds)
    before = set(psutil.Process().children())  # other tests may keep a server
    told = []
    outcomes = engine.run(LOOK, wanted, timeout=TIMEOUT, on_done=told.append)
    assert len(outcomes) == len(told) == len(wanted) == len(rounds) * len(MUTATIONS) * len(whole)
    ended: Counter[str] = Counter()
    died: Counter[str] = Counter()
    for item, outcome in zip(wanted, outcomes, strict=True):
        if outcome.result is not None:
            assert outcome.result.keys() == WAYS.keys()
            assert all(outcome.result.values())
            ended["read" if outcome.result["inspect"] == "read" else "refused"] += 1
            continue
        # Libraries that crash or hang cost the item its process; an exception of another kind is a defect of ours.
        assert outcome.error
        assert "a defect in" not in outcome.error, (item["seed"], outcome.error)
        ended["died"] += 1
        died[f"{Path(item['whole']).name}, {item['mutation']}: {outcome.error}"] += 1
    print(dict(ended), dict(died))
    assert ended["read"] > len(wanted) / 50
    assert ended["refused"] > len(wanted) / 10
    assert set(psutil.Process().children()) <= before


def test_whole_containers_are_read_in_every_way(whole: dict[str, Path], tmp_path: Path) -> None:
    """So that what the broken ones are refused for is their being broken."""
    for name, path in whole.items():
        for way in WAYS.values():
            way(Path(shutil.copy(path, tmp_path / name)))


def test_mutations_are_drawn_by_seed_and_change_the_file(whole: dict[str, Path]) -> None:
    data = whole["h264.mp4"].read_bytes()
    for mutation in MUTATIONS:
        changed = [mutated(data, mutation, str(seed)) for seed in range(3)]
        assert changed == [mutated(data, mutation, str(seed)) for seed in range(3)]
        assert data not in changed
        assert len(set(changed)) == 3


def test_a_title_that_is_not_utf_8_is_no_defect(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    path = tmp_path / "titled.mkv"
    with av.open(str(real_clips["carphone_pristine"])) as source, av.open(str(path), "w") as target:
        target.metadata["title"] = "Strassenbahn"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"Strassenbahn", "Straßen-bahn".encode("latin-1")))
    assert inspect(path, "x").frames == 120


def test_broken_containers(whole: dict[str, Path], tmp_path: Path) -> None:
    hold(whole, tmp_path, range(3))


@pytest.mark.full
def test_thousands_of_broken_containers(whole: dict[str, Path], tmp_path: Path) -> None:
    hold(whole, tmp_path, range(3, 30))
