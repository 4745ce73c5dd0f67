"""How many trials a stack is given: what is chosen from measurements, what is remembered, and what bounds it."""

import time

import keras
import pytest
import torch
from small_problems import config_of, problem_of

from lossopt_cli.training import devices, running, widths
from lossopt_cli.training.building import UserParts, user_parts


@pytest.fixture(autouse=True)
def on_the_cpu():
    with keras.device("cpu"):
        yield


def run_of(recipe="adam", *sets, **flags):
    return running.prepare(config_of("multiclass", None, recipe, *sets, **flags), problem_of("multiclass"), UserParts())


@pytest.mark.parametrize(
    ("microseconds", "width"),
    [
        ({1: 400.0, 4: 190.0, 16: 90.0, 64: 70.0, 256: 69.0}, 64),
        ({1: 400.0, 4: 190.0, 16: 90.0, 64: 86.0, 256: 84.0}, 16),
        ({1: 400.0, 4: 380.0}, 1),
        ({1: 400.0, 4: 500.0, 16: 300.0}, 16),
        ({1: 400.0}, 1),
    ],
)
def test_the_narrowest_width_is_chosen_beside_which_wider_ones_gain_little(microseconds, width):
    assert widths.chosen(microseconds) == width


def test_a_small_network_is_measured_alone_and_in_stacks(monkeypatch):
    monkeypatch.setattr(widths, "WIDTHS", {"cpu": (2, 8)})
    spent = widths.measured(run_of())
    assert list(spent) == [1, 2, 8]
    assert spent[8] < spent[1]


@pytest.mark.parametrize("batch_size", [25, 40])
def test_few_examples_are_measured_too(monkeypatch, batch_size):
    """An epoch of a batch and a part of one, and of one batch."""
    monkeypatch.setattr(widths, "WIDTHS", {"cpu": (2,)})
    run = run_of(batch_size=batch_size)
    assert len(run.problem.train) < 2 * batch_size
    assert list(widths.measured(run)) == [1, 2]


def test_widths_take_turns_and_the_fastest_of_each_counts(monkeypatch):
    monkeypatch.setattr(widths, "WIDTHS", {"cpu": (2, 8)})
    turns = []
    spent = {1: [400.0, 300.0, 310.0], 2: [250.0, 240.0, 900.0], 8: [900.0, 100.0, 120.0]}

    def turn(run, width):
        turns.append(width)
        return spent[width].pop(0)

    monkeypatch.setattr(widths, "_turn", turn)
    assert widths.measured(run_of()) == {1: 300.0, 2: 240.0, 8: 100.0}
    assert turns == [1, 2, 8] * widths.TURNS


def test_what_the_machine_does_meanwhile_costs_a_width_nothing(monkeypatch):
    """A step that sleeps, as one does whose core another process has, is as fast as one that does not."""
    run = run_of()
    monkeypatch.setattr(widths, "TIMED_SECONDS", 0.0)
    spent = [widths._timed(lambda wait=wait: time.sleep(wait), run) for wait in (0.0, 0.05)]
    assert max(spent) < 5_000


def test_code_of_the_users_is_told_apart_by_its_text(tmp_path):
    text = "def loss(y_true, y_pred):\n    return (y_true - y_pred) ** 2 * {}\n"
    kinds = []
    for folder, factor in (("a", 1), ("b", 1), ("b", 2)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "mine.py").write_text(text.format(factor))
        config = config_of("regression", f"{tmp_path / folder}/mine.py:loss", "adam")
        kinds.append(widths._kind(running.prepare(config, problem_of("regression"), user_parts(config, tmp_path))))
    assert kinds[0] == kinds[1] != kinds[2]


def test_widths_that_memory_does_not_hold_are_left_out(monkeypatch):
    monkeypatch.setattr(widths, "WIDTHS", {"cpu": (2, 8)})
    monkeypatch.setattr(widths, "_room", lambda device: 0.0)
    assert list(widths.measured(run_of())) == [1]


def test_running_out_of_memory_ends_the_measuring(monkeypatch):
    def short(*args):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(widths, "StackFeed", short)
    assert list(widths.measured(run_of())) == [1]


@pytest.fixture
def counted(monkeypatch):
    """Measurements that say 400 alone and 100 in a stack of 16, and how often they were asked for."""
    asked = []

    def measured(run):
        asked.append(run)
        return {1: 400.0, 16: 100.0}

    monkeypatch.setattr(widths, "measured", measured)
    return asked


def test_what_was_measured_is_remembered_for_its_kind_of_trial(counted, tmp_path):
    path = tmp_path / "cache" / "widths.json"
    first = widths.choice(run_of(), path)
    again = widths.choice(run_of(learning_rate=0.5, seed=3), path)
    assert first == again == widths.Choice(16, {1: 400.0, 16: 100.0})
    assert len(counted) == 1
    widths.choice(run_of(batch_size=5), path)
    widths.choice(run_of("sgd"), path)
    assert len(counted) == 3


def test_engine_stack_takes_a_stack_that_is_slower(monkeypatch, tmp_path):
    monkeypatch.setattr(widths, "measured", lambda run: {1: 100.0, 4: 150.0, 16: 120.0, 64: 119.0})
    path = tmp_path / "widths.json"
    assert widths.choice(run_of(), path).width == 1
    assert widths.choice(run_of("adam", "train.engine=stack"), path).width == 16


@pytest.mark.parametrize("contents", ["", "{", "[1, 2"])
def test_a_cache_that_is_not_whole_is_measured_anew(counted, tmp_path, contents):
    path = tmp_path / "widths.json"
    path.write_text(contents)
    assert widths.choice(run_of(), path).width == 16
    assert widths.choice(run_of(), path).width == 16
    assert len(counted) == 1


def test_a_cache_that_cannot_be_written_is_none(counted, tmp_path):
    (tmp_path / "file").write_text("")
    assert widths.choice(run_of(), tmp_path / "file" / "widths.json").width == 16


@pytest.mark.parametrize(("recipe", "sets"), [("torch.SGD", ()), ("adam", ("train.engine=single",))])
def test_what_goes_alone_is_not_measured(counted, tmp_path, recipe, sets):
    assert widths.choice(run_of(recipe, *sets), tmp_path / "widths.json") == widths.Choice(1, {})
    assert not counted


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("not enough memory"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(error, short):
    assert devices.is_out_of_memory(error) == short
