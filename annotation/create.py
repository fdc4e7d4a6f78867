"""From records and one YAML file to the folder of an annotation project."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from annotation.folder import (
    CONFIG,
    MEDIA,
    PROJECT,
    ROLES,
    SERVER,
    Project,
    Task,
    TaskRole,
    config_digest,
    write_project,
)
from annotation.guidelines import guideline_page, instruction
from annotation.labeling import attributes_of, controls_of, degrees_of, labeling_config, nearest
from annotation.media_urls import PROXIES, Local, Remote
from annotation.predictions import Model, predict, predicted_pairs, problem_of, read_scores
from annotation.proxies import Proxy, make_proxies
from annotation.tasks import (
    Names,
    Wanted,
    choose,
    data_of,
    gold_by_record,
    read_clips,
    read_rows,
    review_data,
    role_of,
)
from dataset_builder.progress import Tracker, untracked
from schemas.annotation import Annotation
from schemas.draws import share
from schemas.errors import CallError, DataError
from schemas.pair import Pair
from schemas.project import ProjectRecipe
from schemas.recipe import digest, load, plain
from schemas.record import Record

EVERYONE = 1000
"""How many raters may do each task of a qualification: as many as come."""
MOST_NAMED = 20
"""How many files a message names at most."""


@dataclass(frozen=True)
class Means:
    """By what a project is made: the server's document root, where work is kept, processes, seconds a clip.

    Without a document root it is the folder that holds both the clips and the project. `annotations` are what the pairs
    of a review rest on, shown beside them.
    """

    document_root: Path | None = None
    work: Path | None = None
    annotations: Path | None = None
    workers: int | None = None
    timeout: float = 600.0
    track: Tracker = untracked


BY_DEFAULT = Means()


@dataclass
class Created:
    """What was made, to be told: counts of tasks, and what was left out and why."""

    folder: str
    kind: str
    tasks: int = 0
    clips: int = 0
    gold: int = 0
    repeats: int = 0
    raters: int = 0
    pairs: int = 0
    predicted: int = 0
    proxies: dict[str, int] = field(default_factory=dict)
    dropped_frames: int = 0
    document_root: str | None = None
    local_media: list[str] = field(default_factory=list)
    upload: str | None = None
    qualification: str | None = None
    qualification_tasks: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Given:
    """All that tasks are made of."""

    recipe: ProjectRecipe
    base: Path
    config: str
    root: Path
    records: dict[str, Record]
    gold: dict[str, Annotation]
    pairs: dict[str, list[Pair]]
    annotations: dict[str, Annotation]
    model: Model


def create(path: Path, out: Path | None = None, overrides: Sequence[str] = (), means: Means = BY_DEFAULT) -> Created:
    """Make the folder of a project, `<name>-project` where `out` is not given; a second run gives the same bytes.

    With `qualification` in the recipe a second folder beside it, `<name>-qualification-project`, is made of gold clips.
    Raises CallError for a call or recipe that cannot be followed, DataError naming what is wrong with the data.
    """
    recipe = load(path, ProjectRecipe, overrides)
    _refuse_contradictions(recipe)
    folder = out or Path(f"{recipe.name}-project")
    config = labeling_config(recipe)
    _refuse_other_project(folder, config)
    told = Created(str(folder), recipe.kind, raters=recipe.raters)
    given = _read(recipe, path.parent, config, means, told)
    ranked = sorted(given.gold, key=lambda name: share(recipe.seed, "qualification", name))
    if recipe.qualification > len(ranked):
        raise CallError(f"qualification: {recipe.qualification} gold clips are asked for, there are {len(ranked)}")
    first = ranked[: recipe.qualification]
    usable = [record for name, record in given.records.items() if name not in first]
    wanted = choose(usable, set(given.gold) - set(first), recipe.control, recipe.seed)
    if not any(task.role == "clip" for task in wanted):
        raise CallError("clips: there is nothing to annotate: the answer of every clip is known")
    told.left_out["gold clips that the share has no room for"] = (
        len(ranked) - len(first) - sum(task.role == "gold" for task in wanted)
    )
    shown = {task.record.id: task.record for task in wanted} | {name: given.records[name] for name in first}
    media = _Media.of(given, shown, folder, means, told)
    _write(folder, given, wanted, media, told)
    if first:
        beside = folder.parent / f"{recipe.name}-qualification-project"
        _refuse_other_project(beside, config)
        _write_qualification(beside, given, [Wanted(given.records[name], "gold") for name in first], media)
        told.qualification, told.qualification_tasks = str(beside), len(first)
    told.left_out = {reason: count for reason, count in told.left_out.items() if count}
    return told


def _refuse_contradictions(recipe: ProjectRecipe) -> None:
    asked = recipe.predictions
    if recipe.kind == "review" and (asked.ground_truth or asked.metadata or asked.scores):
        raise CallError("predictions: a review starts from its pairs: leave them out")
    if recipe.kind == "review" and recipe.control.gold:
        raise CallError("control.gold: known answers are of clips that are depicted: a review has none")


def _refuse_other_project(folder: Path, config: str) -> None:
    """Keep what people answered to one config from being mixed with another's."""
    if folder.is_dir() and not (folder / PROJECT).is_file() and any(p.name != MEDIA for p in folder.iterdir()):
        raise CallError(f"{str(folder)!r} is there and is no annotation project: name another folder with --out")
    kept = folder / CONFIG
    if (
        (folder / SERVER).is_file()
        and kept.is_file()
        and config_digest(config) != config_digest(kept.read_text("utf-8"))
    ):
        raise CallError(
            f"{str(folder)!r} is on a server with another labeling config, and answers to it would be lost: make a new "
            "project with another name, or name another folder with --out"
        )


