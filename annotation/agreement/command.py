"""`vqa2 annotate agree` and `vqa2 annotate feedback`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProjectFolder = Annotated[Path, typer.Argument(help="A project folder that responses were imported into.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


def mount(group: typer.Typer) -> None:
    """Add the commands below `annotate`."""
    group.command("agree")(agree)
    group.command("feedback")(feedback)


def agree(
    project: ProjectFolder,
    *,
    threshold: Annotated[list[str] | None, typer.Option(help="name=value of a threshold, see agreement.json.")] = None,
    keep: Annotated[list[str] | None, typer.Option(help="A rater to keep whatever the checks find.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="A rater to exclude whatever the checks find.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="Of a review: the JSONL file of pairs, for families.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure agreement, screen raters, and write what goes on into a corpus."""
    import msgspec

    from annotation.agreement.agree import agree as measure
    from annotation.agreement.agree import thresholds_of

    found = measure(project, thresholds_of(threshold or []), keep or [], exclude or [], pairs)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    excluded = [rater for rater in found.raters if not rater.kept]
    unjudged = sum(rater.state == "not judged" for rater in found.raters)
    typer.echo(f"{len(found.raters) - len(excluded)} of {len(found.raters)} raters kept, {unjudged} of them not judged")
    for rater in excluded:
        typer.echo(f"  {rater.rater} excluded: {'; '.join(rater.reasons)}")
    if found.level and found.level_of_all:
        ours, all_of_them = (
            "none" if level.ordinal is None else f"{level.ordinal:.3f}" for level in (found.level, found.level_of_all)
        )
        typer.echo(f"ordinal alpha of levels {ours} (of all raters {all_of_them})")
        typer.echo(f"{found.written.annotations} annotations and {found.written.ratings} ratings go on")
    if found.review:
        typer.echo(f"{found.written.verdicts} pairs have a verdict")
    typer.echo(f"see {project / 'agreement.html'}")


def feedback(
    project: ProjectFolder,
    *,
    pass_share: Annotated[float, typer.Option("--pass", help="The share of gold clips to get right.")] = 0.75,
    reveal_gold: Annotated[bool, typer.Option("--reveal-gold", help="Of a project that raters still work on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a page for each rater of a qualification project: what is known beside what they said."""
    import msgspec

    from annotation.agreement.feedback import feedback as write

    found = write(project, pass_share, reveal_gold=reveal_gold)
    if as_json:
        typer.echo(msgspec.json.encode({"raters": found}).decode())
        return
    for rater in found:
        state = {None: "not finished", True: "passed", False: "not passed"}[rater.passed]
        counts = f"{rater.right} of {rater.done} right, {rater.least_right} of {rater.needed} needed"
        typer.echo(f"{rater.rater}: {state} ({counts}): {project / rater.page}")
