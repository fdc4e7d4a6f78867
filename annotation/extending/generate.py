"""Pairs of notes by a language model. Every note gives pairs or quarantine rows, or is left for another call."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from annotation.extending.answering import UnusableError, answered
from annotation.extending.endpoint import (
    JUDGE_VARIABLE,
    VARIABLE,
    Asking,
    GaveUpError,
    OutOfMoneyError,
    StoppedError,
    key_of,
)
from annotation.extending.judge import judged
from annotation.extending.ledger import Answer, Ledger, Request
from annotation.extending.parse import pairs_of
from annotation.extending.prices import Tokens, cost, in_dollars
from annotation.extending.prompts import Note, ask_for_pairs, ask_for_votes, batches, says_something
from dataset_builder.progress import Tracker, untracked
from schemas.errors import DataError
from schemas.extension import LlmRecipe, Price
from schemas.manifest import Quarantined
from schemas.pair import Family, Pair

BYTES_A_TOKEN = 4
TOKENS_A_PAIR = 40
TOKENS_A_VOTE = 4
"""What English takes with common tokenizers, for the lower estimate of `plan`."""


class Raw(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model answered that cannot be used, for people to look at. It is no part of a corpus."""

    annotation: str
    request: str
    families: list[Family]
    reason: str
    text: str


@dataclass(frozen=True)
class Failure:
    """A request that gave no pairs: its quarantine row, and what was answered."""

    row: Quarantined
    raw: Raw


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What became of the notes. `silent` notes say nothing; `left` are those that have requests without answer yet."""

    notes: int
    silent: int
    left: int
    sent: int
    pairs: int
    doubted: int
    quarantined: int
    by_family: dict[str, int]


@dataclass(frozen=True)
class Generated:
    """Pairs by id, what is quarantined, and counts. `stopped` says why notes are left, empty if none are."""

    pairs: list[Pair]
    quarantine: list[Failure]
    counts: Counts
    left: list[str] = field(default_factory=list)
    stopped: str = ""


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a run would send. Tokens and dollars are a low and a high estimate for all that is not answered yet.

    The high one holds every request at its bound, without repairs and tries after failures; dollars are None where a
    model has no price. `judge_requests` assume that every note gives pairs.
    """

    notes: int
    silent: int
    requests: int
    answered: int
    judge_requests: int
    input_tokens: tuple[int, int]
    output_tokens: tuple[int, int]
    dollars: tuple[str, str] | None


@dataclass
class _Done:
    """What became of one note."""

    pairs: list[Pair] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    left: str = ""


def generate(
    notes: Sequence[Note],
    recipe: LlmRecipe,
    ledger: Ledger,
    *,
    track: Tracker = untracked,
    told: Callable[[str], None] = lambda _: None,
) -> Generated:
    """Ask for the pairs of all notes, `in_flight` at once. What the ledger has an answer to is not asked again.

    Order and ids are the same whatever comes first. Where the cap is reached, the rest is `left`.
    Raises CallError where the server cannot be used (what is answered is kept), DataError for two notes of one id, and
    where the ledger cannot be written.
    """
    ordered = _by_id(notes)
    wanted = [note for note in ordered if says_something(note.annotation) and batches(note, recipe)]
    stop = threading.Event()
    done: dict[str, _Done] = {}
    stopped = ""
    with ExitStack() as opened:
        asking, judging = _askings(recipe, ledger, stop, told)
        for each in filter(None, (asking, judging)):
            opened.callback(each.close)
        pool = opened.enter_context(ThreadPoolExecutor(recipe.in_flight, "asking"))
        advance = track("notes", len(wanted))
        try:
            # Beside another run, begin elsewhere: at the same place it would be waited for at every note.
            first = int(ledger.run, 16) % len(wanted) if wanted and ledger.others() else 0
            turned = (*wanted[first:], *wanted[:first])
            futures = {pool.submit(_one, note, recipe, asking, judging): note for note in turned}
            for future in as_completed(futures):
                done[futures[future].annotation.id] = one = future.result()
                if one.left:
                    stop.set()
                    stopped = stopped or one.left
                advance(failed=bool(one.failures or one.left))
        except BaseException:
            # Answers on their way are paid for: they are waited for and kept.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        sent = asking.sent + (judging.sent if judging else 0)
    return _gathered(ordered, wanted, done, sent, stopped)


def plan(notes: Sequence[Note], recipe: LlmRecipe, ledger: Ledger | None, prices: Mapping[str, Price]) -> Plan:
    """Count what `generate` would send, and what that may cost; nothing is sent."""
    ordered = _by_id(notes)
    wanted = [note for note in ordered if says_something(note.annotation) and batches(note, recipe)]
    requests = known = judging = 0
    low, high = Counter[str](), Counter[str]()
    for note in wanted:
        for families in batches(note, recipe):
            request = ask_for_pairs(note, families, recipe)
            requests += 1
            if ledger is not None and ledger.answer(request) is not None:
                known += 1
                continue
            pairs = sum(recipe.budget[family] for family in families)
            _estimate(request, min(pairs * TOKENS_A_PAIR, recipe.max_tokens), low, high)
        if recipe.judge is not None:
            judging += recipe.judge.rounds
            pairs = sum(recipe.budget.get(family, 0) for families in batches(note, recipe) for family in families)
            request = ask_for_votes(note, [], recipe.judge, 1)
            for _ in range(recipe.judge.rounds):
                _estimate(request, pairs * TOKENS_A_VOTE, low, high)
                low[f"{request.model} in"] += pairs * TOKENS_A_PAIR
                high[f"{request.model} in"] += recipe.max_tokens
    models = [recipe.model] + ([recipe.judge.model] if recipe.judge else [])
    return Plan(
        notes=len(ordered),
        silent=len(ordered) - len(wanted),
        requests=requests,
        answered=known,
        judge_requests=judging,
        input_tokens=(_sum(low, " in"), _sum(high, " in")),
        output_tokens=(_sum(low, " out"), _sum(high, " out")),
        dollars=(_dollars(low, prices), _dollars(high, prices)) if set(models) <= set(prices) else None,
    )


