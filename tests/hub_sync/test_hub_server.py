"""The Hub of the tests, with real clients: what they send they get back, and it fails as it is told."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email.message import Message
from fnmatch import fnmatch
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.hub_sync.conftest import Client
from tests.hub_sync.hub import READER, STRANGER, WRITER, WRONG, HubServer

CARD = """---
license: mit
configs:
  - config_name: one
    data_files: data/one.jsonl
  - config_name: two
    data_files: data/two.jsonl
---
# A set
"""
UPLOAD = """
import sys
from huggingface_hub import HfApi
print(HfApi().upload_folder(repo_id="lab/set", repo_type="dataset", folder_path=sys.argv[1], revision=sys.argv[2]).oid)
"""
DOWNLOAD = """
import sys
from huggingface_hub import snapshot_download
snapshot_download("lab/set", repo_type="dataset", revision=sys.argv[1], local_dir=sys.argv[2])
"""
VERIFY = """
import sys
from huggingface_hub import HfApi
at = {"repo_id": "lab/set", "repo_type": "dataset", "revision": sys.argv[1]}
found = HfApi().verify_repo_checksums(**at, local_dir=sys.argv[2])
print(found.checked_count, [one["path"] for one in found.mismatches], found.missing_paths, found.extra_paths)
print(sum(file.size for file in HfApi().repo_info(**at, files_metadata=True).siblings))
"""


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts and path.name != ".gitattributes"
    }


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def mixed() -> dict[str, bytes]:
    """Small and large, empty, compressible and not, the same twice, one that shares most with another, floats."""
    clip = noise(3_000_000)
    return {
        "README.md": CARD.encode(),
        "data/one.jsonl": b'{"a": 1, "b": "x"}\n{"a": 2, "b": null}\n',
        "data/two.jsonl": "".join(f'{{"ä": {number}}}\n' for number in range(1000)).encode(),
        "empty.txt": b"",
        "media/ab/clip.mp4": clip,
        "media/cd/the same.mp4": clip,
        "media/ef/later start.mp4": clip[1_000_000:] + b"\0end",
        "media/zeros.bin": bytes(2_000_001),
        "media/floats.bin": b"".join(struct.pack("<f", number / 1000) for number in range(300_000)) + b"xyz",
    }


def ran(result: object) -> str:
    assert result.returncode == 0, result.stderr[-3000:]  # type: ignore[attr-defined]
    return result.stdout.strip()  # type: ignore[attr-defined,no-any-return]


def ask(
    hub: HubServer, path: str, token: str | None = WRITER, method: str = "GET", **headers: str
) -> tuple[int, Message, bytes]:
    """Plain HTTP, without a client's retries."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(hub.url + path, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_what_is_sent_comes_back(hub: HubServer, hub_python: Client, tmp_path: Path) -> None:
    hub.create_repo("lab/set")
    folder = write(tmp_path / "sent", mixed())
    oid = ran(hub_python(UPLOAD, folder, "main"))
    assert [oid] == [commit.id for commit in hub.commits("lab/set")[:1]]
    assert (
        hub.entries("lab/set")["media/ab/clip.mp4"].sha256 == hashlib.sha256(mixed()["media/ab/clip.mp4"]).hexdigest()
    )
    assert hub.entries("lab/set")["data/one.jsonl"].sha256 is None
    assert {**hub.files("lab/set"), ".gitattributes": b""} == {**mixed(), ".gitattributes": b""}

    hub.clear_log()
    assert ran(hub_python(UPLOAD, folder, "main", home=tmp_path / "another machine")) == oid
    assert len(hub.commits("lab/set")) == 2
    assert not hub.requests("xorb")
    assert not hub.requests("commit")

    # What another machine sends next has most of its bytes in common with what is there.
    clip = mixed()["media/ab/clip.mp4"]
    grown = write(tmp_path / "grown", {"media/grown.mp4": clip + b"\0more"})
    ran(hub_python(UPLOAD, grown, "main", home=tmp_path / "a third machine"))
    assert hub.files("lab/set")["media/grown.mp4"] == clip + b"\0more"
    assert 0 < sum(one.received for one in hub.requests("xorb")) < 500_000
    assert hub.requests("chunk")

    ways: dict[str, dict[str, Any]] = {"xet": {}, "plain": {"HF_HUB_DISABLE_XET": "1"}}
    for name, env in ways.items():
        hub.clear_log()
        ran(hub_python(DOWNLOAD, oid, tmp_path / name, home=tmp_path / f"home of {name}", **env))
        assert read(tmp_path / name) == mixed()
        assert bool(hub.requests("reconstruction")) == (name == "xet")
        assert bool(hub.requests("cdn")) == (name == "plain")
    assert not hub.requests("unknown")
    (tmp_path / "plain/media/zeros.bin").write_bytes(b"damaged")
    size = sum(map(len, hub.files("lab/set", oid).values()))
    assert ran(hub_python(VERIFY, oid, tmp_path / "xet")).splitlines() == ["10 [] [] []", str(size)]
    assert "10 ['media/zeros.bin'] [] []" in ran(hub_python(VERIFY, oid, tmp_path / "plain"))


