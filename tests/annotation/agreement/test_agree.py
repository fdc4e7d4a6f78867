"""`vqa2 annotate agree`: a project folder with responses becomes figures, a page, and what goes on into a corpus."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from annotation.agreement.agree import Agreement, agree, thresholds_of
from annotation.agreement.screening import Thresholds
from annotation.agreement.simulate import Plan, simulate
from dataset_builder.build import build
from dataset_builder.corpus import CARD, RECORDS, read_samples
from dataset_builder.notes import read_notes
from schemas.annotation import Annotation
from schemas.errors import CallError, DataError
from schemas.recipe import BuildRecipe, load
from schemas.record import Record
from schemas.response import Response
from schemas.validate import Problem, read_jsonl
from tests.annotation.agreement.made_up import write, write_answers
from tests.annotation.agreement.test_measures import attribute, said
from tests.annotation.agreement.test_review import said as reviewed
from tests.conftest import Cli

OUTPUTS = ("agreement.json", "agreement.html", "accepted.jsonl", "ratings.csv")
USUAL = Thresholds()


def structs(path: Path, kind: type) -> list:
    rows = [row for _, row in read_jsonl(path, kind)]
    assert not [row for row in rows if isinstance(row, Problem)]
    return rows


class Parts(HTMLParser):
    """The tags of a page, the attributes that load something, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "srcset", "data"}]
        if tag not in {"meta", "br", "circle", "line", "rect", "path"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"meta", "br", "circle", "line", "rect", "path"}:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parts(path: Path) -> Parts:
    found = Parts()
    found.feed(path.read_text(encoding="utf-8"))
    assert not found.open
    return found


def test_what_goes_on_is_the_clips_of_kept_raters(tmp_path: Path) -> None:
    made = simulate(4)
    folder = write_answers(tmp_path / "p", made.answers)
    found = agree(folder, USUAL)
    assert {rater.rater for rater in found.raters if not rater.kept} == set(made.bad)
    expected = {r.annotation.id for r in made.answers.of_role("clip") if r.rater not in made.bad and r.annotation}
    accepted = structs(folder / "accepted.jsonl", Annotation)
    assert {annotation.id for annotation in accepted} == expected
    assert len(accepted) == len(expected) == found.written.annotations
    with (folder / "ratings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["clip"], row["rater"], float(row["score"])) for row in rows} == {
        (annotation.clip, annotation.rater, annotation.score) for annotation in accepted
    }
    assert found.written.ratings_of == "score"
    assert found.level is not None
    assert found.level_of_all is not None
    assert (found.level.ordinal or 0) > 0.75 > (found.level_of_all.ordinal or 1)
    assert msgspec.json.decode((folder / "agreement.json").read_bytes(), type=Agreement) == found


def test_the_same_again_gives_the_same_bytes(tmp_path: Path) -> None:
    answers = simulate(5, Plan(raters=6, clips_each=20)).answers
    one = write_answers(tmp_path / "p", answers)
    two = write(tmp_path / "q", reversed(answers.responses), answers.gold.values(), dict(answers.seconds), name="p")
    for folder in (one, two):
        agree(folder, USUAL)
    before = {name: (one / name).read_bytes() for name in OUTPUTS}
    assert before == {name: (two / name).read_bytes() for name in OUTPUTS}
    agree(one, USUAL)
    assert before == {name: (one / name).read_bytes() for name in OUTPUTS}


def test_the_page_loads_nothing_and_shows_everyone(tmp_path: Path) -> None:
    made = simulate(4)
    folder = write_answers(tmp_path / "p", made.answers, title="<b>Made & up</b>")
    found = agree(folder, USUAL)
    page = parts(folder / "agreement.html")
    assert not page.loads
    assert not {"script", "link", "img", "iframe"} & page.tags
    text = " ".join(page.text)
    assert text.count("Agreement of raters: <b>Made & up</b>") == 2  # title and heading
    for rater in found.raters:
        assert rater.rater in text
        for reason in rater.reasons:
            assert reason in text
    assert "svg" in page.tags


