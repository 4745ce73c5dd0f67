"""One sign for each standing of a recipe, and what it means."""

from lossopt_cli.analysis.comparison import Comparison, RecipeResult

MARKS = {"best": "*", "tied": "=", "open": "·", "not_tuned": "?", "lost": "x", "worse": " "}
MEANT = {"*": "best", "=": "tied", "·": "too few seeds to judge", "?": "not tuned, so not judged", "x": "lost"}
OF_ANY = ("not_tuned", "lost")  # standings that are marked also where nothing can be judged


def mark_of(comparison: Comparison, recipe: RecipeResult) -> str:
    """The sign of its standing; a blank where too few seeds are there to judge any recipe."""
    return MARKS[recipe.standing] if comparison.judged or recipe.standing in OF_ANY else " "
