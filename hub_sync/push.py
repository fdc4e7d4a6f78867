"""Publishing: stage, plan, upload, verify, and only then tag. Readers come by tag, so nobody reads half a corpus.

A push that was cut short is finished by the next one: what is on the branch already is not sent again.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from huggingface_hub import get_token

from dataset_builder.check import check
from dataset_builder.comparing.compare import compare
from dataset_builder.corpus import MANIFEST, file_entry, read_manifest
from dataset_builder.progress import Tracker, untracked
from hub_sync.hub import PATIENCE, Hub, Refs, RemoteFile, Told
from hub_sync.loading import load_back
from hub_sync.naming import FIRST, Version, name_of, newest, ref_of
from hub_sync.plan import Plan, differences, is_of_a_corpus
from hub_sync.preflight import limits, secrets, unlicensed, unsafe_paths
from hub_sync.pull import ROWS
from hub_sync.staging import SENT, Clips, Staged, clips_of, finish, stage, staging
from hub_sync.tars import TARS
from schemas.comparison import Step
from schemas.errors import CallError, DataError
from schemas.manifest import Manifest
from schemas.validate import Problem

NOT_SENT = "this corpus cannot be published; nothing was sent"
SHOWN = 20
TAR_ABOVE = 10_000
"""More clips than this go in tars."""
_TITLE = re.compile(r".+ \S+ \([0-9a-f]{12}\)(?: \(part \d+\))?")
"""What a commit of a push is called."""


@dataclass(frozen=True)
class Wanted:
    """How a corpus is to be published.

    `tag` None = the next version after the newest one; `clips` None = as the recipe has them; `dry_run` = plan only.
    `patience` is for how many seconds a Hub is asked again that does not answer.
    """

    tag: str | None = None
    branch: str = "main"
    private: bool = False
    clips: str | None = None
    tar_above: int = TAR_ABOVE
    quarantine: bool = False
    dry_run: bool = False
    patience: float = PATIENCE


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What a push did: its plan, and the commit that bears the tag, None where nothing was published."""

    plan: Plan
    commit: str | None


def push(corpus: Path, repo: str, wanted: Wanted, track: Tracker = untracked, told: Told = lambda _: None) -> Pushed:
    """Publish a corpus folder as a version of the data set `repo`.

    Raises DataError naming what of the corpus may not be sent (then nothing is), CallError for a call that cannot be
    followed, ConflictError where somebody else published meanwhile.
    """
    name = name_of(repo)
    if name.revision is not None:
        raise CallError(f"push to {name.repo!r}, and name the version with --tag")
    branch = ref_of(wanted.branch, "branch")
    if wanted.tag is not None:
        ref_of(wanted.tag, "tag")
    manifest = read_manifest(corpus)
    clips = clips_of(manifest, wanted.clips, wanted.tar_above)
    _refuse(_problems(corpus, manifest, clips), NOT_SENT)
    hub = Hub(name.repo, told, wanted.patience)
    hub.who()
    with staging(corpus) as folder:
        told("staging")
        staged = stage(corpus, manifest, folder, clips, quarantine=wanted.quarantine, track=track)
        seen = _look(hub, branch)
        staged, plan = _planned(hub, seen, staged, clips, wanted)
        _refuse(_problems_of_sent(staged), NOT_SENT)
        if wanted.dry_run or not plan.to_do:
            return Pushed(plan=plan, commit=None)
        commit = _uploaded(hub, _opened(hub, seen, branch, wanted), staged, plan)
        told("loading it back")
        problems = load_back(hub, commit, staged.manifest.configs, staged.folder)
        _refuse(problems, f"what {name.repo} gives back is not what was sent; nothing is tagged")
        if plan.tag is not None:
            hub.tag(plan.tag, commit, "; ".join(plan.reasons)[:500])
        return Pushed(plan=plan, commit=commit)


@dataclass(frozen=True)
class _Seen:
    """What the repository was when the push began; `refs` None = it was not there.

    `before` is the newest version, `head` the commit of the branch, or the one that the branch is to start at; `files`
    are those at the head.
    """

    refs: Refs | None
    before: Version | None
    head: str | None
    files: Mapping[str, RemoteFile]


def _look(hub: Hub, branch: str) -> _Seen:
    refs = hub.refs()
    if refs is None:
        return _Seen(None, None, None, {})
    before = newest(refs.tags)
    start = refs.branches.get("main") if before is None else refs.tags[str(before)]
    head = refs.branches.get(branch, start)
    return _Seen(refs, before, head, hub.files(head) if head else {})


