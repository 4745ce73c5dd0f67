"""Whether the sweep in a folder is done, by its sweep.yaml and the runs that are there."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from lossopt_cli.runs.reading import SWEEP
from lossopt_cli.runs.records import Record

# The lines of sweep.yaml that tell, as lossopt writes them: a YAML reader costs more than the whole comparison.
SEEDS = re.compile(r"^seeds: (\[.*\])$", re.MULTILINE)
RATES = re.compile(r"^    rates: (\[.*\]|auto)$", re.MULTILINE)
CHOSEN = re.compile(r"^    chosen: (.*)$", re.MULTILINE)


def unfinished(folder: Path, records: Sequence[Record], failed: int = 0) -> str | None:
    """`26 of 40 trials; lossopt sweep F goes on`; None for a sweep that is done, and where nothing tells.

    failed: how many trials in the folder have; a sweep trains those again only where it is told to.

    Of rates that the sweep looks for itself (`auto`) nobody knows how many trials they take: it is not done while one
    of the recipes has no rate yet."""
    file = folder / SWEEP
    if not file.is_file():
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    goes_on = f"lossopt sweep {shlex.quote(str(folder))}{' --retry-failed' if failed else ''} goes on"
    seeds, rates = SEEDS.search(text), RATES.findall(text)
    if seeds is None or not rates:
        return None
    done = len({record.trial for record in records})
    if "auto" in rates:
        searching = "null" in CHOSEN.findall(text)
        return (
            f"{done} trials{_but(failed)}, and not every recipe has its learning rate yet; {goes_on}"
            if searching
            else None
        )
    try:
        planned = len(json.loads(seeds[1])) * sum(len(json.loads(found)) for found in rates)
    except ValueError:  # edited by hand
        return None
    return f"{done} of {planned} trials{_but(failed)}; {goes_on}" if done < planned else None


def _but(failed: int) -> str:
    return f", {failed} failed" if failed else ""
