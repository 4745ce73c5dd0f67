"""A comparison for a paper: LaTeX, Markdown, the paragraph of methods; several problems at once; what was left out."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from made_comparisons import comparison, four_tied, recipe

from lossopt_cli.analysis import baselines, conditions, escapes, latex, methods, several
from lossopt_cli.analysis.columns import column_named
from lossopt_cli.analysis.comparison_json import as_json
from lossopt_cli.analysis.tables import View, table
from lossopt_cli.commands.comparison_checks import WORSE, observed, values
from lossopt_cli.commands.left_out import left_out_lines
from lossopt_cli.errors import UsageError
from lossopt_cli.runs.records import LeftOut

VERSIONS = {"lossopt": "0.1.0", "keras": "3.15.1", "torch": "2.11.0", "numpy": "2.4"}


def mixed(**changes):
    return comparison(
        recipe("adam", 0.01, 0.972, "best"),
        recipe("huber:delta=0.5 + sgd_50%", 0.0316, 0.97, "tied", (0.002, -0.006, 0.01)),
        recipe("lion", 0.01, 0.94, "worse", (0.032, 0.02, 0.044)),
        recipe("sgd", 0.1, 0.963, "not_tuned", (0.009, 0.001, 0.02), edge="highest"),
        recipe("ftrl", 0.1, 0.1, "lost", (0.872, 0.8, 0.9), lost=7),
        **changes,
    )


def latex_rows(text: str) -> dict[str, list[str]]:
    """Cells by the recipe."""
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    cells = [line.removesuffix(r" \\").split(" & ") for line in body]
    return {row[0]: row[1:] for row in cells}


def test_latex_is_bold_for_the_best_and_all_that_tie():
    rows = latex_rows(latex.table(mixed(), View()))
    bold = [name for name, cells in rows.items() if any(cell.startswith(r"\textbf{") for cell in cells)]
    assert bold == ["adam", r"huber:delta=0.5 + sgd\_50\%"]
    assert rows["adam"][:2] == ["0.01", r"\textbf{0.972 $\pm$ 0.003}"]


def test_latex_says_what_it_is_of_and_what_its_signs_mean():
    comments = [line for line in latex.table(mixed(), View()).splitlines() if line.startswith("%")]
    said = " ".join(comments)
    for what in (
        "digits",
        "180 test images",
        "±",
        "95 % Student t",
        "bold: the best and all that tie",
        "10 pairs",
        "dagger",
    ):
        assert what in said
    assert r"sgd$^\dagger$" in latex_rows(latex.table(mixed(), View()))
    assert r"ftrl$^\ddagger$" in latex_rows(latex.table(mixed(), View()))


def test_latex_without_a_claim_has_nothing_in_bold():
    made = comparison(recipe("adam", 0.01, 0.97, "open", n=3), recipe("sgd", 0.01, 0.9, "open", (0.07, -1, 1), n=3))
    text = latex.table(made, View())
    assert "textbf" not in text
    assert "nothing is bold" in text


def test_what_is_open_is_never_bold_and_never_counted_as_tied():
    few = recipe("lion", 0.01, 0.97, "open", (0.002, -1.0, 1.0), n=2, pair={"claimable": False})
    made = comparison(*mixed().recipes[:3], few)
    assert latex_rows(latex.table(made, View()))[r"lion$^\ast$"][1] == r"0.970 $\pm$ 0.003"
    markdown = latex.markdown(made, View())
    assert "| lion · | 0.01 | 0.970 ± 0.003 |" in markdown
    assert "· too few seeds in common with the best to judge." in markdown
    assert values(made)["tied"] == 2
    rows = {row.name: row for row in several.across([made, made])}
    assert (rows["adam"].good, rows["lion"].good) == (2, 0)
    assert "0.970 ·" in several.table([made, made], View(120))


def test_latex_rows_have_as_many_cells_as_columns_and_its_environment_ends():
    text = latex.table(mixed(), View())
    alignment = text.split(r"\begin{tabular}{")[1].split("}")[0]
    assert {len(cells) + 1 for cells in latex_rows(text).values()} == {len(alignment)}
    assert text.endswith(r"\end{tabular}")


@pytest.mark.parametrize("sign", escapes.LATEX_SIGNS)
def test_every_sign_that_latex_would_read_is_escaped(sign):
    name = f"a{sign}b"
    made = comparison(
        recipe(name, 0.01, 0.97, "tied"), recipe("sgd", 0.01, 0.96, "tied", (0.01, -0.01, 0.03), best=name)
    )
    assert f"a{escapes.LATEX_SIGNS[sign]}b" in latex.table(made, View())


def test_latex_has_the_seeds_that_arrived_in_words_and_no_empty_cell():
    rows = latex_rows(latex.table(mixed(), View()))
    assert rows["lion"][2:] == [rows["lion"][2], "--", "3 (8 of 8)", "0.900"]
    assert rows[r"ftrl$^\ddagger$"][3] == "7/8"
    assert all(cell for cells in rows.values() for cell in cells)
    assert "| 3 (8 of 8) |" in latex.markdown(mixed(), View())


FEW = [recipe("adam", 0.01, 0.9, "open", n=3), recipe("sgd", 0.01, 0.8, "open", (0.1, -1, 1), n=3)]
UNTUNED = [
    recipe("adam", 0.01, 0.9, "not_tuned", edge="highest"),
    recipe("sgd", 0.01, 0.8, "not_tuned", (0.1, -1, 1), edge="lowest", pair={"claimable": False}),
]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (comparison(*FEW), "no two recipes have 4 seeds in common"),
        (comparison(*UNTUNED), "no recipe is tuned"),
        (comparison(replace(UNTUNED[0], edge=None, standing="open"), UNTUNED[1]), "only adam is tuned"),
        (comparison(*UNTUNED, refused="the runs start from other weights."), "the runs start from other weights"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_that_nothing_can_be_claimed_has_its_true_reason(made, why):
    assert f"% nothing is bold: {why}\n" in latex.table(made, View())
    assert f"No claim is made about differences: {why}." in methods.paragraph(made, VERSIONS)
    assert several.verdict([made, made]) == f"No recipe is best or tied on any of 2 problems: {why}."


def test_several_problems_have_their_reasons_where_they_differ():
    text = several.verdict([comparison(*FEW), comparison(*UNTUNED, data="wine")])
    assert text.endswith("no two recipes have 4 seeds in common on digits; no recipe is tuned on wine.")


def test_what_is_not_tuned_is_not_judged_but_has_its_time():
    """r: adam 1, 1; sgd 1.5, 1.5, though it is not tuned: (4 - 1.5) / 3."""
    adam = recipe("adam", 0.01, 0.97, "not_tuned", edge="highest", time_to_target_epochs=2.0)
    sgd = recipe("sgd", 0.01, 0.9, "not_tuned", (0.07, 0.05, 0.09), edge="highest", pair={"claimable": False})
    rows = {row.name: row for row in several.across([comparison(adam, sgd)] * 2)}
    assert (rows["adam"].score, rows["sgd"].score) == (1.0, pytest.approx(2.5 / 3))
    assert (rows["adam"].good, rows["sgd"].good) == (0, 0)


SPLITS = replace(four_tied().protocol, splits_vary=True)


@pytest.mark.parametrize("changes", [{}, {"protocol": SPLITS, "test_over_train": 1 / 7}], ids=["one split", "splits"])
def test_the_correction_for_splits_is_named_where_it_is_applied(changes):
    made = four_tied(**changes)
    texts = [methods.paragraph(made, VERSIONS), latex.table(made, View()), table(made, View(120))]
    assert ["1/n + 0.143 (Nadeau and Bengio 2003)" in " ".join(text.split()) for text in texts] == [bool(changes)] * 3
    assert as_json(made, [], [])["protocol"]["test_over_train"] == pytest.approx(1 / 7 if changes else 0.0)


def test_columns_and_rows_are_those_asked_for():
    view = View(columns=tuple(column_named(name, "") for name in ("recipe", "mean", "difference_to_best")), top=2)
    assert latex_rows(latex.table(mixed(), view)) == {
        "adam": [r"\textbf{0.972 $\pm$ 0.003}"],
        r"huber:delta=0.5 + sgd\_50\%": [r"\textbf{0.970 $\pm$ 0.003}"],
    }


def test_markdown_has_the_same_cells_and_marks():
    lines = latex.markdown(mixed(), View()).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert "**0.972 ± 0.003**" in table[2]
    assert "**" not in table[4]
    assert table[5].startswith("| sgd †")
    assert any("† not tuned" in line for line in lines)


@pytest.mark.parametrize(
    ("made", "parts"),
    [
        (four_tied(), ["We compared four recipes (adam, momentum, rmsprop and sgd)", "8 seeds each", "on one split",
                       "chosen from 3 values by the mean accuracy on the validation set with 3 other seeds",
                       "test data were not used", "180 images", "95 % t interval", "1 - 0.05/6", "1/(sqrt(2) 180)",
                       "No reported trial diverged", "lossopt 0.1.0, Keras 3.15.1 and PyTorch 2.11.0"]),
        (mixed(), ["sgd, best at the end of the tried learning rates, was not judged", "7 of 40 reported trials"]),
        (comparison(recipe("adam", 0.01, 0.9, "open", n=1), recipe("sgd", 0.01, 0.8, "open", (0.1, None, None), n=1)),
         ["on 180 images", "of one seed each, so that nothing is known of chance."]),
        (mixed(min_effect=0.01), ["at least 0.01, and to be equal where the interval lies within ±0.01."]),
        (comparison(recipe("adam", 0.01, 0.9, "tied", rates=(0.01,))), ["a recipe, that is", "was not tuned"]),
        (comparison(recipe("adam", 0.01, 0.9, "open", n=3), recipe("sgd", 0.01, 0.8, "open", (0.1, -1, 1), n=3)),
         ["No claim is made about differences"]),
    ],
)  # fmt: skip
def test_the_methods_say_the_protocol_in_the_past_tense(made, parts):
    text = methods.paragraph(made, VERSIONS)
    assert [part for part in parts if part not in text] == []
    assert "  " not in text
    assert "\n" not in text


def over_three_problems():
    good = {"time_to_target_epochs": 2.0}
    return [
        comparison(recipe("adam", 0.01, 0.97, "best", **good), recipe("sgd", 0.01, 0.9, "worse", (0.07, 0.05, 0.09))),
        comparison(recipe("adam", 0.01, 0.8, "tied"), recipe("sgd", 0.01, 0.79, "tied", (0.01, -1, 1)), data="wine"),
        comparison(recipe("sgd", 0.01, 51.5, "best"), recipe("lion", 0.01, 55.0, "worse", (3.5, 3.0, 4.0), best="sgd"),
                   data="diabetes", metric="rmse", higher=False),
    ]  # fmt: skip


def test_several_problems_count_where_a_recipe_is_best_or_tied():
    rows = {row.name: row for row in several.across(over_three_problems())}
    assert {name: row.good for name, row in rows.items()} == {"adam": 2, "sgd": 2, "lion": 0}
    assert rows["lion"].results[:2] == (None, None)


def test_several_problems_have_the_profile_score():
    # epochs: adam 2, 3, -; sgd 3, 3, 3; lion -, -, 3
    # r: adam 1, 1, inf; sgd 1.5, 1, 1; lion inf, inf, 1; score: sum of max(0, 4 - r) / (3 * 3)
    rows = {row.name: row.score for row in several.across(over_three_problems())}
    assert rows == pytest.approx({"adam": 6 / 9, "sgd": 8.5 / 9, "lion": 3 / 9})


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_of_several_problems_fits(width):
    text = several.table(over_three_problems(), View(width))
    assert max(map(len, text.splitlines())) <= width
    assert "51.50 *" in text
    assert "wine" in text
    assert several.verdict(over_three_problems()) == "sgd and adam are best or tied on 2 of 3 problems each."


def test_what_was_left_out_is_counted_and_named():
    found = [
        LeftOut(Path("logs/a"), "running", "running (last written 2 h ago)"),
        LeftOut(Path("logs/broken"), "unreadable", "result.json line 1"),
        LeftOut(Path("logs/old"), "unreadable", "no config.yaml"),
        *[LeftOut(Path(f"logs/c{place}"), "copy", "") for place in range(4)],
    ]
    assert left_out_lines(found) == [
        "left out: 1 running, 2 unreadable, 4 copies (same trial run twice: counted once)",
        "  logs/a: running (last written 2 h ago)",
        "  logs/broken: unreadable, result.json line 1",
        "  logs/old: unreadable, no config.yaml",
    ]
    assert left_out_lines([]) == []


def test_many_that_were_left_out_are_not_all_named():
    found = [LeftOut(Path(f"logs/{place}"), "unreadable", f"result.json line {place}") for place in range(20)]
    lines = left_out_lines(found)
    assert len(lines) == 7
    assert lines[-1] == "  and 15 others"


def test_a_reason_that_many_have_is_told_once():
    found = [LeftOut(Path(f"logs/{place}"), "failed", "mine.py:3: ValueError: no") for place in range(20)]
    found += [LeftOut(Path("logs/x"), "unreadable", "no config.yaml")]
    assert left_out_lines(found) == [
        "left out: 20 failed, 1 unreadable",
        "  logs/0 and 19 others: failed, mine.py:3: ValueError: no",
        "  logs/x: unreadable, no config.yaml",
    ]


@pytest.mark.parametrize("expression", ["worse", "accuracy < 0.9 or worse", " worse ", "worse and accuracy > 0.9"])
def test_a_word_is_a_condition_of_its_own(expression):
    condition = conditions.parse(expression, words=[WORSE])
    assert condition.holds({"worse": 1.0, "accuracy": 0.95})
    assert not condition.holds({"worse": 0.0, "accuracy": 0.95})


def test_a_check_that_cannot_be_decided_is_not_met():
    assert conditions.parse("worse", words=[WORSE]).holds({"worse": None})


@pytest.mark.parametrize("expression", ["wrose", "worse < 1 and", "accuracy", "not worse", "worse worse", "worse()"])
def test_a_word_that_is_not_known_is_refused_with_those_that_are(expression):
    with pytest.raises(UsageError) as caught:
        conditions.parse(expression, words=[WORSE])
    assert "'worse'" in caught.value.faults[0].expected


def test_a_command_without_words_takes_none():
    with pytest.raises(UsageError):
        conditions.parse("worse")


def test_fail_if_speaks_of_the_best_that_can_be_judged():
    known = values(mixed())
    assert known["accuracy"] == 0.972
    assert known["recipes"] == 5
    assert known["lost"] == 7
    assert known["not_tuned"] == 1
    assert known["tied"] == 2
    assert known["baseline"] is None
    assert known[WORSE] is None
    assert not any(isinstance(value, float) and math.isnan(value) for value in known.values())


def held_to_the_best(made, *others):
    base, *_ = made.recipes
    others = [replace(one, difference_to_baseline=one.difference_to_best) for one in others]
    return replace(made, recipes=(replace(base, is_baseline=True), *others))


def test_worse_needs_a_claim_against_the_baseline():
    _, tied, worse, *_ = mixed().recipes
    made = held_to_the_best(mixed(), tied, worse)
    assert [one.name for one in baselines.worse(made)] == ["lion"]
    assert values(made)[WORSE] == 1.0
    assert observed(made, [WORSE]) == "worse than the baseline: lion"
    assert values(held_to_the_best(mixed(), tied))[WORSE] == 0.0


@pytest.mark.parametrize(
    ("changes", "n", "why"),
    [({}, 3, "3 seeds in common, 4 are needed"), ({"edge": "highest"}, 8, "lion is not tuned")],
)
def test_what_cannot_be_claimed_cannot_be_decided(changes, n, why):
    few = recipe(
        "lion", 0.01, 0.5, "open", (0.4, 0.3, 0.5), n=n, pair={"claimable": False, "different": False}, **changes
    )
    made = held_to_the_best(mixed(), few)
    assert values(made)[WORSE] is None
    assert observed(made, [WORSE]) == f"cannot be decided: lion and its baseline ({why})"


def test_fail_if_speaks_of_the_recipes_that_are_not_the_baseline():
    _, tied, worse, *_ = mixed().recipes
    known = values(held_to_the_best(mixed(), tied, worse))
    assert (known["accuracy"], known["recipes"], known["tied"], known["baseline"]) == (0.97, 2, 1, 0.972)
    assert known["worst"] == tied.worst
