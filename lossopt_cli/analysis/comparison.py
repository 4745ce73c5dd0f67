"""What a comparison found: recipes with their trials, standings and differences. Plain data; `ranking` fills it in.

Scores are of one metric on one split, in the metric's own units and sense; a lost trial scores what it had at step 0.
Differences are signed so that a positive one is better: a - b for a metric to maximise, b - a for one to minimise.
Where a number is not known it is None (never NaN); a time that is never reached is infinity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lossopt_cli.analysis import wording
from lossopt_cli.runs.records import LeftOut

Standing = Literal["best", "tied", "worse", "open", "not_tuned", "lost"]
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
    """The trials of one recipe at one learning rate, in order of their seeds; copies of a trial are one, their mean.

    scores: on the compared split. chosen_by: on validation (None for each seed without one). lost: as DESIGN 5 says.
    initial: the score at step 0 on the compared split. times, step_times: epochs and steps to the target, infinity for
    never; empty where there is no target, or where the curves are of another metric than the compared one. areas: the
    mean height of the curve of the run's own metric, of a lost trial its value at step 0. seconds: of training.
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
    step_times: tuple[float, ...] = ()
    areas: tuple[float | None, ...] = ()
    seconds: tuple[float | None, ...] = ()

    @property
    def is_lost(self) -> bool:
        """Whether most of its seeds are."""
        return sum(self.lost) > len(self.lost) / 2


@dataclass(frozen=True)
class Difference:
    """Of two recipes, paired by seed (rule 8). n: their common seeds; low and high at 1 - 0.05/m for the m pairs of
    all recipes compared, None below two common seeds. different: claimed. claimable: four common seeds and both tuned.
    seeds_needed: to tell them apart with power 0.8 at that level; None where that is not known. equal: claimable, with
    the whole interval within the least effect that was asked for. p_t: of the paired t test, two-sided, with the same
    floor and split correction as the interval; it says the same and does not decide."""

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
    equal: bool = False
    p_t: float | None = None


@dataclass(frozen=True)
class RecipeResult:
    """One recipe at its chosen learning rate, and what its other rates tell.

    name: as one types it, `adam` or `huber:delta=0.5 + sgd`, as short as tells the recipes apart; where only one rate
    was tried `at 0.01` is not part of it (see Comparison.label). setting: what of the setting differs between the
    recipes, by config key. arms: every rate tried for the report; tuning: the arms with seeds of their own that the
    rate was chosen by (empty where `arms` served for both). chosen: the place of the chosen rate in `arms`. edge: why
    it is not tuned. room: smallest lost rate above the chosen one over the chosen one. relapse: median over
    seeds that are not lost, worst_relapse their largest; oscillates: None where that cannot be told. at_default: mean
    at the optimizer's default rate. time_to_target_epochs: the median, lost trials as infinity. seconds: mean
    training seconds, None where rule 10 forbids. best_of_k: expected best of k of all trials, by k. area: of the arm's
    areas their mean; None where they are of another metric than the compared one.

    standing: best where another is worse, tied or worse by rule 8; open: tuned and not lost, but with fewer than four
    seeds in common with the best, so that nothing is said of it (of the best itself: with any other).
    rank: 1 + the number of recipes that are better by rule 8, so ties share it; None where the recipe is not judged.
    What chooses among rates is of validation: safe_window_decades, sensitivity and best_of_k are of the values that the
    rate was chosen by (of the scores where there is no validation). room: of the rates where any seed was lost, the
    smallest above the chosen one. time_to_target_seconds: the median; None where rule 10 forbids, infinity for never.
    sample: of a single run, where its metric may lie on other examples; None for several. tuned: the chosen values of
    settings that are tuned as the learning rate is, by config key; arms are those of these values. tried: how many
    rates were tried, with every value of them.
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
    oscillates: bool | None
    best_of_k: Mapping[int, float]
    seconds: float | None
    is_baseline: bool = False
    time_to_target_seconds: float | None = None
    sample: Interval | None = None
    tuned: Mapping[str, Any] = field(default_factory=dict)
    tried: int = 1

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
    """What another recorded metric says of the same trials. worse: than its best, by rule 8; the least effect that was
    asked for is in other units and plays no part. changes: whether these are others than by the compared metric."""

    metric: str
    best: str
    worse: tuple[str, ...]
    order: tuple[str, ...]
    changes: bool


@dataclass(frozen=True)
class Protocol:
    """How the numbers were made; what `--methods` says in full. Counts are (least, most) over the recipes.
    tuning_seeds: of most of the rates; final_seeds: of the best of them, which may have been given more."""

    rates_per_recipe: tuple[int, int]
    report_seeds: tuple[int, int]
    tuning_seeds: tuple[int, int]
    final_seeds: tuple[int, int]
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
    stand where their mean puts them, lost ones last. refused: why nothing is ranked (rule 4), or None.

    counts: whether the metric counts predictions (accuracy, macro_f1), so that its deviation has a floor. weights:
    `last`, `best` or both, as `train.keep` says. standard_error: of the metric of one run of the best recipe on this
    sample of examples. time_pairs: of the logarithms of the epochs to the target, for every pair of recipes (positive:
    a is faster; different: claimed by rule 8); empty where there is no target. left_out: copies, which count once, and
    runs that did not record the metric. floor and test_over_train: what an interval of scores is made with (rules 8 and
    9; `statistics.t_interval`)."""

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
    time_pairs: tuple[Difference, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    floor: float = 0.0
    test_over_train: float = 0.0

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
        return f"{recipe.name} at {wording.rate(recipe.learning_rate)}"
