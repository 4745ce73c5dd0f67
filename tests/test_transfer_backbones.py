"""The backbones of keras.applications: their rows, their preprocessing, and the fast form of every kind of network."""

import random
import sys

import keras
import numpy as np
import pytest
import torch
from made_backbones import DEEP, backbone_of, calibrated, furthest, images_of

from lossopt_cli.catalogue.backbones import BACKBONES, BackboneRow, backbone_named
from lossopt_cli.data.problem import ArrayInputs, ImageInputs
from lossopt_cli.errors import UsageError
from lossopt_cli.training import networks
from lossopt_cli.training.transfer import extraction
from lossopt_cli.training.transfer.extraction import Extraction
from lossopt_cli.training.transfer.fast import FastNetwork
from lossopt_cli.training.transfer.kernels import Affine, Convolution
from lossopt_cli.training.transfer.pixels import preprocessed

CPU = torch.device("cpu")
REFUSED_BY_KERAS = {"NASNetMobile"}  # on torch
SETTINGS = {"backbone": "MobileNetV2", "weights": "none"}


def test_rows_are_the_networks_of_keras():
    classes = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {row.name for row in BACKBONES} == classes - REFUSED_BY_KERAS


class Asked(Exception):
    """How a network asks for the shape of its images."""


@pytest.mark.parametrize("row", BACKBONES, ids=lambda row: row.name)
def test_usual_and_least_size_of_a_row_are_those_of_keras(row, monkeypatch):
    if row.name.startswith("MobileNetV3"):
        assert (row.size, row.least) == (224, 32)  # which it keeps in its code
        return

    def asked(*shape, default_size, min_size, **others):
        raise Asked(default_size, min_size)

    make = getattr(keras.applications, row.name)
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("keras.src.applications.imagenet_utils"):
            monkeypatch.setattr(module, "obtain_input_shape", asked)
    with pytest.raises(Asked) as found:
        make(include_top=False, weights=None)
    assert found.value.args == (row.size, row.least)


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "ResNet50V2", "DenseNet121"])
def test_channels_and_weights_of_a_row_are_those_of_keras(name):
    row = backbone_named(name)
    with keras.device("meta"):
        made = getattr(keras.applications, name)(include_top=False, weights=None)
    assert (row.channels, row.millions) == (made.output_shape[-1], round(made.count_params() / 1e6, 1))


def module_of(row: BackboneRow):
    return sys.modules[getattr(keras.applications, row.name).__module__]


def family_of(row: BackboneRow) -> str:
    return module_of(row).__name__.rpartition(".")[2]


FAMILIES = {family_of(row): row for row in sorted(BACKBONES, key=lambda row: -row.millions)}  # the smallest of each


@pytest.mark.parametrize("row", BACKBONES, ids=lambda row: row.name)
def test_preprocessing_of_a_row_is_that_of_its_module(row):
    images, inputs = images_of(8), keras.Input((8, 8, 3))
    eaten = keras.Model(inputs, preprocessed(row.pixels, inputs))(images).detach().numpy()
    wanted = module_of(row).preprocess_input(255.0 * images.numpy())
    np.testing.assert_allclose(eaten, wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_that_keras_builds_otherwise_with_its_own_weights_are_known(family, monkeypatch):
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *args, **options: None)
    monkeypatch.setattr(keras.Model, "load_weights", lambda self, path: None)
    make, side = getattr(keras.applications, FAMILIES[family].name), FAMILIES[family].size
    with keras.device("meta"):
        theirs, ours = (make(include_top=False, weights=w, input_shape=(side, side, 3)) for w in ("imagenet", None))
    kinds = [[type(layer) for layer in network.layers] for network in (theirs, ours)]
    assert {row.over_roots for row in BACKBONES if family_of(row) == family} == {kinds[0] != kinds[1]}


def test_a_backbone_has_its_preprocessing_before_it():
    model, images = backbone_of("VGG16").build(), images_of(32)
    place = next(place for place, layer in enumerate(model.layers) if isinstance(layer, keras.Model))
    eaten = keras.Model(model.inputs, model.layers[place - 1].output)(images).detach().numpy()
    wanted = keras.applications.vgg16.preprocess_input(255.0 * images.numpy())
    np.testing.assert_allclose(eaten, wanted, rtol=1e-5, atol=1e-4)


def test_unit_scale_feeds_the_images_as_they_are():
    assert not [layer for layer in backbone_of("MobileNetV2", scale="unit").build().layers if "Rescaling" in str(layer)]


FAST = {
    "MobileNetV2": 32,
    "MobileNetV3Small": 33,
    "EfficientNetB0": 33,
    "ResNet50V2": 32,
    "DenseNet121": 32,
    "ConvNeXtTiny": 32,
    "Xception": 71,
}


@pytest.mark.parametrize("name", FAST)
def test_fast_network_gives_the_numbers_of_keras(name):
    model = calibrated(backbone_of(name, side=FAST[name]).build())
    images = images_of(FAST[name])
    with torch.inference_mode():
        wanted, fast = model(images, training=False), FastNetwork(model, CPU)(images)
    assert float((wanted - wanted[:1]).abs().max()) > 0.1 * float(wanted.abs().max())  # or nothing would be compared
    assert furthest(fast, wanted) < DEEP


def test_fast_network_is_as_near_to_exact_arithmetic_as_keras():
    model, images = calibrated(backbone_of("MobileNetV2").build()), images_of(32)
    with torch.inference_mode():
        exact, fast = (FastNetwork(model, CPU, dtype)(images) for dtype in (torch.float64, torch.float32))
        assert furthest(fast, exact) < 3.0 * furthest(model(images, training=False), exact)


