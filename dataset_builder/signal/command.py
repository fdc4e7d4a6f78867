"""`vqa2 calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataset_builder.signal.calibration import Rule


def mount(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(calibrate)


def calibrate(
    *,
    out: Annotated[Path, typer.Option(help="The calibration to write, a JSON file.")] = Path("calibration.json"),
    clips: Annotated[
        list[Path] | None, typer.Option(help="A folder of clean clips of your own, beside the demo's.", exists=True)
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Where finished work is kept for the next run (default: OUT.work).")
    ] = None,
    other_size: Annotated[
        bool, typer.Option("--other-size", help="Hold the result to larger clips, and print how it does there.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: all cores).")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one clip may take.")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Find on distorted clips from which measures on a claim may be contradicted, and how often that is right."""
    import msgspec

    from dataset_builder.engine import LocalEngine
    from dataset_builder.progress import tracker
    from dataset_builder.signal.calibrating import calibrated, held_to
    from dataset_builder.signal.known import known_clips
    from dataset_builder.signal.measuring import Means
    from schemas.errors import CallError

    if out.is_dir():
        raise CallError(f"{str(out)!r} is a folder: name a file")
    with tracker() as track:
        means = Means(work or out.with_name(f"{out.name}.work"), LocalEngine(workers), timeout, track)
        usual = known_clips(means, clips or ())
        found = calibrated(usual)
        large = known_clips(means, large=True) if other_size else []
    # Held out by content too: chosen without the contents that there are larger clips of.
    seen = {clip.content for clip in large}
    others = held_to(calibrated([clip for clip in usual if clip.content not in seen]).rules, large) if large else []
    partial = out.with_name(f".{out.name}.partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    partial.replace(out)
    if as_json:
        told = {"file": str(out), "clips": found.clips, "rules": found.rules, "other_size": others}
        typer.echo(msgspec.json.encode(told).decode())
        return
    typer.echo(f"{out}: {found.clips} clips of {len(found.contents)} contents, {found.folds} folds\n")
    typer.echo(table(found.rules))
    if others:
        typer.echo(f"\n{len(large)} clips of another size, of {len(seen)} contents left out:\n\n{table(others)}")


def table(rules: Sequence[Rule]) -> str:
    """Draw rules as a Markdown table, and name below it what may not be contradicted."""
    lines = [
        "| attribute | claimed | threshold | precision | recall | right claims contradicted | false / true claims |",
        "|---|---|---|---|---|---|---|",
    ]
    silent = []
    for rule in rules:
        claimed = f"present, severity {rule.severity} up" if rule.kind == "present" else rule.kind
        if rule.threshold is None:
            silent.append(f"{rule.attribute} {claimed}")
            continue
        precision = "-"
        if rule.precision is not None and rule.interval is not None:
            precision = f"{rule.precision:.3f} ({rule.interval[0]:.3f} to {rule.interval[1]:.3f})"
        figures = f"{rule.threshold:.3g} | {precision} | {rule.recall:.2f} | {rule.spurious:.3f}"
        lines.append(f"| {rule.attribute} | {claimed} | {figures} | {rule.false_claims} / {rule.true_claims} |")
    return "\n".join([*lines, "", f"No threshold: {'; '.join(silent) or 'none is without'}."])
