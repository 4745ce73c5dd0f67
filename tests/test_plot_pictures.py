"""What pictures show, before anything is drawn: the numbers of the comparison, bands, signs, words."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_runs import made_run

from lossopt_cli.analysis.comparison import Interval
from lossopt_cli.analysis.figures.confusion import confusion, read_evaluation
from lossopt_cli.analysis.figures.curves import band, curves, epochs_of, together
from lossopt_cli.analysis.figures.differences import differences
from lossopt_cli.analysis.figures.heatmap import heatmap
from lossopt_cli.analysis.figures.picture import Line, Look, Panel, is_log, y_limits
from lossopt_cli.analysis.figures.profile import profile_of
from lossopt_cli.analysis.figures.rates import LOST, rates
from lossopt_cli.analysis.figures.selection import Selection, selected
from lossopt_cli.analysis.figures.steps import running_mean, steps
from lossopt_cli.analysis.figures.tradeoff import tradeoff
from lossopt_cli.analysis.ranking import Request, compare
from lossopt_cli.analysis.statistics import count_floor, t_interval
from lossopt_cli.errors import UsageError
from lossopt_cli.runs.csv import read_columns
from lossopt_cli.runs.records import Record, read_records
from tests.made_comparisons import INFINITE, arm, comparison, difference, four_tied, recipe

PLAIN = Look("#000000")


def line(*y: float) -> Line:
    return Line(np.arange(len(y)), np.array(y), PLAIN)


@pytest.fixture
def made(tmp_path):
    """Runs of three losses with adam, four seeds each, as a selection of the validation data, and their records."""

    def make(losses=("cross_entropy", "mse", "huber"), optimizers=("adam",), seeds=4, **changes):
        for loss in losses:
            for optimizer in optimizers:
                for seed in range(seeds):
                    name = f"{loss}-{optimizer}-{seed}"
                    made_run(
                        tmp_path / name,
                        loss=loss,
                        optimizer=optimizer,
                        seed=seed,
                        test=0.9 + 0.01 * seed,
                        steps_per_epoch=8,
                        **changes,
                    )
        records, _ = read_records([tmp_path])
        [found] = compare(records, Request(split="validation"))
        return selected(found), {record.folder: record for record in records}

    return make


# Curves.


def test_the_band_is_the_t_interval_at_every_evaluation():
    values = np.array([[0.5, 0.9, 0.9], [0.6, 0.8, 0.9], [0.4, 0.7, 0.9]])
    found = band(values, floor=0.01, test_over_train=1 / 7)
    expected = [t_interval(column, floor=0.01, test_over_train=1 / 7) for column in values.T]
    for ends, wanted in zip(found, ("value", "low", "high"), strict=True):
        assert ends == pytest.approx([getattr(interval, wanted) for interval in expected], abs=1e-12)


def test_one_seed_has_no_band():
    mean, low, high = band(np.array([[0.5, 0.9]]))
    assert (mean.tolist(), low, high) == ([0.5, 0.9], None, None)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (False, [[2.3, 1.0, 0.5], [2.4, np.nan, np.nan]]),
        (True, [[2.3, 1.0, 0.5], [2.4, 2.4, 2.4]]),
    ],
)
def test_a_trial_that_diverged_is_never_left_out_of_the_mean(held, expected):
    tables = [{"train_loss": np.array([2.3, 1.0, 0.5])}, {"train_loss": np.array([2.4, np.inf])}]
    np.testing.assert_array_equal(together(tables, "train_loss", held=held), expected)


def test_a_curve_begins_with_what_was_before_the_first_step(tmp_path):
    folder = made_run(tmp_path / "a", epochs=2, steps_per_epoch=8)
    table = epochs_of(Record(folder, json.loads((folder / "result.json").read_text())))
    assert table["epoch"].tolist() == [0.0, 1.0, 2.0]
    assert table["step"].tolist() == [0.0, 8.0, 16.0]
    assert table["validation_accuracy"][0] == 0.1
    assert table["train_loss"][0] == 2.31


def test_an_empty_cell_is_not_a_number(tmp_path):
    (tmp_path / "a.csv").write_text("epoch,auc\n1,\n2,0.5\n")
    np.testing.assert_array_equal(read_columns(tmp_path / "a.csv")["auc"], [np.nan, 0.5])


def test_a_trial_that_diverged_at_once_has_a_start_and_nothing_else(tmp_path):
    folder = made_run(tmp_path / "a", status="diverged")
    (folder / "epochs.csv").write_text("epoch,step,learning_rate\n1,8,0.01\n")
    table = epochs_of(Record(folder, json.loads((folder / "result.json").read_text())))
    np.testing.assert_array_equal(table["validation_accuracy"], [0.1, np.nan])
    np.testing.assert_array_equal(table["step"], [0.0, 8.0])


def test_a_curve_ends_in_the_mean_and_the_interval_of_the_table(made):
    selection, records = made(losses=("cross_entropy",), optimizers=("adam", "sgd"))
    panel = next(
        panel for panel in curves(selection, records).panels if (panel.loss, panel.title) == (None, "validation")
    )
    drawn = {line.label.partition(" at ")[0]: line for line in panel.lines if line.kind == "mean"}
    assert set(drawn) == {"adam", "sgd"}
    for found in selection.recipes:
        mean = drawn[found.name]
        assert mean.y[-1] == pytest.approx(found.mean.value, abs=1e-12)
        assert (mean.low[-1], mean.high[-1]) == pytest.approx((found.mean.low, found.mean.high), abs=1e-12)


@pytest.mark.parametrize(("seeds", "thin"), [(1, 0), (4, 4), (10, 0)])
def test_every_seed_is_drawn_where_they_are_few(seeds, thin, made):
    selection, records = made(losses=("cross_entropy",), seeds=seeds, epochs=2)
    panel = curves(selection, records).panels[-1]
    assert sum(line.kind == "seed" for line in panel.lines) == 2 * thin  # of training and of validation


@pytest.mark.parametrize("drawn", [lambda made: curves(*made), lambda made: steps(made[0])], ids=["curves", "steps"])
def test_losses_never_share_an_axis(drawn, made):
    selection, records = made()
    panels = drawn((selection, records)).panels
    recipes = {selection.label(recipe): recipe.loss for recipe in selection.recipes}
    loss_panels = [panel for panel in panels if panel.loss is not None]
    assert {panel.loss for panel in loss_panels} == {"cross_entropy", "mse", "huber"}
    for panel in loss_panels:
        assert {recipes[line.label] for line in panel.lines if line.label} == {panel.loss}
        assert panel.row == panel.loss  # limits are shared with panels of the same loss only


def test_too_many_losses_for_a_panel_each_leave_the_metric(made, monkeypatch):
    monkeypatch.setattr("lossopt_cli.analysis.figures.curves.MOST_LOSSES", 2)
    chart = curves(*made())
    assert [panel.loss for panel in chart.panels] == [None, None]
    assert "3 losses: too many for a panel each, so the metric alone" in chart.caption


@pytest.mark.parametrize(("by", "last"), [("epoch", 5.0), ("step", 40.0), ("second", 1.0)])
def test_what_a_curve_is_drawn_over(by, last, made):
    selection, records = made(losses=("mse",), seeds=1)
    for panel in curves(selection, records, by).panels:
        assert {line.x[-1] for line in panel.lines} == {last}


def test_a_single_recipe_has_both_splits_in_one_panel_and_its_name_in_the_title(made):
    chart = curves(*made(losses=("mse",), seeds=1))
    assert [[line.label for line in panel.lines] for panel in chart.panels] == [["train", "validation"]] * 2
    assert chart.title == "Loss and accuracy by epoch: adam at 0.01"


@pytest.mark.parametrize(
    ("falls", "lines", "high"),
    [
        (True, [line(2.0, 1.0, 0.5)], 2.0),
        (True, [line(2.0, 1.0, 0.5), line(2.0, 9.0, 1e9)], 2.75),  # half as far above the start as the best came down
        (True, [line(2.0, 2.0, 9.0)], 3.0),  # nothing came down: half the start
        (False, [line(0.1, 0.9), line(0.1, 5.0)], 5.0),
    ],
)
def test_who_climbs_does_not_flatten_the_others(falls, lines, high):
    _, top = y_limits(Panel("x", "y", tuple(lines), falls=falls))
    least = min(line.y.min() for line in lines)
    assert top == pytest.approx(high + 0.06 * (high - least))


def test_panels_of_one_row_have_the_same_limits():
    panels = [Panel("x", "y", (line(0.0, 1.0),), row="a"), Panel("x", "y", (line(2.0, 4.0),), row="a")]
    assert y_limits(panels[0], panels) == y_limits(panels[1], panels) == pytest.approx((-0.24, 4.24))


def test_a_lost_recipe_has_no_band_of_its_loss(made):
    selection, records = made(losses=("mse",), optimizers=("adam", "sgd"))
    lost = replace(selection.recipes[0], lost=1)
    selection = replace(selection, recipes=(lost, *selection.recipes[1:]))
    panel = curves(selection, records).panels[0]
    means = {line.label: line for line in panel.lines if line.kind == "mean"}
    assert means[selection.label(lost)].low is None
    assert means[selection.label(selection.recipes[1])].low is not None


# Steps.


@pytest.mark.parametrize(
    ("losses", "window", "expected"),
    [
        ([3.0, 1.0, 2.0, 6.0, np.nan, 1.0], 3, [2.0, 2.0, 3.0, np.nan, np.nan, np.nan]),
        ([3.0, 1.0, 2.0, 6.0, np.nan, 1.0], 2, [2.0, 1.5, 4.0, np.nan, np.nan, 1.0]),
        ([3.0, 1.0], 9, [2.0, 2.0]),
        ([3.0, np.inf], 1, [3.0, np.nan]),
    ],
)
def test_the_running_mean_is_that_of_the_steps_around(losses, window, expected):
    np.testing.assert_allclose(running_mean(np.array(losses), window), expected, atol=1e-12)


def test_where_losses_fall_straight_the_running_mean_is_the_loss_itself():
    losses = np.linspace(2.0, 1.0, 41)
    np.testing.assert_allclose(running_mean(losses, 9)[4:-4], losses[4:-4], atol=1e-12)


def test_steps_average_over_a_quarter_of_an_epoch(made):
    selection, _ = made(losses=("mse",), seeds=2)
    chart = steps(selection)
    [panel] = chart.panels
    [batches, *means] = panel.lines
    assert [line.kind for line in panel.lines] == ["batches", "running", "running"]
    assert means[0].y[1] == pytest.approx(batches.y[1:3].mean(), abs=1e-12)  # 8 steps an epoch: 2 of them
    assert "centred (2 steps; at the ends over what is there), no band" in chart.caption


@pytest.mark.parametrize(("by", "last"), [("step", 40.0), ("epoch", 5.0)])
def test_what_steps_are_drawn_over(by, last, made):
    selection, _ = made(losses=("mse",), seeds=1)
    assert steps(selection, by).panels[0].lines[0].x[-1] == last


# Learning rates.


def tried(**changes):
    """adam at 0.001, 0.01 and 0.1, where one of four seeds was lost; 0.01 was chosen."""
    arms = (
        arm(0.1, (0.5, 0.6, 0.7, 0.1), lost=1),
        arm(0.001, (0.8, 0.82, 0.84, 0.86)),
        arm(0.01, (0.9, 0.9, 0.92, 0.92)),
    )
    values = {"arms": arms, "chosen": 2, "room": 10.0, "default_rate": 0.001, "lost": 0, "n": 4}
    return recipe("adam", 0.01, 0.91, "best", rates=(0.01,), **values | changes)


def test_rates_are_the_means_of_the_arms_with_their_intervals():
    found = comparison(tried(), floor=count_floor(180))
    [panel] = rates(selected(found)).panels
    mean = next(line for line in panel.lines if line.kind == "rates")
    assert mean.x.tolist() == [0.001, 0.01, 0.1]
    expected = [t_interval(arm.scores, floor=count_floor(180)) for arm in (tried().arms[place] for place in (1, 2, 0))]
    assert mean.y == pytest.approx([interval.value for interval in expected], abs=1e-12)
    assert mean.low == pytest.approx([interval.low for interval in expected], abs=1e-12)
    assert mean.high == pytest.approx([interval.high for interval in expected], abs=1e-12)
    assert mean.y[2] == pytest.approx(0.475)  # the lost seed with it, at what it had at step 0


def test_lost_trials_the_chosen_rate_the_default_and_the_room_are_marked():
    [panel] = rates(selected(comparison(tried()))).panels
    assert [(mark.x, mark.y) for mark in panel.marks if mark.label == LOST] == [(0.1, 0.1)]
    assert [(mark.x, mark.y) for mark in panel.marks if mark.sign == "chosen"] == [(0.01, pytest.approx(0.91))]
    assert panel.upright[0] == 0.001
    assert panel.shade[:2] == pytest.approx((0.01, 0.1))
    assert panel.log_x


def test_without_a_room_nothing_is_shaded():
    assert rates(selected(comparison(tried(room=None)))).panels[0].shade is None


def test_the_arms_that_the_rate_was_chosen_by_are_drawn():
    tuning = (arm(0.01, (0.9,) * 3), arm(0.02, (0.8,) * 3))
    chart = rates(selected(comparison(tried(tuning=tuning))))
    assert next(line for line in chart.panels[0].lines if line.kind == "rates").x.tolist() == [0.01, 0.02]
    assert "mean of 3 seeds" in chart.caption


def test_the_other_recipes_stand_behind_in_grey():
    chart = rates(selected(four_tied()))
    assert [sum(line.kind == "others" for line in panel.lines) for panel in chart.panels] == [3, 3, 3, 3]
    assert len({panel.x_limits for panel in chart.panels}) == 1


# Heatmap, differences, trade-off.


def test_a_cell_is_the_mean_of_its_recipe():
    found = comparison(
        recipe("adam", 0.01, 0.97, "best"),
        recipe("sgd", 0.1, 0.95, "worse", (0.02, 0.01, 0.03), lost=1),
        recipe("mse + adam", 0.01, 0.96, "not_tuned", (0.01, 0.0, 0.02), loss="mse", optimizer="adam"),
        recipe("mse + sgd", 0.01, 0.1, "lost", (0.8, 0.7, 0.9), loss="mse", optimizer="sgd", lost=8),
    )
    grid = heatmap(selected(found))
    assert grid.framed == ((0, 0),)
    assert (grid.rows, grid.columns) == (("cross_entropy", "mse"), ("adam", "sgd"))
    np.testing.assert_allclose(grid.values, [[0.97, 0.95], [0.96, np.nan]])
    assert grid.texts == (("0.970\nbest", "0.950\n1/8 lost"), ("0.960\nnot tuned", "0.100\n8/8 lost"))


def test_without_enough_seeds_a_heatmap_says_nothing_of_standing():
    few = comparison(recipe("adam", 0.01, 0.97, "best", n=3), recipe("sgd", 0.1, 0.95, "tied", (0.02, -0.1, 0.1), n=3))
    grid = heatmap(selected(few))
    assert grid.texts == (("0.970", "0.950"),)
    assert grid.framed == ()
    assert "too few seeds to say which may be as good" in grid.caption


def test_who_ties_with_the_best_is_framed_and_who_cannot_be_judged_is_not():
    found = comparison(
        recipe("adam", 0.01, 0.97, "tied"),
        recipe("sgd", 0.1, 0.96, "tied", (0.01, -0.01, 0.03)),
        recipe("lion", 0.1, 0.96, "open", (0.01, None, None), n=1),
    )
    grid = heatmap(selected(found))
    assert grid.framed == ((0, 0), (0, 1))
    assert grid.texts == (("0.970\ntied", "0.960\ntied", "0.960\ntoo few seeds"),)
    assert "framed: the best, and what may be as good" in grid.caption


@pytest.mark.parametrize(
    ("changes", "n", "means", "limits", "said"),
    [
        ({}, 8, (0.97, 0.90), (0.90, 0.97), ""),
        ({}, 8, (0.970, 0.968), (0.964, 0.970), "the width of a 95 % interval"),  # of 0.003 to both sides
        ({"standard_error": 0.02}, 1, (0.970, 0.968), (0.89, 0.97), "4 standard errors of one run"),
        ({"standard_error": 5.4, "higher": False}, 1, (50.28, 50.80), (50.28, 71.88), "4 standard errors of one run"),
        ({"standard_error": None}, 1, (0.970, 0.968), (0.968, 0.970), ""),
    ],
)
def test_chance_is_not_painted_as_a_difference(changes, n, means, limits, said):
    recipes = [recipe(name, 0.01, mean, "tied", n=n) for name, mean in zip(("adam", "sgd"), means, strict=True)]
    grid = heatmap(selected(comparison(*recipes, **changes)))
    assert grid.limits == pytest.approx(limits)
    assert ("the colours reach as far as" in grid.caption) == bool(said)
    assert said in grid.caption


@pytest.mark.parametrize(("higher", "colours"), [(True, "light_is_much"), (False, "light_is_little")])
def test_light_is_good(higher, colours):
    assert heatmap(selected(four_tied(higher=higher))).colours == colours


def test_differences_are_those_of_the_table_the_better_first():
    forest = differences(selected(four_tied()))
    assert [(span.label, span.value, span.low, span.high) for span in forest.spans] == [
        ("adam over momentum", 0.01, -0.009, 0.029),
        ("adam over rmsprop", 0.023, -0.012, 0.058),
        ("adam over sgd", 0.057, -0.008, 0.122),
    ]
    assert "8 common seeds; bars: paired t interval of the difference at 99.17 % (6 pairs compared)" in forest.caption


def test_a_difference_is_strong_where_the_table_claims_it():
    found = comparison(recipe("adam", 0.01, 0.97, "best"), recipe("sgd", 0.1, 0.9, "worse", (0.07, 0.05, 0.09)))
    assert [span.strong for span in differences(selected(found)).spans] == [True]
    assert [span.strong for span in differences(selected(four_tied())).spans] == [False] * 3


def many_recipes(count: int):
    """Recipes a, b, c, ..., each a little worse than the one before, with every pair of them."""
    names = [chr(ord("a") + place) for place in range(count)]
    recipes = [recipe(name, 0.01, 0.9 - 0.01 * place, "tied") for place, name in enumerate(names)]
    pairs = [
        difference(worse, better, (0.01, -0.01, 0.03))
        for place, better in enumerate(names)
        for worse in names[place + 1 :]
    ]
    return comparison(*recipes, pairs=tuple(pairs))


@pytest.mark.parametrize(("recipes", "rows"), [(6, 15), (7, 6)])
def test_of_many_recipes_only_the_differences_from_the_best(recipes, rows):
    forest = differences(selected(many_recipes(recipes)))
    assert len(forest.spans) == rows
    assert ("a is better by" in forest.x_label) == (recipes > 6)


def test_the_tradeoff_is_the_mean_over_the_seconds():
    chart = tradeoff(selected(comparison(recipe("adam", 0.01, 0.97, "best", seconds=2.5))))
    [point] = chart.panels[0].lines
    assert (point.x.tolist(), point.y.tolist()) == ([2.5], [0.97])
    assert (point.low[0], point.high[0]) == pytest.approx((0.967, 0.973))


@pytest.mark.parametrize(("n", "said"), [(1, "of one run each, which vary by themselves"), (8, "mean of 8 seeds")])
def test_the_seconds_of_the_tradeoff_begin_at_0_and_say_of_how_many_runs_they_are(n, said):
    found = [recipe("adam", 0.01, 0.97, "best", seconds=0.58, n=n), recipe("sgd", 0.1, 0.9, "tied", seconds=0.54, n=n)]
    chart = tradeoff(selected(comparison(*found)))
    assert chart.panels[0].x_limits == (0.0, pytest.approx(0.638))
    assert said in chart.caption


# Profile and confusion.


def test_the_profile_has_the_scores_of_the_example():
    times = {"a": (10, 20, INFINITE, 5), "b": (12, 10, 30, 20), "c": (40, 15, 90, 6)}
    comparisons = [
        comparison(*(recipe(name, 0.01, 0.9, "tied", time_to_target_epochs=of[place]) for name, of in times.items()))
        for place in range(4)
    ]
    chart = profile_of(comparisons)
    assert [line.label for line in chart.panels[0].lines] == ["b (B 0.733)", "a (B 0.667)", "c (B 0.525)"]
    fastest = {line.label[0]: line.y[0] for line in chart.panels[0].lines}
    assert fastest == {"a": 0.5, "b": 0.5, "c": 0.0}  # the share of the problems on which it is the first


def test_a_profile_of_what_is_not_tuned_shows_its_times_and_says_so():
    found = [recipe("a", 0.01, 0.9, "not_tuned", edge="highest", time_to_target_epochs=2.0),
             recipe("b", 0.01, 0.8, "not_tuned", edge="lowest", time_to_target_epochs=3.0)]  # fmt: skip
    chart = profile_of([comparison(*found)] * 2)
    assert [line.label for line in chart.panels[0].lines] == ["a (B 1.000)", "b (B 0.833)"]
    assert "not tuned everywhere (best at the end of the rates), so not judged: a and b" in chart.caption


def test_a_profile_needs_two_recipes_on_two_problems():
    one = comparison(recipe("adam", 0.01, 0.9, "best"))
    with pytest.raises(UsageError, match="fewer than two problems"):
        profile_of([one])
    with pytest.raises(UsageError, match="fewer than two recipes"):
        profile_of([one, one])


def test_confusion_is_coloured_by_the_share_of_the_true_class():
    grid = confusion("a run", "test", {"classes": ["cat", "dog", "owl"], "counts": [[8, 2, 0], [1, 4, 0], [0, 0, 0]]})
    np.testing.assert_allclose(grid.values, [[0.8, 0.2, 0.0], [0.2, 0.8, 0.0], [np.nan] * 3])
    assert grid.texts[0] == ("8", "2", "")
    assert grid.caption == "a run\n12 of 15 examples right; one run, no band"


def test_an_evaluation_without_classes_is_not_confused(tmp_path):
    (tmp_path / "evaluation-test.json").write_text('{"metrics": {}}')
    with pytest.raises(UsageError, match="gives no classes"):
        read_evaluation(Record(tmp_path, {}), "test")


# Words that every picture has.


@pytest.mark.parametrize(
    ("drawn", "n", "spread"),
    [
        (rates, "8 seeds", "bars: 95 % t interval"),
        (heatmap, "8 seeds", "no band"),
        (differences, "8 common seeds", "bars: paired t interval"),
        (tradeoff, "8 seeds", "bars: 95 % t interval"),
        (lambda selection: profile_of([selection.comparison] * 2), "8 seeds", "no band"),
    ],
)
def test_below_the_title_stand_n_and_the_band(drawn, n, spread):
    caption = drawn(selected(four_tied())).caption
    assert n in caption
    assert spread in caption


@pytest.mark.parametrize(
    ("seeds", "said"),
    [(1, "one seed: no band"), (4, "mean of 4 seeds; band: 95 % t interval of the mean; thin: each seed")],
)
def test_curves_say_n_and_the_band(seeds, said, made):
    assert said in curves(*made(losses=("mse",), seeds=seeds)).caption


def test_other_numbers_of_seeds_are_said():
    found = comparison(recipe("adam", 0.01, 0.9, "best", n=3), recipe("sgd", 0.01, 0.8, "tied", (0.1, -0.1, 0.3), n=8))
    assert "mean of 3 to 8 seeds" in heatmap(selected(found)).caption


def test_the_label_has_the_rate_and_the_lost_seeds():
    selection = selected(comparison(replace(tried(lost=1), mean=Interval(0.91, 0.9, 0.92, 4))))
    assert selection.label(selection.recipes[0]) == "adam, lr 0.01 (1/4 lost)"


def test_one_rate_is_told_as_a_setting():
    selection = selected(comparison(recipe("adam", 0.01, 0.9, "best", rates=(0.01,))))
    assert selection.label(selection.recipes[0]) == "adam at 0.01"


# Which recipes.


def test_more_recipes_than_can_be_told_apart_are_counted():
    selection = selected(many_recipes(12))
    assert [found.name for found in selection.recipes] == list("abcdefghi")
    assert "9 of 12 recipes shown; --recipes chooses others" in selection.caption()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("adam", ["adam", "mse + adam"]), ("mse + adam,SGD", ["sgd", "mse + adam"]), ("mse", ["mse + adam"])],
)
def test_recipes_are_chosen_by_name_loss_or_optimizer(wanted, found):
    every = comparison(
        recipe("adam", 0.01, 0.97, "best"),
        recipe("sgd", 0.1, 0.95, "tied", (0.02, -0.01, 0.03)),
        recipe("mse + adam", 0.01, 0.96, "tied", (0.01, -0.01, 0.02), loss="mse", optimizer="adam"),
    )
    selection = selected(every, wanted)
    assert [recipe.name for recipe in selection.recipes] == found
    assert selection == Selection(every, selection.recipes, 3 - len(found))


def test_too_many_cannot_be_chosen():
    with pytest.raises(UsageError, match="at most 9"):
        selected(many_recipes(12), ",".join("abcdefghij"))


def falling(*values: float, **changes) -> Panel:
    y = np.array(values)
    return replace(Panel("step", "loss", (Line(np.arange(len(y), dtype=float), y, Look("k")),), falls=True), **changes)


@pytest.mark.parametrize(
    ("panel", "logarithmic"),
    [
        (falling(2.3, 3e4, 4e11, 4e22), True),
        (falling(2.3, 500.0, 2.4, 2.5), True),
        (falling(2.3, 500.0, 0.4, 0.2), False),
        (falling(2.3, 5.0, 2.4), False),
        (falling(-1.0, 500.0), False),
        (falling(2.3, 500.0, falls=False), False),
        (falling(np.nan, np.nan), False),
    ],
)
def test_a_training_that_went_wrong_from_the_start_is_drawn_by_its_logarithm(panel, logarithmic):
    assert is_log(panel) == logarithmic
    low, high = y_limits(panel)
    assert low < high
    known = panel.lines[0].y[np.isfinite(panel.lines[0].y)]
    assert not logarithmic or (low < known.min() and known.max() < high)


def test_the_last_finite_loss_of_a_batch_is_marked(tmp_path):
    made_run(tmp_path / "one", learned=False)
    lines = ["step,epoch,loss,learning_rate,gradient_norm", "1,1,2.3,9,1", "2,1,50.0,9,1", "3,1,nan,9,nan"]
    (tmp_path / "one" / "steps.csv").write_text("\n".join(lines) + "\n")
    [comparison] = compare(read_records([tmp_path])[0], Request())
    (panel,) = steps(selected(comparison)).panels
    assert [(mark.x, mark.y, mark.label) for mark in panel.marks] == [(2.0, 50.0, "not finite from here on")]
