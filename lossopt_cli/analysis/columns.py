"""The columns that the table of a comparison can have: a literal table, in the order in which they stand."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.comparison import Comparison, Difference, Interval, RecipeResult
from lossopt_cli.analysis.looking import SPLITS_BY_WORTH, is_in_points
from lossopt_cli.catalogue.lookup import nearest, plain
from lossopt_cli.errors import Fault, UsageError

DIFFERENCE, SEEDS, RECIPE = "difference_to_best", "every_seed", "recipe"
Cell = Callable[[Comparison, RecipeResult], str]
Value = Callable[[Comparison, RecipeResult], Any]


@dataclass(frozen=True)
class Column:
    """What a column shows of a recipe.

    head: two lines, with {split}, {target} and {k} filled in. cell: its text, blank where there is nothing to say.
    key: what it is sorted by, the least first; a metric's best is its least. wanted: 1 is shown first where there is
    little room; 0 is only shown where it is asked for. meaning: for `--columns help`.
    """

    name: str
    head: tuple[str, str]
    cell: Cell
    key: Value
    wanted: int
    meaning: str
    left: bool = False


def behind(recipe: RecipeResult) -> tuple[float, float | None, float | None] | None:
    """By how much the recipe is worse than the best, and its interval; None for the best itself."""
    found = recipe.difference_to_best
    return None if found is None else oriented(found, recipe.name)


def oriented(found: Difference, worse: str) -> tuple[float, float | None, float | None]:
    """By how much `worse` is worse than the other of the two, low, high."""
    if found.b == worse:
        return found.value, found.low, found.high
    ends = (None if end is None else -end for end in (found.high, found.low))
    return (-found.value, *ends)


def metric_places(comparison: Comparison) -> int:
    """Decimals of the metric, the same in every cell."""
    return wording.decimals([recipe.mean.value for recipe in comparison.recipes if recipe.standing != "lost"])


def badness(comparison: Comparison, value: float | None) -> float:
    """Least for the best value of the metric; what is not known comes last."""
    if value is None or math.isnan(value):
        return math.inf
    return -value if comparison.higher else value


def time_key(comparison: Comparison, recipe: RecipeResult) -> float:
    return math.inf if recipe.time_to_target_epochs is None else recipe.time_to_target_epochs


def steps_key(comparison: Comparison, recipe: RecipeResult) -> float:
    return math.inf if recipe.time_to_target_steps is None else recipe.time_to_target_steps


def rates_tried(recipe: RecipeResult) -> set[float]:
    return {arm.learning_rate for arm in (*recipe.arms, *recipe.tuning) if arm.learning_rate is not None}


def highest_rate_tried(recipe: RecipeResult) -> float | None:
    return max(rates_tried(recipe), default=None)


def at_default(recipe: RecipeResult) -> float | None:
    """The mean at the default rate; nothing beside the mean where that is the only rate."""
    return recipe.at_default if len(rates_tried(recipe)) > 1 else None


def relapse(recipe: RecipeResult) -> float | None:
    """Nothing where it would be the noise of the batches."""
    return None if recipe.oscillates is None else recipe.relapse


def room(comparison: Comparison, recipe: RecipeResult) -> str:
    """`3x`; `>10x` where no rate above the chosen one was lost; blank where none above was tried."""
    if recipe.room is not None:
        return wording.times(recipe.room)
    highest, chosen = highest_rate_tried(recipe), recipe.learning_rate
    return f">{wording.times(highest / chosen)}" if highest and chosen and highest > chosen else ""


def time(comparison: Comparison, recipe: RecipeResult) -> str:
    """`3 8/8`: the median of epochs, and how many of the seeds reached the target."""
    if recipe.time_to_target_epochs is None:
        return ""
    return f"{_median(recipe.time_to_target_epochs, recipe.arm.times)} {recipe.reached}/{recipe.n}"


def steps(comparison: Comparison, recipe: RecipeResult) -> str:
    if recipe.time_to_target_steps is None:
        return ""
    return _median(recipe.time_to_target_steps, recipe.arm.step_times)


def _median(median: float, times: Sequence[float]) -> str:
    """`>5` where half or fewer arrive, the last of them after 5: the median is later than that, if there is one."""
    arrived = [time for time in times if math.isfinite(time)]
    if math.isinf(median) and arrived:
        return f">{wording.count(max(arrived))}"
    return wording.count(median)


def lost(comparison: Comparison, recipe: RecipeResult) -> str:
    return f"{recipe.lost}/{recipe.n}" if recipe.lost else ""


def span_of(comparison: Comparison, found: Interval) -> str:
    """`0.910 to 1.000`: t intervals know no bounds, so the ends of what is a share are cut at 0 and 1, here where a
    person reads them; JSON and what is drawn have them as they are."""
    ends = [found.low, found.high]
    if is_in_points(comparison.metric):
        ends = [min(max(end, 0.0), 1.0) for end in ends]
    return " to ".join(wording.fixed(end, metric_places(comparison)) for end in ends)


def interval(comparison: Comparison, recipe: RecipeResult) -> str:
    """`0.968 to 0.976`."""
    if recipe.mean.low is None or recipe.mean.high is None:
        return ""
    return span_of(comparison, recipe.mean)


def worse_by(comparison: Comparison, recipe: RecipeResult) -> str:
    """`0.010 (-0.003 to 0.023)`."""
    found = behind(recipe)
    if found is None:
        return ""
    texts = [wording.fixed(value, metric_places(comparison)) for value in found]
    return f"{texts[0]} ({texts[1]} to {texts[2]})" if found[1] is not None else texts[0]


def best_of(comparison: Comparison, recipe: RecipeResult) -> str:
    """`1 0.600, 5 0.930, 25 0.972`: the best that so many of its trials are expected to give; blank for one rate."""
    if len(rates_tried(recipe)) < 2:
        return ""
    places = metric_places(comparison)
    return " ".join(wording.fixed(recipe.best_of_k[k], places) for k in sorted(recipe.best_of_k))


def best_of_key(comparison: Comparison, recipe: RecipeResult) -> float:
    """The first try."""
    return badness(comparison, recipe.best_of_k[min(recipe.best_of_k)] if recipe.best_of_k else None)


def metric_value(read: Callable[[RecipeResult], float | None]) -> tuple[Cell, Value]:
    """A number in the metric's units."""
    return (
        lambda comparison, recipe: wording.fixed(read(recipe), metric_places(comparison)),
        lambda comparison, recipe: badness(comparison, read(recipe)),
    )


