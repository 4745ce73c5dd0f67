"""The catalogue's models: the same network in either layout, the same weights after the same seed."""

import random

import numpy as np
import pytest

from lossopt_cli.catalogue.models import MODELS
from lossopt_cli.data.problem import ArrayInputs, Column, ImageInputs, TableInputs
from lossopt_cli.errors import UsageError
from lossopt_cli.training import networks

import keras  # isort: skip  (after lossopt_cli.training, which names the backend)
import torch  # isort: skip
import torch.nn.functional as F  # isort: skip

COLOUR = ImageInputs((12, 9, 3), 1 / 255)
GREY = ImageInputs((8, 8, 1), 1 / 16)
TABLE = TableInputs((Column("x"), Column("kind", categories=("a", "b", "c"))))
# A backbone takes larger images and weights of others; test_transfer*.py has its tests.
OWN = [row for row in MODELS if row.name != "transfer"]
IMAGE_MODELS = [row.name for row in OWN if row.inputs == "image"]

# Every model as it comes, and every setting at another value.
VARIANTS = [(row.name, {}) for row in OWN] + [
    ("mlp", {"hidden": [7], "dropout": 0.3, "batch_norm": True, "activation": "tanh"}),
    ("mlp", {"hidden": []}),
    ("minicnn", {"filters": [4, 5, 6], "hidden": [7, 8], "dropout": 0.3, "batch_norm": True}),
    ("minicnn", {"pooling": "average"}),
    ("minicnn", {"activation": "gelu"}),
    ("lenet", {"pooling": "average", "activation": "tanh"}),
    ("resnet20", {"shortcut": "B"}),
]


def build(name, settings, inputs, units=5, layout="channels_first", precision="float32", seed=0):
    random.seed(seed)
    return networks.build(name, settings, inputs, units, layout, precision)


def images(inputs, count=6):
    """[N, height, width, channels] and the same pixels as [N, channels, height, width]."""
    pixels = torch.from_numpy(np.random.default_rng(0).random((count, *inputs.shape)).astype(np.float32))
    return pixels, pixels.permute(0, 3, 1, 2)


