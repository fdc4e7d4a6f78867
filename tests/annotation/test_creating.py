"""Projects as `create` makes them: what a server is given, what stays here, and what is refused."""

import itertools
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import yaml

from annotation.create import Means, create, show
from annotation.folder import read_config, read_gold, read_project, read_roles, read_tasks
from annotation.labeling import attributes_of, controls_of, labeling_config
from annotation.predictions import predict, problem_of, read_scores
from annotation.tasks import Names, choose
from dataset_builder.video import inspect
from schemas.annotation import Annotation, Attribute, Conversation
from schemas.errors import CallError, DataError
from schemas.pair import Pair
from schemas.project import AttributeWord, Clips, Control, Predictions, ProjectRecipe
from schemas.record import Applied, Distortion, Origin, Record, Score, Stall
from tests.conftest import Cli

NAMES = ("bikes.mp4", "carphone_pristine.mp4", "bigbuckbunny.mp4", "night ride #1.mp4")


def lines(rows: Any) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


@pytest.fixture(scope="module")
def media(real_clips: dict[str, Path]) -> dict[str, Any]:
    """What the clips of the folder are, by name."""
    files = [*real_clips.values(), real_clips["carphone_pristine"]]
    by_stem = {path.name: path for path in files}
    return {name: inspect(by_stem.get(name, real_clips["carphone_pristine"]), name) for name in NAMES}


@pytest.fixture
def home(tmp_path: Path, real_clips: dict[str, Path], media: dict[str, Any]) -> Path:
    """A folder with clips, records, known answers, pairs and a recipe."""
    (tmp_path / "clips").mkdir()
    for name in NAMES:
        shutil.copy(real_clips.get(Path(name).stem, real_clips["carphone_pristine"]), tmp_path / "clips" / name)
    records = [record(name, media[name]) for name in NAMES]
    (tmp_path / "records.jsonl").write_bytes(lines(records))
    gold = [Annotation(id="g1", clip="bikes", rater="lead", level="good"), known("carphone_pristine.mp4")]
    (tmp_path / "gold.jsonl").write_bytes(lines(gold))
    (tmp_path / "pairs.jsonl").write_bytes(lines(pair(index) for index in range(3)))
    recipe(tmp_path)
    return tmp_path


def record(name: str, media: Any, **fields: Any) -> Record:
    return Record(id=f"own/{name}", source="own", licence="private", group=name, split="train", media=media, **fields)


def known(clip: str) -> Annotation:
    return Annotation(id="g2", clip=clip, rater="lead", attributes=[Attribute(name="noise", degree="slight")])


def pair(index: int) -> Pair:
    return Pair(
        id=f"a1/{index}",
        record_id="own/bikes.mp4",
        family="quality-centric",
        form="open",
        question=f"What is seen, {index}?",
        answer='Noise & "blur" <strong>',
        evidence=["annotation:a1"],
        generator="template:x",
    )


def recipe(home: Path, **fields: Any) -> Path:
    path = home / "project.yaml"
    clips = {"records": "records.jsonl", "root": "clips"} | fields.pop("clips", {})
    path.write_text(yaml.safe_dump({"name": "mine", "kind": "depict", "clips": clips} | fields))
    return path


def made(home: Path, **fields: Any) -> Path:
    create(recipe(home, **fields), home / "out" / "project")
    return home / "out" / "project"


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


GOLD = {"control": {"gold": "gold.jsonl", "gold_share": 0.3, "repeat_share": 0.2}}