def write_raw(path: Path, failures: Iterable[Failure]) -> None:
    """Write what cannot be used as JSON lines, in a file that its owner alone can read."""
    opened = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(opened, "wb") as file:
        for failure in failures:
            file.write(msgspec.json.encode(failure.raw) + b"\n")


def _by_id(notes: Sequence[Note]) -> list[Note]:
    counts = Counter(note.annotation.id for note in notes)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise DataError(f"two annotations are called {twice[0]!r}: their pairs could not be told apart")
    return sorted(notes, key=lambda note: note.annotation.id)


def _askings(
    recipe: LlmRecipe, ledger: Ledger, stop: threading.Event, told: Callable[[str], None]
) -> tuple[Asking, Asking | None]:
    asking = Asking(recipe, ledger, key_of(recipe), stop, told)
    judge = recipe.judge
    if judge is None:
        return asking, None
    # The key of one server is not for another one.
    variables = (JUDGE_VARIABLE, *((VARIABLE,) if judge.base_url == recipe.base_url else ()))
    return asking, Asking(judge, ledger, key_of(judge, variables), stop, told)


def _one(note: Note, recipe: LlmRecipe, asking: Asking, judging: Asking | None) -> _Done:
    """Ask for the pairs of one note, and for the judge's votes on them."""
    done = _Done()
    seed = recipe.seed or 0
    try:
        for families in batches(note, recipe):
            budget = {family: recipe.budget[family] for family in families}
            request = ask_for_pairs(note, families, recipe)

            def read(answer: Answer, made: Request, budget: dict[Family, int] = budget) -> list[Pair]:
                return pairs_of(answer, made, note, budget, seed)

            try:
                done.pairs += answered(asking, request, read)
            except UnusableError as error:
                done.failures.append(_failure(note, families, request, str(error), error.raw, transient=False))
            except GaveUpError as error:
                transient = error.transient
                done.failures.append(_failure(note, families, request, str(error), error.raw, transient=transient))
        if judging is not None and recipe.judge is not None and done.pairs:
            done.pairs = judged(judging, recipe.judge, note, done.pairs)
    except (OutOfMoneyError, StoppedError) as error:
        # All of a note or nothing: half of it would come without the judge's votes.
        return _Done(left=str(error) or "the run was stopped")
    return done


def _failure(
    note: Note, families: Sequence[Family], request: Request, reason: str, raw: str, *, transient: bool
) -> Failure:
    name = note.annotation.id
    row = Quarantined(
        source=note.record.source,
        file=note.record.media.path,
        row=None,
        field=None,
        reason=f"annotation {name}, pairs by {request.model} ({', '.join(families)}): {reason}",
        transient=transient,
    )
    kept = Raw(annotation=name, request=request.digest, families=list(families), reason=reason, text=raw)
    return Failure(row, kept)


def _gathered(
    ordered: Sequence[Note], wanted: Sequence[Note], done: Mapping[str, _Done], sent: int, stopped: str
) -> Generated:
    each = [done[note.annotation.id] for note in wanted]
    pairs = sorted((pair for one in each for pair in one.pairs), key=lambda pair: pair.id)
    failures = [failure for one in each for failure in one.failures]
    left = [note.annotation.id for note, one in zip(wanted, each, strict=True) if one.left]
    counts = Counts(
        notes=len(ordered),
        silent=len(ordered) - len(wanted),
        left=len(left),
        sent=sent,
        pairs=len(pairs),
        doubted=sum(bool(pair.doubts) for pair in pairs),
        quarantined=len(failures),
        by_family=dict(sorted(Counter(pair.family for pair in pairs).items())),
    )
    return Generated(pairs, failures, counts, left, stopped)


def _estimate(request: Request, written: int, low: Counter[str], high: Counter[str]) -> None:
    most = request.most_tokens
    low[f"{request.model} in"] += most.input // BYTES_A_TOKEN
    high[f"{request.model} in"] += most.input
    low[f"{request.model} out"] += min(written, most.output)
    high[f"{request.model} out"] += most.output


def _sum(tokens: Counter[str], kind: str) -> int:
    return sum(count for name, count in tokens.items() if name.endswith(kind))


def _dollars(tokens: Counter[str], prices: Mapping[str, Price]) -> str:
    models = {name.rpartition(" ")[0] for name in tokens}
    costs = (cost(Tokens(tokens[f"{model} in"], tokens[f"{model} out"]), prices[model]) for model in models)
    return f"{in_dollars(sum(costs)):f}"
