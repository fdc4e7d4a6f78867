"""How a published corpus is called, `OWNER/NAME@REVISION`, and the tags of its versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from schemas.comparison import Step
from schemas.errors import CallError

_PART = r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_REPO = re.compile(f"{_PART}/{_PART}")
_TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_REF = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)))[A-Za-z0-9][A-Za-z0-9._/@+-]*(?<![/.])")


class Name(NamedTuple):
    """A repository of data sets on the Hub, and a revision of it: a tag, a branch or a commit; None = none named."""

    repo: str
    revision: str | None

    def __str__(self) -> str:
        """Write it as it is read."""
        return self.repo if self.revision is None else f"{self.repo}@{self.revision}"


class Version(NamedTuple):
    """A semantic version of a corpus: https://semver.org, of the data."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        """Write the tag of this version."""
        return f"v{self.major}.{self.minor}.{self.patch}"

    def after(self, step: Step) -> Version:
        """Give the version that follows a change of this size."""
        match step:
            case "major":
                return Version(self.major + 1, 0, 0)
            case "minor":
                return Version(self.major, self.minor + 1, 0)
            case "patch":
                return Version(self.major, self.minor, self.patch + 1)
        return self


FIRST = Version(1, 0, 0)


def is_name(text: str) -> bool:
    """Say whether a text names a repository, and maybe a revision of it."""
    repo, _, revision = text.partition("@")
    return bool(_REPO.fullmatch(repo)) and ("@" not in text or bool(_REF.fullmatch(revision)))


def name_of(text: str) -> Name:
    """Read `OWNER/NAME` or `OWNER/NAME@REVISION`. Raises CallError."""
    if not is_name(text):
        raise CallError(f"{text!r} names no repository: write OWNER/NAME, or OWNER/NAME@REVISION")
    repo, at, revision = text.partition("@")
    return Name(repo, revision if at else None)


def ref_of(text: str, what: str) -> str:
    """Hold the name of a branch or tag to what git takes. Raises CallError."""
    if not _REF.fullmatch(text):
        raise CallError(f"{text!r} cannot name a {what}: letters, digits and . _ / @ + -, such as v1.0.0 or release/1")
    return text


def version_of(tag: str) -> Version | None:
    """Read a version tag such as v1.2.3; None for any other."""
    match = _TAG.fullmatch(tag)
    return Version(*map(int, match.groups())) if match else None


def newest(tags: Iterable[str]) -> Version | None:
    """Give the newest version among tags; None if none of them is one."""
    return max((version for tag in tags if (version := version_of(tag))), default=None)
