"""Verifying and comparing what is published: whatever somebody planted there is found and named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from dataset_builder.corpus import MANIFEST, RECORDS
from hub_sync.tars import TARS
from schemas.manifest import FileEntry, Manifest
from tests.hub_sync.conftest import Client, Corpora
from tests.hub_sync.corpora import save, tree
from tests.hub_sync.hub import HubServer
from tests.hub_sync.test_push import REPO, pushed, ran

ROWS = "data/stage2-ugc/train-00000-of-00001.jsonl"


def entry(data: bytes) -> FileEntry:
    import hashlib

    return FileEntry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def problems(hub_vqa2: Client, name: str = f"{REPO}@main") -> list[str]:
    done = hub_vqa2("verify", name, "--json")
    assert done.returncode in {0, 1}, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] == (done.returncode == 0) == (not found["problems"])
    return list(found["problems"])


@pytest.mark.full
def test_what_was_planted(hub: HubServer, hub_vqa2: Client, corpora: Corpora) -> None:
    pushed(hub_vqa2, corpora("first"))
    whole = hub.files(REPO)
    clip = next(path for path in whole if path.startswith("media/"))
    assert problems(hub_vqa2) == []
    flipped = whole[clip][:-1] + b"\0"
    row = whole[ROWS].replace(b"quality", b"Quality", 1)
    cases: list[tuple[dict[str, bytes], tuple[str, ...], str]] = [
        ({clip: flipped}, (), f"{clip}: it is another file than the manifest says"),
        ({clip: whole[clip] + b"x"}, (), f"{clip}: it is another file than the manifest says"),
        ({ROWS: row}, (), f"{ROWS}: it is another file than the manifest says"),
        ({}, (clip,), f"{clip}: the file is missing"),
        ({}, (RECORDS,), f"{RECORDS}: the file is missing"),
        ({"media/zz/extra.mp4": b"\0"}, (), "media/zz/extra.mp4: the manifest does not list this file"),
        ({"data/stage2-ugc/train-1.jsonl": b"{}\n"}, (), "train-1.jsonl: the manifest does not list this file"),
        # Rows that are damaged together with the manifest: they are no rows of any config, or not what they were.
        ({ROWS: whole[ROWS][: len(whole[ROWS]) // 2]}, (), "data/stage2-ugc"),
        ({ROWS: whole[ROWS] + whole[ROWS].splitlines(keepends=True)[0]}, (), "data/stage2-ugc"),
        (
            {"README.md": whole["README.md"].replace(b"config_name: stage2-ugc", b"config_name: other")},
            (),
            "stage2-ugc",
        ),
    ]
    for number, (files, gone, named) in enumerate(cases):
        planted = dict(files)
        if number >= 7:
            manifest = msgspec.json.decode(whole[MANIFEST], type=Manifest)
            entries = {**manifest.files, **{path: entry(data) for path, data in files.items()}}
            planted[MANIFEST] = msgspec.json.encode(msgspec.structs.replace(manifest, files=entries))
        hub.commit(REPO, planted, delete=gone)
        told = problems(hub_vqa2)
        assert any(named in line for line in told), (number, told)
        hub.commit(REPO, whole, delete=[path for path in hub.files(REPO) if path not in whole])
        assert hub.files(REPO) == whole
    assert problems(hub_vqa2) == []
    assert problems(hub_vqa2, f"{REPO}@v1.0.0") == []


def test_what_was_planted_among_tars(hub: HubServer, hub_vqa2: Client, corpora: Corpora) -> None:
    pushed(hub_vqa2, corpora("first"), "--clips", "tars")
    whole = hub.files(REPO)
    (tar,) = [path for path in whole if path.endswith(".tar")]
    assert problems(hub_vqa2) == []
    hub.commit(REPO, {tar: whole[tar][:-1] + b"\1"})
    assert problems(hub_vqa2) == [
        f"{tar}: it is another file than the manifest says ({len(whole[tar])} bytes, not {len(whole[tar])})"
    ]
    hub.commit(REPO, {tar: whole[tar]}, delete=[TARS])
    assert any("media/" in line for line in problems(hub_vqa2))


def test_names_that_mean_nothing(hub: HubServer, hub_vqa2: Client, corpora: Corpora) -> None:
    hub.create_repo("lab/empty")
    for name, words in (
        ("lab/empty", "has no version"),
        ("lab/empty@main", "lab/empty@main is no corpus: there is no manifest.json in it"),
        ("lab/none", "there is no data set lab/none"),
    ):
        refused = hub_vqa2("verify", name)
        assert (refused.returncode, words in refused.stderr) == (2, True), refused.stderr


def test_versions_are_compared(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    """`vqa2 diff` takes versions on the Hub, folders, and one of each; no clip is fetched for that."""
    pushed(hub_vqa2, corpora("first"))
    pushed(hub_vqa2, corpora("flipped"))
    hub.clear_log()
    found = json.loads(ran(hub_vqa2("diff", f"{REPO}@v1.0.0", f"{REPO}@v2.0.0", "--json")))
    assert found["step"] == "major"
    assert {(flip["old"], flip["new"]) for flip in found["flips"]} == {("high", "poor")}
    assert found["before"]["corpus"] == f"{REPO}@v1.0.0"
    assert not [request for request in hub.requests("resolve") if "/media/" in request.path]
    mixed = json.loads(ran(hub_vqa2("diff", f"{REPO}@v1.0.0", corpora("flipped"), "--json")))
    assert mixed["flips"] == found["flips"]
    assert mixed["configs"] == found["configs"]
    refused = hub_vqa2("diff", f"{REPO}@v9.0.0", corpora("flipped"))
    assert (refused.returncode, "has no revision 'v9.0.0'" in refused.stderr) == (2, True)
    hub.commit(REPO, {RECORDS: hub.files(REPO)[RECORDS].replace(b"lab", b"bal")})
    refused = hub_vqa2("diff", f"{REPO}@main", corpora("flipped"))
    assert (refused.returncode, f"{RECORDS} is not as its manifest says" in refused.stderr) == (1, True)


def test_a_corpus_that_is_no_version_is_not_pushed_as_one(corpora: Corpora, hub_vqa2: Client, tmp_path: Path) -> None:
    """A manifest whose recipe was edited by hand is no record of how the corpus was made."""
    corpus = Path(shutil.copytree(corpora("first"), tmp_path / "corpus"))
    save(corpus, recipe_sha256="0" * 64)
    before = tree(corpus)
    refused = hub_vqa2("push", corpus, REPO)
    assert (refused.returncode, "is not the one of recipe_sha256" in refused.stderr) == (1, True)
    assert tree(corpus) == before
