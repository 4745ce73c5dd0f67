"""Colours that belong to recipes, losses drawn as formulas, and drawings in a terminal."""

from itertools import permutations

import numpy as np
import pytest

from lossopt_cli.analysis.figures import canvas
from lossopt_cli.analysis.figures.confusion import confusion
from lossopt_cli.analysis.figures.differences import differences
from lossopt_cli.analysis.figures.looks import COLOURS, SHOWN, looks
from lossopt_cli.analysis.figures.losses import broken, losses, shapes_of, shared_axis
from lossopt_cli.analysis.figures.names import in_lines
from lossopt_cli.analysis.figures.picture import Chart, Grid, Line, Look, Panel
from lossopt_cli.analysis.figures.rates import rates
from lossopt_cli.analysis.figures.selection import selected
from lossopt_cli.analysis.figures.style import STYLES
from lossopt_cli.analysis.figures.terminal import as_text
from lossopt_cli.console import ascii_twin
from lossopt_cli.errors import UsageError
from tests.made_comparisons import four_tied

FOUR = [(name, "cross_entropy", name) for name in ("sgd", "momentum", "adam", "rmsprop")]


def test_the_order_changes_no_look():
    expected = looks(FOUR)
    assert all(looks(order) == expected for order in permutations(FOUR))


def test_choosing_some_changes_no_look():
    every = selected(four_tied())
    some = selected(four_tied(), "sgd,rmsprop")
    assert [some.look(recipe) for recipe in some.recipes] == [
        every.look(recipe) for recipe in every.recipes if recipe.name in ("sgd", "rmsprop")
    ]


def test_the_usual_optimizers_have_the_same_colour_in_any_company():
    alone = {name: looks([(name, loss, optimizer)])[name] for name, loss, optimizer in FOUR}
    assert looks(FOUR) == alone
    assert len({look.colour for look in alone.values()}) == len(FOUR)


def test_the_name_that_the_company_gives_a_recipe_changes_no_look():
    short = looks(FOUR)
    long = looks([(f"{loss} + {optimizer}", loss, optimizer) for _, loss, optimizer in FOUR])
    assert list(short.values()) == list(long.values())


@pytest.mark.parametrize("count", [len(COLOURS), SHOWN, 2 * len(COLOURS)])
def test_no_two_look_alike(count):
    found = looks([(f"f{place}", "mse", f"mine.py:f{place}") for place in range(count)]).values()
    assert len({(look.colour, look.dash) for look in found}) == count
    assert len({look.colour for look in found}) == min(count, len(COLOURS))


def test_beyond_the_colours_the_marker_differs_too():
    found = looks([(f"f{place}", "mse", f"mine.py:f{place}") for place in range(2 * len(COLOURS))]).values()
    by_colour = {colour: {look.marker % 7 for look in found if look.colour == colour} for colour in COLOURS}
    assert {len(markers) for markers in by_colour.values()} == {2}


# Losses.


@pytest.mark.parametrize(
    ("drawn", "axis"),
    [
        (["mse", "huber", "SmoothL1Loss"], "error"),
        (["cross_entropy", "gce", "bce"], "probability"),
        (["cross_entropy", "hinge"], "margin"),
        (["mape", "msle"], "ratio"),
    ],
)
def test_the_axis_is_the_first_that_all_have(drawn, axis):
    assert shared_axis([(name, {}) for name in drawn]) == axis


def test_errors_and_margins_are_not_drawn_together():
    with pytest.raises(UsageError, match="mse over error; hinge over margin"):
        shared_axis([("mse", {}), ("hinge", {})])


def test_a_jump_of_the_slope_is_a_gap():
    slope = broken(np.sign(np.linspace(-1, 1, 101)))
    assert np.isnan(slope[49])
    assert np.nanmax(slope) == 1.0
    assert not np.isnan(broken(np.linspace(-1, 1, 101))).any()


