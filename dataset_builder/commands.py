"""The commands `build`, `check`, `list` and `demo`, and where the others of this package are mounted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import orjson
import typer

import dataset_builder.auditing.command
import dataset_builder.comparing.command
import dataset_builder.export_command
import dataset_builder.leakage.command
import dataset_builder.lock_commands
import dataset_builder.measure_command
import dataset_builder.preflight.command
import dataset_builder.report.command
import dataset_builder.signal.command
import dataset_builder.streaming.command

more_kinds: dict[str, Callable[[], ModuleType]] = {}
"""Kinds of plug-ins of the packages above this one, which `vqa2 list` shows: how each package is imported."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Plugins = Annotated[
    list[Path] | None, typer.Option(help="A folder of plug-in files of your own.", exists=True, file_okay=False)
]


Clips = Annotated[
    list[Path] | None, typer.Option(help="A folder below which clean clips lie.", exists=True, file_okay=False)
]


def mount(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (demo, build, check, sheet):
        app.command()(command)
    app.command("regenerate")(regenerate_clips)
    app.command("list")(list_plugins)
    dataset_builder.auditing.command.mount(app)
    dataset_builder.export_command.mount(app)
    dataset_builder.comparing.command.mount(app)
    dataset_builder.lock_commands.mount(app)
    dataset_builder.measure_command.mount(app)
    dataset_builder.leakage.command.mount(app)
    dataset_builder.preflight.command.mount(app)
    dataset_builder.report.command.mount(app)
    dataset_builder.signal.command.mount(app)
    dataset_builder.streaming.command.mount(app)


def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("vqa2-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of clips, splits, wording and training.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: all cores).")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the whole chain on real content: clips, corpus, a tiny trained model and its scores."""
    from dataset_builder.demo.run import run_demo
    from dataset_builder.demo.show import show

    summary = run_demo(out, seed, workers)
    if as_json:
        typer.echo(orjson.dumps(summary).decode())
    else:
        show(summary, out)


def build(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes to it, such as seed=1 split.test=0.3")] = None,
    out: Annotated[Path | None, typer.Option(help="The corpus folder (default: <recipe name>-corpus).")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: all cores).")] = None,
    work: Annotated[
        Path | None, typer.Option(help="Where finished work is kept for the next run (default: OUT.work).")
    ] = None,
    part: Annotated[str | None, typer.Option(help="I/N: do the I-th of N shares of the work, and stop.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    ray_address: Annotated[str | None, typer.Option(help="The cluster's head, HOST:PORT, or auto.")] = None,
    memory: Annotated[int | None, typer.Option(min=1024, help="Megabytes that a process may take.")] = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Build a corpus folder from label tables and clips. One that was cut short goes on where it was."""
    from dataclasses import asdict

    from dataset_builder.build import build as build_corpus
    from dataset_builder.build import work_folder
    from dataset_builder.engine.choice import engine_of, part_of
    from dataset_builder.gathering.state import Means, OtherPartsError
    from dataset_builder.progress import tracker
    from dataset_builder.rebuilt import told
    from schemas.recipe import BuildRecipe, load

    wanted = load(recipe, BuildRecipe, overrides or [])
    folder = out or Path(f"{wanted.name}-corpus")
    share = None if part is None else part_of(part)
    runs_on = engine_of(engine, workers=workers, memory=memory, address=ray_address)
    try:
        with tracker() as track:
            means = Means(runs_on, plugins or (), work or work_folder(folder), share, retry_failed, track)
            built = build_corpus(wanted, recipe, folder, means)
    except OtherPartsError as others:
        _show_part(part or "", others.stages, as_json=as_json)
        return
    except KeyboardInterrupt:
        typer.echo(
            f"interrupted: what is done is kept in {work or work_folder(folder)}, call it again to go on", err=True
        )
        raise typer.Exit(130) from None
    manifest, limit = built.manifest, wanted.max_quarantine
    if as_json:
        counts = {config: count.splits for config, count in manifest.configs.items()}
        summary = {
            "corpus": str(folder),
            "configs": counts,
            "records": manifest.records,
            "quarantined": manifest.quarantined,
            "transient": manifest.transient,
            "remarks": manifest.remarks,
            "rebuilt": asdict(built.rebuilt),
        }
        typer.echo(orjson.dumps(summary).decode())
    else:
        _show_build(folder, built.manifest.configs, built.quarantine, wanted.stages)
        typer.echo(told(built.rebuilt))
        for remark in manifest.remarks:
            typer.echo(f"Note: {remark}")
        if manifest.transient:
            typer.echo(
                f"Note: {manifest.transient} of these say something of the machine: --retry-failed tries them again"
            )
    if limit is not None and manifest.quarantined > limit:
        typer.echo(f"{manifest.quarantined} inputs are in quarantine, the recipe allows {limit}", err=True)
        raise typer.Exit(1)


def _show_part(part: str, stages: list[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps({"part": part, "waits_for": stages}).decode())
    elif stages:
        typer.echo(f"Part {part}: done as far as it goes; the other parts have not done {' and '.join(stages)}.")
        typer.echo("When they have, run all parts again, or go on without --part.")
    else:
        typer.echo(f"Part {part}: done. Run without --part to write the corpus.")


def _show_build(folder: Path, configs: dict, quarantine: list, stages: list[str]) -> None:  # type: ignore[type-arg]
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from schemas.record import SPLITS

    console = Console(highlight=False)
    table = Table(title=f"{folder}", title_justify="left")
    table.add_column("config")
    for split in SPLITS:
        table.add_column(split, justify="right")
    for config in stages:
        splits = configs[config].splits if config in configs else {}
        table.add_row(config, *(str(splits.get(split, 0)) for split in SPLITS))
    console.print(table)
    if quarantine:
        console.print(f"{len(quarantine)} inputs in quarantine, see {folder / 'quarantine.jsonl'}:")
        for row in quarantine[:10]:
            where = f"{row.file}{'' if row.row is None else f' row {row.row}'}{f' {row.field}' if row.field else ''}"
            console.print(escape(f"  {where}: {row.reason}"), soft_wrap=True)
        if len(quarantine) > 10:
            console.print(f"  and {len(quarantine) - 10} more")
    else:
        console.print("Nothing in quarantine.")


def check(
    corpus: Annotated[Path, typer.Argument(help="The corpus folder.")],
    media_root: Annotated[Path | None, typer.Option(help="Where the clips of media: reference lie.")] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="A benchmark's leak passport: none of its clips may be trained on.")
    ] = None,
    near_duplicates: Annotated[bool, typer.Option(help="Look for the same pictures in two splits.")] = False,
    regenerate: Annotated[bool, typer.Option(help="Render every distorted clip again and compare the bytes.")] = False,
    clips: Clips = None,
    plugins: Plugins = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that read clips (default: all cores).")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a corpus folder: checksums, schemas, media, levels, counts, splits; on demand, leaks and regeneration."""
    from dataset_builder.check import check as check_corpus

    problems = [str(problem) for problem in check_corpus(corpus, media_root)]
    if regenerate:
        from dataset_builder.progress import tracker
        from dataset_builder.regenerate import Means
        from dataset_builder.regenerate import regenerate as render_again

        with tracker() as track:
            means = Means(workers, plugins=plugins or (), track=track)
            again = render_again(corpus, clips or [], means, keep=False)
        problems += [str(problem) for problem in again.problems]
        typer.echo(f"{again.rendered} clips render to the same bytes, {again.copied} are clean", err=True)
    if against or near_duplicates:
        from dataset_builder.leakage.passport import corpus_clips, leaks, read_passport
        from dataset_builder.progress import tracker

        passports, shown = [read_passport(path) for path in against or []], corpus_clips(corpus, media_root)
        for passport in passports:
            if passport.unread:
                told = f"{len(passport.unread)} clips of {passport.name!r} could not be read when its passport was made"
                typer.echo(f"{told}: nothing is held against them", err=True)
        with tracker() as track:
            found = leaks(shown, passports, near_duplicates=near_duplicates, workers=workers, track=track)
            problems += [str(problem) for problem in found]
    if as_json:
        typer.echo(orjson.dumps({"ok": not problems, "problems": problems}).decode())
    else:
        for problem in problems:
            typer.echo(problem)
        typer.echo(f"{corpus}: {f'{len(problems)} problems' if problems else 'no problems'}")
    if problems:
        raise typer.Exit(1)


def regenerate_clips(
    corpus: Annotated[Path, typer.Argument(help="The corpus folder.")],
    clips: Clips = None,
    plugins: Plugins = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: all cores).")] = None,
    as_json: AsJson = False,
) -> None:
    """Put the clips of a corpus back from its records and the clean clips: copied, or rendered to the same bytes."""
    from dataset_builder.progress import tracker
    from dataset_builder.regenerate import Means, regenerate

    with tracker() as track:
        done = regenerate(corpus, clips or [], Means(workers, plugins=plugins or (), track=track))
    if as_json:
        summary = {"rendered": done.rendered, "copied": done.copied, "there": done.there}
        typer.echo(orjson.dumps({**summary, "problems": [str(problem) for problem in done.problems]}).decode())
    else:
        for problem in done.problems:
            typer.echo(str(problem))
        typer.echo(f"{done.rendered} clips rendered, {done.copied} copied, {done.there} were there")
    if done.problems:
        raise typer.Exit(1)


