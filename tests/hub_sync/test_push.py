"""What a push makes of a repository: versions, branches, and nothing where nothing changed."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from huggingface_hub import DatasetCardData

from dataset_builder.corpus import MANIFEST, QUARANTINE, read_manifest, read_samples
from schemas.sample import Sample
from tests.hub_sync.conftest import Client, Corpora
from tests.hub_sync.corpora import built, lab, rewritten, save, tree
from tests.hub_sync.hub import READER, STRANGER, HubServer

REPO = "lab/small"
READS = frozenset({"whoami", "tree", "refs", "resolve", "info", "commits", "paths-info", "reconstruction", "xorb-data"})
READS |= {"xet-read-token", "xet-newer", "cdn", "validate-yaml"}


def ran(result: Any) -> str:
    assert result.returncode == 0, result.stderr[-3000:]
    return str(result.stdout)


def pushed(hub_vqa2: Client, corpus: Path, *options: object, **env: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran(hub_vqa2("push", corpus, REPO, "--json", *options, **env)))
    return found


def writes(hub: HubServer) -> list[str]:
    return [request.kind for request in hub.log if request.kind not in READS]


def published(hub: HubServer, revision: str) -> dict[str, bytes]:
    return {path: data for path, data in hub.files(REPO, revision).items() if path != ".gitattributes"}


def same_corpus(hub: HubServer, revision: str, corpus: Path) -> None:
    """All but card and manifest is, byte for byte, the corpus without its quarantine; the manifest holds for all."""
    there, here = published(hub, revision), tree(corpus)
    own = {"README.md", MANIFEST, "report.html"}
    assert {p: d for p, d in there.items() if p not in own} == {
        p: d for p, d in here.items() if p not in {*own, QUARANTINE}
    }
    assert json.loads(there[MANIFEST])["files"].keys() == there.keys() - {MANIFEST}


def test_the_first_version(hub: HubServer, hub_vqa2: Client, first: Path) -> None:
    before = tree(first)
    done = pushed(hub_vqa2, first)
    assert hub.tags(REPO) == {"v1.0.0": done["commit"]}
    assert hub.branches(REPO) == {"main": done["commit"]}
    assert (done["plan"]["before"], done["plan"]["tag"], done["plan"]["changed"]) == (None, "v1.0.0", [])
    assert sorted(done["plan"]["new"]) == sorted(published(hub, "v1.0.0"))
    assert done["plan"]["bytes"] == sum(map(len, published(hub, "v1.0.0").values()))
    same_corpus(hub, "v1.0.0", first)
    assert tree(first) == before
    assert [path.name for path in first.parent.iterdir() if "push" in path.name] == []
    assert not hub.requests("unknown")


def test_the_same_again(hub: HubServer, hub_vqa2: Client, first: Path, tmp_path: Path) -> None:
    pushed(hub_vqa2, first)
    hub.clear_log()
    for home in (None, tmp_path / "another machine"):
        told = ran(hub_vqa2("push", first, REPO, home=home))
        assert told == "lab/small holds this corpus already, as v1.0.0: nothing to do\n"
    assert writes(hub) == []
    assert len(hub.commits(REPO)) == 2


def test_one_clip_more(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    pushed(hub_vqa2, corpora("first"))
    old = published(hub, "v1.0.0")
    hub.clear_log()
    done = pushed(hub_vqa2, corpora("more"), home=tmp_path / "another machine")
    assert (done["plan"]["tag"], done["plan"]["step"], done["plan"]["removed"]) == ("v1.1.0", "minor", [])
    clips = read_manifest(corpora("more")).files.keys() - read_manifest(corpora("first")).files.keys()
    assert [path for path in done["plan"]["new"] if path.startswith("media/")] == [p for p in clips if "media/" in p]
    same_corpus(hub, "v1.1.0", corpora("more"))
    assert published(hub, "v1.0.0") == old
    # Of large files that clip and the pictures of the card travel, and no clip that was there.
    large = [entry.size for path, entry in hub.entries(REPO, "v1.1.0").items() if entry.sha256]
    changed = [path for path, data in published(hub, "v1.1.0").items() if old.get(path) != data]
    assert 0 < sum(request.received for request in hub.requests("xorb")) < sum(large)
    assert sum(path.startswith("media/") for path in changed) == 1


@pytest.mark.parametrize(("name", "step", "tag"), [("fewer", "major", "v2.0.0"), ("flipped", "major", "v2.0.0")])
def test_what_breaks_readers(
    hub: HubServer, hub_vqa2: Client, corpora: Corpora, name: str, step: str, tag: str
) -> None:
    pushed(hub_vqa2, corpora("first"))
    done = pushed(hub_vqa2, corpora(name))
    assert (done["plan"]["step"], done["plan"]["tag"], hub.tags(REPO)[tag]) == (step, tag, done["commit"])
    same_corpus(hub, tag, corpora(name))
    same_corpus(hub, "v1.0.0", corpora("first"))
    gone = read_manifest(corpora("first")).files.keys() - read_manifest(corpora(name)).files.keys()
    assert set(done["plan"]["removed"]) == gone
    assert bool(gone) == (name == "fewer")
    assert pushed(hub_vqa2, corpora(name))["commit"] is None


def test_only_the_card(hub: HubServer, hub_vqa2: Client, corpora: Corpora, first: Path, tmp_path: Path) -> None:
    pushed(hub_vqa2, first)
    noted = Path(shutil.copytree(first, tmp_path / "noted"))
    manifest = json.loads((noted / MANIFEST).read_bytes())
    manifest["remarks"] = ["the clips were filmed in the rain"]
    (noted / MANIFEST).write_text(json.dumps(manifest))
    done = pushed(hub_vqa2, noted)
    assert (done["plan"]["step"], done["plan"]["tag"]) == ("patch", "v1.0.1")
    assert sorted(done["plan"]["changed"]) == ["README.md", MANIFEST]
    assert b"filmed in the rain" in published(hub, "v1.0.1")["README.md"]
    assert b"v1.0.1" in published(hub, "v1.0.1")["README.md"]


def test_a_tag_of_ones_own(hub: HubServer, hub_vqa2: Client, corpora: Corpora) -> None:
    done = pushed(hub_vqa2, corpora("first"), "--tag", "paper")
    assert hub.tags(REPO) == {"paper": done["commit"]}
    assert b'revision="paper"' in published(hub, "paper")["README.md"]
    hub.clear_log()
    assert pushed(hub_vqa2, corpora("first"), "--tag", "paper")["commit"] is None
    refused = hub_vqa2("push", corpora("more"), REPO, "--tag", "paper")
    assert refused.returncode == 2
    assert "has a tag paper of other contents already: a tag is never moved" in refused.stderr
    assert writes(hub) == []
    refused = hub_vqa2("push", corpora("more"), REPO, "--tag", "no..tag")
    assert (refused.returncode, "cannot name a tag" in refused.stderr) == (2, True)


def test_an_old_tag_of_the_same_contents(hub: HubServer, hub_vqa2: Client, corpora: Corpora) -> None:
    """To publish again what an older version is leaves the branch at the newest."""
    pushed(hub_vqa2, corpora("first"))
    pushed(hub_vqa2, corpora("more"))
    hub.clear_log()
    assert pushed(hub_vqa2, corpora("first"), "--tag", "v1.0.0")["commit"] is None
    assert writes(hub) == []


@pytest.mark.full
def test_a_branch_with_a_slash(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    pushed(hub_vqa2, corpora("first"))
    main = hub.head(REPO)
    done = pushed(hub_vqa2, corpora("more"), "--branch", "release/next")
    assert hub.branches(REPO) == {"main": main, "release/next": done["commit"]}
    assert hub.tags(REPO)["v1.1.0"] == done["commit"]
    same_corpus(hub, "release/next", corpora("more"))
    ran(hub_vqa2("pull", f"{REPO}@release/next", tmp_path / "got"))
    assert read_manifest(tmp_path / "got").configs == read_manifest(corpora("more")).configs
    # A repository that is made for such a branch has it, too.
    ran(hub_vqa2("push", corpora("first"), "lab/fresh", "--branch", "release/1"))
    assert hub.tags("lab/fresh") == {"v1.0.0": hub.branches("lab/fresh")["release/1"]}


def test_a_private_repository(hub: HubServer, hub_vqa2: Client, first: Path, tmp_path: Path) -> None:
    done = pushed(hub_vqa2, first, "--private")
    assert done["plan"]["private"]
    for token in (STRANGER, None):
        refused = hub_vqa2("pull", REPO, tmp_path / "not", token=token)
        assert refused.returncode == 2
        assert "there is no data set lab/small" in refused.stderr
        assert "or the token may not see it" in refused.stderr
    ran(hub_vqa2("pull", REPO, tmp_path / "got", token=READER))
    ran(hub_vqa2("verify", REPO, token=READER))
    # It stays private, whatever the next call says.
    assert pushed(hub_vqa2, first)["plan"]["private"]


def test_a_dry_run_sends_nothing(hub: HubServer, hub_vqa2: Client, corpora: Corpora) -> None:
    told = ran(hub_vqa2("push", corpora("first"), REPO, "--dry-run"))
    assert "nothing -> v1.0.0 (major: the first version)" in told
    assert "Nothing was sent (--dry-run)." in told
    assert not hub.exists(REPO)
    pushed(hub_vqa2, corpora("first"))
    hub.clear_log()
    plan = pushed(hub_vqa2, corpora("more"), "--dry-run")["plan"]
    assert (plan["tag"], plan["step"]) == ("v1.1.0", "minor")
    assert writes(hub) == []
    assert pushed(hub_vqa2, corpora("more"))["plan"] == plan


def test_files_of_others_stay(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    pushed(hub_vqa2, corpora("first"))
    hub.commit(REPO, {"LICENSE": b"MIT", "models/net.bin": b"\0net"})
    done = pushed(hub_vqa2, corpora("fewer"))
    assert done["plan"]["others"] == ["LICENSE", "models/net.bin"]
    assert (hub.files(REPO)["LICENSE"], hub.files(REPO)["models/net.bin"]) == (b"MIT", b"\0net")
    hub.clear_log()
    ran(hub_vqa2("pull", REPO, tmp_path / "got"))
    assert not (tmp_path / "got/models").exists()
    assert not [request for request in hub.log if "net.bin" in request.path]
    ran(hub_vqa2("verify", REPO))


@pytest.mark.parametrize("files", [{"README.md": b"# A model"}, {"data/train.parquet": b"PAR1"}])
@pytest.mark.parametrize("tag", [None, "v1.0.0"])
def test_a_repository_of_something_else(
    hub: HubServer, hub_vqa2: Client, first: Path, files: dict[str, bytes], tag: str | None
) -> None:
    hub.create_repo(REPO)
    hub.commit(REPO, files)
    if tag:
        hub.tag(REPO, tag)
    before = hub.head(REPO)
    refused = hub_vqa2("push", first, REPO)
    assert refused.returncode == 2
    assert f"lab/small holds files that are no corpus of this program ({next(iter(files))}" in refused.stderr
    assert (hub.head(REPO), writes(hub)) == (before, [])


@pytest.mark.full
def test_clips_in_tars(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path) -> None:
    done = pushed(hub_vqa2, corpora("first"), "--tar-above", "0")
    assert done["plan"]["clips"] == "tars"
    files = published(hub, "v1.0.0")
    tars = [path for path in files if path.endswith(".tar")]
    assert [path for path in files if path.startswith("media/")] == [*tars, "media/tars.json"]
    for number, path in enumerate(tars):
        (tmp_path / f"{number}.tar").write_bytes(files[path])
        with tarfile.open(tmp_path / f"{number}.tar") as tar:
            assert {Path(member.name).stem for member in tar} == {
                entry.sha256 for name, entry in read_manifest(corpora("first")).files.items() if "media/" in name
            }
    ran(hub_vqa2("verify", REPO))
    ran(hub_vqa2("pull", REPO, tmp_path / "got"))
    got, here = tree(tmp_path / "got"), tree(corpora("first"))
    own = {"README.md", MANIFEST, QUARANTINE, "report.html"}
    assert {p: d for p, d in got.items() if p not in own} == {p: d for p, d in here.items() if p not in own}
    assert pushed(hub_vqa2, corpora("first"), "--tar-above", "0")["commit"] is None
    assert pushed(hub_vqa2, corpora("first"))["plan"]["reasons"][0] == "clips come another way"


@pytest.mark.parametrize("clips", ["reference", "recipes"])
def test_without_clips(hub: HubServer, hub_vqa2: Client, corpora: Corpora, tmp_path: Path, clips: str) -> None:
    done = pushed(hub_vqa2, corpora("first"), "--clips", clips)
    assert done["plan"]["clips"] == clips
    assert not [path for path in published(hub, "v1.0.0") if path.startswith("media/")]
    assert b"The clips are **not** here" in published(hub, "v1.0.0")["README.md"]
    ran(hub_vqa2("verify", REPO))
    told = ran(hub_vqa2("pull", REPO, tmp_path / "got"))
    assert "vqa2 regenerate" in told
    ran(hub_vqa2("check", tmp_path / "got"))
    rows = [[located.sample for located in read_samples(c, "stage1")] for c in (corpora("first"), tmp_path / "got")]
    assert rows[0] == rows[1]


def test_clips_that_are_not_there_cannot_go(hub: HubServer, hub_vqa2: Client, tmp_path: Path) -> None:
    corpus = built(lab(tmp_path / "lab"), tmp_path / "corpus", "media=recipes")
    for clips in ("folders", "tars"):
        refused = hub_vqa2("push", corpus, REPO, "--clips", clips)
        assert (refused.returncode, f"--clips {clips} has nothing to send" in refused.stderr) == (2, True)
    refused = hub_vqa2("push", corpus, REPO, "--clips", "zip")
    assert (refused.returncode, "not 'zip'" in refused.stderr) == (2, True)
    assert hub.log == []
    assert pushed(hub_vqa2, corpus)["plan"]["clips"] == "recipes"


def test_quarantine_goes_only_when_asked(hub: HubServer, hub_vqa2: Client, first: Path) -> None:
    assert (first / QUARANTINE).read_bytes()
    pushed(hub_vqa2, first)
    assert QUARANTINE not in published(hub, "v1.0.0")
    done = pushed(hub_vqa2, first, "--with-quarantine")
    assert done["plan"]["new"] == [QUARANTINE]
    assert published(hub, done["plan"]["tag"])[QUARANTINE] == (first / QUARANTINE).read_bytes()
    ran(hub_vqa2("verify", REPO))


def test_the_card_is_what_the_hub_reads(hub: HubServer, hub_vqa2: Client, first: Path) -> None:
    pushed(hub_vqa2, first)
    files = published(hub, "v1.0.0")
    text = files["README.md"].decode()
    header = yaml.safe_load(text.split("---\n")[1])
    assert DatasetCardData(**header).get("configs") == header["configs"]
    assert [config["config_name"] for config in header["configs"]] == list(read_manifest(first).configs)
    assert all("features" in info for info in header["dataset_info"])
    pictures = [line.split("(")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert pictures
    assert all(files[picture].startswith(b"\x89PNG") for picture in pictures)
    for path in header["configs"][0]["data_files"]:
        assert [name for name in files if name.startswith(path["path"].partition("*")[0])]


LOAD = """
import json, sys
from datasets import load_dataset
name, config, revision, cache = sys.argv[1:]
loaded = load_dataset(name, config, revision=revision, cache_dir=cache)
print(json.dumps({split: list(rows) for split, rows in loaded.items()}))
"""


def test_odd_rows_over_shards_load(
    hub: HubServer, hub_vqa2: Client, hub_python: Client, corpora: Corpora, tmp_path: Path
) -> None:
    """One shard has nulls and empty lists alone where others have values; whole numbers stand among floats."""
    corpus = Path(shutil.copytree(corpora("first"), tmp_path / "corpus"))
    config, split, name = "stage2-streaming", "train", "data/stage2-streaming/train-{}-of-00002.jsonl"
    rows = list(map(json.loads, (corpus / f"data/{config}/{split}-00000-of-00001.jsonl").read_text().splitlines()))
    # A row of stage 3 has no target; what is put among the others keeps its own task and words.
    bare = json.loads((corpus / "data/stage3/train-00000-of-00001.jsonl").read_text().splitlines()[0])
    assert bare["target"] is None
    bare["provenance"]["evidence"] = []
    whole = json.dumps(rows[0]).replace('"lo": 1.0, "hi": 5.0', '"lo": 1, "hi": 5')
    assert whole != json.dumps(rows[0])
    (corpus / f"data/{config}/{split}-00000-of-00001.jsonl").unlink()
    rewritten(
        corpus,
        {
            name.format("00000"): json.dumps(bare).encode() + b"\n",
            name.format("00001"): "".join(f"{row}\n" for row in [whole, *map(json.dumps, rows[1:])]).encode(),
        },
        (f"data/{config}/{split}-00000-of-00001.jsonl",),
    )
    manifest = read_manifest(corpus)
    counted = manifest.configs[config]
    configs = {
        config: msgspec.structs.replace(
            counted,
            splits={**counted.splits, split: len(rows) + 1},
            tasks={**counted.tasks, bare["task"]: 1},
        )
    }
    save(corpus, configs={**manifest.configs, **configs})
    ran(hub_vqa2("check", corpus))
    pushed(hub_vqa2, corpus)
    for named in manifest.configs:
        found = json.loads(ran(hub_python(LOAD, REPO, named, "v1.0.0", tmp_path / "cache")))
        for part, loaded in found.items():
            here = [located.sample for located in read_samples(corpus, named, part)]
            assert [msgspec.convert(row, Sample) for row in loaded] == here
