"""A comparison on stdout: as a table with its verdict, as rows, as JSON, for a paper."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lossopt_cli.analysis import escapes, latex, layout, methods, several, tables, verdict
from lossopt_cli.analysis.columns import COLUMNS, Column, column_named
from lossopt_cli.analysis.comparison import Comparison
from lossopt_cli.analysis.comparison_json import as_json
from lossopt_cli.analysis.pair_table import pair_table
from lossopt_cli.commands.comparison_checks import Check
from lossopt_cli.commands.comparison_rows import rows_of
from lossopt_cli.console import STYLES, Console, has_colour, json_text
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.records import LeftOut, Record

HELP = "help"


@dataclass(frozen=True)
class Shown:
    """What was typed about how to show it."""

    sort: str | None
    top: int | None
    columns: str | None
    pairs: bool
    rows: str
    methods: bool

    def check(self) -> None:
        """UsageError for a column that there is not."""
        self.view(80, tables.plain)

    def view(self, width: int, style: Callable[..., str]) -> tables.View:
        columns = _columns(self.columns) if self.columns else ()
        sort = column_named(self.sort, "--sort") if self.sort else None
        return tables.View(width, columns, sort, self.top, style)


@dataclass(frozen=True)
class Output:
    """The comparisons with their runs; folder: what the commands of the verdict name, None where they cannot. checks:
    what --fail-if asked of each comparison; none without it."""

    comparisons: Sequence[Comparison]
    records: Sequence[Sequence[Record]]
    left_out: Sequence[LeftOut]
    folder: str | None
    checks: Sequence[Check] = ()


def show(output: Output, shown: Shown, console: Console) -> None:
    if shown.methods:
        _methods(output, console)
    elif shown.rows != "recipes" or console.format == "csv":
        columns, rows = rows_of(shown.rows, output.comparisons, output.records)
        console.rows(columns, rows)
    elif console.format == "json":
        _json(output, console)
    elif console.format in ("latex", "markdown"):
        render = latex.table if console.format == "latex" else latex.markdown
        view = shown.view(console.width, tables.plain)
        console.result("\n\n".join(render(comparison, view) for comparison in output.comparisons))
    else:
        _screen(output, shown, console)


def _screen(output: Output, shown: Shown, console: Console) -> None:
    view = shown.view(console.width, _style(console))
    if len(output.comparisons) > 1:
        said = "\n".join(layout.wrapped(several.verdict(output.comparisons), min(view.width, tables.READABLE)))
        console.result(f"{several.table(output.comparisons, view)}\n\n{said}")
        return
    for comparison in output.comparisons:
        parts = [tables.table(comparison, view)]
        parts += [pair_table(comparison, view)] if shown.pairs else []
        said = verdict.verdict(comparison, output.folder)
        parts.append(verdict.text(said, min(view.width, tables.READABLE)))
        console.result("\n\n".join(parts))


def _json(output: Output, console: Console) -> None:
    found = [
        as_json(c, verdict.verdict(c, output.folder), output.left_out, map(vars, output.checks[place : place + 1]))
        for place, c in enumerate(output.comparisons)
    ]
    if len(found) == 1:
        console.result(json_text(found[0]))
        return
    across = [{"recipe": row.name, "best_or_tied": row.good, "profile_score": row.score}
              for row in several.across(output.comparisons)]  # fmt: skip
    console.result(json_text({"schema_version": 1, "problems": found, "across": across}))


def _methods(output: Output, console: Console) -> None:
    texts = [
        methods.paragraph(comparison, _software(records))
        for comparison, records in zip(output.comparisons, output.records, strict=True)
    ]
    if console.format == "json":
        console.result(json_text({"schema_version": 1, "methods": texts}))
    else:
        console.result("\n\n".join(map(escapes.latex, texts) if console.format == "latex" else texts))


def _software(records: Sequence[Record]) -> Mapping[str, str]:
    """Versions by package; several where the runs were not made with one."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for package, version in ((record.result.get("environment") or {}).get("packages") or {}).items():
            found.setdefault(package, {})[version] = None
    return {package: " and ".join(versions) for package, versions in found.items()}


def _columns(text: str) -> tuple[Column, ...]:
    """`recipe,mean`: the recipe is always there, and first. UsageError with all that is wrong."""
    found, faults = [], []
    for name in filter(None, map(str.strip, text.split(","))):
        try:
            found.append(column_named(name, "--columns"))
        except UsageError as error:
            faults += error.faults
    if faults:
        raise UsageError(*faults)
    if not found:
        listed = "names that `lossopt compare --columns help` lists, with commas between"
        raise UsageError(Fault("no column in --columns", "--columns", listed))
    recipe = COLUMNS[0]
    return (recipe, *(column for column in found if column is not recipe))


def _style(console: Console) -> Callable[..., str]:
    """Bold and dim where stdout has colour."""
    if not has_colour(console.out):
        return tables.plain
    return lambda text, *names: f"\x1b[{';'.join(STYLES[name] for name in names)}m{text}\x1b[0m"
