"""`vqa2 lock create`, `vqa2 lock show` and `vqa2 compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

if TYPE_CHECKING:
    from schemas.lock import BenchmarkLock, MetricReport

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


def mount(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    lock = typer.Typer(name="lock", help="Hold fast what a benchmark is: clips, bytes, scores.", no_args_is_help=True)
    lock.command("create")(create)
    lock.command("show")(show)
    app.add_typer(lock)
    app.command("compare")(compare)


def create(
    corpus: Annotated[Path, typer.Argument(help="The corpus folder.")],
    *,
    out: Annotated[Path, typer.Option(help="The lock file to write.")],
    config: Annotated[str, typer.Option(help="Which config of the corpus.")] = "stage2-ugc",
    split: Annotated[str, typer.Option(help="Which split.")] = "test",
    name: Annotated[str | None, typer.Option(help="What to call it (default: <corpus>/<config>/<split>).")] = None,
    media_root: Annotated[Path | None, typer.Option(help="Where the clips of media: reference lie.")] = None,
    as_json: AsJson = False,
) -> None:
    """Lock one split of a corpus as a benchmark: ids, bytes and scores of its clips, and their scale."""
    from dataset_builder.locks import make_lock, write_lock
    from dataset_builder.progress import tracker
    from schemas.errors import CallError
    from schemas.record import SPLITS

    wanted = next((known for known in SPLITS if known == split), None)
    if wanted is None:
        raise CallError(f"no split is called {split!r}; there are: {', '.join(SPLITS)}")
    if out.is_dir() or corpus.resolve() in out.resolve().parents:
        raise CallError(f"{str(out)!r} is a folder or lies inside the corpus: name a file elsewhere")
    with tracker() as track:
        lock = make_lock(corpus, config, wanted, media_root=media_root, name=name, track=track)
    write_lock(out, lock)
    if lock.encode.probed < sum(lock.encode.frame_rates.values()):
        absent = sum(lock.encode.frame_rates.values()) - lock.encode.probed
        typer.echo(
            f"{absent} files were not at hand: their bytes are as their samples say (see --media-root)", err=True
        )
    _print_lock(lock, as_json)


def show(lock: Annotated[Path, typer.Argument(help="The lock file.")], as_json: AsJson = False) -> None:
    """Show what a lock holds: name, clips, scale, encode, digest."""
    from dataset_builder.locks import read_lock

    _print_lock(read_lock(lock), as_json)


def _print_lock(lock: BenchmarkLock, as_json: bool) -> None:
    import msgspec

    from dataset_builder.locks import encode_of

    if as_json:
        found = {
            "name": lock.name,
            "config": lock.config,
            "split": lock.split,
            "n": lock.n,
            "lock": lock.digest,
            "scales": msgspec.to_builtins(lock.scales),
            "encode": msgspec.to_builtins(lock.encode),
        }
        typer.echo(orjson.dumps(found).decode())
        return
    raw = [clip.raw for clip in lock.clips]
    typer.echo(f"{lock.name}: n {lock.n}, of {lock.config}/{lock.split}")
    typer.echo(f"  scores {min(raw):g} to {max(raw):g}")
    for scale in lock.scales:
        typer.echo(f"  scale  {scale.source}: {scale}")
    typer.echo(f"  encode {lock.encode.sha256[:12]}: {encode_of(lock.encode)}")
    typer.echo(f"  lock   {lock.digest}")


def compare(
    reports: Annotated[list[Path], typer.Argument(help="Reports of `vqa2 eval --out`, two or more.")],
    as_json: AsJson = False,
) -> None:
    """Show metrics side by side; refuse those of unlike benchmarks, or over different clips of one (exit code 1)."""
    from dataset_builder.locks import read_report, require_comparable
    from schemas.errors import CallError

    found = {str(path): read_report(path) for path in reports}
    if len(found) < 2:
        raise CallError("name two reports or more: one alone compares with nothing")
    require_comparable(found)
    if as_json:
        typer.echo(orjson.dumps(_plain(found)).decode())
    else:
        _print_comparison(found)


def _plain(reports: dict[str, MetricReport]) -> dict[str, object]:
    import msgspec

    first = next(iter(reports.values()))
    rows = [
        {"report": path, "model": report.model, "row": row, **msgspec.to_builtins(metrics)}
        for path, report in reports.items()
        for row, metrics in report.metrics().items()
    ]
    return {"benchmark": msgspec.to_builtins(first.benchmark), "not_scored": sorted(first.not_scored), "rows": rows}


def _print_comparison(reports: dict[str, MetricReport]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    first = next(iter(reports.values()))
    console.print(escape(str(first.benchmark)), soft_wrap=True)
    table = Table()
    for column in ("report", "model", "row", "n", "SRCC", "PLCC"):
        table.add_column(column, justify="right" if column in {"n", "SRCC", "PLCC"} else "left")
    for path, report in reports.items():
        for row, metrics in report.metrics().items():
            numbers = ("none" if value is None else f"{value:.3f}" for value in (metrics.srcc, metrics.plcc))
            n = f"{metrics.n} of {report.n_expected}" if report.not_scored else str(metrics.n)
            table.add_row(escape(path), escape(report.model), row.replace("_", " "), n, *numbers)
    console.print(table)
    console.print("PLCC is without a logistic fit.")
    if first.not_scored:
        console.print(f"PARTIAL: all of them leave out the same {len(first.not_scored)} of {first.n_expected} clips.")
