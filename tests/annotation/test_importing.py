"""Import from exports: responses, annotations and oddities; snapshots, pseudonyms, and nothing that tells a name."""

from __future__ import annotations

import gzip
import json
import re
import stat
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.importing import Imported, import_responses
from annotation.pseudonyms import ADDRESS, Pseudonyms, read_key
from annotation.snapshots import entries, list_snapshots, parse_export, replay, scrubbed, time_of_export
from schemas.annotation import Annotation
from schemas.errors import CallError, DataError
from schemas.response import Response
from schemas.validate import Problem, read_jsonl
from tests.annotation import exported as ex
from tests.conftest import Cli

KEYS = [f"{number:016x}" for number in range(1, 7)]
LEVELS = [ex.text("overall", "It is fine."), ex.level("good")]
OUTPUTS = ("responses.jsonl", "annotations.jsonl", "oddities.jsonl")


@pytest.fixture
def depict(tmp_path: Path) -> Path:
    roles = {KEYS[1]: {"role": "gold"}, KEYS[2]: {"role": "repeat", "of": KEYS[0]}}
    return ex.folder(tmp_path / "trial-project", [ex.data(key) for key in KEYS], roles=roles)


def take(folder: Path, tasks: list[ex.Json], at: datetime | None = None, **how: Any) -> Imported:
    return import_responses(folder, deepcopy(tasks), at or time_of_export(tasks), **how)


def responses(folder: Path) -> dict[str, Response]:
    found = {}
    for _, row in read_jsonl(folder / "responses.jsonl", Response):
        assert not isinstance(row, Problem), row
        found[row.id] = row
    return found


def oddities(folder: Path) -> list[ex.Json]:
    return [json.loads(line) for line in (folder / "oddities.jsonl").read_text().splitlines()]


def whats(folder: Path) -> list[str]:
    return [row["what"] for row in oddities(folder)]


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def test_what_was_submitted_is_what_is_imported(depict: Path) -> None:
    done = take(
        depict,
        [
            ex.task(1, ex.data(KEYS[0]), [ex.annotation(11, ex.full(), 7), ex.annotation(12, LEVELS, 8)]),
            ex.task(2, ex.data(KEYS[1]), [ex.annotation(13, [], 7, was_cancelled=True, lead_time=None)]),
            ex.task(3, ex.data(KEYS[2], proxy_sha256="cd" * 32), [ex.annotation(14, LEVELS, 7, predicted=LEVELS)]),
            ex.task(4, ex.data(KEYS[3]), [], [ex.draft(5, [ex.level("low")], user_id=8)]),
            ex.task(5, ex.data(KEYS[4]), []),
        ],
    )
    read = responses(depict)
    a, b, skip, again, draft = (
        read[f"{KEYS[index]}-{name}"] for index, name in ((0, "a11"), (0, "a12"), (1, "a13"), (2, "a14"), (3, "d5"))
    )
    assert len(read) == 5
    assert a.annotation is not None
    assert (a.task, a.record_id, a.role, a.of, a.state, a.seconds, a.changed) == (
        KEYS[0],
        "mine/bikes.mp4",
        "clip",
        None,
        "submitted",
        61.5,
        None,
    )
    assert (a.annotation.id, a.annotation.clip, a.annotation.rater) == (a.id, "bikes.mp4", a.rater)
    assert (a.annotation.sha256, a.annotation.proxy_sha256) == ("ab" * 32, None)
    assert (a.created, a.updated, a.annotation.at) == (
        "2026-03-01T10:00:00.000000Z",
        *2 * ["2026-03-01T10:11:30.250000Z"],
    )
    assert [(x.name, x.start, x.end) for x in a.annotation.attributes][2] == ("motion blur", 119 / 30, 6.0)
    assert a.rater == again.rater == skip.rater != b.rater == draft.rater
    assert re.fullmatch(r"r-[a-z2-7]{10}", a.rater)
    assert (skip.state, skip.role, skip.annotation, skip.seconds) == ("skipped", "gold", None, None)
    assert (again.role, again.of, again.changed) == ("repeat", KEYS[0], False)
    assert again.annotation is not None
    assert again.annotation.proxy_sha256 == "cd" * 32
    assert draft.state == "draft"
    assert draft.annotation is not None
    assert draft.annotation.level == "low"
    assert whats(depict) == ["task 3 of the server has other data than was sent: proxy_sha256"]
    annotations = [row for _, row in read_jsonl(depict / "annotations.jsonl", Annotation)]
    assert annotations == [a.annotation, b.annotation, again.annotation]
    assert (done.responses, done.submitted, done.skipped, done.drafts, done.raters) == (5, 3, 1, 1, 2)
    assert (done.new, done.changed, done.gone, done.oddities, done.annotations) == (5, 0, 0, 1, 3)


