"""The table of a comparison: what fits into a width, what is drawn where, what the marks and the legend say."""

from dataclasses import replace

import pytest
from made_comparisons import INFINITE, comparison, four_tied, recipe

from lossopt_cli.analysis import layout, wording
from lossopt_cli.analysis.columns import COLUMNS, column_named, oriented
from lossopt_cli.analysis.comparison import Interval
from lossopt_cli.analysis.pair_table import pair_table
from lossopt_cli.analysis.scale import scale_of
from lossopt_cli.analysis.tables import View, table
from lossopt_cli.console import ascii_twin
from lossopt_cli.errors import UsageError

LONG = "categorical_crossentropy:label_smoothing=0.1 + adamw:weight_decay=0.01"


def six():
    """Best, tied, worse, not tuned, far off and not tuned, lost."""
    return comparison(
        recipe("adam", 0.01, 0.972, "best"),
        recipe("huber:delta=0.5 + momentum", 0.0316, 0.97, "tied", (0.002, -0.006, 0.01)),
        recipe(LONG, 0.01, 0.94, "worse", (0.032, 0.02, 0.044), setting={"model": "mlp:hidden=[64,32]"}),
        recipe("sgd", 0.1, 0.963, "not_tuned", (0.009, 0.001, 0.02), edge="highest"),
        recipe("huber + sgd", 0.1, 0.208, "not_tuned", (0.764, 0.7, 0.8), edge="stability"),
        recipe("lion", 0.1, 0.1, "lost", (0.872, 0.8, 0.9), lost=7),
    )


def row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line[4:].startswith(name))


@pytest.mark.parametrize("made", [four_tied, six], ids=["four", "six"])
@pytest.mark.parametrize("width", [60, 80, 120, 160])
@pytest.mark.parametrize("columns", [(), COLUMNS], ids=["automatic", "all"])
def test_no_line_is_wider_than_the_terminal(made, width, columns):
    text = table(made(), View(width, columns))
    assert max(map(len, text.splitlines())) <= width
    assert max(map(len, ascii_twin(text).splitlines())) <= width


@pytest.mark.parametrize("made", [four_tied, six], ids=["four", "six"])
def test_its_ascii_twin_has_a_sign_for_every_sign(made):
    text = table(made(), View(160, COLUMNS))
    assert ascii_twin(text).isascii()
    assert ascii_twin(text).count("?") == text.count("?")


def test_wider_terminals_show_more():
    shown = {width: table(four_tied(), View(width)).split("\n\n")[1] for width in (80, 120, 160)}
    for head, least in (
        ("worst", 80),
        ("to .90", 80),
        ("room", 80),
        ("default", 80),
        ("every seed", 120),
        ("trials", 120),
    ):
        assert [width for width in shown if head in shown[width]] == [w for w in (80, 120, 160) if w >= least], head
    assert "seconds" in shown[160]


def test_the_head_says_what_was_compared_what_the_number_is_and_how_rates_were_chosen():
    head = table(four_tied(), View(80)).split("\n\n")[0].splitlines()
    assert head == [
        "digits, minicnn, cross_entropy, 5 epochs, batch 32            4 recipes, 8 seeds",
        "test accuracy after the last epoch; 180 test images; guessing scores 0.100",
        "each learning rate chosen from 3 on validation, with 3 other seeds",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rates_per_recipe": (1, 1)}, "one learning rate each: none was chosen"),
        ({"rates_per_recipe": (5, 9)}, "chosen from 5 to 9 on validation"),
        ({"tuning_seeds": (0, 0), "final_seeds": (0, 0)}, "on validation, with the same seeds"),
        ({"tuning_seeds": (1, 1), "final_seeds": (1, 1)}, "with 1 other seed"),
        ({"final_seeds": (8, 8)}, "with 3 other seeds, the best with 8"),
        ({"final_seeds": (3, 8)}, "with 3 other seeds, the best with 3 to 8"),
        ({"equal_budgets": False}, "budgets differ"),
        ({"splits_vary": True}, "a split of the data for each seed"),
    ],
)
def test_the_protocol_is_said_as_it_was(changes, said):
    made = four_tied()
    head = table(replace(made, protocol=replace(made.protocol, **changes)), View(80)).split("\n\n")[0]
    assert said in " ".join(head.splitlines()[2:])


