"""Kernels on stacks against the same kernels trial by trial: to the bit, but for products in place of convolutions."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from lossopt_cli.catalogue.metrics import Outputs, compute
from lossopt_cli.catalogue.stacked_metrics import compute_each, split_up
from lossopt_cli.training.batching import StackedFunction
from lossopt_cli.training.tracing import Untraceable

aten = torch.ops.aten


def drawn(*shape, seed=0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rows_alone(function, tensors) -> list[torch.Tensor]:
    """The function of each trial by itself, stacked."""
    results = [function(*[tensor[row].clone() for tensor in tensors]) for row in range(len(tensors[0]))]
    return [torch.stack(parts) for parts in zip(*results, strict=True)]


def assert_bits(function, *tensors) -> None:
    with torch.no_grad():
        wanted, stacked = rows_alone(function, tensors), StackedFunction(function)
        for found in (stacked(*tensors), stacked(*tensors), stacked(*tensors)):  # called, recorded, played
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "shape",
    [
        *[(32, 64, 10), (8, 5, 1), (1, 9, 7), (3, 4, 5), (20, 1, 30), (128, 300, 1), (2, 2, 2)],
        *[(3, 16, 10), (2, 33, 17), (17, 31, 33), (5, 64, 7)],  # whose bits MKL lets depend on where they lie
    ],
)
def test_products_have_the_bits_of_single_products(shape):
    """As a layer makes them on the way there and back: of large ones, small ones, single rows and columns."""
    n, inputs, units = shape

    def layer(x, w, slope):
        return [x @ w, x.t() @ slope, slope @ w.t()]

    assert_bits(layer, drawn(5, n, inputs), drawn(5, inputs, units), drawn(5, n, units))


POINTWISE = {
    "sigmoid": torch.sigmoid,
    "power": lambda x: x.abs() ** 1.7,
    "power of a number": lambda x: 0.9**x,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "mish": functional.mish,
    "elu": functional.elu,
    "gelu": lambda x: functional.gelu(x, approximate="tanh"),
    "exponential": torch.exp,
    "tanh": torch.tanh,
    "log sigmoid": functional.logsigmoid,
}


@pytest.mark.parametrize("count", [(), (3,), (7, 9), (64,), (5, 3, 11)])
@pytest.mark.parametrize("name", POINTWISE)
def test_pointwise_kernels_give_a_number_the_same_bits_wherever_it_lies(name, count):
    def step(x, slope):
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            value = POINTWISE[name](leaf)
            (gradient,) = torch.autograd.grad(value, leaf, slope)
        return [value.detach(), gradient]

    assert_bits(step, drawn(37, *count), drawn(37, *count, seed=1))


@pytest.mark.parametrize("size", [1, 2, 16, 17, 18, 32, 33, 100, 255, 256, 257, 300])
def test_the_mean_of_a_cross_entropy_is_added_up_in_the_order_of_its_kernel(size):
    labels = torch.randint(0, 10, (6, size), generator=torch.Generator().manual_seed(2))

    def step(raw, truth):
        with torch.enable_grad():
            leaf = raw.detach().requires_grad_()
            loss = functional.cross_entropy(leaf, truth)
            (gradient,) = torch.autograd.grad(loss, leaf)
        return [loss.detach(), gradient]

    assert_bits(step, 3.0 * drawn(6, size, 10), labels)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5])])
def test_cross_entropies_with_weights_and_ignored_classes_keep_their_bits(smoothing, weights):
    labels = torch.randint(0, 3, (4, 20), generator=torch.Generator().manual_seed(2))
    options = {"weight": weights, "label_smoothing": smoothing, "ignore_index": 1}
    assert_bits(lambda raw, truth: [functional.cross_entropy(raw, truth, **options)], drawn(4, 20, 3), labels)


@pytest.mark.parametrize("shape", [(8, 1), (25, 4)])
def test_binary_cross_entropy_is_the_formula_of_one_trial(shape):
    truth = (drawn(9, *shape, seed=3) > 0).float()
    loss = functional.binary_cross_entropy_with_logits
    assert_bits(lambda raw, y: [loss(raw, y)], drawn(9, *shape), truth)


@pytest.mark.parametrize("shape", [(32, 10), (7, 1), (5, 3, 4)])
def test_sums_means_and_norms_keep_their_bits(shape):
    def reductions(x):
        return [x.sum(), x.mean(0), x.sum(-1), x.amax(0), torch.linalg.vector_norm(x), x.square().mean()]

    assert_bits(reductions, drawn(11, *shape))


# (kernel, stride, padding, dilation, channels, filters, side)
CONVOLUTIONS = [
    ((3, 3), (1, 1), (1, 1), (1, 1), 1, 8, 8),
    ((3, 3), (1, 1), (1, 1), (1, 1), 6, 5, 7),
    ((5, 3), (1, 1), (0, 1), (1, 1), 3, 4, 9),
    ((3, 3), (2, 2), (1, 1), (1, 1), 8, 4, 9),
    ((2, 2), (2, 1), (0, 0), (1, 1), 5, 4, 8),
    ((3, 3), (1, 1), (2, 2), (2, 2), 5, 4, 8),
    ((1, 1), (1, 1), (0, 0), (1, 1), 7, 4, 6),
]


@pytest.mark.parametrize("most", [None, 0])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions_agree_with_single_ones(case, most, monkeypatch):
    """As products to rounding; where they are too large for that, one by one to the bit."""
    from lossopt_cli.training import batched_convolution

    if most is not None:
        monkeypatch.setattr(batched_convolution, "MOST_COLUMNS", most)
        monkeypatch.setattr(batched_convolution, "MOST_COLUMNS_OF_FEW", most)
    kernel, stride, padding, dilation, channels, filters, side = case

    def step(x, w):
        with torch.enable_grad():
            leaves = [x.detach().requires_grad_(), w.detach().requires_grad_()]
            value = torch.convolution(*leaves, None, stride, padding, dilation, False, (0, 0), 1)
            gradients = torch.autograd.grad(value.square().sum(), leaves)
        return [value.detach(), *gradients]

    x = drawn(3, 4, side, side + 1, channels).permute(0, 1, 4, 2, 3)
    w = drawn(3, *kernel, channels, filters).permute(0, 4, 3, 1, 2)
    found = StackedFunction(step, comes_again=True)(x, w)
    for one, wanted in zip(found, rows_alone(step, [x, w]), strict=True):
        tolerance = 0.0 if most == 0 else 1e-5 * float(wanted.abs().max())
        np.testing.assert_allclose(one, wanted, rtol=0.0, atol=tolerance)


def test_convolutions_in_groups_and_one_dimension_are_batched_too():
    def step(x, w, v):
        grouped = torch.convolution(x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 4)
        return [grouped, torch.convolution(x[:, :, 0], v, None, [1], [0], [1], False, [0], 1)]

    tensors = drawn(3, 2, 4, 6, 6), drawn(3, 8, 1, 3, 3), drawn(3, 5, 4, 3)
    for one, wanted in zip(StackedFunction(step)(*tensors), rows_alone(step, tensors), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pool", [functional.max_pool2d, functional.avg_pool2d])
def test_pooling_keeps_its_bits(pool):
    def step(x):
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            value = pool(leaf, 2)
            (gradient,) = torch.autograd.grad(value.square().sum(), leaf)
        return [value.detach(), gradient]

    assert_bits(step, drawn(4, 3, 6, 8, 5).permute(0, 1, 4, 2, 3))


def test_arguments_that_trials_share_are_given_once():
    function = StackedFunction(lambda w, x: [x @ w], frozenset((1,)))
    w, x = drawn(5, 7, 6), drawn(20, 7, seed=1)
    wanted = torch.stack([x @ one for one in w])
    for _ in range(3):
        np.testing.assert_array_equal(function(w, x)[0], wanted)


def test_a_kernel_without_a_batched_form_is_called_for_each_trial():
    assert_bits(lambda x: [torch.linalg.matrix_rank(x).float(), torch.histc(x, 5, -3.0, 3.0)], drawn(4, 5, 5))


def test_a_function_that_reads_values_cannot_be_stacked():
    with pytest.raises(Untraceable, match="depends on values"):
        StackedFunction(lambda x: [x * 2 if x.sum() > 0 else x])(drawn(3, 4))


def outputs_of(task: str, models: int, n: int, classes: int) -> Outputs:
    generator = np.random.default_rng(n + classes)
    if task == "regression":
        return Outputs(task, generator.normal(size=models * n), generator.normal(size=models * n))
    raw = generator.normal(size=(models * n, classes)) * 2.0
    shares = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    targets = generator.integers(0, classes, models * n)
    scores = raw[:, 1] if task == "binary" else None
    return Outputs(task, targets, shares.argmax(axis=1), shares, scores)


@pytest.mark.parametrize(("task", "classes"), [("multiclass", 10), ("multiclass", 3), ("binary", 2), ("regression", 0)])
@pytest.mark.parametrize("n", [1, 5, 40, 361])
def test_metrics_of_many_models_are_the_metrics_of_each(task, classes, n):
    """With few examples some classes are absent, for some models and not for others."""
    each = split_up(outputs_of(task, 6, n, classes), 6)
    assert [len(one) for one in each] == [n] * 6
    np.testing.assert_equal(compute_each(each), [compute(one) for one in each])