def test_the_same_again_gives_the_same_bytes(depict: Path) -> None:
    tasks = [ex.task(1, ex.data(KEYS[0]), [ex.annotation(11, ex.full(), 7), ex.annotation(12, [], 8)])]
    tasks.append(ex.task(2, ex.data(KEYS[1]), [ex.annotation(13, LEVELS)]))
    take(depict, tasks, latest=True)
    first, shots = outputs(depict), [shot.path.read_bytes() for shot in list_snapshots(depict)]
    later = deepcopy(tasks)
    later[0]["annotations"].reverse()
    later[0]["annotations"][0]["prediction"]["created_ago"] = "5 days"
    later.reverse()
    done = take(depict, later, latest=True)
    assert outputs(depict) == first
    assert [shot.path.read_bytes() for shot in list_snapshots(depict)] == shots
    assert (done.snapshot, done.new, done.changed, done.gone) == (None, 0, 0, 0)


def test_edits_update_and_deletions_are_told_and_kept_in_history(depict: Path) -> None:
    first = [
        ex.task(1, ex.data(KEYS[0]), [ex.annotation(11, LEVELS, 7), ex.annotation(12, LEVELS, 8)]),
        ex.task(2, ex.data(KEYS[1]), [ex.annotation(13, LEVELS, 9)], [ex.draft(5, [ex.level("low")])]),
    ]
    second = deepcopy(first)
    second[0]["annotations"][0].update(result=ex.full(), updated_at="2026-03-02T10:00:00Z")
    second[0]["annotations"].pop()
    second[1].update(drafts=[], annotations=[ex.annotation(13, LEVELS, None), ex.annotation(14, [ex.level("low")], 7)])
    third = [second[0]]
    for tasks, counts in ((first, (4, 0, 0)), (second, (1, 1, 2)), (third, (0, 0, 2))):
        done = take(depict, tasks, latest=True)
        assert (done.new, done.changed, done.gone) == counts
    states = [entries(shot.tasks()) for shot in list_snapshots(depict)]
    times = [shot.at for shot in list_snapshots(depict)]
    assert len(states) == 3
    for count, state in zip(times, states, strict=True):
        rebuilt: ex.Json = {}
        for event in replay(depict):
            if event.at <= count:
                rebuilt.pop(event.id, None)
                if event.what != "gone":
                    rebuilt[event.id] = (event.task, event.entry)
        assert rebuilt == state
    gone = {row["annotation"]: row for row in oddities(depict)}
    lost = f"{KEYS[1]}-a13"
    assert gone.keys() == {f"{KEYS[0]}-a12", lost, f"{KEYS[1]}-a14", f"{KEYS[1]}-d5"}
    assert all("gone from the server before 2026-03-02" in row["what"] for row in gone.values())
    # Who made it was forgotten on the server before it was deleted there.
    assert gone[lost]["rater"] == read_key(depict / "raters.key").of(9)


def test_a_draft_that_was_submitted_is_no_loss(depict: Path) -> None:
    data = ex.data(KEYS[0])
    take(depict, [ex.task(1, data, [], [ex.draft(5, [ex.level("low")], user_id=8)])], latest=True)
    take(depict, [ex.task(1, data, [ex.annotation(11, LEVELS, 8)])], latest=True)
    assert oddities(depict) == []


def test_a_deleted_user_keeps_the_pseudonym_that_was_known(depict: Path) -> None:
    known = [ex.task(1, ex.data(KEYS[0]), [ex.annotation(11, LEVELS, 7), ex.annotation(12, LEVELS, 8)])]
    take(depict, known, latest=True)
    before = {name: response.rater for name, response in responses(depict).items()}
    known[0]["annotations"] = [ex.annotation(number, LEVELS, None) for number in (11, 12, 13)]
    take(depict, known, latest=True)
    after = {name: response.rater for name, response in responses(depict).items()}
    assert {name: after[name] for name in before} == before
    assert len(set(after.values())) == 3
    assert sorted(whats(depict)) == [
        "its rater was deleted on the server",
        "its rater was deleted on the server",
        "its rater was deleted on the server, and is not known from before",
    ]


