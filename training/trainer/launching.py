"""Starting `vqa2 train` in several processes by accelerate's configurations in `launch/`, and how such a run fails.

One process tells what went wrong, once; then all end. A process whose launcher is gone ends too, so that a run that is
called again is alone with its files.
"""

from __future__ import annotations

import ctypes
import difflib
import importlib.util
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from schemas.errors import CallError, DataError
from schemas.recipe import mapping_in

FOLDER = files("training") / "launch"
PATIENCE = 60
"""Seconds in which a process that has nothing to tell waits to be ended by the launcher."""
LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL", "Connection refused")
"""What an error says where another process is gone."""
PR_SET_PDEATHSIG = 1
"""Linux, sys/prctl.h."""


def config_names() -> list[str]:
    """List the configurations that the package holds."""
    return sorted(p.name.removesuffix(".yaml") for p in FOLDER.iterdir() if p.name.endswith(".yaml"))


def config_file(name: str) -> Path:
    """Give the file of a configuration, or one of your own by its path. Raises CallError naming the nearest."""
    if name in config_names():
        return Path(str(FOLDER / f"{name}.yaml"))
    if name.endswith((".yaml", ".yml")) and Path(name).is_file():
        return Path(name)
    near = difflib.get_close_matches(name, config_names(), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(config_names())}"
    raise CallError(f"--launch: no configuration is called {name!r}; {hint}")


def launch(name: str, processes: int | None, arguments: Sequence[str]) -> int:
    """Run `vqa2 train` with these arguments in several processes of this machine, and give its exit code.

    Without `processes` there is one for each GPU. Raises CallError for a configuration or a number that cannot be had,
    DataError where a process was killed.
    """
    path = config_file(name)
    count = _count(processes)
    environment = {"PYTHONSAFEPATH": "1"}
    if _kind(path) == "DEEPSPEED":
        if importlib.util.find_spec("deepspeed") is None:
            raise CallError(f"--launch {name}: DeepSpeed is not installed: pip install deepspeed, or take fsdp2")
        environment["PYTHONWARNINGS"] = "ignore::FutureWarning"  # DeepSpeed calls PyTorch by names that will go
        environment |= {} if _gpus() else {"DS_ACCELERATOR": "cpu"}
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    for loud in ("torch.distributed.elastic", "torch.distributed.run", "accelerate"):
        logging.getLogger(loud).setLevel(logging.CRITICAL)
    given = ["--config_file", str(path), "--num_processes", str(count), "--module", "vqa2", "train", *arguments]
    os.environ.update(environment)
    try:
        launch_command(launch_command_parser().parse_args(given))
    except ChildFailedError as error:
        return _exit_code({rank: failure.exitcode for rank, failure in error.failures.items()}, count)
    except SignalException as error:
        return 128 + int(error.sigval)
    except ValueError as error:  # what processes raise does not come here: this is of the configuration
        raise CallError(f"--launch {name}: {error}") from None
    return 0


def _kind(path: Path) -> str | None:
    return mapping_in(path).get("distributed_type")


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _count(processes: int | None) -> int:
    gpus = _gpus()
    if processes is None and not gpus:
        raise CallError("--launch: there is no GPU on this machine; say how many --processes")
    count = gpus if processes is None else processes
    if count < 2:
        raise CallError(f"--launch: sharing takes 2 processes or more, not {count}; leave it out for one")
    if gpus and count > gpus:
        raise CallError(f"--processes {count}: this machine has {gpus} GPU{'s' * (gpus > 1)}, one for each process")
    return count


def _exit_code(codes: dict[int, int], processes: int) -> int:
    """Choose the code of the process that failed by itself. Raises DataError where that one was killed."""
    by_signal = {rank: -code for rank, code in codes.items() if code < 0 and -code != signal.SIGTERM}
    if by_signal:
        rank, number = next(iter(by_signal.items()))
        raise DataError(
            f"process {rank + 1} of {processes} was killed by {signal.Signals(number).name}, as one is that takes too "
            "much memory; the same command goes on where the run was cut short"
        )
    return max((code for code in codes.values() if code > 0), default=1)


@contextmanager
def one_of_several() -> Iterator[None]:
    """Run as one process of a launch: the first to fail tells why, the others end without a word.

    Does nothing in a process that was not launched.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    _end_with_launcher()
    try:
        yield
    except KeyboardInterrupt:
        os._exit(130)
    except BaseException as error:
        lost = isinstance(error, RuntimeError) and any(words in str(error) for words in LOST)
        if not lost and _first_to_tell():
            raise
        sys.stderr.flush()
        time.sleep(PATIENCE)
        os._exit(1)


def _first_to_tell() -> bool:
    """Say whether no other process of this machine has failed before, and have it known that this one has."""
    shared = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not shared:
        return True
    try:
        (Path(shared).parents[1] / "told").touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:
        return True
    return True


def _end_with_launcher() -> None:
    """Have Linux kill this process when its launcher is killed, which could not tell it to end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
