"""A comparison: what became of a corpus from one build to another, and why."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from schemas.levels import Level
from schemas.manifest import Quarantined

What = Literal["added", "removed", "changed"]
WHATS: tuple[What, ...] = ("added", "removed", "changed")
Reason = Literal[
    "score",
    "cut",
    "prompt",
    "annotation",
    "pair",
    "distortion",
    "clip",
    "place",
    "split",
    "licence",
    "group",
    "conversation",
    "record",
    "config",
    "other",
]
REASONS: dict[Reason, str] = {
    "score": "the raw score, or the spread of its ratings",
    "cut": "the scale that makes a level of the score",
    "prompt": "the wording",
    "annotation": "what an expert said: evidence, question, answer, generator; or all that rests on a note",
    "pair": "the note or ground truth is used on both sides, this pair of it on one",
    "distortion": "what is known of distortions and stalls",
    "clip": "the clip's bytes, or what is fed of them",
    "place": "where the clip lies, its bytes are the same",
    "split": "train, val or test",
    "licence": "the licence",
    "group": "the content group",
    "conversation": "the published conversation",
    "record": "the clip is in one of the two only",
    "config": "the stage is asked in one of the two only",
    "other": "none of these: the fields tell",
}
"""Why a sample differs, each found in the data of both sides."""
Step = Literal["none", "patch", "minor", "major"]
STEPS: tuple[Step, ...] = ("none", "patch", "minor", "major")
"""Semantic versions: which number a change moves, least first."""


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One value that differs: a dotted key, what it was and what it is; None where it is absent."""

    field: str
    old: Any
    new: Any


class SampleChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One sample that differs. `edits` are all its values that differ, none of an added or removed sample."""

    id: str
    config: str
    source: str
    what: What
    reasons: list[Reason]
    edits: list[Edit] = []


class Flip(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One sample whose level word is another."""

    id: str
    config: str
    source: str
    old: Level
    new: Level
    reasons: list[Reason]


class SourceChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How many samples, or records, of one source differ, why, and how often which level became which.

    `restamped` samples differ in the hash of their recipe alone and are not counted as changed. A change of several
    reasons counts for each of them in `why`.
    """

    added: int = 0
    removed: int = 0
    changed: int = 0
    restamped: int = 0
    why: dict[What, dict[Reason, int]] = {}
    flips: dict[Level, dict[Level, int]] = {}


class ConfigChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What became of one config: how many samples it had and has, and what differs by source."""

    before: int
    after: int
    sources: dict[str, SourceChange]


class QuarantineChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rows in quarantine, how many are new and gone by source, and the first of the new ones."""

    before: int
    after: int
    added: dict[str, int]
    removed: dict[str, int]
    first_added: list[Quarantined]


class FilesChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Files that differ, by folder (`.` = beside the manifest), and the names of those that are neither rows nor media.

    The manifest itself is not among them.
    """

    folders: dict[str, dict[What, int]]
    others: list[str]


class Side(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of the two: as the caller names it, and what its manifest says in short."""

    corpus: str
    name: str
    schema_version: str
    recipe_sha256: str
    media: str
    samples: int
    records: int


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What became of a corpus from `before` to `after`.

    `step` is the number of a semantic version that the change moves, `step_reasons` say why in words. `examples` are
    the first few changes of each config, source, kind and reasons; `flips` the first thousand. `pairs` are the counts
    of pairs that differ, by dotted keys; `recipe`, `scales` and `tools` hold what differs of them.
    """

    before: Side
    after: Side
    step: Step
    step_reasons: list[str]
    configs: dict[str, ConfigChange]
    flips: list[Flip]
    examples: list[SampleChange]
    records: dict[str, SourceChange]
    quarantine: QuarantineChange
    pairs: list[Edit]
    recipe: list[Edit]
    scales: list[Edit]
    tools: list[Edit]
    files: FilesChange