def test_every_oddity_of_a_response_is_a_line_and_the_response_is_kept(depict: Path) -> None:
    take(
        depict,
        [
            ex.task(
                1,
                ex.data(KEYS[0]),
                [
                    ex.annotation(11, [*LEVELS, *ex.segment("r", "noise", None, 1, 9)], 7, lead_time=-3),
                    ex.annotation(12, LEVELS, 8, ground_truth=True, updated_at="yesterday"),
                    ex.annotation(13, LEVELS, 9, was_cancelled=True),
                    ex.annotation(14, LEVELS, 9),
                    ex.annotation(15, LEVELS, 10),
                    ex.annotation(16, ex.full(), 10),
                    ex.annotation(17, [], 11),
                    "no annotation",
                ],
            ),
            ex.task(2, ex.data(KEYS[1], fps="fast"), [ex.annotation(18, ex.full(), 7)]),
        ],
    )
    read = responses(depict)
    assert sorted(name.partition("-")[2] for name in read) == ["a11", "a12", "a13", "a14", "a16", "a17", "a18"]
    told = {(row["annotation"].rpartition("-")[2], row["what"]) for row in oddities(depict)}
    assert told == {
        ("a11", "segment 'r': no degree: 'noise' at 0 to 0.3 s"),
        ("a11", "took -3 s"),
        ("a12", "marked as ground truth on the server"),
        ("a12", 'no time of its last change: "yesterday"'),
        ("a13", "skipped, with 2 results"),
        ("a13", "skipped, and submitted by the same rater"),
        ("a15", "submitted again by the same rater"),
        ("a17", "submitted without any answer"),
        ("a17", "overall: not answered, though required"),
        ("a17", "level: not answered, though required"),
        ("a18", "the task has no frame rate: 'fast'"),
        ("a18", "'motion blur' of segment 'r2': the task has no frame rate"),
        ("", 'task 1 of the server: annotations: "no annotation"'),
        ("", "task 2 of the server has other data than was sent: fps"),
    }
    assert all(row["kept"] and (row["rater"] or not row["annotation"]) for row in oddities(depict))


def test_tasks_of_others_are_told_and_not_read(depict: Path) -> None:
    other = ex.data(KEYS[0], clip="other.mp4")
    take(
        depict,
        [
            ex.task(1, {"text": "x"}, [ex.annotation(11, LEVELS)]),
            ex.task(2, ex.data("f" * 16), [ex.annotation(12, LEVELS)]),
            ex.task(3, other, [ex.annotation(13, LEVELS)]),
            ex.task(4, ex.data(KEYS[1]), [ex.annotation(14, LEVELS)]),
        ],
    )
    assert list(responses(depict)) == [f"{KEYS[1]}-a14"]
    assert sorted(whats(depict)) == [
        "task 1 of the server has no task_key",
        "task 2 of the server is not of this project",
        "task 3 of the server shows \"mine/other.mp4\" under the key of 'mine/bikes.mp4'",
    ]
    assert all("1 responses to it are in the snapshot" in row["kept"] for row in oddities(depict))


def test_changed_is_told_by_values_and_not_by_origin(depict: Path) -> None:
    predicted = [*LEVELS, *ex.segment("p", "noise", "slight", 1, 30)]
    same = [{**each, "origin": "manual"} for each in reversed(predicted)]
    moved = [*LEVELS, *ex.segment("p", "noise", "slight", 1, 31)]
    bare = [*LEVELS, *ex.segment("p", "noise", None, 1, 30)]
    cases = [(same, predicted, False), (moved, predicted, True), (LEVELS, bare, True), (bare, bare, False)]
    cases += [(moved, None, None), ([{**e, "origin": "prediction"} for e in moved], predicted, True)]
    take(
        depict,
        [
            ex.task(number, ex.data(KEYS[number]), [ex.annotation(number, said, predicted=shown)])
            for number, (said, shown, _) in enumerate(cases)
        ],
    )
    read = responses(depict)
    assert [read[f"{KEYS[number]}-a{number}"].changed for number in range(len(cases))] == [c for *_, c in cases]


