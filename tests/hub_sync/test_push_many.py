"""A corpus of five thousand files: sent in many commits, cut short among them, and finished by the next push."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dataset_builder.corpus import read_manifest
from tests.hub_sync.conftest import Client
from tests.hub_sync.corpora import HEAD, built, tree
from tests.hub_sync.hub import HubServer
from tests.hub_sync.test_push import REPO, pushed, ran, same_corpus, writes

CLIPS = 5000
RECIPE = """\
name: many
sources:
  - name: lab
    table: labels.csv
    clips: clips
    licence: private
    terms: {redistribute: true, modify: true}
    columns: {clip: clip, score: mos, distortion: type, group: who, split: split}
    scale: {lo: 1, hi: 5}
stages: [stage1, stage2-ugc]
"""


def many(folder: Path, count: int) -> Path:
    """Build a corpus of so many stills, no two alike."""
    (folder / "clips").mkdir(parents=True)
    rows = []
    for number in range(count):
        Image.new("RGB", (16, 16), (number % 256, number // 256, 7)).save(folder / f"clips/{number:05d}.png")
        rows.append(f"{number:05d}.png,{1 + 4 * (number % 97) / 96},,noise,g{number},train\n")
    (folder / "labels.csv").write_text(HEAD + "".join(rows))
    (folder / "recipe.yaml").write_text(RECIPE)
    return built(folder / "recipe.yaml", folder.parent / "corpus")


@pytest.mark.full
def test_five_thousand_files(hub: HubServer, hub_vqa2: Client, tmp_path: Path) -> None:
    corpus = many(tmp_path / "lab", CLIPS)
    assert len(read_manifest(corpus).files) > CLIPS
    held = hub.fault(kind="commit", hold=True, skip=3)
    process = hub_vqa2.start("push", corpus, REPO)
    assert held.reached.wait(300)
    process.kill()
    process.communicate()
    hub.clear_faults()
    assert hub.tags(REPO) == {}
    there = hub.files(REPO)
    assert 500 < len(there) < CLIPS

    # What came in the first commits is not sent again.
    hub.clear_log()
    done = pushed(hub_vqa2, corpus, timeout=600)
    # .gitattributes is the Hub's own; the commit that was held may have come in after all.
    assert done["plan"]["same"] >= len(there) - 1
    assert len(done["plan"]["new"]) == len(hub.files(REPO)) - 1 - done["plan"]["same"]
    assert len(hub.requests("commit")) > 3
    same_corpus(hub, "v1.0.0", corpus)

    hub.clear_log()
    assert "nothing to do" in ran(hub_vqa2("push", corpus, REPO, timeout=600))
    assert writes(hub) == []
    ran(hub_vqa2("verify", REPO, timeout=600))
    ran(hub_vqa2("pull", REPO, tmp_path / "got", timeout=600, HF_HUB_DISABLE_XET="1"))
    files = {path: data for path, data in hub.files(REPO, "v1.0.0").items() if path != ".gitattributes"}
    assert tree(tmp_path / "got") == files
