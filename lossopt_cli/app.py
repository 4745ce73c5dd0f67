"""The command line: which commands there are. A command's module is imported when it is called."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from lossopt_cli import __version__
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.help_screen import HelpCommand, screen

START = """\
Which loss, which optimizer, which learning rate, and how sure are we?

  lossopt train                              one training, now (digits, 15 s)
  lossopt train --loss huber --opt sgd       another loss, another optimizer
  lossopt sweep                              the honest comparison (about 2 min)
  lossopt compare                            what the runs so far can tell

  answer     train   evaluate   compare   plot   sweep
  look up    list losses | optimizers | models | data | runs      config
  more       lossopt COMMAND --help         exit codes: lossopt --help
"""

EXIT_CODES = """\
Exit codes
  0  done                          3  a check was not met (--fail-if)
  1  failed while running          5  the run diverged
  2  bad usage or config         130  Ctrl-C             143  SIGTERM
"""


@dataclass(frozen=True)
class Entry:
    """A command or a group; `attribute` of `module` is its function, or a group's functions by name."""

    name: str
    panel: str
    sentence: str
    module: str
    attribute: str


COMMANDS = (
    Entry(
        "train",
        "Answer",
        "one model with one loss and one optimizer",
        "lossopt_cli.commands.train",
        "train",
    ),
    Entry(
        "evaluate",
        "Answer",
        "how good one trained model is, and where it errs",
        "lossopt_cli.commands.evaluate",
        "evaluate",
    ),
    Entry(
        "compare",
        "Answer",
        "which recipe is better, by how much, how sure that is",
        "lossopt_cli.commands.compare",
        "compare",
    ),
    Entry("plot", "Answer", "draw runs, comparisons and losses", "lossopt_cli.commands.plot", "plot"),
    Entry(
        "sweep",
        "Answer",
        "many trainings: recipes over learning rates and seeds",
        "lossopt_cli.commands.sweep",
        "sweep",
    ),
    Entry(
        "list",
        "Look up",
        "losses, optimizers, models, data, schedules, metrics",
        "lossopt_cli.commands.show",
        "list_catalogue",
    ),
    Entry(
        "config",
        "Look up",
        "show, check and describe config files",
        "lossopt_cli.commands.config",
        "COMMANDS",
    ),
    Entry(
        "cache",
        "Look up",
        "list and clear what is kept on disk: images, features",
        "lossopt_cli.commands.cache",
        "COMMANDS",
    ),
)


class Stopped(BaseException):
    """Ctrl-C or SIGTERM that a command let through; Typer itself would turn both into exit code 130."""

    def __init__(self, cause: KeyboardInterrupt):
        super().__init__(cause)
        self.cause = cause


class HelpGroup(TyperGroup):
    """A group whose help is `screen`, and that names the nearest command where there is none of a name."""

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:
        formatter.write(screen(self, ctx, self.overview(ctx)))

    def overview(self, ctx: typer.Context) -> list[tuple[str, str, str]]:
        """(panel, name, sentence) of every command."""
        return [("Commands", name, (command.help or "").split("\n\n")[0]) for name, command in self.commands.items()]

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:
        name, known = args[0], self.list_commands(ctx)
        ctx.meta["lossopt.called"] = name
        if name not in known and not ctx.resilient_parsing:
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            remedy = f"did you mean: {ctx.command_path} {near[0]}?" if near else f"see: {ctx.command_path} --help"
            raise UsageError(Fault(f"no such command: {name}", expected=f"one of {', '.join(known)}", remedy=remedy))
        return super().resolve_command(ctx, args)


class LazyGroup(HelpGroup):
    """COMMANDS in their order; the overview and the completion of their names import none of them."""

    def list_commands(self, ctx: typer.Context) -> list[str]:
        return [entry.name for entry in COMMANDS]

    def overview(self, ctx: typer.Context) -> list[tuple[str, str, str]]:
        return [(entry.panel, entry.name, entry.sentence) for entry in COMMANDS]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:
        entry = {entry.name: entry for entry in COMMANDS}.get(cmd_name)
        if entry is None:
            return None
        if ctx.resilient_parsing and ctx.meta.get("lossopt.called") != cmd_name:
            return TyperCommand(entry.name, help=entry.sentence)
        return _loaded(entry)

    def invoke(self, ctx: typer.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as cause:
            raise Stopped(cause) from cause


def _loaded(entry: Entry) -> Any:
    """The command or group, with its module imported."""
    target = getattr(import_module(entry.module), entry.attribute)
    if callable(target):
        return _command(entry.name, target)
    group = _typer(cls=HelpGroup, help=entry.sentence.capitalize() + ".", invoke_without_command=True)
    for name, function in target.items():
        group.command(name, cls=HelpCommand)(function)
    group.callback()(_help_where_alone)
    group.info.name = entry.name
    return typer.main.get_command(group)


def _command(name: str, function: Callable[..., Any]) -> Any:
    single = _typer()
    single.command(name, cls=HelpCommand)(function)
    return typer.main.get_command(single)


def _help_where_alone(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"lossopt {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def start(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version and leave")
    ] = False,
) -> None:
    """Which loss, which optimizer, which learning rate, and how sure are we?"""
    if ctx.invoked_subcommand is None:
        typer.echo(START, nl=False)
