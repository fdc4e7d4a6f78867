"""What is never sent: each corpus here has one thing wrong, which is named, and the Hub hears of no change."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataset_builder.corpus import MANIFEST, RECORDS, read_manifest
from hub_sync.preflight import secrets
from tests.hub_sync.conftest import Client, Corpora
from tests.hub_sync.corpora import ANNOTATIONS, RECIPE, ROWS, built, lab, rewritten, save, tree
from tests.hub_sync.hub import WRITER, HubServer
from tests.hub_sync.test_push import REPO, ran, writes

TOKEN = "hf_" + "a1B2" * 9
EACH = """
import contextlib, io, json, sys
import vqa2
for line in sys.stdin:
    sys.argv = ["vqa2", "push", *json.loads(line)]
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
        try:
            vqa2.main()
            code = 0
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, told.getvalue()]), flush=True)
"""
Refused = Callable[..., str]


@pytest.fixture
def refused(hub: HubServer, hub_python: Client) -> Refused:
    """Pushes one corpus after another in one process, and gives what was said; nothing may have been sent."""
    process = hub_python.start(EACH)

    def push(corpus: Path, *options: str, code: int = 1) -> str:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([str(corpus), REPO, *options]) + "\n")
        process.stdin.flush()
        found, told = json.loads(process.stdout.readline())
        assert found == code, told
        assert writes(hub) == []
        assert not hub.exists(REPO)
        return str(told)

    return push


def copied(corpora: Corpora, folder: Path) -> Path:
    return Path(shutil.copytree(corpora("first"), folder / "corpus", symlinks=True))


def first_clip(corpus: Path) -> str:
    return next(path for path in read_manifest(corpus).files if path.startswith("media/"))


def renamed(corpus: Path, old: str, new: str, *files: str) -> None:
    """Let manifest and files speak of another path."""
    entries = read_manifest(corpus).files
    save(corpus, files={new if path == old else path: entry for path, entry in entries.items()})
    rewritten(corpus, {name: (corpus / name).read_bytes().replace(old.encode(), new.encode()) for name in files})


PATHS = (
    ("media/../../secret.mp4", "has a component '..'"),
    ("../secret.mp4", "has a component '..'"),
    ("media\\..\\secret.mp4", "has a component '..'"),
    ("{outside}", "is absolute"),
    ("C:\\secret.mp4", "is absolute"),
    ("media/.git/config", "goes through .git"),
    ("media//secret.mp4", "has an empty part"),
    ("media/./secret.mp4", "has an empty part"),
    ("media/bell\a.mp4", "a control character"),
)


def test_paths_of_the_manifest(refused: Refused, corpora: Corpora, tmp_path: Path) -> None:
    for number, (path, why) in enumerate(PATHS):
        corpus = copied(corpora, tmp_path / str(number))
        secret = Path(shutil.copy(corpus / first_clip(corpus), tmp_path / str(number) / "secret.mp4"))
        named = path.format(outside=secret)
        renamed(corpus, first_clip(corpus), named)
        told = refused(corpus)
        assert "this corpus cannot be published; nothing was sent:" in told
        assert repr(named) in told
        assert why in told


def test_paths_of_rows(refused: Refused, corpora: Corpora, tmp_path: Path) -> None:
    names = "data/stage1/train-00000-of-00001.jsonl", RECORDS
    for number, (name, path) in enumerate(itertools.product(names, ("../secret.mp4", "/secret.mp4"))):
        corpus = copied(corpora, tmp_path / str(number))
        rows = json.loads((corpus / name).read_text().splitlines()[0])
        clip = (rows["media"][0] if name != RECORDS else rows["media"])["path"]
        rewritten(corpus, {name: (corpus / name).read_bytes().replace(clip.encode(), path.encode())})
        told = refused(corpus)
        assert f"{name}:1" in told
        assert repr(path) in told


def test_links_that_lead_out(refused: Refused, corpora: Corpora, tmp_path: Path) -> None:
    name = "data/stage1/train-00000-of-00001.jsonl"
    for number, moved in enumerate([first_clip(corpora("first")), "media", name, "data", RECORDS, MANIFEST]):
        corpus = copied(corpora, tmp_path / str(number))
        outside = tmp_path / str(number) / "outside"
        shutil.move(corpus / moved, outside)
        (corpus / moved).symlink_to(outside)
        told = refused(corpus)
        assert "a link leads out of the corpus" in told
        assert moved in told


def test_a_link_within_the_corpus_may_go(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    corpus = copied(corpora, tmp_path)
    clip = corpus / first_clip(corpus)
    clip.rename(clip.with_suffix(".kept"))
    clip.symlink_to(clip.with_suffix(".kept").name)
    (corpus / ".real").mkdir()
    shutil.move(clip.with_suffix(".kept"), corpus / ".real/clip")
    clip.unlink()
    clip.symlink_to(corpus / ".real/clip")
    ran(hub_vqa2("push", corpus, REPO))
    assert hub.files(REPO)[first_clip(corpus)] == (corpus / ".real/clip").read_bytes()


def test_files_that_changed_since_the_manifest(refused: Refused, corpora: Corpora, tmp_path: Path) -> None:
    names = [
        first_clip(corpora("first")),
        "data/stage1/train-00000-of-00001.jsonl",
        RECORDS,
        "notes/levels-stage2-ugc.png",
    ]
    for number, name in enumerate(names):
        corpus = copied(corpora, tmp_path / str(number))
        data = bytearray((corpus / name).read_bytes())
        data[-2] ^= 1
        (corpus / name).write_bytes(data)
        told = refused(corpus)
        assert f"{name}: its bytes changed since the manifest was written" in told
    corpus = copied(corpora, tmp_path / "gone")
    (corpus / names[0]).unlink()
    assert f"{names[0]}: the file is missing" in refused(corpus)
    corpus = copied(corpora, tmp_path / "new")
    (corpus / "passwords.txt").write_text("x")
    assert "passwords.txt: the manifest does not list this file" in refused(corpus)


@pytest.mark.parametrize("what", ["data/stage1/train-00000-of-00001.jsonl", RECORDS, "a clip"])
def test_files_that_change_meanwhile(
    hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path, what: str
) -> None:
    """After they were checked: rows are not sent, a clip comes to no version."""
    corpus = copied(corpora, tmp_path)
    held = hub.fault(kind="whoami", hold=True)
    process = hub_vqa2.start("push", corpus, REPO)
    assert held.reached.wait(60)
    name = first_clip(corpus) if what == "a clip" else what
    (corpus / name).write_bytes((corpus / name).read_bytes().replace(b"i", b"j"))
    held.release()
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1, told
    assert name in told
    if what == "a clip":
        assert hub.tags(REPO) == {}
    else:
        assert writes(hub) == []


def test_a_token_anywhere(refused: Refused, tmp_path: Path) -> None:
    """In the group of a record, in words of a rater, in the recipe, in notes, in the report, and in no message."""
    rows = ROWS.replace(",b,train", f",{TOKEN},train")
    recipe = RECIPE.replace("private\n", f"private\n    citation: written with {TOKEN}\n", 1)
    words = ANNOTATIONS.replace("slight noise.", f"{TOKEN} noise.")
    corpus = built(lab(tmp_path / "lab", rows, recipe, words), tmp_path / "corpus")
    ledger = {"source": "lab", "requests": 1, "answered": 1, "input_tokens": 1, "output_tokens": 1, "spent": "0"}
    notes = {"agreement": [], "ledgers": [{**ledger, "held": "0", "models": {TOKEN: 1}}]}
    rewritten(
        corpus,
        {"notes/notes.json": json.dumps(notes).encode(), "report.html": f"<p>{TOKEN}</p>".encode()},
    )
    told = refused(corpus)
    for place in (f"{RECORDS}:4", "data/stage3/train-00000-of-00001.jsonl:", "notes/notes.json:1", "report.html:1"):
        assert place in told
    assert "README.md:" in told
    assert f"{MANIFEST}:" in told
    assert "holds a Hugging Face token in 'lab/two.mp4': take it out where it comes from" in told
    assert TOKEN not in told


def test_the_token_in_use(refused: Refused, corpora: Corpora, tmp_path: Path) -> None:
    corpus = copied(corpora, tmp_path)
    rewritten(corpus, {"report.html": f"<p>\n{WRITER}</p>".encode()})
    told = refused(corpus)
    assert "report.html:2: holds the token that is in use" in told
    assert WRITER not in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/home/ann/clips", "home"),
        ("/home/ann", "home"),
        ("at file:///home/ann/x", "home"),
        ("node:/export/home/ann/x", "home"),
        ("/Users/ann/x", "home"),
        ("/mnt/c/Users/ann", "home"),
        ("/root/clips", "home"),
        (r"C:\Users\ann\x", "home"),
        (r"C:\\Users\\ann", "home"),
        ("D:/Users/ann/x", "home"),
        ("sk-" + "x" * 40, "API key"),
        ("AKIA" + "Z" * 16, "AWS"),
        ("ghp_" + "x" * 36, "GitHub"),
        ("github_pat_" + "x" * 40, "GitHub"),
        ("glpat-" + "x" * 20, "GitLab"),
        ("xoxb-" + "1" * 12, "Slack"),
        ("AIza" + "x" * 35, "Google"),
        ("eyJ" + "x" * 20 + ".eyJ" + "x" * 20 + "." + "x" * 20, "JSON Web Token"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
        ("https://ann:secret@host/x", "password"),
    ],
)
def test_each_kind_of_secret(tmp_path: Path, text: str, words: str) -> None:
    line = json.dumps({"id": "lab/one.mp4", "text": f"see {text}"})
    (tmp_path / "rows.jsonl").write_text('{"id":"lab/zero.mp4"}\n' + line + "\n")
    (found,) = secrets(tmp_path, ["rows.jsonl"], None)
    assert (found.file, found.line) == ("rows.jsonl", 2)
    assert words in found.rule
    assert text not in str(found)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/home/office",
        "http://host/Users/list",
        "The video was filmed at home/office.",
        "media/home/ann/x.mp4",
        "a half-life of hf_1 and sk-video",
        "it is 10:20@30 fps",
        "~/home/",
        "taskforce: risk-averse-people-do-not-like-risk",
    ],
)
def test_what_is_no_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": text}) + "\n")
    assert list(secrets(tmp_path, ["rows.jsonl"], None)) == []


def test_licences(refused: Refused, tmp_path: Path) -> None:
    """Clips whose licence forbids it, or does not say, and rendered ones that may not be changed."""
    terms = "    terms: {redistribute: true, modify: true}\n"
    for name, other, why in (
        ("forbidden", "", "its licence 'private' forbids passing it on"),
        ("untold", "    terms: {modify: true}\n", "is not known: say so in the recipe (terms)"),
    ):
        corpus = built(lab(tmp_path / name, recipe=RECIPE.replace(terms, other)), tmp_path / f"{name}.corpus")
        for clips in ("folders", "tars"):
            told = refused(corpus, "--clips", clips)
            assert f"{RECORDS}:1: terms: 'lab/four.mp4': " in told
            assert why in told
        assert "Nothing was sent" in refused(corpus, "--clips", "reference", "--dry-run", code=0)

    rendered = RECIPE.replace("licence: private\n" + terms, "licence: CC BY-ND 4.0\n")
    rendered += "distort: {sources: [lab], kinds: [noise], severities: [3], per_clip: 1}\n"
    corpus = built(lab(tmp_path / "nd", recipe=rendered), tmp_path / "nd.corpus")
    told = refused(corpus)
    assert "it is changed from another clip, which its licence 'CC BY-ND 4.0' does not allow" in told
    assert "'lab/four.mp4': " not in told


def test_conversations_of_others(refused: Refused, tmp_path: Path) -> None:
    """What another one published as text is passed on even without the clips."""
    lab(tmp_path / "lab")
    turns = [
        {"from": "human", "value": "Key frames:\n <image>. Motion:\n <image>. Why?"},
        {"from": "gpt", "value": "It shakes."},
    ]
    rows: list[dict[str, Any]] = [{"image": "one.mp4", "frames per sec": 1, "conversations": turns}]
    (tmp_path / "lab/rows.json").write_text(json.dumps(rows))
    recipe = tmp_path / "lab/theirs.yaml"
    recipe.write_text(
        "name: theirs\nsources:\n  - {name: own, source: vqa2_stage3, table: rows.json, clips: clips, licence: own}\n"
    )
    corpus = built(recipe, tmp_path / "corpus")
    for clips in ("folders", "reference", "recipes"):
        told = refused(corpus, "--clips", clips)
        assert "'own/one.mp4': whether its licence 'own' allows passing it on is not known" in told


def test_a_clip_of_no_record(refused: Refused, corpora: Corpora, tmp_path: Path) -> None:
    """Terms are those of records: a clip that none of them knows has none."""
    corpus = copied(corpora, tmp_path)
    clip = first_clip(corpus)
    rewritten(corpus, {RECORDS: (corpus / RECORDS).read_bytes().replace(clip.encode(), b"media/00/other.mp4")})
    assert f"{clip}: no record of {RECORDS} says whose clip it is" in refused(corpus)


def test_a_refusal_changes_nothing_here(refused: Refused, corpora: Corpora, tmp_path: Path) -> None:
    corpus = copied(corpora, tmp_path)
    rewritten(corpus, {"report.html": TOKEN.encode()})
    before = tree(tmp_path)
    refused(corpus)
    assert tree(tmp_path) == before
