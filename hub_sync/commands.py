"""The commands `push`, `pull` and `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    corpus: Annotated[Path, typer.Argument(help="The corpus folder.")],
    repo: Annotated[str, typer.Argument(help="The data set on the Hub, OWNER/NAME; made if it is not there.")],
    tag: Annotated[
        str | None, typer.Option(help="Name of the version (default: the next one, such as v1.1.0).")
    ] = None,
    branch: Annotated[str, typer.Option(help="The branch to publish on.")] = "main",
    private: Annotated[bool, typer.Option("--private", help="Make a repository that only invited people see.")] = False,
    clips: Annotated[
        str | None, typer.Option(help="How clips go: folders, tars, reference or recipes (default: as built).")
    ] = None,
    tar_above: Annotated[int, typer.Option(min=0, help="More clips than this go in tars.")] = 10_000,
    quarantine: Annotated[bool, typer.Option("--with-quarantine", help="Publish quarantine.jsonl too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    patience: Patience = 60,
    as_json: AsJson = False,
) -> None:
    """Publish a corpus as a version of a data set: checked, uploaded, verified, and tagged last."""
    import orjson

    from dataset_builder.progress import tracker
    from hub_sync.push import Wanted
    from hub_sync.push import push as publish

    wanted = Wanted(tag, branch, private, clips, tar_above, quarantine, dry_run, patience)
    _quiet_client()
    with tracker() as track:
        done = publish(corpus, repo, wanted, track, lambda line: typer.echo(line, err=True))
    if as_json:
        import msgspec

        typer.echo(orjson.dumps({**msgspec.to_builtins(done), "dry_run": dry_run}).decode())
    else:
        _show(done, dry_run=dry_run)


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


def _show(done: Pushed, *, dry_run: bool) -> None:
    plan = done.plan
    if not plan.to_do:
        typer.echo(
            f"{plan.repo} holds this corpus already{f', as {plan.before}' if plan.before else ''}: nothing to do"
        )
        return
    seen = "private" if plan.private else "public"
    version = f"{plan.before or 'nothing'} -> {plan.tag or plan.before} ({plan.step}: {'; '.join(plan.reasons)})"
    typer.echo(f"{plan.repo} ({seen}), branch {plan.branch}, clips: {plan.clips}")
    typer.echo(f"version {version}")
    for what, paths in (("new", plan.new), ("changed", plan.changed), ("removed", plan.removed)):
        if paths:
            more = f", and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
            typer.echo(f"{len(paths):>6,} {what}: {', '.join(paths[:SHOWN])}{more}")
    typer.echo(f"{plan.same:>6,} unchanged; {plan.bytes:,} bytes in new and changed files")
    if plan.others:
        typer.echo(f"left alone, for they are no corpus's: {', '.join(plan.others[:SHOWN])}")
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
