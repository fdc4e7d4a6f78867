"""The commands below `annotate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import annotation.agreement.command
import annotation.extending.command


def mount(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Annotations of clips.")
    group.command("ground-truth")(ground_truth)
    group.command("create")(create)
    group.command("sync")(sync)
    group.command("import")(import_)
    annotation.agreement.command.mount(group)
    group.callback()(lambda: None)
    app.add_typer(group, name="annotate")
    annotation.extending.command.mount(app)


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


def create(
    recipe: Annotated[Path, typer.Argument(help="The YAML file of the project.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value, over what the file says.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to make (default: <name>-project).")] = None,
    document_root: Annotated[
        Path | None,
        typer.Option(help="Folder below which the server reads local media (default: what holds clips and project)."),
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="JSON lines of the annotations that the pairs of a review rest on.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Where finished work is kept (default: OUT.work).")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: all cores).")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one clip may take.")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Make an annotation project of clips: its labeling config, tasks, proxies and guidelines. No server is asked."""
    import msgspec

    import annotation.create
    from dataset_builder.progress import tracker

    with tracker() as track:
        means = annotation.create.Means(
            document_root=document_root,
            work=work,
            annotations=annotations,
            workers=workers,
            timeout=timeout,
            track=track,
        )
        made = annotation.create.create(recipe, out, overrides or (), means)
    if as_json:
        typer.echo(msgspec.json.encode(made).decode())
    else:
        typer.echo("\n".join(annotation.create.show(made)))


def sync(
    project: Annotated[Path, typer.Argument(help="A project folder that create made.")],
    url: Annotated[str, typer.Option(help="The server, such as http://127.0.0.1:8080.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Change tasks that people have worked on, too.")] = False,
    document_root: Annotated[
        str | None, typer.Option(help="Folder below which the server reads local media; asked of it where not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Bring a project to a Label Studio server: what is new is added, what changed is patched, the rest stays.

    The token is read from the environment (VQA2_LABEL_STUDIO_TOKEN) or from ~/.config/vqa2/tokens.toml.
    """
    import msgspec

    import annotation.sync
    from annotation.server import LabelStudio
    from annotation.tokens import find_token
    from dataset_builder.progress import ERROR_CONSOLE, tracker

    def told(line: str) -> None:
        ERROR_CONSOLE.print(line, soft_wrap=True, highlight=False, markup=False)

    with LabelStudio(url, find_token(url), told=told) as server, tracker() as track:
        done = annotation.sync.sync(
            project, server, dry_run=dry_run, force=force, document_root=document_root, track=track
        )
    if as_json:
        typer.echo(msgspec.json.encode(done).decode())
    else:
        annotation.sync.show(done, typer.echo)


def import_(
    project: Annotated[Path, typer.Argument(help="A project folder that create made.")],
    url: Annotated[str | None, typer.Option(help="The server (default: the one that it was synced to).")] = None,
    export: Annotated[
        Path | None, typer.Option(help="A JSON export as a file, where there is no way to the server.")
    ] = None,
    raters_key: Annotated[
        Path | None, typer.Option(help="Key of the pseudonyms (default: the project's own, made where there is none).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Take what raters submitted into the project folder; the same again changes nothing, and no oddity is dropped."""
    import msgspec

    from annotation.importing import fetch, import_responses
    from annotation.server import LabelStudio
    from annotation.snapshots import parse_export, time_of_export
    from annotation.sync import read_on_server
    from annotation.tokens import find_token
    from dataset_builder.progress import ERROR_CONSOLE, tracker
    from schemas.errors import CallError

    def told(line: str) -> None:
        ERROR_CONSOLE.print(line, soft_wrap=True, highlight=False, markup=False)

    if url is not None and export is not None:
        raise CallError("give --url or --export, not both")
    with tracker() as track:
        if export is not None:
            if not export.is_file():
                raise CallError(f"there is no file {str(export)!r}")
            tasks = parse_export(export.read_bytes(), str(export))
        else:
            known = read_on_server(project)
            if (address := url or (known.url if known else None)) is None:
                raise CallError(f"{str(project)!r} is on no server yet: sync it first, or give a file by --export")
            with LabelStudio(address, find_token(address), told=told) as server:
                tasks = fetch(project, server, told, track)
        at = time_of_export(tasks, export.name if export else "")
        done = import_responses(project, tasks, at, latest=export is None, key=raters_key, track=track)
    if as_json:
        typer.echo(msgspec.json.encode(done).decode())
    else:
        for line in done.lines():
            typer.echo(line)
