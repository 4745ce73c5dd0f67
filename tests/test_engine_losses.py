"""Every loss on every task: refused with the written reason, or the value and the slope of its formula in NumPy."""

import numpy as np
import pytest
import torch
from small_problems import CPU, Workbench, config_of, problem_of
from twins import twin

from lossopt_cli.catalogue.losses import LOSSES, loss_named
from lossopt_cli.catalogue.recipes import spell_part
from lossopt_cli.catalogue.rows import TASKS, defaults
from lossopt_cli.errors import UsageError
from lossopt_cli.training.objectives import objective_of
from lossopt_cli.training.targets import encoded, read_out

# Every setting of a loss away from its default, alone; `axis` has one meaning on [N, K].
OTHERWISE = {
    "label_smoothing": 0.1,
    "from_logits": False,
    "delta": 0.4,
    "beta": 0.4,
    "alpha": 0.6,
    "gamma": 1.5,
    "q": 0.8,
    "apply_class_balancing": True,
    "ignore_class": 1,
    "ignore_index": 1,
}
WEIGHTS = {"multiclass": [0.5, 2.0, 1.0, 0.25], "binary": [0.5, 2.0]}


def weights_of(row, task) -> list[float]:
    """A factor for every output of the head."""
    return WEIGHTS[task][: 1 if row.tasks[task].units == "one" else None]


def settings_of(row, task):
    """{} and every setting that means something on [N, K], changed alone."""
    yield {}
    for setting in row.settings:
        if setting.kind == "numbers":
            yield {setting.name: weights_of(row, task)}
        elif setting.name != "axis":
            yield {setting.name: OTHERWISE[setting.name]}


SERVED = [(row.name, task, s) for row in LOSSES for task in TASKS if task in row.tasks for s in settings_of(row, task)]
REFUSED = [(row.name, task) for row in LOSSES for task in TASKS if task not in row.tasks]


def spelled(case) -> str:
    name, task, *settings = case
    return f"{task}-{spell_part(name, settings[0], {}) if settings else name}"


def bench_of(name, task, settings, **flags) -> Workbench:
    recipe = spell_part(name, settings, {})
    return Workbench(config_of(task, recipe, "sgd", learning_rate=0.1, **flags), problem_of(task))


def twin_of(bench, targets, raw):
    """(loss, gradient) in float64, of targets as the engine feeds them."""
    problem, fit, loss = bench.problem, bench.built.objective.fit, bench.config.loss
    mean, deviation = problem.target_mean, problem.target_deviation
    targets = targets.numpy().astype(np.float64) if fit.targets == "numbers" else targets.numpy()
    if fit.own_units:
        targets = (targets - mean) / deviation
    return twin(loss.name, loss.settings, fit, targets, raw.double().numpy(), mean, deviation)


def agree(got, wanted, relative) -> None:
    """Within `relative` of the largest entry: a small one may be the difference of large ones."""
    got, wanted = np.asarray(got, dtype=np.float64), np.asarray(wanted)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=relative, atol=relative * np.abs(wanted).max())


@pytest.mark.parametrize(("name", "task"), REFUSED, ids=map(spelled, REFUSED))
def test_what_makes_no_sense_is_refused_with_the_written_reason(name, task):
    reason = loss_named(name).refusals[task].split("; take ")[0]
    with pytest.raises(UsageError) as refusal:
        objective_of(config_of(task, name), problem_of(task))
    assert reason in str(refusal.value)


# Outputs as at a start, spread, and sure of themselves.
SPREADS = (0.1, 1.0, 6.0)


def precision_of(name: str, fit) -> tuple[float, tuple[float, ...]]:
    """(relative error, spreads of the outputs that it holds for)

    What computes 1 - p of a sigmoid in float32 has an error of 6e-8 / (1 - p) in it; the cosine of Keras divides by
    lengths that are rounded first.
    """
    sigmoid = fit.reads == "probabilities" and (fit.units == "one" or fit.one_against_rest)
    if sigmoid or name == "binary_focal_crossentropy":
        return 1e-5, SPREADS[:2]
    return (2e-6 if name == "cosine_similarity" else 1e-6), SPREADS


@pytest.mark.parametrize("form", ["loss", "reference"])
@pytest.mark.parametrize(("name", "task", "settings"), SERVED, ids=map(spelled, SERVED))
def test_value_and_gradient_are_those_of_the_twin(name, task, settings, form):
    """form: the engine's kernels, and the library's own loss."""
    bench = bench_of(name, task, settings)
    objective = bench.built.objective
    relative, spreads = precision_of(name, objective.fit)
    generator = torch.Generator().manual_seed(3)
    targets = torch.from_numpy(encoded(bench.problem, objective.fit, bench.problem.train.targets))
    for spread in spreads:
        raw = spread * torch.randn(len(targets), objective.units, generator=generator)
        raw.requires_grad_()
        loss = getattr(objective, form)(targets, raw)
        loss.backward()
        value, gradient = twin_of(bench, targets, raw.detach())
        agree(loss.item(), value, relative)
        agree(raw.grad.numpy(), gradient, relative)


@pytest.mark.parametrize(("name", "task", "settings"), SERVED, ids=map(spelled, SERVED))
def test_the_first_step_follows_the_twin(name, task, settings):
    """The loss of the first batch, and the head's bias after it: -learning rate times the sum of the slopes.

    A batch has as many examples as there are classes (two where there are none), where Keras would take class numbers
    for one-hot rows without a word.
    """
    bench = bench_of(name, task, settings)
    size = len(bench.problem.classes or (0, 1))
    state = bench.program.start()
    head = state.weights[0].clone()
    before = bench.built.layout.views(head)[-1]
    [(inputs, targets), *more] = bench.batches(3, size)
    with bench.program.session(state) as session:
        first = session.step(inputs, targets, 0.1)
        after = bench.built.layout.views(state.weights[0].clone())[-1]
        later = [session.step(*batch, 0.1) for batch in more]
    value, gradient = twin_of(bench, targets, first.outputs)
    relative, _ = precision_of(name, bench.built.objective.fit)
    agree(first.loss.item(), value, relative)
    np.testing.assert_allclose(
        (before - after).numpy() / 0.1, gradient.sum(axis=0), rtol=1e-5, atol=2e-6 * np.abs(gradient).max()
    )
    assert all(torch.isfinite(step.loss) for step in later)
    assert not torch.equal(state.weights[0], head)


ONE_UNIT_SOFTMAX = [row.name for row in LOSSES if row.family == "cross-entropies" or row.family == "of probabilities"]
