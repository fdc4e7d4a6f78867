"""The manifest: what a corpus folder holds, written last; and a quarantine row: what it does not hold, and why."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.levels import LevelScale
from schemas.licence import Terms
from schemas.pair import Acceptance


class Quarantined(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One input that gave no sample.

    `source` is the source's name; `file` the table or media file, as the recipe names it; `row` its line (1 = the first
    data row) or None; `field` the column or None; `reason` says what is wrong and what to do; `transient` marks a limit
    of the machine (time, memory), which another run may not meet.
    """

    source: str
    file: str
    row: int | None
    field: str | None
    reason: str
    transient: bool = False


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file of the corpus folder: sha256 in hex and size in bytes."""

    sha256: str
    bytes: int


class ConfigCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many samples one config holds: by split, task, level word, family of pairs, and what generated the text."""

    splits: dict[str, int]
    tasks: dict[str, int]
    levels: dict[str, int]
    families: dict[str, int]
    generators: dict[str, int]


class PairCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What became of the pairs of stage 3.

    `taken` counts those in the corpus by trait and value, `left_out` the others that are right by their reason,
    `doubted` those that a check contradicts, by check. `acceptance` is what reviewers made of pairs that were read from
    files, by family and by generator.
    """

    taken: dict[str, dict[str, int]]
    left_out: dict[str, int]
    doubted: dict[str, int]
    acceptance: list[Acceptance]


class SourceNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One source of the corpus, for whoever uses it: what it is, its terms, where to get it, how many clips are shown.

    `homepage` and `citation` are empty where nobody said them; `rendered` of the `records` were made from others of
    the source (distorted, stalled).
    """

    name: str
    title: str
    homepage: str
    citation: str
    licence: str
    terms: Terms
    records: int
    rendered: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a corpus folder holds. Holds no time, host or path of the machine that made it.

    `pairs` is None without stage 3. `remarks` are what the label tables differ in from what their sets publish, and
    what of them could not be used. `terms` roll up those of all `sources`; `reasons` count what is in quarantine.
    """

    schema_version: str
    name: str
    recipe_sha256: str
    recipe: dict[str, Any]
    tools: dict[str, str]
    scales: list[LevelScale]
    configs: dict[str, ConfigCount]
    media: str
    records: int
    quarantined: int
    transient: int
    files: dict[str, FileEntry]
    pairs: PairCounts | None = None
    remarks: list[str] = []
    sources: list[SourceNote] = []
    terms: Terms = Terms()
    reasons: dict[str, int] = {}
