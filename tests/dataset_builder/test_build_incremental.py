"""A later build of the same work folder: the same bytes as one from scratch, and no more made anew than is affected."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import orjson
import pytest

from benchmarks.pairs import known
from dataset_builder.build import Built, build
from dataset_builder.engine import LocalEngine
from dataset_builder.gathering.state import Means
from dataset_builder.pairing import clip
from dataset_builder.rebuilt import PLACE, Rebuilt
from schemas.recipe import BuildRecipe, load
from tests.conftest import Cli

CLIPS = 6
NOTES_PER_CLIP = 2
RECIPE = """\
name: notes
sources:
  - name: s
    table: labels.csv
    clips: clips
    licence: CC0-1.0
    columns: {clip: clip, score: mos}
    scale: {lo: 1, hi: 5, range: nominal}
    annotations: notes.jsonl
stages: [stage2-ugc, stage3, stage3-mix]
split: {train: 1, test: 0}
pairs: {budget: null, notes: null, caps: {}}
"""

Make = Callable[..., Built]


@pytest.fixture
def folder(tmp_path: Path, real_clips: dict[str, Path]) -> Path:
    """Six clips, each with a score and two experts' notes; no pair is left out because of those of another clip."""
    root = tmp_path / "notes"
    (root / "clips").mkdir(parents=True)
    notes, rows = [], ["clip,mos"]
    for index in range(CLIPS):
        # The bytes behind the last box of a file are nothing to its reader, and make it another file.
        content = real_clips["carphone_pristine"].read_bytes() + b"\0\0\0\x09free" + bytes([index])
        (root / "clips" / f"{index}.mp4").write_bytes(content)
        rows.append(f"{index},{1.3 + 0.6 * index:.1f}")
        for rater in range(NOTES_PER_CLIP):
            note = msgspec.structs.replace(known(index + 10 * rater).annotations[0], clip=f"{index}", rater=f"r{rater}")
            attributes = [msgspec.structs.replace(a, start=a.start and 1.0, end=a.end and 2.0) for a in note.attributes]
            overall = f"The video shows {attributes[0].degree} {attributes[0].name}."
            note = msgspec.structs.replace(note, attributes=attributes, overall=overall)
            notes.append(msgspec.structs.replace(note, conversations=[] if rater else note.conversations))
    (root / "notes.jsonl").write_bytes(b"".join(msgspec.json.encode(note) + b"\n" for note in notes))
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    (root / "recipe.yaml").write_text(RECIPE)
    return root


def make(folder: Path, out: str = "corpus", *overrides: str, workers: int = 2) -> Built:
    path = folder / "recipe.yaml"
    return build(load(path, BuildRecipe, overrides), path, folder.parent / out, Means(LocalEngine(workers)))


def files(corpus: Path) -> dict[str, bytes]:
    return {p.relative_to(corpus).as_posix(): p.read_bytes() for p in sorted(corpus.rglob("*")) if p.is_file()}


def rows(corpus: Path) -> set[tuple[str, bytes]]:
    return {
        (path.parent.name, line) for path in corpus.glob("data/*/*.jsonl") for line in path.read_bytes().split(b"\n")
    }


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def rebuilt(folder: Path, *overrides: str) -> Rebuilt:
    """Build again what was changed: hold it to a build from scratch, and its counts to the rows themselves."""
    before = rows(folder.parent / "corpus")
    built = make(folder, "corpus", *overrides)
    shutil.rmtree(folder.parent / "scratch", ignore_errors=True)
    shutil.rmtree(folder.parent / "scratch.work", ignore_errors=True)
    # What clips are is tested elsewhere; their pairs are made from scratch.
    shutil.copytree(folder.parent / "corpus.work" / "s", folder.parent / "scratch.work" / "s")
    scratch = make(folder, "scratch", *overrides)
    assert files(built.folder) == files(scratch.folder)
    after = rows(built.folder)
    assert built.rebuilt.samples == len(after - before)
    assert built.rebuilt.samples_kept == len((after & before) - {row for row in after if not row[1]})
    total = sum(sum(config.splits.values()) for config in built.manifest.configs.values())
    assert scratch.rebuilt == Rebuilt(total, 0, built.rebuilt.clips + built.rebuilt.clips_kept, 0)
    return built.rebuilt


def test_nothing_changed(folder: Path) -> None:
    first = make(folder).rebuilt
    assert (first.samples_kept, first.clips, first.clips_kept) == (0, CLIPS, 0)
    assert rebuilt(folder) == Rebuilt(0, first.samples, 0, CLIPS)


def test_one_annotation(folder: Path) -> None:
    first = make(folder).rebuilt
    notes = (folder / "notes.jsonl").read_text().splitlines()
    notes[0] = notes[0].replace("A better camera, and more light.", "A tripod.")
    (folder / "notes.jsonl").write_text("\n".join(notes) + "\n")
    # The conversation's one pair, in stage 3 and in its mix.
    assert rebuilt(folder) == Rebuilt(2, first.samples - 2, 1, CLIPS - 1)


def test_one_score(folder: Path) -> None:
    first = make(folder).rebuilt
    change(folder / "labels.csv", "\n1,1.9\n", "\n1,2.1\n")
    # Its scoring sample, in stage 2 and in the mix of stage 3.
    assert rebuilt(folder) == Rebuilt(2, first.samples - 2, 1, CLIPS - 1)


