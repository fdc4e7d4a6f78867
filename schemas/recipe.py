"""Recipes: one YAML file, read strictly into a struct. An unknown key is an error with its path and the nearest name.

No dotted import paths and no interpolation; `key.path=value` overrides come from the command line.
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
import yaml

from schemas.errors import CallError
from schemas.levels import Direction, RangeMode
from schemas.licence import Terms
from schemas.pair import Family, Trait
from schemas.record import OpinionModel

T = TypeVar("T")

MAX_TIMEOUT = 1e6
"""The longest time, in seconds, that one clip can be given."""


class RecipeError(CallError):
    """A recipe that cannot be used; the message names the file, the key and the nearest valid thing."""


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which columns of a label table hold what. Only `clip` is required.

    `clip` names the media file, with or without its extension; `distortion` holds one name of the taxonomy or several,
    main one first, separated by `;`; `stalls` holds `[[start s, duration s], ...]` of the clip's own playback, empty
    list for a smooth session, an empty cell for a clip that was not streamed. With `subject` every row is one person's
    rating of a clip, and the clip's score is recovered from all of them (`opinion` of the source).
    """

    clip: str
    score: str | None = None
    subject: str | None = None
    std: str | None = None
    ratings: str | None = None
    group: str | None = None
    split: str | None = None
    distortion: str | None = None
    stalls: str | None = None

    def __post_init__(self) -> None:
        """Refuse a table of single ratings that is said to be one of means too."""
        if self.subject is not None and (self.score is None or self.std is not None or self.ratings is not None):
            raise ValueError("subject: single ratings need a score column, and no std or ratings column")


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rating scale of a table and how its scores become levels.

    `lo` and `hi` are the ends of the rating scale: a score outside is quarantined. `range` picks the level range:
    `minmax` (the extremes of the table, the paper's choice), `nominal` (`lo` and `hi`) or `explicit` (`range_lo`,
    `range_hi`). `direction` is `higher_is_better` where nobody says otherwise; a DMOS must have it said, since sets
    differ. `fit_on` says which rows a minmax is fitted on: `all` of the table, or its `train` split.
    """

    lo: float
    hi: float
    direction: Direction | None = None
    range: RangeMode = "minmax"
    range_lo: float | None = None
    range_hi: float | None = None
    fit_on: Literal["all", "train"] = "all"
    kind: Literal["mos", "dmos", "synthetic"] = "mos"

    @property
    def way(self) -> Direction:
        """Which way scores get better."""
        return self.direction or "higher_is_better"

    def __post_init__(self) -> None:
        """Refuse ends that span nothing, a range that is not said in full, and a DMOS of no stated direction."""
        if self.kind == "dmos" and self.direction is None:
            raise ValueError(
                "kind: dmos needs its direction: lower_is_better, or higher_is_better where the set has it"
            )
        if not (math.isfinite(self.lo) and math.isfinite(self.hi) and self.lo < self.hi):
            raise ValueError(f"lo must lie below hi, got {self.lo} and {self.hi}")
        if self.range == "explicit":
            if self.range_lo is None or self.range_hi is None:
                raise ValueError("range: explicit needs range_lo and range_hi")
            if not (math.isfinite(self.range_lo) and math.isfinite(self.range_hi) and self.range_lo < self.range_hi):
                raise ValueError(f"range_lo must lie below range_hi, got {self.range_lo} and {self.range_hi}")


class SourceRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One source of clips: label tables and a folder. Paths are relative to the recipe file.

    `source` names a file of `dataset_builder/sources`; `name` is the prefix of its record ids; `table` is one table or
    a pattern such as `labels_*.csv`; `annotations` is a JSONL file of expert annotations (schema `annotation`).
    A published set knows its `columns`, `licence` and `scale`; `variant` picks one of its scores. `terms` say what the
    licence permits where its name alone does not; `homepage` is where the clips are to be had and `citation` whom to
    cite, for whoever gets the corpus without them. `where` keeps the
    rows whose columns hold the given value, or one of several. `opinion` is the model by which single ratings become a
    score. Published conversations go into the corpus config `config` (None: the one that the source names), with the
    level word that they were published with, or with the one `rederived` from their score. With `sessions`, a JSONL
    file (schema `clip-session`), the rows are about streaming sessions that are rendered from the clips.
    """

    name: str
    table: str
    clips: str
    licence: str | None = None
    terms: Terms | None = None
    homepage: str = ""
    citation: str = ""
    source: str = "table"
    variant: str | None = None
    where: dict[str, str | list[str]] = {}
    columns: Columns | None = None
    scale: Scale | None = None
    opinion: OpinionModel = "mos"
    config: str | None = None
    levels: Literal["published", "rederived"] = "published"
    annotations: str | None = None
    pairs: str | None = None
    verdicts: str | None = None
    sessions: str | None = None
    sheet: str | None = None
    encoding: str | None = None
    separator: str | None = None
    decimal: Literal[".", ","] = "."

    def __post_init__(self) -> None:
        """Refuse what cannot name a source or read a table."""
        if not self.name.strip() or self.name in {".", ".."} or set("/\\\n\0") & set(self.name):
            raise ValueError(f"name: a source is called by a plain word, not {self.name!r}")
        if self.verdicts is not None and self.pairs is None:
            raise ValueError("verdicts: name the pairs that they are of, too")
        if self.pairs is not None and self.annotations is None:
            raise ValueError("pairs: name the annotations that they rest on, too")
        if self.sessions is not None and (self.annotations is not None or self.config is not None):
            raise ValueError("sessions: a source of sessions to be rendered has neither annotations nor config")
        if self.separator is not None and len(self.separator) != 1:
            raise ValueError(f"separator is one character, not {self.separator!r}")
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise ValueError(f"encoding: Python knows no {self.encoding!r}; try utf-8, latin-1 or cp1252") from None


