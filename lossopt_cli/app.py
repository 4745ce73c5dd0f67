"""The command line: which commands there are. A command's module is imported when it is called, not
before."""

from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lossopt_cli import __version__
from lossopt_cli.errors import Fault, UsageError

START = """\
Which loss, which optimizer, which learning rate, and how sure are we?

  lossopt train                              one training, now (digits, 15 s)
  lossopt train --loss huber --opt sgd       another loss, another optimizer
  lossopt train --data mine.csv              your own table (or folder of images)
  lossopt config show > mine.yaml            begin a config file

  answer     train   plot
  look up    list losses | optimizers | models | data | schedules      config
  more       lossopt COMMAND --help         exit codes: lossopt --help
"""

EXIT_CODES = """\
Exit codes: 0 done; 1 failed while running; 2 bad usage or config; 3 a check asked for was not met (--fail-if); \
5 the run diverged; 130 Ctrl-C; 143 SIGTERM."""

COMMANDS = {
    "train": ("lossopt_cli.commands.train", "train", "Train one model with one loss and one optimizer."),
    "plot": ("lossopt_cli.commands.plot", "plot", "Draw losses as a picture or in the terminal."),
    "list": ("lossopt_cli.commands.show", "list_catalogue", "Look up losses, optimizers, models, data."),
    "config": ("lossopt_cli.commands.config", "app", "Show, check and describe config files."),
}
ANSWER, LOOK_UP = "Answer", "Look up"
PANELS = {"train": ANSWER, "plot": ANSWER, "list": LOOK_UP, "config": LOOK_UP}


class Stopped(BaseException):
    """Ctrl-C or SIGTERM that a command let through; Typer itself would turn both into exit code 130."""

    def __init__(self, cause: KeyboardInterrupt):
        super().__init__(cause)
        self.cause = cause


class LazyGroup(TyperGroup):
    """COMMANDS in their order. The overview shows the sentences of COMMANDS; modules load when a command
    is called."""

    def list_commands(self, ctx: typer.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if (
            ctx.meta.get("lossopt.overview")
            or ctx.resilient_parsing
            and cmd_name != ctx.meta.get("lossopt.called")
        ):
            return _heading(cmd_name)
        return _loaded(cmd_name)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:
        name = ctx.meta["lossopt.called"] = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            known = ", ".join(COMMANDS)
            remedy = f"did you mean: lossopt {near[0]}?" if near else "see: lossopt --help"
            raise UsageError(Fault(f"no such command: {name}", expected=f"one of {known}", remedy=remedy))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: typer.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as cause:
            raise Stopped(cause) from cause

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:
        ctx.meta["lossopt.overview"] = True
        super().format_help(ctx, formatter)


def _heading(name: str) -> Any:
    """A command that has only its sentence, for the overview."""
    stub = typer.Typer(add_completion=False)
    stub.command(name, help=COMMANDS[name][2], rich_help_panel=PANELS[name])(lambda: None)
    return typer.main.get_command(stub)


def _loaded(name: str) -> Any:
    """The command itself, with its module imported."""
    module, attribute, sentence = COMMANDS[name]
    target = getattr(import_module(module), attribute)
    if isinstance(target, typer.Typer):
        target.info.name = name
        return typer.main.get_command(target)
    single = typer.Typer(add_completion=False)
    single.command(name, help=target.__doc__ or sentence)(target)
    return typer.main.get_command(single)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"lossopt {__version__}")
        raise typer.Exit()


app = typer.Typer(
    cls=LazyGroup,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def start(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Which loss, which optimizer, which learning rate, and how sure are we?"""
    if ctx.invoked_subcommand is None:
        typer.echo(START, nl=False)
