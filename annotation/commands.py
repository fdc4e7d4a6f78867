"""The commands below `annotate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def mount(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Annotations of clips.")
    group.command("ground-truth")(ground_truth)
    group.callback()(lambda: None)
    app.add_typer(group, name="annotate")


def ground_truth(
    truth: Annotated[Path, typer.Argument(help="JSON lines of schema ground-truth.")],
    out: Annotated[Path, typer.Option(help="The file of annotations to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the wording.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Derive annotations from ground truth (rater `synthetic`). A file with any bad line gives none."""
    import orjson

    from dataset_builder.corpus import write_jsonl
    from schemas.errors import CallError, DataError
    from schemas.record import GroundTruth
    from schemas.validate import Problem, read_jsonl
    from stages.wording.ground_truth import annotate

    if not truth.is_file():
        raise CallError(f"there is no file {str(truth)!r}")
    annotations, problems = [], []
    for line, row in read_jsonl(truth, GroundTruth, str(truth)):
        if isinstance(row, Problem):
            problems.append(str(row))
            continue
        try:
            annotations.append(annotate(row, seed))
        except DataError as error:
            problems.append(f"{truth}:{line}: {error}")
    if problems:
        raise DataError("\n".join(problems))
    write_jsonl(out, annotations)
    if as_json:
        typer.echo(orjson.dumps({"file": str(out), "annotations": len(annotations)}).decode())
    else:
        typer.echo(f"{len(annotations)} annotations written to {out}")
