"""The arguments and flags of the commands that read runs: compare, plot, evaluate. Declared once, as in `options`."""

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from lossopt_cli import completion
from lossopt_cli.options import RESULT

COMPARING = "Comparison"
EVALUATION = "Evaluation"


def _least_effect(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < math.inf:
        raise typer.BadParameter(f"{text!r} is no least difference: a number from 0 on, in the metric's units")
    return value


Compared = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN_OR_FOLDER...",
        help="runs, sweeps, or folders with runs below them; without one, the newest",
        autocompletion=completion.runs,
    ),
]
ComparedMetric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        "-m",
        metavar="NAME",
        help="what to rank by; without it, what the runs were judged by",
        rich_help_panel=COMPARING,
        autocompletion=completion.metrics,
    ),
]
Split = Annotated[
    Literal["test", "validation", "train"] | None,
    typer.Option("--split", metavar="SPLIT", help="test (unless said), validation, train", rich_help_panel=RESULT),
]
TargetValue = Annotated[
    float | None,
    typer.Option(
        "--target", metavar="VALUE", help="of the metric, for who gets there first", rich_help_panel=COMPARING
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="RECIPE",
        help="a recipe, or a folder of runs, to hold others to",
        rich_help_panel=COMPARING,
    ),
]
MinEffect = Annotated[
    float | None,
    typer.Option(
        "--min-effect",
        metavar="VALUE",
        help="smaller differences count as ties",
        rich_help_panel=COMPARING,
        parser=_least_effect,
    ),
]
WhichProblem = Annotated[
    str,
    typer.Option(
        "--problem", metavar="N", help="which of several problems: 1 is the newest, or all", rich_help_panel=COMPARING
    ),
]
DrawnProblem = Annotated[
    str,
    typer.Option(
        "--problem", metavar="N", help="which of several problems: 1 is the newest", rich_help_panel=COMPARING
    ),
]
PlotKind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        "-k",
        metavar="KIND",
        help="what to draw: curves (unless said) and others, see above",
        rich_help_panel=COMPARING,
        autocompletion=completion.plot_kinds,
    ),
]
By = Annotated[
    Literal["epoch", "step", "second"] | None,
    typer.Option("--by", metavar="WHAT", help="epoch, step, second: over what to draw", rich_help_panel=COMPARING),
]
Recipes = Annotated[
    str | None,
    typer.Option(
        "--recipes", metavar="NAMES", help="only these, with commas between: adam,mse", rich_help_panel=COMPARING
    ),
]
PictureStyle = Annotated[
    Literal["screen", "talk", "paper"],
    typer.Option("--style", metavar="STYLE", help="screen, talk (large), paper (a column)", rich_help_panel=RESULT),
]
Sort = Annotated[
    str | None,
    typer.Option("--sort", metavar="COLUMN", help="order of the rows; without it, by rank", rich_help_panel=RESULT),
]
Top = Annotated[
    int | None,
    typer.Option("--top", metavar="N", min=1, help="only the first N rows; all are counted", rich_help_panel=RESULT),
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="NAMES", help="with commas between; `help` lists them", rich_help_panel=RESULT),
]
Pairs = Annotated[bool, typer.Option("--pairs", help="every pair of recipes, below the table", rich_help_panel=RESULT)]
Rows = Annotated[
    Literal["recipes", "trials", "epochs", "pairs"],
    typer.Option(
        "--rows", metavar="OF", help="of csv and json: recipes, trials, epochs or pairs", rich_help_panel=RESULT
    ),
]
Methods = Annotated[
    bool, typer.Option("--methods", help="instead, the protocol as a paragraph for a paper", rich_help_panel=RESULT)
]
FailIfCompared = Annotated[
    str | None,
    typer.Option("--fail-if", metavar="EXPR", help="exit 3 if so: 'accuracy < 0.9', worse", rich_help_panel=RESULT),
]
NoNotes = Annotated[bool, typer.Option("--quiet", "-q", help="the result only, no notes", rich_help_panel=RESULT)]

EvaluatedRun = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN", help="a run: its folder, a beginning of its name, or last", autocompletion=completion.runs
    ),
]
OtherData = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        metavar="DATA",
        help="other data: a .csv file, a folder of images, one image, a name; all of it without --split",
        rich_help_panel=EVALUATION,
        autocompletion=completion.data,
    ),
]
Predictions = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="FILE", help="csv to write: every prediction", rich_help_panel=EVALUATION),
]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", metavar="P", help="two classes: say the second above P", rich_help_panel=EVALUATION),
]