class Distort(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Make stage-1 clips from clean ones: `per_clip` distorted versions of each clip of the named sources.

    `kinds` are files of `dataset_builder/distortions` (empty = all), `severities` run from 1 to 5; kinds and severities
    come equally often in each split. `local_time` and `local_space` are the shares of versions whose distortion lasts
    for 1 to 3 s only, or lies in a quarter of the frame; `second` is the share of versions from severity 3 on that get
    a second distortion, two steps weaker at least, on top of the main one.
    """

    sources: list[str]
    kinds: list[str] = []
    severities: list[int] = msgspec.field(default_factory=lambda: [1, 2, 3, 4, 5])
    per_clip: int = 2
    local_time: float = 0.0
    local_space: float = 0.0
    second: float = 0.0

    def __post_init__(self) -> None:
        """Refuse severities that are none, shares that are none, and nothing to do."""
        if not self.severities or not all(1 <= severity <= 5 for severity in self.severities):
            raise ValueError(f"severities: severity runs from 1 to 5, got {self.severities}")
        if self.per_clip < 1:
            raise ValueError(f"per_clip is 1 or more, got {self.per_clip}")
        for name in ("local_time", "local_space", "second"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, got {getattr(self, name)}")


class SplitShares(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shares of content groups per split; a group's split is drawn from hash(seed, group)."""

    train: float = 0.8
    val: float = 0.0
    test: float = 0.2

    def __post_init__(self) -> None:
        """Refuse shares that do not sum to 1."""
        if not (min(self.train, self.val, self.test) >= 0 and abs(self.train + self.val + self.test - 1) <= 1e-9):
            raise ValueError("split shares are 0 or more and sum to 1")


class PairsRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which of the question-answer pairs that can be made are taken.

    `budget` is the most a clip gives (None = all), 7 as in the paper (118,000 pairs of 16,000 clips), shared out by
    `families`; what one family cannot fill goes to the others. `notes` is of how many of a clip's notes pairs are made
    (None = all): those that agree most with the others, since two raters who disagree answer one question in two ways.
    `caps` are the largest shares that one value of a trait
    may have over all pairs; what is above is left out, drawn by the seed.
    """

    budget: int | None = 7
    families: dict[Family, int] = msgspec.field(
        default_factory=lambda: {
            "quality-centric": 3,
            "temporal-centric": 1,
            "in-context-centric": 1,
            "extended-conversation": 1,
            "causal-analysis": 1,
        }
    )
    notes: int | None = 1
    caps: dict[Trait, float] = msgspec.field(default_factory=lambda: {"yes-no": 0.55, "letter": 0.4})

    def __post_init__(self) -> None:
        """Refuse a budget of nothing, and shares that are none."""
        if self.budget is not None and self.budget < 1:
            raise ValueError(f"budget is 1 or more, got {self.budget}")
        if self.notes is not None and self.notes < 1:
            raise ValueError(f"notes is 1 or more, got {self.notes}")
        if any(wanted < 0 for wanted in self.families.values()):
            raise ValueError("families: each is given 0 pairs or more")
        for trait, cap in self.caps.items():
            if not 0 < cap <= 1:
                raise ValueError(f"caps: {trait} is a share above 0 and at most 1, got {cap}")


class BuiltPairsRecipe(PairsRecipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which pairs a build takes, and what it holds them to.

    With `signal`, claims that the clip's own pixels contradict are found too, which decodes every clip once more.
    `min_acceptance` is the least share of reviewed pairs that reviewers must have accepted or edited, in each family
    and of each generator with 10 verdicts or more.
    """

    signal: bool = False
    min_acceptance: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no pairs can be held to."""
        super().__post_init__()
        if self.min_acceptance is not None and not 0 <= self.min_acceptance <= 1:
            raise ValueError(f"min_acceptance is a share from 0 to 1, got {self.min_acceptance}")


class BuildRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `vqa2 build` makes: from which sources, which stages, worded how, split how.

    `media: copy` puts clips into the corpus as `media/ab/<sha256>.<ext>`; `media: recipes` leaves them out, to be put
    there by `vqa2 regenerate`; `media: reference` leaves them where they are (one source; the reader then gives the
    media root). `max_quarantine` is the most inputs that may end in
    quarantine before `build` exits 1, None = no limit. `timeout` is the most seconds one clip may take.
    """

    name: str
    sources: list[SourceRecipe]
    stages: list[str] = []
    seed: int = 0
    prompts: Literal["published", "varied"] = "published"
    media: Literal["copy", "reference", "recipes"] = "copy"
    split: SplitShares = SplitShares()
    distort: Distort | None = None
    pairs: BuiltPairsRecipe = BuiltPairsRecipe()
    max_quarantine: int | None = None
    timeout: float = 600.0

    def __post_init__(self) -> None:
        """Refuse a recipe of nothing, and numbers that cannot be meant."""
        if not self.name.strip() or set("/\\\n\0") & set(self.name):
            raise ValueError(f"name: a corpus is called by a plain name, not {self.name!r}")
        if not self.sources:
            raise ValueError("sources: name at least one")
        if not 0 < self.timeout <= MAX_TIMEOUT:
            raise ValueError(f"timeout is above 0 and at most {MAX_TIMEOUT:g} seconds, got {self.timeout}")
        if self.max_quarantine is not None and self.max_quarantine < 0:
            raise ValueError(f"max_quarantine is 0 or more, got {self.max_quarantine}")


class TrainStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training stage: on which corpus configs, for how long, how fast, and which parts of the model learn.

    `train` names parts: `vision`, `vision_projector`, `motion`, `motion_projector`, `llm`. Text embeddings stay frozen.
    `media` restricts the samples to images or videos. Exactly one of `epochs` and `steps` is given. Learning rates are
    per AdamW step; `vision_lr` applies to the vision tower alone. `warmup` is the share of the steps over which rates
    rise from 0. `soft_levels` weighs the KL divergence of the level probabilities from the distribution of the opinion
    score, which is added to the loss of the level word (0 = off).
    """

    name: str
    configs: list[str]
    train: list[Literal["vision", "vision_projector", "motion", "motion_projector", "llm"]]
    media: Literal["image", "video", "all"] = "all"
    epochs: float | None = None
    steps: int | None = None
    batch: int = 1
    accumulate: int = 1
    lr: float = 1e-5
    vision_lr: float | None = None
    warmup: float = 0.03
    weight_decay: float = 0.0
    soft_levels: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a stage of no stated length, and numbers that cannot be meant."""
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(f"stage {self.name!r}: give epochs or steps, not both")
        for name, least in (("steps", 1), ("batch", 1), ("accumulate", 1)):
            if (value := getattr(self, name)) is not None and value < least:
                raise ValueError(f"stage {self.name!r}: {name} is {least} or more, got {value}")
        if self.epochs is not None and not 0 < self.epochs < math.inf:
            raise ValueError(f"stage {self.name!r}: epochs is above 0, got {self.epochs}")
        for name in ("lr", "vision_lr", "weight_decay", "soft_levels"):
            if (value := getattr(self, name)) is not None and not 0 <= value < math.inf:
                raise ValueError(f"stage {self.name!r}: {name} is 0 or more, got {value}")
        if not 0 <= self.warmup < 1:  # from 1 on transformers would take it for a number of steps
            raise ValueError(f"stage {self.name!r}: warmup, a share of the steps, is 0 to below 1, got {self.warmup}")


class LoRA(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Low-rank adapters (arXiv 2106.09685) on the linear layers of the language model, and of a learning vision tower.

    A stage's other parts are small and learn whole, with `head` the language model's head too. `bits: 4` keeps the
    language model in 4-bit NormalFloat meanwhile (QLoRA, arXiv 2305.14314). `merge` adds the adapters to the weights at
    the end: a whole checkpoint, where otherwise a folder of adapters that names its base is written.
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    head: bool = False
    bits: Literal[4] | None = None
    merge: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant, and a merge into weights that were rounded."""
        if self.rank < 1 or not 0 < self.alpha < math.inf or not 0 <= self.dropout < 1:
            raise ValueError("lora: rank is 1 or more, alpha above 0, dropout at least 0 and below 1")
        if self.bits and self.merge:
            raise ValueError("lora: 4-bit weights are rounded, so nothing is merged into them: leave out bits or merge")


class Motion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether the motion extractor learns wherever its projector does."""

    train: bool


class Watch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Scoring while training: every so many steps of the stages that train on `config`, which end with their best SRCC.

    `samples` bounds how many are scored, evenly spaced. The test split cannot be watched: choosing by it spoils it.
    """

    config: str = "stage2-ugc"
    split: Literal["val", "train"] = "val"
    every: int = 200
    samples: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        if self.every < 1 or (self.samples is not None and self.samples < 3):
            raise ValueError("watch: every is 1 or more, samples 3 or more")


class TrainRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `vqa2 train` does: start from `preset` (random or released weights) or `model` (a checkpoint folder,
    or one of adapters, which has a preset of its own).

    Paths are relative to the recipe file. `geometry` changes the preset's `model`, `stages` replaces its schedule.
    `media_root` is where the clips of a corpus with `media: reference` lie, `cache` a folder of `vqa2 features` to read
    motion features from. `motion` overrules what the stages say of the extractor. `keep_vision` computes what a vision
    tower that does not learn says of a picture once, and keeps it beside the output. `readers` is how many threads
    decode ahead of the model (None: one a core, at most 8; 0: none). What is needed to go on is saved every
    `save_every` steps. `data` says as which version (REPO@TAG) the corpus was published. With `step`, every step of
    every stage learns from so many samples, over all passes and processes: the stages' `accumulate` follows from it.
    """

    corpus: str
    out: str
    preset: str = "tiny"
    geometry: dict[str, Any] = {}
    model: str | None = None
    stages: list[TrainStage] | None = None
    split: Literal["train", "val", "test"] = "train"
    media_root: str | None = None
    cache: str | None = None
    lora: LoRA | None = None
    motion: Motion | None = None
    watch: Watch | None = None
    keep_vision: bool = False
    readers: int | None = None
    save_every: int = 500
    step: int | None = None
    data: str | None = None
    seed: int = 0
    threads: int | None = None
    bf16: bool = False
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        """Refuse a schedule of nothing, and no thread."""
        if self.stages is not None and not self.stages:
            raise ValueError("stages: name at least one, or leave it out for the preset's schedule")
        if self.geometry and self.model:
            raise ValueError("geometry: a checkpoint has its own, so it goes with a preset alone")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is 1 or more, got {self.threads}")
        if self.readers is not None and self.readers < 0:
            raise ValueError(f"readers is 0 or more, got {self.readers}")
        if self.save_every < 1:
            raise ValueError(f"save_every is 1 or more, got {self.save_every}")
        if self.step is not None and self.step < 1:
            raise ValueError(f"step is 1 or more samples, got {self.step}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is 0 to {2**32 - 1}, got {self.seed}")
        for stage in self.stages or []:
            if not stage.train:
                raise ValueError(f"stage {stage.name!r}: train names one part or more")
            if self.step is not None and stage.accumulate != 1:
                raise ValueError(f"stage {stage.name!r}: accumulate follows from step, so give one of the two")


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses a key that is given twice: one of the two would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build one mapping. Raises yaml.YAMLError naming the key and its line."""
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.YAMLError(f"the key {key.value!r} is given twice (line {key.start_mark.line + 1})")
        return super().construct_mapping(node, deep)


# YAML 1.1, which PyYAML reads, takes 1e-4 for text; YAML 1.2 and people take it for a number.
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789"))


def load(path: Path, kind: type[T], overrides: Sequence[str] = ()) -> T:
    """Read a recipe of `kind` from a YAML file and apply `key.path=value` overrides (values are YAML).

    Raises RecipeError naming the file, the key and the nearest valid key.
    """
    plain = mapping_in(path)
    for override in overrides:
        _override(plain, override)
    return convert(plain, kind, str(path))


def mapping_in(path: Path) -> dict[str, Any]:
    """Read a YAML file that is a mapping of keys. Raises RecipeError naming the file and what is wrong."""
    try:
        plain = yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)  # noqa: S506  # a safe loader, made stricter
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.y*ml")], 1)
        raise RecipeError(f"{path}: no such recipe{_did_you_mean(near)}") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RecipeError(f"{path}: not readable as YAML: {error}") from None
    except RecursionError:
        raise RecipeError(f"{path}: not readable as YAML: it is nested too deep") from None
    if not isinstance(plain, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of keys, this is {type(plain).__name__}")
    return plain


def convert(plain: object, kind: type[T], where: str) -> T:
    """Convert parsed YAML strictly into `kind`. Raises RecipeError naming `where`, the key and the nearest name."""
    _refuse_unknown_keys(plain, kind, where, "")
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise RecipeError(f"{where}: {str(error).replace(' - at `$.', ' at `').replace(' - at `$', ' at `')}") from None


def plain(recipe: object) -> dict[str, Any]:
    """Give a recipe with all defaults written out, as plain values."""
    result: dict[str, Any] = msgspec.to_builtins(recipe)
    return result


def digest(recipe: object) -> str:
    """Hash a resolved recipe (sha256 of its canonical JSON, hex)."""
    return hashlib.sha256(msgspec.json.encode(recipe, order="sorted")).hexdigest()


def _did_you_mean(near: Sequence[str]) -> str:
    return f"; did you mean {near[0]!r}?" if near else ""


def _override(plain: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    if not equals or not path:
        raise RecipeError(f"{override!r}: an override reads key.path=value")
    *parents, last = path.split(".")
    here: Any = plain
    for step in parents:
        if isinstance(here, list) and step.isdigit() and int(step) < len(here):
            here = here[int(step)]
        elif isinstance(here, dict):
            here = here.setdefault(step, {})
        else:
            raise RecipeError(f"{override!r}: there is no {step!r} to set a key of")
    try:
        parsed = yaml.load(value, _Loader)  # noqa: S506  # as files are read
    except (ValueError, yaml.YAMLError) as error:
        raise RecipeError(f"{override!r}: the value is not YAML: {error}") from None
    if isinstance(here, list) and last.isdigit() and int(last) < len(here):
        here[int(last)] = parsed
    elif isinstance(here, dict):
        here[last] = parsed
    else:
        raise RecipeError(f"{override!r}: there is no {last!r} to set")


def _refuse_unknown_keys(plain: object, kind: object, where: str, at: str) -> None:
    """Walk value and type side by side; msgspec finds unknown names too, but cannot name the nearest one."""
    if get_origin(kind) is Literal and isinstance(plain, str) and plain not in get_args(kind):
        known = [str(value) for value in get_args(kind)]
        near = difflib.get_close_matches(plain, known, 1)
        choices = _did_you_mean(near) or f"; there are: {', '.join(known)}"
        raise RecipeError(f"{where}: {at}: {plain!r} is none of its values{choices}")
    if get_origin(kind) is list and isinstance(plain, list):
        for index, item in enumerate(plain):
            _refuse_unknown_keys(item, get_args(kind)[0], where, f"{at}[{index}]")
        return
    structs = [k for k in (kind, *get_args(kind)) if isinstance(k, type) and issubclass(k, msgspec.Struct)]
    if get_origin(kind) is not None and not structs:
        for inner in get_args(kind):
            if get_origin(inner) in (list, Literal) and plain is not None:
                _refuse_unknown_keys(plain, inner, where, at)
        return
    if not structs or not isinstance(plain, dict):
        return
    fields = {f.name: f.type for f in msgspec.structs.fields(structs[0])}
    for key, value in plain.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), list(fields), 1, cutoff=0.5)
            others = "" if near else f"; known keys: {', '.join(fields)}"
            raise RecipeError(f"{where}: unknown key '{at + '.' if at else ''}{key}'{_did_you_mean(near)}{others}")
        _refuse_unknown_keys(value, fields[key], where, f"{at}.{key}" if at else str(key))
