"""Pairs that were made and reviewed before, in a build: used, edited, refused, counted, held to an acceptance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dataset_builder.build import Built, build
from dataset_builder.corpus import read_samples
from schemas.errors import CallError, DataError
from schemas.recipe import BuildRecipe, load
from tests.conftest import Cli

CLIP = "mine/-bikes on road.mp4"


def pair(name: str, record: str = CLIP, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "record_id": record,
        "family": "quality-centric",
        "form": "open",
        "question": f"What about {name}?",
        "answer": f"{name} is severe.",
        "evidence": ["annotation:a1"],
        "generator": "llm:small",
        "checks": ["attribute"],
        **changes,
    }


def verdict(name: str, said: str | None, **more: Any) -> dict[str, Any]:
    return {"pair_id": name, "verdict": said, "votes": {"accept": 1}, "raters": ["r-1"], **more}


DOUBT = [{"check": "time", "why": "it says 9 s, known is 1 s to 2 s"}]
PAIRS = [
    pair("plain"),
    pair("accepted", doubts=DOUBT),
    pair("edited", doubts=DOUBT),
    pair("rejected"),
    pair("divided"),
    pair("doubted", doubts=DOUBT),
    pair("plain"),
    pair("elsewhere", record="mine/cut.mp4"),
    pair("unfounded", evidence=["annotation:a9"]),
    pair("media", question="What is <video>?"),
    pair("misedited", form="multiple-choice"),
    pair("unchecked", question="Is there noise?", answer="Yes, the noise is severe.", form="yes-no", checks=[]),
    {"id": "short"},
]
VERDICTS = [
    verdict("accepted", "accept"),
    verdict("edited", "edit", question="How is it?", answer="It shakes."),
    verdict("rejected", "reject", reasons=["wrong time"]),
    verdict("divided", None),
    verdict("unknown", "accept"),
    verdict("accepted", "reject", reasons=["no"]),
    verdict("doubted", "edit", question="How is it?", answer=" "),
    verdict("misedited", "edit", question="Which is seen? A. Noise B. Blur", answer="C. Flicker"),
]


@pytest.fixture
def folder(own_folder: Path) -> Path:
    write(own_folder / "pairs.jsonl", PAIRS)
    write(own_folder / "verdicts.jsonl", VERDICTS)
    recipe = own_folder / "recipe.yaml"
    text = recipe.read_text().replace(
        "annotations: annotations.jsonl",
        "annotations: annotations.jsonl\n    pairs: pairs.jsonl\n    verdicts: verdicts.jsonl",
    )
    recipe.write_text(text.replace("stages: [stage1, stage2-ugc, stage2-streaming, ", "stages: [stage2-ugc, "))
    return own_folder


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def make(folder: Path, *overrides: str) -> Built:
    path = folder / "recipe.yaml"
    return build(load(path, BuildRecipe, overrides), path, folder.parent / "out")


def test_each_pair_is_asked_or_in_quarantine(folder: Path) -> None:
    built = make(folder)
    asked = {at.sample.id.rpartition("/")[2]: at.sample for at in read_samples(built.folder, "stage3")}
    assert set(asked) == {"plain", "accepted", "edited"}
    assert asked["edited"].turns[0].text.endswith("How is it? ")
    assert asked["edited"].turns[1].text == "It shakes."
    assert asked["accepted"].provenance.generator == "llm:small"
    refused = {row.row: row.reason for row in built.quarantine if row.file == "pairs.jsonl"}
    for line, words in {
        4: "rejected by reviewers (1 accept): wrong time",
        5: "reviewers are divided",
        6: "time: it says 9 s, known is 1 s to 2 s",
        7: "another pair is called 'plain'",
        8: "its clip 'mine/cut.mp4' is in quarantine",
        9: "rests on 'a9'",
        10: "<video>, which stands for media",
        11: "options: ",
        12: "degree: ",
        13: "required property",
    }.items():
        assert words in refused.pop(line)
    assert refused == {}
    unused = {row.row: row.reason for row in built.quarantine if row.file == "verdicts.jsonl"}
    assert unused[5] == "it judges 'unknown', which is no pair of 'pairs.jsonl'"
    assert unused[6] == "'accepted' is judged in row 1 already: keep one"
    assert "an edited pair has its new question and answer" in unused[7]


def test_acceptance_is_counted_by_family_and_generator(folder: Path) -> None:
    counted = make(folder).manifest.pairs
    assert counted is not None
    assert [
        (kind.of, kind.pairs, kind.accepted, kind.edited, kind.rejected, kind.undecided) for kind in counted.acceptance
    ] == [
        ("family quality-centric", 5, 1, 2, 1, 1),
        ("generator llm:small", 5, 1, 2, 1, 1),
    ]
    assert counted.taken["generator"] == {"llm:small": 3}


def test_too_few_accepted_pairs_stop_the_build(folder: Path) -> None:
    names = [f"p{i}" for i in range(10)]
    write(folder / "pairs.jsonl", [pair(name, question=f"Is {name} it?") for name in names])
    write(folder / "verdicts.jsonl", [verdict(n, "reject" if n < "p3" else "accept", reasons=["no"]) for n in names])
    assert make(folder, "pairs.min_acceptance=0.7").folder.is_dir()
    with pytest.raises(
        DataError, match=r"generator llm:small: 7 of 10 pairs were accepted or edited.*\n.*asks for 75%"
    ) as error:
        make(folder, "pairs.min_acceptance=0.75")
    assert "family quality-centric" in str(error.value)


def test_the_budget_holds_for_pairs_of_files_too(folder: Path) -> None:
    write(folder / "pairs.jsonl", [pair(f"p{i}", question=f"Is p{i} it?") for i in range(10)])
    (folder / "verdicts.jsonl").write_text("")
    built = make(folder)
    assert built.manifest.configs["stage3"].tasks == {"open": 7}
    reasons = [row.reason for row in built.quarantine if row.file == "pairs.jsonl"]
    assert reasons == ["over the budget of 7 pairs a clip"] * 3
    assert make(folder, "pairs.budget=null").manifest.configs["stage3"].tasks == {"open": 10}


def test_missing_files_and_half_recipes_are_told(folder: Path, vqa2: Cli) -> None:
    path = folder / "recipe.yaml"
    (folder / "verdicts.jsonl").rename(folder / "verdict.jsonl")
    with pytest.raises(CallError, match=r"there is no file 'verdicts.jsonl'; did you mean 'verdict.jsonl'"):
        make(folder)
    source = load(path, BuildRecipe).sources[0]
    with pytest.raises(ValueError, match="name the pairs that they are of"):
        replace(source, pairs=None)
    with pytest.raises(ValueError, match="name the annotations that they rest on"):
        replace(source, annotations=None, verdicts=None)
    told = vqa2("build", path, "pairs.caps.latter=0.5", "--out", folder.parent / "o")
    assert told.returncode == 2
    assert "latter" in told.stderr