def test_without_xet_up_and_with_it_down(hub: HubServer, hub_python: Client, tmp_path: Path) -> None:
    hub.create_repo("lab/set")
    ran(hub_python(UPLOAD, write(tmp_path / "sent", mixed()), "main", HF_HUB_DISABLE_XET="1"))
    assert len({one.path for one in hub.requests("lfs-upload")}) == 4
    assert hub.requests("lfs-verify")
    assert not hub.requests("xorb")
    ran(hub_python(DOWNLOAD, "main", tmp_path / "got"))
    assert read(tmp_path / "got") == mixed()


def test_parts_of_files(hub: HubServer, hub_python: Client, tmp_path: Path) -> None:
    hub.create_repo("lab/set")
    clip = mixed()["media/ab/clip.mp4"]
    oid = ran(hub_python(UPLOAD, write(tmp_path / "sent", {"clip.mp4": clip, "a.txt": b"0123456789"}), "main"))
    for revision in ("main", oid):
        path = f"/datasets/lab/set/resolve/{revision}"
        assert ask(hub, f"{path}/a.txt", Range="bytes=2-4")[::2] == (206, b"234")
        assert ask(hub, f"{path}/clip.mp4", Range="bytes=1000000-2000000")[2] == clip[1_000_000:2_000_001]
    in_parts: dict[str, Any] = {
        "HF_XET_RECONSTRUCTION_MIN_RECONSTRUCTION_FETCH_SIZE": "500kb",
        "HF_XET_RECONSTRUCTION_MAX_RECONSTRUCTION_FETCH_SIZE": "700kb",
    }
    ran(hub_python(DOWNLOAD, "main", tmp_path / "got", **in_parts))
    assert (tmp_path / "got/clip.mp4").read_bytes() == clip
    assert len(hub.requests("reconstruction")) > 2
    status, headers, _ = ask(hub, "/datasets/lab/set/resolve/main/a.txt", method="HEAD")
    assert (status, headers["X-Repo-Commit"], headers["content-length"]) == (200, oid, "10")
    status, headers, _ = ask(hub, "/datasets/lab/set/resolve/main/none.txt", method="HEAD")
    assert (status, headers["X-Error-Code"]) == (404, "EntryNotFound")
    program = """
from huggingface_hub import HfFileSystem
with HfFileSystem().open("datasets/lab/set/clip.mp4", block_size=100_000) as file:
    file.seek(1_500_000)
    print(file.read(10).hex())
"""
    assert ran(hub_python(program)) == clip[1_500_000:1_500_010].hex()


def test_branches_and_tags_with_a_slash(hub: HubServer, hub_python: Client, tmp_path: Path) -> None:
    program = """
import json, sys
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError
api, at = HfApi(), {"repo_id": "lab/set", "repo_type": "dataset"}
api.create_repo(**at)
try:
    api.create_repo(**at)
except HfHubHTTPError as error:
    print(error.response.status_code)
api.create_repo(**at, exist_ok=True)
api.create_branch(**at, branch="try/one")
api.upload_folder(**at, folder_path=sys.argv[1], revision="try/one")
api.create_tag(**at, tag="v1/rc 1", revision="try/one", tag_message="first")
try:
    api.create_tag(**at, tag="v1/rc 1", revision="main")
except HfHubHTTPError as error:
    print(error.response.status_code)
api.create_tag(**at, tag="v1/rc 1", revision="main", exist_ok=True)
refs = api.list_repo_refs(**at)
print(sorted(ref.name for ref in refs.branches), [(ref.name, ref.ref) for ref in refs.tags])
for revision in ("main", "try/one", "v1/rc 1", refs.tags[0].target_commit):
    there = api.file_exists(**at, filename="a/b.txt", revision=revision)
    print(sorted(api.list_repo_files(**at, revision=revision)), there)
print([commit.title for commit in api.list_repo_commits(**at, revision="v1/rc 1")])
print([info.path for info in api.get_paths_info(**at, paths=["a", "a/b.txt", "none"], revision="v1/rc 1", expand=True)])
api.create_tag(**at, tag="gone")
api.delete_tag(**at, tag="gone")
api.create_branch(**at, branch="try/two")
api.delete_branch(**at, branch="try/two")
try:
    api.list_repo_files(**at, revision="try/two")
except RevisionNotFoundError:
    print("no such revision")
"""
    written = ran(hub_python(program, write(tmp_path / "sent", {"a/b.txt": b"b"}))).splitlines()
    there, empty = "['.gitattributes', 'a/b.txt'] True", "['.gitattributes'] False"
    assert written == [
        "409",
        "409",
        "['main', 'try/one'] [('v1/rc 1', 'refs/tags/v1/rc 1')]",
        *(empty, there, there, there),
        "['Upload folder using huggingface_hub', 'initial commit']",
        "['a', 'a/b.txt']",
        "no such revision",
    ]
    assert hub.tags("lab/set") == {"v1/rc 1": hub.head("lab/set", "try/one")}
    assert list(hub.branches("lab/set")) == ["main", "try/one"]
    ran(hub_python(DOWNLOAD, "v1/rc 1", tmp_path / "got"))
    assert read(tmp_path / "got") == {"a/b.txt": b"b"}


