"""`vqa2 eval`. torch is imported inside the command only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schemas.errors import CallError
from schemas.record import SPLITS
from training.arguments import CacheOption, feature_cache, loaded, print_json, print_line

if TYPE_CHECKING:
    from schemas.lock import MetricReport


def eval_command(
    model: Annotated[Path, typer.Argument(help="A checkpoint folder of `vqa2 train`.")],
    corpus: Annotated[Path, typer.Argument(help="A corpus folder of `vqa2 build`.")],
    config: Annotated[str, typer.Option("--config", help="Which config of the corpus.")] = "stage2-ugc",
    split: Annotated[str, typer.Option("--split", help="Which split.")] = "test",
    media_root: Annotated[Path | None, typer.Option("--media-root", help="Where its clips lie, if elsewhere.")] = None,
    controls: Annotated[bool, typer.Option("--controls", help="Also score what a result must beat.")] = False,
    lock: Annotated[Path | None, typer.Option("--lock", help="Refuse a split that is not this benchmark.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report that `vqa2 compare` reads.")] = None,
    cache: CacheOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Correlate scores with the corpus's MOS: SRCC, and PLCC without a logistic fit.

    Exit code 1 when a sample could not be scored.
    """
    wanted = next((known for known in SPLITS if known == split), None)
    if wanted is None:
        raise CallError(f"no split is called {split!r}; there are: {', '.join(SPLITS)}")
    if out and (out.is_dir() or corpus.resolve() in out.resolve().parents):
        raise CallError(f"{str(out)!r} is a folder or lies inside the corpus: name a file elsewhere")
    from dataset_builder.locks import read_lock, write_report

    held_to = read_lock(lock) if lock else None
    checkpoint = loaded(model)
    from training.evaluation.evaluate import evaluate

    asked = [corpus, "--media-root", media_root] if media_root else [corpus]
    kept = feature_cache(cache, checkpoint, model, asked) if cache else None
    report = evaluate(
        checkpoint,
        corpus,
        config,
        wanted,
        media_root or corpus,
        controls=controls,
        lock=held_to,
        called=model.resolve().name,
        cache=kept,
    )
    if out:
        write_report(out, report)
    if as_json:
        print_json(_plain_report(report))
    else:
        _print_report(report)
    if report.not_scored:
        raise typer.Exit(1)


def _plain_report(report: MetricReport) -> dict[str, Any]:
    """Give the report without the lock's list of clips, and without controls that were not asked for."""
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(report)
    return {key: value for key, value in plain.items() if key != "lock" and value is not None}


def _print_report(report: MetricReport) -> None:
    print_line(f"{report.config}/{report.split}: SRCC and PLCC (no logistic fit) against MOS")
    print_line(f"benchmark {report.benchmark}")
    for name, found in report.metrics().items():
        numbers = f"SRCC {_number(found.srcc)}  PLCC {_number(found.plcc)}"
        print_line(f"  {name.replace('_', ' '):13} {numbers}  n {found.n} of {report.n_expected}")
    for error in report.errors:
        print_line(f"  not scored: {error}")


def _number(value: float | None) -> str:
    return "undefined (constant scores)" if value is None else f"{value:+.3f}"