def test_a_steep_loss_does_not_flatten_the_others():
    value, slope = losses(shapes_of([("mse", {}), ("mae", {})], "error")).panels
    assert value.y_limits[1] < 6.0 < value.lines[0].y.max()
    assert slope.y_limits[1] < 4.0 < slope.lines[0].y.max()


# Matrices with long names.


@pytest.mark.parametrize(
    ("name", "room", "lines"),
    [
        ("adam", 8, "adam"),
        ("sgd:momentum=0.9:weight_decay=0.01", 20, "sgd:momentum=0.9:\nweight_decay=0.01"),
        ("sgd:momentum=0.9:weight_decay=0.01", 13, "sgd:\nmomentum=0.9:\nweight_decay=\n0.01"),
        ("adam\nmodel mlp", 9, "adam\nmodel mlp"),
        ("T-shirt/top", 8, "T-shirt/\ntop"),
        ("abcdefgh", 3, "abc\ndef\ngh"),
        ("ab", 0, "a\nb"),
    ],
)
def test_a_long_name_is_broken_between_its_settings_then_its_words(name, room, lines):
    assert in_lines(name, room) == lines


LONG = "sgd:momentum=0.9:weight_decay=0.01:nesterov=true"
NAMES = [
    (("cross_entropy",), ("adam", LONG, "momentum")),
    (("cross_entropy",), tuple(f"{LONG}{place}" for place in range(8))),
    ((f"huber:delta=0.5:{LONG}", "mse"), ("adam", "sgd")),
    (tuple(f"class {place}" for place in range(40)), tuple(f"class {place}" for place in range(40))),
]


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize(("rows", "columns"), NAMES, ids=["a row", "eight long", "long rows", "forty"])
def test_the_names_of_a_matrix_are_whole_and_lie_over_nothing(rows, columns, style, tmp_path, monkeypatch):
    values = np.linspace(0.8, 0.9, len(rows) * len(columns)).reshape(len(rows), len(columns))
    texts = tuple(tuple("0.900\ntied" for _ in columns) for _ in rows)
    grid = Grid("Title", "first line\nsecond line", rows, columns, "loss", "optimizer", values, texts, "accuracy")
    figures = []
    monkeypatch.setattr(canvas, "save", lambda figure, file, style: figures.append(figure))
    canvas.draw(grid, tmp_path / "a.png", style)
    [figure] = figures
    figure.draw_without_rendering()  # warns, and so fails here, where the names leave no room for the cells
    axis, whole = figure.axes[0], figure.bbox
    drawn = axis.get_tightbbox()
    assert whole.x0 <= drawn.x0 < drawn.x1 <= whole.x1
    assert whole.y0 <= drawn.y0
    assert drawn.y1 < min(text.get_window_extent().y0 for text in figure.texts)
    assert axis.get_window_extent().width > 0.3 * whole.width


# In a terminal.


def drawn_losses() -> Chart:
    return losses(shapes_of([("mse", {}), ("mae", {})], "error"))


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize(
    "picture",
    [drawn_losses(), rates(selected(four_tied())), differences(selected(four_tied()))],
    ids=["losses", "lr", "differences"],
)
def test_nothing_is_wider_than_the_terminal_and_all_has_a_twin_in_ascii(picture, width):
    text = as_text(picture, width)
    assert max(map(len, text.splitlines())) <= width
    assert "?" not in ascii_twin(text)


def test_every_loss_has_its_sign():
    text = as_text(drawn_losses(), width=60)
    assert text.count("          * mse   o mae\n") == 1  # one legend for both panels
    assert all(sum(sign in row for row in rows_of(text)) > 5 for sign in "*o")
    assert all(row.rstrip() == row for row in text.splitlines())


