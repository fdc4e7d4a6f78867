"""Distorted versions of clean clips, as records with ground truth: the raw material of stage 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

import dataset_builder.distortions
from dataset_builder.distort import distort_item, truth_of
from dataset_builder.encode import CARRIER
from dataset_builder.engine import Item
from dataset_builder.gathering.state import Gathered, Run
from dataset_builder.sampling import planned
from dataset_builder.streaming.render import render_item
from dataset_builder.video import inspect_item
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
    clean = [record for record in gathered.records.values() if record.source in distort.sources]
    plan = planned(clean, modules, distort, run.recipe.seed, run.plugins)
    origins = [
        Origin(
            record_id=record.id,
            sha256=record.media.sha256,
            chain=chain,
            seed=run.recipe.seed,
            encoder={} if record.media.kind == "image" else CARRIER,
        )
        for record, chain in plan
    ]
    items = [
        version_item(gathered.files[record.id], record, origin, folder, run.plugins)
        for (record, _), origin in zip(plan, origins, strict=True)
    ]
    outcomes = run.each("distorting", "dataset_builder.versions:make_version", items)
    distorted = set()
    for (record, chain), origin, outcome in zip(plan, origins, outcomes, strict=True):
        kind, severity = chain[0].kind, chain[0].severity
        if outcome.result is None:
            table, row = gathered.rows[record.id]
            reason = f"{record.media.path}: {kind} of severity {severity} cannot be made: {outcome.error}"
            gathered.quarantine.append(
                Quarantined(
                    source=record.source, file=table, row=row, field=None, reason=reason, transient=outcome.transient
                )
            )
            continue
        version = Record(
            id=f"{record.id}@{kind}-{severity}",
            source=record.source,
            licence=record.licence,
            group=record.group,
            split=record.split,
            media=msgspec.convert(outcome.result, Media),
            distortions=truth_of(chain, run.plugins),
            origin=origin,
        )
        gathered.records[version.id] = version
        gathered.files[version.id] = folder / version.media.path
        gathered.rows[version.id] = gathered.rows[record.id]
        distorted.add(record.id)
    return distorted


def version_item(source: Path, record: Record, origin: Origin, folder: Path, plugins: Sequence[Path]) -> Item:
    """Give what `make_version` needs: the clean clip's file and record, how it is changed, and where to."""
    return {
        "source": str(source),
        "media": msgspec.to_builtins(record.media),
        "chain": msgspec.to_builtins(origin.chain),
        "session": msgspec.to_builtins(origin.session),
        "seed": origin.seed,
        "out_folder": str(folder),
        "plugins": [str(path) for path in plugins],
    }


def make_version(item: Item) -> Item:
    """Render one version and look at it, as work for the engine: gives its Media, path relative to `out_folder`."""
    made = render_item(item) if item["session"] else distort_item(item)
    return inspect_item({"path": str(Path(item["out_folder"]) / made["path"]), "relative": made["path"]})
