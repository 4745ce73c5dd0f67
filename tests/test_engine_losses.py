"""Every loss on every task: refused with the written reason, or the value and the slope of its formula in NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_problems import Workbench, config_of, problem_of
from twins import twin

from lossopt_cli.catalogue.losses import LOSSES, loss_named
from lossopt_cli.catalogue.recipes import spell_part
from lossopt_cli.catalogue.rows import TASKS
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
    "ignore_class": 0,
    "ignore_index": 0,
}
# With these the classes are not treated alike, and the cheapest is not the likeliest.
LOPSIDED = {"weight", "pos_weight", "ignore_class", "ignore_index", "apply_class_balancing"}
# The overlap of sets is a number of a batch: no example has a cost of its own.
OVERLAPS = ("dice", "tversky")
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
    if sigmoid or name == "binary_focal_crossentropy" or (name == "focal" and fit.units == "one"):
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


CLASSIFIERS = [
    (name, task, settings)
    for name, task, settings in SERVED
    if task != "regression" and not set(settings) & LOPSIDED and not (name in OVERLAPS and task == "binary")
]


@pytest.mark.parametrize(("name", "task", "settings"), CLASSIFIERS, ids=map(spelled, CLASSIFIERS))
def test_the_predicted_class_is_the_one_that_would_cost_least(name, task, settings):
    """Whatever the encoding and the threshold: 0 for logits, 0.5 for probabilities and 0/1 scores."""
    bench = bench_of(name, task, settings)
    objective, classes = bench.built.objective, np.arange(len(bench.problem.classes))
    raw = torch.randn(30, objective.units, generator=torch.Generator().manual_seed(1))
    predicted = read_out(bench.problem, objective, raw.numpy(), np.zeros(30, np.int64)).predicted
    truths = torch.from_numpy(encoded(bench.problem, objective.fit, classes))
    costs = np.array([[float(objective.loss(truth[None], one[None])) for truth in truths] for one in raw])
    assert len(np.unique(predicted)) == len(classes)
    np.testing.assert_allclose(costs[np.arange(30), predicted], costs.min(axis=1), rtol=1e-6, atol=1e-7)


READS_PROBABILITIES = [
    (row.name, task, {"from_logits": False} if any(s.name == "from_logits" for s in row.settings) else {})
    for row in LOSSES
    for task in row.tasks
    if row.family in ("cross-entropies", "of probabilities") or row.name == "BCELoss"
]


@pytest.mark.parametrize(("name", "task", "settings"), READS_PROBABILITIES, ids=map(spelled, READS_PROBABILITIES))
def test_a_loss_of_probabilities_sees_a_softmax_or_a_sigmoid(name, task, settings):
    """As large as one likes: where the raw outputs themselves were read, the loss would leave the bounds or be NaN."""
    bench = bench_of(name, task, settings)
    objective = bench.built.objective
    targets = torch.from_numpy(encoded(bench.problem, objective.fit, np.array([0, 1])))
    raw = torch.tensor([[30.0, -30.0, 0.0, 5.0], [-30.0, 30.0, 2.0, 1.0]])[:, -objective.units :]
    loss = float(objective.loss(targets, raw))
    assert objective.fit.reads == "probabilities"
    assert 0.0 <= loss <= 100.0


def test_a_saturated_softmax_teaches_nothing_and_logits_do():
    """16.1 = -ln 1e-7, Keras's clip, with slope 0; the cross-entropy of the same outputs is 40 with slope 1."""
    raw = torch.tensor([[40.0, 0.0, 0.0, 0.0]])
    found = {}
    for recipe in ("scce", "scce:from_logits=false"):
        objective = Workbench(config_of("multiclass", recipe), problem_of("multiclass")).built.objective
        leaf = raw.clone().requires_grad_()
        loss = objective.loss(torch.tensor([1]), leaf)
        loss.backward()
        found[recipe] = loss.item(), leaf.grad.abs().max().item()
    assert found["scce"] == pytest.approx((40.0, 1.0))
    assert found["scce:from_logits=false"] == pytest.approx((16.118, 0.0), abs=1e-3)


SOFTMAX = [
    "cce",
    "scce",
    "kld",
    "gce",
    "poisson",
    "categorical_focal",
    "CrossEntropyLoss",
    "categorical_hinge",
    "cosine",
]


@pytest.mark.parametrize("name", SOFTMAX)
def test_a_softmax_of_two_classes_has_two_units(name):
    """On one unit a softmax is 1 whatever the weights: the loss would be 0 from the start."""
    bench = bench_of(name, "binary", {})
    [(inputs, targets)] = bench.batches(1)
    raw = bench.program.predict(bench.program.start(), inputs)
    assert raw.shape == (8, 2)
    assert float(bench.built.objective.loss(targets, raw)) != 0.0


@pytest.mark.parametrize("scale_target", [True, False])
@pytest.mark.parametrize("name", ["mape", "msle", "mae"])
def test_losses_of_ratios_are_computed_in_the_targets_own_units(name, scale_target):
    """By hand: predicting 60 of 50 is 20 %; ln(61/51)^2; an mae is of the standardised target where there is one."""
    problem = problem_of("regression")
    mean, deviation = (problem.target_mean, problem.target_deviation) if scale_target else (0.0, 1.0)
    problem = replace(problem, target_mean=mean, target_deviation=deviation)
    objective = objective_of(config_of("regression", name), problem)
    targets = torch.from_numpy(encoded(problem, objective.fit, np.array([50.0])))
    raw = torch.tensor([[(60.0 - mean) / deviation]])
    by_hand = {"mape": 20.0, "msle": np.log(61.0 / 51.0) ** 2, "mae": 10.0 / deviation}[name]
    assert float(objective.loss(targets, raw)) == pytest.approx(by_hand, rel=1e-5)
    values = read_out(problem, objective, raw.numpy(), np.array([50.0])).predicted
    np.testing.assert_allclose(values, [60.0], rtol=1e-6)


@pytest.mark.parametrize(("name", "bad", "words"), [("mape", 0.0, "are 0"), ("msle", -1.0, "are negative")])
def test_targets_that_a_loss_has_no_meaning_for_are_refused(name, bad, words):
    problem = problem_of("regression")
    problem.train.targets[3] = bad
    with pytest.raises(UsageError, match=words):
        objective_of(config_of("regression", name), problem)


LOGIT_LOSSES = [row.name for row in LOSSES if any(fit.reads == "logits" for fit in row.tasks.values())]


@pytest.mark.parametrize("name", LOGIT_LOSSES)
def test_a_loss_of_logits_refuses_a_model_that_ends_in_a_softmax(name):
    with pytest.raises(UsageError, match="ends in a softmax"):
        objective_of(config_of("multiclass", name), problem_of("multiclass"), activated=True)