def test_marks_and_their_meaning():
    text = table(six(), View(80))
    marks = {name: row(text, name)[1] for name in ("adam", "huber:", "categorical", "sgd", "huber + sgd", "lion")}
    assert marks == {"adam": "*", "huber:": "=", "categorical": " ", "sgd": "?", "huber + sgd": "?", "lion": "x"}
    assert "* best   = tied   ? not tuned, so not judged   x lost" in text
    assert "95 % for all 15 pairs together (99.7 % each)" in text


def test_what_has_too_few_seeds_to_be_judged_has_a_mark_of_its_own():
    few = recipe("lion", 0.01, 0.95, "open", (0.02, None, None), n=1)
    made = comparison(recipe("adam", 0.01, 0.972, "tied"), recipe("sgd", 0.01, 0.97, "tied", (0.002, -1, 1)), few)
    text = table(made, View(80, style=lambda text, *names: f"<{','.join(names)}>{text}" if "bold" in names else text))
    assert row(text, "lion")[1] == "·"
    assert "= tied   · too few seeds to judge" in text
    assert [line.split()[2] for line in text.splitlines() if line.startswith("<bold>")] == ["adam", "sgd"]


def test_one_seed_has_no_marks_and_no_intervals():
    one = comparison(recipe("adam", 0.01, 0.97, "open", n=1), recipe("sgd", 0.01, 0.9, "open", (0.07, None, None), n=1))
    text = table(one, View(80))
    assert "├" not in text
    assert "tied" not in text
    assert row(text, "sgd")[1] == " "


def test_what_is_not_judged_says_why_in_place_of_an_interval():
    text = table(six(), View(80))
    for name, why in (("sgd", "highest lr tried"), ("huber + sgd", "the next lr fails"), ("lion", "7 of 8 lost")):
        assert why in row(text, name)
        assert "├" not in row(text, name)


def test_intervals_are_drawn_to_one_scale_and_cross_zero_where_they_do():
    scale = scale_of([0.0, 0.01, 0.03], [0.0, -0.01, 0.02], [0.0, 0.03, 0.04], 26)
    zero = scale.place(0.0)
    assert scale.interval(0.01, -0.01, 0.03)[zero] == "┼"
    assert scale.interval(0.03, 0.02, 0.04)[zero] == "│"
    assert scale.interval(0.03, 0.02, 0.04).index("├") > zero
    assert scale.interval(0.0, None, None).strip() == "●"
    assert scale.axis()[zero] == "0"


def test_one_that_is_far_off_is_cut_and_does_not_squeeze_the_others():
    scale = scale_of([0.005, 0.015, 0.8], [-0.01, 0.0, 0.7], [0.02, 0.03, 0.9], 26)
    assert scale.high == pytest.approx(0.03)
    assert scale.interval(0.8, 0.7, 0.9).endswith(">")


def test_a_point_is_on_the_scale_where_only_its_interval_is_far():
    """As four single seeds behind the best, and one recipe with a wide interval."""
    points, lows = [0.018, 0.029, 0.035, 0.042, 0.385], [0.018, 0.029, 0.035, -0.29, 0.385]
    scale = scale_of(points, lows, [0.018, 0.029, 0.035, 0.37, 0.385], 22)
    drawn = [scale.interval(value, None, None) for value in points]
    assert [">" in text for text in drawn] == [False] * 4 + [True]
    assert scale.interval(0.042, -0.29, 0.37).strip("─┼│") in ("<──────────┼────────●>", "<─────────┼────────●─>")


@pytest.mark.parametrize(("far", "explained"), [(0.05, False), (0.9, True)])
def test_what_is_beyond_the_scale_is_explained_where_it_occurs(far, explained):
    made = comparison(
        recipe("adam", 0.01, 0.97, "best"),
        recipe("sgd", 0.01, 0.96, "tied", (0.01, -0.01, 0.03)),
        recipe("lion", 0.01, 0.96, "tied", (0.01, -0.01, 0.03)),
        recipe("ftrl", 0.01, 0.97 - far, "worse", (far, far - 0.01, far + 0.01)),
    )
    text = table(made, View(80))
    assert ("> beyond the scale" in text) is explained
    assert (">" in row(text, "ftrl")) is explained


