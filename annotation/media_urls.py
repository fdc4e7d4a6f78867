"""Where a server finds the media of a project: on its own disk below its document root, or over HTTP.

Raters can fetch any file of a folder that is served. So folders are served as narrowly as the clips allow, and never
one that holds what raters must not see: records with their ground truth, known answers, roles.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from schemas.errors import CallError

LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves files of its own disk; what follows is relative to its document root."""
PROXIES = "proxies"
"""Below the base URL of media that come over HTTP: where the folder `media` of the project is put."""


@dataclass(frozen=True)
class Local:
    """Media on the server's own disk, below `root`, its document root."""

    root: Path

    def url(self, file: Path) -> str:
        """Give the URL of a file. Raises CallError where the server does not reach it."""
        return LOCAL_FILES + quote(_below(file.resolve(), self.root.resolve()))

    def folders(self, files: Iterable[Path], proxies: Path | None, secret: Sequence[Path]) -> list[str]:
        """List the folders, relative to the root, that hold the files; `proxies` is one more, if there are any.

        Raises CallError where one is the root itself, which the server refuses, or holds one of the `secret` files.
        """
        parents = {str(file.resolve().parent) for file in files}
        served = [Path(os.path.commonpath(sorted(parents)))] if parents else []
        if proxies is not None and not any(proxies.resolve().is_relative_to(folder) for folder in served):
            served.append(proxies.resolve())
        for folder in served:
            if folder == self.root.resolve():
                raise CallError(
                    f"the clips lie in {str(folder)!r}, the document root itself, which Label Studio does not serve: "
                    "give a folder above it as --document-root"
                )
            for path in secret:
                if path.resolve().is_relative_to(folder):
                    raise CallError(
                        f"{str(path)!r} lies in {str(folder)!r}, which raters can read once it is served: put it "
                        "elsewhere, or the clips into a folder of their own"
                    )
        return sorted(_below(folder, self.root.resolve()) for folder in served)


@dataclass(frozen=True)
class Remote:
    """Media that are fetched from `base`, with CORS and ranges."""

    base: str

    def __post_init__(self) -> None:
        """Refuse what is no HTTP URL, and one with a password or a query in it."""
        parts = urlsplit(self.base)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise CallError(f"clips.serve is 'local' or the http(s) URL of the folder of clips, not {self.base!r}")
        if parts.username or parts.password:
            raise CallError("clips.serve: a URL that every rater sees holds no user name and no password")

    def url(self, path: str) -> str:
        """Give the URL of a media path."""
        return f"{self.base.rstrip('/')}/{quote(path)}"


def _below(path: Path, root: Path) -> str:
    if not path.is_relative_to(root):
        raise CallError(f"{str(path)!r} does not lie below the document root {str(root)!r}: give --document-root")
    return path.relative_to(root).as_posix()
