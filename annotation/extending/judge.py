"""A second model gives each pair 0, 1 or 2 in several rounds; the votes are kept, and bad ones are doubts.

The rounds follow OmniVQA, where a language model scores 0 to 2 three times and any 0 goes to people.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from annotation.extending.answering import UnusableError, answered
from annotation.extending.endpoint import Asking, GaveUpError
from annotation.extending.parse import votes_of
from annotation.extending.prompts import Note, ask_for_votes
from schemas.extension import Judge
from schemas.pair import Doubt, Pair

CHECK = "judge"


def judged(asking: Asking, judge: Judge, note: Note, pairs: Sequence[Pair]) -> list[Pair]:
    """Give the pairs of one note with their votes, and a doubt where a vote is 0, the mean too low, or votes miss.

    Raises what `Asking.ask` raises, but for requests without answer: a round that fails is a round without votes.
    """
    rounds: list[list[int]] = []
    failed = ""
    for number in range(1, judge.rounds + 1):
        request = ask_for_votes(note, pairs, judge, number)
        try:
            rounds.append(answered(asking, request, lambda answer, _: votes_of(answer, len(pairs))))
        except (UnusableError, GaveUpError) as error:
            failed = failed or f"round {number}: {error}"
    done = []
    for index, pair in enumerate(pairs):
        votes = [votes[index] for votes in rounds]
        why = doubt_of(votes, judge) or (f"{len(votes)} of {judge.rounds} votes; {failed}" if failed else "")
        doubts = [*pair.doubts, Doubt(check=CHECK, why=why)] if why else pair.doubts
        checks = pair.checks if why else [*pair.checks, CHECK]
        done.append(msgspec.structs.replace(pair, votes=votes, doubts=doubts, checks=checks))
    return done


def doubt_of(votes: Sequence[int], judge: Judge) -> str:
    """Say why votes leave a doubt, empty if they leave none."""
    shown = ", ".join(map(str, votes))
    if 0 in votes:
        return f"a vote of 0 among {shown}"
    if votes and sum(votes) < judge.mean * len(votes):
        return f"the votes {shown} have a mean below {judge.mean:g}"
    return ""
