"""Pushes that are cut short, refused, raced: none is seen by readers, and the next one ends in a verified version."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hub_sync.conftest import Client, Corpora
from tests.hub_sync.hub import READER, STRANGER, WRITER, WRONG, HubServer
from tests.hub_sync.test_push import REPO, pushed, ran, same_corpus, writes

BRANCH = ("--branch", "release/next")
READ = """
import json, sys, tempfile
from huggingface_hub import HfApi
import datasets
datasets.disable_progress_bars()
repo, revision, config = sys.argv[1:]
print("ready", flush=True)
for line in sys.stdin:
    if not line.strip():
        break
    tree = HfApi().list_repo_tree(repo, repo_type="dataset", revision=revision, recursive=True)
    files = {entry.path: entry.blob_id for entry in tree if hasattr(entry, "blob_id")}
    with tempfile.TemporaryDirectory() as cache:
        loaded = datasets.load_dataset(repo, config, revision=revision, cache_dir=cache)
        rows = {split: list(found) for split, found in loaded.items()}
    print(json.dumps([files, rows]), flush=True)
"""


class Reading:
    """Somebody who reads one version, again and again, in a process of their own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._line()
        self._first = self.read()
        self.times = 0

    def read(self) -> Any:
        assert self._process.stdin
        self._process.stdin.write("on\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def same(self) -> None:
        assert self.read() == self._first
        self.times += 1

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, self._process.stderr and self._process.stderr.read()[-3000:]
        return line


@pytest.fixture
def reading(hub_python: Client) -> Callable[[str], Reading]:
    """`reading("v1.0.0")` reads that version now; `same()` reads it again and wants the same."""
    return lambda revision: Reading(hub_python.start(READ, REPO, revision, "stage2-streaming", token=READER))


def ends_well(hub: HubServer, hub_vqa2: Client, corpus: Path, tag: str, *options: str) -> None:
    """After whatever was wrong, a push ends in this version, verified, and a further one does nothing."""
    hub.clear_faults()
    ran(hub_vqa2("push", corpus, REPO, *options))
    assert max(hub.tags(REPO)) == tag
    same_corpus(hub, tag, corpus)
    ran(hub_vqa2("verify", f"{REPO}@{tag}"))
    hub.clear_log()
    assert "nothing to do" in ran(hub_vqa2("push", corpus, REPO, *options))
    assert writes(hub) == []


FAULTS: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "429": {"status": 429, "headers": {"Retry-After": "1"}},
    "closed": {"drop": "before"},
    "lost": {"drop": "after"},
}


@pytest.mark.full
@pytest.mark.parametrize("fault", FAULTS)
def test_every_endpoint_fails_once(hub: HubServer, hub_vqa2: Client, corpora: Corpora, fault: str) -> None:
    """Each kind of request fails once; what passes by itself does so within the same push."""
    failing = hub.fault(each_kind_once=True, **FAULTS[fault])
    ran(hub_vqa2("push", corpora("first"), REPO, *BRANCH, HF_HUB_DISABLE_PROGRESS_BARS="1"))
    kinds = {request.kind for request in hub.log if request.fault}
    assert {"create-repo", "create-branch", "create-tag", "preupload", "commit", "refs", "tree", "resolve"} <= kinds
    assert {"whoami", "xet-write-token", "xorb", "shard"} <= kinds
    assert failing.hits == len(kinds)
    ends_well(hub, hub_vqa2, corpora("first"), "v1.0.0", *BRANCH)

    # The next version removes files, and asks for more: what was before.
    hub.clear_log()
    hub.fault(each_kind_once=True, **FAULTS[fault])
    ran(hub_vqa2("push", corpora("fewer"), REPO, *BRANCH))
    assert {"commit", "create-tag", "info"} <= {request.kind for request in hub.log if request.fault}
    same_corpus(hub, "v1.0.0", corpora("first"))
    ends_well(hub, hub_vqa2, corpora("fewer"), "v2.0.0", *BRANCH)