def _read(recipe: ProjectRecipe, base: Path, config: str, means: Means, told: Created) -> _Given:
    """Read and hold to one another all files that a recipe names."""
    every = read_clips(recipe.clips, base)
    records = {record.id: record for record in every if record.media.kind == "video"}
    told.left_out["still images: the player shows videos only"] = len(every) - len(records)
    if not records:
        raise CallError(f"clips.records: {recipe.clips.records!r} has still images only, the player shows videos")
    names = Names(records.values())
    gold: dict[str, Annotation] = {}
    pairs: defaultdict[str, list[Pair]] = defaultdict(list)
    annotations: dict[str, Annotation] = {}
    model: dict[str, tuple[str, float]] = {}
    if recipe.control.gold:
        gold = gold_by_record(read_rows(base / recipe.control.gold, Annotation), names, recipe.control.gold)
        _refuse_unasked(recipe, gold)
    if recipe.pairs:
        every_pair = read_rows(base / recipe.pairs, Pair)
        wanted = [pair for pair in every_pair if recipe.only == "all" or pair.doubts]
        told.left_out["pairs that no check doubts"] = len(every_pair) - len(wanted)
        stills = Names(record for record in every if record.media.kind != "video")
        shown = [pair for pair in wanted if stills.find(pair.record_id) is None]
        told.left_out["pairs of still images"] = len(wanted) - len(shown)
        for pair in shown:
            pairs[names.get(pair.record_id, f"{recipe.pairs}: {pair.id}")].append(pair)
        told.left_out["clips without a pair"] = len(records) - len(pairs)
        told.pairs = sum(map(len, pairs.values()))
        records = {name: record for name, record in records.items() if name in pairs}
        if not records:
            what = "none is doubted" if every_pair else "there are none"
            raise CallError(f"pairs: {what} in {recipe.pairs!r}")
    if means.annotations:
        annotations = {annotation.id: annotation for annotation in read_rows(means.annotations, Annotation)}
    if recipe.predictions.scores:
        model, unknown = read_scores(base / recipe.predictions.scores, names.find)
        told.left_out["scores of other clips"] = unknown
        if not model:
            raise CallError(f"predictions.scores: {recipe.predictions.scores!r} scores none of the clips")
    root = recipe.clips.root
    corpus = base / recipe.clips.records
    folder = base / root if root is not None else corpus if corpus.is_dir() else corpus.parent
    return _Given(recipe, base, config, folder, records, gold, dict(pairs), annotations, model)


