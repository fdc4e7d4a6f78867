"""The ledger: what a model was asked, what it answered, and what that costs or may have cost.

A request is in the ledger before it is sent, with the most that it can cost; its answer is in the ledger before it is
used. What was sent and has no answer, for whatever reason, stays counted as if it had been billed in full, unless it
surely was not. Any number of threads and processes may share one ledger.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import threading
import time
import unicodedata
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from annotation.extending.prices import Tokens, cost, in_dollars, picodollars
from schemas.errors import CallError, DataError
from schemas.extension import Price

LAYOUT = 1
BUSY_SECONDS = 120.0
"""How long a transaction waits for those of other processes: one takes milliseconds, a slow disk some seconds."""
TOKENS_A_REQUEST = 256
TOKENS_A_MESSAGE = 64
"""What chat templates put around messages, counted generously: a default system text, dates, marks of turns."""
BEYOND = 100

_TABLES = (
    "CREATE TABLE request (digest TEXT PRIMARY KEY, model TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE run (name TEXT PRIMARY KEY, started REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE attempt (id INTEGER PRIMARY KEY, digest TEXT NOT NULL REFERENCES request, "
    "run TEXT NOT NULL REFERENCES run, started REAL NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL DEFAULT '', "
    "input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 0, "
    "reserved INTEGER, counted INTEGER)",
    "CREATE INDEX attempt_digest ON attempt (digest)",
    "CREATE INDEX attempt_unpriced ON attempt (id) WHERE counted IS NULL",
    "CREATE INDEX attempt_flying ON attempt (run) WHERE state = 'in flight'",
    "CREATE TABLE answer (digest TEXT PRIMARY KEY REFERENCES request, attempt INTEGER NOT NULL REFERENCES attempt, "
    "body TEXT NOT NULL) WITHOUT ROWID",
    # The sum of what is counted; to add it up anew for every request would take longer with every request.
    "CREATE TABLE total (counted INTEGER NOT NULL)",
    "INSERT INTO total VALUES (0)",
    "CREATE TRIGGER entered AFTER INSERT ON attempt BEGIN "
    "UPDATE total SET counted = counted + coalesce(NEW.counted, 0); END",
    "CREATE TRIGGER recounted AFTER UPDATE OF counted ON attempt BEGIN "
    "UPDATE total SET counted = counted - coalesce(OLD.counted, 0) + coalesce(NEW.counted, 0); END",
)

State = Literal["in flight", "answered", "possibly billed", "free"]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that an answer depends on. The address of the server is no part of it.

    A server moves to another port, behind a tunnel or to another host; the model and what it is asked stay the same,
    and nobody wants to pay for the answer again.
    """

    model: str
    parameters: dict[str, Any]
    messages: list[dict[str, str]]
    schema: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """The canonical JSON: keys sorted, no spaces, ASCII."""
        return json.dumps(msgspec.structs.asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def digest(self) -> str:
        """The sha256 of the canonical JSON, in hex: the request's address."""
        return _digest(self.text)

    @property
    def most_tokens(self) -> Tokens:
        """The most tokens that it can hold and be answered with.

        A byte-level tokenizer makes at most one token of a byte of UTF-8; some normalise first (NFKC), which can make
        text longer. The schema is counted as text, for some servers put it into the prompt.
        """
        texts = [*(text for message in self.messages for text in message.values())]
        if self.schema is not None:
            texts.append(json.dumps(self.schema, ensure_ascii=False))
        read = sum(max(_bytes(text), _bytes(unicodedata.normalize("NFKC", text))) for text in texts)
        extra = TOKENS_A_REQUEST + TOKENS_A_MESSAGE * len(self.messages)
        return Tokens(input=read + extra, output=int(self.parameters["max_tokens"]))


class Answer(msgspec.Struct, frozen=True):
    """What a server answered: the text, or its refusal, why it ended, and the tokens that it says it took."""

    content: str
    finish: str = "stop"
    refusal: str = ""
    usage: Tokens | None = None


@dataclass(frozen=True)
class Attempt:
    """One sending of a request that is entered and may now be made, once."""

    id: int
    digest: str
    number: int


@dataclass(frozen=True)
class NotYet:
    """The request cannot be sent now, but perhaps soon: another one asks it already, or holds the money for it."""

    why: Literal["asked already", "money is held"]


@dataclass(frozen=True)
class NoRoom:
    """The request cannot be sent: it may cost `needed` dollars, and `left` are left of the cap."""

    needed: Decimal
    left: Decimal


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a ledger holds. Amounts are dollars; `unpriced` counts attempts whose model has no price.

    `spent` is what answers cost by the tokens that the server told; `held` is what may have been billed without one:
    attempts in flight, and those whose answer was lost. `beyond` counts answers that took more than was reserved.
    """

    requests: int
    answered: int
    attempts: int
    in_flight: int
    possibly_billed: int
    free: int
    unpriced: int
    beyond: int
    input_tokens: int
    output_tokens: int
    spent: str
    held: str
    models: dict[str, int]


class Ledger:
    """An SQLite file of requests, attempts and answers, and a lock file for each process that works with it.

    `cap` is the most that all of the ledger may have cost, in dollars, None = no cap; it holds for what is begun
    through this object. Raises CallError where the file is no ledger, cannot be written, or holds attempts of models
    without a price while a cap is given.
    """

    def __init__(self, path: Path, prices: Mapping[str, Price], cap: Decimal | None = None) -> None:
        """Open a ledger, or make one that its owner alone can read: notes and answers stand in it."""
        self.path, self.cap = path, cap
        self._prices = dict(prices)
        self._cap = None if cap is None else picodollars(cap)
        self._lock = threading.RLock()
        self._locks = path.with_name(path.name + ".runs")
        self.run = uuid.uuid4().hex
        self._alive = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path)
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                self._open()
            except BaseException:
                self._db.close()
                self._let_go()
                raise
        except OSError as error:
            raise CallError(f"{path}: the ledger cannot be written: {error.strerror}") from None
        except sqlite3.DatabaseError as error:
            raise CallError(f"{path}: not usable as a ledger: {error}") from None

    def _open(self) -> None:
        layout, tables = self._one("PRAGMA user_version"), self._one("SELECT count(*) FROM sqlite_master")
        if layout != LAYOUT and (layout or tables):
            raise CallError(f"{self.path}: no ledger of layout {LAYOUT}: name another file")
        self._db.execute("PRAGMA journal_mode = WAL")
        # FULL: what is committed survives a power cut too. NORMAL would forget the last answers, which are paid for.
        self._db.execute("PRAGMA synchronous = FULL")
        self._locks.mkdir(mode=0o700, exist_ok=True)
        self._alive = _hold(self._locks / self.run)
        with self._transaction():
            if self._one("PRAGMA user_version") == 0:
                for statement in _TABLES:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {LAYOUT}")
            self._db.execute("INSERT INTO run VALUES (?, ?)", (self.run, time.time()))
            self._bury()
            self._price()
            if self._cap is not None and (unpriced := self._one(_UNPRICED)):
                models = [row[0] for row in self._db.execute(_UNPRICED_MODELS)]
                raise CallError(
                    f"{self.path}: {unpriced} attempts have no price, so no cap can be kept: give prices of "
                    f"{', '.join(models)}"
                )

    def close(self) -> None:
        """Close the file; attempts in flight stay counted."""
        with self._lock:
            self._db.close()
            self._let_go()

    def __enter__(self) -> Ledger:
        """Give the ledger."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    # What is asked of it.

    def answer(self, request: Request) -> Answer | None:
        """Give the answer to a request, None where there is none yet."""
        with self._lock:
            return self._answer(request.digest)

    def begin(self, request: Request) -> Answer | Attempt | NotYet | NoRoom:
        """Enter an attempt of a request, so that it may be sent, or say why not; an answer that is there is given.

        All in one transaction: nothing is sent twice at a time, and what is begun is within the cap even if all of it
        is billed in full.
        """
        text = request.text
        digest = _digest(text)
        most = request.most_tokens
        price = self._prices.get(request.model)
        reserve = None if price is None else cost(most, price)
        if reserve is None and self._cap is not None:
            raise CallError(f"no price is known of {request.model!r}: nothing can be kept below {self.cap} dollars")
        with self._transaction():
            if (answer := self._answer(digest)) is not None:
                return answer
            self._bury()
            if self._one(f"{_FLYING} AND digest = ?", digest):
                return NotYet("asked already")
            if self._cap is not None and reserve is not None:
                held, flying = self._counted(), int(self._one(_COUNTED_FLYING))
                if held + reserve > self._cap:
                    if flying and held - flying + reserve <= self._cap:
                        return NotYet("money is held")
                    return NoRoom(in_dollars(reserve), in_dollars(max(0, self._cap - held)))
            self._db.execute("INSERT OR IGNORE INTO request VALUES (?, ?, ?)", (digest, request.model, text))
            number = int(self._one("SELECT count(*) FROM attempt WHERE digest = ?", digest))
            row = (digest, self.run, time.time(), "in flight", most.input, most.output, reserve, reserve)
            entered = self._db.execute(_ENTER, row).lastrowid
        return Attempt(int(entered or 0), digest, number)

    def settle(self, attempt: Attempt, answer: Answer) -> Answer:
        """Store the answer to an attempt, and count what it cost; only then may it be used.

        Tokens that the server does not tell, or that cannot be, are counted as they were reserved.
        """
        with self._transaction():
            model, most_in, most_out, reserved = self._db.execute(_RESERVED, (attempt.id,)).fetchone()
            usage, counted = answer.usage, reserved
            price = self._prices.get(model)
            most = Tokens(most_in, most_out)
            if usage is not None and _can_be(usage, most, answer):
                counted = None if price is None else cost(usage, price)
            else:
                usage = None
            used = usage or most
            row = ("answered", used.input, used.output, usage is not None, counted, attempt.id)
            self._db.execute(_SETTLE, row)
            body = msgspec.json.encode(answer).decode()
            self._db.execute("INSERT OR IGNORE INTO answer VALUES (?, ?, ?)", (attempt.digest, attempt.id, body))
            return self._answer(attempt.digest) or answer

    def fail(self, attempt: Attempt, why: str, *, free: bool) -> None:
        """Enter that an attempt has no answer. `free` = it surely cost nothing; else it stays counted in full."""
        with self._transaction():
            if free:
                row = ("free", why, attempt.id)
                self._db.execute("UPDATE attempt SET state = ?, why = ?, counted = 0 WHERE id = ?", row)
            else:
                row = ("possibly billed", why, attempt.id)
                self._db.execute("UPDATE attempt SET state = ?, why = ? WHERE id = ?", row)

    def others(self) -> int:
        """Count the other runs that work with this ledger now."""
        with self._lock:
            runs = [name for (name,) in self._db.execute("SELECT name FROM run").fetchall()]
        return sum(name != self.run and self._lives(name) for name in runs)

    def counted(self) -> Decimal:
        """Give the dollars that all of the ledger has cost or may have cost."""
        with self._lock:
            return in_dollars(self._counted())

    def summary(self) -> Summary:
        """Count what the ledger holds."""
        with self._transaction():
            self._bury()
            states = dict(self._db.execute("SELECT state, count(*) FROM attempt GROUP BY state"))
            sums = dict(self._db.execute("SELECT state, coalesce(sum(counted), 0) FROM attempt GROUP BY state"))
            tokens = self._db.execute(_TOKENS).fetchone()
            return Summary(
                requests=self._one("SELECT count(*) FROM request"),
                answered=self._one("SELECT count(*) FROM answer"),
                attempts=sum(states.values()),
                in_flight=states.get("in flight", 0),
                possibly_billed=states.get("possibly billed", 0),
                free=states.get("free", 0),
                unpriced=self._one(_UNPRICED),
                beyond=self._one("SELECT count(*) FROM attempt WHERE counted > reserved"),
                input_tokens=tokens[0],
                output_tokens=tokens[1],
                spent=f"{in_dollars(sums.get('answered', 0)):f}",
                held=f"{in_dollars(sums.get('in flight', 0) + sums.get('possibly billed', 0)):f}",
                models=dict(self._db.execute("SELECT model, count(*) FROM request GROUP BY model ORDER BY model")),
            )

    # How it is kept.

    def _answer(self, digest: str) -> Answer | None:
        found = self._db.execute("SELECT body FROM answer WHERE digest = ?", (digest,)).fetchone()
        return None if found is None else msgspec.json.decode(found[0], type=Answer)

    def _counted(self) -> int:
        return int(self._one("SELECT counted FROM total"))

    def _price(self) -> None:
        """Count attempts that were made while their model had no price."""
        for row, model, read, written in self._db.execute(_TO_PRICE).fetchall():
            if (price := self._prices.get(model)) is not None:
                worth = cost(Tokens(read, written), price)
                self._db.execute("UPDATE attempt SET reserved = ?, counted = ? WHERE id = ?", (worth, worth, row))

    def _bury(self) -> None:
        """Take what processes had in flight that live no more for possibly billed."""
        for (run,) in self._db.execute("SELECT DISTINCT run FROM attempt WHERE state = 'in flight'").fetchall():
            if run != self.run and not self._lives(run):
                row = ("possibly billed", "the process ended", run)
                self._db.execute("UPDATE attempt SET state = ?, why = ? WHERE run = ? AND state = 'in flight'", row)

    def _lives(self, run: str) -> bool:
        """Say whether a process holds its lock file, which the system lets go of when the process ends in any way."""
        path = self._locks / run
        try:
            held = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        else:
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(held)

    def _let_go(self) -> None:
        if self._alive >= 0:
            (self._locks / self.run).unlink(missing_ok=True)
            os.close(self._alive)
            self._alive = -1

    def _one(self, query: str, *values: object) -> Any:
        return self._db.execute(query, values).fetchone()[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise DataError(f"{self.path}: the ledger cannot be written: {error}") from None


def _can_be(usage: Tokens, most: Tokens, answer: Answer) -> bool:
    """Say whether a server can mean it. A little beyond the most is counted as told; far beyond, it is a mistake."""
    written = 1 if answer.content else 0
    return 1 <= usage.input <= BEYOND * most.input and written <= usage.output <= BEYOND * most.output


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _make(path: Path) -> None:
    """Make an empty file where there is none. One that is there is not opened: to close it would end SQLite's locks."""
    with _MAKING, suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _hold(path: Path) -> int:
    """Make a lock file and hold it. flock is of the open file: threads of one process see one another's."""
    held = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX)
    return held


_MAKING = threading.Lock()
_FLYING = "SELECT count(*) FROM attempt WHERE state = 'in flight'"
_COUNTED_FLYING = "SELECT coalesce(sum(counted), 0) FROM attempt WHERE state = 'in flight'"
_UNPRICED = "SELECT count(*) FROM attempt WHERE counted IS NULL"
_UNPRICED_MODELS = "SELECT DISTINCT model FROM attempt JOIN request USING (digest) WHERE counted IS NULL ORDER BY model"
_ENTER = (
    "INSERT INTO attempt (digest, run, started, state, input_tokens, output_tokens, reserved, counted) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_RESERVED = "SELECT model, input_tokens, output_tokens, reserved FROM attempt JOIN request USING (digest) WHERE id = ?"
_SETTLE = "UPDATE attempt SET state = ?, input_tokens = ?, output_tokens = ?, told = ?, counted = ? WHERE id = ?"
_TOKENS = "SELECT coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0) FROM attempt WHERE state = 'answered'"
_TO_PRICE = (
    "SELECT id, model, input_tokens, output_tokens FROM attempt JOIN request USING (digest) WHERE counted IS NULL"
)