def test_a_legend_that_is_too_long_for_a_line_has_a_line_for_each():
    names = [f"sgd:momentum=0.9:weight_decay=0.0{place}" for place in range(3)]
    lines = [Line(np.arange(2.0), np.full(2, place), Look("#000000"), name) for place, name in enumerate(names)]
    text = as_text(Chart("t", "", (Panel("x", "y", tuple(lines)),)))
    for sign, name in zip("*o+", names, strict=True):
        assert f"\n          {sign} {name}\n" in text


def rows_of(text: str) -> list[str]:
    """Those of the drawing, without the scale."""
    return [row[10:] for row in text.splitlines() if row[9:10] == "|"]


def test_lines_that_lie_over_each_other_are_all_seen():
    lines = [Line(np.arange(2.0), np.arange(2.0), Look("#000000"), name) for name in "abc"]
    rows = rows_of(as_text(Chart("t", "", (Panel("x", "y", tuple(lines)),))))
    counts = [sum(row.count(sign) for row in rows) for sign in "*o+"]
    assert min(counts) > 20
    assert sum(counts) == 70  # a sign a column


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((0.0175, 0.991), ["0.8", "0.6", "0.4", "0.2"]),
        ((0.04, 2.46), ["2.0", "1.5", "1.0", "0.5"]),
        ((-3.85, 3.85), ["2", "0", "-2"]),
        ((1e-7, 3e-7), ["3e-07", "2.5e-07", "2e-07", "1.5e-07", "1e-07"]),
        ((0.0, 9.9e7), ["80000000", "60000000", "40000000", "20000000", "0"]),
    ],
)
def test_beside_a_drawing_stand_round_numbers(limits, expected):
    line = Line(np.arange(2.0), np.array(limits), Look("#000000"), "a")
    text = as_text(Chart("t", "", (Panel("x", "y", (line,), y_limits=limits),)))
    assert [row[:8].strip() for row in text.splitlines() if row[9:10] == "|" and row[:8].strip()] == expected


@pytest.mark.parametrize(
    ("x", "log", "expected"),
    [
        ((0.0, 3.0), False, ["0", "1", "2", "3"]),  # epochs are whole
        ((0.0, 120.0), False, ["0", "20", "40", "60", "80", "100", "120"]),
        ((0.0, 0.5), False, ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        ((7e-5, 1.4), True, ["0.0001", "0.001", "0.01", "0.1", "1"]),
        ((0.001, 0.002), True, ["0.001", "0.002"]),
    ],
)
def test_below_a_drawing_stand_round_numbers(x, log, expected):
    line = Line(np.array(x), np.arange(2.0), Look("#000000"), "a")
    text = as_text(Chart("t", "", (Panel("rate", "y", (line,), log_x=log),)))
    numbers = [float(number) for number in text.splitlines()[-2].split()]
    assert numbers == pytest.approx([float(number) for number in expected])


def test_recipes_with_panels_of_their_own_share_one_drawing():
    text = as_text(rates(selected(four_tied())))
    assert text.count("learning rate") == 2  # the title, and one axis
    assert all(f"{sign} {name}" in text for sign, name in zip("*o+x", ["adam", "momentum"], strict=False))


@pytest.mark.parametrize(("kind", "columns"), [("mean", 13), ("staircase", 1)])
def test_a_steep_line_has_no_gap_and_a_staircase_no_slope(kind, columns):
    line = Line(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0]), Look("#000000"), "a", kind)
    chart = Chart("t", "", (Panel("x", "y", (line,), y_limits=(0.0, 1.0)),))
    canvas = [row[10:] for row in as_text(chart).splitlines() if row[9:10] == "|"]
    assert all("*" in row for row in canvas)
    assert len({row.index("*") for row in canvas[:-1]}) == columns


def test_a_matrix_is_a_table():
    grid = confusion("a run", "test", {"classes": ["cat", "dog"], "counts": [[8, 2], [0, 5]]})
    assert as_text(grid).splitlines()[1:] == ["     cat  dog", "cat    8    2", "dog         5"]