def _refuse_unasked(recipe: ProjectRecipe, gold: Mapping[str, Annotation]) -> None:
    """Refuse known answers in words that raters cannot give."""
    known = {word.name: word.over for word in attributes_of(recipe)}
    for name, answer in gold.items():
        for attribute in answer.attributes:
            for what, word, words in (
                ("attribute", attribute.name, list(known)),
                ("degree", attribute.degree, list(degrees_of(recipe))),
            ):
                if word not in words:
                    where = f"{recipe.control.gold}: {answer.id} ({name})"
                    raise DataError(f"{where}: the project asks for no {what} {word!r}{nearest(word, words)}")


@dataclass(frozen=True)
class _Media:
    """Where each clip is fetched from, and what stands in for it."""

    urls: dict[str, str]
    proxies: dict[str, Proxy]
    local: list[str]

    @classmethod
    def of(cls, given: _Given, shown: Mapping[str, Record], folder: Path, means: Means, told: Created) -> _Media:
        """Find all files, make the proxies that are needed, and name the URLs."""
        recipe = given.recipe
        files = {name: given.root / record.media.path for name, record in shown.items()}
        if missing := [name for name, file in files.items() if not file.is_file()]:
            lines = [f"{name}: there is no file {str(files[name])!r}" for name in missing[:MOST_NAMED]]
            more = [f"and {len(missing) - MOST_NAMED} more"] if len(missing) > MOST_NAMED else []
            raise DataError("\n".join([*lines, *more, "clips.root names the folder that media paths are relative to"]))
        work = means.work or folder.with_name(f"{folder.name}.work")
        remote = None if recipe.clips.serve == "local" else Remote(recipe.clips.serve)
        local = Local(means.document_root or _common(given.root, folder))
        secret = [folder / ROLES, given.base / recipe.clips.records]
        secret += [given.base / name for name in (recipe.control.gold, recipe.predictions.scores) if name]
        if remote is None:  # a wrong place is told before proxies are made for hours
            local.folders(files.values(), folder / MEDIA, secret)
        proxies = make_proxies(
            [shown[name] for name in sorted(shown)],
            files,
            folder / MEDIA,
            work,
            workers=means.workers,
            timeout=means.timeout,
            track=means.track,
        )
        told.proxies = dict(sorted(Counter(proxy.reason for proxy in proxies.values()).items()))
        told.dropped_frames = sum(proxy.dropped for proxy in proxies.values())
        if remote is not None:
            urls = {name: remote.url(record.media.path) for name, record in shown.items()}
            urls |= {name: remote.url(f"{PROXIES}/{proxy.path}") for name, proxy in proxies.items()}
            told.upload = f"{folder / MEDIA} to {remote.url(PROXIES)}" if proxies else None
            return cls(urls, proxies, [])
        played = {name: folder / MEDIA / proxies[name].path if name in proxies else files[name] for name in shown}
        plain_files = [file for name, file in files.items() if name not in proxies]
        served = local.folders(plain_files, folder / MEDIA if proxies else None, secret)
        told.document_root, told.local_media = str(local.root.resolve()), served
        return cls({name: local.url(file) for name, file in played.items()}, proxies, served)


def _common(clips: Path, folder: Path) -> Path:
    """Give the folder that holds both, as the document root where none is named."""
    parents = (clips.resolve(), folder.resolve())
    return next(above for above in parents[0].parents if parents[1].is_relative_to(above))


def _write(folder: Path, given: _Given, wanted: Sequence[Wanted], media: _Media, told: Created) -> None:
    tasks, roles = _tasks(given, wanted, media)
    count = Counter(role.role for role in roles)
    told.tasks, told.clips, told.gold, told.repeats = len(tasks), count["clip"], count["gold"], count["repeat"]
    told.predicted = sum(bool(task.predictions) for task in tasks)
    shown = {role.record_id for role in roles if role.role == "gold"}
    write_project(
        folder,
        project=_project(given, media),
        config=given.config,
        tasks=tasks,
        roles=roles,
        gold=_named(given, shown),
        pairs=[pair for name in sorted(given.pairs) for pair in given.pairs[name]],
        guidelines=guideline_page(given.recipe),
    )


