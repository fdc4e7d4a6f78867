"""The commands `push`, `pull` and `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schemas.errors import CallError

if TYPE_CHECKING:
    from hub_sync.push import Pushed

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Patience = Annotated[float, typer.Option(min=0, help="Seconds for which a Hub that does not answer is asked again.")]
SHOWN = 10


def mount(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (push, pull, verify):
        app.command()(command)


def push(
    folder: Annotated[Path, typer.Argument(help="The corpus folder, or the model folder.")],
    repo: Annotated[str, typer.Argument(help="The repository on the Hub, OWNER/NAME; made if it is not there.")],
    tag: Annotated[
        str | None, typer.Option(help="Name of the version (default: the next one, such as v1.1.0).")
    ] = None,
    branch: Annotated[str, typer.Option(help="The branch to publish on.")] = "main",
    private: Annotated[bool, typer.Option("--private", help="Make a repository that only invited people see.")] = False,
    clips: Annotated[
        str | None,
        typer.Option(help="Of a corpus: how clips go: folders, tars, reference or recipes (default: as built)."),
    ] = None,
    tar_above: Annotated[
        int | None, typer.Option(min=0, help="Of a corpus: more clips than this go in tars (default: 10,000).")
    ] = None,
    quarantine: Annotated[
        bool, typer.Option("--with-quarantine", help="Of a corpus: publish quarantine.jsonl too.")
    ] = False,
    base: Annotated[
        str | None, typer.Option(help="Of a model: the one on the Hub that it starts from, OWNER/NAME or with @TAG.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Of a model: the tag that its corpus is published as, OWNER/NAME@TAG.")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="Of a model: its corpus folder, where --data was published from it.")
    ] = None,
    licence: Annotated[str | None, typer.Option("--license", help="Of a model: what it is published under.")] = None,
    metrics: Annotated[
        list[Path] | None, typer.Option(help="Of a model: a report of vqa2 eval --out, or vqa2 benchmark --json.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    patience: Patience = 60,
    as_json: AsJson = False,
) -> None:
    """Publish a corpus or model as a version of its repository: checked, uploaded, verified, and tagged last."""
    import orjson

    from dataset_builder.progress import tracker
    from hub_sync.models.folder import is_model_folder

    of_model = is_model_folder(folder)
    others: dict[str, object] = (
        {"--clips": clips, "--tar-above": tar_above, "--with-quarantine": quarantine or None}
        if of_model
        else {"--base": base, "--data": data, "--corpus": corpus, "--license": licence, "--metrics": metrics or None}
    )
    if wrong := [name for name, value in others.items() if value is not None]:
        this, other = ("model", "corpus") if of_model else ("corpus", "model")
        raise CallError(f"{wrong[0]} is for a {other}, and {folder} is a {this} folder")
    _quiet_client()

    def told(line: str) -> None:
        typer.echo(line, err=True)

    asked: dict[str, Any] = {
        "tag": tag,
        "branch": branch,
        "private": private,
        "dry_run": dry_run,
        "patience": patience,
    }
    if of_model:
        from hub_sync.models.push import WantedModel, push_model

        reports = tuple(metrics or ())
        model = WantedModel(base=base, data=data, corpus=corpus, licence=licence, metrics=reports, **asked)
        done = push_model(folder, repo, model, told)
    else:
        from hub_sync.push import TAR_ABOVE, Wanted
        from hub_sync.push import push as publish

        most = TAR_ABOVE if tar_above is None else tar_above
        with tracker() as track:
            wanted = Wanted(clips=clips, tar_above=most, quarantine=quarantine, **asked)
            done = publish(folder, repo, wanted, track, told)
    if as_json:
        import msgspec

        typer.echo(orjson.dumps({**msgspec.to_builtins(done), "dry_run": dry_run}).decode())
    else:
        _show(done, "model" if of_model else "corpus", dry_run=dry_run)


def pull(
    name: Annotated[str, typer.Argument(help="OWNER/NAME, the newest version of it, or OWNER/NAME@TAG.")],
    out: Annotated[Path | None, typer.Argument(help="The folder (default: NAME).")] = None,
    clips: Annotated[bool, typer.Option(help="Fetch the clips too.")] = True,
    patience: Patience = 60,
    as_json: AsJson = False,
) -> None:
    """Download a published corpus with its clips, held to its manifest. One that was cut short goes on."""
    import msgspec
    import orjson

    from hub_sync.pull import pull as fetch

    _quiet_client()
    done = fetch(name, out, clips=clips, told=lambda line: typer.echo(line, err=True), patience=patience)
    if as_json:
        typer.echo(orjson.dumps(msgspec.to_builtins(done)).decode())
        return
    typer.echo(f"{done.repo}@{done.revision}: {done.files:,} files, {done.clips:,} clips, in {done.folder}")
    if done.media != "copy":
        typer.echo(
            f"The clips are not in it: vqa2 check {done.folder} --media-root FOLDER looks whether yours are they."
            if done.media == "reference"
            else f"The clips are not in it: vqa2 regenerate {done.folder} --clips FOLDER puts them there."
        )


def verify(
    name: Annotated[str, typer.Argument(help="OWNER/NAME, the newest version of it, or OWNER/NAME@TAG.")],
    patience: Patience = 60,
    as_json: AsJson = False,
) -> None:
    """Verify a published corpus where it is: every file by its hash, every config loaded."""
    import msgspec
    import orjson

    from hub_sync.verify import verify as look

    _quiet_client()
    found = look(name, lambda line: typer.echo(line, err=True), patience)
    if as_json:
        plain = {**msgspec.to_builtins(found), "problems": [str(problem) for problem in found.problems]}
        typer.echo(orjson.dumps({"ok": not found.problems, **plain}).decode())
    else:
        for problem in found.problems:
            typer.echo(str(problem))
        rows = ", ".join(f"{config} {count:,}" for config, count in found.rows.items())
        told = f"{len(found.problems)} problems" if found.problems else f"no problems; rows: {rows}"
        typer.echo(f"{found.repo}@{found.revision} ({found.commit[:12]}): {found.files:,} files, {told}")
    if found.problems:
        raise typer.Exit(1)


def folder_of_name(name: str) -> Path | None:
    """Give a folder with the rows of `OWNER/NAME@REVISION`, gone when the program ends; None for any other name."""
    import atexit
    import shutil
    import tempfile

    from hub_sync.naming import is_name
    from hub_sync.pull import pull_rows

    if "@" not in name or not is_name(name):
        return None
    folder = Path(tempfile.mkdtemp(prefix="vqa2-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _quiet_client()
    pull_rows(name, folder)
    return folder


def _show(done: Pushed, kind: str, *, dry_run: bool) -> None:
    plan = done.plan
    if not plan.to_do:
        typer.echo(
            f"{plan.repo} holds this {kind} already{f', as {plan.before}' if plan.before else ''}: nothing to do"
        )
        return
    seen = "private" if plan.private else "public"
    version = f"{plan.before or 'nothing'} -> {plan.tag or plan.before} ({plan.step}: {'; '.join(plan.reasons)})"
    typer.echo(f"{plan.repo} ({seen}), branch {plan.branch}{f', clips: {plan.clips}' if plan.clips else ''}")
    typer.echo(f"version {version}")
    for what, paths in (("new", plan.new), ("changed", plan.changed), ("removed", plan.removed)):
        if paths:
            more = f", and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
            typer.echo(f"{len(paths):>6,} {what}: {', '.join(paths[:SHOWN])}{more}")
    typer.echo(f"{plan.same:>6,} unchanged; {plan.bytes:,} bytes in new and changed files")
    if plan.others:
        typer.echo(f"left alone, for they are no {kind}'s: {', '.join(plan.others[:SHOWN])}")
    if dry_run:
        typer.echo("Nothing was sent (--dry-run).")
    else:
        tagged = f"{plan.repo}@{plan.tag}" if plan.tag else plan.repo
        typer.echo(f"Published and verified: {tagged} ({(done.commit or '')[:12]})")


def _quiet_client() -> None:
    """Leave the terminal to our own lines where nobody would look at the client's bars."""
    import sys

    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
