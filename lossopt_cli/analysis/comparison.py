"""What a comparison found: recipes with their trials, standings and differences. Plain data; `ranking` fills it in.

Scores are of one metric on one split, in the metric's own units and sense; a lost trial scores what it had at step 0.
Differences are signed so that a positive one is better: a - b for a metric to maximise, b - a for one to minimise.
Where a number is not known it is None (never NaN); a time that is never reached is infinity.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Standing = Literal["best", "tied", "worse", "not_tuned", "lost"]
Edge = Literal["lowest", "highest", "stability"]
VerdictKind = Literal[
    "ranking", "not_tuned", "lost", "other_metric", "faster", "oscillates", "forgiving", "take", "note"
]


@dataclass(frozen=True)
class Interval:
    """low <= value <= high at `confidence`; low and high are None where n allows none (one seed)."""

    value: float
    low: float | None
    high: float | None
    n: int
    confidence: float = 0.95


@dataclass(frozen=True)
class Arm:
    """The trials of one recipe at one learning rate, in order of their seeds; copies of a trial are one.

    scores: on the compared split. chosen_by: on validation (None for each seed without one). lost: as DESIGN 5 says.
    initial: the score at step 0 on the compared split. times: epochs to the target, infinity for never.
    """

    learning_rate: float | None
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    chosen_by: tuple[float | None, ...]
    lost: tuple[bool, ...]
    initial: tuple[float | None, ...]
    times: tuple[float, ...]
    relapses: tuple[float | None, ...]
    folders: tuple[Path, ...]


@dataclass(frozen=True)
class Difference:
    """Of two recipes, paired by seed (rule 8). n: their common seeds; low and high at 1 - 0.05/m for the m pairs of
    all recipes compared, None below two common seeds. different: claimed. claimable: four common seeds and both tuned.
    seeds_needed: to tell them apart with power 0.8 at that level; None where that is not known."""

    a: str
    b: str
    n: int
    value: float
    low: float | None
    high: float | None
    confidence: float
    different: bool
    claimable: bool
    p_sign_flip: float | None
    p_smallest: float | None
    p_holm: float | None
    probability_of_improvement: float | None
    seeds_needed: int | None


@dataclass(frozen=True)
class RecipeResult:
    """One recipe at its chosen learning rate, and what its other rates tell.

    name: as one types it, `adam` or `huber:delta=0.5 + sgd`, as short as tells the recipes apart; where only one rate
    was tried `at 0.01` is not part of it (see Comparison.label). setting: what of the setting differs between the
    recipes, by config key. arms: every rate tried for the report; tuning: the arms with seeds of their own that the
    rate was chosen by (empty where `arms` served for both). chosen: the place of the chosen rate in `arms`. edge: why
    it is not tuned. room: smallest lost rate above the chosen one over the chosen one. relapse: median over
    seeds that are not lost, worst_relapse their largest. at_default: mean at the optimizer's default rate.
    time_to_target_epochs: the median, lost trials as infinity. seconds: mean training seconds, None where rule 10
    forbids. best_of_k: expected best of k of all trials, by k.
    """

    name: str
    loss: str
    optimizer: str
    schedule: str | None
    setting: Mapping[str, Any]
    setting_hash: str
    arms: tuple[Arm, ...]
    tuning: tuple[Arm, ...]
    chosen: int
    default_rate: float | None
    mean: Interval
    worst: float
    interquartile_mean: float
    lost: int
    standing: Standing
    rank: int | None
    edge: Edge | None
    difference_to_best: Difference | None
    difference_to_baseline: Difference | None
    time_to_target_epochs: float | None
    time_to_target_steps: float | None
    reached: int
    area: float | None
    room: float | None
    safe_window_decades: float | None
    sensitivity: float | None
    at_default: float | None
    relapse: float | None
    worst_relapse: float | None
    oscillates: bool
    best_of_k: Mapping[int, float]
    seconds: float | None
    is_baseline: bool = False

    @property
    def arm(self) -> Arm:
        """The trials at the chosen rate."""
        return self.arms[self.chosen]

    @property
    def learning_rate(self) -> float | None:
        return self.arm.learning_rate

    @property
    def n(self) -> int:
        return len(self.arm.seeds)


@dataclass(frozen=True)
class OtherMetric:
    """Whether another recorded metric tells another story about the recipes as they were chosen."""

    metric: str
    best: str
    worse: tuple[str, ...]
    order: tuple[str, ...]
    changes: bool


@dataclass(frozen=True)
class LeftOut:
    """A folder that is not compared, and why, in a few words."""

    folder: Path
    kind: Literal["running", "interrupted", "failed", "unreadable", "copy", "no_metric", "other_problem"]
    reason: str


@dataclass(frozen=True)
class Protocol:
    """How the numbers were made; what `--methods` says in full."""

    rates_per_recipe: tuple[int, int]
    report_seeds: tuple[int, int]
    tuning_seeds: tuple[int, int]
    chosen_on: str | None
    epochs: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    equal_budgets: bool
    splits_vary: bool
    keep: str
    pairs: int
    confidence: float


@dataclass(frozen=True)
class Sentence:
    """One sentence of the verdict (OUTPUT.md); command: what to type next, or None."""

    kind: VerdictKind
    recipes: tuple[str, ...]
    text: str
    command: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Everything that table, figure, verdict and JSON show of one problem. recipes: the best first; those not tuned
    stand where their mean puts them, lost ones last. refused: why nothing is ranked (rule 4), or None."""

    problem: str
    data: str
    examples: str
    task: str
    common: Mapping[str, Any]
    metric: str
    higher: bool
    counts: bool
    split: str
    weights: str
    n_split: int
    standard_error: float | None
    guessing: float | None
    target: float | None
    target_given: bool
    recipes: tuple[RecipeResult, ...]
    pairs: tuple[Difference, ...]
    other_metrics: tuple[OtherMetric, ...]
    protocol: Protocol
    baseline: str | None
    min_effect: float | None
    refused: str | None
    warnings: tuple[str, ...]
    folders: tuple[Path, ...]

    @property
    def judged(self) -> bool:
        """Whether any claim can be made: at least two tuned recipes with four common seeds."""
        return any(pair.claimable for pair in self.pairs)

    def named(self, name: str) -> RecipeResult:
        return next(recipe for recipe in self.recipes if recipe.name == name)

    def label(self, recipe: RecipeResult) -> str:
        """`sgd at 0.01` where one rate was tried (a setting, not an optimizer), else the name."""
        rates = {arm.learning_rate for arm in (*recipe.arms, *recipe.tuning)}
        if len(rates) > 1 or recipe.learning_rate is None:
            return recipe.name
        return f"{recipe.name} at {recipe.learning_rate:g}"