def test_a_project_has_all_that_a_server_needs_and_what_it_must_not_hear_apart(home: Path) -> None:
    folder = made(home, **GOLD, seed=3)
    project, tasks, roles = read_project(folder), read_tasks(folder), read_roles(folder)
    assert (project.name, project.kind, project.raters, project.local_media) == ("mine", "depict", 3, ["clips"])
    by_role = [(role.role, role.record_id) for role in roles.values()]
    assert sorted(by_role)[:2] == [("clip", "own/bigbuckbunny.mp4"), ("clip", "own/night ride #1.mp4")]
    assert sorted(role for role, _ in by_role) == ["clip", "clip", "gold", "repeat"]
    (gold,) = read_gold(folder)
    assert ("gold", gold.clip) in by_role
    assert [task.key for task in tasks] == sorted(roles)
    for task in tasks:
        assert task.data == {
            "task_key": task.key,
            "record_id": roles[task.key].record_id,
            "video_url": task.data["video_url"],
            "fps": task.data["fps"],
            "frames": task.data["frames"],
            "sha256": task.data["sha256"],
            "proxy_sha256": None,
        }
        if task.data["record_id"] == "own/night ride #1.mp4":
            assert task.data["video_url"] == "/data/local-files/?d=clips/night%20ride%20%231.mp4"
    for key, role in roles.items():
        of = roles.get(role.of or "")
        assert (of is not None) == (role.role == "repeat")
        if of:
            twins = [next(t for t in tasks if t.key == each) for each in (key, of.key)]
            assert len({msgspec.json.encode({**t.data, "task_key": ""}) for t in twins}) == 1
            assert of.record_id == role.record_id
            assert of.role == "clip"


def test_nothing_that_is_sent_tells_the_role(home: Path) -> None:
    folder = made(home, **GOLD)
    sent = (folder / "tasks.jsonl").read_text() + (folder / "config.xml").read_text()
    for word in ("gold", "repeat", "role", "lead", "slight noise"):
        assert word not in sent.replace("requiredMessage", "")


def test_twice_gives_the_same_bytes_and_leaves_what_others_wrote(home: Path, real_clips: dict[str, Path]) -> None:
    fields = GOLD | {"predictions": {"ground_truth": True}, "qualification": 1}
    folder = made(home, **fields)
    (folder / "server.json").write_text("{}")
    first = files_of(folder.parent)
    made(home, **fields)
    assert files_of(folder.parent) == first
    assert "mine-qualification-project/tasks.jsonl" in first


def test_one_more_clip_changes_no_task_of_the_others(media: dict[str, Any]) -> None:
    records = [record(f"{index}.mp4", media["bikes.mp4"]) for index in range(300)]
    gold = {f"own/{index}.mp4" for index in range(0, 260, 4)}
    control = Control(gold="g", gold_share=0.1, repeat_share=0.05)
    for seed in range(5):
        fewer, all_of_them = (
            {(w.record.id, w.role) for w in choose(part, gold, control, seed)} for part in (records[:-40], records)
        )
        assert fewer < all_of_them
    shares = dict.fromkeys(("clip", "gold", "repeat"), 0)
    for seed in range(40):
        for task in choose(records, gold, control, seed):
            shares[task.role] += 1
    total = sum(shares.values())
    assert abs(shares["gold"] / total - 0.1) < 0.01
    assert abs(shares["repeat"] / total - 0.05) < 0.01
    assert [w for w in choose(records[:3], set(), control, 0) if w.role == "repeat"], "few clips have one repeat"


def test_seeds_give_other_keys_and_roles(home: Path) -> None:
    keys = {seed: {t.key for t in read_tasks(made(home, **GOLD, seed=seed))} for seed in range(3)}
    assert all(not a & b for a, b in itertools.combinations(keys.values(), 2))


def test_a_qualification_is_gold_that_is_not_used_again_and_starts_from_nothing(home: Path) -> None:
    folder = made(home, **GOLD, qualification=1, predictions={"ground_truth": True}, title="Mine")
    beside = folder.parent / "mine-qualification-project"
    project, tasks = read_project(beside), read_tasks(beside)
    assert (project.qualification, project.title, project.name) == (True, "Mine (qualification)", "mine-qualification")
    assert project.raters > 100
    assert "This is the qualification" in project.instruction
    assert [role.role for role in read_roles(beside).values()] == ["gold"]
    assert not any(task.predictions for task in tasks)
    assert {a.clip for a in read_gold(beside)} == {tasks[0].data["record_id"]}
    assert not {t.data["record_id"] for t in tasks} & {t.data["record_id"] for t in read_tasks(folder)}
    with pytest.raises(CallError, match="3 gold clips are asked for, there are 2"):
        made(home, **GOLD, qualification=3)