@pytest.mark.parametrize("pooling", ["max", "flatten"])
def test_fast_network_pools_as_keras(pooling):
    model = calibrated(backbone_of("MobileNet", side=64, pooling=pooling).build())
    with torch.inference_mode():
        assert furthest(FastNetwork(model, CPU)(images_of(64)), model(images_of(64), training=False)) < DEEP


def test_batch_norms_of_mobilenet_are_all_in_its_convolutions():
    steps = FastNetwork(backbone_of("MobileNetV2").build(), CPU).steps
    assert sum(isinstance(step, Convolution) for step in steps) == 52
    assert not any(isinstance(step, Affine) for step in steps)


def test_values_that_are_read_twice_are_not_written_over():
    inputs = keras.Input((8, 8, 3))
    made = keras.layers.Conv2D(3, 3, padding="same", strides=2)(inputs)
    relu = keras.layers.ReLU()(made)
    total = keras.layers.Add()([made, relu, made])
    outputs = keras.layers.Multiply()([total, relu])
    model = keras.Model(inputs, outputs)
    with torch.inference_mode():
        assert furthest(FastNetwork(model, CPU)(images_of(8)), model(images_of(8))) < 1e-6


def test_bfloat16_gives_nearly_the_same():
    model = calibrated(backbone_of("MobileNetV2").build())
    with torch.inference_mode():
        got, wanted = FastNetwork(model, CPU, torch.bfloat16)(images_of(32)), model(images_of(32), training=False)
    assert 1e-3 < furthest(got, wanted) < 0.3


def test_grey_images_are_three_equal_colours():
    grey = images_of(32, channels=1)
    with torch.inference_mode():
        coloured = backbone_of("MobileNet").build()(grey.repeat(1, 1, 1, 3))
        assert furthest(backbone_of("MobileNet", channels=1).build()(grey), coloured) < 1e-6


def extraction_of(model: keras.Model, workers: int | None = None, precision: str = "float32") -> Extraction:
    made = Extraction.of(model, CPU, precision, images_of(32))
    return made if workers is None else Extraction(made.run, CPU, workers)


def passed(made: Extraction, *pieces: torch.Tensor, told=lambda done, count: None) -> np.ndarray:
    return np.concatenate(list(made.features([piece.numpy() for piece in pieces], 1.0, told)))


def test_no_bit_depends_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(extraction, "BATCH_BYTES", {"cpu": 1})
    model, told = calibrated(backbone_of("MobileNet").build()), []
    pieces = images_of(32, count=9), images_of(32, count=2)
    one, three = (
        passed(extraction_of(model, k), *pieces, told=lambda done, count: told.append((done, count))) for k in (1, 3)
    )
    assert np.array_equal(one, three)
    assert len(one) == 11
    assert told[-1] == (11, 11)


@pytest.mark.parametrize("name", ["MobileNetV2", "ResNet50V2"])
def test_an_image_has_the_same_features_whatever_goes_with_it(name, monkeypatch):
    monkeypatch.setattr(extraction, "BATCH_BYTES", {"cpu": 16 * 4 * 32 * 32 * 3})
    made, images = extraction_of(calibrated(backbone_of(name).build())), images_of(32, count=40)
    whole, some = passed(made, images), [5, 17, 38]
    assert np.array_equal(passed(made, images[some]), whole[some])
    assert np.array_equal(passed(made, images[:1], images[1:2]), whole[:2])


def test_no_bit_of_float32_is_left_out_on_the_way():
    allowed, seen = torch.backends.cudnn.allow_tf32, []
    made = Extraction(lambda images: seen.append(torch.backends.cudnn.allow_tf32) or images.flatten(1), CPU, 2)
    passed(made, images_of(8))
    assert (seen, torch.backends.cudnn.allow_tf32) == ([False], allowed)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_fast_form_that_is_wrong_is_not_taken(precision, monkeypatch):
    model, wrong = calibrated(backbone_of("MobileNet", precision=precision).build()), Convolution.scale
    assert not extraction_of(model, precision=precision).note
    monkeypatch.setattr(Convolution, "scale", lambda self, factor, shift: wrong(self, 1.003 * factor, shift))
    made = extraction_of(model, precision=precision)
    assert "as Keras has it" in made.note
    with torch.inference_mode():
        assert furthest(made.run(images_of(32)), model(images_of(32), training=False).float()) < 1e-6
    assert {layer.compute_dtype for layer in model.layers} >= {precision}


def test_building_leaves_nothing_behind():
    keras.layers.ReLU()
    state, names = (
        random.getstate(),
        [layer.name for layer in backbone_of("MobileNetV3Small").build()._flatten_layers()],
    )
    keras.layers.Rescaling(1.0)
    assert names == [layer.name for layer in backbone_of("MobileNetV3Small").build()._flatten_layers()]
    assert random.getstate() == state
    backbone_of("MobileNet", precision="bfloat16").build()
    assert keras.config.dtype_policy().name == "float32"


def test_random_weights_are_always_the_same():
    first, second = (backbone_of("MobileNet").build().get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


REFUSALS = {
    "unknown": ({"backbone": "MobilNetV2"}, ImageInputs((96, 96, 3), 1.0), "did you mean MobileNetV2"),
    "small": ({"backbone": "InceptionV3"}, ImageInputs((64, 64, 3), 1.0), "at least 75x75"),
    "channels": ({}, ImageInputs((64, 64, 4), 1.0), "4 channels"),
    "table": ({}, ArrayInputs((6,)), "images"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_a_backbone_cannot_read_is_refused(case):
    settings, inputs, told = REFUSALS[case]
    with pytest.raises(UsageError, match=told):
        networks.build("transfer", SETTINGS | settings, inputs, 3)