@pytest.mark.parametrize("kind", ["commit", "create-tag"])
def test_a_lost_answer(hub: HubServer, hub_vqa2: Client, corpora: Corpora, kind: str) -> None:
    """What the Hub did, and could not say, is seen and not done again; the commit here removes files."""
    pushed(hub_vqa2, corpora("first"))
    lost = hub.fault(kind=kind, drop="after")
    done = pushed(hub_vqa2, corpora("fewer"))
    assert lost.hits == 1
    assert hub.tags(REPO)["v2.0.0"] == done["commit"] == hub.head(REPO)
    assert len(hub.commits(REPO)) == 3
    same_corpus(hub, "v2.0.0", corpora("fewer"))


@pytest.mark.full
@pytest.mark.parametrize(("kind", "times"), [("commit", 2), ("commit", 7), ("create-tag", 3)])
def test_lost_answers(hub: HubServer, hub_vqa2: Client, corpora: Corpora, kind: str, times: int) -> None:
    """One after another; one of each kind is lost above."""
    lost = hub.fault(kind=kind, drop="after", times=times)
    ran(hub_vqa2("push", corpora("first"), REPO, *BRANCH))
    assert lost.hits in range(1, times + 1)
    ends_well(hub, hub_vqa2, corpora("first"), "v1.0.0", *BRANCH)


KILLED_AT = ("create-repo", "preupload", "xet-write-token", "xorb", "shard", "commit", "resolve", "create-tag")


@pytest.mark.full
@pytest.mark.parametrize("first_push", [True, False])
def test_killed_at_each_kind_of_request(
    hub: HubServer, hub_vqa2: Client, corpora: Corpora, reading: Callable[[str], Reading], first_push: bool
) -> None:
    """Killed before and after the Hub did what it was asked to, one after another; the last push goes on from there."""
    corpus, tag, reader = corpora("first"), "v1.0.0", None
    if not first_push:
        pushed(hub_vqa2, corpus)
        reader = reading("v1.0.0")
        corpus, tag = corpora("fewer"), "v2.0.0"
    for kind in KILLED_AT[0 if first_push else 1 :]:
        for done in (False, True):
            fault = hub.fault(kind=kind, hold=True) if not done else hub.fault(kind=kind, drop="after", delay=0.0)
            process = hub_vqa2.start("push", corpus, REPO)
            while not fault.reached.wait(0.1) and process.poll() is None:
                pass
            if not fault.reached.is_set():
                # What an earlier one brought there need not be sent again.
                assert kind in {"create-repo", "xorb", "shard", "commit", "xet-write-token", "create-tag"}
            process.kill()
            process.communicate()
            hub.clear_faults()
            if reader:
                reader.same()
                assert hub.tags(REPO).keys() <= {"v1.0.0", tag}
    ends_well(hub, hub_vqa2, corpus, tag)
    if reader:
        reader.same()


@pytest.mark.full
def test_killed_in_the_middle(
    hub: HubServer, hub_vqa2: Client, corpora: Corpora, reading: Callable[[str], Reading], tmp_path: Path
) -> None:
    """Killed before the commit and before the tag: nobody sees it, and what travelled does not travel again."""
    pushed(hub_vqa2, corpora("first"))
    reader = reading("v1.0.0")
    for kind in ("commit", "create-tag"):
        hub.clear_log()
        held = hub.fault(kind=kind, hold=True)
        process = hub_vqa2.start("push", corpora("more"), REPO)
        assert held.reached.wait(60)
        process.kill()
        process.communicate()
        hub.clear_faults()
        assert hub.tags(REPO).keys() == {"v1.0.0"}
        reader.same()
        if kind == "create-tag":
            assert not hub.requests("xorb")
    ends_well(hub, hub_vqa2, corpora("more"), "v1.1.0")
    reader.same()


