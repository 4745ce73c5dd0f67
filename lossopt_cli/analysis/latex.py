"""The table of a comparison for a paper: LaTeX with booktabs, and the same in Markdown."""

from collections.abc import Sequence

from lossopt_cli.analysis import escapes, wording
from lossopt_cli.analysis.columns import DIFFERENCE, RECIPE, SEEDS, Column, column_named, metric_places, setting_columns
from lossopt_cli.analysis.comparison import Comparison, RecipeResult
from lossopt_cli.analysis.head import number, problem, protocol, size, split_correction
from lossopt_cli.analysis.marks import OF_ANY
from lossopt_cli.analysis.reasons import why_none
from lossopt_cli.analysis.tables import View, shown, words_of

PRINTED = ("recipe", "learning_rate", "mean", "worst", "lost", "time_to_target_epochs", "at_default")
BOLD = ("best", "tied")
NOTHING = "--"  # in an empty cell of LaTeX
NOTES = {"open": ("ast", "too few seeds in common with the best to judge"),
         "not_tuned": ("dagger", "not tuned: best at the end of its learning rates, so not judged"),
         "lost": ("ddagger", "most seeds diverged or ended no better than guessing")}  # fmt: skip
SIGNS = {"open": "·", "not_tuned": "†", "lost": "‡"}  # of the same in Markdown


def table(comparison: Comparison, view: View) -> str:
    """A booktabs tabular: means ± half-widths, bold for the best and all that tie; a comment says what both mean."""
    columns, recipes = printed(comparison, view), shown(comparison, view)
    cells = [[_latex(comparison, column, recipe) for column in columns] for recipe in recipes]
    alignment = "".join("l" if column.left else "r" for column in columns)
    heads = [escapes.latex(_head(comparison, column)) for column in columns]
    comments = [f"% {line}" for line in meaning(comparison)]
    body = [" & ".join(row) + r" \\" for row in cells]
    kinds = _noted(comparison, recipes)
    marks = [rf"% ${{}}^\{NOTES[kind][0]}$: {NOTES[kind][1]}" for kind in kinds]
    return "\n".join([
        *comments, *marks, rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", " & ".join(heads) + r" \\", r"\midrule",
        *body, r"\bottomrule", r"\end{tabular}",
    ])  # fmt: skip


def markdown(comparison: Comparison, view: View) -> str:
    """The same as a Markdown table, with the comment below it."""
    columns, recipes = printed(comparison, view), shown(comparison, view)
    rows = [[_head(comparison, column) for column in columns]]
    rows.append(["---" if column.left else "---:" for column in columns])
    for recipe in recipes:
        bold = "**" if _is_bold(comparison, recipe) else ""
        texts = [escapes.markdown(cell(comparison, column, recipe)) for column in columns]
        rows.append([f"{bold}{text}{bold}" if text and column.name == "mean" else text
                     for column, text in zip(columns, texts, strict=True)])  # fmt: skip
        rows[-1][0] += "".join(f" {SIGNS[kind]}" for kind in _noted(comparison, [recipe]))
    notes = [f"{SIGNS[kind]} {NOTES[kind][1]}." for kind in _noted(comparison, recipes)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", *(f"{line}  " for line in [*meaning(comparison), *notes])]).rstrip()


def printed(comparison: Comparison, view: View) -> list[Column]:
    """Those asked for (but what is drawn), else PRINTED where they say something."""
    if view.columns:
        return [column for column in view.columns if column.name not in (DIFFERENCE, SEEDS)]
    first, *others = (column_named(name, "") for name in PRINTED)
    found = [first, *setting_columns(comparison), *others]
    return [c for c in found if c.name == RECIPE or any(c.cell(comparison, r) for r in comparison.recipes)]


def meaning(comparison: Comparison) -> list[str]:
    """What the table is of, and what ± and bold mean."""
    found = comparison.protocol
    said = [
        f"{problem(comparison)}; {size(comparison)}",
        f"{number(comparison)}; {protocol(comparison)}",
        "mean ± half-width of the 95 % Student t interval of the mean over seeds"
        + (f" and splits, {split_correction(comparison)}" if found.splits_vary else ", on one split of the data"),
    ]
    if comparison.judged:
        said.append(
            "bold: the best and all that tie with it: paired t intervals over common seeds, 95 % for "
            + (f"all {found.pairs} pairs together (Bonferroni)" if found.pairs > 1 else "the pair")
        )
    else:
        said.append(f"nothing is bold: {why_none(comparison)}")
    return said


def cell(comparison: Comparison, column: Column, recipe: RecipeResult) -> str:
    """As in the table for the screen, the mean with ±, of how many seeds a time is in words."""
    if column.name == "time_to_target_epochs" and recipe.time_to_target_epochs is not None:
        return f"{column.cell(comparison, recipe).split()[0]} ({recipe.reached} of {recipe.n})"
    if column.name != "mean":
        return column.cell(comparison, recipe)
    places = metric_places(comparison)
    text = wording.fixed(recipe.mean.value, places)
    if recipe.mean.low is None or recipe.mean.high is None:
        return text
    return f"{text} ± {wording.fixed((recipe.mean.high - recipe.mean.low) / 2.0, places)}"


def _latex(comparison: Comparison, column: Column, recipe: RecipeResult) -> str:
    text = escapes.latex(cell(comparison, column, recipe)) or NOTHING
    if column.name == "mean" and _is_bold(comparison, recipe):
        return rf"\textbf{{{text}}}"
    if column.name == RECIPE:
        return text + "".join(rf"$^\{NOTES[kind][0]}$" for kind in _noted(comparison, [recipe]))
    return text


def _is_bold(comparison: Comparison, recipe: RecipeResult) -> bool:
    return comparison.judged and recipe.standing in BOLD


def _head(comparison: Comparison, column: Column) -> str:
    if column.name == "mean":
        return f"{comparison.split} {comparison.metric}"
    return " ".join(text for text in column.head if text).format(**words_of(comparison))


def _noted(comparison: Comparison, recipes: Sequence[RecipeResult]) -> list[str]:
    """The standings among the recipes that have a note, in the order of NOTES."""
    there = {recipe.standing for recipe in recipes if comparison.judged or recipe.standing in OF_ANY}
    return [kind for kind in NOTES if kind in there]