def test_who_may_do_what(hub: HubServer, hub_python: Client, tmp_path: Path) -> None:
    program = """
import sys
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
api = HfApi()
def status(work, *more):
    try:
        work("lab/" + sys.argv[1], repo_type="dataset", **dict(more))
        return 200
    except HfHubHTTPError as error:
        return f"{type(error).__name__} {error.response.status_code}"
print(status(api.list_repo_files), status(api.create_tag, ("tag", sys.argv[2])), sep=", ")
"""
    hub.create_repo("lab/secret", private=True)
    hub.create_repo("lab/open")
    missing, forbidden = "RepositoryNotFoundError", "HfHubHTTPError 403"
    wrong = "HfHubHTTPError 401, HfHubHTTPError 401"
    expected = {
        WRITER: ("200, 200", "200, 200"),
        READER: (f"200, {forbidden}", f"200, {forbidden}"),
        STRANGER: (f"{missing} 404, {missing} 404", f"200, {forbidden}"),
        WRONG: (wrong, wrong),
        None: (f"{missing} 401, {missing} 401", f"200, {missing} 401"),
    }
    for number, (token, (secret, public)) in enumerate(expected.items()):
        assert ran(hub_python(program, "secret", f"v{number}", token=token)) == secret
        assert ran(hub_python(program, "open", f"v{number}", token=token)) == public
    assert ask(hub, "/api/whoami-v2", READER)[0] == 200
    assert json.loads(ask(hub, "/api/whoami-v2")[2])["auth"]["accessToken"]["role"] == "write"
    assert ask(hub, "/api/datasets/other/none")[0] == 404
    # A link to a file's bytes opens without a token, and only with its signature.
    digest = hashlib.sha256(b"\0secret").hexdigest()
    ran(hub_python(UPLOAD.replace("lab/set", "lab/secret"), write(tmp_path / "sent", {"a.bin": b"\0secret"}), "main"))
    assert ask(hub, "/datasets/lab/secret/resolve/main/a.bin")[::2] == (200, b"\0secret")
    assert ask(hub, "/datasets/lab/secret/resolve/main/a.bin", None)[0] == 401
    assert ask(hub, f"/cdn/{digest}", None)[0] == 403


def test_a_stale_parent_and_deletions(hub: HubServer, hub_python: Client, tmp_path: Path) -> None:
    hub.create_repo("lab/set")
    old = hub.head("lab/set")
    new = hub.commit("lab/set", {"a/1.txt": b"1", "a/2.txt": b"2", "b/c/3.txt": b"3", "keep.txt": b"k"})
    program = """
import sys
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
api, at = HfApi(), {"repo_id": "lab/set", "repo_type": "dataset"}
for parent in sys.argv[2:]:
    try:
        api.upload_folder(**at, folder_path=sys.argv[1], parent_commit=parent, delete_patterns="a/*")
        print("done")
    except HfHubHTTPError as error:
        print(error.response.status_code)
api.delete_folder("b", **at)
"""
    assert ran(hub_python(program, write(tmp_path / "sent", {"a/2.txt": b"two"}), old, new)).split() == ["412", "done"]
    files = hub.files("lab/set")
    del files[".gitattributes"]
    assert files == {"a/2.txt": b"two", "keep.txt": b"k"}
    assert [commit.parent for commit in hub.commits("lab/set")][1:] == [new, old, None]
    assert hub.files("lab/set", new)["a/1.txt"] == b"1"


