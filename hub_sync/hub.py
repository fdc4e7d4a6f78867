"""The repository on the Hub as this program sees it: a few questions and a few changes, asked again where that helps.

The client repeats most requests by itself, but not those that create a repository, branch or tag, and some of its
reads. Every call here may be made twice without harm, so all are, for about a minute of failures that pass.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, TypeVar

from httpx2 import TransportError  # what the client of the Hub speaks by, so it is installed with it
from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from schemas.errors import CallError, DataError
from schemas.manifest import FileEntry

T = TypeVar("T")
Told = Callable[[str], None]
"""Takes a line for whoever waits."""

PATIENCE = 60.0
"""Seconds for which a request is made again that keeps failing for reasons that pass, with what the client waits."""
LONG = 600.0
"""Seconds after which a request that fails has a minute of its own again."""
MOST_TRIES = 50
LONGEST_WAIT = 30.0
"""Seconds between two tries at most, unless the Hub names a time."""
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may do; 409: another one was at work on the same thing."""
STALE = 412
Kind = Literal["dataset", "model"]
NAMED: dict[Kind, str] = {"dataset": "data set", "model": "model"}
"""What a repository holds, and how that is called."""


class ConflictError(CallError):
    """Somebody else changed the repository meanwhile."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of the repository: its size in bytes; `sha256` of a large file, the git blob id of every other."""

    bytes: int
    sha256: str | None
    blob: str

    def is_entry(self, entry: FileEntry) -> bool | None:
        """Say whether it is a file of this hash and size; None if only its bytes can tell."""
        if self.bytes != entry.bytes:
            return False
        return None if self.sha256 is None else self.sha256 == entry.sha256

    def came(self, file: Path) -> bool:
        """Say whether a download brought it: by the hash of a small file, by the size of a large one."""
        if not file.is_file() or file.stat().st_size != self.bytes:
            return False
        return self.sha256 is not None or blob_id(file) == self.blob


@dataclass(frozen=True)
class Refs:
    """The branches and tags of a repository, by name: the commits that they point at."""

    branches: Mapping[str, str]
    tags: Mapping[str, str]