@pytest.mark.parametrize(("low", "high"), [(-0.001, 0.004), (-3.0, 50.0), (-0.2, 0.3), (0.0, 1e-6), (-2e4, 1e5)])
@pytest.mark.parametrize("width", [22, 44])
def test_ticks_are_round_numbers_with_zero_among_them(low, high, width):
    scale = scale_of([high / 2], [low], [high], width)
    ticks = scale.ticks()
    assert any(abs(tick) < 1e-12 for tick in ticks)
    assert all(scale.low - 1e-9 <= tick <= scale.high * (1 + 1e-9) for tick in ticks)
    assert len(scale.axis()) == width


@pytest.mark.parametrize("high", [3e-6, 0.02, 0.05, 0.31, 2.6, 48.0, 166.0, 2.7e4])
@pytest.mark.parametrize("width", [15, 22, 30, 44])
@pytest.mark.parametrize("below", [0.0, 0.1, 1.0])
def test_an_axis_has_two_numbers_at_least(high, width, below):
    axis = scale_of([high / 2], [-below * high], [high], width).axis()
    assert len(axis) == width
    assert len(set(map(float, axis.split()))) > 1


def test_sorted_rows_and_a_few_of_them():
    text = table(four_tied(), View(80, sort=column_named("worst", "--sort"), top=2))
    names = [line[4:].split()[0] for line in text.splitlines() if line.startswith(" =")]
    assert names == ["adam", "momentum"]
    assert "2 recipes not shown; all 4 are counted." in text
    assert "6 pairs" in text


def test_hidden_columns_can_be_asked_for_and_the_recipe_is_always_first():
    columns = tuple(column_named(name, "") for name in ("recipe", "interquartile_mean", "sensitivity"))
    lines = table(four_tied(), View(80, columns)).split("\n\n")[1].splitlines()
    assert lines[1].split() == ["recipe", "half", "tivity"]
    assert lines[2].split() == ["=", "adam", "0.972", "0.2"]


def test_an_unknown_column_names_the_nearest_and_all():
    with pytest.raises(UsageError) as caught:
        column_named("wurst", "--columns")
    fault = caught.value.faults[0]
    assert fault.remedy == "did you mean worst?"
    assert "--columns help" in fault.expected


SPELLED = {
    "lr": "learning_rate", "test": "mean", "validation": "mean", "seeds": "n", "every seed": "every_seed",
    "default": "at_default", "at its default": "at_default", "relapse": "relapse", "room": "room", "lr room": "room",
    "worst seed": "worst", "Worst": "worst", "time-to-target-epochs": "time_to_target_epochs",
    "safe": "safe_window_decades",
}  # fmt: skip


@pytest.mark.parametrize(("typed", "name"), SPELLED.items())
def test_a_column_answers_to_its_name_and_to_its_head(typed, name):
    assert column_named(typed, "--columns").name == name


def test_a_head_that_is_nearly_right_is_suggested():
    with pytest.raises(UsageError) as caught:
        column_named("tets", "--columns")
    assert "test" in caught.value.faults[0].remedy


BELOW = [
    (
        {
            "to .90: when validation accuracy first reaches it (the median of the best recipe's best epochs, less one "
            "sd)": True
        },
        {},
        (),
    ),
    ({"to .90: when validation accuracy first reaches it;": True, "less one sd": False}, {"target_given": True}, ()),
    ({"lr room: the lowest learning rate that fails": True, "to .90": False}, {}, ("room",)),
    ({"relapse: how far": True, "lr room": False, "best of k": False}, {}, ("relapse",)),
    ({"best of k trials": True, "relapse": False}, {}, ("best_of_k",)),
    ({"a lost seed": False}, {}, ()),
]


@pytest.mark.parametrize(("told", "changes", "columns"), BELOW)
def test_what_the_heads_do_not_explain_is_explained_below_where_it_is_shown(told, changes, columns):
    columns = tuple(column_named(name, "") for name in ("recipe", *columns)) if columns else ()
    below = " ".join(table(four_tied(**changes), View(160, columns)).split("\n\n")[-1].split())
    assert {text: text in below for text in told} == told


def test_what_a_lost_seed_counts_is_said_where_one_is_shown():
    assert "a lost seed (diverged, or no better than guessing) counts with its score before training" in " ".join(
        table(six(), View(80)).split()
    )