def test_scores_flow_into_a_corpus(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    """Three clips by four raters, one of whom is excluded by hand: MOS by P.913, and stage 3 of the annotations."""
    names = [path.name for path in real_clips.values()]
    scores = {"r1": (20, 50, 80), "r2": (30, 60, 90), "r3": (24, 58, 86), "spam": (99, 1, 50)}
    responses = [
        said(f"mine/{name}", rater, score // 20, score, (attribute("noise"),))
        for rater, of_clips in scores.items()
        for name, score in zip(names, of_clips, strict=True)
    ]
    renamed = [
        msgspec.structs.replace(
            r, annotation=msgspec.structs.replace(r.annotation, id=r.id, clip=r.record_id.partition("/")[2])
        )
        for r in responses
    ]
    extra = said("mine/gold.mp4", "r1", 4, 99, role="gold")
    again = said("again", "r1", 4, 99, role="repeat", of=f"mine/{names[0]}", record_id=f"mine/{names[0]}")
    gold = [Annotation(id="g", clip="gold.mp4", rater="gold", level="high")]
    project = write(tmp_path / "trial-project", [*renamed, extra, again], gold)
    found = agree(project, USUAL, exclude=["spam"])
    assert [rater.state for rater in found.raters] == ["not judged"] * 3 + ["excluded"]
    clips = tmp_path / "clips"
    clips.mkdir()
    for path in real_clips.values():
        shutil.copy(path, clips)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: rated\nsources:\n  - name: mine\n    table: trial-project/ratings.csv\n    clips: clips\n"
        "    licence: private\n    columns: {clip: clip, score: score, subject: rater}\n    scale: {lo: 0, hi: 100}\n"
        "    opinion: p913\n    annotations: trial-project/accepted.jsonl\nstages: [stage2-ugc, stage3]\n"
        "split: {train: 1, test: 0}\n"
    )
    corpus = build(load(recipe, BuildRecipe), recipe, tmp_path / "corpus").folder
    assert not (corpus / "quarantine.jsonl").read_bytes()
    records = structs(corpus / RECORDS, Record)
    mos = {record.media.path.rpartition("/")[2]: record.score for record in records if record.score}
    means = [sum(scores[rater][index] for rater in ("r1", "r2", "r3")) / 3 for index in range(3)]
    assert [record.score.ratings for record in records if record.score] == [3, 3, 3]
    assert sorted(score.value for score in mos.values()) == pytest.approx(means)
    assert len({located.sample.id for located in read_samples(corpus, "stage3")}) >= 3
    (note,) = read_notes(corpus).agreement
    assert found.level is not None
    assert (note.raters, note.excluded, note.level_alpha) == (4, 1, found.level.ordinal)
    assert f"| `mine` | {note.project} | depict | 4 (1 excluded) |" in (corpus / CARD).read_text()


def test_levels_stand_in_where_nobody_scored(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", [said("a", "r0", 4), said("b", "r0", 0), said("a", "r1", 3)])
    found = agree(folder, USUAL)
    assert found.written.ratings_of == "level"
    assert found.score is None
    assert (folder / "ratings.csv").read_text() == "clip,rater,score\na,r0,100.0\na,r1,75.0\nb,r0,0.0\n"


def test_a_review_gets_verdicts(tmp_path: Path) -> None:
    pair = (
        '{"id":"p0","record_id":"c1","family":"temporal-centric","form":"open","question":"Q","answer":"A",'
        '"evidence":[],"generator":"template:when"}\n'
    )
    responses = [reviewed("r0", p0="accept"), reviewed("r1", p0="edit: B"), reviewed("r2", p0="accept", p1="accept")]
    folder = write(tmp_path / "p", responses, kind="review", recipe={"pairs": "pairs.jsonl"})
    (folder / "pairs.jsonl").write_text(pair)
    found = agree(folder, USUAL)
    assert found.review is not None
    assert [(kind.of, kind.accepted) for kind in found.review.by_family] == [("temporal-centric", 1)]
    assert found.review.unknown == 1
    rows = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    assert [(row["pair_id"], row["verdict"], row["votes"]) for row in rows] == [
        ("p0", "accept", {"accept": 2, "edit": 1}),
        ("p1", "accept", {"accept": 1}),
    ]
    assert not (folder / "accepted.jsonl").exists()
    assert "temporal-centric" in " ".join(parts(folder / "agreement.html").text)
    with pytest.raises(CallError, match="no file of pairs"):
        agree(folder, USUAL, pairs=tmp_path / "none.jsonl")


def test_a_project_without_answers(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", [Response(id="s", task="t", record_id="a", rater="r", state="skipped")])
    found = agree(folder, USUAL)
    assert (found.raters, found.counted.skipped, found.written.annotations) == ([], 1, 0)
    assert (folder / "accepted.jsonl").read_bytes() == b""
    parts(folder / "agreement.html")


def test_what_is_no_project_is_told(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="is no annotation project"):
        agree(tmp_path, USUAL)
    folder = write(tmp_path / "p", [said("a", "r0", 4)])
    (folder / "responses.jsonl").unlink()
    with pytest.raises(CallError, match="run vqa2 annotate import first"):
        agree(folder, USUAL)
    (folder / "responses.jsonl").write_text('{"id": "x"}\n')
    with pytest.raises(DataError, match=r"responses\.jsonl:1"):
        agree(folder, USUAL)
    other = msgspec.json.encode(said("b", "r0", 4))
    (folder / "responses.jsonl").write_bytes(other + b"\n")
    with pytest.raises(DataError, match=r"responses\.jsonl:1: no task of this project has the key 'b'"):
        agree(folder, USUAL)
    (folder / "responses.jsonl").write_bytes(msgspec.json.encode(said("a", "r0", 4, role="gold")) + b"\n")
    with pytest.raises(DataError, match="the task is another one"):
        agree(folder, USUAL)


def test_the_command_line(tmp_path: Path, vqa2: Cli) -> None:
    made = simulate(0, Plan(raters=8, bad=("random",), clips_each=30))
    folder = write_answers(tmp_path / "p", made.answers)
    (bad,) = made.bad
    shown = vqa2("annotate", "agree", folder)
    assert shown.returncode == 0, shown.stderr
    assert re.search(rf"7 of 8 raters kept.*{bad} excluded: .*levels correlate", shown.stdout, re.DOTALL)
    given = vqa2("annotate", "agree", folder, "--json", "--keep", bad, "--threshold", "haste=0.4")
    found = json.loads(given.stdout)
    assert found["thresholds"]["haste"] == 0.4
    assert found["raters"][0]["state"] == "accepted"
    refused = vqa2("annotate", "agree", folder, "--threshold", "hast=1")
    assert refused.returncode == 2
    assert "--threshold" in refused.stderr


def test_thresholds_are_read() -> None:
    assert thresholds_of(["haste=0.4", "gold_items=7"]) == Thresholds(haste=0.4, gold_items=7)
    for wrong in ("hast=1", "haste", "haste=x", "haste=2", "gold_items=1", "gold_items=2.5"):
        with pytest.raises(CallError, match="--threshold"):
            thresholds_of([wrong])
