"""`vqa2 session render`: one clip played as a streaming session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


def mount(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    session = typer.Typer(name="session", help="Streaming sessions: segments, stalls.", no_args_is_help=True)
    session.command("render")(render)
    app.add_typer(session)
    # A group of one command would otherwise lose its name.
    session.callback()(lambda: None)


def render(
    clip: Annotated[Path, typer.Argument(help="The clip that is played.")],
    session: Annotated[Path, typer.Argument(help="A .json or .yaml session, P.1203 inputs, a Waterloo .csv, a .mat.")],
    *,
    out: Annotated[Path, typer.Option(help="The .mp4 file to write.")],
    as_json: AsJson = False,
) -> None:
    """Render a clip as a streaming session: re-encoded segments, stalls, initial buffering."""
    from dataset_builder.progress import tracker
    from dataset_builder.streaming.files import read_session
    from dataset_builder.streaming.render import render_file
    from schemas.errors import CallError
    from stages.stage2_streaming import sentence

    if out.is_dir() or not out.parent.is_dir():
        raise CallError(f"{str(out)!r} is a folder, or lies in one that is not there")
    with tracker() as track:
        rendered = render_file(clip, read_session(session), out, track=track)
    told = {
        "file": str(out),
        "frames": len(rendered.flags),
        "fps": rendered.fps,
        "stalls": [[stall.start, stall.duration] for stall in rendered.stalls],
        "flags": rendered.flags,
        "sentence": sentence(rendered.flags),
        "kbps": [{"asked": asked, "spent": round(spent, 1)} for asked, spent in rendered.kbps],
    }
    if as_json:
        typer.echo(orjson.dumps(told).decode())
        return
    typer.echo(f"{out}: {told['frames']} frames. {told['sentence']}")
    for number, (asked, spent) in enumerate(rendered.kbps, 1):
        typer.echo(f"  segment {number}: {spent:.0f} kbit/s ({asked:g} asked)")