@pytest.mark.parametrize(
    ("times", "text"),
    [
        ((4.0,) * 7 + (INFINITE,), "4 7/8"),
        ((4.0,) * 3 + (5.0,) + (INFINITE,) * 4, ">5 4/8"),
        ((4.0,) * 3 + (INFINITE,) * 5, ">4 3/8"),
        ((INFINITE,) * 8, "never 0/8"),
    ],
)
def test_a_median_between_one_that_arrives_and_one_that_does_not_is_beyond_the_first(times, text):
    reached = sum(time < INFINITE for time in times)
    median = INFINITE if reached <= 4 else 4.0
    found = recipe("sgd", 0.01, 0.9, "tied", times=times, reached=reached, time_to_target_epochs=median)
    assert column_named("time_to_target_epochs", "").cell(comparison(found), found) == text


def test_a_relapse_that_is_the_noise_of_the_batches_is_not_shown():
    column = column_named("relapse", "")
    assert [
        column.cell(four_tied(), recipe("sgd", 0.01, 0.9, "tied", oscillates=known)) for known in (False, None)
    ] == [
        "4 %",
        "",
    ]


def test_the_interval_of_a_share_ends_at_one():
    wide = replace(recipe("adam", 0.01, 0.833, "open", n=2), mean=Interval(0.833, 0.41, 1.257, 2))
    column = column_named("interval", "")
    assert column.cell(comparison(wide), wide) == "0.410 to 1.000"
    assert column.cell(comparison(wide, metric="cross_entropy"), wide) == "0.410 to 1.257"


def test_what_differs_in_the_setting_is_a_column():
    text = table(six(), View(160))
    assert "model" in text.split("\n\n")[1].splitlines()[1]
    assert "mlp:hidden=[64,32]" in row(text, "categorical")


def test_colour_is_bold_and_dim_only_and_changes_no_letter():
    styled = table(six(), View(80, style=lambda text, *names: f"<{','.join(names)}>{text}</>"))
    plain = table(six(), View(80))
    import re

    assert re.sub(r"</?[a-z,]*>", "", styled) == plain
    assert set(re.findall(r"<([a-z,]+)>", styled)) == {"bold", "dim"}


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        ("adam", 10, ["adam"]),
        ("huber:delta=0.5 + momentum", 18, ["huber:delta=0.5 +", " momentum"]),
        ("sgd:momentum=0.9:nesterov=true", 18, ["sgd:momentum=0.9", " :nesterov=true"]),
        ("abcdefghijkl", 5, ["abcde", "fghij", "kl"]),
    ],
)
def test_long_names_are_folded_and_nothing_of_them_is_lost(text, room, lines):
    assert layout.folded(text, room) == lines


def test_a_difference_reads_the_same_whichever_recipe_comes_first():
    made = four_tied().recipes[1].difference_to_best
    other = replace(made, a=made.b, b=made.a, value=-made.value, low=-made.high, high=-made.low)
    assert oriented(made, "momentum") == oriented(other, "momentum") == (0.01, -0.009, 0.029)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0316, "0.0316"), (0.0316227766, "0.0316227766"), (0.001, "0.001"), (3.16, "3.16"), (1e-5, "1e-05")],
)
def test_a_rate_is_told_as_one_types_it_to_train_at_it_again(value, text):
    assert wording.rate(value) == text


@pytest.mark.parametrize(
    ("values", "places"),
    [([0.97, 0.1], 3), ([54.3], 2), ([543.0], 1), ([54300.0], 0), ([0.05], 4), ([], 3), ([0.0], 3)],
)
def test_a_metric_has_about_four_digits(values, places):
    assert wording.decimals(values) == places


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_pairs_have_the_better_first_and_fit(width):
    text = pair_table(four_tied(), View(width))
    assert max(map(len, text.splitlines())) <= width
    first = next(line for line in text.splitlines() if "momentum" in line)
    assert first.split()[:6] == ["adam", "momentum", "0.010", "-0.009", "to", "0.029"]
    assert "tie" in first
    below = " ".join(text.split("\n\n")[1].split())
    assert ("Holm p: the same" in below) is ("Holm" in text.split("\n\n")[0])
    assert "differ: the interval, at the level of all pairs together, leaves out 0; tie: it does not" in below


@pytest.mark.parametrize("low", [-1e-6, -0.01, 1e-6, 0.001])
def test_which_side_of_zero_an_interval_begins_on_is_always_seen(low):
    scale = scale_of([0.05, 0.02], [low, -0.001], [0.1, 0.05], 22)
    drawn = scale.interval(0.05, low, 0.1)
    assert (drawn.index("├") > scale.place(0.0)) == (low > 0.0)
    assert (drawn[scale.place(0.0)] == "┼") == (low < 0.0)
