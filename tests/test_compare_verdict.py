"""The verdict: which sentence is said when, for every number of recipes, and the commands that it prints."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_comparisons import INFINITE, comparison, difference, four_tied, recipe

from lossopt_cli.analysis.comparison import Interval, OtherMetric
from lossopt_cli.analysis.head import head
from lossopt_cli.analysis.verdict import MOST, text, verdict

TIED, WORSE = (0.01, -0.005, 0.025), (0.05, 0.02, 0.08)
HALF = -1.0  # a time that one half of the seeds reaches


def said(made, kind="ranking", folder="logs/ex"):
    """The sentences of that kind, joined; "" where there are none."""
    return " ".join(sentence.text for sentence in verdict(made, folder) if sentence.kind == kind)


def command(made, kind="ranking", folder="logs/ex"):
    return next(sentence.command for sentence in verdict(made, folder) if sentence.kind == kind)


def ranked(tied: int, worse: int, best: str = "best"):
    """adam, then so many that tie with it and so many that are worse."""
    names = iter(["sgd", "momentum", "rmsprop", "lion", "adamw", "nadam", "ftrl", "adagrad", "adadelta", "muon", "nag"])
    others = [recipe(next(names), 0.01, 0.96, "tied", TIED) for _ in range(tied)]
    others += [recipe(next(names), 0.01, 0.92, "worse", WORSE) for _ in range(worse)]
    return comparison(recipe("adam", 0.01, 0.97, best if worse else "tied"), *others)


RANKINGS = [
    (1, 0, "A tie: adam is ahead of sgd by 0.010, no more than chance may do."),
    (2, 0, "All three are a tie: what crosses 0 may be as good as adam."),
    (11, 0, "All twelve are a tie: what crosses 0 may be as good as adam."),
    (0, 1, "adam is better than sgd by 0.050 (0.020 to 0.080; 95 %)."),
    (0, 2, "adam is best: the other two are worse, by 0.050 (95 % for all 3 pairs together)."),
    (0, 11, "adam is best: the other eleven are worse, by 0.050 (95 % for all 66 pairs together)."),
    (
        1,
        1,
        (
            "adam is best on average. Only momentum is worse, by 0.050 (95 % for all 3 pairs together); sgd may be "
            "as good."
        ),
    ),
    (
        3,
        1,
        (
            "adam is best on average. Only lion is worse, by 0.050 (95 % for all 10 pairs together); the other "
            "three may be "
            "as good."
        ),
    ),
    (
        1,
        3,
        (
            "adam is best on average. sgd may be as good; the other three are worse, by 0.050 (95 % for all 10 pairs "
            "together)."
        ),
    ),
    (
        2,
        2,
        (
            "adam is best on average. Only rmsprop and lion are worse, by 0.050 (95 % for all 10 pairs "
            "together); the other "
            "two may be as good."
        ),
    ),
]


@pytest.mark.parametrize(("tied", "worse", "sentence"), RANKINGS, ids=[f"{t} tied, {w} worse" for t, w, _ in RANKINGS])
def test_who_is_best_who_ties_and_who_is_worse(tied, worse, sentence):
    assert said(ranked(tied, worse)) == sentence


def test_the_range_of_differences_is_said_where_they_differ():
    made = comparison(
        recipe("adam", 0.01, 0.97, "best"),
        recipe("sgd", 0.01, 0.9, "worse", (0.07, 0.05, 0.09)),
        recipe("lion", 0.01, 0.95, "worse", (0.02, 0.01, 0.03)),
    )
    assert "worse, by 0.020 to 0.070" in said(made)


def test_equal_means_are_no_sign_of_equal_recipes():
    made = comparison(recipe("adam", 0.01, 0.97, "tied"), recipe("sgd", 0.01, 0.97, "tied", (0.0, -0.19, 0.18)))
    assert said(made) == "A tie: no difference of adam and sgd is seen; it may be up to 0.190 either way."
    few = comparison(recipe("adam", 0.01, 0.97, "open", n=3), recipe("sgd", 0.01, 0.97, "open", (0.0, -0.2, 0.2), n=3))
    assert said(few).endswith("No difference of adam and sgd is seen; it may be up to 0.200 either way.")


NARROW = (0.005, -0.002, 0.012)


def test_a_difference_that_is_too_small_to_matter_is_equal_not_open():
    sgd = recipe("sgd", 0.01, 0.965, "tied", NARROW, pair={"equal": True, "seeds_needed": None})
    made = comparison(recipe("adam", 0.01, 0.97, "tied"), sgd, min_effect=0.02)
    assert said(made) == "adam and sgd are equal within 0.02: adam is ahead of sgd by 0.005 (-0.002 to 0.012)."
    assert said(made, "take") == "take adam, lr 0.01 (equal within 0.02)."
    assert command(made, "take") is None
    three = comparison(*made.recipes, recipe("lion", 0.01, 0.96, "tied", TIED), min_effect=0.02)
    assert said(three).endswith("as good as adam. sgd is equal to adam within 0.02.")
    assert said(three, "take").endswith("(tied); lion against adam would need about 45 seeds.")
    assert "differences below 0.02 do not count" in head(made, 200)[-1]


def test_a_claim_that_is_below_the_least_effect_is_not_laid_to_chance():
    sure = recipe("sgd", 0.01, 0.965, "tied", (0.005, 0.002, 0.025), pair={"different": False})
    made = comparison(recipe("adam", 0.01, 0.97, "tied"), sure, min_effect=0.02)
    assert said(made) == "A tie: adam is ahead of sgd by 0.005, less than the 0.02 that was asked for."


@pytest.mark.parametrize(
    ("rates", "sentence", "typed"),
    [
        (
            (0.01,),
            (
                "No ranking. One seed each: nothing can be said about chance. One learning rate each: this "
                "compares two "
                "settings, not two optimizers."
            ),
            "lossopt sweep logs/ex --lr auto --seeds 8",
        ),
        (
            (0.001, 0.01, 0.1),
            "No ranking. One seed each: nothing can be said about chance.",
            "lossopt sweep logs/ex --seeds 8",
        ),
    ],
)
def test_one_seed_says_nothing_about_chance(rates, sentence, typed):
    made = comparison(
        recipe("adam", 0.01, 0.97, "open", n=1, rates=rates),
        recipe("sgd", 0.01, 0.9, "open", (0.07, None, None), n=1, rates=rates),
    )
    assert said(made) == sentence
    assert command(made) == typed
    assert [sentence.kind for sentence in verdict(made, "logs/ex")] == ["ranking"]


def test_with_one_rate_each_settings_are_compared_not_optimizers():
    made = comparison(
        recipe("adam", 0.001, 0.97, "best", rates=(0.001,)),
        recipe("sgd", 0.01, 0.9, "worse", WORSE, rates=(0.01,)),
    )
    assert said(made).startswith("adam at 0.001 is better than sgd at 0.01 by 0.050")
    assert said(made).endswith("this compares two settings, not two optimizers.")


def test_one_seed_tells_who_came_first_in_it():
    def made(*times):
        recipes = [
            recipe(name, 0.01, 0.9, "open", (0.0, None, None) if place else (), n=1, time_to_target_epochs=time)
            for place, (name, time) in enumerate(zip(("adam", "sgd", "lion"), times, strict=False))
        ]
        return said(comparison(*recipes), "faster")

    assert made(3.0, 4.0) == "in this one seed adam got to 0.9 first (epoch 3); another may differ."
    assert made(INFINITE, 4.0, 4.0) == "in this one seed sgd and lion got to 0.9 first (epoch 4); another may differ."
    assert made(3.0, 3.0) == made(INFINITE, INFINITE) == ""


@pytest.mark.parametrize(
    ("changes", "things"),
    [
        ([{}, {"default_rate": 0.001}], "One learning rate each: this compares two settings, not two optimizers."),
        (
            [{"default_rate": 0.01}] * 2,
            "One learning rate each, the default: this compares two settings, not two optimizers.",
        ),
        ([{"loss": "mse", "optimizer": "adam"}, {"optimizer": "adam"}], "two settings, not two losses."),
        ([{"loss": "mse"}, {}], "two settings, not two recipes."),
    ],
)
def test_what_settings_are_not(changes, things):
    a, b = changes
    made = comparison(
        recipe("adam", 0.01, 0.97, "tied", rates=(0.01,), **a),
        recipe("sgd", 0.01, 0.9, "tied", TIED, rates=(0.01,), **b),
    )
    assert said(made).endswith(things)


@pytest.mark.parametrize(
    ("n", "needed", "beginning", "typed"),
    [
        (
            3,
            45,
            (
                "3 seeds: too few to tell chance from effect. adam is ahead of sgd by 0.010; with the spread "
                "seen, about 45 "
                "seeds would tell."
            ),
            "lossopt sweep logs/ex --seeds 45",
        ),
        (
            2,
            None,
            "2 seeds: too few to tell chance from effect. adam is ahead of sgd by 0.010.",
            "lossopt sweep logs/ex --seeds 8",
        ),
    ],
)
def test_three_seeds_name_no_winner_and_say_how_many_would_tell(n, needed, beginning, typed):
    made = comparison(
        recipe("adam", 0.01, 0.97, "open", n=n),
        recipe("sgd", 0.01, 0.96, "open", TIED, n=n, pair={"seeds_needed": needed}),
    )
    assert said(made) == beginning
    assert command(made) == typed
    assert not said(made, "take")


def test_seeds_that_are_not_common_are_no_pairs():
    made = comparison(
        recipe("adam", 0.01, 0.97, "open"),
        recipe("sgd", 0.01, 0.96, "open", (0.01, None, None), pair={"claimable": False}),
    )
    few = replace(made.recipes[1], difference_to_best=replace(made.recipes[1].difference_to_best, n=0))
    made = replace(made, recipes=(made.recipes[0], few), pairs=(few.difference_to_best,))
    assert said(made).startswith("0 seeds in common: too few")


def test_a_recipe_with_too_few_common_seeds_is_named():
    made = ranked(2, 1)
    made = replace(made, recipes=(made.recipes[0], open_(made.recipes[1]), *made.recipes[2:]))
    assert said(made).endswith("Nothing can be said of sgd: fewer than four seeds in common with adam.")
    assert said(made).startswith("adam is best on average. Only rmsprop is worse")
    all_others = replace(made, recipes=(made.recipes[0], *map(open_, made.recipes[1:3]), made.recipes[3]))
    assert said(all_others).startswith("adam is better than rmsprop by 0.050")
    assert said(all_others, "take") == "take adam, lr 0.01."


def open_(found):
    """The same with too few seeds to judge."""
    pair = replace(found.difference_to_best, claimable=False, different=False, n=2)
    return replace(found, standing="open", rank=None, difference_to_best=pair)


def test_one_recipe_alone_has_nothing_to_be_compared_with():
    made = comparison(recipe("adam", 0.01, 0.972, "tied"))
    assert said(made) == (
        "One recipe, so nothing to compare: adam scores 0.972 over 8 seeds (0.969 to 0.975 with other seeds); on other "
        "images one run's standard error is 0.012."
    )
    assert command(made) == "lossopt sweep logs/ex --opt sgd,momentum,rmsprop,adam --lr auto"


def test_the_interval_of_a_share_ends_at_one():
    wide = replace(recipe("adam", 0.01, 0.833, "open", n=2), mean=Interval(0.833, 0.41, 1.257, 2))
    assert "(0.410 to 1.000 with other seeds)" in said(comparison(wide))
    assert "(0.410 to 1.257 with other seeds)" in said(comparison(wide, metric="cross_entropy"))


def test_what_cannot_be_ranked_says_why():
    made = four_tied(refused="trials with one seed began from different networks.")
    assert [s.text for s in verdict(made, "logs/ex")] == [
        "No ranking: trials with one seed began from different networks."
    ]


@pytest.mark.parametrize(
    ("edges", "sentence"),
    [
        (["highest"], "sgd is not tuned, so not judged: it is best at 0.1, the highest rate tried."),
        (["lowest"], "sgd is not tuned, so not judged: it is best at 0.1, the lowest rate tried."),
        (
            ["stability"],
            ("sgd is not tuned, so not judged: it is best at 0.1, next to the stability limit (the next rate fails)."),
        ),
        (["highest"] * 2, "sgd and lion are not tuned, so not judged: they are best at 0.1, the highest rate tried."),
        (["highest"] * 5, "Five recipes are not tuned, so not judged: they are best at 0.1, the highest rate tried."),
        (
            ["highest", "lowest"],
            (
                "sgd and lion are not tuned, so not judged: they are best at 0.1, the highest rate tried or "
                "the lowest rate tried."
            ),
        ),
    ],
)
def test_who_is_not_tuned_and_the_command_that_extends_the_grid(edges, sentence):
    names = ("sgd", "lion", "adamw", "nadam", "ftrl")
    untuned = [
        recipe(name, 0.1, 0.5, "not_tuned", (0.4, 0.3, 0.5), edge=edge)
        for name, edge in zip(names, edges, strict=False)
    ]
    made = comparison(recipe("adam", 0.01, 0.97, "tied"), recipe("momentum", 0.01, 0.96, "tied", TIED), *untuned)
    assert said(made, "not_tuned") == sentence
    assert command(made, "not_tuned") == "lossopt sweep logs/ex --extend"
    assert said(made).startswith("A tie: adam is ahead of momentum")


@pytest.mark.parametrize(
    ("standing", "sentence"),
    [
        ("not_tuned", "No ranking: only adam can be judged."),
        ("lost", "No ranking: only adam can be judged."),
    ],
)
def test_one_that_can_be_judged_is_not_a_ranking(standing, sentence):
    made = comparison(
        recipe("adam", 0.01, 0.97, "tied"),
        recipe("sgd", 0.1, 0.1, standing, (0.87, 0.8, 0.9), pair={"claimable": False}),
    )
    assert said(made) == sentence


def test_all_lost():
    gone = {"lost": 8, "pair": {"claimable": False}}
    made = comparison(
        recipe("adam", 0.1, 0.1, "lost", lost=8, rates=(0.1,)),
        recipe("sgd", 9.0, 0.1, "lost", (0.0, 0.0, 0.0), rates=(9.0,), **gone),
    )
    assert said(made) == "No ranking: none of the recipes can be judged."
    assert "adam at 0.1 in 8 of 8 seeds and sgd at 9 in 8 of 8 seeds" in said(made, "lost")
    assert command(made, "lost") == "lossopt sweep logs/ex --lr auto"


def test_a_lost_seed_of_a_recipe_that_is_judged_is_told():
    made = comparison(recipe("adam", 0.01, 0.97, "tied"), recipe("sgd", 0.01, 0.86, "tied", TIED, lost=1))
    assert said(made, "lost") == "sgd lost 1 of 8 seeds."


def test_another_metric_that_changes_the_order():
    other = [
        OtherMetric("rmse", "sgd", ("adam",), ("sgd", "adam"), changes=True),
        OtherMetric("r2", "adam", (), ("adam", "sgd"), changes=False),
    ]
    made = comparison(
        recipe("adam", 0.01, 0.97, "tied"), recipe("sgd", 0.01, 0.96, "tied", TIED), other_metrics=tuple(other)
    )
    asked = "by rmse sgd is best, not adam, and adam is worse than sgd"
    assert said(made, "other_metric") == f"{asked}, at these learning rates."
    assert command(made, "other_metric") is None  # -m rmse chooses rates of its own
    one_rate = replace(made, protocol=replace(made.protocol, rates_per_recipe=(1, 1)))
    assert said(one_rate, "other_metric") == f"{asked}."
    assert command(one_rate, "other_metric") == "lossopt compare logs/ex -m rmse"


def test_metrics_that_say_the_same_are_said_together():
    other = [OtherMetric(name, "sgd", (), ("sgd", "adam"), changes=True) for name in ("macro_f1", "cross_entropy")]
    made = comparison(
        recipe("adam", 0.01, 0.97, "tied"), recipe("sgd", 0.01, 0.96, "tied", TIED), other_metrics=tuple(other)
    )
    assert said(made, "other_metric") == "by macro_f1 and cross_entropy sgd is best, not adam, at these learning rates."


def reached(time):
    """All seeds; half of them for HALF, none for INFINITE."""
    return {"reached": {INFINITE: 0, HALF: 4}.get(time, 8), "time_to_target_epochs": INFINITE if time == HALF else time}


def timed(*times, different=True):
    """adam and others with these medians of epochs to the target; adam is faster than all of them, or of none."""
    names = ("adam", "momentum", "rmsprop", "sgd")
    recipes = [
        recipe(name, 0.01, 0.97 - place / 100, "tied", TIED if place else (), **reached(time))
        for place, (name, time) in enumerate(zip(names, times, strict=False))
    ]
    pairs = tuple(difference("adam", name, (-0.4, -0.5, -0.3), different=different) for name in names[1:])
    return comparison(*recipes, time_pairs=pairs)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (timed(2.0, 3.0, 3.0, 4.0), "faster: adam reaches 0.9 in 2 epochs, the other three in 3 to 4."),
        (
            timed(1.0, 3.0, 3.0, INFINITE),
            "faster: adam reaches 0.9 in 1 epoch, momentum and rmsprop in 3 and sgd never.",
        ),
        (timed(1.0, INFINITE), "faster: adam reaches 0.9 in 1 epoch, momentum never."),
        (
            timed(1.0, 3.0, 5.0, HALF),
            "faster: adam reaches 0.9 in 1 epoch, momentum and rmsprop in 3 to 5 and sgd in only 4 of 8 seeds.",
        ),
        (timed(2.0, 3.0, different=False), "no one is faster for sure: 0.9 is reached in 2 to 3 epochs."),
        (timed(INFINITE, INFINITE, different=False), ""),
    ],
)
def test_who_is_faster(made, sentence):
    assert said(made, "faster") == sentence


UNKNOWN = 0.24  # too few steps an epoch to tell


def wild(*relapses):
    names = ("adam", "momentum", "rmsprop", "sgd")
    return comparison(
        *(
            recipe(
                name,
                0.01,
                0.97 - place / 100,
                "tied",
                TIED if place else (),
                relapse=relapse,
                worst_relapse=2 * relapse,
                oscillates=None if relapse == UNKNOWN else relapse > 0.15,
            )
            for place, (name, relapse) in enumerate(zip(names, relapses, strict=False))
        )
    )


@pytest.mark.parametrize(
    ("relapses", "sentence"),
    [
        ((0.02, 0.03), "none oscillates: a training loss climbs back by at most 6 % of its start."),
        (
            (0.04, 0.04, 0.06, 0.17),
            (
                "sgd oscillates at 0.01: its loss climbs back by 17 % of its start (34 % in the worst "
                "seed); the others by 4 to 6 %."
            ),
        ),
        (
            (0.04, 0.17),
            (
                "momentum oscillates at 0.01: its loss climbs back by 17 % of its start (34 % in the worst seed); "
                "adam by 4 %."
            ),
        ),
        (
            (0.02, 0.1),
            (
                "none oscillates as a rule: a training loss climbs back by at most 10 % of its start, but by "
                "20 % in the worst seed of momentum."
            ),
        ),
        ((UNKNOWN, UNKNOWN), ""),
        ((0.02, UNKNOWN), ""),
        ((0.2, 0.3), "adam and momentum oscillate: their losses climb back by 20 to 30 % of their start."),
    ],
)
def test_who_oscillates(relapses, sentence):
    assert said(wild(*relapses), "oscillates") == sentence


def test_who_forgives_and_who_needs_tuning():
    text = said(four_tied(), "forgiving")
    assert "adam and sgd forgive least: 3x from their rates to the first that fails; rmsprop most: 32x." in text
    assert "without tuning only adam comes near its best (adam 0.951; but sgd 0.460)." in text


def test_room_that_is_not_known_is_at_least_what_was_tried():
    made = comparison(recipe("adam", 0.01, 0.97, "tied"), recipe("sgd", 0.01, 0.96, "tied", TIED, room=None))
    assert "adam forgives least: 3x from its rate to the first that fails; sgd most: more than 10x." in said(
        made, "forgiving"
    )


def test_what_to_take_and_what_would_settle_the_rest():
    assert said(four_tied(), "take") == "take adam, lr 0.01 (tied); momentum against adam would need about 45 seeds."
    assert command(four_tied(), "take") == "lossopt sweep logs/ex --seeds 45"
    assert said(ranked(0, 2), "take") == "take adam, lr 0.01."


def against(base, *pairs):
    """The recipes with these differences to the base."""
    others = [
        replace(recipe(pair.b if pair.b != base.name else pair.a, 0.01, 0.9, "tied", TIED), difference_to_baseline=pair)
        for pair in pairs
    ]
    return comparison(replace(base, is_baseline=True), *others, min_effect=0.02)


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        (difference("sgd", "adam", TIED), "sgd may be as good."),
        (difference("sgd", "adam", (0.05, 0.02, 0.08)), "sgd is worse."),
        (difference("adam", "sgd", (0.05, 0.02, 0.08)), "sgd is better."),
        (difference("sgd", "adam", NARROW, equal=True), "sgd is equal within 0.02."),
        (
            difference("sgd", "adam", (0.5, None, None), n=0),
            "nothing can be said of sgd (0 seeds in common, 4 are needed).",
        ),
    ],
)
def test_the_baseline(pair, sentence):
    made = against(recipe("adam", 0.01, 0.97, "best"), pair)
    said_of_it = next(one.text for one in verdict(made, None) if "baseline" in one.text)
    assert said_of_it == f"against the baseline, adam: {sentence}"


def test_the_baseline_of_several():
    worse, tied = difference("adam", "momentum", (-0.05, -0.08, -0.02), different=True), difference("sgd", "adam", TIED)
    made = against(recipe("adam", 0.01, 0.97, "best"), worse, tied)
    assert "against the baseline, adam: momentum is worse; sgd may be as good." in said(made)


def test_a_difference_smaller_than_the_error_of_the_test_set_is_of_that_set():
    made = comparison(recipe("adam", 0.01, 0.97, "best"), recipe("sgd", 0.01, 0.965, "worse", (0.005, 0.001, 0.009)))
    assert "on these 180 images" in said(made, "note")
    assert not said(ranked(0, 1), "note")


def test_at_most_seven_sentences_and_those_that_matter_stay():
    other = OtherMetric("macro_f1", "sgd", ("adam",), (), changes=True)
    lost = replace(four_tied().recipes[3], lost=1)
    untuned = recipe("lion", 0.1, 0.5, "not_tuned", (0.4, 0.3, 0.5), edge="highest")
    made = comparison(
        *four_tied().recipes[:3], lost, untuned, other_metrics=(other,), time_pairs=timed(1.0, 2.0).time_pairs
    )
    found = [sentence.kind for sentence in verdict(made, "logs/ex")]
    assert len(found) <= MOST
    assert {"ranking", "not_tuned", "lost", "other_metric", "take"} <= set(found)
    assert found == sorted(
        found,
        key=["ranking", "note", "not_tuned", "lost", "other_metric", "faster", "oscillates", "forgiving", "take"].index,
    )


def test_no_command_is_printed_where_no_sweep_can_add_to_the_runs():
    assert all(sentence.command is None for sentence in verdict(four_tied(), None))


@pytest.mark.parametrize("width", [60, 80, 100])
def test_it_fits_and_commands_are_never_broken(width):
    shown = text(verdict(four_tied(), "logs/ex"), width)
    assert max(map(len, shown.splitlines())) <= width
    assert "lossopt sweep logs/ex --seeds 45" in shown


@pytest.mark.parametrize("made", [ranked(1, 0), ranked(0, 3), four_tied(), wild(0.2, 0.3), timed(2.0, 3.0)])
def test_every_sentence_ends_and_no_blank_is_left(made):
    for sentence in verdict(made, "logs/ex"):
        assert sentence.text.endswith(".")
        assert "  " not in sentence.text
        assert " ." not in sentence.text
        assert "None" not in sentence.text
        assert Path not in map(type, sentence.recipes)


@pytest.mark.parametrize(
    ("edges", "where"),
    [
        (["highest", "highest"], "they are best at the highest rate tried."),
        (["stability", "stability"], "they are best next to the stability limit (the next rate fails)."),
        (["lowest", "stability"], "at the lowest rate tried or next to the stability limit (the next rate fails)."),
    ],
)
def test_where_recipes_end_that_are_not_tuned_and_end_at_different_rates(edges, where):
    untuned = [
        recipe(name, rate, 0.5, "not_tuned", (0.4, 0.3, 0.5), edge=edge)
        for name, rate, edge in zip(("sgd", "lion"), (0.1, 0.01), edges, strict=True)
    ]
    made = comparison(recipe("adam", 0.01, 0.97, "tied"), recipe("momentum", 0.01, 0.96, "tied", TIED), *untuned)
    assert said(made, "not_tuned").endswith(where)


def test_those_that_need_tuning_are_told_apart_where_they_are_few():
    made = comparison(
        recipe("adam", 0.01, 0.98, "tied", at_default=0.97),
        *(recipe(name, 0.01, 0.97, "tied", TIED, at_default=0.96) for name in ("nadam", "lion")),
        recipe("momentum", 0.1, 0.978, "tied", TIED, at_default=0.861),
        recipe("sgd", 1.0, 0.943, "tied", TIED, at_default=0.33),
    )
    told = next(sentence.text for sentence in verdict(made, None) if sentence.text.startswith("without tuning"))
    assert told.endswith("stay far from the best (0.861, tuned 0.978; 0.330, tuned 0.943).")