def number(read: Callable[[RecipeResult], float | None], text: Callable[[float], str]) -> tuple[Cell, Value]:
    """Another number, smaller is better."""

    def cell(comparison: Comparison, recipe: RecipeResult) -> str:
        value = read(recipe)
        return "" if value is None else text(value)

    def key(comparison: Comparison, recipe: RecipeResult) -> float:
        value = read(recipe)
        return math.inf if value is None else value

    return cell, key


def words(read: Callable[[RecipeResult], str | None]) -> tuple[Cell, Value]:
    return (lambda comparison, recipe: read(recipe) or ""), (lambda comparison, recipe: read(recipe) or "")


def drawn(comparison: Comparison, recipe: RecipeResult) -> str:
    """The table draws these, on a scale that all rows share."""
    return ""


def mean_key(comparison: Comparison, recipe: RecipeResult) -> float:
    return badness(comparison, recipe.mean.value)


def behind_key(comparison: Comparison, recipe: RecipeResult) -> float:
    found = behind(recipe)
    return 0.0 if found is None else found[0]


COLUMNS: tuple[Column, ...] = (
    Column(RECIPE, ("", "recipe"), *words(lambda r: r.name), 1, "what differs: loss, optimizer, schedule", left=True),
    Column("loss", ("", "loss"), *words(lambda r: r.loss), 0, "the loss", left=True),
    Column("optimizer", ("", "optimizer"), *words(lambda r: r.optimizer), 0, "the optimizer", left=True),
    Column("schedule", ("", "schedule"), *words(lambda r: r.schedule), 0, "of the learning rate", left=True),
    Column("learning_rate", ("", "lr"), *number(lambda r: r.learning_rate, wording.rate), 1, "chosen on validation"),
    Column("n", ("", "seeds"), *number(lambda r: r.n, wording.count), 0, "how many seeds"),
    Column("mean", ("", "{split}"), *metric_value(lambda r: r.mean.value), 1, "of the metric over seeds"),
    Column("interval", ("95 %", "of the mean"), interval, mean_key, 0, "Student t interval of the mean"),
    Column("worst", ("worst", "seed"), *metric_value(lambda r: r.worst), 3, "the metric of the worst seed"),
    Column("interquartile_mean", ("middle", "half"), *metric_value(lambda r: r.interquartile_mean), 0, "its mean"),
    Column(SEEDS, ("every seed", ""), drawn, mean_key, 7, "drawn: a dot for each", left=True),
    Column(DIFFERENCE, ("worse than the best by", ""), drawn, behind_key, 1, "drawn, with its interval", left=True),
    Column("worse_by", ("worse than the best by", "(interval)"), worse_by, behind_key, 0, "the same in numbers"),
    Column("lost", ("", "lost"), lost, lambda c, r: r.lost, 2, "seeds that diverged or are no better than guessing"),
    Column("time_to_target_epochs", ("to {target}", "epochs"), time, time_key, 4, "median; how many seeds reached it"),
    Column("time_to_target_steps", ("to {target}", "steps"), steps, steps_key, 0, "median"),
    Column("room", ("lr", "room"), room, lambda c, r: -(r.room or math.inf), 5, "lowest lr that fails / this one"),
    Column("at_default", ("at its", "default"), *metric_value(at_default), 6, "mean at the default rate"),
    Column("relapse", ("re-", "lapse"), *number(relapse, wording.percent), 8, "how far the loss climbs back"),
    Column("best_of_k", ("best of {k}", "trials"), best_of, best_of_key, 9, "expected best of so many of its trials"),
    Column("area", ("", "area"), *metric_value(lambda r: r.area), 10, "mean height of the validation curve"),
    Column("sensitivity", ("sensi-", "tivity"), *number(lambda r: r.sensitivity, "{:.3g}".format), 0,
           "what a rate of the grid costs on average"),
    Column("safe_window_decades", ("safe", "decades"), *number(lambda r: r.safe_window_decades, "{:.2g}".format), 0,
           "rates around the best that are as good"),
    Column("seconds", ("", "seconds"), *number(lambda r: r.seconds, "{:.3g}".format), 11, "of training"),
)  # fmt: skip


