"""A corpus loads by one line, and leaves in another trainer's format without losing a sample."""

import io
import json
import re
from pathlib import Path

import datasets
import msgspec
import pytest

import dataset_builder.exporters
from dataset_builder.corpus import read_samples
from schemas.errors import DataError
from schemas.plugins import load_plugin, plugin_names
from schemas.sample import Sample
from tests.schemas.test_sample import media, sample

CONFIGS = ["stage1", "stage2-ugc", "stage2-streaming", "stage3", "stage3-mix"]


def samples(corpus: Path, config: str, split: str | None = None) -> list[Sample]:
    return [located.sample for located in read_samples(corpus, config, split)]


def test_every_config_loads_with_its_declared_features(corpus: Path, tmp_path: Path) -> None:
    for config in CONFIGS:
        loaded = datasets.load_dataset(str(corpus), config, cache_dir=str(tmp_path / "cache"))
        for split, rows in loaded.items():
            ours = {s.id: s for s in samples(corpus, config, split)}
            assert {row["id"] for row in rows} == ours.keys()
            for row in rows:
                assert msgspec.convert(row, Sample) == ours[row["id"]]


def test_features_hold_where_values_are_null_whole_or_empty(corpus: Path, tmp_path: Path) -> None:
    """Stage 3 has no targets and stage 2 no evidence lists of other shapes: one declaration serves all."""
    loaded = {c: datasets.load_dataset(str(corpus), c, cache_dir=str(tmp_path)) for c in ("stage3", "stage2-ugc")}
    features = [rows.features for splits in loaded.values() for rows in splits.values()]
    assert all(f == features[0] for f in features)
    assert features[0]["target"]["mos"].dtype == "float64"


@pytest.mark.parametrize("name", plugin_names(dataset_builder.exporters))
def test_every_exporter_keeps_the_contract(name: str, corpus: Path) -> None:
    exporter = load_plugin(dataset_builder.exporters, name)
    assert exporter.__doc__
    assert exporter.LOSES
    assert exporter.SUFFIX.startswith(".")
    for config in CONFIGS:
        file, given = io.BytesIO(), samples(corpus, config)
        if name == "published":  # holds only what others published: test_conversations.py writes that
            with pytest.raises(DataError, match=re.escape(given[0].id)):
                exporter.write(iter(given), file)
            continue
        assert exporter.write(iter(given), file) == len(given) > 0
        assert file.tell()


def test_llava_is_what_upstreams_trainer_reads(corpus: Path) -> None:
    llava = load_plugin(dataset_builder.exporters, "llava")
    file = io.BytesIO()
    llava.write(samples(corpus, "stage2-ugc"), file)
    rows = json.loads(file.getvalue())
    video, image = sorted(rows, key=lambda row: "frames per sec" not in row)
    assert video["frames per sec"] == 1
    assert [turn["from"] for turn in video["conversations"]] == ["human", "gpt"]
    assert video["conversations"][0]["value"].count("<image>") == 2
    assert "<video>" not in video["conversations"][0]["value"]
    assert image["conversations"][0]["value"].count("<image>") == 1
    assert float(video["gt_score"]) == pytest.approx(100 * (3.5 - 1.2) / (4.5 - 1.2))
    assert (corpus / video["image"]).is_file()


def test_what_llava_cannot_hold_is_refused_by_name() -> None:
    llava = load_plugin(dataset_builder.exporters, "llava")
    for bad in (sample("<video>", "fine", [media(frames=3)]), sample("text", "fine", [])):
        with pytest.raises(DataError, match="x: "):
            llava.write([bad], io.BytesIO())
