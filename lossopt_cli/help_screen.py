"""`--help` within 80 columns: usage, what it does, arguments, options by panel, commands. Without rich."""

import os
import textwrap
from collections.abc import Sequence
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperOption

MARGIN = 2
GAP = 2
WIDEST_TERM = 26


class HelpCommand(TyperCommand):
    """A command whose help is `screen`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(screen(self, ctx))


def screen(command: Any, ctx: Any, commands: Sequence[tuple[str, str, str]] = ()) -> str:
    """The help of a command; commands: (panel, name, sentence) of a group's commands."""
    width = min(int(os.environ.get("COLUMNS") or 80), 100)
    blocks = [_usage(command, ctx), _paragraphs(command.help or "", width)]
    terms: dict[str, list[tuple[str, str]]] = {}
    for panel, name, sentence in commands:
        terms.setdefault(panel, []).append((name, sentence))
    for parameter in command.get_params(ctx):
        if isinstance(parameter, TyperArgument):
            terms.setdefault("Arguments", []).append((parameter.metavar or parameter.name, parameter.help or ""))
    for parameter in command.get_params(ctx):
        if isinstance(parameter, TyperOption) and not parameter.hidden:
            panel = parameter.rich_help_panel or "Other"
            terms.setdefault(panel, []).append((_spelling(parameter), _sentence(parameter, ctx)))
    if "Other" in terms:
        terms["Other"] = terms.pop("Other")
    longest = max(len(term) for rows in terms.values() for term, _ in rows)
    column = MARGIN + min(longest, WIDEST_TERM) + GAP
    blocks += [f"{panel}\n" + _definitions(rows, column, width) for panel, rows in terms.items()]
    blocks.append(_paragraphs(command.epilog or "", width))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _usage(command: Any, ctx: Any) -> str:
    pieces = " ".join(command.collect_usage_pieces(ctx))
    return f"usage: {ctx.command_path} {pieces}".rstrip()


def _spelling(option: Any) -> str:
    """`-l, --loss LOSS`, with room for the short form where there is none."""
    short = next((name for name in option.opts if not name.startswith("--")), "")
    long = next((name for name in option.opts if name.startswith("--")), "")
    value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    return f"{short}, {long}{value}" if short else f"    {long}{value}"


def _sentence(option: Any, ctx: Any) -> str:
    """The help; other spellings and the default where they say something."""
    others = [name for name in option.opts if name.startswith("--")][1:]
    also = f" (also {', '.join(others)})" if others else ""
    default = option.get_default(ctx, call=False)
    shown = "" if option.is_flag or default in (None, "", ()) else f" [{default}]"
    return f"{option.help or ''}{also}{shown}"


def _definitions(rows: Sequence[tuple[str, str]], column: int, width: int) -> str:
    """Terms to the left, their texts in one column to the right."""
    lines = []
    for term, text in rows:
        parts = textwrap.wrap(text, width - column) or [""]
        head = " " * MARGIN + term
        if len(head) > column - GAP:
            lines.append(head)
            head = ""
        lines.append(f"{head:<{column}}{parts[0]}".rstrip())
        lines += [" " * column + part for part in parts[1:]]
    return "\n".join(lines)


def _paragraphs(text: str, width: int) -> str:
    """Filled paragraphs; one whose lines are indented stays as it is."""
    blocks = textwrap.dedent(text).strip().split("\n\n")
    return "\n\n".join(
        block if "\n " in block or block.startswith(" ") else textwrap.fill(block, width) for block in blocks
    )
