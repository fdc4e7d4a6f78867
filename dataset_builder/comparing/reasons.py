"""Why a sample or a record differs: read off the values that differ, never guessed."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.comparison import REASONS, Edit, Reason
from schemas.levels import LEVELS
from schemas.record import Record
from schemas.sample import Sample, Target
from stages.wording.prompts import PUBLISHED, SHORT, VARIED

ANNOTATION, DISTORTION = "annotation:", "distortion:"
"""What the evidence of a pair starts with."""
ROUNDING = 1e-9
"""How far a spread may be off that was brought to one unit range and is looked at on another."""
RECORD_REASONS: dict[str, Reason] = {
    "score": "score",
    "distortions": "distortion",
    "stalls": "distortion",
    "origin": "distortion",
    "licence": "licence",
    "terms": "licence",
    "group": "group",
    "split": "split",
}
_PROVENANCE: dict[str, Reason] = {
    "licence": "licence",
    "group": "group",
    "wording": "prompt",
    "generator": "annotation",
    "family": "annotation",
    "original": "conversation",
}
_SLOT = re.compile(r"\{(\w+)[^}]*\}")
_LEVEL_SAID = re.compile(rf"\b(?:[A-D]\.|(?i:{'|'.join(LEVELS)}))(?!\w)")
"""A level word, or the letter of an option, which moves with it."""


@dataclass(frozen=True)
class Known:
    """What is known of both sides beside a sample: records that differ, scales that do, and notes cited on one side.

    `changed` holds the reasons of records that both sides have; `alone` the records that one of them has not; `moved`
    those whose score makes another level.
    """

    changed: Mapping[str, frozenset[Reason]] = field(default_factory=dict)
    alone: Collection[str] = ()
    moved: Collection[str] = ()
    rescaled: Collection[str] = ()
    cited_once: Container[str] = ()


def in_order(found: Iterable[Reason]) -> list[Reason]:
    """Put reasons into their one order, each once."""
    wanted = set(found)
    return [reason for reason in REASONS if reason in wanted]


def of_record(old: Record, new: Record, edits: Sequence[Edit]) -> list[Reason]:
    """Say why a record differs."""
    found: set[Reason] = set()
    for edit in edits:
        top = edit.field.partition(".")[0]
        if top == "media":
            found.add("place" if edit.field == "media.path" and old.media.sha256 == new.media.sha256 else "clip")
        else:
            found.add(RECORD_REASONS.get(top, "other"))
    return in_order(found)


def of_one_sided(sample: Sample, known: Known, *, asked: bool) -> list[Reason]:
    """Say why a sample is on one side only; `asked` = the other side asks what its config asks."""
    if not asked:
        return ["config"]
    shown = [media.record_id for media in sample.media]
    if any(name in known.alone for name in shown):
        return ["record"]
    provenance = sample.provenance
    changes = {reason for name in shown for reason in known.changed.get(name, ())}
    if provenance.generator == "published":
        return in_order({"conversation", *(changes & {"score", "clip"})})
    found = changes & {"distortion", "clip"}
    if sample.target or _LEVEL_SAID.search(sample.turns[-1].text):
        found |= _of_level(sample, changes, known)
    if provenance.family:
        once = any(evidence in known.cited_once for evidence in provenance.evidence)
        found.add("annotation" if once else "pair")
    return in_order(found or {"other"})


def of_changed(old: Sample, new: Sample, edits: Sequence[Edit], known: Known, *, moved: bool) -> list[Reason]:
    """Say why a sample that both sides have differs; `moved` = it is in another split."""
    changes = {reason for media in new.media for reason in known.changed.get(media.record_id, ())}
    found: set[Reason] = {"split"} if moved else set()
    follows = _follows_level(old, new, changes, known)
    found |= follows
    for edit in edits:
        top, _, rest = edit.field.partition(".")
        if top == "split":
            continue
        if top == "media":
            found |= _of_media(old, new)
        elif top == "target":
            found |= _of_target(old, new, known)
        elif top == "turns":
            found |= set() if follows else _of_text(old, new, changes) | _of_answer(old, new)
        elif edit.field == "provenance.evidence":
            found |= _of_evidence(old, new)
        elif top == "provenance":
            found |= set() if rest == "recipe" else {_PROVENANCE.get(rest, "other")}
        else:
            found.add("other")
    return in_order(found)


def _of_media(old: Sample, new: Sample) -> set[Reason]:
    def but_path(sample: Sample) -> list[tuple[Any, ...]]:
        return [(m.record_id, m.kind, m.sha256, m.frames, m.fps, m.key_frames, m.motion_frames) for m in sample.media]

    return {"clip"} if but_path(old) != but_path(new) else {"place"}


def _of_target(old: Sample, new: Sample, known: Known) -> set[Reason]:
    before, after = old.target, new.target
    if before is None or after is None:
        return {"conversation"} if new.provenance.generator == "published" else {"score"}
    found: set[Reason] = set()
    if before.raw != after.raw or before.synthetic != after.synthetic or _spread_apart(before, after):
        found.add("score")
    rescaled = (before.lo, before.hi) != (after.lo, after.hi) or new.provenance.source in known.rescaled
    if rescaled or (before.raw == after.raw and (before.mos, before.level) != (after.mos, after.level)):
        found.add("cut")
    return found or {"other"}


def _spread_apart(before: Target, after: Target) -> bool:
    """Say whether the ratings spread otherwise: on the raw scale, where the unit range may be another."""
    if before.std is None or after.std is None:
        return before.std is not after.std
    widths = before.hi - before.lo, after.hi - after.lo
    if widths[0] == widths[1]:
        return before.std != after.std
    return not math.isclose(before.std * widths[0], after.std * widths[1], rel_tol=ROUNDING)


def _of_evidence(old: Sample, new: Sample) -> set[Reason]:
    found: set[Reason] = set()
    for evidence in {*old.provenance.evidence} ^ {*new.provenance.evidence}:
        if evidence.startswith(ANNOTATION):
            found.add("annotation")
        elif evidence.startswith(DISTORTION):
            found.add("distortion")
        elif new.provenance.generator == "published" and old.target == new.target:
            found.add("conversation")
    return found


def _of_text(old: Sample, new: Sample, changes: Collection[Reason]) -> set[Reason]:
    """Say why what the user says differs: the wording, or what stands in its slots."""
    before, after = _said(old, "user"), _said(new, "user")
    if before == after:
        return set()
    if new.provenance.generator == "published":
        return {"conversation"}
    slots = _slots(old), _slots(new)
    if slots[0] is None or slots[1] is None:
        return {"prompt"}
    found: set[Reason] = {"prompt"} if old.provenance.wording != new.provenance.wording else set()
    for name in slots[0].keys() & slots[1].keys():
        if slots[0][name] != slots[1][name]:
            if name == "question":
                found.add(_of_pair(new))
            elif name == "stalling":
                media = _of_media(old, new) == {"clip"}  # stalls are told as shares of its length
                found.add("distortion" if "distortion" in changes else "clip" if media else "prompt")
            else:
                found.add("clip")
    return found


def _of_level(sample: Sample, changes: Collection[Reason], known: Known) -> set[Reason]:
    """Say why the level of a clip is another; empty where it is not."""
    if not any(media.record_id in known.moved for media in sample.media):
        return set()
    found: set[Reason] = {"score"} if "score" in changes else set()
    return found | ({"cut"} if sample.provenance.source in known.rescaled else set())


def _follows_level(old: Sample, new: Sample, changes: Collection[Reason], known: Known) -> set[Reason]:
    """Say why a pair differs that does so in level words alone, and those of its clip; empty for another."""
    found = _of_level(new, changes, known) if new.provenance.family and old.turns != new.turns else set()
    if not found:
        return set()
    bare = [[_LEVEL_SAID.sub("", turn.text) for turn in sample.turns] for sample in (old, new)]
    return found if bare[0] == bare[1] else set()


def _of_answer(old: Sample, new: Sample) -> set[Reason]:
    before, after = _said(old, "assistant"), _said(new, "assistant")
    if before == after:
        return set()
    levels = {sample.target.level for sample in (old, new) if sample.target}
    if len(levels) == 2 and _without(before, levels) == _without(after, levels):
        return set()  # the word follows the score and the scale, which are told of already
    if new.provenance.generator == "published":
        return {"conversation"}
    if new.provenance.family:
        return {_of_pair(new)}
    return {"distortion"} if _of_evidence(old, new) == {"distortion"} else {"prompt"}


def _of_pair(sample: Sample) -> Reason:
    ground_truth = all(evidence.startswith(DISTORTION) for evidence in sample.provenance.evidence)
    return "distortion" if ground_truth else "annotation"


def _said(sample: Sample, role: str) -> list[str]:
    return [turn.text for turn in sample.turns if turn.role == role]


def _without(texts: Sequence[str], words: Collection[str]) -> list[str]:
    return [re.sub("|".join(rf"\b{word}\b" for word in words), "", text, flags=re.IGNORECASE) for text in texts]


def _slots(sample: Sample) -> dict[str, str] | None:
    """Give what stands in the slots of a sample's wording; None where its text is not in that wording."""
    pattern = _pattern(sample.provenance.wording.partition("+")[0])  # what is added behind it stands in a slot
    found = pattern.fullmatch(sample.turns[0].text) if pattern and len(sample.turns) == 2 else None
    return found.groupdict() if found else None


@functools.cache
def _pattern(wording: str) -> re.Pattern[str] | None:
    """Give the pattern of a wording, by the name that `stages.wording.prompts.word` gives it."""
    start, _, name = wording.partition("/")
    name, _, index = name.rpartition("/") if start == "varied" else (name, "", "")
    if wording.startswith("ours/short/"):
        short = wording.removeprefix("ours/short/")
        template = SHORT.get(short) or SHORT.get(f"ours/{short}")
    elif start == "varied":
        texts = VARIED.get(name, ())
        template = texts[int(index)] if index.isdigit() and int(index) < len(texts) else None
    else:
        template = PUBLISHED.get(name if start == "published" else wording)
    if template is None:
        return None
    pattern, at = "", 0
    seen: set[str] = set()
    for slot in _SLOT.finditer(template):
        pattern += re.escape(template[at : slot.start()])
        pattern += f"(?P={slot[1]})" if slot[1] in seen else f"(?P<{slot[1]}>.*?)"
        seen.add(slot[1])
        at = slot.end()
    return re.compile(pattern + re.escape(template[at:]), re.DOTALL)
