"""Asking a language model through an OpenAI-compatible server, every request by way of the ledger.

A request is tried again after waits that grow, or that the server names; every try is an attempt of its own in the
ledger. Proxies of the environment are not used, redirections are not followed, and no connection is used twice: on one
that the server has closed meanwhile, it would not be known whether a request was taken.
"""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import openai

from annotation.extending.ledger import Answer, Attempt, Ledger, NoRoom, NotYet, Request
from annotation.extending.prices import Tokens
from annotation.tokens import TOKEN_FILE, Token, find_key
from schemas.draws import share
from schemas.errors import CallError
from schemas.extension import Endpoint

VARIABLE = "VQA2_LLM_TOKEN"
JUDGE_VARIABLE = "VQA2_JUDGE_TOKEN"
OPENAI_VARIABLE = "OPENAI_API_KEY"
OPENAI_HOST = "api.openai.com"

FREE = frozenset({400, 401, 402, 403, 404, 405, 411, 413, 414, 415, 422, 429})
"""Refusals before a model has read anything. What fails in any other way may have been billed."""
ASKED_AGAIN = frozenset({408, 409, 425, 429})
FIRST_WAIT = 0.5
"""Seconds before the second try; each wait is twice the one before."""
LONGEST_WAIT = 60.0
LONGEST_ASKED_WAIT = 300.0
"""The longest wait, in seconds, that a server may ask for; beyond it the run stops, to be called again later."""
LOOK_AGAIN = 0.1
HOPELESS = 20
"""Requests that fail for good, without a single answer before them, after which nothing more is asked."""
MOST_BYTES = 4 * 2**20
"""The largest answer that is read: thousands of times the size of a usual one."""
MOST_RAW = 65536
"""Characters of what a server sent that are kept to be looked at."""


class GaveUpError(Exception):
    """A request has no answer after all tries, or cannot have one. `raw` is what the server sent instead, if anything.

    `transient`: it may have one another time.
    """

    def __init__(self, why: str, raw: str = "", *, transient: bool) -> None:
        """Take the reason, without secrets."""
        super().__init__(why)
        self.raw, self.transient = raw[:MOST_RAW], transient


class OutOfMoneyError(Exception):
    """The cap leaves no room for a request."""


class StoppedError(Exception):
    """Another request has ended the run."""


class _LostError(Exception):
    """A try has no answer: why, what was read, whether it surely cost nothing, and how long to wait.

    `reached`: there is a server.
    """

    def __init__(
        self,
        why: str,
        raw: str = "",
        *,
        free: bool,
        again: bool = True,
        wait: float | None = None,
        reached: bool = True,
    ) -> None:
        super().__init__(why)
        self.raw, self.free, self.again, self.wait, self.reached = raw, free, again, wait, reached


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


def key_of(endpoint: Endpoint, variables: tuple[str, ...] = (VARIABLE,)) -> Token | None:
    """Find the key of a server: in the environment, else in the file of tokens by `base_url`; None for no key.

    The key of OpenAI goes to OpenAI alone: a recipe may come from anybody, and name any server.
    """
    parts = urlsplit(endpoint.base_url)
    if parts.scheme == "https" and parts.hostname == OPENAI_HOST:
        variables = (*variables, OPENAI_VARIABLE)
    return find_key(endpoint.base_url, variables)


