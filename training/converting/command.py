"""`vqa2 convert`. torch is imported inside the command only."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from dataset_builder.progress import tracker
from schemas.errors import CallError
from training.arguments import require_torch

Kind = Literal["ugc", "streaming", "assistant", "enhanced", "image"]


def convert_command(
    given: Annotated[Path, typer.Argument(metavar="IN", help="A checkpoint: a folder, or a SlowFast file.")],
    out: Annotated[Path, typer.Argument(help="Where the converted one goes.")],
    source: Annotated[
        Literal["auto", "llava", "slowfast"],
        typer.Option("--from", help="What IN is: a folder of the original LLaVA layout, or SLOWFAST_8x8_R50."),
    ] = "auto",
    target: Annotated[
        Literal["llava", "slowfast"] | None, typer.Option("--to", help="Convert back: IN is a folder of ours.")
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="How it is asked for a score, if IN's name does not tell.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON, each kept name too.")] = False,
) -> None:
    """Convert released VQA² checkpoints (original LLaVA layout) and SlowFast into model folders, and back.

    Tensors are renamed and keep every byte; a name that is missing or not expected stops the conversion.
    """
    if target and (source != "auto" or kind):
        raise CallError("--to converts a folder of ours back: it goes with neither --from nor --kind")
    require_torch()
    from training.checkpoints.start import quiet
    from training.converting.convert import convert, to_llava, to_slowfast

    quiet()
    with tracker() as track:
        if target is None:
            done = convert(given, out, source, kind, track)
        else:
            done = (to_llava if target == "llava" else to_slowfast)(given, out, track)
    if as_json:
        sys.stdout.write(json.dumps({**asdict(done), "out": str(done.out)}, indent=2, ensure_ascii=False) + "\n")
        return
    where = "restored" if target else "kept in slow_path.safetensors"
    sys.stdout.write(
        f"{done.out}: {done.layout}, {done.tensors} tensors, {done.bytes / 1e9:.2f} GB; "
        f"{len(done.slow_path)} that no motion feature depends on {where} (--json names them)\n"
    )
