"""Distorted versions of clean clips, as records with ground truth: the raw material of stage 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import msgspec

import dataset_builder.distortions
from dataset_builder.clip_stages import CHANGED, ChangedError, hash_clip, media_of, probe_clip, tools
from dataset_builder.distort import distort_item, truth_of
from dataset_builder.encode import CARRIER
from dataset_builder.engine import Item, Stage, Work, source_digest
from dataset_builder.gathering.state import Gathered, Run
from dataset_builder.sampling import planned
from dataset_builder.streaming.render import render_item
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.plugins import load_plugin, plugin_names
from schemas.recipe import BuildRecipe, Distort
from schemas.record import Origin, Record

RENDERING = (
    "dataset_builder.distort",
    "dataset_builder.distortions",
    "dataset_builder.encode",
    "dataset_builder.filtering",
    "dataset_builder.frame",
    "dataset_builder.local",
    "dataset_builder.streaming",
    "dataset_builder.tones",
    "dataset_builder.versions",
    "dataset_builder.video",
)
"""The modules that a rendered clip depends on."""


def add_versions(gathered: Gathered, run: Run, distort: Distort, folder: Path) -> set[str]:
    """Render distorted versions of the clips of the named sources into `folder` and add their records.

    Gives the ids of the clips that were distorted. Raises CallError as `distortions_of` does.
    """
    modules = distortions_of(run.recipe, distort, run.means.plugins)
    clean = [record for record in gathered.records.values() if record.source in distort.sources]
    plan = planned(clean, modules, distort, run.recipe.seed, run.means.plugins)
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
    ids = [f"{record.id}@{chain[0].kind}-{chain[0].severity}" for record, chain in plan]
    work = [
        version_work(name, gathered.files[record.id], record, origin, folder=folder, plugins=run.means.plugins)
        for name, (record, _), origin in zip(ids, plan, origins, strict=True)
    ]
    outcomes = run.stage("distorting", version_stage("distort", run.means.plugins), work, run.work)
    distorted = set()
    for name, (record, chain), origin in zip(ids, plan, origins, strict=True):
        outcome = outcomes[name]
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
            id=name,
            source=record.source,
            licence=record.licence,
            terms=record.terms,
            group=record.group,
            split=record.split,
            media=media_of(outcome.result["media"], outcome.result["path"]),
            distortions=truth_of(chain, run.means.plugins),
            origin=origin,
        )
        gathered.records[version.id] = version
        gathered.files[version.id] = folder / version.media.path
        gathered.rows[version.id] = gathered.rows[record.id]
        distorted.add(record.id)
    return distorted


def distortions_of(recipe: BuildRecipe, distort: Distort, plugins: Sequence[Path]) -> dict[str, ModuleType]:
    """Load the kinds of distortion that a recipe asks for. Raises CallError for unknown sources and kinds."""
    known = [source.name for source in recipe.sources]
    for name in distort.sources:
        if name not in known:
            raise CallError(f"distort.sources: no source is called {name!r}; there are: {', '.join(known)}")
    kinds = distort.kinds or plugin_names(dataset_builder.distortions, plugins)
    return {kind: load_plugin(dataset_builder.distortions, kind, plugins) for kind in kinds}


def version_stage(name: str, plugins: Sequence[Path]) -> Stage:
    """Give the stage that renders versions: its results hold for these libraries, this code and these plug-ins."""
    own = [path for folder in plugins for path in folder.rglob("*.py")]
    digest = source_digest(*RENDERING, files=own)
    return Stage(name, "dataset_builder.versions:make_version", digest, {"tools": tools()})


def version_work(
    name: str, source: Path, clean: Record, origin: Origin, *, folder: Path, plugins: Sequence[Path]
) -> Work:
    """Give what `make_version` needs: the clean clip's file and record, how it is changed, and where to."""
    return Work(
        name,
        {
            "media": {**msgspec.to_builtins(clean.media), "path": ""},
            "chain": msgspec.to_builtins(origin.chain),
            "session": msgspec.to_builtins(origin.session),
            "seed": origin.seed,
        },
        {
            "source": str(source),
            "out_folder": str(folder),
            "files_folder": str(folder),
            "plugins": [str(path) for path in plugins],
        },
    )


def make_version(item: Item) -> Item:
    """Render one version and look at it, as work for the engine.

    Gives its Media as `probe_clip` does, and its path relative to `out_folder`. Raises ChangedError where the clean
    file is not, before and after, the one that its record tells of.
    """
    _refuse_changed(item)
    item = {**item, "media": {**item["media"], "path": "clean"}}
    made = render_item(item) if item["session"] else distort_item(item)
    _refuse_changed(item)
    path = Path(item["out_folder"]) / made["path"]
    media = probe_clip({"path": str(path), "sha256": made["sha256"]})
    return {"media": media, "path": made["path"], "files": {made["path"]: media["bytes"]}}


def _refuse_changed(item: Item) -> None:
    if hash_clip({"path": item["source"]})["sha256"] != item["media"]["sha256"]:
        raise ChangedError(CHANGED)
