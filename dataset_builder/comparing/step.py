"""Which number of a semantic version a change of a corpus moves."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.comparison import ConfigChange, FilesChange, Side, SourceChange, Step


def step_of(
    before: Side,
    after: Side,
    configs: Mapping[str, ConfigChange],
    records: Mapping[str, SourceChange],
    files: FilesChange,
    *,
    same_manifest: bool,
) -> tuple[Step, list[str]]:
    """Name the version step from one corpus to another, and why, in words.

    Major is what breaks whoever relies on the older one: another schema, samples that are gone or in another split,
    level words that are others, clips that come another way. Minor is what else differs of samples and records. Patch
    is what touches neither: the card, quarantine, notes, the recipe's hash in every row.
    """
    found = [source for config in configs.values() for source in config.sources.values()]

    def samples(what: str) -> int:
        return sum(getattr(source, what) for source in found)

    flips = sum(count for source in found for row in source.flips.values() for count in row.values())
    moved = sum(source.why.get("changed", {}).get("split", 0) for source in found)
    schemas = before.schema_version, after.schema_version
    major = [
        *_told(schemas[0].partition(".")[0] != schemas[1].partition(".")[0], f"schema {schemas[0]} to {schemas[1]}"),
        *_told(samples("removed"), f"{samples('removed')} samples removed"),
        *_told(moved, f"{moved} samples in another split"),
        *_told(flips, f"{flips} level flips"),
        *_told(before.media != after.media, f"media {before.media} to {after.media}"),
    ]
    if major:
        return "major", major
    touched = sum(change.added + change.removed + change.changed for change in records.values())
    minor = [
        *_told(schemas[0] != schemas[1], f"schema {schemas[0]} to {schemas[1]}"),
        *_told(samples("added"), f"{samples('added')} samples added"),
        *_told(samples("changed"), f"{samples('changed')} samples changed, no level flips"),
        *_told(touched, f"{touched} records differ"),
    ]
    if minor:
        return "minor", minor
    names = [*files.others, *_told(samples("restamped"), "the recipe's hash")]
    if names or not same_manifest:
        return "patch", [f"only {', '.join(names) or 'the manifest'}"]
    return "none", []


def _told(wanted: object, words: str) -> list[str]:
    return [words] if wanted else []
