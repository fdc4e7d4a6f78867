"""`vqa2 ablate`. torch is imported inside the command only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dataset_builder.progress import ERROR_CONSOLE
from training.arguments import print_json, print_line, require_torch


def ablate_command(
    study: Annotated[Path, typer.Argument(help="A study (YAML): a training recipe, its variants, and the runs.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value, over the study's own.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the page of results (Markdown).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Train variants of one recipe over several corpora and seeds, and say what each change was worth.

    What a former call has done is not done again.
    """
    require_torch()
    import msgspec

    from training.checkpoints.start import quiet
    from training.trainer.ablation import page, read_study, run_study, table_of

    quiet()
    given = read_study(study, overrides or [])
    total = len(given.runs) * len(given.variants)
    found = run_study(given, study, lambda line: ERROR_CONSOLE.print(f"of {total} trainings: {line}", highlight=False))
    told = page(given, found, f"vqa2 ablate {study}" + (f" --out {out}" if out else ""))
    if out:
        out.write_text(told, encoding="utf-8")
    if as_json:
        print_json({"table": msgspec.to_builtins(table_of(given, found)), "runs": msgspec.to_builtins(found)})
    else:
        print_line(told.rstrip())
