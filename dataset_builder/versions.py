"""Distorted versions of clean clips, as records with ground truth: the raw material of stage 1."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import msgspec

import dataset_builder.distortions
from dataset_builder.distort import applied, distort_item, truth_of
from dataset_builder.encode import CARRIER
from dataset_builder.engine import Item
from dataset_builder.gather import Gathered, Run
from dataset_builder.video import inspect_item
from schemas.draws import shuffled
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.plugins import load_plugin, plugin_names
from schemas.recipe import Distort
from schemas.record import Media, Origin, Record


def add_versions(gathered: Gathered, run: Run, distort: Distort, folder: Path) -> set[str]:
    """Render distorted versions of the clips of the named sources into `folder` and add their records.

    Gives the ids of the clips that were distorted. Raises CallError for unknown sources, kinds and severities.
    """
    known = [source.name for source in run.recipe.sources]
    for name in distort.sources:
        if name not in known:
            raise CallError(f"distort.sources: no source is called {name!r}; there are: {', '.join(known)}")
    kinds = distort.kinds or plugin_names(dataset_builder.distortions, run.plugins)
    modules = {kind: load_plugin(dataset_builder.distortions, kind, run.plugins) for kind in kinds}
    planned = [
        (record, kind, severity)
        for record_id in sorted(gathered.records)
        if (record := gathered.records[record_id]).source in distort.sources
        for kind, severity in _drawn(record, modules, distort, run.recipe.seed)
    ]
    items = [
        {
            "source": str(gathered.files[record.id]),
            "media": msgspec.to_builtins(record.media),
            "chain": [msgspec.to_builtins(applied(kind, severity, plugins=run.plugins))],
            "seed": run.recipe.seed,
            "out_folder": str(folder),
            "plugins": [str(path) for path in run.plugins],
        }
        for record, kind, severity in planned
    ]
    outcomes = run.each("distorting", "dataset_builder.versions:make_version", items)
    distorted = set()
    for (record, kind, severity), outcome in zip(planned, outcomes, strict=True):
        if outcome.result is None:
            table, row = gathered.rows[record.id]
            reason = f"{record.media.path}: {kind} of severity {severity} cannot be made: {outcome.error}"
            gathered.quarantine.append(
                Quarantined(
                    source=record.source, file=table, row=row, field=None, reason=reason, transient=outcome.transient
                )
            )
            continue
        chain = [applied(kind, severity, plugins=run.plugins)]
        version = Record(
            id=f"{record.id}@{kind}-{severity}",
            source=record.source,
            licence=record.licence,
            group=record.group,
            split=record.split,
            media=msgspec.convert(outcome.result, Media),
            distortions=truth_of(chain, run.plugins),
            origin=Origin(
                record_id=record.id,
                sha256=record.media.sha256,
                chain=chain,
                seed=run.recipe.seed,
                encoder={} if record.media.kind == "image" else CARRIER,
            ),
        )
        gathered.records[version.id] = version
        gathered.files[version.id] = folder / version.media.path
        gathered.rows[version.id] = gathered.rows[record.id]
        distorted.add(record.id)
    return distorted


def _drawn(record: Record, modules: dict[str, ModuleType], distort: Distort, seed: int) -> list[tuple[str, int]]:
    """Draw which distortions a clip gets: kinds in a drawn order, severities in turn."""
    still = record.media.kind == "image"
    usable = [kind for kind, module in modules.items() if module.STILLS or not still]
    drawn = shuffled(sorted(usable), seed, record.id, "distortions")[: distort.per_clip]
    severities = shuffled(distort.severities, seed, record.id, "severities")
    return [(kind, severities[index % len(severities)]) for index, kind in enumerate(drawn)]


def make_version(item: Item) -> Item:
    """Render one version and look at it, as work for the engine: gives its Media, path relative to `out_folder`."""
    made = distort_item(item)
    return inspect_item({"path": str(Path(item["out_folder"]) / made["path"]), "relative": made["path"]})
