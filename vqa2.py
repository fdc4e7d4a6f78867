"""The `vqa2` command: mounts the commands of the packages. Heavy imports happen inside commands."""

from __future__ import annotations

import importlib
import os
import sys

import typer
from rich.console import Console

import annotation.commands
import dataset_builder.commands
import dataset_builder.comparing.command
import hub_sync.commands
import schemas.commands
import training.commands
from schemas.errors import CallError, DataError

app = typer.Typer(
    name="vqa2",
    help="Video quality instruction datasets: build and check them, finetune and score the VQA² model on them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for package in (dataset_builder, annotation, training, hub_sync, schemas):
    package.commands.mount(app)
# `diff` takes published corpora too, which the packages below `hub_sync` know nothing of.
dataset_builder.comparing.command.resolvers.append(hub_sync.commands.folder_of_name)
# `list` shows what is to be tested on, too.
dataset_builder.commands.more_kinds["testsets"] = lambda: importlib.import_module("training.testsets")


@app.callback()
def _options(debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error.")) -> None:
    if debug:
        os.environ["VQA2_DEBUG"] = "1"


def main() -> None:
    """Run the command line. Exit codes: 0 fine, 1 the data are wrong, 2 the call is wrong."""
    try:
        app()
    except (CallError, DataError, OSError) as error:
        if os.environ.get("VQA2_DEBUG"):
            raise
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]error:[/] {_plain(error)}")
        sys.exit(1 if isinstance(error, DataError) else 2)


def _plain(error: Exception) -> str:
    return str(error).replace("[", r"\[")


if __name__ == "__main__":
    main()
