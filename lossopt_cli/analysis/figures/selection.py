"""Which recipes of a comparison are drawn, how they look, and the words that every picture of them has."""

from collections.abc import Sequence
from dataclasses import dataclass

from lossopt_cli.analysis import head, wording
from lossopt_cli.analysis.comparison import Comparison, RecipeResult
from lossopt_cli.analysis.figures.looks import SHOWN, looks
from lossopt_cli.analysis.figures.picture import Look
from lossopt_cli.analysis.figures.same_runs import SameRuns
from lossopt_cli.catalogue.lookup import nearest, plain
from lossopt_cli.catalogue.recipes import split_parts
from lossopt_cli.errors import Fault, UsageError

NAMELESS = SameRuns()


@dataclass(frozen=True)
class Selection:
    """recipes: those drawn, the best first; hidden: how many others there are to choose from; runs: for what is told to
    type next."""

    comparison: Comparison
    recipes: tuple[RecipeResult, ...]
    hidden: int = 0
    runs: SameRuns = NAMELESS

    def look(self, recipe: RecipeResult) -> Look:
        """The same whatever is drawn beside it: see `looks`."""
        return looks([(other.name, other.loss, other.optimizer) for other in self.comparison.recipes])[recipe.name]

    def label(self, recipe: RecipeResult) -> str:
        """As the table names it, with its learning rate, and with how many of its seeds were lost, if any."""
        named = self.comparison.label(recipe)
        rate = f", lr {wording.rate(recipe.learning_rate)}" if named == recipe.name and recipe.learning_rate else ""
        return named + rate + lost_in_words(recipe)

    @property
    def losses(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(recipe.loss for recipe in self.recipes))

    def caption(self, *parts: str, climbs: bool = False) -> str:
        """What was compared, these parts, whether lost trials climb out of sight, and how many recipes are not drawn; a
        line each."""
        every = [head.problem(self.comparison), *parts]
        if any(recipe.lost for recipe in self.recipes) and climbs:
            every.append("lost trials: a loss that climbs far above its start leaves the picture where others fall")
        if self.hidden:
            every.append(
                f"{len(self.recipes)} of {len(self.recipes) + self.hidden} recipes shown; --recipes chooses others"
            )
        return "\n".join(part for part in every if part)


def selected(
    comparison: Comparison, wanted: str | None = None, most: int = SHOWN, runs: SameRuns = NAMELESS
) -> Selection:
    """The recipes that `wanted` names, or the first `most`. A name is one of the table, or a loss or an optimizer,
    which means all recipes with it. UsageError for one that is none of these, and for more than `most`."""
    recipes = comparison.recipes
    if wanted is None:
        return Selection(comparison, recipes[:most], len(recipes[most:]), runs)
    names = split_parts(wanted)
    unknown = [name for name in names if not any(_means(name, recipe) for recipe in recipes)]
    if unknown:
        raise UsageError(*(_unknown(name, recipes) for name in unknown))
    found = tuple(recipe for recipe in recipes if any(_means(name, recipe) for name in names))
    if len(found) > most:
        raise UsageError(
            Fault(f"{wanted} means {len(found)} recipes", "--recipes", f"at most {most}: more cannot be told apart")
        )
    return Selection(comparison, found, len(recipes) - len(found), runs)


def seeds_in_words(counts: Sequence[int], band: str, few: int = 0) -> str:
    """`mean of 3 seeds; band: 95 % t interval of the mean; thin: each seed` (where there are fewer than `few`)."""
    if max(counts) < 2:
        return f"one seed{' each' if len(counts) > 1 else ''}: no {band}"
    each = "; thin: each seed" if min(counts) < few else ""
    return f"mean of {counted(counts, 'seed')}; {band}: 95 % t interval of the mean{each}"


def counted(counts: Sequence[int], noun: str) -> str:
    """`3 seeds`, `3 to 8 seeds`."""
    low, high = min(counts), max(counts)
    return wording.counted(high, noun) if low == high else f"{low} to {wording.counted(high, noun)}"


def lost_in_words(recipe: RecipeResult) -> str:
    return f" ({recipe.lost}/{recipe.n} lost)" if recipe.lost else ""


def _means(name: str, recipe: RecipeResult) -> bool:
    return plain(name) in {plain(text) for text in (recipe.name, recipe.loss, recipe.optimizer)}


def _unknown(name: str, recipes: Sequence[RecipeResult]) -> Fault:
    names = [text for recipe in recipes for text in (recipe.name, recipe.optimizer, recipe.loss)]
    near = nearest(name, dict.fromkeys(names))
    shown = ", ".join(recipe.name for recipe in recipes[:SHOWN]) + (", ..." if len(recipes) > SHOWN else "")
    return Fault(f"no recipe {name!r} here", "--recipes", shown, f"did you mean {' or '.join(near)}?" if near else None)