def test_a_review_shows_all_pairs_of_a_clip_and_what_they_rest_on(home: Path) -> None:
    said = Annotation(
        id="a1",
        clip="bikes",
        rater="r1",
        overall="It is noisy.",
        attributes=[Attribute(name="noise", degree="severe", start=1, end=2.5, when="as it turns")],
        conversations=[Conversation(question="Why?", answer="Little light.")],
    )
    (home / "annotations.jsonl").write_bytes(lines([said]))
    path = recipe(home, kind="review", pairs="pairs.jsonl", control={"repeat_share": 0})
    told = create(path, home / "out" / "project", means=Means(annotations=home / "annotations.jsonl"))
    (task,) = read_tasks(home / "out" / "project")
    assert (told.tasks, told.pairs, told.left_out) == (1, 3, {"clips without a pair": 3})
    assert task.data["pairs"][1] == {"title": "2. quality-centric, open", "pair_id": "a1/1"}
    assert task.data["source_depiction"].splitlines() == [
        "It is noisy.",
        "- severe noise, 1.00 s to 2.50 s, as it turns",
        "Q: Why?",
        "A: Little light.",
    ]
    (prediction,) = task.predictions
    assert [(r["from_name"], r["value"]["text"][0]) for r in prediction.result][2:4] == [
        ("question_1", "What is seen, 1?"),
        ("answer_1", 'Noise & "blur" <strong>'),
    ]


def test_a_config_asks_what_the_recipe_says() -> None:
    words = [
        AttributeWord(name='A & "b" <c>', over="whole", hint="a > b"),
        AttributeWord(name="shake", over="moments", key="W"),
        AttributeWord(name="blur"),
    ]
    asked = ProjectRecipe(name="x", kind="depict", clips=Clips(records="r"), attributes=words, degrees=["some", "much"])
    config = labeling_config(asked)
    controls = controls_of(config)
    assert {path[0] for path in controls["attribute"].values} == {"shake", "blur"}
    assert controls["throughout"].values == {(a, d) for a in ('A & "b" <c>', "blur") for d in ("some", "much")}
    assert controls["degree"].values == {("some",), ("much",)}
    assert controls["score"].limits == (0, 100)
    keys = [element.get("hotkey") for element in ET.fromstring(config).iter() if element.get("hotkey")]
    assert len(keys) == len(set(keys)) == 2 + 2 + 5
    assert all("+" in key for key in keys)
    assert "alt+w" in keys
    assert 'transcription="true"' not in config
    only_whole = msgspec.structs.replace(asked, attributes=words[:1])
    assert {"attribute", "degree"}.isdisjoint(controls_of(labeling_config(only_whole)))


def test_without_attributes_the_taxonomys_are_asked_for_each_with_a_key() -> None:
    words = attributes_of(ProjectRecipe(name="x", kind="depict", clips=Clips(records="r")))
    assert len(words) == 17
    assert len({word.key for word in words}) == 17
    assert all(word.hint for word in words)


def test_ground_truth_becomes_ranges_of_frames_and_degrees(media: dict[str, Any]) -> None:
    asked = ProjectRecipe(
        name="x", kind="depict", clips=Clips(records="r"), predictions=Predictions(ground_truth=True, metadata=True)
    )
    clip = record(
        "a.mp4",
        media["bikes.mp4"],
        distortions=[
            Distortion(name="motion blur", severity=5, start=0.5, end=1.5),
            Distortion(name="noise", severity=2),
            Distortion(name="noise", severity=4),
            Distortion(name="flicker", start=99, end=100),
        ],
        score=Score(value=4.2, lo=1, hi=5),
    )
    (prediction,) = predict(asked, clip, 25.0, 250, {})
    assert prediction.model_version == "ground-truth+metadata"
    assert [(r["id"], r["from_name"], r["value"]) for r in prediction.result] == [
        ("m1", "attribute", {"ranges": [{"start": 13, "end": 38}], "timelinelabels": ["motion blur"]}),
        ("m1", "degree", {"ranges": [{"start": 13, "end": 38}], "choices": ["severe"]}),
        ("all", "throughout", {"taxonomy": [["noise", "moderate"]]}),
        ("level", "level", {"choices": ["high"]}),
        ("score", "score", {"number": 80}),
    ]
    (prediction,) = predict(asked, clip, 25.0, 250, {"own/a.mp4": ("poor", 0.314)})
    assert [r["value"] for r in prediction.result[-2:]] == [{"choices": ["poor"]}, {"number": 31}]