def test_reviews_are_read_pair_by_pair(tmp_path: Path) -> None:
    folder = ex.folder(tmp_path / "review-project", [ex.review_data(key) for key in KEYS[:3]], "review")
    said = [
        ex.verdict(0, "accept"),
        ex.verdict(1, "accept with edits"),
        ex.verdict(2, "reject"),
        ex.reason(2, "not visible"),
    ]
    accepted = [ex.verdict(index, "accept") for index in range(3)]
    done = take(
        folder,
        [
            ex.task(
                1,
                ex.review_data(KEYS[0]),
                [
                    ex.annotation(11, [*ex.words(answer_1="It is sharp."), *said], 7, predicted=ex.words()),
                    ex.annotation(12, [*ex.words(), *accepted], 8, predicted=ex.words()),
                ],
            ),
            ex.task(2, ex.review_data(KEYS[1]), [ex.annotation(13, [*ex.words(answer_0="No."), *accepted], 7)]),
            ex.task(3, {**ex.review_data(KEYS[2]), "pairs": "none"}, [ex.annotation(14, accepted, 7)]),
        ],
    )
    read = responses(folder)
    first = read[f"{KEYS[0]}-a11"]
    assert [(v.pair_id, v.verdict, v.reasons, v.answer) for v in first.verdicts] == [
        ("p1", "accept", [], None),
        ("p2", "edit", [], "It is sharp."),
        ("p3", "reject", ["not visible"], None),
    ]
    assert (first.changed, first.annotation) == (True, None)
    assert read[f"{KEYS[0]}-a12"].changed is False
    # No prediction is embedded: the words that were sent are what the pair had.
    assert [v.verdict for v in read[f"{KEYS[1]}-a13"].verdicts] == ["edit", "accept", "accept"]
    assert read[f"{KEYS[1]}-a13"].changed is None
    assert read[f"{KEYS[2]}-a14"].verdicts == []
    assert 'the task has no pairs: "none"' in whats(folder)
    assert (done.verdicts, done.annotations) == (9, 0)
    assert (folder / "annotations.jsonl").read_bytes() == b""


def test_sources_have_files_of_their_own_as_recipes_read_them(tmp_path: Path) -> None:
    told = [ex.data(KEYS[0]), {**ex.data(KEYS[1]), "record_id": "other/bikes.mp4"}]
    folder = ex.folder(tmp_path / "two-project", told)
    done = take(folder, [ex.task(number, each, [ex.annotation(number, LEVELS)]) for number, each in enumerate(told)])
    for source, key in (("mine", KEYS[0]), ("other", KEYS[1])):
        (row,) = (row for _, row in read_jsonl(folder / f"annotations-{source}.jsonl", Annotation))
        assert isinstance(row, Annotation)
        assert (row.id.partition("-")[0], row.clip) == (key, "bikes.mp4")
        assert str(folder / f"annotations-{source}.jsonl") in done.files


def test_numbers_of_any_size_and_half_characters_come_through(depict: Path) -> None:
    said = [ex.text("overall", "half \ud800 of it"), ex.level("good"), ex.result("score", "number", {"number": 10**30})]
    take(depict, [ex.task(1, ex.data(KEYS[0]), [ex.annotation(11, said)])])
    (response,) = responses(depict).values()
    assert response.annotation is not None
    assert (response.annotation.overall, response.annotation.score) == ("half ? of it", None)
    assert whats(depict) == ["score: 1e30 is no number on 0 to 100"]


PEOPLE = ["ann@example.org", "Zoltan", "Smith", "bob.b@mail.example.com", "BOSS@example.org", "pseud0"]


def personal(depict: Path) -> list[ex.Json]:
    """An export that tells names and addresses wherever a server does."""
    user = {"id": 7, "email": "ann@example.org", "first_name": "Zoltan", "last_name": "Smith", "username": "pseud0"}
    task = ex.task(
        1,
        ex.data(KEYS[0]),
        [
            ex.annotation(11, LEVELS, user, created_username="Zoltan Smith ann@example.org, 7", reviews=[{"by": user}]),
            ex.annotation(12, LEVELS, {"email": "bob.b@mail.example.com"}, note="asked BOSS@example.org"),
            ex.annotation(13, LEVELS, 8),
        ],
        [
            ex.draft(5, [ex.level("low")], "ANN@example.org"),
            ex.draft(6, [], "bob.b@mail.example.com", created_username=None),
        ],
    )
    return [{**task, "updated_by": user, "comment_authors": [user]}]


def test_names_and_addresses_end_at_the_door(depict: Path) -> None:
    take(depict, personal(depict))
    for path in depict.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
            assert not ADDRESS.search(text), path
            assert not [word for word in PEOPLE if word.casefold() in text.casefold()], path
    raters = {name.rpartition("-")[2]: response.rater for name, response in responses(depict).items()}
    assert raters["a11"] == raters["d5"]
    assert raters["a12"] == raters["d6"]
    assert len(set(raters.values())) == 3