def shaken(model):
    """Other values for all weights, so that zeros and ones of normalisation layers hide nothing."""
    draw = np.random.default_rng(1)
    model.set_weights([w + 0.1 * draw.random(w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def outputs(model, x):
    with torch.no_grad():
        return model(x, training=False).detach().cpu().numpy()


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_both_layouts_are_the_same_function_of_the_same_weights(name, settings):
    first, last = (shaken(build(name, settings, COLOUR, layout=f"channels_{end}")) for end in ("first", "last"))
    assert [w.shape for w in first.get_weights()] == [w.shape for w in last.get_weights()]
    pixels, planes = images(COLOUR)
    wanted = outputs(last, pixels)
    assert np.ptp(wanted) > 1e-3
    np.testing.assert_allclose(outputs(first, planes), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_the_seed_alone_decides_initial_weights_and_dropout(name, settings):
    models = [build(name, settings, GREY, layout=layout) for layout in ("channels_first", "channels_last")]
    for one, other in zip(*(model.variables for model in models), strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    another = build(name, settings, GREY, seed=1)
    assert any((a.numpy() != b.numpy()).any() for a, b in zip(another.variables, models[0].variables, strict=True))


@pytest.mark.parametrize("name", ["mlp", "minicnn"])
def test_dropout_s_own_seed_is_a_variable_drawn_from_the_seed(name):
    states = [
        [v.numpy() for v in build(name, {"dropout": 0.5}, GREY, seed=seed).variables if "seed" in v.path]
        for seed in (0, 0, 1)
    ]
    assert len(states[0]) > 0
    np.testing.assert_array_equal(states[0], states[1])
    assert (np.array(states[0]) != np.array(states[2])).any()


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_names_do_not_count_the_models_built_before(name, settings):
    names = []
    for _ in range(2):
        model = build(name, settings, GREY)
        names.append([model.name, *(layer.name for layer in model.layers)])
        keras.layers.Dense(1)(keras.layers.Activation("relu")(keras.Input((2,))))
    assert names[0] == names[1]
    assert model.name == name


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_bfloat16_computes_in_it_and_keeps_and_returns_float32(name, settings):
    model, exact = (shaken(build(name, settings, COLOUR, precision=p)) for p in ("bfloat16", "float32"))
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert {layer.compute_dtype for layer in model.layers[1:-1]} == {"bfloat16"}
    _, planes = images(COLOUR)
    got, wanted = outputs(model, planes), outputs(exact, planes)
    assert got.dtype == np.float32
    assert 0 < np.abs(got - wanted).max() < 0.05 * np.abs(wanted).max()
    assert keras.config.dtype_policy().name == "float32"
    assert keras.config.image_data_format() == "channels_last"


@pytest.mark.parametrize(("pooling", "activation"), [("max", "relu"), ("max", "tanh"), ("average", "relu")])
def test_minicnn_is_the_textbook_s(pooling, activation):
    """Convolution, activation, pooling, twice; dense, activation; head: written with torch's functions."""
    model = shaken(build("minicnn", {"pooling": pooling, "activation": activation}, COLOUR))
    _, x = images(COLOUR)
    y, weights = x, [torch.from_numpy(w) for w in model.get_weights()]
    act = {"relu": torch.relu, "tanh": torch.tanh}[activation]
    pool = {"max": F.max_pool2d, "average": F.avg_pool2d}[pooling]
    for kernel, bias in (weights[:2], weights[2:4]):
        y = pool(act(F.conv2d(y, kernel.permute(3, 2, 0, 1), bias, padding=1)), 2)
    y = y.permute(0, 2, 3, 1).flatten(1)
    y = act(y @ weights[4] + weights[5]) @ weights[6] + weights[7]
    np.testing.assert_allclose(outputs(model, x), y.numpy(), rtol=1e-5, atol=1e-5)


def test_relu_after_the_maximum_has_the_gradients_of_relu_before_it():
    _, x = images(GREY)
    gradients = []
    for order in (lambda z: F.max_pool2d(torch.relu(z), 2), lambda z: torch.relu(F.max_pool2d(z, 2))):
        z = (x - 0.5).round(decimals=1).contiguous().requires_grad_()  # with ties and zeros
        (order(z) ** 2).sum().backward()
        gradients.append(z.grad)
    assert gradients[0].any()
    assert torch.equal(*gradients)


@pytest.mark.parametrize(
    ("name", "shape", "settings", "weights"),
    [
        # 6(25+1) + 16(6*25+1) + 120(400+1) + 84(120+1) + 10(84+1), LeNet-5 with full connections
        ("lenet", (32, 32, 1), {}, 61706),
        ("lenet", (28, 28, 1), {}, 61706),
        # 0.27 M in He et al. 2016, table 6. Option A: 3x3 convolutions 9 (3*16 + 6*16*16 + 16*32 + 5*32*32 +
        # 32*64 + 5*64*64), normalisation 2 (7*16 + 6*32 + 6*64), head 650. B: and 16*32 + 32*64, 2 (32 + 64).
        ("resnet20", (32, 32, 3), {}, 267696 + 1376 + 650),
        ("resnet20", (32, 32, 3), {"shortcut": "B"}, 267696 + 1376 + 650 + 2560 + 192),
        ("linear", (28, 28, 1), {}, 7850),
        ("mlp", (8, 8, 1), {}, 64 * 128 + 128 + 128 * 128 + 128 + 1290),
        ("minicnn", (8, 8, 1), {}, 320 + 18496 + 256 * 128 + 128 + 1290),
    ],
)
def test_the_number_of_weights_is_the_published_one(name, shape, settings, weights):
    model = build(name, settings, ImageInputs(shape, 1 / 255), units=10)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == weights


def test_shortcut_a_is_every_second_pixel_and_zeros():
    model = build("resnet20", {}, COLOUR)
    before, after = model.get_layer("stage_1_block_3_2_activation"), model.get_layer("stage_2_block_1_widen")
    _, planes = images(COLOUR)
    both = keras.Model(model.inputs, [before.output, after.output])
    with torch.no_grad():
        x, shortcut = both(planes)
    torch.testing.assert_close(shortcut[:, :16], x[:, :, ::2, ::2])
    assert shortcut.shape[1] == 32
    assert not shortcut[:, 16:].any()


@pytest.mark.parametrize("name", [row.name for row in MODELS if row.inputs == "any"])
@pytest.mark.parametrize(("inputs", "shape"), [(TABLE, (4,)), (ArrayInputs((3, 4)), (3, 4)), (GREY, (1, 8, 8))])
def test_dense_models_eat_anything(name, inputs, shape):
    assert networks.core_shape(inputs, "channels_first") == shape
    got = outputs(build(name, {}, inputs), torch.ones(2, *shape))
    assert got.shape == (2, 5)


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_arrays_of_a_user_s_function_keep_their_layout(name):
    model = build(name, {}, ArrayInputs((8, 8, 2)))
    assert outputs(model, torch.ones(2, 8, 8, 2)).shape == (2, 5)


@pytest.mark.parametrize("side", [4, 8, 13, 14, 31, 32, 33, 50])
@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_images_of_any_size(name, side):
    inputs = ImageInputs((side, side + 3, 1), 1.0)
    assert outputs(build(name, {}, inputs), images(inputs, 2)[1]).shape == (2, 5)


@pytest.mark.parametrize(
    ("name", "settings", "inputs", "words"),
    [
        ("lenet", {}, ImageInputs((3, 9, 1), 1.0), ("3x9", "at least 4x4", "data.image_size")),
        ("minicnn", {"filters": [2, 2, 2]}, ImageInputs((7, 7, 1), 1.0), ("7x7", "3 times", "at least 8x8")),
        ("minicnn", {}, TABLE, ("cannot read a table", "--model mlp")),
        ("resnet20", {}, ArrayInputs((28, 28)), ("arrays of shape [28, 28]", "[height, width, channels]")),
        ("mlp", {"activation": "rellu"}, GREY, ("unknown activation 'rellu'", "did you mean relu?")),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(name, settings, inputs, words):
    with pytest.raises(UsageError) as refused:
        build(name, settings, inputs)
    for word in words:
        assert word in str(refused.value)
