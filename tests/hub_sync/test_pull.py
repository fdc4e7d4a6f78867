"""Pulls: what was published comes back, once, whole or not at all, and nothing is written elsewhere."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from dataset_builder.corpus import MANIFEST, QUARANTINE, file_entry, read_manifest
from tests.hub_sync.conftest import ROOT, Client, Corpora
from tests.hub_sync.corpora import built as build_corpus
from tests.hub_sync.corpora import clip, lab, tree
from tests.hub_sync.hub import HubServer
from tests.hub_sync.test_push import REPO, pushed, ran
from tests.hub_sync.test_push_faults import FAULTS

OWN = {"README.md", MANIFEST, QUARANTINE, "report.html"}
"""What differs between a corpus and its published form: the card says where it is published."""


def rest(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in files.items() if path not in OWN}


def fetched(hub: HubServer) -> list[str]:
    """The files whose bytes were asked for."""
    asked = [request for request in hub.requests("resolve") if request.method == "GET" and request.status == 200]
    return [request.path.split("/resolve/")[1].partition("/")[2] for request in asked]


def clip_bytes(hub: HubServer) -> int:
    return sum(request.sent for request in hub.log if request.kind in {"xorb-data", "cdn"})


def clips_fetched(hub: HubServer, corpus: Path) -> set[str]:
    """The clips whose bytes were fetched without Xet: such an address names the sha256 alone."""
    asked = [request.path for request in hub.requests("cdn")]
    clips = {path: entry.sha256 for path, entry in read_manifest(corpus).files.items() if path.startswith("media/")}
    return {path for path, sha256 in clips.items() if any(sha256 in one for one in asked)}


def same_as_published(hub: HubServer, folder: Path, revision: str) -> None:
    there = {path: data for path, data in hub.files(REPO, revision).items() if path != ".gitattributes"}
    assert tree(folder) == there
    assert sorted(path.name for path in folder.parent.iterdir() if folder.name in path.name) == [folder.name]


def test_what_was_published_comes_back(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    pushed(hub_vqa2, corpora("first"))
    out = tmp_path / "got"
    done = json.loads(ran(hub_vqa2("pull", REPO, out, "--json", token=None)))
    assert (done["revision"], done["commit"], done["clips"]) == ("v1.0.0", hub.head(REPO), 4)
    same_as_published(hub, out, "v1.0.0")
    assert rest(tree(out)) == rest(tree(corpora("first")))
    ran(hub_vqa2("check", out))

    # The same again fetches no clip, nor does the next version what this one has.
    hub.clear_log()
    ran(hub_vqa2("pull", REPO, out))
    assert clip_bytes(hub) == 0
    pushed(hub_vqa2, corpora("more"))
    hub.clear_log()
    ran(hub_vqa2("pull", REPO, out))
    large = [{entry.sha256 for entry in hub.entries(REPO, tag).values()} - {None} for tag in ("v1.0.0", "v1.1.0")]
    assert len(hub.requests("reconstruction")) == len(large[1] - large[0]) < len(large[1])
    same_as_published(hub, out, "v1.1.0")


@pytest.mark.full
def test_versions_by_name(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    first = pushed(hub_vqa2, corpora("first"))["commit"]
    pushed(hub_vqa2, corpora("fewer"), "--branch", "next/one")
    for name, revision in ((REPO, "v2.0.0"), (f"{REPO}@v1.0.0", "v1.0.0"), (f"{REPO}@{first}", "v1.0.0")):
        ran(hub_vqa2("pull", name, tmp_path / revision, "--no-clips"))
        assert len(read_manifest(tmp_path / revision).configs) == 4
        found = (tmp_path / revision / "data/stage2-ugc").exists()
        assert found == (revision == "v1.0.0" or "stage2-ugc" in read_manifest(corpora("fewer")).configs)
        ran(hub_vqa2("check", tmp_path / revision))
    for name, words in (
        (f"{REPO}@v3.0.0", "lab/small has no revision 'v3.0.0'; there are: v2.0.0, v1.0.0, main, next/one"),
        ("lab/smal", "there is no data set lab/smal"),
        ("small", "'small' names no repository: write OWNER/NAME"),
        (f"{REPO}@", "names no repository"),
        ("lab/../x", "names no repository"),
        ("lab/a--b", "names no repository"),
    ):
        refused = hub_vqa2("pull", name, tmp_path / "no")
        assert (refused.returncode, words in refused.stderr) == (2, True), refused.stderr
    assert not (tmp_path / "no").exists()


def test_places_that_are_taken(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    pushed(hub_vqa2, corpora("first"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    (tmp_path / "got.pull").mkdir()
    (tmp_path / "got.pull/letter.txt").write_text("dear")
    for out in ("mine", "got"):
        refused = hub_vqa2("pull", REPO, tmp_path / out)
        assert refused.returncode == 2, refused.stderr
    assert {name: data for name, data in tree(tmp_path).items() if "letter" in name} == {
        "mine/letter.txt": b"dear",
        "got.pull/letter.txt": b"dear",
    }
    assert not (tmp_path / "got").exists()


@pytest.mark.full
@pytest.mark.parametrize("name", ["503", "429", "closed"])
@pytest.mark.parametrize("xet", [True, False])
def test_every_endpoint_fails_once(
    hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path, name: str, xet: bool
) -> None:
    fault = FAULTS[name]
    pushed(hub_vqa2, corpora("first"))
    env: dict[str, Any] = {} if xet else {"HF_HUB_DISABLE_XET": "1"}
    failing = hub.fault(each_kind_once=True, **fault)
    ran(hub_vqa2("pull", REPO, tmp_path / "got", home=tmp_path / "home", **env))
    assert failing.hits >= 4
    same_as_published(hub, tmp_path / "got", "v1.0.0")
    hub.clear_faults()
    hub.fault(each_kind_once=True, **fault)
    ran(hub_vqa2("verify", REPO, home=tmp_path / "other home", **env))


def test_an_older_pull_is_not_taken_for_this_one(
    hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path
) -> None:
    """Where the Hub does not list files, the client gives what lies there already: here, another version's."""
    pushed(hub_vqa2, corpora("first"))
    pushed(hub_vqa2, corpora("fewer"))
    held = hub.fault(kind="resolve", path="media|jsonl", hold=True)
    process = hub_vqa2.start("pull", f"{REPO}@v1.0.0", tmp_path / "got")
    assert held.reached.wait(60)
    process.kill()
    process.communicate()
    hub.clear_faults()
    assert (tmp_path / "got.pull" / MANIFEST).is_file()
    hub.fault(kind="tree", status=500, times=2, skip=1)
    ran(hub_vqa2("pull", f"{REPO}@v2.0.0", tmp_path / "got"))
    same_as_published(hub, tmp_path / "got", "v2.0.0")