def test_an_address_that_a_rater_typed_stays_out_of_what_is_read(depict: Path) -> None:
    said = [ex.text("overall", "Ask ann@example.org."), ex.segment("r", "noise", "me@x.org", 1, 9)[1], ex.level("good")]
    take(depict, [ex.task(1, ex.data(KEYS[0]), [ex.annotation(11, said)])])
    assert not ADDRESS.search("".join(content.decode() for content in outputs(depict).values()))
    assert "Ask [e-mail address]." in outputs(depict)["annotations.jsonl"].decode()
    assert "overall: an e-mail address" in whats(depict)


def test_the_key_is_its_owners_and_makes_the_pseudonyms(depict: Path, tmp_path: Path) -> None:
    tasks = [ex.task(1, ex.data(KEYS[0]), [ex.annotation(11, LEVELS)])]
    take(depict, tasks)
    key = depict / "raters.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "raters.key" in (depict / ".gitignore").read_text().splitlines()
    first = responses(depict)
    other = ex.folder(tmp_path / "other-project", [ex.data(KEYS[0])])
    take(other, tasks)
    assert {r.rater for r in responses(other).values()} != {r.rater for r in first.values()}
    take(other, tasks, key=key)
    assert responses(other) == first
    key.chmod(0o644)
    with pytest.raises(CallError, match="chmod 600"):
        take(depict, tasks)
    key.chmod(0o600)
    key.write_text("short")
    with pytest.raises(CallError, match="holds no key"):
        take(depict, tasks)


@given(st.integers(0, 2**63), st.emails())
def test_pseudonyms_tell_nothing_and_do_not_clash(user: int, address: str) -> None:
    names = Pseudonyms(bytes(32))
    told = {names.of(user), names.of(user + 1), names.of(address), names.of_unknown(str(user))}
    assert len(told) == 4
    assert all(re.fullmatch(r"r-[a-z2-7]{10}", name) for name in told)
    assert names.of(address.upper()) == names.of(address.lower())
    assert Pseudonyms(bytes([1] * 32)).of(user) not in told


def test_an_older_export_takes_its_place_in_history_and_changes_nothing_now(depict: Path) -> None:
    old = [ex.task(1, ex.data(KEYS[0]), [ex.annotation(11, [ex.level("low")], 7)])]
    new = deepcopy(old)
    new[0]["annotations"][0].update(result=LEVELS, updated_at="2026-03-05T10:00:00Z", completed_by=None)
    take(depict, new)
    now = outputs(depict)
    done = take(depict, old)
    assert done.snapshot is not None
    assert [event.what for event in replay(depict)] == ["new", "changed"]
    assert outputs(depict)["annotations.jsonl"] != now["annotations.jsonl"]  # the rater is known from before, now
    (response,) = responses(depict).values()
    assert response.annotation is not None
    assert (response.annotation.level, response.rater) == ("good", read_key(depict / "raters.key").of(7))
    assert take(depict, old).snapshot is None
    assert take(depict, new).snapshot is None


def test_what_was_only_taken_out_is_newer(depict: Path) -> None:
    both = [ex.task(1, ex.data(KEYS[0]), [ex.annotation(12, LEVELS, 7), ex.annotation(11, LEVELS, 8)])]
    one = [ex.task(1, ex.data(KEYS[0]), [ex.annotation(12, LEVELS, 7)])]
    assert take(depict, both).responses == 2
    done = take(depict, one)
    assert (done.responses, done.gone) == (1, 1)
    first, second = list_snapshots(depict)
    assert second.at - first.at == timedelta(microseconds=1)


def test_times_are_the_servers() -> None:
    tasks = [ex.task(1, ex.data(KEYS[0]), [ex.annotation(59, [])])]
    assert time_of_export(tasks) == datetime(2026, 3, 1, 10, 59, 30, 250_000, UTC)
    later = time_of_export(tasks, "project-1-at-2026-04-05-06-07-ab12cd34.json")
    assert later == datetime(2026, 4, 5, 6, 7, tzinfo=UTC)
    assert time_of_export(tasks, "project-1-at-2020-04-05-06-07-ab12cd34.json").year == 2026
    assert time_of_export([]) == datetime(1970, 1, 1, tzinfo=UTC)


