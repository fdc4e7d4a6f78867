"""Conversations that others published, made into samples without loss: the row can be written again as it was."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dataset_builder.labels import Conversation, LabelRow
from schemas.levels import LevelScale
from schemas.record import Record
from schemas.sample import PLACEHOLDERS, Provenance, Sample, Turn
from stages import media_ref, target_of_score

_PLACEHOLDER = re.compile("|".join(PLACEHOLDERS))


def sample_of(
    row: LabelRow, records: Sequence[Record], config: str, scale: LevelScale | None, recipe: str, *, rederive: bool
) -> Sample:
    """Make the sample of one published conversation about `records`, in the order in which its text shows them.

    It has a target where its answer says the level that its score makes; with `rederive` the level word of the answer
    is replaced by that level. Raises ValueError if text and media do not match.
    """
    conversation, first = row.conversation, records[0]
    assert conversation is not None
    target = target_of_score(row.score, scale) if row.score and scale and conversation.said else None
    texts, answer = list(conversation.texts), None
    if rederive and target and conversation.said and conversation.said != target.level:
        answer = texts[-1]
        texts[-1] = _with_word(answer, conversation.said, target.level)
    evidence = ["published"]
    if target and conversation.level != target.level:
        evidence.append(f"the published answer says {conversation.said}, the score makes {target.level}")
    if target and not re.search(rf"\b{target.level}\b", texts[-1]):
        target = None
    return Sample(
        id=f"{config}/{first.id}/{row.table}:{row.row}",
        stage=config,
        task="scoring" if target else "published",
        media=[media_ref(record) for record in records],
        turns=[Turn(role="assistant" if index % 2 else "user", text=text) for index, text in enumerate(texts)],
        target=target,
        provenance=Provenance(
            source=first.source,
            licence=first.licence,
            group=first.group,
            wording="published",
            generator="published",
            family="",
            evidence=evidence,
            recipe=recipe,
            original=_original(conversation, answer),
        ),
    )


def published_row(sample: Sample) -> dict[str, Any]:
    """Write the row of a published sample again, as it was. Raises ValueError for a sample that was made here."""
    if not sample.provenance.original:
        raise ValueError(f"{sample.id}: made here, not published elsewhere")
    original = json.loads(sample.provenance.original)
    texts = [turn.text for turn in sample.turns]
    if original["answer"] is not None:
        texts[-1] = original["answer"]
    written = iter(original["written"])
    for turn, text in zip(original["row"]["conversations"], texts, strict=True):
        turn[_text_key(turn)] = _PLACEHOLDER.sub(lambda _: next(written), text)
    row: dict[str, Any] = original["row"]
    return row


def disagreements(rows: Sequence[LabelRow], scale: LevelScale | None) -> list[str]:
    """Tell how often published level words are others than their scores make, with the first row of each kind."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], LabelRow] = {}
    compared, wordless = 0, 0
    for row in rows:
        conversation = row.conversation
        if row.score is None or scale is None or conversation is None:
            continue
        if conversation.said is None:
            wordless += 1
            continue
        compared += 1
        made = scale.level(row.score.value)
        if made != conversation.level:
            counts[conversation.said, made] += 1
            first.setdefault((conversation.said, made), row)
    untold = [f"{wordless} scored answers hold no level word, or several: they get no target"] if wordless else []
    return untold + [
        f"{count} of {compared} answers say {said!r} where the score makes {made!r}"
        f" (first: {first[said, made].table} row {first[said, made].row})"
        for (said, made), count in sorted(counts.items())
    ]


def _original(conversation: Conversation, answer: str | None) -> str:
    row = dict(conversation.row)
    row["conversations"] = [{**turn, _text_key(turn): None} for turn in row["conversations"]]
    original = {"row": row, "written": list(conversation.written), "answer": answer}
    return json.dumps(original, ensure_ascii=False, separators=(",", ":"))


def _text_key(turn: dict[str, Any]) -> str:
    return "value" if "value" in turn else "content"


def _with_word(answer: str, said: str, level: str) -> str:
    """Replace the one level word of an answer, its first letter as large as it was."""

    def written(match: re.Match[str]) -> str:
        return level.capitalize() if match[0][0].isupper() else level

    return re.sub(rf"\b{said}\b", written, answer, flags=re.IGNORECASE)
