"""Stages on disk: what is kept, what is done again, and that nothing but the items decides the bytes."""

import os
import random
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from dataset_builder import engine
from dataset_builder.engine import LocalEngine, Stage, StageResult, Work
from dataset_builder.engine.choice import engine_of, part_of
from schemas.errors import CallError, DataError
from tests.dataset_builder.faulty import render

RENDER = Stage("render", "tests.dataset_builder.faulty:render")


def work(texts: Sequence[str], place: Path, **content: object) -> list[Work]:
    (place / "marks").mkdir(parents=True, exist_ok=True)
    arguments = {"files_folder": str(place / "files"), "marks": str(place / "marks")}
    return [Work(f"clip-{text}", {"text": text, **content}, arguments) for text in texts]


def texts(count: int) -> list[str]:
    return [f"t{index}" for index in range(count)]


def run(items: Sequence[Work], place: Path, stage: Stage = RENDER, **options: object) -> StageResult:
    options.setdefault("engine", LocalEngine(2))
    return engine.run_stage(stage, items, place / "work", **options)  # type: ignore[arg-type]


def calls(place: Path) -> int:
    return sum(path.stat().st_size for path in (place / "marks").glob("*"))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_outcomes_are_those_of_the_function(tmp_path: Path) -> None:
    result = run(work(texts(50), tmp_path), tmp_path)
    expected = {f"clip-{text}": text.upper() for text in texts(50)}
    assert {name: outcome.result["text"] for name, outcome in result.outcomes() if outcome.result} == expected
    assert (result.done, result.failed, result.reused, result.complete) == (50, 0, 0, True)


def test_the_bytes_do_not_depend_on_order_slots_or_place(tmp_path: Path) -> None:
    items = texts(60)
    run(work(items, tmp_path / "a"), tmp_path / "a", engine=LocalEngine(1))
    shuffled = random.Random(3).sample(items, len(items))
    run(work(shuffled, tmp_path / "b"), tmp_path / "b", engine=LocalEngine(3))
    assert tree(tmp_path / "a" / "work") == tree(tmp_path / "b" / "work")
    assert all(str(tmp_path).encode() not in content for content in tree(tmp_path / "a" / "work").values())


def test_a_second_run_does_nothing_and_a_new_item_is_done_alone(tmp_path: Path) -> None:
    run(work(texts(600), tmp_path), tmp_path)
    before = tree(tmp_path / "work")
    again = run(work(texts(600), tmp_path), tmp_path)
    assert (again.done, again.reused, calls(tmp_path)) == (600, 600, 600)
    assert tree(tmp_path / "work") == before
    more = run(work(texts(601), tmp_path), tmp_path)
    assert (more.done, more.reused, calls(tmp_path)) == (601, 600, 601)
    after = tree(tmp_path / "work")
    assert len(before.keys() - after.keys()) <= 1
    assert len(after.keys() - before.keys()) == 1


def test_another_version_parameter_or_content_is_done_again(tmp_path: Path) -> None:
    run(work(texts(5), tmp_path), tmp_path)
    run(work(texts(5), tmp_path), tmp_path, Stage("render", RENDER.function, version=2))
    assert calls(tmp_path) == 10
    run(work(texts(5), tmp_path), tmp_path, Stage("render", RENDER.function, version=2, params={"seconds": 0.001}))
    assert calls(tmp_path) == 15
    run(work(texts(4), tmp_path) + work(["t4"], tmp_path, more=1), tmp_path)
    assert calls(tmp_path) == 20


def test_another_place_of_the_same_content_is_not(tmp_path: Path) -> None:
    run(work(texts(5), tmp_path), tmp_path)
    moved = [Work(item.id, item.content, {**item.arguments, "elsewhere": "x"}) for item in work(texts(5), tmp_path)]
    assert run(moved, tmp_path).reused == 5


def test_a_side_file_that_is_gone_or_short_is_made_again(tmp_path: Path) -> None:
    run(work(texts(6), tmp_path), tmp_path)
    files = sorted((tmp_path / "files").iterdir())
    whole = tree(tmp_path / "files")
    files[0].unlink()
    files[1].write_bytes(b"short")
    assert run(work(texts(6), tmp_path), tmp_path).reused == 4
    assert tree(tmp_path / "files") == whole


def test_what_failed_is_kept_and_tried_again_on_demand(tmp_path: Path) -> None:
    items = work(texts(3), tmp_path) + work(["bad"], tmp_path, fails=True)
    first = run(items, tmp_path)
    assert (first.done, first.failed) == (3, 1)
    assert dict(first.outcomes())["clip-bad"].error == "bad cannot be rendered"
    assert run(items, tmp_path).reused == 4
    again = run(items, tmp_path, retry_failed=True)
    assert (again.reused, again.failed, calls(tmp_path)) == (3, 1, 5)