@pytest.mark.full
def test_killed_at_random(
    hub: HubServer, hub_vqa2: Client, corpora: Corpora, reading: Callable[[str], Reading]
) -> None:
    began = time.monotonic()
    pushed(hub_vqa2, corpora("first"))
    lasts = time.monotonic() - began
    reader = reading("v1.0.0")
    draw = random.Random(8)
    versions = ["more", "fewer", "flipped", "more"]
    for name in versions:
        for _ in range(6):
            process = hub_vqa2.start("push", corpora(name), REPO)
            time.sleep(draw.uniform(0.1, 1.0) * lasts)
            process.kill()
            process.communicate()
            reader.same()
        newest = max(hub.tags(REPO), key=lambda tag: tuple(map(int, tag[1:].split("."))))
        ran(hub_vqa2("push", corpora(name), REPO))
        newest = max(hub.tags(REPO), key=lambda tag: tuple(map(int, tag[1:].split("."))))
        same_corpus(hub, newest, corpora(name))
        ran(hub_vqa2("verify", REPO))
    same_corpus(hub, "v1.0.0", corpora("first"))


def test_a_first_push_of_another_corpus_than_the_one_that_was_killed(
    hub: HubServer, hub_vqa2: Client, corpora: Corpora
) -> None:
    """What it left on the branch is no stranger's."""
    held = hub.fault(kind="create-tag", hold=True)
    process = hub_vqa2.start("push", corpora("first"), REPO)
    assert held.reached.wait(60)
    process.kill()
    process.communicate()
    hub.clear_faults()
    hub.commit(REPO, {}, delete=["manifest.json"])  # as where the first of several commits did not hold it
    ends_well(hub, hub_vqa2, corpora("fewer"), "v1.0.0")


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (None, "publishing needs a token: set HF_TOKEN"),
        (WRONG, "the Hub does not know the token"),
        (READER, "it needs write access"),
        (STRANGER, "it needs write access"),
    ],
)
def test_tokens(hub: HubServer, hub_vqa2: Client, corpora: Corpora, token: str | None, why: str) -> None:
    for there in (False, True):
        if there:
            pushed(hub_vqa2, corpora("first"))
        before = hub.head(REPO) if there else None
        refused = hub_vqa2("push", corpora("more"), REPO, token=token)
        assert refused.returncode == 2
        assert why in refused.stderr
        assert "Traceback" not in refused.stderr
        assert (token or WRITER) not in refused.stderr
        assert hub.exists(REPO) == there
        assert (hub.head(REPO) if there else None) == before


def test_somebody_commits_in_between(hub: HubServer, hub_vqa2: Client, corpora: Corpora) -> None:
    pushed(hub_vqa2, corpora("first"))
    held = hub.fault(kind="preupload", hold=True)
    process = hub_vqa2.start("push", corpora("fewer"), REPO)
    assert held.reached.wait(60)
    theirs = hub.commit(REPO, {"README.md": b"# Mended by hand\n", "notes/theirs.txt": b"mine"})
    held.release()
    _, told = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "was changed by somebody else since this push began: nothing is tagged" in told
    assert hub.head(REPO) == theirs
    assert hub.tags(REPO).keys() == {"v1.0.0"}
    hub.clear_faults()
    ran(hub_vqa2("push", corpora("fewer"), REPO))
    same_corpus(hub, "v2.0.0", corpora("fewer"))
    assert theirs in {commit.id for commit in hub.commits(REPO)}