def test_rows_load_by_tag(hub: HubServer, hub_python: Client) -> None:
    hub.create_repo("lab/set")
    hub.commit("lab/set", {name: data for name, data in mixed().items() if name.endswith(("md", "jsonl"))})
    hub.tag("lab/set", "v1.0.0")
    hub.commit("lab/set", {"data/one.jsonl": b'{"a": 9}\n'})
    program = """
from datasets import load_dataset
for streaming in (False, True):
    for tag in ("v1.0.0", "main"):
        print(list(load_dataset("lab/set", "one", revision=tag, split="train", streaming=streaming)))
print(len(load_dataset("lab/set", "two", revision="v1.0.0", split="train")))
"""
    tagged, newest = "[{'a': 1, 'b': 'x'}, {'a': 2, 'b': None}]", "[{'a': 9}]"
    assert ran(hub_python(program)).splitlines() == [tagged, newest, tagged, newest, "1000"]


def test_an_upload_outlives_every_endpoint_failing_once(hub: HubServer, hub_python: Client, tmp_path: Path) -> None:
    hub.create_repo("lab/set")
    fault = hub.fault(each_kind_once=True, path="preupload|commit|xet-write|v1", status=503)
    ran(hub_python(UPLOAD, write(tmp_path / "sent", mixed()), "main"))
    failed = {one.kind for one in hub.log if one.fault is fault}
    assert {"preupload", "commit", "xet-write-token", "xorb", "shard"} <= failed
    assert [one.status for one in hub.requests("commit")] == [503, 200]
    files = hub.files("lab/set")
    assert all(files[name] == data for name, data in mixed().items())
    assert len(hub.commits("lab/set")) == 2


def test_a_lost_answer_makes_one_more_commit(hub: HubServer, hub_python: Client, tmp_path: Path) -> None:
    hub.create_repo("lab/set")
    hub.fault("commit", drop="after")
    hub.fault("xorb", drop="before")
    ran(hub_python(UPLOAD, write(tmp_path / "sent", {"a.txt": b"a", "b.bin": noise(10_000)}), "main"))
    assert [one.status for one in hub.requests("commit")] == [None, 200]
    assert [one.status for one in hub.requests("xorb")] == [None, 200]
    assert len(hub.commits("lab/set")) == 3
    assert hub.files("lab/set")["b.bin"] == noise(10_000)


@pytest.mark.parametrize("how", [{"kind": "commit", "hold": True}, {"kind": "xorb", "stall_upload_after": 100_000}])
def test_a_killed_upload_goes_on(hub: HubServer, hub_python: Client, tmp_path: Path, how: dict[str, object]) -> None:
    hub.create_repo("lab/set")
    folder = write(tmp_path / "sent", mixed())
    fault = hub.fault(**how)  # type: ignore[arg-type]
    process = hub_python.start(UPLOAD, folder, "main")
    assert fault.reached.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(hub.commits("lab/set")) == 1
    hub.clear_faults()
    hub.clear_log()
    ran(hub_python(UPLOAD, folder, "main", home=tmp_path / "another machine"))
    files = hub.files("lab/set")
    assert all(files[name] == data for name, data in mixed().items())
    assert len(hub.commits("lab/set")) == 2
    sent = sum(one.received for one in hub.requests("xorb"))
    assert (sent == 0) == (how["kind"] == "commit")  # what is registered is not sent again


def test_two_at_once(hub: HubServer, hub_python: Client, tmp_path: Path) -> None:
    hub.create_repo("lab/set")
    clip = noise(1_000_000)
    folders = [
        write(tmp_path / str(who), {f"{who}/{number}.bin": clip + bytes([who, number]) for number in range(40)})
        for who in range(2)
    ]
    fault = hub.fault("commit", hold=True)
    first = hub_python.start(UPLOAD, folders[0], "main", home=tmp_path / "first")
    assert fault.reached.wait(60)
    ran(hub_python(UPLOAD, folders[1], "main", home=tmp_path / "second"))
    fault.release()
    assert first.wait(60) == 0
    files = hub.files("lab/set")
    del files[".gitattributes"]
    assert files == {**read(folders[0]), **read(folders[1])}
    assert len(hub.commits("lab/set")) == 3