def test_one_row_more_and_one_less(folder: Path, real_clips: dict[str, Path]) -> None:
    first = make(folder).rebuilt
    shutil.copy(real_clips["bikes"], folder / "clips" / "new.mp4")
    with (folder / "labels.csv").open("a") as file:
        file.write("new,2.5\n")
    assert rebuilt(folder) == Rebuilt(2, first.samples, 0, CLIPS)  # it has no notes
    change(folder / "labels.csv", "new,2.5\n", "")
    assert rebuilt(folder) == Rebuilt(0, first.samples, 0, CLIPS)
    change(folder / "labels.csv", "\n3,3.1\n", "\n")
    less = rebuilt(folder)
    assert (less.samples, less.clips, less.clips_kept) == (0, 0, CLIPS - 1)


def test_other_prompts_leave_pairs_as_they_are(folder: Path) -> None:
    first = make(folder).rebuilt
    assert rebuilt(folder, "prompts=varied") == Rebuilt(first.samples, 0, 0, CLIPS)


def test_another_seed_and_another_number_of_notes_make_other_pairs(folder: Path) -> None:
    make(folder)
    assert (found := rebuilt(folder, "seed=1")).clips == CLIPS, found
    assert (found := rebuilt(folder, "seed=1", "pairs.notes=1")).clips == CLIPS, found


def test_choosing_is_over_all_pairs_whatever_is_kept(folder: Path) -> None:
    chosen = ("pairs.budget=3", "pairs.caps={yes-no: 0.5, letter: 0.3}")
    make(folder, "corpus", *chosen)
    notes = (folder / "notes.jsonl").read_text().splitlines()
    notes[0] = notes[0].replace('"level":"', '"level":"fair","x":"').replace('"x":"', '"at":"')
    notes[2] = notes[2].replace("upper left", "lower right")
    (folder / "notes.jsonl").write_text("\n".join(notes) + "\n")
    assert rebuilt(folder, *chosen).clips == 2


def test_pairs_and_measures_and_code_are_part_of_what_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folder)
    assert rebuilt(folder, "pairs.signal=true").clips == CLIPS  # small clips: nothing can be said against them
    pair = {
        "id": "p1",
        "record_id": "s/0.mp4",
        "family": "quality-centric",
        "form": "open",
        "question": "What about it?",
        "answer": "It is severe.",
        "evidence": ["annotation:a0"],
        "generator": "llm:small",
    }
    (folder / "pairs.jsonl").write_bytes(orjson.dumps(pair) + b"\n")
    read = "sources.0.pairs=pairs.jsonl"
    make(folder, "corpus", read)
    (folder / "pairs.jsonl").write_bytes(orjson.dumps({**pair, "answer": "It is slight."}) + b"\n")
    assert rebuilt(folder, read).clips == 1
    monkeypatch.setattr(clip, "CODE", ("schemas", "stages"))
    assert make(folder, "corpus", read).rebuilt.clips == CLIPS


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "journal"])
def test_what_is_damaged_is_made_again(folder: Path, damage: str) -> None:
    first = make(folder)
    expected = files(first.folder)
    parts = sorted((folder.parent / "corpus.work" / "pairs").glob("*-*.jsonl"))
    content = parts[0].read_bytes()
    lines = content.count(b"\n")
    if damage == "cut":
        parts[0].write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        parts[0].write_bytes(content.replace(b"severe", b"slight").replace(b"Yes", b"Nay"))
    else:
        parts[0].unlink()
    if damage == "journal":  # as a killed build leaves it: one line, the last of them cut
        unfinished = parts[0].parent / ".unfinished" / parts[0].name.partition("-")[0]
        unfinished.mkdir(parents=True)
        (unfinished / "journal.1.1.elsewhere").write_bytes(content[:-20])
    found = make(folder)
    assert files(found.folder) == expected
    assert 0 < found.rebuilt.clips <= lines
    assert found.rebuilt.clips + found.rebuilt.clips_kept == CLIPS
    assert make(folder).rebuilt == Rebuilt(0, first.rebuilt.samples, 0, CLIPS)


def test_damaged_fingerprints_count_as_none(folder: Path) -> None:
    first = make(folder).rebuilt
    place = folder.parent / "corpus.work" / PLACE
    place.write_bytes(place.read_bytes()[:-3])
    assert make(folder).rebuilt == Rebuilt(first.samples, 0, 0, CLIPS)
    place.unlink()
    assert make(folder).rebuilt.samples_kept == 0
    assert make(folder).rebuilt.samples_kept == first.samples


def test_what_is_kept_does_not_grow(folder: Path) -> None:
    make(folder)
    kept = folder.parent / "corpus.work"
    size = sum(path.stat().st_size for name in ("pairs", "samples") for path in (kept / name).rglob("*"))
    for index in range(4):
        text = (folder / "labels.csv").read_text()
        (folder / "labels.csv").write_text(text.replace(text.splitlines()[2], f"1,2.{index}"))
        make(folder)
    after = sum(path.stat().st_size for name in ("pairs", "samples") for path in (kept / name).rglob("*"))
    assert abs(after - size) < size / 10


def test_the_same_bytes_in_processes_and_in_this_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = make(folder)
    monkeypatch.setattr(clip, "FEW", 0)
    for workers in (1, 2):
        there = make(folder, f"w{workers}", workers=workers)
        assert files(there.folder) == files(here.folder)
        assert there.rebuilt == here.rebuilt


def test_a_build_says_what_it_made_anew(folder: Path, vqa2: Cli) -> None:
    first = orjson.loads(vqa2("build", "recipe.yaml", "--json", cwd=folder).stdout)["rebuilt"]
    assert first == {"samples": first["samples"], "samples_kept": 0, "clips": CLIPS, "clips_kept": 0}
    change(folder / "labels.csv", "\n1,1.9\n", "\n1,2.1\n")
    done = vqa2("build", "recipe.yaml", cwd=folder)
    said = f"2 samples are new or changed, {first['samples'] - 2} as in the last build; "
    assert f"{said}pairs were checked of 1 clips, and kept of {CLIPS - 1}." in done.stdout