@pytest.mark.full
@pytest.mark.parametrize("held_at", ["preupload", "create-tag"])
@pytest.mark.parametrize("other", ["more", "fewer"])
def test_two_at_once(hub: HubServer, hub_vqa2: Client, corpora: Corpora, held_at: str, other: str) -> None:
    """Both have planned the same version: one makes it, the other one hears so, or finds that it is its own."""
    pushed(hub_vqa2, corpora("first"))
    held = hub.fault(kind=held_at, hold=True)
    one = hub_vqa2.start("push", corpora("more"), REPO)
    assert held.reached.wait(60)
    two = hub_vqa2("push", corpora(other), REPO)
    hub.clear_faults()
    _, told = one.communicate(timeout=120)
    assert two.returncode == 0, two.stderr
    assert "Traceback" not in told
    if other == "more":
        assert one.returncode == 0, told
        assert hub.tags(REPO).keys() == {"v1.0.0", "v1.1.0"}
        assert len(hub.commits(REPO)) == 3
        ends_well(hub, hub_vqa2, corpora("more"), "v1.1.0")
        return
    if held_at == "preupload":
        assert one.returncode == 2
        assert "was changed by somebody else since this push began" in told
        assert hub.tags(REPO).keys() == {"v1.0.0", "v2.0.0"}
    else:
        # Their version is another one, and rests on all that ours had brought: it stays, as ours does.
        assert one.returncode == 0
        same_corpus(hub, "v1.1.0", corpora("more"))
    same_corpus(hub, "v2.0.0", corpora("fewer"))
    newest = "v2.1.0"
    ends_well(hub, hub_vqa2, corpora("first"), newest)


@pytest.mark.full
def test_two_at_once_without_order(hub: HubServer, hub_vqa2: Client, corpora: Corpora) -> None:
    """Started together, of same and of other contents, again and again: each version is one of the two, whole."""
    draw = random.Random(3)
    for turn, names in enumerate([("first", "first"), ("more", "more"), ("fewer", "flipped"), ("more", "first")]):
        tags = set(hub.tags(REPO)) if hub.exists(REPO) else set()
        processes = []
        for name in names:
            processes.append(hub_vqa2.start("push", corpora(name), REPO))
            time.sleep(draw.uniform(0, 0.5))
        ended = [(process.communicate(timeout=200)[1], process.returncode) for process in processes]
        assert 0 in {code for _, code in ended}, ended
        assert all(code == 0 or "somebody else" in told or "has a tag" in told for told, code in ended), ended
        made = set(hub.tags(REPO)) - tags
        if names[0] == names[1]:
            assert (len(made), {code for _, code in ended}) == (1, {0}), (turn, ended)
        for name in names:
            ran(hub_vqa2("push", corpora(name), REPO))
            ran(hub_vqa2("verify", REPO))


def test_a_tag_that_came_meanwhile(hub: HubServer, hub_vqa2: Client, corpora: Corpora) -> None:
    pushed(hub_vqa2, corpora("first"))
    held = hub.fault(kind="create-tag", hold=True)
    process = hub_vqa2.start("push", corpora("more"), REPO)
    assert held.reached.wait(60)
    hub.tag(REPO, "v1.1.0", hub.tags(REPO)["v1.0.0"])
    held.release()
    _, told = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "has a tag v1.1.0 already, on another commit" in told
    assert hub.tags(REPO)["v1.1.0"] == hub.tags(REPO)["v1.0.0"]
    ran(hub_vqa2("push", corpora("more"), REPO))
    same_corpus(hub, "v1.2.0", corpora("more"))


@pytest.mark.full
@pytest.mark.parametrize("kind", ["preupload", "xorb", "resolve", "create-tag"])
def test_the_hub_goes_down_for_good(hub: HubServer, hub_vqa2: Client, corpora: Corpora, kind: str) -> None:
    pushed(hub_vqa2, corpora("first"))
    held = hub.fault(kind=kind, hold=True)
    process = hub_vqa2.start("push", corpora("more"), REPO, "--patience", 1)
    assert held.reached.wait(60)
    hub.stop()
    _, told = process.communicate(timeout=540)
    assert process.returncode == 2
    assert "Traceback" not in told
    assert f"the Hub at {hub.url} does not answer as it should" in told.splitlines()[-1]
    hub.start()
    assert hub.tags(REPO).keys() == {"v1.0.0"}
    ends_well(hub, hub_vqa2, corpora("more"), "v1.1.0")
