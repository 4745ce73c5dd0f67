"""Every argument and flag of the command line, declared once. Commands pick the ones that they take.

Values that belong to the config stay text here: `config.resolving` reads them, so that all faults of a
command line are told in one go and in the words of the config.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lossopt_cli import completion

RECIPE = "Recipe"
TRAINING = "Training"
RESULT = "Result and messages"
CHOSEN = "Which entries"

RenderFormat = Literal["table", "json", "csv", "markdown", "latex"]

ConfigFile = Annotated[
    Path | None,
    typer.Argument(metavar="CONFIG", help="a config file (YAML)", autocompletion=completion.config_files),
]
ConfigFiles = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="config files (YAML)", autocompletion=completion.config_files),
]

Loss = Annotated[
    str | None,
    typer.Option(
        "--loss",
        "-l",
        metavar="NAME",
        help="huber, huber:delta=0.5, file.py:function",
        rich_help_panel=RECIPE,
        autocompletion=completion.losses,
    ),
]
Optimizer = Annotated[
    str | None,
    typer.Option(
        "--opt",
        "--optimizer",
        "-o",
        metavar="NAME",
        help="adam, sgd:momentum=0.9, torch.NAME, file.py:Class",
        rich_help_panel=RECIPE,
        autocompletion=completion.optimizers,
    ),
]
LearningRate = Annotated[
    str | None, typer.Option("--lr", metavar="RATE", help="learning rate (above 0)", rich_help_panel=RECIPE)
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="NAME",
        help="of the learning rate: cosine, step and others",
        rich_help_panel=RECIPE,
        autocompletion=completion.schedules,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        metavar="DATA",
        help="a name, a folder of images, a .csv file, kaggle:OWNER/NAME, file.py:function",
        rich_help_panel=RECIPE,
        autocompletion=completion.data,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="csv: the column to learn, by name or number",
        rich_help_panel=RECIPE,
    ),
]
SkipBadImages = Annotated[
    bool,
    typer.Option(
        "--skip-bad-images",
        help="leave out images that cannot be read",
        rich_help_panel=RECIPE,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="mlp, minicnn:dropout=0.2, file.py:function",
        rich_help_panel=RECIPE,
        autocompletion=completion.models,
    ),
]

Epochs = Annotated[
    str | None,
    typer.Option("--epochs", "-e", metavar="N", help="passes over the training data", rich_help_panel=TRAINING),
]
BatchSize = Annotated[
    str | None,
    typer.Option("--batch-size", "-b", metavar="N", help="examples a step", rich_help_panel=TRAINING),
]
Seed = Annotated[
    str | None,
    typer.Option(
        "--seed",
        "-s",
        metavar="N",
        help="of initial weights, batch order and dropout",
        rich_help_panel=TRAINING,
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="what the run is judged by",
        rich_help_panel=TRAINING,
        autocompletion=completion.metrics,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto, cpu, cuda, cuda:N, mps",
        rich_help_panel=TRAINING,
        autocompletion=completion.devices,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="TYPE",
        help="float32 or bfloat16",
        rich_help_panel=TRAINING,
        autocompletion=completion.precisions,
    ),
]
Threads = Annotated[
    str | None,
    typer.Option("--threads", metavar="N", help="CPU threads (1 unless said)", rich_help_panel=TRAINING),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="any other value: section.key=VALUE; repeatable",
        rich_help_panel=TRAINING,
    ),
]

Logs = Annotated[
    Path,
    typer.Option(
        "--logs",
        envvar="LOSSOPT_LOGS",
        show_envvar=False,
        metavar="DIR",
        help="folder of the runs",
        rich_help_panel=RESULT,
    ),
]
Name = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="of the run's folder; must be new", rich_help_panel=RESULT),
]
Format = Annotated[
    RenderFormat,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="table, json, csv, markdown, latex: of the result on stdout",
        rich_help_panel=RESULT,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="only the run's path on stdout", rich_help_panel=RESULT)]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="say more", rich_help_panel=RESULT)]
Once = Annotated[
    bool,
    typer.Option("--once", help="print the finished run of the same trial, if any", rich_help_panel=RESULT),
]
FailIf = Annotated[
    str | None,
    typer.Option("--fail-if", metavar="EXPR", help="exit 3 if so: 'accuracy < 0.9'", rich_help_panel=RESULT),
]
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of an error", rich_help_panel=RESULT)]

CatalogueTable = Annotated[
    str | None,
    typer.Argument(
        metavar="TABLE",
        help="losses, optimizers, models, data, schedules, metrics or runs",
        autocompletion=completion.tables,
    ),
]
EntryName = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="one entry, in full", autocompletion=completion.entries),
]
Losses = Annotated[
    str | None,
    typer.Option(
        "--loss",
        "-l",
        metavar="NAME",
        help="losses to draw themselves, with commas between",
        rich_help_panel=RECIPE,
        autocompletion=completion.losses,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="picture to write: .png, .svg, .pdf", rich_help_panel=RESULT),
]
CacheKind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help="images or features only",
        rich_help_panel=CHOSEN,
        autocompletion=completion.cache_kinds,
    ),
]
CacheKeys = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY", help="how keys begin; all unless said", autocompletion=completion.cache_keys),
]
OlderThan = Annotated[
    str | None,
    typer.Option("--older-than", metavar="TIME", help="not used for 30min, 12h, 7d, 2w", rich_help_panel=CHOSEN),
]
ClearYes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask", rich_help_panel=CHOSEN)]
