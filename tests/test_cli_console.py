"""What is printed, where, and in which form: streams, colour, ASCII twins, tables, progress."""

import csv
import io
import json

import numpy as np
import pytest

from lossopt_cli import console as console_module
from lossopt_cli.console import Console, ascii_twin, sparkline
from lossopt_cli.data.counted import Counted
from lossopt_cli.progress import Progress, duration
from lossopt_cli.rendering import FORMATS, json_text, render_rows

COLUMNS = ("name", "value", "note")
ROWS = [("a_b", 0.123456789, None), ("c", 12.0, "50 % | ±2"), ("d", float("nan"), True)]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "CI", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def console_on(stream, **settings) -> Console:
    console = Console(**settings)
    console.out, console.err = io.StringIO(), stream
    return console


def test_json_is_strict_and_exact():
    value = {
        "nan": float("nan"),
        "inf": np.inf,
        "x": np.float32(0.1),
        "n": np.int64(3),
        "a": np.array([1.0, np.nan]),
    }
    found = json.loads(json_text(value))
    assert found == {"nan": None, "inf": None, "x": float(np.float32(0.1)), "n": 3, "a": [1.0, None]}
    assert json.loads(json_text([0.1 + 0.2])) == [0.1 + 0.2]


def test_json_refuses_what_it_cannot_hold():
    with pytest.raises(TypeError, match="no JSON for set"):
        json_text({1, 2})


def test_rows_as_json_and_csv_have_full_precision():
    assert json.loads(render_rows("json", COLUMNS, ROWS))[0] == {
        "name": "a_b",
        "value": 0.123456789,
        "note": None,
    }
    table = list(csv.reader(io.StringIO(render_rows("csv", COLUMNS, ROWS))))
    assert table == [list(COLUMNS), ["a_b", "0.123456789", ""], ["c", "12.0", "50 % | ±2"], ["d", "", "True"]]


def test_a_table_has_numbers_to_the_right():
    assert render_rows("table", COLUMNS, ROWS).splitlines() == [
        "name   value  note",
        "a_b   0.1235",
        "c         12  50 % | ±2",
        "d        nan  true",
    ]


def test_markdown_and_latex_escape_their_signs():
    assert render_rows("markdown", COLUMNS, ROWS).splitlines()[1:4] == [
        "| --- | ---: | --- |",
        "| a_b | 0.1235 |  |",
        "| c | 12 | 50 % \\| ±2 |",
    ]
    latex = render_rows("latex", COLUMNS, ROWS)
    assert r"a\_b & 0.1235 &  \\" in latex
    assert r"50 \% | $\pm$2" in latex


@pytest.mark.parametrize("format", FORMATS)
def test_a_table_without_rows_still_renders(format):
    text = render_rows(format, COLUMNS, [])
    assert text.strip() == "[]" if format == "json" else "value" in text


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, "▁▂▃▄▅▆▇█"),
        ([7, 0], 8, "█▁"),
        ([3, 3, 3], 8, "▁▁▁"),
        ([0, 2, 4, 8], 2, "▁█"),
        ([0, np.nan, 7], 3, "▁ █"),
        ([np.nan], 3, ""),
        ([], 3, ""),
    ],
)
def test_a_sparkline_goes_from_the_least_to_the_most(values, width, expected):
    assert sparkline(values, width) == expected


def test_every_sign_has_an_ascii_twin():
    assert ascii_twin("▁▂▃▄▅▆▇█ 1 ± 2 × 3 … é") == "_.-:=+*# 1 +/- 2 x 3 ... ?"


