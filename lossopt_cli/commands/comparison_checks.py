"""What `lossopt compare --fail-if` may name, what it was, and whether the check is met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossopt_cli.analysis import baselines
from lossopt_cli.analysis.case import JUDGED, OPEN
from lossopt_cli.analysis.comparison import Comparison, RecipeResult
from lossopt_cli.analysis.conditions import Condition

WORSE = "worse"


@dataclass(frozen=True)
class Check:
    """A condition asked of a comparison. failed: it holds, or cannot be ruled out; reason: the numbers it names."""

    expression: str
    failed: bool
    reason: str


def checked(condition: Condition, comparison: Comparison) -> Check:
    """UsageError where the condition names what a comparison has not."""
    known = values(comparison)
    condition.check(known)
    return Check(condition.text, condition.holds(known), observed(comparison, condition.names))


def values(comparison: Comparison) -> Mapping[str, float | None]:
    """Numbers by name, of the recipes that are not the baseline: the metric and `worst` are of the best of them, the
    others count. `worse` is 1 where one is worse than the baseline by rule 8; None where that cannot be decided."""
    recipes = baselines.held(comparison)
    best = _best(recipes)
    base = next((recipe for recipe in comparison.recipes if recipe.is_baseline), None)
    return {
        comparison.metric: best.mean.value if best else None,
        "worst": best.worst if best else None,
        "recipes": len(recipes),
        "seeds": min((recipe.n for recipe in recipes), default=None),
        "lost": sum(recipe.lost for recipe in recipes),
        "not_tuned": sum(recipe.standing == "not_tuned" for recipe in recipes),
        "tied": sum(recipe.standing in ("best", "tied") for recipe in recipes),
        "baseline": base.mean.value if base else None,
        WORSE: _is_worse(comparison),
    }


def observed(comparison: Comparison, names: Sequence[str]) -> str:
    """`accuracy is 0.95, worse than the baseline: sgd`."""
    known = values(comparison)
    told = dict.fromkeys(_worse(comparison) if name == WORSE else _number(name, known[name]) for name in names)
    return ", ".join(told)


def _is_worse(comparison: Comparison) -> float | None:
    if baselines.worse(comparison):
        return 1.0
    compared = any(recipe.difference_to_baseline for recipe in comparison.recipes)
    return None if baselines.undecided(comparison) or not compared else 0.0


def _worse(comparison: Comparison) -> str:
    """Who is worse; else of whom that cannot be decided, and why."""
    found = baselines.worse(comparison)
    if found:
        return f"worse than the baseline: {', '.join(map(comparison.label, found))}"
    if not any(recipe.difference_to_baseline for recipe in comparison.recipes):
        return f"cannot be decided: there is no recipe but the baseline on {comparison.data}"
    reasons = [f"{name} and its baseline ({why})" for name, why in baselines.undecided(comparison).items()]
    return f"cannot be decided: {'; '.join(reasons)}" if reasons else "worse than the baseline: none"


def _number(name: str, value: float | None) -> str:
    return f"{name} is {'unknown' if value is None else format(value, '.4g')}"


def _best(recipes: Sequence[RecipeResult]) -> RecipeResult | None:
    """The best that is judged, else the best on average that could be, else the best that is not lost."""
    for standings in (JUDGED, (OPEN,), ("not_tuned",)):
        found = [recipe for recipe in recipes if recipe.standing in standings]
        if found:
            return found[0]
    return None