def test_truth_is_also_read_off_how_a_clip_was_made_and_off_its_stalls(media: dict[str, Any]) -> None:
    words = [AttributeWord(name="stalling"), AttributeWord(name="noise", over="moments")]
    asked = ProjectRecipe(
        name="x",
        kind="depict",
        clips=Clips(records="r"),
        attributes=words,
        degrees=["some", "much"],
        predictions=Predictions(ground_truth=True, metadata=True),
    )
    chain = [Applied(kind="noise", severity=5, parameters={}), Applied(kind="blur", severity=1, parameters={})]
    origin = Origin(record_id="own/b", sha256="0", chain=chain, seed=0, encoder={})
    clip = record("a.mp4", media["bikes.mp4"], origin=origin, stalls=[Stall(start=1, duration=0.5)])
    (prediction,) = predict(asked, clip, 25.0, 250, {})
    assert [r["value"] for r in prediction.result] == [
        {"ranges": [{"start": 1, "end": 250}], "timelinelabels": ["noise"]},
        {"ranges": [{"start": 1, "end": 250}], "choices": ["much"]},
        {"ranges": [{"start": 26, "end": 38}], "timelinelabels": ["stalling"]},
        {"ranges": [{"start": 26, "end": 38}], "choices": ["much"]},
    ]
    assert predict(asked, record("a.mp4", media["bikes.mp4"]), 25.0, 250, {}) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"from_name": "attributes"}, "no control 'attributes'"),
        ({"to_name": "clip"}, "is of 'video'"),
        ({"type": "labels"}, "takes timelinelabels"),
        ({"value": {"ranges": [{"start": 0, "end": 2}], "timelinelabels": ["noise"]}}, "frames 0 to 2 of 10"),
        ({"value": {"ranges": [{"start": 1, "end": 11}], "timelinelabels": ["noise"]}}, "frames 1 to 11 of 10"),
        ({"value": {"ranges": [{"start": 1, "end": 2}], "timelinelabels": ["noises"]}}, "has no 'noises'"),
        ({"from_name": "throughout", "type": "taxonomy", "value": {"taxonomy": [["noise"]]}}, "has no 'noise'"),
        ({"from_name": "score", "type": "number", "value": {"number": 101}}, "from 0 to 100"),
        ({"from_name": "answer_0", "type": "textarea", "value": {"text": ["x"]}}, "no control 'answer_0'"),
    ],
)
def test_a_prediction_that_the_config_does_not_have_is_told(change: dict[str, Any], problem: str | None) -> None:
    controls = controls_of(labeling_config(ProjectRecipe(name="x", kind="depict", clips=Clips(records="r"))))
    value = {"ranges": [{"start": 1, "end": 10}], "timelinelabels": ["noise"]}
    result = {"id": "m", "from_name": "attribute", "to_name": "video", "type": "timelinelabels", "value": value}
    found = problem_of([result | change], controls, 10)
    assert (found is None) if problem is None else (problem in (found or ""))


def test_pairs_beyond_those_of_the_task_have_no_control() -> None:
    asked = ProjectRecipe(name="x", kind="review", clips=Clips(records="r"), pairs="p")
    controls = controls_of(labeling_config(asked))
    result = {"id": "m", "from_name": "answer_1", "to_name": "video", "type": "textarea", "value": {"text": ["x"]}}
    assert problem_of([result], controls, 10, pairs=2) is None
    assert problem_of([result], controls, 10, pairs=1) == "the config has no control 'answer_1'"


