"""`vqa2 extend`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

_AMOUNT = re.compile(r"\d+(\.\d+)?")
"""An amount that is written otherwise, or left empty by an unset variable, must not be taken for no cap."""


def mount(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(extend)


def extend(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file (schema extend-recipe).")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value, over what the file says.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to make (default: <name>-pairs).")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what a model would be asked and what it may cost; send nothing.")
    ] = False,
    max_cost: Annotated[
        str | None, typer.Option(help="The most dollars that all calls with the same ledger may cost together.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Where measures are kept (default: OUT.work).")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: all cores).")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one clip may take.")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Make question-answer pairs of experts' notes, by templates or a language model, and check every one.

    The key of a model's server is read from the environment (VQA2_LLM_TOKEN, for OpenAI also OPENAI_API_KEY, for a
    judge VQA2_JUDGE_TOKEN) or from ~/.config/vqa2/tokens.toml.
    """
    import msgspec

    from annotation.extending import extend as extending
    from dataset_builder.engine import LocalEngine
    from dataset_builder.progress import ERROR_CONSOLE, tracker
    from schemas.errors import CallError

    def told(line: str) -> None:
        ERROR_CONSOLE.print(line, soft_wrap=True, highlight=False, markup=False)

    if max_cost is not None and not _AMOUNT.fullmatch(max_cost):
        raise CallError(f"--max-cost is dollars, such as 5 or 0.25, not {max_cost!r}")
    changes = [*(overrides or ()), *([] if max_cost is None else [f"max_cost={max_cost}"])]
    if dry_run:
        planned = extending.dry_run(recipe, out, changes)
        typer.echo(msgspec.json.encode(planned).decode() if as_json else "\n".join(extending.show_plan(planned)))
        return
    with tracker() as track:
        means = extending.Means(LocalEngine(workers), work, timeout, track, told)
        done = extending.extend(recipe, out, changes, means)
    typer.echo(msgspec.json.encode(done).decode() if as_json else "\n".join(extending.show(done)))
    if done.left or done.quarantined or done.unreadable:
        raise typer.Exit(1)
