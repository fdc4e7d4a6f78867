"""What a model answered, as pairs, or the reason why it cannot be used. Nothing is repaired by guessing."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from annotation.extending.ledger import Answer, Request
from annotation.extending.prompts import Note
from schemas.draws import share, shuffled
from schemas.pair import FAMILIES, Family, Form, Pair
from schemas.sample import PLACEHOLDERS
from stages.wording.prompts import CAUSAL_ENDING, CAUSAL_QUESTION

LONGEST_QUESTION = 500
LONGEST_ANSWER = 3000
"""Characters: far beyond what anybody asks or answers; what is sensible is checked later."""
LETTERS = "ABCDEF"
_ONLY_OPEN = frozenset({"extended-conversation", "causal-analysis"})
_SPACE = re.compile(r"\s+")
_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?```\Z", re.DOTALL)
_BEGINS = re.compile(r"\A(yes|no)\b[\s,.:;!–—-]*", re.IGNORECASE)
_LABEL = re.compile(r"\A\(?([A-F])[.):]\s+")
_LISTED = re.compile(r"(?:\A|\s)\(?A[.):]\s.*\s\(?B[.):]\s", re.DOTALL)
_ENDING = re.compile(r"\bhence,? the quality of (?:this|the) \w+ is\b", re.IGNORECASE)


class InvalidError(Exception):
    """An answer cannot be used, and why. `cut`: it was ended before it was complete; `final`: nothing can mend it."""

    def __init__(self, why: str, *, cut: bool = False, final: bool = False) -> None:
        """Take the reason, in words that a model understands too."""
        super().__init__(why)
        self.cut, self.final = cut, final


class _YesNo(msgspec.Struct, forbid_unknown_fields=True, tag_field="form", tag="yes-no"):
    family: Family
    question: str
    yes: bool
    answer: str


class _Choice(msgspec.Struct, forbid_unknown_fields=True, tag_field="form", tag="multiple-choice"):
    family: Family
    question: str
    options: list[str]
    right: int


class _Open(msgspec.Struct, forbid_unknown_fields=True, tag_field="form", tag="open"):
    family: Family
    question: str
    answer: str


_Said = _YesNo | _Choice | _Open


class _Pairs(msgspec.Struct, forbid_unknown_fields=True):
    pairs: list[_Said]


class _Votes(msgspec.Struct, forbid_unknown_fields=True):
    votes: list[Literal[0, 1, 2]]


def pairs_of(answer: Answer, request: Request, note: Note, budget: Mapping[Family, int], seed: int = 0) -> list[Pair]:
    """Make the pairs of the answer to a request. `budget` holds the most of each family that it asked for.

    The order of options is drawn from hash(seed, id of the pair). Raises InvalidError.
    """
    said = _decoded(answer, _Pairs).pairs
    if not said:
        raise InvalidError("it holds no pair")
    counts, digest = Counter(each.family for each in said), request.digest
    for family in FAMILIES:
        if counts[family] > budget.get(family, 0):
            raise InvalidError(f"{counts[family]} pairs of {family}, where at most {budget.get(family, 0)} were wanted")
    made = []
    for number, each in enumerate(said, 1):
        name = f"{note.annotation.id}/llm-{digest[:8]}-{number:02d}"
        try:
            form, question, text = _worded(each, note, name, seed)
        except InvalidError as error:
            raise InvalidError(f"pair {number}: {error}") from None
        made.append(
            Pair(
                id=name,
                record_id=note.record.id,
                family=each.family,
                form=form,
                question=question,
                answer=text,
                evidence=[f"annotation:{note.annotation.id}"],
                generator=f"llm:{request.model}",
                request=digest,
            )
        )
    asked = Counter(_plain(pair.question) for pair in made)
    if twice := [pair.question for pair in made if asked[_plain(pair.question)] > 1]:
        raise InvalidError(f"two pairs ask the same: {twice[0]!r}")
    return made


def votes_of(answer: Answer, count: int) -> list[int]:
    """Give the votes of an answer, one for each of `count` pairs. Raises InvalidError."""
    votes: list[int] = list(_decoded(answer, _Votes).votes)
    if len(votes) != count:
        raise InvalidError(f"{len(votes)} votes for {count} pairs")
    return votes


def _decoded(answer: Answer, kind: type[Any]) -> Any:
    if answer.refusal:
        raise InvalidError("the model refuses", final=True)
    if answer.finish == "content_filter":
        raise InvalidError("the server's filter withheld it", final=True)
    if answer.finish == "length":
        raise InvalidError("it was cut off at the largest number of tokens", cut=True)
    if not answer.content.strip():
        raise InvalidError("it is empty")
    text = answer.content.strip()
    if fenced := _FENCE.match(text):
        text = fenced[1]
    try:
        raw = text.encode()
        json.loads(text, object_pairs_hook=_no_key_twice)
        return msgspec.json.decode(raw, type=kind)
    except UnicodeEncodeError:
        raise InvalidError("it holds half a character") from None
    except RecursionError:
        raise InvalidError("it is nested too deep") from None
    except msgspec.ValidationError as error:
        raise InvalidError(f"it has not the wanted form: {error}") from None
    except ValueError as error:
        raise InvalidError(f"it is no JSON: {error}") from None


def _no_key_twice(items: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in items]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidError(f"the key {twice!r} is given twice")
    return dict(items)


def _worded(said: _Said, note: Note, name: str, seed: int) -> tuple[Form, str, str]:
    """Give form, question and answer of a pair as they stand in a corpus."""
    question = _text(said.question, "question", LONGEST_QUESTION)
    if said.family in _ONLY_OPEN and not isinstance(said, _Open):
        raise InvalidError(f'a pair of {said.family} has the form "open"')
    if _LISTED.search(question):
        raise InvalidError("the question lists options: they stand in options alone")
    if isinstance(said, _YesNo):
        return "yes-no", *_yes_no(said, question, name, seed)
    if isinstance(said, _Choice):
        return "multiple-choice", *_choice(said, question, name, seed)
    answer = _text(said.answer, "answer", LONGEST_ANSWER)
    if said.family == "causal-analysis":
        return "open", *_causal(answer, note)
    return "open", question, answer


def _yes_no(said: _YesNo, question: str, name: str, seed: int) -> tuple[str, str]:
    answer = _text(said.answer, "answer", LONGEST_ANSWER)
    begun = _BEGINS.match(answer)
    if begun and (begun[1].lower() == "yes") != said.yes:
        raise InvalidError(f'"yes" is {str(said.yes).lower()}, but the answer begins with {begun[1]}')
    word, rest = ("Yes" if said.yes else "No"), answer[begun.end() :] if begun else answer
    if share(seed, name, "with options") < 0.5:
        return f"{question} A. Yes B. No", "A. Yes" if said.yes else "B. No"
    if not rest:
        return question, f"{word}."
    return question, f"{word}, {rest if begun else rest[:1].lower() + rest[1:]}"


def _choice(said: _Choice, question: str, name: str, seed: int) -> tuple[str, str]:
    options = [_text(option, "option", LONGEST_QUESTION) for option in said.options]
    labels = [_LABEL.match(option) for option in options]
    if all(label and label[1] == letter for label, letter in zip(labels, LETTERS, strict=False)):
        options = [option[label.end() :] for option, label in zip(options, labels, strict=True) if label]
    if not 2 <= len(options) <= len(LETTERS):
        raise InvalidError(f"{len(options)} options, where 3 or 4 were wanted")
    if len({_plain(option) for option in options}) < len(options):
        raise InvalidError("two options are the same")
    if not 0 <= said.right < len(options):
        raise InvalidError(f'"right" is {said.right}, and there are {len(options)} options, counted from 0')
    right = options[said.right]
    mixed = shuffled(options, seed, name, "order")
    written = [f"{letter}. {option.rstrip('.')}" for letter, option in zip(LETTERS, mixed, strict=False)]
    return f"{question} {' '.join(written)}", written[mixed.index(right)]


def _causal(depiction: str, note: Note) -> tuple[str, str]:
    """Put the published question before a depiction and the published ending behind it."""
    if note.said is None:
        raise InvalidError("causal-analysis was not wanted")
    ending = CAUSAL_ENDING.format(level=note.said).replace("video", note.shown)
    depiction = depiction.removesuffix(ending).rstrip()
    if _ENDING.search(depiction):
        raise InvalidError('the depiction holds an ending "Hence, ..." of its own')
    if not depiction:
        raise InvalidError("the depiction is empty")
    return CAUSAL_QUESTION.replace("video", note.shown), f"{depiction} {ending}"


def _text(text: str, what: str, longest: int) -> str:
    """Give a text on one line. Raises InvalidError for what cannot stand in a corpus."""
    said = _SPACE.sub(" ", text).strip()
    if not said:
        raise InvalidError(f"the {what} is empty")
    if len(said) > longest:
        raise InvalidError(f"the {what} has {len(said)} characters, at most {longest} are taken")
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Co", "Cn"} for letter in said):
        raise InvalidError(f"the {what} holds a control character")
    if found := [name for name in PLACEHOLDERS if name in said]:
        raise InvalidError(f"the {what} holds {found[0]}, which stands for media")
    return said


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()
