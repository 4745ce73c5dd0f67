"""`lossopt` and `python -m lossopt_cli`: runs the app and turns how it ended into an exit code."""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import NoReturn

import typer

from lossopt_cli import errors
from lossopt_cli.errors import Fault, LossoptError, Terminated, UsageError

ClickUsageError = typer.BadParameter.__mro__[1]
ClickFault = ClickUsageError.__mro__[1]

# What is no option of one command, and what one may have meant.
ELSEWHERE = {
    ("train", "--seeds"): "lossopt sweep trains several seeds; here --seed 3 is one",
    ("train", "--dry-run"): "lossopt config show says what would be trained; lossopt sweep has a plan",
}


def main() -> NoReturn:
    """Runs `lossopt` on the arguments of the command line and leaves with its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.excepthook = _unforeseen
    code = run(sys.argv[1:])
    _leave(code)


def run(arguments: Sequence[str]) -> int:
    """The exit code of `lossopt` with these arguments; what went wrong is on stderr (and, as JSON, on
    stdout)."""
    from lossopt_cli.app import Stopped, app

    try:
        code = typer.main.get_command(app).main(args=list(arguments), prog_name="lossopt", standalone_mode=False)
    except LossoptError as error:
        if "--debug" in arguments:
            traceback.print_exc()
        return _report(error, arguments)
    except ClickFault as error:
        return _report(UsageError(_fault(error)), arguments)
    except Stopped as stop:
        if isinstance(stop.cause, Terminated):
            return _stopped("terminated", errors.TERMINATED, arguments)
        return _stopped("interrupted", errors.INTERRUPTED, arguments)
    except BrokenPipeError:
        return errors.FAILED
    return code if isinstance(code, int) else errors.DONE


def _leave(code: int) -> NoReturn:
    """Flushes and leaves; at once where torch is loaded, which would take a second to take down."""
    from lossopt_cli.console import real_stdout

    for stream in (real_stdout(), sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if "torch" in sys.modules:
        os._exit(code)
    sys.exit(code)


def _report(error: LossoptError, arguments: Sequence[str]) -> int:
    from lossopt_cli.console import Console

    console = Console()
    for fault in error.faults:
        console.error(str(fault))
    if _wants_json(arguments):
        status = "bad_usage" if error.exit_code == errors.BAD_USAGE else "failed"
        _print_json(status, error.faults)
    return error.exit_code


def _stopped(word: str, code: int, arguments: Sequence[str]) -> int:
    """Ctrl-C or SIGTERM that no command took care of."""
    from lossopt_cli.console import Console

    Console().note(f"\n{word}")
    if _wants_json(arguments):
        _print_json("interrupted", (Fault(word),))
    return code


def _print_json(status: str, faults: Sequence[Fault]) -> None:
    from lossopt_cli.console import json_text, real_stdout, write

    told = [vars(fault) for fault in faults]
    report = {"schema_version": 1, "status": status, "error": told[0], "errors": told}
    write(real_stdout(), json_text(report) + "\n")


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether the last --format among the arguments is json, also where they could not be parsed."""
    asked = ""
    for before, argument in zip(("", *arguments), arguments, strict=False):
        if before in ("--format", "-f"):
            asked = argument
        elif argument.startswith("--format="):
            asked = argument.removeprefix("--format=")
    return asked == "json"


def _fault(error: ClickFault) -> Fault:
    """What the parser of the command line refused, in the form of all other errors."""
    context = error.ctx if isinstance(error, ClickUsageError) else None
    see = f"see: {context.command_path} --help" if context else None
    match type(error).__name__:
        case "NoSuchOption":
            return Fault(f"no such option: {error.option_name}", remedy=_nearest_option(error) or see)
        case "BadParameter":
            where = error.param.opts[0] if error.param else None
            return Fault(error.message.rstrip(".").removeprefix("Value error, "), where=where, remedy=see)
    return Fault(_sentence(error.format_message()), remedy=see)


def _nearest_option(error: ClickUsageError) -> str | None:
    from difflib import get_close_matches

    if error.ctx is None:
        return None
    if (elsewhere := ELSEWHERE.get((error.ctx.command.name, error.option_name))) is not None:
        return elsewhere
    names = [name for parameter in error.ctx.command.get_params(error.ctx) for name in parameter.opts]
    near = get_close_matches(error.option_name, [name for name in names if name.startswith("-")], n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else None


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Instead of a traceback: a sentence, and how to get the traceback. The exit code is Python's own, 1."""
    if "--debug" in sys.argv:
        sys.__excepthook__(kind, error, trace)
    fault = Fault(f"internal error: {kind.__name__}: {error}", remedy="run again with --debug to see where")
    _report(LossoptError(fault), sys.argv[1:])


if __name__ == "__main__":
    main()
