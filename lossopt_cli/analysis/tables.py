"""The table of a comparison for a person (OUTPUT.md): the head, a row a recipe, what the signs mean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lossopt_cli.analysis import layout, wording
from lossopt_cli.analysis.columns import (
    COLUMNS,
    DIFFERENCE,
    RECIPE,
    SEEDS,
    Column,
    behind,
    metric_places,
    setting_columns,
)
from lossopt_cli.analysis.comparison import Comparison, RecipeResult
from lossopt_cli.analysis.head import head
from lossopt_cli.analysis.layout import Block
from lossopt_cli.analysis.legend import legend
from lossopt_cli.analysis.marks import OF_ANY, mark_of
from lossopt_cli.analysis.scale import Scale, scale_from, scale_of

NARROWEST, WIDEST = 60, 160
DRAWN_NARROW, DRAWN, DRAWN_WIDEST = 15, 22, 44  # signs of an interval
STRIP = 16  # signs of a strip of dots
MARK = 4
READABLE = 100  # sentences are no wider
EDGES = {"lowest": "lowest lr tried", "highest": "highest lr tried", "stability": "the next lr fails"}


def plain(text: str, *styles: str) -> str:
    """No colour."""
    return text


@dataclass(frozen=True)
class View:
    """What of a comparison is shown, and how. columns: in this order instead of what fits; top: rows, all are
    counted; style(text, "bold") for a terminal that has it."""

    width: int = 80
    columns: tuple[Column, ...] = ()
    sort: Column | None = None
    top: int | None = None
    style: Callable[..., str] = plain


def table(comparison: Comparison, view: View) -> str:
    """The head, the table and its legend; no line is wider than `view.width` (within NARROWEST and WIDEST)."""
    view = replace(view, width=min(max(view.width, NARROWEST), WIDEST))
    recipes = shown(comparison, view)
    blocks = _blocks(comparison, recipes, view)
    room = view.width - MARK
    fitting = layout.split(blocks, room) if view.columns else [layout.chosen(blocks, room)]
    fitting = [[_with_drawing(comparison, recipes, column) for column in columns] for columns in fitting]
    tables = [_drawn_table(comparison, recipes, columns, view) for columns in fitting]
    told = {column.name: column for columns in fitting for column in columns}
    below = [view.style(line, "dim") for line in legend(comparison, recipes, told, view.width)]
    return "\n\n".join("\n".join(part) for part in [head(comparison, view.width), *tables, below] if part)


def shown(comparison: Comparison, view: View) -> list[RecipeResult]:
    """The recipes in the order asked for, the first `top` of them."""
    recipes = list(comparison.recipes)
    if view.sort is not None:
        recipes.sort(key=lambda recipe: view.sort.key(comparison, recipe))
    return recipes[: view.top]


def _blocks(comparison: Comparison, recipes: Sequence[RecipeResult], view: View) -> list[Block]:
    """Those asked for; else all that say something."""
    columns = _columns(comparison, view)
    room = (view.width - MARK) // 3
    found = []
    for column in columns:
        cells = [column.cell(comparison, recipe) for recipe in recipes]
        if not view.columns and not _says_something(column, cells, recipes):
            continue
        if column.name == RECIPE and not any(column.name == "learning_rate" for column in columns):
            cells = [comparison.label(recipe) for recipe in recipes]
        made = layout.block(column.name, _heads(comparison, column), cells, left=column.left, wanted=column.wanted)
        if column.name == DIFFERENCE:
            least = DRAWN if view.width >= View.width else DRAWN_NARROW
            made = replace(made, width=least, room_to_grow=DRAWN_WIDEST - least)
        elif column.name == SEEDS:
            made = replace(made, width=STRIP)
        found.append(layout.narrowed(made, room) if column.left and column.name not in (DIFFERENCE, SEEDS) else made)
    return found


def _says_something(column: Column, cells: Sequence[str], recipes: Sequence[RecipeResult]) -> bool:
    """A strip of dots needs several seeds; the difference is drawn later."""
    if column.name == SEEDS:
        return any(recipe.n > 1 for recipe in recipes)
    return column.name == DIFFERENCE or any(cells)


def _columns(comparison: Comparison, view: View) -> list[Column]:
    """The recipe, what differs in the setting, then the others; no difference where there is nothing to differ from."""
    first, *others = view.columns or [column for column in COLUMNS if column.wanted]
    alone = len(comparison.recipes) < 2 or comparison.refused is not None
    kept = [column for column in others if not (alone and column.name == DIFFERENCE)]
    return [first, *setting_columns(comparison), *kept]


def _heads(comparison: Comparison, column: Column) -> tuple[str, str]:
    first, second = (text.format(**words_of(comparison)) for text in column.head)
    return first, second


def words_of(comparison: Comparison) -> dict[str, str]:
    """What stands for the names in the head of a column."""
    counts = sorted({k for recipe in comparison.recipes for k in recipe.best_of_k})
    return {
        "split": comparison.split,
        "target": "target" if comparison.target is None else wording.target(comparison.target),
        "best": "the best",
        "k": wording.listing([str(k) for k in counts]),
    }


def _drawn_table(
    comparison: Comparison, recipes: Sequence[RecipeResult], columns: Sequence[Block], view: View
) -> list[str]:
    """Head and rows."""
    lines = [view.style(" " * MARK + line, "dim") for line in layout.head(columns)]
    for place, recipe in enumerate(recipes):
        first, *more = layout.lines(columns, place)
        mark = mark_of(comparison, recipe)
        styled = _row_style(comparison, recipe)
        row = [f" {mark}  {first}".rstrip(), *(" " * MARK + line for line in more)]
        lines += [view.style(line, styled) if styled else line for line in row]
    return lines


def _row_style(comparison: Comparison, recipe: RecipeResult) -> str | None:
    """What is best or tied stands out, what is not judged stands back; bold and dim read on light and dark."""
    if recipe.standing in OF_ANY:
        return "dim"
    return "bold" if comparison.judged and recipe.standing in ("best", "tied") else None


def _with_drawing(comparison: Comparison, recipes: Sequence[RecipeResult], column: Block) -> Block:
    """Differences and seeds drawn in the width that they have now."""
    if column.name == DIFFERENCE:
        scale = _difference_scale(recipes, column.width)
        best = next((r for r in comparison.recipes if r.difference_to_best is None and r.standing != "lost"), None)
        titles = [f"worse than {best.name} by"] if best else []
        title = next(text for text in [*titles, column.head[0], "worse by"] if len(text) <= column.width)
        return replace(column, head=(title, scale.axis()), cells=tuple(_difference(r, scale) for r in recipes))
    if column.name == SEEDS:
        judged = [recipe for recipe in recipes if recipe.standing not in OF_ANY]
        scores = [score for recipe in judged or recipes for score in recipe.arm.scores]
        scale = scale_from(scores, column.width)
        places = metric_places(comparison)
        low, high = (wording.fixed(end, places) for end in (scale.low, scale.high))
        ends = low + high.rjust(column.width - len(low))
        cells = tuple(scale.strip(recipe.arm.scores) for recipe in recipes)
        return replace(column, head=("every seed", ends), cells=cells)
    return column


def _difference_scale(recipes: Sequence[RecipeResult], width: int) -> Scale:
    judged = [recipe for recipe in recipes if recipe.standing not in OF_ANY]
    found = [ends for ends in map(behind, judged) if ends is not None]
    lows = [min(value, value if low is None else low) for value, low, _ in found]
    highs = [max(value, value if high is None else high) for value, _, high in found]
    return scale_of([value for value, _, _ in found], lows, highs, width)


def _difference(recipe: RecipeResult, scale: Scale) -> str:
    if recipe.standing == "not_tuned" and recipe.edge is not None:
        return scale.blank(EDGES[recipe.edge])
    if recipe.standing == "lost":
        return scale.blank(f"{recipe.lost} of {recipe.n} lost")
    found = behind(recipe)
    return scale.interval(*found) if found is not None else scale.interval(0.0, None, None)
