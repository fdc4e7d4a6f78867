"""An annotation project: a YAML file that says what experts are asked, of which clips, and how they are controlled."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.levels import LEVELS, Level


class AttributeWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An attribute that experts may name: its word, what it looks like, and the key that picks it.

    `over` says whether it is asked of the whole clip, of moments on the timeline, or of both.
    """

    name: str
    hint: str = ""
    key: str | None = None
    over: Literal["whole", "moments", "both"] = "both"


class LevelWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a level means to experts, for the guidelines."""

    level: Level
    hint: str


class Clips(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which clips are shown and from where.

    `records` is a corpus folder or a `records.jsonl`; `root` the folder that media paths are relative to (None: the
    corpus folder). `serve` = `local`: the server reads them from its own disk below its document root; a URL: they are
    fetched from there (with CORS and ranges).
    """

    records: str
    root: str | None = None
    serve: str = "local"
    split: str | None = None


class Predictions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What experts are shown to start from. `scores` is the JSON or CSV that `vqa2 score` writes."""

    ground_truth: bool = False
    metadata: bool = False
    scores: str | None = None


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How raters are controlled: `gold` is a JSONL of annotations that are known to be right.

    `gold_share` and `repeat_share` are shares of all tasks, from 0 to below 1, drawn by the project's seed.
    """

    gold: str | None = None
    gold_share: float = 0.1
    repeat_share: float = 0.05

    def __post_init__(self) -> None:
        """Refuse shares that leave no room for clips."""
        if not (self.gold_share >= 0 and self.repeat_share >= 0 and self.gold_share + self.repeat_share < 1):
            raise ValueError("gold_share and repeat_share are 0 or more, and below 1 together")


class ProjectRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The YAML file of an annotation project.

    `kind` = `depict`: experts describe clips; `review`: reviewers judge the pairs of the JSONL file `pairs`, all of a
    clip at once, or `only` those that a check doubted. `degrees` (weakest first) and `attributes` are the taxonomy's
    where none are given. `raters` is how many judge each clip without seeing one another. `guidelines` is Markdown.
    `qualification` is how many gold clips a rater does first, with feedback, to be let in.
    """

    name: str
    kind: Literal["depict", "review"]
    clips: Clips
    title: str = ""
    guidelines: str = ""
    attributes: list[AttributeWord] = []
    degrees: list[str] = []
    levels: list[LevelWord] = []
    reasons: list[str] = []
    pairs: str | None = None
    only: Literal["all", "doubted"] = "all"
    raters: int = 3
    predictions: Predictions = Predictions()
    control: Control = Control()
    qualification: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse names that are no file names, doubled words, keys that are no single one, and a review of nothing."""
        if not self.name.strip() or set("/\\\n\0") & set(self.name):
            raise ValueError(f"name: a project is called by a plain name, not {self.name!r}")
        names = [attribute.name for attribute in self.attributes]
        keys = [attribute.key for attribute in self.attributes if attribute.key is not None]
        for what, words in (
            ("attributes", names),
            ("keys", keys),
            ("degrees", self.degrees),
            ("reasons", self.reasons),
        ):
            if any(not word.strip() for word in words):
                raise ValueError(f"{what}: a word is blank")
            if twice := [word for word in words if words.count(word) > 1]:
                raise ValueError(f"{what}: {twice[0]!r} is given twice")
        if any(len(key) != 1 for key in keys):
            raise ValueError("attributes: a key is one character")
        if self.levels and [word.level for word in self.levels] != list(LEVELS):
            raise ValueError(f"levels: describe all of {', '.join(LEVELS)}, in this order, or none")
        if (self.kind == "review") != (self.pairs is not None):
            raise ValueError("pairs: a review names the file of its pairs, and nothing else does")
        if self.only != "all" and self.pairs is None:
            raise ValueError("only: says which pairs of a review are judged, this is none")
        if self.raters < 1:
            raise ValueError(f"raters is 1 or more, got {self.raters}")
        if self.qualification < 0:
            raise ValueError(f"qualification is 0 or more, got {self.qualification}")
        if self.qualification and not self.control.gold:
            raise ValueError("qualification: name the gold clips in control.gold")