def column_named(name: str, where: str) -> Column:
    """The column of that name or that head (`lr`, `test`, `worst seed`), or the only one that begins so. UsageError
    with the nearest where there is none."""
    found = _spellings()
    wanted = plain(name)
    begun = (
        [found[wanted]] if wanted in found else [column for known, column in found.items() if known.startswith(wanted)]
    )
    begun = list(dict.fromkeys(begun)) if wanted else []
    if len(begun) == 1:
        return begun[0]
    near = [column.name for column in begun] or [_written(known, found[known]) for known in nearest(wanted, found)]
    raise UsageError(
        Fault(
            f"no column is called {name!r}",
            where,
            "a name that `lossopt compare --columns help` lists",
            f"did you mean {wording.listing(near).replace(' and ', ' or ')}?" if near else None,
        )
    )


def _spellings() -> dict[str, Column]:
    """Columns by their names, then by their heads, then by the last lines of these; a split is the head of the mean."""
    found = {plain(column.name): column for column in COLUMNS}
    for lines in (slice(0, 2), slice(1, 2)):
        for column in COLUMNS:
            head = plain("".join(column.head[lines]))
            if head and "{" not in head:
                found.setdefault(head, column)
    mean = found["mean"]
    return {**dict.fromkeys(SPLITS_BY_WORTH, mean), **found}


def _written(known: str, column: Column) -> str:
    """A spelling as a person writes it."""
    return column.name if known == plain(column.name) else known


def setting_columns(comparison: Comparison) -> tuple[Column, ...]:
    """One for each part of the setting that differs between the recipes."""
    keys = dict.fromkeys(key for recipe in comparison.recipes for key in recipe.setting)
    return tuple(_setting_column(key) for key in keys)


def setting_text(value: Any) -> str:
    """A part of a setting as a person writes it."""
    if isinstance(value, Mapping):
        rest = [f"{key}={setting_text(item)}" for key, item in value.items() if key != "name"]
        return ":".join([str(value["name"]), *rest] if "name" in value else rest)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _setting_column(key: str) -> Column:
    def cell(comparison: Comparison, recipe: RecipeResult) -> str:
        return setting_text(recipe.setting.get(key))

    title = key.rpartition(".")[2].replace("_", " ")
    return Column(key, ("", title), cell, cell, 2, "differs in the setting", left=True)