def large_corpus(folder: Path) -> Path:
    """Four clips that are large enough to be cut in the middle."""
    rows = "".join(f"{name}.mp4,2.5,,noise,{name},train\n" for name in ("one", "two", "three", "four"))
    recipe = lab(folder / "lab", rows)
    for number, path in enumerate(sorted((folder / "lab/clips").iterdir())):
        clip(path, number, size=(320, 240), frames=40)
    return build_corpus(recipe, folder / "corpus")


@pytest.mark.full
def test_killed_and_called_again(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    """What came whole is not fetched again; until all is there, the older corpus stays as it was."""
    pushed(hub_vqa2, corpora("first"))
    out = tmp_path / "got"
    ran(hub_vqa2("pull", REPO, out))
    before = tree(out)
    corpus = large_corpus(tmp_path)
    pushed(hub_vqa2, corpus)
    plain: dict[str, Any] = {"HF_HUB_DISABLE_XET": "1"}
    hub.clear_log()
    held = hub.fault(kind="cdn", hold=True, skip=2)
    process = hub_vqa2.start("pull", REPO, out, **plain)
    assert held.reached.wait(60)
    clips = [path for path in read_manifest(corpus).files if path.startswith("media/")]
    end = time.monotonic() + 30
    while sum((tmp_path / "got.pull" / path).is_file() for path in clips) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    process.kill()
    process.communicate()
    hub.clear_faults()
    assert tree(out) == before
    there = {path for path in clips if (tmp_path / "got.pull" / path).is_file()}
    hub.clear_log()
    ran(hub_vqa2("pull", REPO, out, **plain))
    assert clips_fetched(hub, corpus) == set(clips) - there
    same_as_published(hub, out, "v2.0.0")


@pytest.mark.full
@pytest.mark.parametrize("xet", [True, False])
@pytest.mark.parametrize("how", ["cut", "damaged"])
def test_transfers_that_go_wrong(hub: HubServer, hub_vqa2: Client, tmp_path: Path, xet: bool, how: str) -> None:
    corpus = large_corpus(tmp_path)
    pushed(hub_vqa2, corpus)
    kind = "xorb-data" if xet else "cdn"
    env: dict[str, Any] = {} if xet else {"HF_HUB_DISABLE_XET": "1"}
    fault = hub.fault(kind=kind, cut_after=1000) if how == "cut" else hub.fault(kind=kind, corrupt=True)
    first = hub_vqa2("pull", REPO, tmp_path / "got", **env)
    assert fault.hits == 1
    if first.returncode:
        # Never taken for good, and the next pull mends it.
        assert "Traceback" not in first.stderr
        assert not (tmp_path / "got").exists()
        ran(hub_vqa2("pull", REPO, tmp_path / "got", **env))
    else:
        assert how == "cut" or xet
    same_as_published(hub, tmp_path / "got", "v1.0.0")


def test_a_damaged_row_file(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    pushed(hub_vqa2, corpora("first"))
    fault = hub.fault(kind="resolve", method="GET", path="records.jsonl", corrupt=True)
    told = hub_vqa2("pull", REPO, tmp_path / "got")
    assert fault.hits == 1
    assert "did not come whole, records.jsonl first" in told.stderr
    ran(told)
    same_as_published(hub, tmp_path / "got", "v1.0.0")


SMALL_DISK = os.geteuid() == 0 and shutil.which("unshare") is not None


@pytest.mark.full
@pytest.mark.skipif(not SMALL_DISK, reason="only root may mount a file system")
def test_a_full_disk(hub: HubServer, hub_vqa2: Client, hub_env: dict[str, str], tmp_path: Path) -> None:
    corpus = large_corpus(tmp_path)
    pushed(hub_vqa2, corpus)
    place = tmp_path / "disk"
    place.mkdir()
    size = sum(entry.bytes for entry in read_manifest(corpus).files.values()) // 2
    mount = f'mount -t tmpfs -o size={size} none {place} && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, "-m", "vqa2", "pull", REPO, str(place / "got")],
        cwd=ROOT,
        env=hub_env,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def evil(hub: HubServer, files: dict[str, bytes], edit: dict[str, object]) -> None:
    """Publish another manifest, of whoever means harm, and what goes with it."""
    manifest = json.loads(hub.files(REPO)[MANIFEST])
    manifest["files"].update(edit)
    hub.commit(REPO, {MANIFEST: json.dumps(manifest).encode(), **files})


def test_paths_that_lead_out(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    """Neither the manifest nor a tar, nor the list of tars, makes a pull write or remove a file elsewhere."""
    pushed(hub_vqa2, corpora("first"), "--clips", "tars")
    out = tmp_path / "in/got"
    out.parent.mkdir()
    victim = tmp_path / "in/victim.mp4"
    victim.write_bytes(b"precious")
    entry = {"sha256": file_entry(victim).sha256, "bytes": 8}
    other = {"sha256": "ab" * 32, "bytes": 4}
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name in ("../victim.mp4", f"{tmp_path}/in/absolute.mp4", "ab" * 32 + ".mp4"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))
        link = tarfile.TarInfo("media")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "in")
        tar.addfile(link)
    (tmp_path / "evil.tar").write_bytes(held.getvalue())
    name = "media/clips-00000-of-00001.tar"
    evil_tar = {name: held.getvalue(), "media/tars.json": _tars(tmp_path / "evil.tar", name)}
    cases: list[tuple[dict[str, bytes], dict[str, object]]] = [
        ({}, {"media/../../victim.mp4": other}),
        ({}, {f"{tmp_path}/in/absolute.mp4": other}),
        (evil_tar, {"media/../../../victim.mp4": other}),
        (evil_tar, {"media/zz/clip.mp4": other}),
        ({"media/tars.json": json.dumps({"files": {"../victim.mp4": entry}}).encode()}, {}),
    ]
    start = hub.head(REPO)
    for number, (files, edit) in enumerate(cases):
        hub.create_repo(f"lab/evil{number}")
        evil(hub, files, edit)
        refused = hub_vqa2("pull", f"{REPO}@main", out)
        assert refused.returncode == 1, (number, refused.stderr)
        assert "Traceback" not in refused.stderr
        assert sorted(path.name for path in out.parent.iterdir()) == ["got.pull", "victim.mp4"]
        assert victim.read_bytes() == b"precious"
        hub.commit(REPO, hub.files(REPO, start))
    ran(hub_vqa2("pull", f"{REPO}@v1.0.0", out))


def _tars(path: Path, name: str) -> bytes:
    return json.dumps({"files": {name: {"sha256": file_entry(path).sha256, "bytes": path.stat().st_size}}}).encode()


def test_no_tar_is_fetched_for_clips_that_are_there(
    hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path
) -> None:
    pushed(hub_vqa2, corpora("first"), "--clips", "tars")
    out = tmp_path / "got"
    ran(hub_vqa2("pull", REPO, out))
    assert rest(tree(out)) == rest(tree(corpora("first")))
    hub.clear_log()
    ran(hub_vqa2("pull", REPO, out))
    assert not [path for path in fetched(hub) if path.endswith(".tar")]
    assert not hub.requests("reconstruction")
    assert rest(tree(out)) == rest(tree(corpora("first")))


def test_interrupted_by_hand(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    pushed(hub_vqa2, corpora("first"))
    held = hub.fault(kind="resolve", path="records.jsonl", hold=True)
    process = hub_vqa2.start("pull", REPO, tmp_path / "got")
    assert held.reached.wait(60)
    process.send_signal(signal.SIGINT)
    hub.clear_faults()
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not (tmp_path / "got").exists()
    ran(hub_vqa2("pull", REPO, tmp_path / "got"))
    same_as_published(hub, tmp_path / "got", "v1.0.0")
