"""`vqa2 report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

if TYPE_CHECKING:
    from dataset_builder.progress import Tracker
    from dataset_builder.report.page import Leaks


def mount(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("report")(report)


def report(
    corpus: Annotated[Path, typer.Argument(help="The corpus folder.")],
    out: Annotated[Path | None, typer.Option(help="The file to write (default: report.html in the corpus).")] = None,
    media_root: Annotated[Path | None, typer.Option(help="Where the clips of media: reference lie.")] = None,
    against: Annotated[list[Path] | None, typer.Option(help="A benchmark's leak passport, repeatable.")] = None,
    near_duplicates: Annotated[bool, typer.Option(help="Look for the same pictures in two splits.")] = False,
    pictures: Annotated[
        bool, typer.Option(help="Show clips: not for a page that is passed on if they may not.")
    ] = True,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that read clips (default: all cores).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Show a corpus as one page: counts, scores, clips, words, splits, raters, costs, quarantine, terms, recipe."""
    from functools import partial

    import msgspec

    from dataset_builder.corpus import file_entry, put_file, read_manifest, write_manifest
    from dataset_builder.notes import read_notes
    from dataset_builder.progress import tracker
    from dataset_builder.report import page
    from dataset_builder.report.pictures import draw_here
    from schemas.errors import CallError

    manifest = read_manifest(corpus)
    inside = corpus / page.REPORT
    place = out or inside
    if place.is_dir() or (corpus.resolve() in place.resolve().parents and place.resolve() != inside.resolve()):
        raise CallError(f"{str(place)!r} is a folder or lies inside the corpus: name a file elsewhere")
    folder = media_root if manifest.media == "reference" else corpus
    with tracker() as track:
        found = _leaks(corpus, media_root, against or (), track, near_duplicates=near_duplicates, workers=workers)
        written = page.report(
            corpus,
            manifest,
            read_notes(corpus),
            pictures=(lambda path: folder and folder / path) if pictures else None,
            leaks=found,
            draw=partial(draw_here, workers=workers, track=track),
            track=track,
        )
    if place.resolve() == inside.resolve():
        page.write_report(corpus, written)
        files = dict(sorted({**manifest.files, page.REPORT: file_entry(inside)}.items()))
        write_manifest(corpus, msgspec.structs.replace(manifest, files=files))
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        put_file(place, written.encode())
    size = place.stat().st_size
    if as_json:
        told = None if found is None else list(found.found)
        typer.echo(orjson.dumps({"file": str(place), "bytes": size, "leaks": told}).decode())
    else:
        typer.echo(f"{place}: {size:,} bytes")
        if found:
            typer.echo(f"{len(found.found):,} leaks found")


def _leaks(
    corpus: Path,
    media_root: Path | None,
    against: Sequence[Path],
    track: Tracker,
    *,
    near_duplicates: bool,
    workers: int | None,
) -> Leaks | None:
    """Look for leaks as `vqa2 check` does, if asked to."""
    if not against and not near_duplicates:
        return None
    from dataset_builder.leakage.passport import corpus_clips, leaks, read_passport
    from dataset_builder.report.page import Leaks

    passports, clips = [read_passport(path) for path in against], corpus_clips(corpus, media_root)
    looked = [f"{len(passport.clips):,} clips of {passport.name} among those trained on" for passport in passports]
    if near_duplicates:
        looked.append("the same pictures in two splits")
    problems = leaks(clips, passports, near_duplicates=near_duplicates, workers=workers, track=track)
    return Leaks(looked, [str(problem) for problem in problems])
