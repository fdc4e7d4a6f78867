"""`vqa2 ask`. torch is imported inside the command only."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import CallError
from training.arguments import CacheOption, feature_cache, loaded, print_json, require_torch


def ask_command(
    model: Annotated[Path, typer.Argument(help="A checkpoint folder of `vqa2 train` or `vqa2 convert`.")],
    clips: Annotated[list[Path], typer.Argument(help="A video or image, or two to compare.")],
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    longest: Annotated[int, typer.Option("--max-tokens", min=1, help="Cut the answer after so many tokens.")] = 512,
    cache: CacheOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Ask the model a question about a clip, or about two. On a terminal the answer shows as it is made."""
    _refuse_swapped(clips, question)
    require_torch()
    from training.inference.answering import streamed
    from training.inference.asking import question_about
    from training.inputs.feeds import motion_stride

    checkpoint = loaded(model)
    kept = feature_cache(cache, checkpoint, model, clips) if cache else None
    asked = question_about(checkpoint, clips, question, cache=kept)
    stride = motion_stride(asked.feeds, checkpoint.config)
    answer = streamed(checkpoint, asked, longest=longest)
    told: list[str] = []
    shows = not as_json and sys.stdout.isatty()
    try:
        while True:
            told.append(next(answer))
            if shows:
                sys.stdout.write(told[-1])
                sys.stdout.flush()
    except StopIteration as ended:
        whole: bool = ended.value
    except KeyboardInterrupt:
        answer.close()
        typer.echo("\ninterrupted", err=True)
        raise typer.Exit(130) from None
    words = "".join(told)
    if as_json:
        print_json(
            {
                "clips": list(map(str, clips)),
                "question": question,
                "prompt": asked.text,
                "answer": words,
                "complete": whole,
                "motion_stride": stride,
            }
        )
        return
    sys.stdout.write("\n" if shows else f"{words}\n")
    if stride > 1:
        typer.echo(f"of the motion features one of {stride} was fed: the model takes fewer than there are", err=True)
    if not whole:
        typer.echo(f"cut after {longest} tokens: --max-tokens allows for more", err=True)


def _refuse_swapped(clips: list[Path], question: str) -> None:
    # A Path's own is_file and exists raise for more than 255 bytes.
    if os.path.isfile(question):  # noqa: PTH113
        raise CallError(f"{question!r} is a file: the question comes last, in quotation marks")
    if missing := [clip for clip in clips if not os.path.exists(clip)]:  # noqa: PTH110
        words = " (or is it part of the question? Write that in quotation marks)" if len(clips) > 1 else ""
        raise CallError(f"{missing[0]}: no such clip{words}")