class Hub:
    """One repository of a data set or model, with the token of the environment or of `hf auth login`."""

    def __init__(
        self, repo: str, told: Told = lambda _: None, patience: float = PATIENCE, kind: Kind = "dataset"
    ) -> None:
        """Name the repository; nothing is asked yet. Raises CallError where the Hub may not be asked at all."""
        if constants.is_offline_mode():
            raise CallError("HF_HUB_OFFLINE is set, so nothing is asked of the Hub: unset it")
        self.repo, self.told, self.patience, self.kind = repo, told, patience, kind
        self.api = HfApi()

    def who(self) -> str:
        """Ask who the token belongs to. Raises CallError without a token, or with one that is not known."""
        if get_token() is None:
            raise CallError("publishing needs a token: set HF_TOKEN, or run `hf auth login`")
        return str(self._patiently("asking who we are", self.api.whoami)["name"])

    def refs(self) -> Refs | None:
        """List branches and tags; None if there is no such repository, or none that the token may see."""
        try:
            found = self._patiently("listing refs", lambda: self.api.list_repo_refs(self.repo, repo_type=self.kind))
        except NotFoundError:
            return None
        return Refs(
            {ref.name: ref.target_commit for ref in found.branches}, {ref.name: ref.target_commit for ref in found.tags}
        )

    def is_private(self) -> bool:
        """Ask whether only invited people see the repository."""
        return bool(self._patiently("asking", lambda: self.api.repo_info(self.repo, repo_type=self.kind)).private)

    def commit_of(self, revision: str) -> str:
        """Resolve a tag, branch or commit to a commit. Raises CallError naming what there is."""
        ask = self.api.repo_info
        found = self._patiently("asking", lambda: ask(self.repo, repo_type=self.kind, revision=revision))
        assert found.sha is not None
        return found.sha

    def files(self, revision: str) -> dict[str, RemoteFile]:
        """List all files at a revision."""

        def listed() -> Iterator[RepoFile]:
            tree = self.api.list_repo_tree(self.repo, repo_type=self.kind, revision=revision, recursive=True)
            return (entry for entry in tree if isinstance(entry, RepoFile))

        found = self._patiently("listing files", lambda: list(listed()))
        return {file.path: RemoteFile(file.size, file.lfs.sha256 if file.lfs else None, file.blob_id) for file in found}

    def titles(self, revision: str) -> list[str]:
        """List the titles of the commits that led to a revision, newest first."""
        listed = self.api.list_repo_commits
        commits = self._patiently("listing commits", lambda: listed(self.repo, repo_type=self.kind, revision=revision))
        return [commit.title for commit in commits]

    def own_commits(self, branch: str, since: str, title: str) -> bool:
        """Say whether all that came to a branch after the commit `since` bears this title."""
        listed = self.api.list_repo_commits
        commits = self._patiently("listing commits", lambda: listed(self.repo, repo_type=self.kind, revision=branch))
        for commit in commits:
            if commit.commit_id == since:
                return True
            if not commit.title.startswith(title):
                return False
        return False

    def create(self, *, private: bool) -> None:
        """Make the repository, if there is none."""
        make = self.api.create_repo
        self._patiently(
            "creating the repository",
            lambda: make(self.repo, repo_type=self.kind, private=private, exist_ok=True),
        )

    def create_branch(self, branch: str, revision: str | None) -> None:
        """Make a branch, if there is none of this name."""
        make = self.api.create_branch
        self._patiently(
            f"creating the branch {branch}",
            lambda: make(self.repo, branch=branch, revision=revision, repo_type=self.kind, exist_ok=True),
        )

    def upload(self, folder: Path, branch: str, parent: str, removed: list[str], title: str) -> str:
        """Upload a folder to a branch that is at the commit `parent`, remove files there, and give the last commit.

        Raises ConflictError if the branch is elsewhere meanwhile, by commits that are none of ours.
        """
        start = parent

        def upload() -> str:
            nonlocal parent
            try:
                done = self.api.upload_folder(
                    repo_id=self.repo,
                    repo_type=self.kind,
                    folder_path=folder,
                    revision=branch,
                    parent_commit=parent,
                    delete_patterns=[literally(path) for path in removed] or None,
                    commit_message=title,
                )
                return str(done.oid)
            except HfHubHTTPError as error:
                # An answer that was lost, or a later one of several commits that failed, leaves commits of our own:
                # what they removed is not there to be removed again, and the branch is not where it was.
                landed = status_of(error) == STALE or isinstance(error, EntryNotFoundError)
                if landed and self.own_commits(branch, start, title):
                    parent = self.commit_of(branch)
                    raise _AgainError from error
                if status_of(error) in PASSING and self.own_commits(branch, start, title):
                    parent = self.commit_of(branch)
                raise

        return self._patiently("uploading", upload)

    def tag(self, tag: str, commit: str, message: str) -> None:
        """Put a tag on a commit. One that is there already may stay if it is on this commit; else raises CallError."""

        def put() -> None:
            refs = self.refs()
            there = refs.tags.get(tag) if refs else None
            if there == commit:
                return
            if there is not None:
                raise CallError(
                    f"{self.repo} has a tag {tag} already, on another commit ({there[:12]}): a tag is never moved, "
                    "choose another one with --tag"
                )
            self.api.create_tag(self.repo, tag=tag, tag_message=message, revision=commit, repo_type=self.kind)

        self._patiently(f"tagging {tag}", put)

    def download(
        self,
        commit: str,
        folder: Path,
        there: Mapping[str, RemoteFile],
        patterns: list[str] | None = None,
        without: Sequence[str] = (),
    ) -> None:
        """Download files at a commit into a folder; what is there whole stays.

        `there` are the files at the commit; `patterns` pick some of them, those in `without` stay away.
        """
        ignored = [literally(path) for path in without]
        wanted = [
            path
            for path in there.keys() - set(without)
            if patterns is None or any(fnmatchcase(path, pattern) for pattern in patterns)
        ]

        def get() -> None:
            self.api.snapshot_download(
                self.repo,
                repo_type=self.kind,
                revision=commit,
                local_dir=folder,
                allow_patterns=patterns,
                ignore_patterns=ignored,
            )
            # Where the Hub does not answer, the client takes whatever is in the folder for the download.
            lost = [path for path in wanted if not there[path].came(folder / path)]
            for path in lost:
                (folder / path).unlink(missing_ok=True)
            if lost:
                raise ConnectionError(f"{len(lost):,} files did not come whole, {lost[0]} first")

        if wanted:
            self._patiently("downloading", get)

    def patiently(self, what: str, call: Callable[[], T]) -> T:
        """Make a call of another library that asks the Hub, as the calls here are made."""
        return self._patiently(what, call)

    def _patiently(self, what: str, call: Callable[[], T]) -> T:
        # Time that failing takes counts, and not the number of tries: of some requests the client makes six by itself.
        failing = 0.0
        for tries in range(MOST_TRIES):
            began = time.monotonic()
            try:
                return call()
            except _AgainError:
                continue
            except (CallError, DataError):
                raise
            except Exception as raised:
                error = _reason(raised)
                if error is None:
                    raise
                if not _passes(error):
                    raise self._in_words(error, what) from raised
                lasted = time.monotonic() - began
                named = _named_wait(error)
                wait = min(2.0**tries, LONGEST_WAIT) if named is None else named
                # What fails after long was getting somewhere: an upload of a day may fail every hour.
                failing = 0.0 if lasted > LONG else failing + lasted + (wait if named is None else 0.0)
                if failing > self.patience:
                    odd = f"the Hub at {constants.ENDPOINT} does not answer as it should"
                    raise CallError(f"{what}: {odd}: {_first_line(error)}; call it again") from error
                self.told(f"{what}: {_first_line(error)}; again in {wait:.0f} s")
                time.sleep(wait)
        raise ConflictError(f"{self.repo}: {what} does not come to an end: call it again")

    def _in_words(self, error: Exception, what: str) -> Exception:
        status = status_of(error)
        if isinstance(error, RevisionNotFoundError):
            return NotFoundError(f"{self.repo} has no such tag, branch or commit ({what})")
        if status == 401 and get_token() is not None and not isinstance(error, RepositoryNotFoundError):
            return CallError("the Hub does not know the token: set HF_TOKEN to one of yours, or run `hf auth login`")
        if isinstance(error, GatedRepoError):
            return CallError(f"{self.repo} is gated: ask for access on its page")
        if isinstance(error, RepositoryNotFoundError):
            return NotFoundError(
                f"there is no {NAMED[self.kind]} {self.repo} on {constants.ENDPOINT}, or the token may not see it"
            )
        if status == 403:
            return CallError(f"{what}: the token may not do that to {self.repo}: it needs write access")
        if status == STALE:
            return ConflictError(
                f"{self.repo} was changed by somebody else since this push began: nothing is tagged; "
                "look at what they did, then push again"
            )
        if isinstance(error, HfHubHTTPError):
            return CallError(f"{what}: {_first_line(error)}")
        return CallError(f"{what}: the Hub may not be asked: {_first_line(error)}")


