"""A comparison as the verdict looks at it: who can be judged, who is best, what a recipe is called in a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.columns import badness, behind, metric_places
from lossopt_cli.analysis.comparison import Comparison, Difference, RecipeResult

JUDGED = ("best", "tied", "worse")
OPEN = "open"


@dataclass(frozen=True)
class Case:
    """folder: what to type for the folder that was compared; None where that is not one folder of one problem, so that
    no sweep can be told to add to it."""

    comparison: Comparison
    folder: str | None

    @cached_property
    def recipes(self) -> tuple[RecipeResult, ...]:
        """Those that are judged, the best first; where too few seeds are there for any, those that could be."""
        standings = JUDGED if self.comparison.judged else (*JUDGED, OPEN)
        return tuple(recipe for recipe in self.comparison.recipes if recipe.standing in standings)

    @cached_property
    def best(self) -> RecipeResult | None:
        """The one that all differences are to."""
        return next((r for r in self.recipes if r.difference_to_best is None), next(iter(self.recipes), None))

    @property
    def others(self) -> list[RecipeResult]:
        """The judged ones but the best."""
        return [recipe for recipe in self.recipes if recipe is not self.best]

    @cached_property
    def one_rate_each(self) -> bool:
        return self.comparison.protocol.rates_per_recipe[1] <= 1

    def standing(self, standing: str) -> list[RecipeResult]:
        return [recipe for recipe in self.comparison.recipes if recipe.standing == standing]

    def label(self, recipe: RecipeResult) -> str:
        return self.comparison.label(recipe)

    def labels(self, recipes: Sequence[RecipeResult]) -> list[str]:
        return [self.label(recipe) for recipe in recipes]

    def named(self, recipes: Sequence[RecipeResult]) -> str:
        """`sgd`, `sgd and rmsprop`; `the other three` where they are all but the best."""
        rest = {recipe.name for recipe in self.comparison.recipes if recipe is not self.best}
        if len(recipes) > 1 and set(self.names(recipes)) == rest:
            return f"the other {wording.word(len(recipes))}"
        return wording.listing(self.labels(recipes))

    def names(self, recipes: Sequence[RecipeResult]) -> tuple[str, ...]:
        return tuple(recipe.name for recipe in recipes)

    def value(self, value: float | None) -> str:
        """In the decimals of the metric, as in the table."""
        return wording.fixed(value, metric_places(self.comparison))

    def worse_by(self, recipes: Sequence[RecipeResult]) -> str:
        """`0.010 to 0.057`: how far these are behind the best."""
        found = sorted(behind(recipe)[0] for recipe in recipes)
        return wording.span([self.value(value) for value in found])

    def pair(self, a: RecipeResult, b: RecipeResult) -> Difference | None:
        return next((pair for pair in self.comparison.pairs if {pair.a, pair.b} == {a.name, b.name}), None)

    def by_mean(self, recipes: Sequence[RecipeResult]) -> list[RecipeResult]:
        return sorted(recipes, key=lambda recipe: badness(self.comparison, recipe.mean.value))

    def sweep(self, *words: object) -> str | None:
        """`lossopt sweep logs/ex --seeds 45`; None where no sweep can add to what was compared."""
        return None if self.folder is None else " ".join(map(str, ["lossopt", "sweep", self.folder, *words]))