def test_faults_do_what_they_say(hub: HubServer) -> None:
    hub.create_repo("lab/set")
    hub.commit("lab/set", {"a.txt": b"0123456789"})
    path = "/datasets/lab/set/resolve/main/a.txt"

    assert hub.fault("resolve", status=503, skip=1, times=2).hits == 0
    assert [ask(hub, path)[0] for _ in range(4)] == [200, 503, 503, 200]
    hub.rate_limit("resolve", seconds=7)
    status, headers, _ = ask(hub, path)
    assert (status, headers["ratelimit"], headers["retry-after"]) == (429, '"api";r=0;t=7', "7")
    hub.fault("resolve", corrupt=True)
    assert ask(hub, path)[2] == b"\xcf123456789"
    for how in ({"drop": "before"}, {"drop": "after"}, {"cut_after": 4}):
        hub.fault("resolve", **how)
        with pytest.raises((ConnectionError, HTTPException)):
            ask(hub, path)
    hub.fault("resolve", delay=0.3)
    start = time.monotonic()
    assert ask(hub, path)[0] == 200
    assert time.monotonic() - start >= 0.3
    stalled = hub.fault("resolve", stall_after=4)
    with (
        urllib.request.urlopen(urllib.request.Request(hub.url + path), timeout=0.5) as answer,
        pytest.raises(TimeoutError),
    ):
        answer.read()
    assert stalled.hits == 1
    assert [one.sent for one in hub.requests("resolve")][-1] == 4
    assert ask(hub, path)[2] == b"0123456789"
    assert ask(hub, "/api/spaces/lab/set")[0] == 404
    assert hub.kinds()["unknown"] == 1


def test_an_outage_loses_nothing(hub: HubServer, hub_env: dict[str, str]) -> None:
    hub.create_repo("lab/set")
    hub.commit("lab/set", {"a.txt": b"a"})
    address = hub.url
    fault = hub.fault("info", hold=True)
    program = "from huggingface_hub import HfApi; HfApi().dataset_info('lab/set')"
    waiting = subprocess.Popen([sys.executable, "-c", program], env=hub_env, stderr=subprocess.PIPE, text=True)
    assert fault.reached.wait(60)
    hub.stop()
    assert "disconnected without sending a response" in waiting.communicate(timeout=60)[1]
    with pytest.raises(urllib.error.URLError):
        ask(hub, "/api/datasets/lab/set")
    hub.start()
    assert hub.url == address
    assert json.loads(ask(hub, "/api/datasets/lab/set")[2])["sha"] == hub.head("lab/set")


def test_a_bad_card_and_bad_files_are_refused(hub: HubServer, hub_python: Client, tmp_path: Path) -> None:
    hub.create_repo("lab/set")
    bad = write(tmp_path / "bad", {"README.md": b"---\nconfigs: [a\n---\n"})
    assert "Invalid metadata in README.md" in hub_python(UPLOAD, bad, "main").stderr
    head = hub.head("lab/set")
    for value in ({"path": "../a", "content": "YQ==", "encoding": "base64"}, {"path": "a.mp4", "oid": "0" * 64}):
        lines = [{"key": "header", "value": {"summary": "x"}}]
        lines.append({"key": "file" if "content" in value else "lfsFile", "value": value})
        data = "\n".join(map(json.dumps, lines)).encode()
        request = urllib.request.Request(f"{hub.url}/api/datasets/lab/set/commit/main", data, method="POST")
        request.add_header("Authorization", f"Bearer {WRITER}")
        with pytest.raises(urllib.error.HTTPError, match="400") as failure:
            urllib.request.urlopen(request, timeout=10)
        failure.value.close()
    assert hub.head("lab/set") == head


@pytest.mark.parametrize(
    ("count", "wanted"), [(1_200, "media/0*/*"), pytest.param(5_000, "media/[0-3]*/*", marks=pytest.mark.full)]
)
def test_many_files(hub: HubServer, hub_python: Client, tmp_path: Path, count: int, wanted: str) -> None:
    hub.create_repo("lab/set")
    files = {f"media/{number % 256:02x}/{number}.mp4": b"\0" + noise(500, number) for number in range(count)}
    ran(hub_python(UPLOAD, write(tmp_path / "sent", files), "main"))
    there = hub.files("lab/set")
    del there[".gitattributes"]
    assert there == files
    hub.clear_log()
    # A client spends 20 ms on each file that comes by Xet.
    download = DOWNLOAD.replace("local_dir=", "allow_patterns=sys.argv[3], local_dir=")
    ran(hub_python(download, "main", tmp_path / "got", wanted))
    assert len(hub.requests("tree")) > 1
    assert read(tmp_path / "got") == {name: data for name, data in files.items() if fnmatch(name, wanted)}
