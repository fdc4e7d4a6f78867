"""Judges of open-ended answers: none, verdicts kept in a file, or a language model behind an OpenAI-compatible server.

A verdict is 0, 1 or 2; a judge is asked RUNS times and the mean counts (Q-Bench-Video). Verdicts are kept in a JSON
Lines file, a line per answer and judge: what was judged once is never asked again, and anybody can fill the file. An
answer without a verdict stands there with an empty list, and is left out of the metrics and counted.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Protocol

import msgspec

from schemas.errors import CallError, DataError

RUNS = 5
INSTRUCTION = """\
You grade an answer about the quality of a video against a reference. Words of video and photography count by their
meaning in quality assessment. Give 2 where the answer says all or nearly all that the reference says and nothing that
contradicts it, 1 where it says a part of it, 0 where it says nothing of it or is no answer.

Question: {question}
Reference: {reference}
Answer: {answer}

Reply with the grade alone, in the form Score: N"""
"""Our words for the three grades that Q-Bench-Video defines."""
_SCORE = re.compile(r"score\W{0,8}([012])(?![\d/]|\.\d)|\A\s*([012])\s*\Z", re.IGNORECASE)


class Judged(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One answer and the verdicts of one judge, from 0 to 2; none yet where the list is empty."""

    question: str
    reference: str
    answer: str
    judge: str = ""
    verdicts: list[int] = []

    def __post_init__(self) -> None:
        """Refuse what is no verdict."""
        if any(verdict not in {0, 1, 2} for verdict in self.verdicts):
            raise ValueError(f"verdicts are 0, 1 or 2, not {self.verdicts}")


class Judge(Protocol):
    """Gives verdicts of 0, 1 or 2 on an answer; none where it cannot tell."""

    name: str

    def verdicts(self, question: str, reference: str, answer: str) -> list[int]:
        """Judge one answer."""


class NoJudge:
    """The judge without a network: open-ended answers are left out."""

    name = ""

    def verdicts(self, question: str, reference: str, answer: str) -> list[int]:
        """Give no verdict."""
        return []


class ServerJudge:
    """A language model behind an OpenAI-compatible server; the key is read from OPENAI_API_KEY."""

    def __init__(self, model: str, url: str, runs: int = RUNS) -> None:
        """Take the model's name and the server's URL, such as http://localhost:8000/v1."""
        try:
            import openai
        except ImportError:
            raise CallError('a judge behind a server needs openai: pip install "vqa2[annotation]"') from None
        self.name, self._runs = model, runs
        self._client = openai.OpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"))
        self._failed = openai.OpenAIError

    def verdicts(self, question: str, reference: str, answer: str) -> list[int]:
        """Ask RUNS times. Raises DataError when the server gives no answer; one that is no grade is no verdict."""
        asked = INSTRUCTION.format(question=question, reference=reference, answer=answer)
        found = []
        for _ in range(self._runs):
            try:
                reply = self._client.chat.completions.create(
                    model=self.name, messages=[{"role": "user", "content": asked}]
                )
            except self._failed as error:
                raise DataError(f"the judge {self.name!r} cannot be asked: {error}") from None
            choices = getattr(reply, "choices", None)  # what is no JSON comes as a string
            if not choices or choices[0].message is None:
                raise DataError(f"the judge {self.name!r} gave no answer: its server's reply holds none")
            said = _SCORE.search(choices[0].message.content or "")
            if said:
                found.append(int(said[1] or said[2]))
        return found if len(found) == self._runs else []


class KeptJudge:
    """Verdicts from a file, and of `behind` for what is not in it; new ones are written there at once."""

    def __init__(self, path: Path, behind: Judge | None = None) -> None:
        """Read the file, if it is there. Raises DataError naming a wrong line, CallError for verdicts of two judges."""
        self._path, self._behind = path, behind or NoJudge()
        self._kept: dict[tuple[str, str, str], Judged] = {}
        judges = set()
        for number, line in enumerate(path.read_bytes().splitlines() if path.is_file() else [], 1):
            if not line.strip():
                continue
            try:
                found = msgspec.json.decode(line, type=Judged)
            except msgspec.DecodeError as error:
                raise DataError(f"{path} line {number}: {error}") from None
            if found.verdicts:
                judges.add(found.judge)
            if found.verdicts or _key(found) not in self._kept:
                self._kept[_key(found)] = found
        if self._behind.name:
            judges.add(self._behind.name)
        if len(judges) > 1:
            raise CallError(f"{path} holds verdicts of {' and '.join(sorted(judges))}: keep a file for each judge")
        self.name = next(iter(judges), "")

    def verdicts(self, question: str, reference: str, answer: str) -> list[int]:
        """Give the verdicts kept, or ask, and keep what is found; nothing found is kept as a line to be filled."""
        asked = Judged(question=question, reference=reference, answer=answer)
        kept = self._kept.get(_key(asked))
        if kept and kept.verdicts:
            return kept.verdicts
        found = self._behind.verdicts(question, reference, answer)
        if found or kept is None:
            line = msgspec.structs.replace(asked, judge=self._behind.name, verdicts=found)
            self._kept[_key(asked)] = line
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
        return found


def _key(judged: Judged) -> tuple[str, str, str]:
    return judged.question, judged.reference, judged.answer
