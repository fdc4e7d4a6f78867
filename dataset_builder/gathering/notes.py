"""What `annotate agree` and `extend` left beside the annotations and pairs of a source, for the card and the report.

Both may be absent: annotations can come from anywhere. What is there and cannot be read is told among the remarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from schemas.notes import AgreementNote, LedgerNote, Notes
from schemas.recipe import SourceRecipe

AGREEMENT = "agreement.json"
SPENT = "spent.json"


def gather_notes(sources: Sequence[SourceRecipe], folder: Path, remarks: list[str]) -> Notes:
    """Read the notes of all sources; what cannot be read goes to `remarks`."""
    notes = Notes()
    for source in sources:
        for named in (source.annotations, source.verdicts):
            if named and (told := _read(source, (folder / named).parent / AGREEMENT, remarks, _agreement)):
                notes.agreement.append(told)
        if source.pairs and (told := _read(source, (folder / source.pairs).parent / SPENT, remarks, _ledger)):
            notes.ledgers.append(told)
    return notes


def _read(source: SourceRecipe, path: Path, remarks: list[str], note_of: Any) -> Any:
    if not path.is_file():
        return None
    try:
        return note_of(source.name, orjson.loads(path.read_bytes()))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        remarks.append(
            f"{source.name}: {path.name} beside its files cannot be read, so nothing is told of it: {error!r}"
        )
        return None


def _agreement(source: str, told: dict[str, Any]) -> AgreementNote:
    level, score, words = told["level"] or {}, told["score"] or {}, told["descriptions"] or {}
    interval = level.get("interval_of_ordinal")
    return AgreementNote(
        source=source,
        project=told["project"],
        kind=told["kind"],
        raters=len(told["raters"]),
        excluded=sum(rater["state"] == "excluded" for rater in told["raters"]),
        annotations=told["written"]["annotations"],
        level_alpha=level.get("ordinal"),
        level_alpha_95=None if interval is None else (interval[0], interval[1]),
        level_kappa=level.get("kappa"),
        score_icc=score.get("icc_one"),
        attributes_f1=words.get("set_f1"),
    )


def _ledger(source: str, told: dict[str, Any]) -> LedgerNote:
    kept = ("requests", "answered", "input_tokens", "output_tokens", "spent", "held", "models")
    return LedgerNote(source=source, **{name: told[name] for name in kept})