def test_damaged_snapshots_are_refused(depict: Path) -> None:
    tasks = [ex.task(1, ex.data(KEYS[0]), [ex.annotation(11, LEVELS)])]
    take(depict, tasks)
    (shot,) = list_snapshots(depict)
    good = shot.path.read_bytes()
    for bad in (good[:-20], gzip.compress(b"[]", mtime=0), b""):
        shot.path.write_bytes(bad)
        with pytest.raises(DataError, match="restore it from a backup"):
            take(depict, [])
    shot.path.write_bytes(good)
    take(depict, tasks)
    (depict / "snapshots" / "mine.json.gz").write_bytes(good)
    with pytest.raises(DataError, match="called by its time and hash"):
        take(depict, tasks)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"id,level\n1,low\n", "no JSON export"),
        (b'{"id": 1}', "a list of tasks"),
        (b'[{"id": 1, "video_url": "x", "level": "low"}]', "not as JSON_MIN"),
        (b'[{"id": 1, "data": {}}]', "not as JSON_MIN"),
    ],
)
def test_what_is_no_json_export_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(DataError, match=why):
        parse_export(content, "export.json")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.emails(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "email", "created_username", "user", "updated_by", "x"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@given(
    st.lists(
        st.fixed_dictionaries({"data": st.just({"task_key": "k"}), "annotations": JSON, "drafts": JSON}), max_size=3
    )
)
def test_no_address_comes_through_whatever_the_export_holds(tasks: list[Any]) -> None:
    clean = scrubbed(tasks, Pseudonyms(bytes(32)))
    assert not ADDRESS.search(orjson.dumps(clean).decode())
    assert scrubbed(clean, Pseudonyms(bytes(32))) == clean
    entries(clean)


def test_the_command_imports_a_file_and_refuses_wrong_calls(depict: Path, vqa2: Cli, tmp_path: Path) -> None:
    export = tmp_path / "export.json"
    export.write_bytes(orjson.dumps(personal(depict)))
    told = vqa2("annotate", "import", depict, "--export", export, "--json")
    assert told.returncode == 0, told.stderr
    done = json.loads(told.stdout)
    assert (done["responses"], done["drafts"], done["raters"], done["new"]) == (5, 2, 3, 5)
    again = vqa2("annotate", "import", depict, "--export", export)
    assert "5 responses of 3 raters: 3 submitted, 0 skipped, 2 drafts; 0 new, 0 changed, 0 gone" in again.stdout
    assert "no new snapshot" in again.stdout
    for arguments, why in (
        (("--export", tmp_path / "none.json"), "there is no file"),
        ((), "is on no server yet"),
        (("--export", export, "--url", "http://127.0.0.1:1"), "not both"),
    ):
        refused = vqa2("annotate", "import", depict, *arguments)
        assert (refused.returncode, why in " ".join(refused.stderr.split())) == (2, True), refused.stderr
    assert vqa2("annotate", "import", tmp_path, "--export", export).returncode == 2
    export.write_text("id,level\n")
    assert vqa2("annotate", "import", depict, "--export", export).returncode == 1


RECIPE = """\
name: own
sources:
  - name: mine
    table: labels.csv
    clips: clips
    licence: private
    columns: {clip: clip, score: mos}
    scale: {lo: 1, hi: 5, range: nominal}
    annotations: ../trial-project/annotations.jsonl
stages: [stage3]
"""


def test_annotations_build_into_a_corpus(tmp_path: Path, real_clips: dict[str, Path], vqa2: Cli) -> None:
    """The clip has 250 frames at 25 fps: a segment that ends on the last one ends with the clip."""
    clips = tmp_path / "own" / "clips"
    clips.mkdir(parents=True)
    (clips / "bikes.mp4").write_bytes(real_clips["bikes"].read_bytes())
    (tmp_path / "own" / "labels.csv").write_text("clip,mos\nbikes,3.5\n")
    (tmp_path / "own" / "recipe.yaml").write_text(RECIPE)
    told = ex.data(KEYS[0], fps=25, frames=250)
    folder = ex.folder(tmp_path / "trial-project", [told])
    said = [*LEVELS, *ex.segment("r", "motion blur", "severe", 51, 250), ex.throughout(["noise", "slight"])]
    take(folder, [ex.task(1, told, [ex.annotation(11, said)])])
    assert oddities(folder) == []
    built = vqa2("build", tmp_path / "own" / "recipe.yaml", "--out", tmp_path / "corpus", cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "corpus" / "quarantine.jsonl").read_text() == ""
    (samples,) = (tmp_path / "corpus" / "data" / "stage3").glob("*.jsonl")
    text = samples.read_text()
    assert f"annotation:{KEYS[0]}-a11" in text
    assert "motion blur" in text
