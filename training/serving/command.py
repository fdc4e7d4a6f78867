"""`vqa2 serve`. torch and gradio are imported inside the command only."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import CallError
from training.arguments import loaded

MEGABYTE = 10**6


def serve_command(
    model: Annotated[Path, typer.Argument(help="A checkpoint folder of `vqa2 train`.")],
    host: Annotated[str, typer.Option(help="The address to listen on; the default is reached from here only.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 = any that is free.")] = 7860,
    max_upload: Annotated[int, typer.Option(min=1, help="Megabytes that an uploaded file may have.")] = 512,
    max_frames: Annotated[int, typer.Option(min=1, help="Frames that a clip may have: all are held in memory.")] = 4000,
) -> None:
    """Serve a page that scores clips, talks about one and compares two. Nothing leaves this machine. Ctrl-C ends it."""
    if importlib.util.find_spec("gradio") is None:
        raise CallError('gradio is not installed: pip install "vqa2[serve]"')
    checkpoint = loaded(model)
    from training.serving.server import is_loopback, serve

    if not is_loopback(host):
        typer.echo(f"{host}: whoever reaches this address can ask the model, there is no password", err=True)
    serve(
        checkpoint,
        model.resolve().name,
        host=host,
        port=port,
        most_bytes=max_upload * MEGABYTE,
        most_frames=max_frames,
        told=typer.echo,
    )
