"""Pairs that were made and reviewed before, brought to the records of their clips."""

from __future__ import annotations

import difflib
from pathlib import Path

from dataset_builder.gathering.state import Gathered, PairsRead
from dataset_builder.pairing.reviewed import reviewed
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.pair import Pair, PairVerdict
from schemas.recipe import SourceRecipe
from schemas.sample import PLACEHOLDERS
from schemas.validate import Problem, read_jsonl


def gather_pairs(gathered: Gathered, source: SourceRecipe, folder: Path) -> None:
    """Read a source's pairs and their verdicts; one that is not to be used goes to quarantine with the reason.

    Raises CallError without a file that is named.
    """
    assert source.pairs is not None
    read = PairsRead(source.pairs)
    lines: dict[str, int] = {}
    named: set[str] = set()
    if source.verdicts is not None:
        for line, verdict in read_jsonl(_file(source, folder, source.verdicts), PairVerdict, source.verdicts):
            if isinstance(verdict, Problem):
                gathered.quarantine.append(_row(source, source.verdicts, line, verdict.field or None, verdict.rule))
            elif verdict.pair_id in lines:
                reason = f"{verdict.pair_id!r} is judged in row {lines[verdict.pair_id]} already: keep one"
                gathered.quarantine.append(_row(source, source.verdicts, line, "pair_id", reason))
            else:
                read.verdicts[verdict.pair_id] = verdict
                lines[verdict.pair_id] = line
    known = {
        f"annotation:{annotation.id}": record_id
        for record_id, said in gathered.annotations.items()
        for annotation in said
    }
    for line, pair in read_jsonl(_file(source, folder, source.pairs), Pair, source.pairs):
        if isinstance(pair, Problem):
            gathered.quarantine.append(_row(source, source.pairs, line, pair.field or None, pair.rule))
            continue
        named.add(pair.id)
        reason, field = _problem(gathered, source, pair, known)
        if not reason and pair.id in read.rows:
            reason, field = f"another pair is called {pair.id!r}", "id"
        if not reason:
            read.rows[pair.id] = line
            said = read.verdicts.get(pair.id)
            read.judged += [pair] if said else []
            left, reason = reviewed(pair, said)
            if not reason:
                read.of[pair.record_id].append(left)
        if reason:
            gathered.quarantine.append(_row(source, source.pairs, line, field, reason))
    for name in read.verdicts.keys() - named:
        reason = f"it judges {name!r}, which is no pair of {source.pairs!r}"
        gathered.quarantine.append(_row(source, source.verdicts or "", lines[name], "pair_id", reason))
    gathered.pairs[source.name] = read


def _problem(gathered: Gathered, source: SourceRecipe, pair: Pair, known: dict[str, str]) -> tuple[str, str | None]:
    if not pair.record_id.startswith(f"{source.name}/") or pair.record_id not in gathered.records:
        return f"its clip {pair.record_id!r} is in quarantine, or is none of this source", "record_id"
    if found := next((p for p in PLACEHOLDERS if p in pair.question + pair.answer), None):
        return f"the text holds {found}, which stands for media: write it otherwise", None
    if not pair.question.strip() or not pair.answer.strip():
        return "its question or its answer is empty", None
    for name in pair.evidence:
        if name.startswith("annotation:") and known.get(name) != pair.record_id:
            return (
                f"it rests on {name.partition(':')[2]!r}, which {source.annotations!r} does not say of its clip",
                "evidence",
            )
    return "", None


def _file(source: SourceRecipe, folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise CallError(f"source {source.name!r}: there is no file {name!r}{hint}")
    return path


def _row(source: SourceRecipe, file: str, line: int, field: str | None, reason: str) -> Quarantined:
    return Quarantined(source=source.name, file=file, row=line, field=field, reason=reason)
