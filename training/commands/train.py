"""`vqa2 train`. torch is imported inside the command only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dataset_builder.progress import ERROR_CONSOLE
from schemas.errors import CallError
from training.arguments import print_json, print_line, require_torch
from training.recipes import find_recipe


def train_command(
    recipe: Annotated[Path, typer.Argument(help="A training recipe (YAML), or the name of one of ours.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value, over the recipe's own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the training record as JSON.")] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Begin even where memory or disk seem too small: what offloads needs less.")
    ] = False,
    launch: Annotated[
        str | None, typer.Option(help="Train in several processes: ddp, fsdp2, zero2, zero3, or your accelerate file.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(help="How many processes to launch; without it one for each GPU.")
    ] = None,
) -> None:
    """Train the VQA² model on a corpus, stage by stage, into a checkpoint folder. Goes on where it was cut short."""
    given, base = find_recipe(recipe, overrides or [])
    require_torch()
    if launch is not None:
        from training.trainer.launching import launch as start

        raise typer.Exit(
            start(launch, processes, [str(recipe), *(overrides or []), *["--json"] * as_json, *["--anyway"] * anyway])
        )
    if processes is not None:
        raise CallError("--processes goes with --launch, which says how they share the model")
    from training.trainer.launching import one_of_several

    with one_of_several():
        from training.planning.launched import process
        from training.trainer.train import train

        try:
            record = train(given, base, anyway=anyway)
        except KeyboardInterrupt:
            if (work := base / f"{given.out}.work").is_dir():
                ERROR_CONSOLE.print(f"stopped: the same command goes on from {work}", highlight=False)
            raise
    if process() > 0:
        return
    if as_json:
        print_json(record)
        return
    for stage in record["stages"]:
        loss = f", loss {stage['loss_first_tenth']:.3f} -> {stage['loss_last_tenth']:.3f}" if stage["steps"] else ""
        print_line(f"{stage['name']}: {stage['samples']} samples, {stage['steps']} steps{loss}")
    print_line(f"checkpoint: {base / given.out}")
