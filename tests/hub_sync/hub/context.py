"""What the handlers share: who asks, what they may, and links that open without a token."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.hub_sync.hub.repos import GIT_ATTRIBUTES, Entry, Refusal, Repo
from tests.hub_sync.hub.store import Store


@dataclass(frozen=True)
class User:
    """Whose token it is."""

    name: str
    may_write: bool


MODEL = " (model)"


def model(repo: str) -> str:
    """How a repository of a model is kept beside data sets of the same name."""
    return repo + MODEL


def _token(name: str) -> str:
    return "hf_" + (name * 34)[:34]


WRITER, READER, STRANGER, WRONG = map(_token, ("writer", "reader", "stranger", "wrong"))
USERS = {WRITER: User("lab", True), READER: User("lab", False), STRANGER: User("other", True)}


def _nobody() -> Refusal:
    # Clients take any such answer of the real one for this code, which they know by an address that starts with https.
    return Refusal(401, "Invalid username or password.", "RepoNotFound")


@dataclass
class Hub:
    """The whole state. `endpoint` is where the API is, `cdn` the same server under another name of the host."""

    store: Store
    endpoint: str = ""
    cdn: str = ""
    large: int = 10_000_000
    token_seconds: int = 3600
    repos: dict[str, Repo] = field(default_factory=dict)
    xet_tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    secret: str = field(default_factory=lambda: secrets.token_hex(16))

    def user(self, request: Request) -> User | None:
        """Who asks. Refusal if the token is unknown: the real one then refuses what is public, too."""
        header = request.headers.get("authorization")
        if header is None:
            return None
        user = USERS.get(header.removeprefix("Bearer "))
        if user is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        request.scope["request_log"].user = user.name if user.may_write else f"{user.name} (read)"
        return user

    def writer(self, request: Request, owner: str | None = None) -> User:
        """Who asks, if they may write there."""
        user = self.user(request)
        if user is None:
            raise _nobody()
        if not user.may_write or (owner or user.name) != user.name:
            raise Refusal(403, f"You don't have the rights to write under the namespace {owner or user.name}")
        return user

    def readable(self, request: Request, name: str) -> Repo:
        """The repository, if who asks may know of it."""
        user = self.user(request)
        repo = self.repos.get(name)
        if repo is None or (repo.private and (user is None or user.name != name.split("/", maxsplit=1)[0])):
            if user is None:
                raise _nobody()
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return repo

    def writable(self, request: Request, name: str) -> Repo:
        repo = self.readable(request, name)
        self.writer(request, name.split("/", maxsplit=1)[0])
        return repo

    def create(self, name: str, private: bool) -> Repo:
        if name in self.repos:
            raise Refusal(409, "You already created this repo", url=self.web(name), name=name)
        attributes = Entry(self.store.put_blob(GIT_ATTRIBUTES), len(GIT_ATTRIBUTES))
        return self.repos.setdefault(name, Repo(name, private, attributes))

    def web(self, name: str) -> str:
        """Where its page would be."""
        kind = "" if name.endswith(MODEL) else "datasets/"
        return f"{self.endpoint}/{kind}{name.removesuffix(MODEL)}"

    def api(self, name: str) -> str:
        """Where it is asked for by programs."""
        kind = "models" if name.endswith(MODEL) else "datasets"
        return f"{self.endpoint}/api/{kind}/{name.removesuffix(MODEL)}"

    def link(self, host: str, path: str) -> str:
        """An address that needs no token."""
        return f"{host}{path}?signature={self._signature(path)}"

    def check_link(self, request: Request) -> None:
        if request.query_params.get("signature") != self._signature(request.url.path):
            raise Refusal(403, "AccessDenied")

    def _signature(self, path: str) -> str:
        return hashlib.sha256(f"{self.secret}{path}".encode()).hexdigest()[:32]

    def xet_token(self, scope: str) -> Response:
        token = secrets.token_urlsafe(24)
        expires = int(time.time()) + self.token_seconds
        self.xet_tokens[token] = (scope, expires)
        return JSONResponse(
            {"casUrl": self.endpoint, "accessToken": token, "exp": expires},
            headers={
                "X-Xet-Cas-Url": self.endpoint,
                "X-Xet-Access-Token": token,
                "X-Xet-Token-Expiration": str(expires),
            },
        )

    def check_xet(self, request: Request, scope: str) -> None:
        granted, expires = self.xet_tokens.get(
            request.headers.get("authorization", "").removeprefix("Bearer "), ("", 0)
        )
        if time.time() > expires:
            raise Refusal(401, "Unauthorized")
        if scope == "write" and granted != "write":
            raise Refusal(403, "Forbidden")


def refusal(error: Refusal) -> Response:
    headers = {"X-Error-Message": error.message}
    if error.code:
        headers["X-Error-Code"] = error.code
    body: dict[str, Any] = {"error": error.message, **error.more}
    return JSONResponse(body, error.status, headers)
