"""The arguments and flags of `sweep`, each declared once; those that it shares with `train` are in `options`."""

from pathlib import Path
from typing import Annotated

import typer

from lossopt_cli import completion
from lossopt_cli.options import RECIPE, RESULT, TRAINING

SweepSource = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONFIG", help="a config file, or a folder of runs to add to", autocompletion=completion.config_files
    ),
]
LossAxis = Annotated[
    str | None,
    typer.Option(
        "--loss",
        "-l",
        metavar="NAMES",
        help="mse,huber:delta=0.5: losses, with commas between",
        rich_help_panel=RECIPE,
        autocompletion=completion.losses,
    ),
]
OptimizerAxis = Annotated[
    str | None,
    typer.Option(
        "--opt",
        "--optimizer",
        "-o",
        metavar="NAMES",
        help="sgd,sgd:momentum=0.9,adam; sgd:momentum=[0,0.9] is tuned",
        rich_help_panel=RECIPE,
        autocompletion=completion.optimizers,
    ),
]
LearningRateAxis = Annotated[
    list[str] | None,
    typer.Option(
        "--lr",
        metavar="RATES",
        help="auto (unless said), 0.01,0.1, 1e-4..1e-1, x0.1..x10, sgd=0.1..10; repeatable",
        rich_help_panel=RECIPE,
    ),
]
Seeds = Annotated[
    str | None, typer.Option("--seeds", metavar="N", help="how many seeds (8 unless said)", rich_help_panel=TRAINING)
]
SeedAxis = Annotated[
    str | None,
    typer.Option("--seed", "-s", metavar="SEEDS", help="which seeds: 0..7, or 0,3,5", rich_help_panel=TRAINING),
]
SweepName = Annotated[
    str | None,
    typer.Option(
        "--name", metavar="NAME", help="of the sweep's folder; an old one is added to", rich_help_panel=RESULT
    ),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="train failed trials again", rich_help_panel=TRAINING)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="train more than 10,000 trials", rich_help_panel=TRAINING)]
Confirm = Annotated[
    int,
    typer.Option(
        "--confirm",
        metavar="N",
        min=0,
        help="with given rates: N fresh seeds for the chosen one",
        rich_help_panel=TRAINING,
    ),
]
Extend = Annotated[
    bool, typer.Option("--extend", help="further rates where the best is at an end", rich_help_panel=TRAINING)
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=1, help="processes (as many as cores unless said)", rich_help_panel=TRAINING
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="say what would be trained, and how long it takes", rich_help_panel=RESULT)
]
PrintCommands = Annotated[
    bool,
    typer.Option(
        "--print-commands", help="one `lossopt train` line a trial, for a batch system", rich_help_panel=RESULT
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="WAY", help="auto, stack, single: how trials are trained together", rich_help_panel=TRAINING
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="train on a Ray cluster: host:port, auto (the one here), local",
        rich_help_panel=TRAINING,
    ),
]
