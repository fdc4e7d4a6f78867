"""`vqa2 extend` from notes to a build and to a review: by templates, with the checks and the signal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from annotation.create import create
from annotation.extending.extend import extend
from annotation.extending.repeats import repeated
from annotation.folder import read_tasks
from dataset_builder.build import build
from dataset_builder.corpus import read_samples
from dataset_builder.gathering.notes import gather_notes
from dataset_builder.pairing.measured import unlike_calibrated
from schemas.errors import CallError
from schemas.pair import Pair
from schemas.recipe import BuildRecipe, SourceRecipe, load
from schemas.record import Media
from tests.annotation.extending.scripted import MODEL, ScriptedServer
from tests.conftest import Cli

NOTE = {
    "id": "n1",
    "clip": "-bikes on road.mp4",
    "rater": "r1",
    "attributes": [
        {"name": "noise", "degree": "slight"},
        {"name": "stuttering", "degree": "severe", "start": 6.0, "end": 7.5},
    ],
    "overall": "The video freezes badly after six seconds, and shows slight noise.",
    "in_context": "The wheels stand still while it freezes.",
    "conversations": [{"question": "What would help?", "answer": "A better connection."}],
    "level": "poor",
}


@pytest.fixture
def project(corpus: Path, tmp_path: Path) -> Path:
    """A built corpus, and a note that speaks of a freeze that its clip does not have."""
    (tmp_path / "notes.jsonl").write_text(json.dumps(NOTE) + "\n")
    (tmp_path / "extend.yaml").write_text("name: round-1\nclips: {records: corpus}\nannotations: notes.jsonl\n")
    return tmp_path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_pairs_are_checked_chosen_and_the_same_again(project: Path, vqa2: Cli) -> None:
    told = vqa2("extend", "extend.yaml", "--json", cwd=project)
    assert told.returncode == 0, told.stderr
    done = json.loads(told.stdout)
    found = rows(project / "round-1-pairs" / "pairs.jsonl")
    good, doubted = [p for p in found if not p["doubts"]], [p for p in found if p["doubts"]]
    assert (done["pairs"], done["doubtful"]) == (len(good), len(doubted))
    # The clip has no freeze: every pair that says it has one is doubted, by what was measured; none of the noise is.
    assert {d["check"] for p in doubted for d in p["doubts"]} == {"signal"}
    assert all("signal" not in p["checks"] for p in doubted)
    assert all("signal" in p["checks"] and len(p["checks"]) > 5 for p in good)
    assert any(p["id"].endswith("/when-1") for p in doubted)
    assert not any("freez" in p["answer"] or "stutter" in p["answer"] for p in good if p["form"] == "open")
    assert all(p["evidence"] == ["annotation:n1"] for p in found)
    before = {p.name: p.read_bytes() for p in (project / "round-1-pairs").iterdir()}
    assert vqa2("extend", "extend.yaml", "--workers", 1, cwd=project).returncode == 0
    assert {p.name: p.read_bytes() for p in (project / "round-1-pairs").iterdir()} == before


def test_doubted_pairs_go_to_reviewers_with_the_reason(project: Path, real_clips: dict[str, Path]) -> None:
    extend(project / "extend.yaml", project / "pairs")
    (project / "review.yaml").write_text(
        "name: review\nkind: review\nonly: doubted\npairs: pairs/pairs.jsonl\nclips: {records: corpus}\n"
        "control: {gold_share: 0, repeat_share: 0}\n"
    )
    made = create(project / "review.yaml", project / "review")
    doubted = [p for p in rows(project / "pairs" / "pairs.jsonl") if p["doubts"]]
    (task,) = [t for t in read_tasks(project / "review") if t.data["pairs"]]
    assert [each["pair_id"] for each in task.data["pairs"]] == [p["id"] for p in doubted]
    assert all("Doubted (signal): " in each["title"] for each in task.data["pairs"])
    assert made.left_out["pairs that no check doubts"] > 0


def test_a_still_image_moves_in_no_pair_and_in_no_review(project: Path) -> None:
    still = {**NOTE, "id": "n2", "clip": "cat.png", "attributes": [{"name": "noise", "degree": "slight"}]}
    moving = {**still, "id": "n3", "attributes": [{"name": "camera shake", "degree": "severe"}]}
    for note, doubted in ((still, False), (moving, True)):
        quiet = {"overall": "It looks so.", "in_context": "", "conversations": []}
        (project / "notes.jsonl").write_text(json.dumps(NOTE) + "\n" + json.dumps({**note, **quiet}) + "\n")
        extend(project / "extend.yaml", project / "pairs", ["signal=false"])
        of_still = [p for p in rows(project / "pairs" / "pairs.jsonl") if p["record_id"] == "mine/cat.png"]
        assert not any(word in p["question"] for p in of_still for word in ("video", "flicker", "stuttering"))
        assert any(d["check"] == "image" for p in of_still for d in p["doubts"]) == doubted
    (project / "review.yaml").write_text(
        "name: review\nkind: review\npairs: pairs/pairs.jsonl\nclips: {records: corpus}\n"
        "control: {gold_share: 0, repeat_share: 0}\n"
    )
    made = create(project / "review.yaml", project / "review")
    assert made.left_out["pairs of still images"] == len(of_still)
    assert {task.data["record_id"] for task in read_tasks(project / "review")} == {"mine/-bikes on road.mp4"}


def test_a_build_takes_what_was_extended(own_folder: Path, project: Path) -> None:
    extend(project / "extend.yaml", project / "pairs")
    (own_folder / "notes.jsonl").write_text((project / "notes.jsonl").read_text())
    (own_folder / "pairs.jsonl").write_bytes((project / "pairs" / "pairs.jsonl").read_bytes())
    recipe = load(own_folder / "recipe.yaml", BuildRecipe, ["stages=[stage3]"])
    source = msgspec.structs.replace(recipe.sources[0], annotations="notes.jsonl", pairs="pairs.jsonl")
    built = build(msgspec.structs.replace(recipe, sources=[source]), own_folder / "recipe.yaml", project / "out")
    asked = {at.sample.id.partition("/n1/")[2] for at in read_samples(built.folder, "stage3")}
    good = {p["id"].partition("/")[2] for p in rows(project / "pairs" / "pairs.jsonl") if not p["doubts"]}
    assert asked == good
    held_back = [row.reason for row in built.quarantine if row.file == "pairs.jsonl"]
    assert held_back
    assert all(reason.startswith("signal: ") for reason in held_back)


def test_what_is_wrong_is_told(project: Path, vqa2: Cli) -> None:
    with pytest.raises(CallError, match="names no llm"):
        raise_of(vqa2("extend", "extend.yaml", "--dry-run", cwd=project), 2)
    with pytest.raises(CallError, match="max_cost: templates cost nothing"):
        raise_of(vqa2("extend", "extend.yaml", "--max-cost", "1", cwd=project), 2)
    with pytest.raises(CallError, match="--max-cost is dollars"):
        raise_of(vqa2("extend", "extend.yaml", "--max-cost", "", cwd=project), 2)
    (project / "notes.jsonl").write_text(json.dumps({**NOTE, "clip": "-bike on road.mp4"}) + "\n")
    with pytest.raises(
        CallError, match="row 1: no clip, or more than one, is meant by '-bike on road.mp4'; did you mean"
    ):
        extend(project / "extend.yaml", project / "pairs")
    (project / "full").mkdir()
    (project / "full" / "mine.txt").touch()
    with pytest.raises(CallError, match="holds no pairs of this program"):
        extend(project / "extend.yaml", project / "full")


def test_a_note_that_cannot_be_used_is_quarantined_and_the_others_go_on(project: Path, vqa2: Cli) -> None:
    late = {"attributes": [{"name": "noise", "degree": "slight", "start": 90, "end": 99}]}
    bad = [NOTE, NOTE, {**NOTE, "id": "n2", "clip": "nobody.mp4"}, {**NOTE, "id": "n3", **late}, {"id": "n4"}]
    (project / "notes.jsonl").write_text("".join(json.dumps(note) + "\n" for note in bad))
    assert vqa2("extend", "extend.yaml", "signal=false", cwd=project).returncode == 1
    told = {row["row"]: (row["field"], row["reason"]) for row in rows(project / "round-1-pairs" / "quarantine.jsonl")}
    assert told[2] == ("id", "row 1 is called 'n1' too: give it another id")
    assert told[3][0] == "clip"
    assert "ends at 99 s" in told[4][1]
    assert "required property" in told[5][1]
    assert {p["evidence"][0] for p in rows(project / "round-1-pairs" / "pairs.jsonl")} == {"annotation:n1"}


def test_of_notes_that_disagree_the_one_nearest_to_all_is_asked(project: Path) -> None:
    def said(name: str, degree: str, level: str) -> dict[str, Any]:
        return {
            **NOTE,
            "id": name,
            "attributes": [{"name": "noise", "degree": degree}],
            "level": level,
            "overall": "So.",
        }

    notes = [said("r1", "severe", "low"), said("r2", "moderate", "fair"), said("r3", "slight", "good")]
    (project / "notes.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes))
    extend(project / "extend.yaml", project / "pairs", ["signal=false"])
    assert {p["evidence"][0] for p in rows(project / "pairs" / "pairs.jsonl")} == {"annotation:r2"}
    extend(project / "extend.yaml", project / "pairs", ["signal=false", "pairs.notes=null", "pairs.budget=null"])
    assert len({p["evidence"][0] for p in rows(project / "pairs" / "pairs.jsonl")}) == 3


def raise_of(told: Any, code: int) -> None:
    assert told.returncode == code
    raise CallError(told.stderr)


def test_a_clip_that_cannot_be_measured_is_told_and_its_pairs_stay(project: Path) -> None:
    (clip,) = {at.sample.media[0].path for at in read_samples(project / "corpus", "stage3")}
    (project / "corpus" / clip).write_bytes(b"no clip")
    done = extend(project / "extend.yaml", project / "pairs")
    assert list(done.unreadable) == ["mine/-bikes on road.mp4"]
    assert not any("signal" in row["checks"] for row in rows(project / "pairs" / "pairs.jsonl"))
    assert done.doubtful == 0
    assert done.pairs == 7


def test_an_answer_for_every_clip_is_found_among_many() -> None:
    def pair(clip: int, answer: str, family: str = "causal-analysis") -> Pair:
        return Pair(
            id=f"p{clip}",
            record_id=f"s/{clip}",
            family=family,
            form="open",
            question="How is it?",
            answer=answer,  # type: ignore[arg-type]
            evidence=[],
            generator="llm:x",
            request="r",
        )

    same = (
        "The video shows a moderate loss of detail in most of its scenes, and the colours look a little too pale here."
    )
    told = [
        f"Clip {i} shows sign {i * 7} of wear at {i} s, number {i + 3} of {i * 5} in the row {i * 11}, part {i}."
        for i in range(200)
    ]
    pairs = [pair(i, answer) for i, answer in enumerate(told)]
    pairs[20], pairs[150] = pair(20, same), pair(150, same.replace("here", "there"))
    assert repeated(pairs) == {"p150": "p20"}
    assert repeated([pair(1, same, "extended-conversation"), pair(2, same, "extended-conversation")]) == {}
    assert repeated([pair(1, "It is noise."), pair(2, "It is noise.")]) == {}


def with_model(project: Path, server: ScriptedServer) -> None:
    (project / "extend.yaml").write_text(
        "name: round-1\nclips: {records: corpus}\nannotations: notes.jsonl\ntemplates: false\nsignal: false\n"
        f"llm: {{base_url: '{server.url}', model: {MODEL}, max_tokens: 400, retries: 1, "
        f"prices: {{{MODEL}: {{input: 2, output: 8}}}}}}\nmax_cost: 1\n"
    )


def test_a_model_is_asked_once_and_pays_once(project: Path, vqa2: Cli) -> None:
    with ScriptedServer() as server:
        with_model(project, server)
        planned = json.loads(vqa2("extend", "extend.yaml", "--dry-run", "--json", cwd=project).stdout)
        assert (planned["requests"], planned["answered"], server.seen) == (1, 0, [])
        assert not (project / "round-1-pairs").exists()
        told = vqa2("extend", "extend.yaml", "--json", cwd=project)
        assert told.returncode == 0, told.stderr
        done = json.loads(told.stdout)
        assert float(done["spent"]["spent"]) <= float(planned["dollars"][1])
        found = rows(project / "round-1-pairs" / "pairs.jsonl")
        assert {p["generator"] for p in found} == {f"llm:{MODEL}"}
        source = SourceRecipe(name="mine", table="t", clips="c", annotations="notes.jsonl", pairs="round-1-pairs/p")
        remarks: list[str] = []
        (note,) = gather_notes([source], project, remarks).ledgers
        assert (note.requests, note.spent, remarks) == (1, done["spent"]["spent"], [])
        assert note.models == {MODEL: 1}
        assert all(p["checks"] or p["doubts"] for p in found)
        assert len(server.seen) == 1
        before = {p.name: p.read_bytes() for p in (project / "round-1-pairs").glob("*.json*")}
        assert vqa2("extend", "extend.yaml", cwd=project).returncode == 0
        assert len(server.seen) == 1
        assert {p.name: p.read_bytes() for p in (project / "round-1-pairs").glob("*.json*")} == before
        again = json.loads(vqa2("extend", "extend.yaml", "--dry-run", "--json", cwd=project).stdout)
        assert (again["requests"], again["answered"], again["output_tokens"]) == (1, 1, [0, 0])


def test_what_the_cap_leaves_out_is_told(project: Path, vqa2: Cli) -> None:
    with ScriptedServer() as server:
        with_model(project, server)
        told = vqa2("extend", "extend.yaml", "--max-cost", "0.0001", cwd=project)
        assert server.seen == []
    assert told.returncode == 1
    assert "1 notes are left: " in told.stdout
    assert (project / "round-1-pairs" / "pairs.jsonl").read_bytes() == b""


def test_clips_unlike_those_calibrated_on_are_left_alone() -> None:
    media = Media(
        path="a.mp4",
        sha256="a",
        bytes=1,
        kind="video",
        width=640,
        height=360,
        fps=25.0,
        frames=100,
        duration=4.0,
        codec="h264",
        pixel_format="yuv420p",
    )
    assert unlike_calibrated(media) == ""
    assert "128 x 640 pixels" in unlike_calibrated(msgspec.structs.replace(media, width=128, height=640))
    assert "8 frames/s" in unlike_calibrated(msgspec.structs.replace(media, fps=8.0))
    assert "0.5 s" in unlike_calibrated(msgspec.structs.replace(media, duration=0.5))