def _write_qualification(folder: Path, given: _Given, wanted: Sequence[Wanted], media: _Media) -> None:
    """Write the project of gold clips, which starts from nothing: a rater shall see for himself."""
    tasks, roles = _tasks(given, wanted, media, salt="qualification")
    write_project(
        folder,
        project=_project(given, media, qualification=True),
        config=given.config,
        tasks=[msgspec.structs.replace(task, predictions=[]) for task in tasks],
        roles=roles,
        gold=_named(given, {role.record_id for role in roles}),
        guidelines=guideline_page(given.recipe, qualification=True),
    )


def _named(given: _Given, names: Collection[str]) -> list[Annotation]:
    """Give the known answers of clips, by the ids of their records."""
    return [msgspec.structs.replace(given.gold[name], clip=name) for name in sorted(names)]


def _project(given: _Given, media: _Media, *, qualification: bool = False) -> Project:
    recipe = given.recipe
    title = recipe.title or recipe.name
    return Project(
        name=f"{recipe.name}-qualification" if qualification else recipe.name,
        kind=recipe.kind,
        title=f"{title} (qualification)" if qualification else title,
        raters=EVERYONE if qualification else recipe.raters,
        seed=recipe.seed,
        config_sha256=config_digest(given.config),
        recipe=plain(recipe),
        recipe_sha256=digest(recipe),
        qualification=qualification,
        instruction=instruction(recipe, qualification=qualification),
        local_media=media.local,
    )


def _tasks(given: _Given, wanted: Sequence[Wanted], media: _Media, salt: str = "") -> tuple[list[Task], list[TaskRole]]:
    """Make the tasks and their roles, by key: the order tells nothing. Raises DataError for a wrong prediction."""
    controls, digest_of_config = controls_of(given.config), config_digest(given.config)
    tasks, roles = [], []
    for task in wanted:
        record = task.record
        role = role_of(task, given.recipe.seed, digest_of_config, salt)
        data = data_of(role.key, record, media.proxies.get(record.id), media.urls[record.id])
        pairs = given.pairs.get(record.id, [])
        if given.recipe.kind == "review":
            data |= review_data(record, pairs, given.annotations)
            predictions = predicted_pairs(pairs)
        else:
            predictions = predict(given.recipe, record, data["fps"], data["frames"], given.model)
        for prediction in predictions:
            if problem := problem_of(prediction.result, controls, data["frames"], len(pairs)):
                raise DataError(f"{record.id}: its prediction does not fit the config: {problem}")
        tasks.append(Task(key=role.key, data=data, predictions=predictions))
        roles.append(role)
    return sorted(tasks, key=lambda task: task.key), sorted(roles, key=lambda role: role.key)


def show(told: Created) -> list[str]:
    """Put what was made into lines for a person."""
    lines = [
        f"{told.folder}: {told.tasks} tasks ({told.clips} clips, {told.gold} of a known answer, "
        f"{told.repeats} repeats), {told.raters} raters each, {told.predicted} with a prediction"
    ]
    if told.kind == "review":
        lines.append(f"{told.pairs} pairs to review")
    lines += [f"{count} clips are judged on a proxy: {reason}" for reason, count in told.proxies.items()]
    if told.dropped_frames:
        lines.append(f"{told.dropped_frames} frames are not shown by proxies: they come faster than any constant rate")
    lines += [f"left out: {count} {what}" for what, count in told.left_out.items()]
    if told.qualification:
        lines.append(f"{told.qualification}: {told.qualification_tasks} tasks")
    if told.local_media:
        lines.append(f"the server reads {', '.join(told.local_media)} below its document root {told.document_root}")
    if told.upload:
        lines.append(f"to be copied: {told.upload}")
    return lines