def _planned(hub: Hub, seen: _Seen, staged: Staged, clips: Clips, wanted: Wanted) -> tuple[Staged, Plan]:
    """Find which version this is, and what is to be sent for it. Raises CallError for a tag that is taken."""
    tags = seen.refs.tags if seen.refs else {}
    step: Step = "major"
    reasons, tag = ["the first version"], str(FIRST)
    if seen.before is not None:
        if MANIFEST not in hub.files(tags[str(seen.before)]):
            raise _foreign(hub, hub.files(tags[str(seen.before)]))
        staged = finish(staged, hub.repo, str(seen.before), clips)
        step, reasons = _step(hub, tags[str(seen.before)], staged)
        tag = str(seen.before.after(step))
    staged = finish(staged, hub.repo, wanted.tag or tag, clips)
    new, changed, removed = differences(staged.folder, staged.files, seen.files)
    if MANIFEST not in seen.files and (changed or removed) and not _begun(hub, seen):
        raise _foreign(hub, [*changed, *removed])
    settled = step == "none" and wanted.tag is None
    if wanted.tag is not None and wanted.tag in tags:
        if any(differences(staged.folder, staged.files, hub.files(tags[wanted.tag]))):
            raise CallError(f"{hub.repo} has a tag {wanted.tag} of other contents already: a tag is never moved")
        new, changed, removed, settled = [], [], [], True
    plan = Plan(
        repo=hub.repo,
        branch=wanted.branch,
        private=wanted.private if seen.refs is None else hub.is_private(),
        clips=clips,
        before=None if seen.before is None else str(seen.before),
        tag=None if settled else wanted.tag or tag,
        step=step,
        reasons=reasons,
        new=new,
        changed=changed,
        removed=removed,
        others=sorted(path for path in seen.files if not is_of_a_corpus(path) and path != ".gitattributes"),
        same=len(staged.files) - len(new) - len(changed),
        bytes=sum(staged.files[path].bytes for path in (*new, *changed)),
    )
    return staged, plan


def _begun(hub: Hub, seen: _Seen) -> bool:
    """Say whether it is a push, one that did not come to its end, that made the branch what it is."""
    return seen.head is not None and any(_TITLE.fullmatch(title) for title in hub.titles(seen.head))


def _foreign(hub: Hub, files: Iterable[str]) -> CallError:
    named = ", ".join(sorted(path for path in files if path != ".gitattributes")[:3])
    return CallError(
        f"{hub.repo} holds files that are no corpus of this program ({named}): push to a repository of its own"
    )


def _step(hub: Hub, commit: str, staged: Staged) -> tuple[Step, list[str]]:
    """Name the version step from the version at `commit` to what is staged under the same name, and why."""
    with tempfile.TemporaryDirectory() as scratch:
        before = Path(scratch)
        hub.download(commit, before, hub.files(commit), ROWS)
        found = compare(before, staged.folder)
        if ((before / TARS).is_file()) != ((staged.folder / TARS).is_file()):
            return "major", [
                "clips come another way",
                *(found.step_reasons if found.step in {"minor", "major"} else []),
            ]
        return found.step, found.step_reasons


def _opened(hub: Hub, seen: _Seen, branch: str, wanted: Wanted) -> str:
    """Make repository and branch where they are not there, and give the commit that the branch is at."""
    refs = seen.refs
    if refs is None:
        hub.create(private=wanted.private)
        refs = hub.refs()
    if refs is not None and branch not in refs.branches:
        hub.create_branch(branch, seen.head)
        refs = hub.refs()
    if refs is None or branch not in refs.branches:
        raise CallError(f"{hub.repo}: the branch {branch} was made and is not there: push again")
    return seen.head or refs.branches[branch]


def _uploaded(hub: Hub, head: str, staged: Staged, plan: Plan) -> str:
    """Upload what is staged, and hold the commit to it file by file. Raises DataError naming the files that differ."""
    manifest = file_entry(staged.folder / MANIFEST).sha256[:12]
    title = f"{staged.manifest.name} {plan.tag or plan.before} ({manifest})"
    commit = hub.upload(staged.folder, plan.branch, head, plan.removed, title)
    differ = differences(staged.folder, staged.files, hub.files(commit))
    problems = [
        Problem(path, 0, "", f"{what} on the branch: push again")
        for what, paths in zip(("is missing", "has other bytes", "is too much"), differ, strict=True)
        for path in paths
    ]
    _refuse(problems, f"what came to {hub.repo} is not what was sent; nothing is tagged")
    return commit


def _problems(corpus: Path, manifest: Manifest, clips: Clips) -> list[Problem]:
    """Find what forbids to publish a corpus, what must not even be read first."""
    if problems := list(unsafe_paths(corpus, manifest)) or list(check(corpus)):
        return problems
    return list(unlicensed(corpus, manifest, clips=clips in SENT))


def _problems_of_sent(staged: Staged) -> list[Problem]:
    sizes = {path: entry.bytes for path, entry in staged.files.items()}
    return [*limits(sizes), *secrets(staged.folder, list(staged.files), get_token())]


def _refuse(problems: Iterable[Problem], told: str) -> None:
    """Raise DataError naming the first problems, if there are any."""
    if found := list(problems):
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        raise DataError("\n".join([f"{told}:", *(str(problem) for problem in found[:SHOWN]), *more]))
