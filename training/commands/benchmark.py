"""`vqa2 benchmark`: a model on a published test set. torch is imported inside the command only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.errors import CallError
from training.arguments import feature_cache, loaded, require_torch

if TYPE_CHECKING:
    from training.checkpoints.checkpoint import Checkpoint
    from training.evaluation.judging import Judge
    from training.evaluation.metrics import Agreement
    from training.evaluation.outcomes import Line, Outcome
    from training.inputs.features import FeatureCache

MOST_NAMED = 10
"""Items that a list on the terminal names; the JSON and the lines name all."""
LABELS = {"srcc": "SRCC", "krcc": "KRCC", "plcc": "PLCC, raw", "plcc_fitted": "PLCC, fitted", "rmse": "RMSE, fitted"}


def mount(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("benchmark")(benchmark)


def benchmark(
    model: Annotated[Path, typer.Argument(help="A checkpoint folder of `vqa2 train` or `vqa2 convert`.")],
    name: Annotated[str, typer.Argument(metavar="SET", help="A test set of `vqa2 list testsets`.")],
    clips: Annotated[Path, typer.Option("--clips", help="The folder of its clips.")],
    labels: Annotated[Path, typer.Option("--labels", help="Its label file, as published (see docs/testsets.md).")],
    part: Annotated[str | None, typer.Option("--part", help="One part of the set, such as dev or round1.")] = None,
    expect: Annotated[
        int | None, typer.Option("--expect", min=1, help="How many items your release of the set holds.")
    ] = None,
    lock: Annotated[
        Path | None, typer.Option("--lock", help="Refuse clips and scores that are not this lock's.")
    ] = None,
    save_lock: Annotated[Path | None, typer.Option("--save-lock", help="Write the lock of what is at hand.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write a JSON line for every item.")] = None,
    done: Annotated[
        Path | None, typer.Option("--done", help="Lines of an earlier run's --out: these are not asked again.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write the report that `vqa2 compare` reads.")] = None,
    by: Annotated[
        str, typer.Option("--by", help="Choices: what it says (generate), or the likeliest letter.")
    ] = "generate",
    verdicts: Annotated[
        Path | None,
        typer.Option("--verdicts", help="Verdicts on open-ended answers, JSON lines; grows by what is new."),
    ] = None,
    judge: Annotated[str | None, typer.Option("--judge", help="A language model that gives the verdicts.")] = None,
    judge_url: Annotated[str | None, typer.Option("--judge-url", help="Its OpenAI-compatible server.")] = None,
    cache: Annotated[Path | None, typer.Option("--cache", help="Read motion features from `vqa2 features`.")] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Bootstrap resamples of the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resamples.")] = 0,
    plugins: Annotated[
        list[Path] | None, typer.Option(help="A folder of test sets of your own.", exists=True, file_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Score a published test set, or have its questions answered, and measure with intervals.

    Exit code 1 when fewer items were scored or judged than the set holds; the missing ones are named.
    """
    if by not in {"generate", "letter"}:
        raise CallError(f"--by is generate or letter, not {by!r}")
    if (judge is None) != (judge_url is None) or (judge and not verdicts):
        raise CallError("a judge needs --judge MODEL, --judge-url URL, and --verdicts FILE to keep its verdicts in")
    if out and done and out.resolve() == done.resolve():
        raise CallError("--out would overwrite the lines of --done: name another file")
    if out and out.is_file() and out.stat().st_size:
        raise CallError(f"{out} holds lines of an earlier run: give it as --done with another --out, or remove it")
    import training.testsets
    from dataset_builder.locks import read_lock, write_lock, write_report
    from dataset_builder.progress import tracker
    from schemas.plugins import load_plugin

    testset = load_plugin(training.testsets, name, plugins or ())
    held_to = read_lock(lock) if lock else None
    require_torch()
    from training.checkpoints.checkpoint import block_of, identity
    from training.evaluation.benchmark import Model, Settings, asked_of, report_of, run
    from training.evaluation.outcomes import read_lines

    block_of(model)  # a wrong folder is told before clips are hashed
    earlier = read_lines(done) if done else None
    with tracker() as track:
        asked = asked_of(name, testset, labels, clips, part=part, expect=expect, lock=held_to, track=track)
        if asked.lock is None and (report or save_lock):
            wanted = "--report" if report else "--save-lock"
            raise CallError(f"{wanted} needs a lock, and {asked.unlocked}: find them, or give the set's own --lock")
        if save_lock and asked.lock:
            write_lock(save_lock, asked.lock)

        def load() -> tuple[Checkpoint, FeatureCache | None]:
            checkpoint = loaded(model)
            return checkpoint, feature_cache(cache, checkpoint, model, [clips]) if cache else None

        settings = Settings(
            by="letter" if by == "letter" else "generate",
            judge=_judge(verdicts, judge, judge_url),
            resamples=resamples,
            seed=seed,
            track=track,
        )
        with _writer(out, echo=not as_json) as each:
            outcome = run(asked, Model(model.resolve().name, identity(model), load), settings, done=earlier, each=each)
    if report:
        write_report(report, report_of(asked, outcome))
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(outcome).decode())
    else:
        _print(outcome)
    if not outcome.complete:
        raise typer.Exit(1)


