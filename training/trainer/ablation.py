"""A study: one training recipe in several variants, each over the same runs, and what the differences are worth.

A run is a corpus with a seed; all variants are trained on all runs, so differences are paired. Of so few runs no test
of significance is made: means stand beside every run's own figure and a t interval, which says how little is known.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import msgspec
from scipy.stats import t

from dataset_builder.corpus import put_file
from dataset_builder.correlation import plcc, srcc
from dataset_builder.locks import scored_samples
from schemas.errors import CallError
from schemas.recipe import TrainRecipe, convert, load, plain
from schemas.record import Split
from training.checkpoints.checkpoint import BLOCK, RECORD, load_checkpoint
from training.checkpoints.start import device
from training.inputs.feeds import FeedReader
from training.trainer.train import begun_from, train
from training.trainer.watching import Watcher

ALL = "all"
CONFIDENCE = 0.95


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A corpus, relative to the study, and the seed that the model begins with."""

    corpus: str
    seed: int


class Study(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is compared. Paths are relative to the study's file.

    `variants` name changes to the training recipe `train` (nested keys, as in the recipe; the first variant is what the
    others are held against). `groups` are parts of the scored samples, by a regular expression that is looked for in
    the record id of a sample's clip; `all` is always one.
    """

    title: str
    train: dict[str, Any]
    variants: dict[str, dict[str, Any]]
    runs: list[Run]
    out: str
    config: str = "stage2-ugc"
    split: Split = "test"
    groups: dict[str, str] = {}
    notes: str = ""

    def __post_init__(self) -> None:
        """Refuse a study without anything to compare."""
        if len(self.variants) < 2 or not self.runs:
            raise ValueError("a study has two variants or more, and at least one run")
        for name, pattern in self.groups.items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"groups: {name}: {pattern!r} is no regular expression: {error}") from None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """How one variant of one run scored: SRCC and PLCC by group, None where scores or truth are constant.

    `begun_from` (as `training.trainer.train` says) and `asked` tell of which training and samples these figures are.
    """

    variant: str
    corpus: str
    seed: int
    begun_from: dict[str, str | None]
    asked: list[str]
    n: dict[str, int]
    srcc: dict[str, float | None]
    plcc: dict[str, float | None]


class Mean(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over runs, with half the width of its 95 % t interval; None of a single run."""

    mean: float
    half: float | None
    values: list[float]


def read_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """Read a study. Raises RecipeError naming the file and the key, CallError for two runs of one folder."""
    study = load(path, Study, overrides)
    # A key that is not the recipe's is told before anything is trained.
    places = [_recipe(study, name, run, path).out for run in study.runs for name in study.variants]
    if twice := sorted(place for place in set(places) if places.count(place) > 1):
        raise CallError(f"{path}: two runs would share the folder {twice[0]}: give each corpus and seed once")
    return study


def run_study(study: Study, path: Path, told: Callable[[str], None] = lambda _: None) -> list[Found]:
    """Train and score every variant on every run; what was done before is not done again.

    A model of another recipe, or of what the corpus was before, is removed and trained anew.

    Raises what training raises, and CallError when a group has no samples.
    """
    base, found = path.parent, []
    for run in study.runs:
        for name in study.variants:
            recipe = _recipe(study, name, run, path)
            folder = base / recipe.out
            kept = folder.with_name(f"{folder.name}.json")
            begun = begun_from(recipe, base)
            known = json.loads(kept.read_bytes()) if kept.is_file() else {}
            if (known.get("begun_from"), known.get("asked")) == (begun, _asked(study)):
                found.append(convert(known, Found, str(kept)))
                continue
            told(f"{name}, {run.corpus}, seed {run.seed}")
            if not _is_trained(folder, begun):
                if (folder / RECORD).is_file():
                    shutil.rmtree(folder)
                train(recipe, base)
            result = _scored(study, recipe, name, run, base)
            put_file(kept, msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
            found.append(result)
    return found


def _asked(study: Study) -> list[str]:
    return [study.config, study.split, *(f"{name}: {pattern}" for name, pattern in study.groups.items())]


def _is_trained(folder: Path, begun: Mapping[str, Any]) -> bool:
    """Say whether a checkpoint is there whose run began with what this one does."""
    if not ((folder / BLOCK).is_file() and (folder / RECORD).is_file()):
        return False
    record = json.loads((folder / RECORD).read_bytes())
    return all(record.get(name) == value for name, value in begun.items())


def _recipe(study: Study, variant: str, run: Run, path: Path) -> TrainRecipe:
    keys = _merged(study.train, study.variants[variant])
    corpus = "-".join(part for part in Path(run.corpus).parts if part not in {"/", ".."})
    place = f"{study.out}/{corpus}-{run.seed}-{variant}"
    keys |= {"corpus": run.corpus, "seed": run.seed, "out": place}
    return convert(keys, TrainRecipe, f"{path}: variant {variant!r}")


def _merged(keys: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(keys)
    for key, value in over.items():
        inside = merged.get(key)
        merged[key] = _merged(inside, value) if isinstance(inside, dict) and isinstance(value, dict) else value
    return merged


def _scored(study: Study, recipe: TrainRecipe, variant: str, run: Run, base: Path) -> Found:
    checkpoint = load_checkpoint(base / recipe.out)
    checkpoint.model.to(device())
    corpus = base / recipe.corpus
    feeds = FeedReader(base / (recipe.media_root or recipe.corpus), checkpoint.config, keep=False)
    watcher = Watcher(scored_samples(corpus, study.config, study.split), feeds)
    scores, truth = watcher.scores(checkpoint), watcher.truth()
    names = [located.sample.media[0].record_id for located in watcher.samples]
    chosen = {ALL: list(range(len(names)))}
    for group, pattern in study.groups.items():
        chosen[group] = [index for index, name in enumerate(names) if re.search(pattern, name)]
        if len(chosen[group]) < 3:
            raise CallError(f"group {group!r}: {len(chosen[group])} of {len(names)} samples; a ranking needs 3")

    def of(measure: Callable[[list[float], list[float]], float | None]) -> dict[str, float | None]:
        return {g: measure([scores[i] for i in at], [truth[i] for i in at]) for g, at in chosen.items()}

    return Found(
        variant=variant,
        corpus=run.corpus,
        seed=run.seed,
        begun_from=begun_from(recipe, base),
        asked=_asked(study),
        n={group: len(at) for group, at in chosen.items()},
        srcc=of(srcc),
        plcc=of(plcc),
    )


def mean_of(values: Sequence[float]) -> Mean:
    """Average over runs, with Student's interval at 95 %."""
    half = None
    if len(values) > 1:
        half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return Mean(mean=fmean(values), half=half, values=list(values))


def table_of(study: Study, found: Sequence[Found]) -> dict[str, dict[str, dict[str, Mean | None]]]:
    """Give, for each group and variant, the mean SRCC and its mean difference from the first variant, run by run."""
    first = next(iter(study.variants))
    groups = [ALL, *study.groups]
    table: dict[str, dict[str, dict[str, Mean | None]]] = {}
    for group in groups:
        known = {v: [f.srcc[group] for f in found if f.variant == v] for v in study.variants}
        table[group] = {}
        for variant, values in known.items():
            whole = [v for v in values if v is not None]
            apart = [v - w for v, w in zip(values, known[first], strict=True) if v is not None and w is not None]
            table[group][variant] = {
                "srcc": mean_of(whole) if len(whole) == len(values) else None,
                "difference": mean_of(apart) if variant != first and len(apart) == len(values) else None,
            }
    return table


def page(study: Study, found: Sequence[Found], command: str) -> str:
    """Write the results as a page of Markdown, with the command that makes it."""
    table = table_of(study, found)
    first = next(iter(study.variants))
    lines = [f"# {study.title}", "", *([study.notes.strip(), ""] if study.notes else [])]
    lines += [f"Made by `{command}`. SRCC on `{study.config}/{study.split}`, mean over {len(study.runs)} runs with"]
    lines += [f"Student's 95 % interval, and each run by itself; differences are to `{first}`, run by run.", ""]
    for group, variants in table.items():
        n = "/".join(str(f.n[group]) for f in found if f.variant == first)
        lines += [f"## {group[0].upper()}{group[1:]} (n = {n})", ""]
        lines += ["| variant | SRCC | runs | difference |", "|---|---|---|---|"]
        for variant, of in variants.items():
            mean, apart = of["srcc"], of["difference"]
            runs = " ".join(f"{v:.3f}" for v in mean.values) if mean else ""
            lines.append(f"| {variant} | {_said(mean)} | {runs} | {_said(apart, sign='+') if apart else ''} |")
        lines.append("")
    lines += ["## The recipes", "", "```json"]
    lines += [msgspec.json.format(msgspec.json.encode(plain(study)["train"]), indent=1).decode(), "```", ""]
    changes = [f"- `{v}`: {f'`{json.dumps(c)}`' if c else 'as above'}" for v, c in study.variants.items()]
    trained = [f"- `{run.corpus}`, seed {run.seed}" for run in study.runs]
    return "\n".join([*lines, *changes, "", "Runs (the corpora are relative to the study):", "", *trained, ""])


def _said(mean: Mean | None, sign: str = "") -> str:
    if mean is None:
        return "undefined (constant scores)"
    return f"{mean.mean:{sign}.3f}" + ("" if mean.half is None else f" ± {mean.half:.3f}")
