"""Loading a published corpus as its readers do, and holding what comes back to what was published."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from dataset_builder.corpus import read_samples
from hub_sync.hub import Hub
from schemas.manifest import ConfigCount
from schemas.validate import Problem


def load_back(hub: Hub, commit: str, configs: Mapping[str, ConfigCount], folder: Path) -> Iterator[Problem]:
    """Load every config at a commit by the `datasets` library, and yield where it is not the corpus of `folder`."""
    import datasets

    datasets.disable_progress_bars()
    for config, count in configs.items():
        with tempfile.TemporaryDirectory() as cache:
            try:
                loaded = hub.patiently(
                    f"loading {config}",
                    lambda config=config, cache=cache: datasets.load_dataset(  # type: ignore[misc]
                        hub.repo, config, revision=commit, cache_dir=cache
                    ),
                )
            except (datasets.exceptions.DatasetsError, FileNotFoundError, ValueError) as error:
                hub.commit_of(commit)  # where the Hub is gone, that is why, and this says so
                yield Problem(f"data/{config}", 0, "", f"does not load: {str(error).strip().splitlines()[0]}")
                continue
            sizes = {split: rows.num_rows for split, rows in loaded.items()}
            if sizes != count.splits:
                yield Problem(f"data/{config}", 0, "", f"loads as {sizes}, the manifest says {count.splits}")
                continue
            for split in sizes:
                ids = [located.sample.id for located in read_samples(folder, config, split)]
                if list(loaded[split]["id"]) != ids:
                    yield Problem(f"data/{config}", 0, "id", f"the rows of {split} are not those of the corpus")
