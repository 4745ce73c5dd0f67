"""How a sweep goes, with trainings that are a formula: found rates, widened grids, reports, what is there already."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import made_run

from lossopt_cli.analysis.ranking import Request, compare
from lossopt_cli.errors import UsageError
from lossopt_cli.runs.records import read_records
from lossopt_cli.sweeps.arms import Pace, Problems, arms_of
from lossopt_cli.sweeps.axes import Asked, axes_of
from lossopt_cli.sweeps.candidates import Wishes, candidates_of
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.course import Course
from lossopt_cli.sweeps.folder import SweepFolder
from lossopt_cli.sweeps.ranges import Rates
from lossopt_cli.sweeps.rates import grid_around, scale_of
from lossopt_cli.sweeps.shares import Ended, shares_of
from lossopt_cli.sweeps.source import source_of
from lossopt_cli.sweeps.sweep_file import SweepFile, read_sweep, write_sweep

PROBLEMS = Problems(lambda text: None)
SEEDS = [0, 1, 2, 3]

Landscape = Callable[[str, float], float | None]


def peak(best: float, limit: float = math.inf) -> Landscape:
    """Accuracy by rate: 0.9 at `best`, 0.2 less a decade away; lost (None) from `limit` on."""
    return lambda name, rate: None if rate >= limit else 0.9 - 0.2 * abs(math.log10(rate / best))


def course_of(folder: Path, *, rates=(), wishes=None, retry_failed=False, **flags) -> Course:
    flags = {"optimizer": "sgd", "data": "iris", **flags}
    arms = arms_of(axes_of(Asked(flags=flags, rates=tuple(rates)), {}), PROBLEMS)
    sweep = SweepFolder(folder)
    sweep.read()
    return Course(candidates_of(arms, wishes or Wishes(SEEDS), PROBLEMS), PROBLEMS, sweep, retry_failed)


def ended(cell: Cell, folder: Path, value: float | None, failing: Callable[[Cell], bool]) -> Ended:
    """What a training of the cell would have left, and told; value: its accuracy, None for a lost one."""
    if cell.role == "measure":
        return Ended(cell, "done", False, None, None, 0.0, Pace(8, 0.25))
    if cell.role == "search":
        return Ended(cell, "done", value is None, None, None, 0.0, None, None if value is None else 1.0 - value, 1.0)
    status = "failed" if failing(cell) else "done"
    path = made_run(
        folder / cell.name,
        optimizer=cell.trial.config.optimizer.name,
        learning_rate=cell.rate,
        seed=cell.seed,
        test=0.1 if value is None else value + 0.001 * cell.seed % 0.005,
        learned=value is not None,
        status=status,
        role=cell.role,
        steps=False,
        change={"trial": cell.trial.hash},
    )
    return Ended(cell, status, value is None, value, None, 0.0) if path else None


def carried_out(
    course: Course,
    landscape: Landscape,
    *,
    searched: Landscape | None = None,
    by_cell: Callable[[Cell], float | None] | None = None,
    failing: Callable[[Cell], bool] = lambda cell: False,
) -> list[Cell]:
    """Every cell that the course has trained, in order; searched: what the short trainings of a search see; by_cell:
    what the trials see, where that is more than a landscape."""
    waiting, trained = course.begin(), []
    while waiting:
        cell = waiting.pop(0)
        trained += [cell] if cell.role != "measure" else []
        seen = searched if searched and cell.role == "search" else landscape
        value = by_cell(cell) if by_cell and cell.is_kept else seen(cell.recipe, cell.rate)
        waiting += course.heard(ended(cell, course.folder.path, value, failing))
    return trained


def roles(cells: list[Cell]) -> dict[str | None, int]:
    return dict(Counter(cell.role for cell in cells))


@pytest.mark.parametrize(
    ("scale", "default", "grid"),
    [
        (0.01, 0.01, [1e-4, 3.16e-4, 1e-3, 3.16e-3, 0.01, 0.0316, 0.1, 0.316, 1.0]),
        (0.1, 0.001, [1e-3, 3.16e-3, 0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 10.0]),
        (1.0, 0.001, [1e-3, 0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 10.0, 31.6]),
        (1e-6, 0.01, [3.16e-8, 1e-7, 3.16e-7, 1e-6, 3.16e-6, 1e-5, 3.16e-5, 1e-4, 0.01]),
        (0.1, None, [1e-3, 3.16e-3, 0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 10.0]),
    ],
)
def test_the_grid_is_nine_half_decades_with_the_default_among_them(scale, default, grid):
    assert list(grid_around(scale, default)) == grid


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        ({0.01: 0.9, 0.1: 0.5, 1.0: 0.7}, 0.1),
        ({0.01: 0.9, 0.1: None, 1.0: 3.0}, 0.01),
        ({0.01: 1.0, 0.1: None}, None),
        ({}, None),
    ],
)
def test_the_scale_is_where_the_loss_fell_most(losses, scale):
    assert scale_of(losses, 1.0) == scale


def test_auto_searches_tunes_and_reports(tmp_path):
    course = course_of(tmp_path)
    trained = carried_out(course, peak(0.1))
    assert roles(trained) == {"search": 9, "tuning": 27, "refining": 16, "report": 8}
    (candidate,) = course.candidates
    assert (candidate.scale, candidate.chosen, candidate.edge) == (0.1, (0, 0.1), None)
    report = [(cell.rate, cell.seed) for cell in trained if cell.role == "report"]
    assert sorted(report) == [(rate, seed) for rate in (0.01, 0.1) for seed in SEEDS]
    assert {cell.seed for cell in trained if cell.role == "tuning"}.isdisjoint(SEEDS)
    assert course.total == len(course.known) == 51


def test_finer_rates_beside_the_best_and_further_seeds_for_the_best_two(tmp_path):
    """0.1 is best by three seeds and worst by the others; 1.0 is behind by three and would be best by the others."""
    values = {0.0316: (0.80, 0.80), 0.1: (0.90, 0.60), 0.178: (0.85, 0.85), 1.0: (0.70, 0.99)}

    def landscape(cell: Cell) -> float:
        return values.get(cell.rate, (0.5, 0.5))[cell.seed not in (1000, 1001, 1002)]

    course = course_of(tmp_path)
    trained = carried_out(course, peak(0.1), by_cell=landscape)
    refining = [(cell.rate, cell.seed) for cell in trained if cell.role == "refining"]
    finer = [(rate, seed) for seed in (1000, 1001, 1002) for rate in (0.0562, 0.178)]
    assert refining == [*finer, *((rate, seed) for seed in range(1003, 1008) for rate in (0.1, 0.178))]
    assert course.candidates[0].chosen == (0, 0.178)
    assert {cell.rate for cell in trained if cell.role == "report"} == {0.01, 0.178}
    [comparison] = compare(read_records([tmp_path])[0], Request())
    [recipe] = comparison.recipes
    assert (recipe.learning_rate, recipe.tried) == (0.178, 11)
    assert recipe.best_of_k[1] == pytest.approx((0.80 + 0.90 + 0.70 + 6 * 0.5) / 9, abs=0.005)
    assert recipe.sensitivity == pytest.approx(0.90 - (0.80 + 0.90 + 0.70 + 6 * 0.5) / 9, abs=0.01)
    assert (comparison.protocol.tuning_seeds, comparison.protocol.final_seeds) == ((3, 3), (8, 8))


def test_a_rate_is_called_chosen_only_after_the_finals(tmp_path):
    """sweep.yaml says so, and compare calls a sweep done by it."""
    course, known = course_of(tmp_path), []
    course.changed = lambda: known.append((course.candidates[0].stage, course.candidates[0].known()[0].chosen))
    carried_out(course, peak(0.1))
    assert {stage for stage, chosen in known if chosen is None} >= {"choose", "refine", "finals"}
    assert {stage for stage, chosen in known if chosen == 0.1} == {"report", "done"}


def test_a_rate_that_is_alone_in_learning_needs_no_finals(tmp_path):
    trained = carried_out(course_of(tmp_path), lambda name, rate: 0.9 if rate == 0.1 else None)
    assert {cell.seed for cell in trained if cell.role in ("tuning", "refining")} == {1000, 1001, 1002}


def test_a_final_that_is_won_at_the_end_of_the_grid_widens_it(tmp_path):
    """10.0 is the last rate and comes second by three seeds."""
    course = course_of(tmp_path)

    def landscape(cell: Cell) -> float:
        if cell.rate == 10.0:
            return 0.90 if cell.seed <= 1002 else 0.99
        return {0.1: 0.95, 31.6: 0.3, 100.0: 0.2}.get(cell.rate, 0.5)

    trained = carried_out(course, peak(0.1), by_cell=landscape)
    assert {cell.rate for cell in trained if cell.role == "tuning"} - set(grid_around(0.1, 0.01)) == {31.6, 100.0}
    assert (course.candidates[0].chosen, course.candidates[0].edge) == ((0, 10.0), None)


def test_the_default_rate_is_reported_once_where_it_is_chosen(tmp_path):
    assert roles(carried_out(course_of(tmp_path), peak(0.01)))["report"] == 4


@pytest.mark.parametrize(
    ("searched", "best", "further"),
    [
        (0.01, 3.0, [3.16, 10.0]),
        (0.01, 30.0, [3.16, 10.0, 31.6, 100.0]),
        (0.01, 1e-5, [3.16e-5, 1e-5, 3.16e-6, 1e-6]),
        (0.01, 0.1, []),
    ],
)
def test_a_grid_is_widened_at_most_twice_where_its_end_is_best(tmp_path, searched, best, further):
    course = course_of(tmp_path)
    trained = carried_out(course, peak(best), searched=peak(searched))
    rates = {cell.rate for cell in trained if cell.role == "tuning"}
    assert rates - set(grid_around(searched, 0.01)) == set(further)


def test_towards_the_stability_limit_the_grid_is_refined(tmp_path):
    course = course_of(tmp_path)
    trained = carried_out(course, peak(10.0, limit=0.2))
    rates = sorted({cell.rate for cell in trained if cell.role == "tuning"} - set(grid_around(0.1, 0.01)))
    assert rates == [0.178, 0.237]
    assert course.candidates[0].chosen == (0, 0.178)


def test_what_is_there_is_not_trained_again(tmp_path):
    first = carried_out(course_of(tmp_path), peak(0.1))
    trained = carried_out(course_of(tmp_path), peak(0.1))
    assert roles(trained) == {"search": 9}
    more = carried_out(course_of(tmp_path, wishes=Wishes(range(6))), peak(0.1))
    assert roles(more) == {"search": 9, "report": 4}
    assert roles(first) == {"search": 9, "tuning": 27, "refining": 16, "report": 8}


def test_a_given_grid_gets_every_seed(tmp_path):
    course = course_of(tmp_path, rates=["1e-2..1"])
    trained = carried_out(course, peak(0.1))
    assert roles(trained) == {None: 20}
    assert course.candidates[0].chosen == (0, 0.1)


def test_confirm_adds_fresh_seeds_for_the_chosen_rate(tmp_path):
    trained = carried_out(course_of(tmp_path, rates=["1e-2..1"], wishes=Wishes(SEEDS, confirm=2)), peak(0.1))
    confirmed = [(cell.rate, cell.seed) for cell in trained if cell.role == "report"]
    assert confirmed == [(0.1, 4), (0.1, 5)]


def test_extend_adds_rates_at_the_end_that_is_best(tmp_path):
    carried_out(course_of(tmp_path, rates=["1e-2..1"]), peak(3.0))
    course = course_of(tmp_path, rates=["1e-2..1"], wishes=Wishes(SEEDS, extend=True))
    trained = carried_out(course, peak(3.0))
    assert {cell.rate for cell in trained} == {3.16, 10.0}
    assert [arm.rates.values for arm in course.candidates[0].known()] == [(0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 10.0)]


def test_factors_go_around_the_scale_of_each_recipe(tmp_path):
    course = course_of(tmp_path, rates=["x0.1..x10:3"], optimizer="sgd,adam")
    shapes = {"cross_entropy+sgd": peak(1.0), "cross_entropy+adam": peak(0.01)}
    trained = carried_out(course, lambda name, rate: shapes[name](name, rate))
    found = {name: sorted({c.rate for c in trained if c.recipe == name and c.role is None}) for name in shapes}
    assert found == {"cross_entropy+sgd": [0.1, 1.0, 10.0], "cross_entropy+adam": [0.001, 0.01, 0.1]}


def test_settings_of_a_list_are_chosen_with_the_rate(tmp_path):
    course = course_of(tmp_path, optimizer="sgd:momentum=[0, 0.9]")
    heights = {"cross_entropy+sgd_momentum=0": 0.0, "cross_entropy+sgd_momentum=0.9": 0.05}
    trained = carried_out(course, lambda name, rate: peak(0.1)(name, rate) + heights[name])
    assert roles(trained) == {"search": 9, "tuning": 54, "refining": 16, "report": 8}
    assert {cell.recipe for cell in trained if cell.role == "report"} == {"cross_entropy+sgd_momentum=0.9"}
    assert {cell.marks["tuned"][0] for cell in trained} == {"optimizer.momentum"}
    assert [arm.chosen for arm in course.candidates[0].known()] == [False, 0.1]


def test_a_failed_trial_does_not_hold_the_others_up(tmp_path):
    course = course_of(tmp_path)
    carried_out(course, peak(0.1), failing=lambda cell: cell.seed == 1001)
    assert len(course.failed) == 11
    assert course.candidates[0].stage == "done"
    assert roles(carried_out(course_of(tmp_path), peak(0.1))) == {"search": 9}
    for path in tmp_path.glob("*-s1001-*"):
        path.rename(path.with_name("." + path.name))  # as the worker takes a failed folder away
    again = course_of(tmp_path, retry_failed=True)
    assert roles(carried_out(again, peak(0.1))) == {"search": 9, "tuning": 9, "refining": 2}


def test_where_everything_is_lost_the_sweep_ends(tmp_path):
    course = course_of(tmp_path)
    trained = carried_out(course, peak(0.1, limit=1e-9))
    assert roles(trained)["report"] == 8
    assert course.candidates[0].edge is None


def test_without_validation_data_no_rate_can_be_chosen():
    asked = Asked(flags={"optimizer": "sgd", "data": "iris"}, sets=("data.split=[1, 0, 0]",))
    arms = arms_of(axes_of(asked, {}), PROBLEMS)
    with pytest.raises(UsageError, match="no validation data to choose a learning rate by"):
        candidates_of(arms, Wishes(SEEDS), PROBLEMS)
    assert candidates_of([replace(arm, rates=Rates((0.1,))) for arm in arms], Wishes(SEEDS), PROBLEMS)


def grid_of(course: Course, pace: Pace) -> list[Cell]:
    """The cells that the course asks for once the pace is measured."""
    measured = course.begin()
    return [cell for one in measured for cell in course.heard(Ended(one, "done", False, None, None, 0.0, pace))]


def test_shares_hold_one_kind_and_are_spread_over_the_workers(tmp_path):
    cells = grid_of(course_of(tmp_path, optimizer="sgd,adam", rates=["1e-4..1e-1"]), Pace(64))
    shares = shares_of(cells, workers=2)
    assert [len(share.cells) for share in shares] == [14, 14, 14, 14]
    assert [{cell.recipe for cell in share.cells} for share in shares] == [
        {"cross_entropy+sgd"}, {"cross_entropy+sgd"}, {"cross_entropy+adam"}, {"cross_entropy+adam"},
    ]  # fmt: skip
    assert [len(share.cells) for share in shares_of(cells[:5], workers=2)] == [5]


@pytest.mark.parametrize(
    ("pace", "workers", "sizes"),
    [
        (Pace(64, 0.001), 1, [28]),
        (Pace(64, 0.001), 8, [28]),  # less than a second in all: built once
        (Pace(1, 1.0), 4, [7, 7, 7, 7]),
        (Pace(1, 1.0), 1, [14, 14]),
        (Pace(16, 2.0), 1, [14, 14]),
        (Pace(1, 60.0), 8, [1] * 28),
    ],
)
def test_the_size_of_a_share_follows_what_a_trial_takes(tmp_path, pace, workers, sizes):
    cells = grid_of(course_of(tmp_path, rates=["1e-4..1e-1"]), pace)
    assert sorted(len(share.cells) for share in shares_of(cells, workers)) == sizes


def test_sweep_yaml_keeps_what_is_known(tmp_path):
    course = course_of(tmp_path)
    carried_out(course, peak(0.1))
    write_sweep(tmp_path, SweepFile((), (), ("p",)).with_candidates(course.candidates, SEEDS))
    (arm,) = read_sweep(tmp_path).arms
    assert (arm.scale, arm.chosen, arm.pace, arm.rates.auto) == (0.1, 0.1, Pace(8, 0.25), True)
    assert arm.config == course.candidates[0].arms[0].config
    assert read_sweep(tmp_path).seeds == tuple(SEEDS)


def test_a_folder_is_swept_again_with_what_it_holds(tmp_path):
    course = course_of(tmp_path, optimizer="sgd,adam", rates=["0.01,0.1"])
    carried_out(course, peak(0.1))
    write_sweep(tmp_path, SweepFile((), (), ()).with_candidates(course.candidates, SEEDS))

    def asked(**more):
        source = source_of(Asked(tmp_path, **more), {}, tmp_path.parent, None, PROBLEMS)
        return [(arm.label, arm.rates.values) for arm in source.arms], list(source.seeds)

    both = [("cross_entropy+sgd", (0.01, 0.1)), ("cross_entropy+adam", (0.01, 0.1))]
    assert asked() == (both, SEEDS)
    assert asked(seeds="6") == (both, list(range(6)))
    assert asked(rates=("auto",))[0] == [("cross_entropy+sgd", ()), ("cross_entropy+adam", ())]
    assert asked(flags={"optimizer": "rmsprop"}) == ([("cross_entropy+rmsprop", ())], SEEDS)
    assert [label for label, _ in asked(flags={"loss": "hinge"})[0]] == ["hinge+sgd", "hinge+adam"]
