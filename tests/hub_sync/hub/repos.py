"""What a repository is: commits that each name all their files, branches and tags that name commits."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tests.hub_sync.hub.store import blob_hash

GIT_ATTRIBUTES = b"*.mp4 filter=lfs diff=lfs merge=lfs -text\n*.parquet filter=lfs diff=lfs merge=lfs -text\n"


class Refusal(Exception):  # noqa: N818
    """An answer that is not what was asked for."""

    def __init__(self, status: int, message: str, code: str | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.more = more


@dataclass(frozen=True)
class Entry:
    """A file: git's hash of it, or of its pointer where it is large and has a sha256."""

    oid: str
    size: int
    sha256: str | None = None
    pointer_size: int | None = None

    @classmethod
    def large(cls, sha256: str, size: int) -> Entry:
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return cls(blob_hash(pointer), size, sha256, len(pointer))


@dataclass(frozen=True, eq=False)
class Commit:
    """A state of all files; compared by identity, for its id names it."""

    id: str
    parent: str | None
    title: str
    message: str
    author: str
    date: str
    files: Mapping[str, Entry]


class Repo:
    """One data set or model. Changes are made under `lock`."""

    def __init__(self, name: str, private: bool, attributes: Entry) -> None:
        self.name = name
        self.private = private
        self.created = _now()
        self.commits: dict[str, Commit] = {}
        self.branches: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.lock = threading.Lock()
        self._add("main", "initial commit", "", "system", {".gitattributes": attributes})

    def resolve(self, revision: str) -> Commit:
        """By branch, tag, commit id or the start of one."""
        for names, prefix in ((self.branches, "refs/heads/"), (self.tags, "refs/tags/")):
            name = revision.removeprefix(prefix)
            if name in names:
                return self.commits[names[name]]
        if len(revision) >= 7:
            found = [commit for commit_id, commit in self.commits.items() if commit_id.startswith(revision)]
            if len(found) == 1:
                return found[0]
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def history(self, revision: str) -> list[Commit]:
        """Newest first."""
        commit: Commit | None = self.resolve(revision)
        found = []
        while commit:
            found.append(commit)
            commit = self.commits[commit.parent] if commit.parent else None
        return found

    def add_commit(
        self,
        branch: str,
        changes: Iterable[tuple[str, str, Entry | None]],
        title: str,
        message: str = "",
        author: str = "lab",
        expected_parent: str | None = None,
    ) -> Commit:
        """`changes` are (file, path, entry), (deletedFile, path, None) and (deletedFolder, path, None), in order."""
        with self.lock:
            if branch not in self.branches:
                raise Refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
            head = self.branches[branch]
            if expected_parent and expected_parent != head:
                raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            files = dict(self.commits[head].files)
            for action, path, entry in changes:
                if entry is not None:
                    files[_checked(path)] = entry
                elif action == "deletedFile":
                    if path not in files:
                        raise Refusal(404, f"{path} does not exist on {branch}", "EntryNotFound")
                    del files[path]
                else:
                    folder = path.rstrip("/") + "/"
                    files = {name: kept for name, kept in files.items() if not name.startswith(folder)}
            return self._add(branch, title, message, author, files)

    def add_branch(self, name: str, start: str) -> None:
        with self.lock:
            if name in self.branches:
                raise Refusal(409, f"Reference already exists: refs/heads/{name}")
            self.branches[name] = self.resolve(start).id

    def add_tag(self, name: str, revision: str) -> None:
        with self.lock:
            if name in self.tags:
                raise Refusal(409, f"Tag already exists: refs/tags/{name}")
            self.tags[name] = self.resolve(revision).id

    def remove_branch(self, name: str) -> None:
        with self.lock:
            if name == "main":
                raise Refusal(403, "The default branch cannot be deleted")
            if self.branches.pop(name, None) is None:
                raise Refusal(404, f"No such branch: {name}", "RevisionNotFound")

    def remove_tag(self, name: str) -> None:
        with self.lock:
            if self.tags.pop(name, None) is None:
                raise Refusal(404, f"No such tag: {name}", "RevisionNotFound")

    def _add(self, branch: str, title: str, message: str, author: str, files: dict[str, Entry]) -> Commit:
        parent = self.branches.get(branch)
        seed = f"{self.name} {parent} {title} {time.time_ns()}"
        commit = Commit(hashlib.sha1(seed.encode()).hexdigest(), parent, title, message, author, _now(), files)
        self.commits[commit.id] = commit
        self.branches[branch] = commit.id
        return commit


@lru_cache(maxsize=64)
def listing(commit: Commit, folder: str, recursive: bool) -> tuple[tuple[str, Entry | None], ...]:
    """What is in a folder, sorted by path; a folder has no entry. Refusal if there is no such folder."""
    start = folder.strip("/") + "/" if folder.strip("/") else ""
    found: dict[str, Entry | None] = {}
    for path, entry in commit.files.items():
        if path.startswith(start):
            parts = path[len(start) :].split("/")
            depth = len(parts) if recursive else 1
            for end in range(1, min(depth, len(parts) - 1) + 1):
                found[start + "/".join(parts[:end])] = None
            if len(parts) <= depth:
                found[path] = entry
    if start and not found:
        raise Refusal(404, f"{folder} does not exist on {commit.id}", "EntryNotFound")
    return tuple(sorted(found.items()))


def last_change(repo: Repo, commit: Commit, path: str) -> Commit:
    """The commit that last touched a file or something in a folder."""

    def state(of: Commit) -> object:
        if path in of.files:
            return of.files[path]
        return {name: entry for name, entry in of.files.items() if name.startswith(path + "/")}

    while commit.parent and state(repo.commits[commit.parent]) == state(commit):
        commit = repo.commits[commit.parent]
    return commit


def _checked(path: str) -> str:
    if not path or path.startswith("/") or any(part in {"", ".", "..", ".git"} for part in path.split("/")):
        raise Refusal(400, f"Invalid path: {path}")
    return path


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
