"""What is published follows from the inputs alone: not from the folder, the machine's pace, or an earlier push."""

from __future__ import annotations

from pathlib import Path

from tests.hub_sync.conftest import Client
from tests.hub_sync.corpora import built, lab
from tests.hub_sync.hub import HubServer
from tests.hub_sync.test_push import REPO, pushed, ran

DELETE = "import sys; from huggingface_hub import HfApi; HfApi().delete_repo(sys.argv[1], repo_type='dataset')"


def test_the_same_inputs_give_the_same_bytes(
    hub: HubServer, hub_vqa2: Client, hub_python: Client, tmp_path: Path
) -> None:
    found = []
    for name, workers in (("one", 1), ("two", 2)):
        corpus = built(lab(tmp_path / name / "a folder"), tmp_path / name / "a corpus", workers=workers)
        pushed(hub_vqa2, corpus, "--clips", "tars", home=tmp_path / f"home of {name}")
        pushed(hub_vqa2, corpus, "--clips", "folders", home=tmp_path / f"home of {name}")
        found.append({tag: hub.files(REPO, tag) for tag in hub.tags(REPO)})
        ran(hub_python(DELETE, REPO))
        assert not hub.exists(REPO)
    assert found[0].keys() == {"v1.0.0", "v2.0.0"}
    for tag, files in found[0].items():
        assert {path for path, data in files.items() if found[1][tag].get(path) != data} == set()
        assert files.keys() == found[1][tag].keys()
