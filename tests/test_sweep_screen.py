"""What a person sees while a sweep runs: the names of its recipes, the best so far, a table that is drawn in place."""

import io

import pytest

from lossopt_cli.commands.sweeping_names import short_names, shown_names, shown_setting
from lossopt_cli.commands.sweeping_screen import SweepScreen
from lossopt_cli.console import Console
from lossopt_cli.sweeps.arms import Problems, arms_of
from lossopt_cli.sweeps.axes import Asked, axes_of
from lossopt_cli.sweeps.candidates import Candidate, Wishes, candidates_of
from lossopt_cli.sweeps.course import Course
from lossopt_cli.sweeps.folder import SweepFolder
from lossopt_cli.sweeps.shares import Ended

PROBLEMS = Problems(lambda text: None)


def candidates(*sets: str, rates: str = "0.1", **flags: str) -> list[Candidate]:
    asked = Asked(flags={"data": "iris", "optimizer": "sgd,adam", **flags}, rates=(rates,), sets=sets)
    return candidates_of(arms_of(axes_of(asked, {}), PROBLEMS), Wishes([0, 1]), PROBLEMS)


@pytest.mark.parametrize(
    ("some", "full", "short"),
    [
        (candidates(), "cross_entropy + sgd", "sgd"),
        (candidates(loss="cross_entropy,kld"), "cross_entropy + sgd", "cross_entropy + sgd"),
        (candidates("train.batch_size=16,32"), "cross_entropy + sgd, batch_size=16", "sgd, batch_size=16"),
        (candidates(model="mlp,linear", data="iris,wine"), "cross_entropy + sgd, iris, mlp", "sgd, iris, mlp"),
        (candidates(schedule="none,cosine"), "cross_entropy + sgd, constant", "sgd, constant"),
    ],
    ids=["one_loss", "losses", "a_key", "data_and_models", "schedules"],
)
def test_recipes_are_named_by_what_sets_them_apart(some, full, short):
    assert shown_names(some)[0] == full
    assert short_names(some, 40)[0] == short
    assert len(set(shown_names(some))) == len(some)


def test_a_name_that_is_too_long_keeps_both_ends():
    assert short_names(candidates("train.batch_size=16,32"), 14) == [
        "sgd, ba…ize=16", "sgd, ba…ize=32", "adam, b…ize=16", "adam, b…ize=32",
    ]  # fmt: skip


def test_the_setting_says_all_that_the_sweep_has():
    some = candidates("train.batch_size=16,32,64", model="mlp,linear")
    assert shown_setting(some) == "mlp and linear, cross_entropy, 5 epochs, batch 16, 32 and 64"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(tmp_path, monkeypatch):
    """The screen of a sweep of sgd at two rates on a terminal, its course, and what was written."""
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    course = Course(candidates(rates="0.1,1", optimizer="sgd"), PROBLEMS, SweepFolder(tmp_path))
    return SweepScreen(Console("table"), course), course, terminal


def test_the_best_so_far_is_a_mean_over_seeds(screen):
    drawn, course, terminal = screen
    (measured,) = course.begin()
    cells = course.heard(Ended(measured, "done", False, None, None, 0.0))
    values = {(0.1, 0): 0.6, (0.1, 1): 0.7, (1.0, 0): 0.9, (1.0, 1): 0.2}
    for cell in cells:
        course.heard(Ended(cell, "done", False, values[cell.rate, cell.seed], None, 0.0))
    drawn.close()
    assert "0.65 at 0.1" in terminal.getvalue()


def test_the_table_is_drawn_over_itself_from_the_first_column(screen):
    drawn, course, terminal = screen
    course.begin()
    drawn.drawn_at = -1e9
    drawn.draw(0.0)
    drawn.close()
    assert terminal.getvalue().count("recipe") == 2
    assert "\r\x1b[3A\x1b[J" in terminal.getvalue()
