"""Sessions as they lie in files: a log of a published set, the inputs of ITU-T P.1203, or one written by hand."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from dataset_builder.sources import _waterloo, itu_p1203, live_nflx_ii
from schemas.errors import CallError, DataError
from schemas.session import Session


def read_session(path: Path) -> Session:
    """Read one session.

    `.csv` is a log of the Waterloo sets, `.mat` a video of LIVE-NFLX-II, `.json` the inputs of ITU-T P.1203 or a
    Session, `.yaml` a Session. Raises CallError for a missing file, DataError for one that is no session.
    """
    if not path.is_file():
        raise CallError(f"{str(path)!r}: there is no such session")
    try:
        match path.suffix.lower():
            case ".csv":
                return _waterloo.session_of(path)
            case ".mat":
                return live_nflx_ii.session_of(path)
            case ".json" | ".yaml" | ".yml":
                written = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
                if isinstance(written, dict) and "I13" in written:
                    return itu_p1203.session_of(path)
                return msgspec.convert(written, Session)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        told = str(error).replace(" - at `$.", " at `").replace(" - at `$", " at `")
        raise DataError(f"{path.name}: no session: {told}") from None
    raise CallError(f"{str(path)!r}: a session is a .json, .yaml, .csv (Waterloo) or .mat (LIVE-NFLX-II) file")
