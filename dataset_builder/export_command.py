"""`vqa2 export`, and `vqa2 import`, which reads an export again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

if TYPE_CHECKING:
    from schemas.sample import Sample

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Plugins = Annotated[
    list[Path] | None, typer.Option(help="A folder of plug-in files of your own.", exists=True, file_okay=False)
]


def mount(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(export)
    app.command("import")(import_samples)


def export(
    corpus: Annotated[Path, typer.Argument(help="The corpus folder.")],
    config: Annotated[str, typer.Argument(help="Which config, such as stage2-ugc.")],
    out: Annotated[Path, typer.Argument(help="The file or, of some formats, the folder to write.")],
    *,
    to: Annotated[str, typer.Option(help="The format: vqa2 list exporters names them.")] = "llava",
    split: Annotated[str | None, typer.Option(help="One split only.")] = None,
    media_root: Annotated[
        Path | None, typer.Option(help="Where the clips of media: reference lie, for formats that hold frames.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that read clips (default: all cores).")] = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Write the samples of one config in another trainer's format."""
    import dataset_builder.exporters
    from dataset_builder.corpus import read_manifest
    from dataset_builder.exporting import Means, is_folder
    from dataset_builder.exporting import export as write_export
    from dataset_builder.progress import tracker
    from schemas.plugins import load_plugin

    exporter = load_plugin(dataset_builder.exporters, to, plugins or ())
    with tracker() as track:
        done = write_export(corpus, config, out, exporter, split=split, means=Means(media_root, workers, track=track))
    if read_manifest(corpus).media == "reference" and not done.clips:
        typer.echo("the media paths are relative to the folder of clips that the corpus refers to", err=True)
    if as_json:
        place = "folder" if is_folder(exporter) else "file"
        summary = {place: str(out), "samples": done.samples, "clips": done.clips, "loses": exporter.LOSES}
        typer.echo(orjson.dumps(summary).decode())
    else:
        clips = f", with the key frames of {done.clips} clips and images" if done.clips else ""
        typer.echo(f"{done.samples} samples written to {out}{clips} (lost: {exporter.LOSES})")


def import_samples(
    exported: Annotated[Path, typer.Argument(help="The file or folder that an export wrote.")],
    out: Annotated[Path, typer.Argument(help="The file of JSON lines to write, a sample a line.")],
    *,
    format_name: Annotated[str, typer.Option("--from", help="The format: vqa2 list exporters names them.")],
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Read an export again into the samples that it was made of."""
    import tempfile

    import dataset_builder.exporters
    from dataset_builder.corpus import write_jsonl
    from dataset_builder.exporting import read_export
    from schemas.errors import CallError
    from schemas.plugins import load_plugin

    exporter = load_plugin(dataset_builder.exporters, format_name, plugins or ())
    if out.is_dir():
        raise CallError(f"{str(out)!r} is a folder: name a file")
    place = out.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{out.name}.") as scratch:
        partial = Path(scratch) / out.name
        read = 0

        def counted() -> Iterator[Sample]:
            nonlocal read
            for sample in read_export(exported, exporter):
                read += 1
                yield sample

        write_jsonl(partial, counted())
        partial.replace(place)
    if as_json:
        typer.echo(orjson.dumps({"file": str(out), "samples": read}).decode())
    else:
        typer.echo(f"{read} samples read from {exported} into {out}")
