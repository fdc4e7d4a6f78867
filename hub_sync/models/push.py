"""Publishing a model folder: stage, plan, upload, verify, and only then tag; as a corpus is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import get_token

from dataset_builder.corpus import file_entry
from hub_sync.hub import Hub
from hub_sync.hub import Told as Says
from hub_sync.models.card import Told, base_place, card, held_licence
from hub_sync.models.data import published_data
from hub_sync.models.folder import (
    ADAPTER,
    BLOCK,
    CARD,
    RECORD,
    WEIGHTS,
    ModelFolder,
    is_of_a_model,
    problems_of_contents,
    problems_of_names,
    read_model,
)
from hub_sync.models.metrics import read_results
from hub_sync.naming import FIRST, Name, name_of
from hub_sync.plan import Plan, differences
from hub_sync.push import Pushed
from hub_sync.staging import place, staging
from hub_sync.steps import Asked, Next, Seen, begun, foreign, look, opened, planned, refuse, repository, uploaded
from schemas.comparison import Step
from schemas.errors import CallError
from schemas.manifest import FileEntry

NOT_SENT = "this model cannot be published; nothing was sent"
BESIDE = frozenset({CARD, RECORD, "curve.jsonl", "curve.png"})
"""Files whose change makes no other model."""
PATHS = ("corpus", "out", "model", "media_root", "cache", "preset")
"""Keys of a recipe that hold paths."""


@dataclass(frozen=True, kw_only=True)
class WantedModel(Asked):
    """How a model is to be published.

    `base` is the model on the Hub that it starts from, `data` the tag that its corpus is published as, `corpus` the
    folder that this was published from, `licence` what it is published under, `metrics` are reports of it.
    """

    base: str | None = None
    data: str | None = None
    corpus: Path | None = None
    licence: str | None = None
    metrics: tuple[Path, ...] = ()


def push_model(folder: Path, repo: str, wanted: WantedModel, told: Says = lambda _: None) -> Pushed:
    """Publish a model folder as a version of the model `repo`.

    Raises DataError naming what of the folder may not be sent (then nothing is), CallError for a call that cannot be
    followed, ConflictError where somebody else published meanwhile.
    """
    name = repository(repo, wanted)
    model = read_model(folder)
    refuse(problems_of_names(model), NOT_SENT)
    results = read_results(wanted.metrics, model.name)
    base = _base(model, wanted, told)
    hub = Hub(name.repo, told, wanted.patience, "model")
    hub.who()
    data, terms = published_data(model, wanted.data, wanted.corpus, told, wanted.patience)
    licence = held_licence(wanted.licence, terms)
    with staging(folder) as staged:
        told("staging")
        _stage(model, staged, base, name.repo)

        def written(tag: str) -> dict[str, FileEntry]:
            said = Told(name.repo, tag, base, data, terms, licence, results)
            (staged / CARD).write_text(card(model, said), encoding="utf-8")
            files[CARD] = file_entry(staged / CARD)
            return files

        files = {path: file_entry(staged / path) for path in model.files}
        seen = look(hub, wanted.branch)
        plan = _planned(hub, seen, staged, written, wanted)
        sizes = {path: entry.bytes for path, entry in files.items()}
        refuse(problems_of_contents(staged, sizes, get_token()), NOT_SENT)
        if wanted.dry_run or not plan.to_do:
            return Pushed(plan=plan, commit=None)
        head = opened(hub, seen, wanted.branch, private=wanted.private)
        commit = uploaded(
            hub,
            head,
            plan,
            folder=staged,
            files=files,
            name=model.name,
            sha256=files[CARD].sha256,
            ours=is_of_a_model,
        )
        if plan.tag is not None:
            hub.tag(plan.tag, commit, "; ".join(plan.reasons)[:500])
        return Pushed(plan=plan, commit=commit)


def _base(model: ModelFolder, wanted: WantedModel, told: Says) -> Name | None:
    """Find what a model starts from on the Hub. Raises CallError where adapters have a base that nobody could find."""
    if wanted.base is not None:
        base = name_of(wanted.base)
        if model.adapter is not None and model.block.base is not None:
            hub = Hub(base.repo, told, wanted.patience, "model")
            if BLOCK not in hub.files(base.revision or "main"):
                raise CallError(f"--base {base}: it is no model folder (it has no {BLOCK}): push the base first")
        return base
    if model.adapter is not None and model.block.base is not None:
        raise CallError(
            "these adapters belong to a model folder, without which they are of no use: push that one first, then name "
            "it with --base OWNER/NAME@TAG"
        )
    found = model.base_on_hub()
    return name_of(found) if found else None


def _stage(model: ModelFolder, folder: Path, base: Name | None, repo: str) -> None:
    """Fill `folder` with what is to be published, all but the card: paths of this machine become names."""
    for path in model.files:
        place(model.path / path, folder / path, linked=path.endswith(WEIGHTS))
    if (folder / RECORD).is_file():
        record = json.loads((folder / RECORD).read_bytes())
        recipe = record.get("recipe", {})
        for key in PATHS:
            if isinstance(recipe.get(key), str) and Path(recipe[key]).is_absolute():
                recipe[key] = Path(recipe[key]).name
        _write(folder / RECORD, record)
    if model.adapter is not None and base is not None:
        _write(folder / ADAPTER, {**model.adapter, "base_model_name_or_path": base.repo})
        if model.block.base is not None:
            block = json.loads((folder / BLOCK).read_bytes())
            block["base"]["path"] = f"../{base_place(base, repo)}"
            _write(folder / BLOCK, block)


def _planned(
    hub: Hub, seen: Seen, folder: Path, written: Callable[[str], dict[str, FileEntry]], wanted: WantedModel
) -> Plan:
    """Find which version this is, and what is to be sent for it. Raises CallError for a tag that is taken."""
    if BLOCK not in seen.files and any(map(is_of_a_model, seen.files.keys() - {CARD})) and not begun(hub, seen):
        raise foreign(hub, "model", seen.files)
    then = Next("major", ["the first version"], str(FIRST))
    if seen.refs is not None and seen.before is not None:
        before = hub.files(seen.refs.tags[str(seen.before)])
        step, reasons = _step(differences(folder, written(str(seen.before)), before, is_of_a_model))
        then = Next(step, reasons, str(seen.before.after(step)))
    files = written(wanted.tag or then.tag)
    return planned(hub, seen, wanted, then, folder=folder, files=files, ours=is_of_a_model)


def _step(differ: tuple[list[str], list[str], list[str]]) -> tuple[Step, list[str]]:
    """Name the version step: another model gives other scores, which nobody may mix with the former ones."""
    paths = [path for some in differ for path in some]
    if others := sorted(path for path in paths if path not in BESIDE):
        return "major", [f"it is another model: {', '.join(others[:3])} differ"]
    return ("patch", ["card or record alone"]) if paths else ("none", [])


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
