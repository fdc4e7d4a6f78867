"""The commands of this package. torch is imported inside them only: --help stays instant."""

from __future__ import annotations

import typer

import training.commands.benchmark
from training.commands.ablate import ablate_command
from training.commands.ask import ask_command
from training.commands.eval import eval_command
from training.commands.features import features_command
from training.commands.plan import plan_command
from training.commands.score import score_command
from training.commands.train import train_command
from training.converting.command import convert_command
from training.serving.command import serve_command


def mount(app: typer.Typer) -> None:
    """Add the commands of this package."""
    app.command("train")(train_command)
    app.command("plan")(plan_command)
    app.command("score")(score_command)
    app.command("ask")(ask_command)
    app.command("eval")(eval_command)
    app.command("features")(features_command)
    app.command("convert")(convert_command)
    app.command("ablate")(ablate_command)
    app.command("serve")(serve_command)
    training.commands.benchmark.mount(app)
