"""Publishing: stage, plan, upload, verify, and only then tag. Readers come by tag, so nobody reads half a corpus.

A push that was cut short is finished by the next one: what is on the branch already is not sent again.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
from huggingface_hub import get_token

from dataset_builder.check import check
from dataset_builder.comparing.compare import compare
from dataset_builder.corpus import MANIFEST, file_entry, read_manifest
from dataset_builder.progress import Tracker, untracked
from hub_sync.hub import Hub, Told
from hub_sync.loading import load_back
from hub_sync.naming import FIRST
from hub_sync.plan import Plan
from hub_sync.preflight import limits, secrets, unlicensed, unsafe_paths
from hub_sync.pull import ROWS
from hub_sync.staging import SENT, Clips, Staged, clips_of, finish, stage, staging
from hub_sync.steps import Asked, Next, Seen, begun, foreign, look, opened, planned, refuse, repository, uploaded
from hub_sync.tars import TARS
from schemas.comparison import Step
from schemas.manifest import Manifest
from schemas.validate import Problem

NOT_SENT = "this corpus cannot be published; nothing was sent"
TAR_ABOVE = 10_000
"""More clips than this go in tars."""


@dataclass(frozen=True, kw_only=True)
class Wanted(Asked):
    """How a corpus is to be published: `clips` None = as the recipe has them."""

    clips: str | None = None
    tar_above: int = TAR_ABOVE
    quarantine: bool = False


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What a push did: its plan, and the commit that bears the tag, None where nothing was published."""

    plan: Plan
    commit: str | None


def push(corpus: Path, repo: str, wanted: Wanted, track: Tracker = untracked, told: Told = lambda _: None) -> Pushed:
    """Publish a corpus folder as a version of the data set `repo`.

    Raises DataError naming what of the corpus may not be sent (then nothing is), CallError for a call that cannot be
    followed, ConflictError where somebody else published meanwhile.
    """
    name = repository(repo, wanted)
    manifest = read_manifest(corpus)
    clips = clips_of(manifest, wanted.clips, wanted.tar_above)
    refuse(_problems(corpus, manifest, clips), NOT_SENT)
    hub = Hub(name.repo, told, wanted.patience)
    hub.who()
    with staging(corpus) as folder:
        told("staging")
        staged = stage(corpus, manifest, folder, clips, quarantine=wanted.quarantine, track=track)
        seen = look(hub, wanted.branch)
        staged, plan = _planned(hub, seen, staged, clips, wanted)
        refuse(_problems_of_sent(staged), NOT_SENT)
        if wanted.dry_run or not plan.to_do:
            return Pushed(plan=plan, commit=None)
        head = opened(hub, seen, wanted.branch, private=wanted.private)
        sha256 = file_entry(staged.folder / MANIFEST).sha256
        commit = uploaded(
            hub, head, plan, folder=staged.folder, files=staged.files, name=staged.manifest.name, sha256=sha256
        )
        told("loading it back")
        problems = load_back(hub, commit, staged.manifest.configs, staged.folder)
        refuse(problems, f"what {name.repo} gives back is not what was sent; nothing is tagged")
        if plan.tag is not None:
            hub.tag(plan.tag, commit, "; ".join(plan.reasons)[:500])
        return Pushed(plan=plan, commit=commit)


def _planned(hub: Hub, seen: Seen, staged: Staged, clips: Clips, wanted: Wanted) -> tuple[Staged, Plan]:
    """Find which version this is, and what is to be sent for it. Raises CallError for a tag that is taken."""
    tags = seen.refs.tags if seen.refs else {}
    then = Next("major", ["the first version"], str(FIRST))
    if seen.before is not None:
        before = tags[str(seen.before)]
        if MANIFEST not in hub.files(before):
            raise foreign(hub, "corpus", hub.files(before))
        staged = finish(staged, hub.repo, str(seen.before), clips)
        step, reasons = _step(hub, before, staged)
        then = Next(step, reasons, str(seen.before.after(step)))
    staged = finish(staged, hub.repo, wanted.tag or then.tag, clips)
    plan = planned(hub, seen, wanted, then, folder=staged.folder, files=staged.files, clips=clips)
    if MANIFEST not in seen.files and (taken := [*plan.changed, *plan.removed]) and not begun(hub, seen):
        raise foreign(hub, "corpus", taken)
    return staged, plan


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


def _problems(corpus: Path, manifest: Manifest, clips: Clips) -> list[Problem]:
    """Find what forbids to publish a corpus, what must not even be read first."""
    if problems := list(unsafe_paths(corpus, manifest)) or list(check(corpus)):
        return problems
    return list(unlicensed(corpus, manifest, clips=clips in SENT))


def _problems_of_sent(staged: Staged) -> list[Problem]:
    sizes = {path: entry.bytes for path, entry in staged.files.items()}
    return [*limits(sizes), *secrets(staged.folder, list(staged.files), get_token())]