def sheet(
    clip: Annotated[Path, typer.Argument(help="A video or a picture.")],
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("sheet.png"),
    kind: Annotated[list[str] | None, typer.Option(help="A distortion, repeatable (default: all).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is drawn by chance.")] = 0,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Draw a contact sheet: every distortion of a clip at every severity."""
    from dataset_builder.progress import tracker
    from dataset_builder.sheet import contact_sheet

    with tracker() as track:
        drawn = contact_sheet(clip, kind or (), seed=seed, plugins=plugins or (), track=track)
    drawn.save(out, "PNG")
    if as_json:
        typer.echo(orjson.dumps({"file": str(out), "width": drawn.width, "height": drawn.height}).decode())
    else:
        typer.echo(f"{out}: {drawn.width} x {drawn.height} pixels")


def list_plugins(
    kind: Annotated[str | None, typer.Argument(help="sources, stages, distortions, exporters or testsets.")] = None,
    about: Annotated[bool, typer.Option("--about", help="All that is known of the sources, as Markdown.")] = False,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """List the sources, stages, distortions, exporters and test sets there are."""
    import difflib

    import dataset_builder.distortions
    import dataset_builder.exporters
    import dataset_builder.sources
    import stages
    from dataset_builder import source_table
    from dataset_builder.distort import describe
    from schemas.errors import CallError
    from schemas.plugins import load_plugin, plugin_names

    if about:
        if kind != "sources":
            raise CallError("--about tells of sources alone: vqa2 list sources --about")
        described = source_table.described(plugins or ())
        typer.echo(orjson.dumps(described).decode() if as_json else source_table.markdown(plugins or ()), nl=as_json)
        return
    packages = {
        "sources": dataset_builder.sources,
        "stages": stages,
        "distortions": dataset_builder.distortions,
        "exporters": dataset_builder.exporters,
        **{name: package() for name, package in more_kinds.items()},
    }
    if kind is not None and kind not in packages:
        near = difflib.get_close_matches(kind, packages, 1)
        raise CallError(f"no kind of plug-in is called {kind!r}; there are: {', '.join(near or packages)}")
    found = {
        name: {
            plugin: (load_plugin(package, plugin, plugins or ()).__doc__ or "").partition("\n")[0]
            for plugin in plugin_names(package, plugins or ())
        }
        for name, package in packages.items()
        if kind in {None, name}
    }
    if as_json:
        plain: dict[str, Any] = {**found}
        if "distortions" in found:
            plain["distortions"] = {name: describe(name, plugins or ()) for name in found["distortions"]}
        typer.echo(orjson.dumps(plain).decode())
        return
    width = max(len(plugin) for names in found.values() for plugin in names)
    for name, names in found.items():
        typer.echo(f"{name}:")
        for plugin, words in names.items():
            typer.echo(f"  {plugin:{width}}  {words}")
