"""A corpus loads by one line."""

from pathlib import Path

import datasets
import msgspec

from dataset_builder.corpus import read_samples
from schemas.sample import Sample

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
