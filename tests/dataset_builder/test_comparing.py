"""What two corpora differ in: each reason is shown by two real builds of one folder, with one thing changed between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from dataset_builder.build import build
from dataset_builder.comparing import command
from dataset_builder.comparing.compare import compare
from dataset_builder.corpus import MANIFEST, file_entry, read_manifest, read_samples
from dataset_builder.engine import LocalEngine
from dataset_builder.gathering.state import Means
from schemas.comparison import Comparison, Reason, SampleChange, What
from schemas.errors import CallError, DataError
from schemas.recipe import BuildRecipe, convert, load
from tests.conftest import ROOT, Cli

NOMINAL = "sources.0.scale.range=nominal"
BIKES, PHONE, CAT, CARTOON = "-bikes on road.mp4", "phone.mp4", "cat.png", "häse..1.mp4"

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is known of the clips, for all builds of this file."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def make(own_folder: Path, work: Path) -> Make:
    """Builds the folder as it is now."""

    def made(name: str, *overrides: str) -> Path:
        path = own_folder / "recipe.yaml"
        means = Means(LocalEngine(2), work=work)
        return build(load(path, BuildRecipe, overrides), path, own_folder.parent / name, means).folder

    return made


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def compared(before: Path, after: Path) -> tuple[Comparison, list[SampleChange]]:
    changes: list[SampleChange] = []
    found = compare(before, after, told=changes.append)
    for name, config in found.configs.items():
        here = [change for change in changes if change.config == name]
        for what in ("added", "removed", "changed"):
            counted = sum(getattr(source, what) for source in config.sources.values())
            assert counted == sum(change.what == what for change in here)
        added, removed = (sum(c.what == what for c in here) for what in ("added", "removed"))
        assert config.after - config.before == added - removed
        for corpus, count in ((before, config.before), (after, config.after)):
            if (corpus / "data" / name).is_dir():
                assert count == len(list(read_samples(corpus, name)))
    return found, changes


def told(changes: list[SampleChange], config: str | None = None) -> dict[str, tuple[What, list[Reason]]]:
    return {c.id: (c.what, c.reasons) for c in changes if config in {None, c.config}}


def test_nothing_changed(make: Make) -> None:
    found, changes = compared(make("a"), make("b"))
    assert (found.step, found.step_reasons, changes, found.recipe, found.files.folders) == ("none", [], [], [], {})
    assert all(not config.sources for config in found.configs.values())


def test_a_score_that_stays_in_its_level(make: Make, own_folder: Path) -> None:
    before = make("a", NOMINAL)
    change(own_folder / "labels.csv", "cat,2.5", "cat,2.4")
    change(own_folder / "labels.csv", "cat.png,2.5", "cat.png,2.4")
    found, changes = compared(before, make("b", NOMINAL))
    assert told(changes) == {f"stage2-ugc/mine/{CAT}/scoring": ("changed", ["score"])}
    assert {c.config for c in changes} == {"stage2-ugc", "stage3-mix"}
    assert {edit.field for edit in changes[0].edits} == {"target.raw", "target.mos"}
    assert (found.step, found.flips, found.scales) == ("minor", [], [])
    assert found.records["mine"].why == {"changed": {"score": 1}}


def test_a_level_flip_by_a_score(make: Make, own_folder: Path) -> None:
    before = make("a", NOMINAL)
    change(own_folder / "labels.csv", "cat,2.5", "cat,4.9")
    change(own_folder / "labels.csv", "cat.png,2.5", "cat.png,4.9")
    found, changes = compared(before, make("b", NOMINAL))
    assert told(changes) == {f"stage2-ugc/mine/{CAT}/scoring": ("changed", ["score"])}
    assert found.configs["stage2-ugc"].sources["mine"].flips == {"poor": {"high": 1}}
    assert [(f.id, f.config, f.old, f.new) for f in found.flips] == [
        (f"stage2-ugc/mine/{CAT}/scoring", config, "poor", "high") for config in ("stage2-ugc", "stage3-mix")
    ]
    assert (found.step, found.step_reasons) == ("major", ["2 level flips"])


def test_a_score_from_which_an_answer_of_a_pair_follows(make: Make, own_folder: Path) -> None:
    before = make("a", NOMINAL, "pairs.budget=null")
    change(own_folder / "labels.csv", "road,3.5", "road,4.9")
    _, changes = compared(before, make("b", NOMINAL, "pairs.budget=null"))
    pairs = {name: said for name, said in told(changes).items() if name.startswith("stage3/")}
    assert pairs == {f"stage3/mine/{BIKES}/a1/{name}": ("changed", ["score"]) for name in ("causal", "level")}


def test_other_cuts(make: Make) -> None:
    wide = "sources.0.scale={lo: 1, hi: 5, range: explicit, range_lo: -5, range_hi: 5}"
    found, changes = compared(make("a", NOMINAL), make("b", wide))
    scored = {name: said for name, said in told(changes).items() if name.startswith("stage2")}
    assert set(scored) == {
        f"stage2-ugc/mine/{CAT}/scoring",
        f"stage2-ugc/mine/{BIKES}/scoring",
        f"stage2-streaming/mine/{CARTOON}/stalls-as-sentence",
        f"stage2-streaming/mine/{CARTOON}/stalls-as-sequence",
    }
    assert set(map(str, scored.values())) == {str(("changed", ["cut"]))}
    assert {(edit.field, edit.old, edit.new) for edit in found.scales} >= {("mine.lo", 1.0, -5.0)}
    assert "sources.mine.scale.range" in {edit.field for edit in found.recipe}
    assert not found.records
    pairs = {name: said for name, said in told(changes).items() if name.startswith("stage3/")}
    assert pairs == {f"stage3/mine/{BIKES}/a1/{name}": ("changed", ["cut"]) for name in ("causal", "level")}


def test_a_level_that_an_expert_changed(make: Make, own_folder: Path) -> None:
    notes = own_folder / "annotations.jsonl"
    change(notes, '"overall":"The video', '"level":"poor","overall":"The video')
    before = make("a", NOMINAL)
    change(notes, '"level":"poor"', '"level":"low"')
    change(own_folder / "labels.csv", "road,3.5", "road,3.6")
    _, changes = compared(before, make("b", NOMINAL))
    assert told(changes) == {
        f"stage2-ugc/mine/{BIKES}/scoring": ("changed", ["score"]),
        **{f"stage3/mine/{BIKES}/a1/{name}": ("changed", ["annotation"]) for name in ("causal", "level")},
    }


def test_a_score_that_moves_the_fitted_range(make: Make, own_folder: Path) -> None:
    before = make("a")
    change(own_folder / "labels.csv", "häse..1.mp4,4.5", "häse..1.mp4,4.9")
    _, changes = compared(before, make("b"))
    reasons = {c.id: c.reasons for c in changes if c.id.startswith("stage2")}
    assert reasons[f"stage2-ugc/mine/{CAT}/scoring"] == ["cut"]
    assert reasons[f"stage2-streaming/mine/{CARTOON}/stalls-as-sentence"] == ["score", "cut"]


def test_other_prompts(make: Make) -> None:
    found, changes = compared(make("a"), make("b", "prompts=varied"))
    assert len(told(changes)) == 13
    assert set(map(str, told(changes).values())) == {str(("changed", ["prompt"]))}
    assert [(edit.field, edit.old, edit.new) for edit in found.recipe] == [("prompts", "published", "varied")]
    assert found.step == "minor"


def test_an_annotation_that_says_otherwise(make: Make, own_folder: Path) -> None:
    before = make("a")
    change(own_folder / "annotations.jsonl", "Use a tripod.", "Walk slowly.")
    found, changes = compared(before, make("b"))
    ((name, said),) = told(changes).items()
    assert name.startswith(f"stage3/mine/{BIKES}/a1/")
    assert said == ("changed", ["annotation"])
    assert {edit.field for c in changes for edit in c.edits} == {"turns.1.text"}
    assert found.step == "minor"


def test_another_question_in_the_same_wording_is_no_other_prompt(make: Make, own_folder: Path) -> None:
    before = make("a")
    change(own_folder / "annotations.jsonl", "How can the shake be avoided?", "What can be done against the shake?")
    _, changes = compared(before, make("b"))
    assert set(map(str, told(changes).values())) == {str(("changed", ["annotation"]))}
    assert {edit.field for c in changes for edit in c.edits} == {"turns.0.text"}


def test_another_note_in_the_place_of_one(make: Make, own_folder: Path) -> None:
    before = make("a")
    change(own_folder / "annotations.jsonl", '"id":"a1"', '"id":"a9"')
    found, changes = compared(before, make("b"))
    assert {c.what for c in changes} == {"added", "removed"}
    assert {tuple(c.reasons) for c in changes} == {("annotation",)}
    assert found.step == "major"


def test_fewer_pairs_of_the_same_note(make: Make) -> None:
    found, changes = compared(make("a"), make("b", "pairs.budget=4"))
    assert {(c.what, *c.reasons) for c in changes} == {("removed", "pair")}
    assert [(edit.field, edit.old, edit.new) for edit in found.recipe] == [("pairs.budget", 7, 4)]
    assert any(edit.field.startswith("left_out.over the budget") for edit in found.pairs)


def test_other_ground_truth(make: Make, own_folder: Path) -> None:
    before = make("a", NOMINAL)
    change(own_folder / "labels.csv", "overexposure", "noise")
    change(own_folder / "labels.csv", "[[1.0,0.48]]", "[[1.5,0.72]]")
    found, changes = compared(before, make("b", NOMINAL))
    assert told(changes) == {
        f"stage1/mine/{CAT}/spatial-distortion": ("changed", ["distortion"]),
        f"stage2-streaming/mine/{CARTOON}/stalls-as-sentence": ("changed", ["distortion"]),
        f"stage2-streaming/mine/{CARTOON}/stalls-as-sequence": ("changed", ["distortion"]),
    }
    assert found.records["mine"].why == {"changed": {"distortion": 2}}


def test_distorted_otherwise(make: Make, own_folder: Path) -> None:
    (own_folder / "labels.csv").write_text("clip,mos,stalls,type,who\ncat.png,2.5,,,f\n", encoding="utf-8")
    distort = "distort={sources: [mine], kinds: [%s], severities: [5], per_clip: 1}"
    stages = ("stages=[stage1]", NOMINAL)
    _, changes = compared(make("a", distort % "blur", *stages), make("b", distort % "noise", *stages))
    rendered = [c for c in changes if "@" in c.id]
    assert rendered
    assert {tuple(c.reasons) for c in rendered} <= {("record",), ("distortion", "clip")}


def test_other_bytes_of_a_clip(make: Make, own_folder: Path, real_clips: dict[str, Path]) -> None:
    before = make("a", NOMINAL)
    shutil.copy(real_clips["bikes"], own_folder / "clips" / CARTOON)
    shutil.copy(real_clips["bigbuckbunny"], own_folder / "clips" / BIKES)
    found, changes = compared(before, make("b", NOMINAL))
    assert {"clip"} <= {reason for c in changes for reason in c.reasons} <= {"clip", "pair", "annotation"}
    of_clips = {name: said for name, said in told(changes).items() if name.startswith("stage2")}
    assert set(map(str, of_clips.values())) == {str(("changed", ["clip"]))}
    assert f"stage2-ugc/mine/{CAT}/scoring" not in of_clips
    assert found.records["mine"].why == {"changed": {"clip": 2}}


def test_another_split_is_a_major_step(make: Make) -> None:
    found, changes = compared(make("a", "split={train: 1, test: 0}"), make("b", "split={train: 0, test: 1}"))
    assert {(c.what, *c.reasons) for c in changes} == {("changed", "split")}
    assert {(e.field, e.old, e.new) for c in changes for e in c.edits} == {("split", "train", "test")}
    assert (found.step, found.step_reasons) == ("major", [f"{len(changes)} samples in another split"])


def test_another_licence_and_group(make: Make, own_folder: Path) -> None:
    whole = "split={train: 1, test: 0}"
    before = make("a", whole)
    change(own_folder / "labels.csv", "cat,2.5,,overexposure,f", "cat,2.5,,overexposure,q")
    change(own_folder / "labels.csv", "cat.png,2.5,,overexposure,f", "cat.png,2.5,,overexposure,q")
    middle = make("b", whole)
    found, changes = compared(before, middle)
    assert {c.id.split("/")[2] for c in changes} == {CAT}
    assert {tuple(c.reasons) for c in changes} == {("group",)}
    assert found.step == "minor"
    found, changes = compared(middle, make("c", whole, "sources.0.licence=CC-BY-4.0"))
    assert {tuple(c.reasons) for c in changes} == {("licence",)}
    assert len(told(changes)) == 13
    assert found.records["mine"].why == {"changed": {"licence": 3}}


def test_a_clip_more_is_minor_and_one_less_is_major(make: Make, own_folder: Path, photograph: Path) -> None:
    before = make("a", NOMINAL)
    from PIL import Image

    Image.open(photograph).convert("RGB").rotate(90, expand=True).save(own_folder / "clips" / "turned.png")
    with (own_folder / "labels.csv").open("a", encoding="utf-8") as file:
        file.write("turned,4,,,z\n")
    after = make("b", NOMINAL)
    found, changes = compared(before, after)
    assert told(changes) == {"stage2-ugc/mine/turned.png/scoring": ("added", ["record"])}
    assert (found.step, found.step_reasons[0]) == ("minor", "2 samples added")
    found, changes = compared(after, before)
    assert told(changes) == {"stage2-ugc/mine/turned.png/scoring": ("removed", ["record"])}
    assert (found.step, found.step_reasons) == ("major", ["2 samples removed"])


def test_a_clip_that_falls_into_quarantine(make: Make, own_folder: Path) -> None:
    before = make("a", NOMINAL)
    change(own_folder / "labels.csv", "road,3.5", "road,9")
    found, changes = compared(before, make("b", NOMINAL))
    assert {tuple(c.reasons) for c in changes} == {("record",)}
    assert found.quarantine.added["mine"] > 0
    assert any("outside the declared scale" in row.reason for row in found.quarantine.first_added)


def test_another_stage(make: Make) -> None:
    found, changes = compared(make("a", "stages=[stage1, stage2-ugc]"), make("b", "stages=[stage1, stage3]"))
    assert {(c.config, c.what, *c.reasons) for c in changes} == {
        ("stage2-ugc", "removed", "config"),
        ("stage3", "added", "config"),
    }
    assert (found.configs["stage2-ugc"].after, found.configs["stage3"].before) == (0, 0)


def test_media_that_stay_in_place(make: Make) -> None:
    found, changes = compared(make("a"), make("b", "media=reference"))
    assert {(c.what, *c.reasons) for c in changes} == {("changed", "place")}
    assert (found.step, found.step_reasons) == ("major", ["media copy to reference"])
    assert found.records["mine"].why == {"changed": {"place": 3}}


def test_a_stamp_alone_is_a_patch(make: Make) -> None:
    found, changes = compared(make("a"), make("b", "max_quarantine=30"))
    assert not changes
    assert found.configs["stage3"].sources["mine"].restamped == 7
    assert found.step == "patch"
    assert [(edit.field, edit.old, edit.new) for edit in found.recipe] == [("max_quarantine", None, 30)]


def test_a_card_alone_is_a_patch(corpus: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(corpus, tmp_path / "other"))
    (other / "README.md").write_text("# Mine\n")
    manifest = read_manifest(other)
    files = {**manifest.files, "README.md": file_entry(other / "README.md")}
    (other / MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, files=files)))
    found, changes = compared(corpus, other)
    assert (found.step, found.step_reasons, changes) == ("patch", ["only README.md"], [])
    newer = msgspec.structs.replace(manifest, schema_version="2.0.0")
    (other / MANIFEST).write_bytes(msgspec.json.encode(newer))
    assert compare(corpus, other).step == "major"


def test_published_conversations(tmp_path: Path, real_clips: dict[str, Path], work: Path) -> None:
    (tmp_path / "clips").mkdir()
    for name, path in real_clips.items():
        shutil.copy(path, tmp_path / "clips" / f"{name}.mp4")
    fed = "Key frames:\n <image>. Motion:\n <image>. {}"

    def row(name: str, question: str, answer: str) -> dict[str, Any]:
        turns = [{"from": "human", "value": fed.format(question)}, {"from": "gpt", "value": answer}]
        return {"image": f"{name}.mp4", "frames per sec": 1, "conversations": turns}

    def made(out: str, *rows: dict[str, Any]) -> Path:
        (tmp_path / "rows.json").write_text(json.dumps(rows))
        source = {"name": "own", "source": "vqa2_stage3", "table": "rows.json", "clips": "clips", "licence": "own"}
        recipe = convert({"name": "c", "sources": [source]}, BuildRecipe, "recipe")
        return build(recipe, tmp_path / "r.yaml", tmp_path / out, Means(LocalEngine(2), work=work)).folder

    bikes, phone = row("bikes", "Why?", "It shakes."), row("carphone_pristine", "Why?", "It is noisy.")
    before = made("a", bikes, phone)
    _, changes = compared(before, made("b", bikes, row("carphone_pristine", "Why?", "It is dark.")))
    assert {name.split("/")[2] for name in told(changes)} == {"carphone_pristine.mp4"}
    assert {tuple(c.reasons) for c in changes} == {("conversation",)}
    _, changes = compared(before, made("c", bikes, phone, row("bikes", "And?", "Blur.")))
    assert {(c.what, *c.reasons) for c in changes} == {("added", "conversation")}


def test_shards_of_other_number_are_compared_by_id(corpus: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(corpus, tmp_path / "other"))
    (old,) = (other / "data" / "stage3").glob("*.jsonl")
    lines = old.read_bytes().splitlines(keepends=True)
    split = old.name.partition("-")[0]
    old.unlink()
    for index in range(2):
        (old.parent / f"{split}-{index:05d}-of-00002.jsonl").write_bytes(b"".join(lines[index::2]))
    manifest = read_manifest(other)
    files = {n: e for n, e in manifest.files.items() if not n.startswith("data/stage3/")}
    files |= {p.relative_to(other).as_posix(): file_entry(p) for p in sorted(old.parent.glob("*.jsonl"))}
    (other / MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, files=files)))
    found, changes = compared(corpus, other)
    assert (changes, found.step, found.files.folders) == ([], "patch", {"data": {"added": 2, "removed": 1}})


def test_what_is_no_corpus_or_damaged_is_told(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="is no corpus"):
        compare(corpus, tmp_path)
    other = Path(shutil.copytree(corpus, tmp_path / "other"))
    manifest = read_manifest(other)
    path = max((other / "data" / "stage3").glob("*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)

    def rewritten(content: bytes) -> None:
        path.write_bytes(content)
        files = {**manifest.files, path.relative_to(other).as_posix(): file_entry(path)}
        (other / MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, files=files)))

    rewritten(b"".join(reversed(lines)))
    with pytest.raises(DataError, match="not in the order of ids"):
        compare(corpus, other)
    rewritten(lines[0].replace(b'"task":"', b'"task":7,"tsk":"') + lines[1])
    with pytest.raises(DataError, match=r"jsonl:1: task: "):
        compare(corpus, other)
    rewritten(lines[0] + b"{\n")
    with pytest.raises(DataError, match=r"jsonl:2: "):
        compare(corpus, other)
    path.write_bytes(lines[0])
    with pytest.raises(DataError, match="not as the manifest has it"):
        compare(corpus, other)


def test_a_name_is_resolved_where_it_is_no_folder(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "resolvers", [lambda _: None, lambda name: corpus if name == "me/mine@v1" else None])
    assert command.folder_of("me/mine@v1") == corpus
    assert command.folder_of(str(corpus)) == corpus
    assert command.folder_of("me/other@v1") == Path("me/other@v1")


def test_the_commands_of_the_docs(make: Make, own_folder: Path, vqa2: Cli) -> None:
    make("old", NOMINAL)
    change(own_folder / "labels.csv", "cat,2.5", "cat,4.9")
    change(own_folder / "labels.csv", "cat.png,2.5", "cat.png,4.9")
    make("new", NOMINAL)
    text = (ROOT / "docs" / "diff.md").read_text(encoding="utf-8")
    lines = [line for block in text.split("```sh\n")[1:] for line in block.split("```")[0].splitlines()]
    done = {line: vqa2(*line.split()[1:], cwd=own_folder.parent) for line in lines}
    codes = {line: run.returncode for line, run in done.items()}
    assert len(codes) == 4
    assert codes == {line: int("--fail-on" in line) for line in lines}
    shown = next(run.stdout for line, run in done.items() if "--" not in line)
    assert "poor → high (score)" in shown
    assert "Version step: major (2 level flips)" in shown
    as_json = next(run.stdout for line, run in done.items() if "--json" in line)
    found = msgspec.json.decode(as_json, type=Comparison)
    assert (found.before.corpus, found.after.corpus) == ("old", "new")
    listed = (own_folder.parent / "changes.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["id"] for line in listed] == [f"stage2-ugc/mine/{CAT}/scoring"] * 2


def test_wrong_calls(corpus: Path, vqa2: Cli) -> None:
    for arguments, words in (
        ([corpus, "nowhere"], "is no corpus"),
        ([corpus, corpus, "--fail-on", "flips"], "--fail-on is patch, minor or major"),
        ([corpus, corpus, "--list", corpus / "x.jsonl"], "lies inside of a corpus"),
    ):
        done = vqa2("diff", *arguments)
        assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
