"""`lossopt cache list | clear`: what is kept on disk because it takes long to make, decoded images and features."""

import re
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from textwrap import shorten

from lossopt_cli import options
from lossopt_cli.catalogue.wording import ago, counted
from lossopt_cli.console import Console, is_terminal
from lossopt_cli.data import cache
from lossopt_cli.data.cache import Entry
from lossopt_cli.errors import DONE, FAILED, Fault, UsageError
from lossopt_cli.rendering import size

COLUMNS = ("kind", "key", "what", "from", "bytes", "made_at", "used_at", "path")
SECONDS = {"min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
SHOWN_KEY = 8


def list_entries(
    kind: options.CacheKind = None, format: options.Format = "table", debug: options.Debug = False
) -> None:
    """Decoded images and features that are kept, the last used first.

    They are in the folder LOSSOPT_CACHE and take at most LOSSOPT_CACHE_LIMIT, 20 GB unless said (none: no limit):
    beyond it, what was not used for longest goes first.
    """
    console, entries = Console(format), _of_kind(kind)
    if format != "table":
        console.rows(COLUMNS, [_record(entry) for entry in entries])
        return
    for entry in entries:
        console.result(_line(entry, console.width))
    limit = cache.cache_limit()
    of = "" if limit is None else f" of {size(limit)}"
    total = size(sum(entry.bytes for entry in entries))
    console.note(f"{counted(len(entries), 'entry')}, {total}{of}, in {cache.cache_folder()}")
    if entries:
        console.hint(f"delete one: lossopt cache clear {entries[-1].key[:SHOWN_KEY]}")


def clear(
    keys: options.CacheKeys = None,
    kind: options.CacheKind = None,
    older_than: options.OlderThan = None,
    yes: options.ClearYes = False,
    debug: options.Debug = False,
) -> int:
    """Delete what is kept, all of it or what is named. It is made again when it is needed."""
    console, age = Console(), _seconds(older_than)
    named = [entry for entry in _of_kind(kind) if time.time() - entry.used_at >= age]
    named = _with_keys(named, keys) if keys else named
    told = f"{counted(len(named), 'entry')}, {size(sum(entry.bytes for entry in named))}"
    asked = {"--kind": kind, "--older-than": older_than}
    same = [*(keys or ()), *(word for flag, value in asked.items() if value is not None for word in (flag, value))]
    if named and not yes and not _agreed(told, same, console):
        console.note("nothing deleted")
        return FAILED
    freed = cache.clear({entry.kind for entry in named}, {entry.key for entry in named})
    console.result(f"deleted {counted(len(named), 'entry')}, {size(freed)}")
    return DONE


def _line(entry: Entry, width: int) -> str:
    before = f"{entry.key[:SHOWN_KEY]}  {entry.kind:<8}  "
    after = f"  {size(entry.bytes):>6}  {ago(time.time() - entry.used_at):<11}"
    room = max(20, width - len(before) - len(after))
    return (before + shorten(str(entry.about.get("what", "")), room, placeholder="…").ljust(room) + after).rstrip()


def _record(entry: Entry) -> list[object]:
    about, made_at = entry.about, entry.about.get("made_at")
    times = [_iso(made_at) if isinstance(made_at, float) else None, _iso(entry.used_at)]
    return [entry.kind, entry.key, about.get("what"), about.get("from"), entry.bytes, *times, str(entry.path)]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _of_kind(kind: str | None) -> list[Entry]:
    if kind is not None and kind not in cache.KINDS:
        raise UsageError(Fault(f"no such kind: {kind}", "--kind", " or ".join(cache.KINDS)))
    return [entry for entry in cache.entries() if kind in (None, entry.kind)]


def _with_keys(entries: Sequence[Entry], keys: Sequence[str]) -> list[Entry]:
    """The entries whose key begins so. UsageError for a beginning of none."""
    unknown = [key for key in keys if not any(entry.key.startswith(key) for entry in entries)]
    if unknown:
        raise UsageError(Fault(f"no entry begins with {unknown[0]}", "KEY", remedy="lossopt cache list shows them"))
    return [entry for entry in entries if entry.key.startswith(tuple(keys))]


def _seconds(text: str | None) -> float:
    """`30min`, `12h`, `7d` or `2w`; 0 for None."""
    if text is None:
        return 0.0
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(min|h|d|w)", text.strip())
    if match is None:
        raise UsageError(Fault(f"'{text}' is no time", "--older-than", "30min, 12h, 7d or 2w"))
    return float(match[1]) * SECONDS[match[2]]


def _agreed(told: str, same: Sequence[str], console: Console) -> bool:
    """Whether the person at the terminal agrees. UsageError where there is none, with the command of the `same` words
    that does not ask."""
    if not _watched():
        command = shlex.join(["lossopt", "cache", "clear", *same, "--yes"])
        raise UsageError(Fault(f"this would delete {told}", "--yes", remedy=f"{command} does"))
    return console.asked(f"delete {told}? [y/N] ").strip().lower() in ("y", "yes")


def _watched() -> bool:
    return sys.stdin.isatty() and is_terminal(sys.stderr)


COMMANDS = {"list": list_entries, "clear": clear}
