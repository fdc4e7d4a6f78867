"""Plug-ins are files: the name of the file is the name of the plug-in, and nothing else registers it."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from schemas.errors import CallError

NOT_PLUGINS = frozenset({"commands"})


class UnknownPluginError(CallError):
    """A name that no plug-in file has; the message names the nearest one."""


def plugin_names(package: ModuleType, folders: Sequence[Path] = ()) -> list[str]:
    """List the plug-ins of a package: its modules without a leading `_`, and the `.py` files of a user's `folders`."""
    own = [m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg]
    users = [path.stem for folder in folders for path in folder.glob("*.py")]
    return sorted({_written(n) for n in own + users if not n.startswith("_") and n not in NOT_PLUGINS})


def load_plugin(package: ModuleType, name: str, folders: Sequence[Path] = ()) -> ModuleType:
    """Import the plug-in `name` (`stage2-ugc` is the file `stage2_ugc.py`); a user's file wins over ours.

    Raises UnknownPluginError naming the nearest plug-in.
    """
    known = plugin_names(package, folders)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
        raise UnknownPluginError(f"no {package.__name__.split('.')[-1].rstrip('s')} is called {name!r}; {hint}")
    module = name.replace("-", "_")
    for folder in folders:
        if (path := folder / f"{module}.py").exists():
            spec = importlib.util.spec_from_file_location(f"vqa2_plugin_{module}", path)
            assert spec is not None
            assert spec.loader is not None
            loaded = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(loaded)
            return loaded
    return importlib.import_module(f"{package.__name__}.{module}")


def _written(module: str) -> str:
    """Corpus configs are written with a hyphen (`stage2-ugc`), other plug-ins as their file is."""
    return module.replace("_", "-") if module.startswith("stage") else module