@pytest.mark.parametrize(("encoding", "expected"), [("ascii", "+/- #\n"), ("utf-8", "± █\n"), ("latin-1", "+/- #\n")])
def test_a_stream_that_cannot_hold_a_sign_gets_the_twin(encoding, expected):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    console_on(stream).note("± █")
    assert raw.getvalue().decode(encoding) == expected


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal, {}, True),
        (io.StringIO, {}, False),
        (io.StringIO, {"FORCE_COLOR": "1"}, True),
        (Terminal, {"NO_COLOR": "1"}, False),
        (Terminal, {"NO_COLOR": ""}, True),
        (Terminal, {"TERM": "dumb"}, False),
        (io.StringIO, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_terminals_unless_told(monkeypatch, stream, environ, coloured):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    console = console_on(stream())
    console.error("no")
    assert ("\x1b[31m" in console.err.getvalue()) == coloured


def test_quiet_keeps_results_warnings_and_errors():
    console = console_on(io.StringIO(), quiet=True)
    for say in (console.note, console.hint, console.warn, console.error, console.result):
        say(say.__name__)
    assert console.out.getvalue() == "result\n"
    assert console.err.getvalue() == "warning: warn\nerror: error\n"
    assert console.told[0] == "note"


def test_details_are_for_verbose():
    told = []
    for verbose in (False, True):
        console = console_on(io.StringIO(), verbose=verbose)
        console.detail("more")
        told.append(console.err.getvalue())
    assert told == ["", "more\n"]


class Clock:
    """A clock that goes on by `tick` seconds each time it is asked."""

    def __init__(self, tick: float):
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def lines_of(stream, tick: float, epochs: int = 10, **settings) -> list[str]:
    console = console_on(stream, **settings)
    progress = Progress(console, epochs, 2, 32, Clock(tick))
    for epoch in range(1, epochs + 1):
        progress.step(epoch, 1, 0.5)
        progress.step(epoch, 2, 0.4)
        progress.epoch(epoch, f"epoch {epoch}")
    progress.close()
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("tick", [0.01, 1.0, 9.0])
def test_elsewhere_each_of_a_few_epochs_is_a_plain_line(tick):
    assert lines_of(io.StringIO(), tick, epochs=20) == [f"epoch {n}" for n in range(1, 21)]


def test_of_many_epochs_fast_ones_are_left_out():
    assert lines_of(io.StringIO(), 0.01, epochs=21) == ["epoch 1", "epoch 21"]
    assert lines_of(io.StringIO(), 1.0, epochs=30) == [*(f"epoch {n}" for n in range(1, 31, 2)), "epoch 30"]
    assert lines_of(io.StringIO(), 9.0, epochs=30) == [f"epoch {n}" for n in range(1, 31)]


def test_on_a_terminal_a_bar_with_rate_remaining_time_and_loss():
    screen = Terminal()
    lines_of(screen, 1.0, epochs=2)
    bar, after = screen.getvalue().split("\r\x1b[K")[:2]
    assert bar.startswith("epoch 1/2  ██████░")
    assert "/s" in bar
    assert " left  loss 0.5" in bar
    assert after.startswith("epoch 1/2  ████████████░")
    assert screen.getvalue().endswith("\r\x1b[Kepoch 2\n")


@pytest.mark.parametrize(("environ", "value"), [("CI", "true"), ("TERM", "dumb")])
def test_no_bar_where_nobody_watches(monkeypatch, environ, value):
    monkeypatch.setenv(environ, value)
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen = Terminal()
    lines_of(screen, 1.0)
    assert "\r" not in screen.getvalue()
    assert "█" not in screen.getvalue()


def test_no_progress_when_quiet_but_the_log_has_it():
    console = console_on(Terminal(), quiet=True)
    progress = Progress(console, 1, 1, 1, Clock(1.0))
    progress.step(1, 1)
    progress.epoch(1, "epoch 1")
    progress.close()
    assert console.err.getvalue() == ""
    assert console.told == ["epoch 1"]


def test_a_training_that_ends_early_shows_its_last_epoch():
    console = console_on(io.StringIO())
    progress = Progress(console, 100, 1, 1, Clock(0.001))
    for epoch in (1, 2, 3):
        progress.epoch(epoch, f"epoch {epoch}")
    progress.close()
    assert console.err.getvalue().splitlines() == ["epoch 1", "epoch 3"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.9, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text


def test_the_real_stdout_is_stdout_until_it_is_protected(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr(console_module, "_real_stdout", None)
    assert console_module.real_stdout() is stream


@pytest.mark.parametrize("kind", ["warn", "error"])
def test_long_warnings_and_errors_are_folded_on_a_terminal_only(monkeypatch, kind):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    text = "one trial with other numbers each time " * 4
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        getattr(console_on(stream), kind)(text.strip())
        assert " ".join(stream.getvalue().split()).endswith(text.strip())
    assert max(map(len, terminal.getvalue().splitlines())) <= 60
    assert file.getvalue().count("\n") == 1


def test_long_notes_are_folded_between_words_on_a_terminal_only(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    path = "/a/path/that/is/longer/than/a/line/of/the/terminal"
    text = f"  data digits was chosen because cross_entropy is a loss of classes\n{path}\nshort"
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        console = console_on(stream)
        console.note(text)
        assert console.told == [text]
    assert terminal.getvalue().splitlines() == [
        "  data digits was chosen because",
        "  cross_entropy is a loss of classes",
        path,
        "short",
    ]
    assert file.getvalue() == text + "\n"


def counts_of(stream, tick: float, **settings) -> str:
    """What is seen of 20 images decoded one by one, and of a note in between."""
    console = console_on(stream, clock=Clock(tick), **settings)
    for done in range(1, 21):
        console.note(Counted(done, 20, "images"))
        if done == 10:
            console.note("by the way")
    return stream.getvalue()


def test_what_is_done_at_once_is_not_counted():
    assert counts_of(Terminal(), 0.05) == "by the way\n"


def test_on_a_terminal_a_count_is_one_live_line_that_leaves_no_trace():
    text = counts_of(Terminal(), 1.0)
    assert "\n" not in text.replace("by the way\n", "")
    assert text.startswith("████" + "░" * 20 + "  3 of 20 images  17 s left\r\x1b[K")
    assert "  10 of 20 images  10 s left\r\x1b[Kby the way\n" in text
    assert text.endswith("\r\x1b[K")


def test_in_a_narrow_terminal_the_bar_of_a_count_gives_way(monkeypatch):
    monkeypatch.setenv("COLUMNS", "41")
    assert counts_of(Terminal(), 1.0).startswith("█" * 2 + "░" * 11 + "  3 of 20 images  17 s left\r")
    monkeypatch.setenv("COLUMNS", "30")
    assert counts_of(Terminal(), 1.0).startswith("3 of 20 images  17 s left\r")


def test_elsewhere_a_count_is_a_plain_line_now_and_then():
    lines = counts_of(io.StringIO(), 1.0).splitlines()
    assert [line.split("  ")[1] for line in lines if "of 20" in line] == ["3 of 20 images", "13 of 20 images"]
    assert counts_of(io.StringIO(), 1.0, quiet=True) == ""