class Asking:
    """One model on one server, asked by any number of threads by way of one ledger.

    `stop` ends waits and lets nothing new be sent; `told` is called with a line when something has to be waited for.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        key: Token | None,
        stop: threading.Event,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take a server; nothing is asked yet."""
        self.endpoint, self._ledger, self._key, self._stop, self._told = endpoint, ledger, key, stop, told
        bounds = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        self._http = httpx2.Client(trust_env=False, follow_redirects=False, limits=bounds, timeout=endpoint.timeout)
        self._client = openai.OpenAI(
            api_key=key.reveal() if key else "none",
            base_url=endpoint.base_url,
            timeout=endpoint.timeout,
            max_retries=0,
            http_client=self._http,
        )
        # From the environment comes the key alone.
        self._client.organization = self._client.project = None
        self._lock = threading.Lock()
        self._resume_at = 0.0
        self._answered, self._given_up = False, 0
        self.sent = 0

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def ask(self, request: Request) -> Answer:
        """Give the answer to a request: that of the ledger, else the server's, which the ledger then holds.

        Raises GaveUpError for this request alone; CallError where no request can do better, OutOfMoneyError,
        StoppedError.
        """
        tries = 0
        while True:
            begun = self._begin(request)
            if isinstance(begun, Answer):
                return begun
            try:
                answer = self._send(request)
            except _LostError as lost:
                self._ledger.fail(begun, str(lost), free=lost.free)
                if not lost.again or tries >= self.endpoint.retries:
                    after = f" (tried {tries + 1} times)" if tries else ""
                    if not lost.reached:
                        raise CallError(f"{self.endpoint.base_url} is {lost}{after}") from None
                    self._give_up(lost)
                    raise GaveUpError(f"{lost}{after}", lost.raw, transient=lost.again) from None
                self._wait(request, begun, tries, lost)
                tries += 1
            except CallError as error:
                self._ledger.fail(begun, str(error), free=True)
                raise
            except BaseException as error:
                self._ledger.fail(begun, f"ended by {type(error).__name__}", free=False)
                raise
            else:
                self._answered = True
                return self._ledger.settle(begun, answer)

    def _begin(self, request: Request) -> Answer | Attempt:
        while True:
            self._rest(self._resume_at - time.monotonic())
            if self._stop.is_set():
                if (known := self._ledger.answer(request)) is not None:
                    return known
                raise StoppedError
            begun = self._ledger.begin(request)
            if isinstance(begun, NoRoom):
                raise OutOfMoneyError(
                    f"a request may cost {begun.needed:f} dollars, of the cap {begun.left:f} are left"
                )
            if not isinstance(begun, NotYet):
                return begun
            self._rest(LOOK_AGAIN)

    def _wait(self, request: Request, attempt: Attempt, tries: int, lost: _LostError) -> None:
        grown = min(LONGEST_WAIT, FIRST_WAIT * 2**tries)
        wait = grown * (1 + share(0, request.digest, str(attempt.number)) / 2)
        if lost.wait is not None:
            if lost.wait > LONGEST_ASKED_WAIT:
                raise CallError(
                    f"{self.endpoint.base_url} asks to come back in {lost.wait:.0f} s ({lost}): call again then, what "
                    "is answered is kept"
                )
            wait = max(wait, lost.wait)
            # What one thread is told holds for all.
            with self._lock:
                self._resume_at = max(self._resume_at, time.monotonic() + lost.wait)
        self._told(f"{self.endpoint.base_url}: {lost}; asked again in {wait:.1f} s")
        self._rest(wait)

    def _give_up(self, lost: _LostError) -> None:
        """Count a request that failed for good. Raises CallError where it seems that all of them will."""
        with self._lock:
            self._given_up += 1
            hopeless = not self._answered and self._given_up >= HOPELESS
        if hopeless:
            raise CallError(
                f"{self.endpoint.base_url} has answered none of {HOPELESS} requests, the last: {lost}; if it "
                f"knows no structured output, say structured: json_object or none (it is {self.endpoint.structured})"
            )

    def _rest(self, seconds: float) -> None:
        if seconds > 0:
            self._stop.wait(seconds)

    # What goes over the wire.

    def _send(self, request: Request) -> Answer:
        end = time.monotonic() + self.endpoint.timeout
        with self._lock:
            self.sent += 1
        body = wire_form(request, self.endpoint)
        try:
            create = self._client.chat.completions.with_streaming_response.create
            with create(**body) as response:
                return self._read(_all_of(response.iter_bytes(), end))
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except openai.APITimeoutError as error:
            free = isinstance(error.__cause__, httpx2.ConnectTimeout)
            why = "not reached: no connection in time" if free else "no answer in time"
            raise _LostError(why, free=free, reached=not free) from None
        except openai.APIConnectionError as error:
            raise self._cut(error.__cause__ or error) from None
        except httpx2.TimeoutException:
            raise _LostError("the answer came to a halt", free=False) from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._cut(error) from None
        except (ValueError, TypeError) as error:
            raise _LostError(self._hidden(f"unreadable: {type(error).__name__}: {error}"), free=False) from None

    def _read(self, body: bytes) -> Answer:
        text = self._hidden(body.decode("utf-8", "replace"))
        try:
            completion = msgspec.json.decode(text, type=_Completion)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _LostError(f"what came is no chat completion: {error}", text, free=False) from None
        if not completion.choices:
            raise _LostError("a chat completion without choices came", text, free=False)
        choice = completion.choices[0]
        try:
            told = msgspec.json.decode(completion.usage, type=_Usage)
            usage = Tokens(told.prompt_tokens, told.completion_tokens)
        except msgspec.DecodeError:
            usage = None
        message = choice.message
        return Answer(message.content or "", choice.finish_reason or "", message.refusal or "", usage)

    def _refused(self, error: openai.APIStatusError) -> Exception:
        status, response = error.status_code, error.response
        try:
            raw = self._hidden(response.text)
        except httpx2.StreamError:
            raw = ""
        said = self._hidden(_said(error, raw))
        url = self.endpoint.base_url
        if 300 <= status < 400:
            to = self._hidden(response.headers.get("Location") or "nowhere")
            return CallError(f"{url} sends requests on to {to}: give that server's address")
        if status in {401, 403}:
            need = f'in {VARIABLE}, or in ~/{TOKEN_FILE} (mode 600) as the line "{url}" = "..."'
            taken = "does not take the key" if self._key else f"wants a key, and none was found: put it {need}"
            return CallError(f"{url} {taken} ({status}){said}")
        if status == 404:
            return CallError(f"{url} has no model {self.endpoint.model!r}, or no chat completions (404){said}")
        if status == 402 or (status == 429 and "insufficient_quota" in raw):
            return CallError(f"{url} says that the account has no money left ({status}){said}")
        again = status >= 500 or status in ASKED_AGAIN
        return _LostError(
            f"status {status}{said}", raw, free=status in FREE, again=again, wait=retry_after(response.headers)
        )

    def _cut(self, error: BaseException) -> Exception:
        why = self._hidden(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        if isinstance(error, (httpx2.ConnectError, httpx2.UnsupportedProtocol)):
            return _LostError(f"not reached: {why}", free=True, reached=False)
        return _LostError(f"the answer was cut off: {why}", free=False)

    def _hidden(self, text: str) -> str:
        return self._key.hidden_in(text) if self._key else text


def wire_form(request: Request, endpoint: Endpoint) -> dict[str, Any]:
    """Give what is sent for a request. `round` and `structured` of its parameters are ours."""
    told = {name: value for name, value in request.parameters.items() if name not in {"round", "structured"}}
    body: dict[str, Any] = {"model": request.model, "messages": request.messages}
    if (most := told.pop("max_tokens")) is not None:
        body[endpoint.limit] = most
    body |= {name: value for name, value in told.items() if value is not None}
    if request.schema is not None:
        wanted = {"name": "answer", "strict": True, "schema": request.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": wanted}
    elif request.parameters.get("structured") == "json_object":
        body["response_format"] = {"type": "json_object"}
    return body


def retry_after(headers: httpx2.Headers) -> float | None:
    """Give the seconds for which a server asks to wait: a number, or until a date (RFC 9110, 10.2.3); None if not."""
    said = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, min(float(said), 1e9)) if said else None
    except ValueError:
        pass
    try:
        at = email.utils.parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - time.time())


def _all_of(chunks: Any, end: float) -> bytes:
    """Read an answer to its end, unless it takes too long or is too large."""
    read = bytearray()
    for chunk in chunks:
        read += chunk
        if len(read) > MOST_BYTES:
            text = read[:MOST_RAW].decode("utf-8", "replace")
            raise _LostError(f"the answer is larger than {MOST_BYTES} bytes", text, free=False, again=False)
        if time.monotonic() > end:
            raise _LostError("the answer takes too long", read.decode("utf-8", "replace"), free=False)
    return bytes(read)


def _said(error: openai.APIStatusError, raw: str) -> str:
    """Give what a server says of its refusal, shortened."""
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    said = " ".join(str(message or raw).split())
    return f": {said[:300]}" if said else ""
