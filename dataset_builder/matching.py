"""Which file a label means: by its path, with or without extension, or by a name that only one file has."""

from __future__ import annotations

import difflib
import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from dataset_builder.leftovers import CACHE_TAG
from schemas.errors import CallError
from schemas.record import refuse_path


class NoMatchError(ValueError):
    """No file, or more than one, is what a label means."""


def printable(name: str) -> str:
    """Write a file's name so that it can be written: bytes that are no UTF-8 become escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class ClipFolder:
    """The files below a folder of clips, and which of them a label means.

    `unusable` lists (path, reason) of entries that cannot be clips; folders and files in `left_out` are not looked at,
    nor are folders that say that they hold what can be made again (`CACHEDIR.TAG`).
    Paths are relative to the folder, with `/`. Raises CallError if the folder is missing.
    """

    def __init__(self, folder: Path, left_out: Collection[Path] = ()) -> None:
        """List the folder once."""
        if not folder.is_dir():
            near = difflib.get_close_matches(folder.name, [p.name for p in folder.parent.glob("*/")], 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise CallError(f"there is no folder of clips {str(folder)!r}{hint}")
        self.folder = folder
        self.unusable: list[tuple[str, str]] = []
        self.paths: list[str] = sorted(self._walk(folder, {p.resolve() for p in left_out}))
        self._by_key: dict[str, list[str]] = defaultdict(list)
        for path in self.paths:
            for key in _keys(path):
                self._by_key[key].append(path)

    def match(self, label: str) -> str:
        """Give the path of the file that `label` means. Raises NoMatchError naming what is near or ambiguous."""
        written = unicodedata.normalize("NFC", label)
        for key in dict.fromkeys((f"path:{written}", f"path:{PurePosixPath(written)}")):
            if found := self._by_key.get(key):
                return self._only(label, found)
        for kind in ("stem", "name", "name-stem"):
            if kind.startswith("name") and "/" in written:
                continue
            if found := self._by_key.get(f"{kind}:{written}"):
                return self._only(label, found)
        raise NoMatchError(f"no clip is called {label!r} in {self.folder.name!r}, with or without extension")

    def _only(self, label: str, found: list[str]) -> str:
        if len(found) > 1:
            raise NoMatchError(f"{label!r} could mean {' or '.join(map(repr, found))}: write the whole name")
        return found[0]

    def _walk(self, folder: Path, left_out: set[Path]) -> Iterator[str]:
        def unreadable(error: OSError) -> None:
            self._refuse(folder, Path(error.filename), f"the folder cannot be read ({error.strerror})")

        for parent, folders, files in os.walk(folder, onerror=unreadable):
            folders[:] = sorted(
                name
                for name in folders
                if (Path(parent) / name).resolve() not in left_out and not (Path(parent) / name / CACHE_TAG).is_file()
            )
            for name in list(folders):
                if (Path(parent) / name).is_symlink():
                    self._refuse(folder, Path(parent) / name, "a linked folder is not entered: give the folder itself")
            for name in files:
                path = Path(parent) / name
                if path.resolve() in left_out:
                    continue
                relative = path.relative_to(folder).as_posix()
                if any("\udc80" <= char <= "\udcff" for char in relative):
                    self._refuse(folder, path, "its name is not UTF-8: rename the file")
                elif reason := refuse_path(relative):
                    self._refuse(folder, path, reason)
                elif not path.exists():
                    self._refuse(folder, path, "a link to nothing: mend or remove it")
                elif not stat.S_ISREG(path.stat().st_mode):
                    self._refuse(folder, path, "no ordinary file")
                else:
                    yield relative

    def _refuse(self, folder: Path, path: Path, reason: str) -> None:
        name = path.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()
        self.unusable.append((name, reason))


def _keys(path: str) -> list[str]:
    """List the ways in which a label may mean this file; names are compared in Unicode normal form C."""
    pure = PurePosixPath(unicodedata.normalize("NFC", path))
    stem = str(pure.with_suffix("")) if pure.suffix else str(pure)
    return [f"path:{pure}", f"stem:{stem}", f"name:{pure.name}", f"name-stem:{PurePosixPath(stem).name}"]