def _judge(verdicts: Path | None, judge: str | None, url: str | None) -> Judge | None:
    from training.evaluation.judging import KeptJudge, ServerJudge

    if verdicts is None:
        return None
    return KeptJudge(verdicts, ServerJudge(judge, url) if judge and url else None)


@contextmanager
def _writer(out: Path | None, *, echo: bool) -> Iterator[Callable[[Line], None]]:
    """Give what takes each line: the file `out`, or else the terminal."""
    if out is None:
        yield (lambda line: typer.echo(_shown(line))) if echo else (lambda _: None)
        return
    import msgspec

    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("wb") as file:

        def write(line: Line) -> None:
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()  # what is asked is kept, however the run ends

        yield write


def _shown(line: Line) -> str:
    if line.error:
        return f"{line.id}: error: {line.error}"
    return f"{line.id}: {f'{line.score:.4f}' if line.score is not None else line.answer}"


def _print(outcome: Outcome) -> None:
    called = f"{outcome.set}/{outcome.part}" if outcome.part else outcome.set
    typer.echo(f"{called}: {outcome.n_scored} scored of {outcome.n_expected} expected, {outcome.listed} listed")
    if outcome.published is not None and outcome.published != outcome.n_expected:
        typer.echo(f"  the set publishes {outcome.published}: these numbers are of another release")
    lock = outcome.lock
    typer.echo(f"  lock {lock.lock[:12]} of {lock.n} items" if lock else f"  no lock: {outcome.unlocked}")
    if outcome.metrics:
        _print_agreement(outcome.metrics, "")
        for name, found in outcome.parts.items():
            _print_agreement(found, f"{name} ")
        for name, mean in outcome.mean_of_parts.items():
            typer.echo(f"  mean of {len(outcome.parts)} parts  {LABELS[name]:13} {mean:+.4f}")
        if outcome.scale:
            typer.echo(f"  RMSE is on the scale of the scores, {outcome.scale[0]:g} to {outcome.scale[1]:g}")
    for group, share in outcome.accuracy.items():
        if share.accuracy is None or share.low is None or share.high is None:
            typer.echo(f"  {group:32} none graded of {share.n}")
        else:
            interval = f"[{share.low:.4f}, {share.high:.4f}]"
            typer.echo(f"  {group:32} {share.accuracy:.4f} {interval}  {share.graded} graded of {share.n}")
    if outcome.unjudged:
        typer.echo(f"  {outcome.unjudged} open-ended answers are not judged, and left out of every accuracy")
    for what, ids in (
        ("without a clip", outcome.missing),
        ("failed", [f"{item}: {error}" for item, error in outcome.errors.items()]),
        ("rows refused", outcome.refused),
    ):
        if ids:
            more = f"; and {len(ids) - MOST_NAMED} more, which --json names" if len(ids) > MOST_NAMED else ""
            typer.echo(f"  {len(ids)} {what}: {'; '.join(ids[:MOST_NAMED])}{more}")
    if outcome.notes:
        typer.echo(f"  note: {outcome.notes}")


def _print_agreement(found: Agreement, which: str) -> None:
    for name, label in LABELS.items():
        measured = found.metrics()[name]
        if measured.value is None:
            typer.echo(f"  {which}{label:13} undefined: {measured.why}")
        elif measured.low is None or measured.high is None:
            typer.echo(f"  {which}{label:13} {measured.value:+.4f}  ({measured.why})")
        else:
            interval = f"[{measured.low:+.4f}, {measured.high:+.4f}]"
            typer.echo(f"  {which}{label:13} {measured.value:+.4f}  {found.level:.0%} {interval}  n {found.n}")
    for note in found.notes:
        typer.echo(f"  {which}note: {note}")