class NotFoundError(CallError):
    """There is no such repository or revision, or none that the token may see."""


class _AgainError(Exception):
    """A try failed in a way that the next one, right away, takes into account."""


def status_of(error: Exception) -> int | None:
    """Give the HTTP status that an error came with."""
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def blob_id(file: Path) -> str:
    """Name the bytes of a file as git does (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects)."""
    data = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _reason(raised: BaseException) -> Exception | None:
    """Find what went wrong between us and the Hub behind an error that a client made of it; None if it was not that."""
    seen: list[BaseException] = []
    error: BaseException | None = raised
    while error is not None and error not in seen:
        if isinstance(error, HfHubHTTPError | TransportError | ConnectionError | TimeoutError | RuntimeError):
            return error
        seen.append(error)
        error = error.__cause__ or error.__context__
    return None


def _passes(error: Exception) -> bool:
    status = status_of(error)
    # What the transfer library raises has no type of its own.
    return not isinstance(error, OfflineModeIsEnabled) if status is None else status in PASSING


def _named_wait(error: Exception) -> float | None:
    response = getattr(error, "response", None)
    named = response.headers.get("retry-after", "") if response is not None else ""
    return float(named) if named.isdigit() else None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def literally(path: str) -> str:
    """Write a path as a pattern that matches it alone (https://docs.python.org/3/library/fnmatch.html)."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)
