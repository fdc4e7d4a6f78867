"""The steps that every push takes, of a corpus or of a model: look, open, upload, and hold what came to what was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub_sync.hub import PATIENCE, Hub, Refs, RemoteFile
from hub_sync.naming import Name, Version, name_of, newest, ref_of
from hub_sync.plan import Plan, differences, is_of_a_corpus
from schemas.comparison import Step
from schemas.errors import CallError, DataError
from schemas.manifest import FileEntry
from schemas.validate import Problem

SHOWN = 20
_TITLE = re.compile(r".+ \S+ \([0-9a-f]{12}\)(?: \(part \d+\))?")
"""What a commit of a push is called."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How anything is to be published.

    `tag` None = the next version after the newest one; `dry_run` = plan only. `patience` is for how many seconds a Hub
    is asked again that does not answer.
    """

    tag: str | None = None
    branch: str = "main"
    private: bool = False
    dry_run: bool = False
    patience: float = PATIENCE


@dataclass(frozen=True)
class Seen:
    """What the repository was when the push began; `refs` None = it was not there.

    `before` is the newest version, `head` the commit of the branch, or the one that the branch is to start at; `files`
    are those at the head.
    """

    refs: Refs | None
    before: Version | None
    head: str | None
    files: Mapping[str, RemoteFile]


@dataclass(frozen=True)
class Next:
    """Which version comes next: the step to it, why, and its tag."""

    step: Step
    reasons: list[str]
    tag: str


def repository(repo: str, asked: Asked) -> Name:
    """Read where to push to. Raises CallError for what names no repository, branch or tag."""
    name = name_of(repo)
    if name.revision is not None:
        raise CallError(f"push to {name.repo!r}, and name the version with --tag")
    ref_of(asked.branch, "branch")
    if asked.tag is not None:
        ref_of(asked.tag, "tag")
    return name


def look(hub: Hub, branch: str) -> Seen:
    """Ask what is there."""
    refs = hub.refs()
    if refs is None:
        return Seen(None, None, None, {})
    before = newest(refs.tags)
    start = refs.branches.get("main") if before is None else refs.tags[str(before)]
    head = refs.branches.get(branch, start)
    return Seen(refs, before, head, hub.files(head) if head else {})


def begun(hub: Hub, seen: Seen) -> bool:
    """Say whether it is a push, one that did not come to its end, that made the branch what it is."""
    return seen.head is not None and any(_TITLE.fullmatch(title) for title in hub.titles(seen.head))


def foreign(hub: Hub, kind: str, files: Iterable[str]) -> CallError:
    """Say that a repository is somebody else's, by files of it."""
    named = ", ".join(sorted(path for path in files if path != ".gitattributes")[:3])
    return CallError(
        f"{hub.repo} holds files that are no {kind} of this program ({named}): push to a repository of its own"
    )


def planned(
    hub: Hub,
    seen: Seen,
    asked: Asked,
    then: Next,
    *,
    folder: Path,
    files: Mapping[str, FileEntry],
    clips: str = "",
    ours: Callable[[str], bool] = is_of_a_corpus,
) -> Plan:
    """Plan what is to be sent for a version. Raises CallError for a tag that is taken by other contents."""
    new, changed, removed = differences(folder, files, seen.files, ours)
    tag: str | None = asked.tag or then.tag
    if asked.tag is None and then.step == "none":
        tag = None
    if asked.tag is not None and seen.refs is not None and asked.tag in seen.refs.tags:
        if any(differences(folder, files, hub.files(seen.refs.tags[asked.tag]), ours)):
            raise CallError(f"{hub.repo} has a tag {asked.tag} of other contents already: a tag is never moved")
        new, changed, removed, tag = [], [], [], None
    return Plan(
        repo=hub.repo,
        branch=asked.branch,
        private=asked.private if seen.refs is None else hub.is_private(),
        clips=clips,
        before=None if seen.before is None else str(seen.before),
        tag=tag,
        step=then.step,
        reasons=then.reasons,
        new=new,
        changed=changed,
        removed=removed,
        others=sorted(path for path in seen.files if not ours(path) and path != ".gitattributes"),
        same=len(files) - len(new) - len(changed),
        bytes=sum(files[path].bytes for path in (*new, *changed)),
    )


def opened(hub: Hub, seen: Seen, branch: str, *, private: bool) -> str:
    """Make repository and branch where they are not there, and give the commit that the branch is at."""
    refs = seen.refs
    if refs is None:
        hub.create(private=private)
        refs = hub.refs()
    if refs is not None and branch not in refs.branches:
        hub.create_branch(branch, seen.head)
        refs = hub.refs()
    if refs is None or branch not in refs.branches:
        raise CallError(f"{hub.repo}: the branch {branch} was made and is not there: push again")
    return seen.head or refs.branches[branch]


def uploaded(
    hub: Hub,
    head: str,
    plan: Plan,
    *,
    folder: Path,
    files: Mapping[str, FileEntry],
    name: str,
    sha256: str,
    ours: Callable[[str], bool] = is_of_a_corpus,
) -> str:
    """Upload a folder, and hold the commit to it file by file. Raises DataError naming the files that differ.

    The commit is called by `name` and the hash of what lists or describes the rest; `ours` as for `differences`.
    """
    title = f"{name} {plan.tag or plan.before} ({sha256[:12]})"
    commit = hub.upload(folder, plan.branch, head, plan.removed, title)
    differ = differences(folder, files, hub.files(commit), ours)
    problems = [
        Problem(path, 0, "", f"{what} on the branch: push again")
        for what, paths in zip(("is missing", "has other bytes", "is too much"), differ, strict=True)
        for path in paths
    ]
    refuse(problems, f"what came to {hub.repo} is not what was sent; nothing is tagged")
    return commit


def refuse(problems: Iterable[Problem], told: str) -> None:
    """Raise DataError naming the first problems, if there are any."""
    if found := list(problems):
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        raise DataError("\n".join([f"{told}:", *(str(problem) for problem in found[:SHOWN]), *more]))
