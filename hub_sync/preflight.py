"""What of a corpus must not be sent, found before anything is: each problem names its file, and where it can, its line.

Nothing that is found is quoted: a message with a secret in it would be the next leak.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dataset_builder.corpus import MANIFEST, RECORDS, read_samples
from schemas.manifest import Manifest
from schemas.record import Record, refuse_path
from schemas.validate import Problem, read_jsonl

MOST_FILES = 100_000
MOST_IN_FOLDER = 10_000
MOST_BYTES = 50 * 2**30
"""Limits of a repository: https://huggingface.co/docs/hub/storage-limits."""
PUBLISHED = "published"
"""The generator of text that others published."""
READABLE = frozenset({".json", ".jsonl", ".md", ".html", ".csv", ".txt", ".yaml", ".yml", ".jinja"})
"""Endings of files that are looked through for secrets."""


class Secret(NamedTuple):
    """A kind of text that is nobody's business: words, the bytes that any of it holds, and its form."""

    words: str
    holds: bytes
    form: re.Pattern[bytes]


_WORD = rb"(?<![A-Za-z0-9])"
_START = rb"(?:(?<![\w.~/-])|(?<=file://))(?:/[\w.-]+){0,4}"
"""Where an absolute path starts, and some folders of it: no place within an address."""
SECRETS = (
    Secret("a Hugging Face token", b"hf_", re.compile(_WORD + rb"hf_[A-Za-z0-9]{30,}")),
    Secret("an API key", b"sk-", re.compile(_WORD + rb"sk-[A-Za-z0-9_-]{20,}")),
    Secret("an AWS access key", b"AKIA", re.compile(_WORD + rb"AKIA[0-9A-Z]{16}")),
    Secret("a GitHub token", b"gh", re.compile(_WORD + rb"gh[pousr]_[A-Za-z0-9]{36}")),
    Secret("a GitHub token", b"github_pat_", re.compile(_WORD + rb"github_pat_[A-Za-z0-9_]{22,}")),
    Secret("a GitLab token", b"glpat-", re.compile(_WORD + rb"glpat-[A-Za-z0-9_-]{20,}")),
    Secret("a Slack token", b"xox", re.compile(_WORD + rb"xox[abeoprs]-[A-Za-z0-9-]{10,}")),
    Secret("a Google API key", b"AIza", re.compile(_WORD + rb"AIza[0-9A-Za-z_-]{35}")),
    Secret("a JSON Web Token", b"eyJ", re.compile(_WORD + rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    Secret("a private key", b"PRIVATE KEY", re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    Secret("a password in an address", b"://", re.compile(rb"[a-z]{2,}://[^\s/:@\"']+:[^\s/:@\"']+@")),
    # Paths that begin with somebody's home: they tell names of people and machines.
    Secret("a path of somebody's home", b"/home/", re.compile(_START + rb"/home/[^\s/\"'\\<]")),
    Secret("a path of somebody's home", b"/Users/", re.compile(_START + rb"/Users/[^\s/\"'\\<]")),
    Secret("a path of somebody's home", b"/root/", re.compile(_START + rb"/root/[^\s\"'\\<]")),
    Secret("a path of somebody's home", b"Users", re.compile(rb"[A-Za-z]:[\\/]+Users[\\/]+[^\s\\/\"'<]")),
)


def unsafe_paths(corpus: Path, manifest: Manifest) -> Iterator[Problem]:
    """Find files of the manifest that lie, or lead, elsewhere, and names that a repository cannot hold."""
    yield from unsafe_names(corpus, {*manifest.files, MANIFEST}, "corpus")


def unsafe_names(folder: Path, names: Iterable[str], called: str) -> Iterator[Problem]:
    """Find names that lie, or lead, out of a folder, which is called so, and those that a repository cannot hold."""
    root = folder.resolve()
    for name in sorted(names):
        if reason := refuse_path(name) or _refuse_name(name):
            yield Problem(name, 0, "", reason)
        elif not (folder / name).resolve().is_relative_to(root):
            yield Problem(name, 0, "", f"a link leads out of the {called}: put the file itself there")


def secrets(folder: Path, names: Sequence[str], own_token: str | None) -> Iterator[Problem]:
    """Find secrets and personal paths in the text files among `names`, the token in use first of all."""
    kinds = list(SECRETS)
    if own_token:
        literal = own_token.encode()
        kinds.insert(0, Secret("the token that is in use", literal, re.compile(re.escape(literal))))
    for name in names:
        if PurePosixPath(name).suffix.lower() not in READABLE:
            continue
        with (folder / name).open("rb") as file:
            for number, line in enumerate(file, 1):
                for kind in kinds:
                    if kind.holds in line and kind.form.search(line):
                        what = f"holds {kind.words}{_of_row(line)}: take it out where it comes from, and build again"
                        yield Problem(name, number, "", what)
                        break


def limits(sizes: Mapping[str, int]) -> Iterator[Problem]:
    """Find what is more than a repository takes: files, entries of one folder, bytes of one file."""
    if len(sizes) >= MOST_FILES:
        yield Problem(MANIFEST, 0, "", f"{len(sizes):,} files; a repository holds fewer than {MOST_FILES:,}")
    entries = Counter(PurePosixPath(path).parent for path in {*sizes, *_folders(sizes)})
    for folder, count in sorted(entries.items()):
        if count >= MOST_IN_FOLDER:
            yield Problem(str(folder), 0, "", f"{count:,} entries; a folder holds fewer than {MOST_IN_FOLDER:,}")
    for name, size in sorted(sizes.items()):
        if size > MOST_BYTES:
            yield Problem(name, 0, "", f"{size:,} bytes; a file holds at most {MOST_BYTES:,}")


def unlicensed(corpus: Path, manifest: Manifest, *, clips: bool) -> Iterator[Problem]:
    """Find records whose terms do not let them go: their clips, with `clips`, and conversations that others wrote.

    Scores and what is written here of a clip go by reference; what another one published as text is passed on as such.
    """
    told = {
        located.sample.provenance.source
        for config, count in manifest.configs.items()
        if PUBLISHED in count.generators
        for located in read_samples(corpus, config)
        if located.sample.provenance.generator == PUBLISHED
    }
    known: set[str] = set()
    for line, record in read_jsonl(corpus / RECORDS, Record, RECORDS):
        if isinstance(record, Problem):
            yield record
            continue
        known.add(record.media.path)
        sent = clips and record.media.path in manifest.files
        if not sent and record.source not in told:
            continue
        if why := _refuse_licence(record, sent=sent):
            yield Problem(RECORDS, line, "terms", f"{record.id!r}: {why}")
    for path in sorted(manifest.files.keys() - known) if clips else ():
        if path.startswith("media/"):
            yield Problem(path, 0, "", f"no record of {RECORDS} says whose clip it is, and under which terms")


def _refuse_licence(record: Record, *, sent: bool) -> str | None:
    terms, licence = record.terms, record.licence
    if terms.redistribute is False:
        return f"its licence {licence!r} forbids passing it on"
    if terms.redistribute is None:
        return f"whether its licence {licence!r} allows passing it on is not known: say so in the recipe (terms)"
    if sent and record.origin is not None and terms.modify is not True:
        return f"it is changed from another clip, which its licence {licence!r} does not allow to be passed on"
    return None


def _refuse_name(name: str) -> str | None:
    parts = name.split("/")
    if any(part.lower() == ".git" for part in parts):
        return f"the path {name!r} goes through .git, which no repository takes"
    if any(ord(c) < 32 or ord(c) == 127 for c in name) or "\\" in name:
        return f"the path {name!r} holds a backslash or a control character: rename the file"
    if "" in parts or "." in parts:
        return f"the path {name!r} has an empty part: rename the file"
    return None


def _of_row(line: bytes) -> str:
    """Name the record or sample of a line, if it is one that says its id first."""
    match = re.match(rb'\{"id":"((?:[^"\\]|\\.){1,200})"', line)
    if not match or any(kind.form.search(match[1]) for kind in SECRETS):
        return ""
    return f" in {match[1].decode('utf-8', 'replace')!r}"


def _folders(names: Mapping[str, int]) -> set[str]:
    return {str(parent) for name in names for parent in PurePosixPath(name).parents if str(parent) != "."}