def test_scores_are_read_as_vqa2_score_writes_them(tmp_path: Path, media: dict[str, Any]) -> None:
    names = Names([record(f"{folder}/a.mp4", media["bikes.mp4"]) for folder in ("x", "y")])
    rows = [
        {"clip": "/somewhere/clips/x/a.mp4", "score": 0.61, "levels": None, "error": None},
        {
            "clip": "y/a.mp4",
            "score": 0.61,
            "levels": {"low": 0.0, "poor": 0.1, "fair": 0.5, "good": 0.4, "high": 0.0},
            "error": None,
        },
        {"clip": "a.mp4", "score": 0.2, "levels": None, "error": None},
        {"clip": "y/b.mp4", "score": None, "levels": None, "error": "cut"},
    ]
    (tmp_path / "s.json").write_bytes(orjson.dumps(rows))
    expected = {"own/x/a.mp4": ("good", 0.61), "own/y/a.mp4": ("fair", 0.61)}
    assert read_scores(tmp_path / "s.json", names.find) == (expected, 1)
    text = "clip,score,low,poor,fair,good,high,error\nx/a.mp4,0.61,,,,,,\ny/a.mp4,0.61,0,0.1,0.5,0.4,0,\nq,,,,,,,cut\n"
    (tmp_path / "s.csv").write_text(text)
    assert read_scores(tmp_path / "s.csv", names.find) == (expected, 0)
    for wrong in ("clip,score\nx/a.mp4,1.5\n", "clip,score\nx/a.mp4,good\n", "name,mos\nx,1\n"):
        (tmp_path / "s.csv").write_text(wrong)
        with pytest.raises(DataError, match="s.csv"):
            read_scores(tmp_path / "s.csv", names.find)


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"clips": {"records": "record.jsonl"}}, CallError, r"no corpus or file 'record.jsonl'; did you mean 'records"),
        ({"clips": {"root": "."}}, DataError, r"own/bikes.mp4: there is no file"),
        ({"clips": {"split": "test"}}, CallError, "no records of split 'test'"),
        ({"clips": {"serve": "ftp://x"}}, CallError, "'local' or the http"),
        ({"clips": {"serve": "https://u:secret@x"}}, CallError, "no user name and no password"),
        ({"attributes": [{"name": "a", "key": "r"}]}, CallError, "the key 'r' means something else"),
        ({"kind": "review", "pairs": "pairs.jsonl", "predictions": {"metadata": True}}, CallError, "its pairs"),
        ({"kind": "review", "pairs": "pairs.jsonl", **GOLD}, CallError, "a review has none"),
        ({**GOLD, "attributes": [{"name": "noises"}]}, DataError, "no attribute 'noise'; did you mean 'noises'"),
        ({"predictions": {"scores": "gold.jsonl"}}, DataError, "not the CSV that vqa2 score writes"),
    ],
)
def test_what_cannot_be_done_is_refused(home: Path, fields: dict[str, Any], error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        made(home, **fields)
    assert not (home / "out" / "project" / "project.json").exists()


def test_a_clip_of_known_answer_that_is_none_of_the_clips_is_named(home: Path) -> None:
    (home / "gold.jsonl").write_bytes(lines([known("carphone_pristin.mp4")]))
    with pytest.raises(
        DataError, match=r"gold.jsonl: g2: .*'carphone_pristin.mp4'; did you mean 'own/carphone_pristine"
    ):
        made(home, **GOLD)
    (home / "gold.jsonl").write_bytes(lines([known("bikes"), known("own/bikes.mp4")]))
    with pytest.raises(DataError, match="two known answers"):
        made(home, **GOLD)


def test_raters_are_never_served_what_they_must_not_see(home: Path) -> None:
    with pytest.raises(CallError, match="the document root itself"):
        create(recipe(home), home / "out" / "project", means=Means(document_root=home / "clips"))
    with pytest.raises(CallError, match="does not lie below the document root"):
        create(recipe(home), home / "out" / "project", means=Means(document_root=home / "out"))
    with pytest.raises(CallError, match="which raters can read"):
        create(recipe(home), home / "clips" / "project")
    shutil.copy(home / "gold.jsonl", home / "clips")
    with pytest.raises(CallError, match=r"gold.jsonl.*which raters can read"):
        made(home, control={"gold": "clips/gold.jsonl"})


def test_media_over_http(home: Path, real_clips: dict[str, Path]) -> None:
    folder = made(home, clips={"serve": "https://media.example/clips/"})
    urls = {task.data["record_id"]: task.data["video_url"] for task in read_tasks(folder)}
    assert urls["own/night ride #1.mp4"] == "https://media.example/clips/night%20ride%20%231.mp4"
    assert read_project(folder).local_media == []


def test_a_project_that_is_on_a_server_keeps_its_config(home: Path) -> None:
    folder = made(home)
    (folder / "server.json").write_text("{}")
    before = files_of(folder)
    with pytest.raises(CallError, match="another labeling config"):
        made(home, degrees=["some", "much"])
    assert files_of(folder) == before
    (home / "other").mkdir()
    (home / "other" / "thesis.txt").touch()
    with pytest.raises(CallError, match="no annotation project"):
        create(recipe(home), home / "other")


def test_a_config_that_was_edited_is_noticed(home: Path) -> None:
    folder = made(home)
    (folder / "config.xml").write_text(read_config(folder).replace("slight", "tiny"))
    with pytest.raises(DataError, match="not what the project was made with"):
        read_project(folder)


def test_guidelines_are_one_page_of_what_is_asked(home: Path) -> None:
    folder = made(
        home,
        title="Mine & yours",
        guidelines="Judge **as a viewer**.\n\n<script>alert(1)</script>",
        attributes=[{"name": "noise", "hint": "grain <everywhere>", "key": "g"}],
    )
    page = (folder / "guidelines.html").read_text()
    for told in ("<h1>Mine &amp; yours</h1>", "<strong>as a viewer</strong>", "grain &lt;everywhere&gt;", "Alt G"):
        assert told in page
    for word in ("slight", "severe", "low", "high"):
        assert word in page
    assert "<script>" not in page
    assert "http" not in page
    assert "<style" not in read_project(folder).instruction


def test_the_command_tells_what_it_made(home: Path, vqa2: Cli) -> None:
    recipe(home, **GOLD, raters=2)
    done = vqa2("annotate", "create", "project.yaml", "seed=4", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout)
    assert (told["tasks"], told["clips"], told["gold"], told["repeats"], told["raters"]) == (4, 2, 1, 1, 2)
    assert told["left_out"] == {"gold clips that the share has no room for": 1}
    assert read_project(home / "mine-project").seed == 4
    wrong = vqa2("annotate", "create", "project.yaml", "kind=depicts", cwd=home)
    assert wrong.returncode == 2
    assert "did you mean 'depict'" in wrong.stderr
    (home / "clips" / NAMES[-1]).write_bytes(b"x")
    cut = vqa2("annotate", "create", "project.yaml", cwd=home)
    assert cut.returncode == 1
    assert f"own/{NAMES[-1]}" in cut.stderr


def test_a_corpus_is_a_source_of_clips(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("name: c\nkind: depict\nclips: {records: corpus}\npredictions: {metadata: true}\n")
    told = create(tmp_path / "p.yaml", tmp_path / "c-project")
    assert told.local_media == ["corpus/media"]
    assert told.predicted == told.tasks > 0
    assert told.left_out["still images: the player shows videos only"] == 1
    said = "\n".join(show(told))
    assert f"{told.tasks} tasks ({told.clips} clips, 0 of a known answer, 1 repeats), 3 raters each" in said
    assert "left out: 1 still images: the player shows videos only" in said
