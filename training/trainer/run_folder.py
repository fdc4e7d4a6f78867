"""OUT.work: what a run needs to go on where it was cut short.

    run.json                      what the run is of: another recipe, corpus or base does not go on here
    curve.jsonl, tensorboard/     the curve so far
    01-NAME/checkpoint-STEP/      the newest whole snapshot within a stage: weights that learn, optimiser, random state
    01-NAME/best.safetensors      the weights that scored best so far, where a split is watched
    01-NAME/learned.safetensors   the weights that the finished stage leaves, with stage.json, its record

Weights that did not learn are nowhere in it: they come from where the run began.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dataset_builder.corpus import put_file
from schemas.errors import CallError
from training.trainer.curve import Curve

RUN, CURVE, EVENTS = "run.json", "curve.jsonl", "tensorboard"
LEARNED, BEST, RECORD = "learned.safetensors", "best.safetensors", "stage.json"
WHOLE = "whole"
"""An empty file that is written last into a snapshot."""
SNAPSHOT = "checkpoint-"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raise CallError where a file of a run cannot be written, which safetensors and PyTorch say in words of their own.

    Of OSErrors it makes none: those say it in words that the command line passes on.
    """
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        told = str(error)
        if not any(words in told for words in ("I/O error", "PytorchStreamWriter failed", "file write failed")):
            raise
        reason = f"the disk may be full ({told.splitlines()[0]}); with room again, the same command goes on"
        raise CallError(f"{folder}: cannot be read or written: {reason}") from None


class RunFolder:
    """The work folder of one run. In a run of several processes the first one writes; all read."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], *, writes: bool = True) -> None:
        """Open or make it. Raises CallError when another run is in it."""
        self.folder, self.writes = folder, writes
        self._run = folder / RUN
        if writes:
            folder.mkdir(parents=True, exist_ok=True)
        if self._run.is_file():
            found = msgspec.json.decode(self._run.read_bytes())
            if other := sorted(k for k in {*found, *identity} if found.get(k) != identity.get(k)):
                named = [name.removesuffix("_sha256").removesuffix("_manifest").replace("_", " ") for name in other]
                raise CallError(
                    f"{folder}: an unfinished run is here, of another {' and '.join(named)}; finish "
                    "it by the recipe that it began with, or remove the folder to start anew"
                )
        elif writes:
            put_file(self._run, msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n")

    def curve(self) -> Curve:
        """Open the curve."""
        return Curve(self.folder / CURVE, self.folder / EVENTS, writes=self.writes)

    def stage(self, index: int, name: str) -> StageFolder:
        """Give the place of a stage, numbered from 0."""
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
        return StageFolder(self.folder / f"{index + 1:02d}-{safe}", writes=self.writes)

    def clear(self) -> None:
        """Drop what a finished run does not need: all but the curve and TensorBoard's events."""
        for path in self.folder.iterdir():
            if path.is_dir() and path.name != EVENTS:
                shutil.rmtree(path)
        self._run.unlink(missing_ok=True)  # last: as long as there is a stage, it says of which run


class StageFolder:
    """What is kept of one stage."""

    def __init__(self, folder: Path, *, writes: bool) -> None:
        """Take the place; nothing is made before something is written."""
        self.folder, self._writes = folder, writes

    @property
    def name(self) -> str:
        """What the stage is called in the curve."""
        return self.folder.name

    def record(self) -> dict[str, Any] | None:
        """Give the record of a finished stage."""
        path = self.folder / RECORD
        return msgspec.json.decode(path.read_bytes()) if path.is_file() else None

    def snapshot(self) -> Path | None:
        """Find the newest whole snapshot."""
        steps = [int(p.name.removeprefix(SNAPSHOT)) for p in self.folder.glob(f"{SNAPSHOT}*") if (p / WHOLE).is_file()]
        return self.folder / f"{SNAPSHOT}{max(steps)}" if steps else None

    def keep(self, snapshot: Path) -> None:
        """Mark a snapshot as whole, and only then drop the others."""
        (snapshot / WHOLE).touch()
        for other in self.folder.glob(f"{SNAPSHOT}*"):
            if other != snapshot:
                shutil.rmtree(other)

    def best(self) -> tuple[float, int] | None:
        """Give the best SRCC so far, and after which step it was."""
        if not (path := self.folder / BEST).is_file():
            return None
        with safe_open(path, "pt") as file:
            told = file.metadata()
        return float(told["srcc"]), int(told["step"])

    def keep_best(self, learned: Mapping[str, Tensor], srcc: float, step: int) -> None:
        """Write the weights that scored best so far, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".{BEST}"
        save_file(dict(learned), partial, {"srcc": repr(srcc), "step": str(step)})
        partial.replace(self.folder / BEST)

    def forget_best_after(self, step: int) -> None:
        """Drop best weights of a step that the run, going on from `step`, has yet to reach."""
        if (best := self.best()) and best[1] > step:
            (self.folder / BEST).unlink()

    def finish(self, learned: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        """Write what the stage leaves, then its record; then nothing else of it is needed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        save_file(dict(learned), self.folder / LEARNED)
        put_file(self.folder / RECORD, msgspec.json.encode(record))
        (self.folder / BEST).unlink(missing_ok=True)
        for snapshot in self.folder.glob(f"{SNAPSHOT}*"):
            shutil.rmtree(snapshot)


def lay_over(model: nn.Module, weights: Path) -> None:
    """Put learnt weights in the place of a model's own. Raises CallError where they are of another model."""
    other = model.load_state_dict(load_file(weights), strict=False).unexpected_keys
    if other:
        raise CallError(f"{weights}: of another model, as {other[0]} says; remove its folder to start anew")