def test_lines_of_a_journal_are_not_done_again_and_a_torn_one_is(tmp_path: Path) -> None:
    result = run(work(texts(40), tmp_path), tmp_path, shards=1)
    before = tree(tmp_path / "work")
    [part] = result.parts
    lines = part.read_bytes().splitlines(keepends=True)
    part.unlink()
    journal = part.parent / ".unfinished" / "000000" / "journal.999999999.1.gone.host"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(b"".join(lines[:30]) + lines[30][:-9])
    os.utime(journal, (1_000_000_000, 1_000_000_000))  # left by another host, long ago
    assert run(work(texts(40), tmp_path), tmp_path).reused == 30
    assert tree(tmp_path / "work") == before


def test_parts_of_a_run_make_the_same_as_one_run(tmp_path: Path) -> None:
    run(work(texts(80), tmp_path / "whole"), tmp_path / "whole")
    items = work(texts(80), tmp_path / "shared")
    first = run(items, tmp_path / "shared", part=(1, 3))
    assert not first.complete
    assert 0 < first.done < 80
    second = run(items, tmp_path / "shared", part=(2, 3))
    third = run(items, tmp_path / "shared", part=(3, 3))
    assert third.complete
    assert not second.complete
    assert third.done == 80
    assert calls(tmp_path / "shared") == 80
    assert tree(tmp_path / "shared" / "work") == tree(tmp_path / "whole" / "work")


def test_two_items_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two items of one stage are called 'clip-t1'"):
        run(work(["t1", "t2", "t1"], tmp_path), tmp_path)


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    result = run(work(texts(2), tmp_path), tmp_path)
    result.parts[0].write_bytes(b"{broken\n")
    with pytest.raises(DataError, match="is damaged: remove it"):
        list(result.outcomes())
    (tmp_path / "work" / "render" / "plan.json").write_bytes(b"{}")
    with pytest.raises(DataError, match=r"plan\.json is damaged"):
        run(work(texts(2), tmp_path), tmp_path)


def test_a_damaged_part_is_made_again(tmp_path: Path) -> None:
    result = run(work(texts(2), tmp_path), tmp_path)
    before = tree(tmp_path / "work")
    result.parts[0].write_bytes(b"{broken\n")
    run(work(texts(2), tmp_path), tmp_path)
    assert tree(tmp_path / "work") == before


def test_a_full_disk_stops_the_run_and_names_the_place(tmp_path: Path) -> None:
    items = [Work(how, {"how": how}) for how in ("ok", "full")]
    with pytest.raises(CallError, match=r"cannot write to 'clip\.mp4': No space left on device; what is done is kept"):
        run(items, tmp_path, Stage("faulty", "tests.dataset_builder.faulty:work"))


def test_progress_hears_of_every_item(tmp_path: Path) -> None:
    heard: list[engine.Outcome] = []
    run(work(texts(9), tmp_path), tmp_path, told=heard.append)
    run(work(texts(9), tmp_path), tmp_path, told=heard.append)
    assert len(heard) == 18


def test_items_are_spread_by_their_id_alone(tmp_path: Path) -> None:
    run(work(texts(300), tmp_path), tmp_path)
    plan = orjson.loads((tmp_path / "work" / "render" / "plan.json").read_bytes())
    assert plan == {"shards": 256}
    names = {path.name[:6] for path in (tmp_path / "work" / "render").glob("*.jsonl")}
    assert len(names) > 150


def test_the_version_of_a_stage_follows_its_source(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("a = 1\n")
    before = engine.source_digest("schemas.errors", files=[plugin])
    assert engine.source_digest("schemas.errors", files=[plugin]) == before
    assert engine.source_digest("schemas", files=[plugin]) != before
    plugin.write_text("a = 2\n")
    assert engine.source_digest("schemas.errors", files=[plugin]) != before


@pytest.mark.parametrize("written", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2"])
def test_parts_are_refused_that_are_none(written: str) -> None:
    with pytest.raises(CallError, match="write I/N"):
        part_of(written)


def test_engines_are_chosen_by_name() -> None:
    assert part_of("2/8") == (2, 8)
    assert engine_of("local", workers=3, memory=1000) == LocalEngine(3, 1_000_000_000)
    with pytest.raises(CallError, match="there are: local, ray"):
        engine_of("spark", workers=None)
    with pytest.raises(CallError, match="--ray-address"):
        engine_of("local", workers=None, address="head:6379")


def test_the_work_of_these_tests_is_what_it_says(tmp_path: Path) -> None:
    result = render({"text": "a", "files_folder": str(tmp_path)})
    [(name, size)] = result["files"].items()
    assert (tmp_path / name).stat().st_size == size
