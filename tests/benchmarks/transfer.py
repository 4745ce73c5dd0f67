"""What transfer learning costs: the pass of the backbone, a sweep on its features, and the memory that both take.

    python -m tests.benchmarks.transfer [--part pass|sweep|memory] [--rounds 9] [--images 2000]

The images are noise of 96 x 96, the weights of MobileNetV2 random: neither changes what a pass costs. Prints Markdown
tables. Ratios of the pass are medians of rounds in which all take their turn on one thread, so that what else the
machine does meets all alike.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import numpy as np

from tests.benchmarks.speed import print_table

SIDE, TRIALS, EPOCHS, BATCH = 96, 12, 5, 32
MODEL = ["--model", "transfer:weights=none", "--set", f"data.image_size={SIDE}"]
IMPORTS = "import lossopt_cli.sweeps.worker"
MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from lossopt_cli.commands import training_run
import lossopt_cli.training.assembly
from lossopt_cli.__main__ import run
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(sys.argv[1:])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20, file=sys.__stderr__)
"""


def write_images(folder: Path, count: int) -> Path:
    """Four class folders of JPEG files."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"class{number % 4}"
        place.mkdir(parents=True, exist_ok=True)
        coarse = generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((SIDE, SIDE)).save(place / f"{number:06d}.jpg")
    return folder


def time_pass(rounds: int) -> None:
    """One thread: Keras's forward, torchvision's MobileNetV2 in channels_last memory format, and the fast network."""
    import torch
    import torchvision

    import lossopt_cli.training  # noqa: F401
    from lossopt_cli.catalogue.backbones import backbone_named
    from lossopt_cli.training.transfer.backbone import Backbone
    from lossopt_cli.training.transfer.fast import FastNetwork

    torch.set_num_threads(1)
    model = Backbone(backbone_named("MobileNetV2"), "none", "auto", "average", (SIDE, SIDE, 3)).build()
    theirs = torchvision.models.mobilenet_v2(weights=None).eval().to(memory_format=torch.channels_last)
    fast = FastNetwork(model, torch.device("cpu"))
    images = torch.rand(BATCH, SIDE, SIDE, 3)
    contenders: dict[str, Callable] = {
        "Keras": lambda: model(images, training=False),
        "torchvision, channels_last": lambda: theirs.features(2.0 * images.permute(0, 3, 1, 2) - 1.0).mean((2, 3)),
        "lossopt": lambda: fast(images),
    }
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    with torch.inference_mode():
        for _ in range(rounds + 1):
            for name, go in contenders.items():
                began_at = time.perf_counter()
                go()
                spent[name].append(1e3 * (time.perf_counter() - began_at) / BATCH)
    ours = spent["lossopt"][1:]
    ratio = lambda name: statistics.median(o / t for o, t in zip(ours, spent[name][1:], strict=True))  # noqa: E731
    rows = [[name, f"{statistics.median(times[1:]):.2f}", f"{ratio(name):.2f}"] for name, times in spent.items()]
    print_table(["forward, one thread", "ms an image", "lossopt takes"], rows)


def seconds_of(words: Sequence[str | Path], cache: Path) -> float:
    began_at = time.perf_counter()
    subprocess.run(list(map(str, words)), check=True, env={**os.environ, "LOSSOPT_CACHE": str(cache)})
    return time.perf_counter() - began_at


def time_sweep(folder: Path, count: int) -> None:
    """A sweep of TRIALS trials on a new cache, beside one pass, and beside plain Keras trained as often."""
    images = write_images(folder / "images", count)
    sweep = [sys.executable, "-m", "lossopt_cli", "sweep", "--data", images, *MODEL, "--epochs", EPOCHS, "--seeds", 1]
    axes = ["--loss", "cross_entropy,mse", "--opt", "sgd,adam", "--lr", "0.001,0.01,0.1", "-q", "--logs"]
    whole, imports = [], []
    for turn in range(2):
        whole.append(seconds_of([*sweep, *axes, folder / f"logs{turn}"], folder / f"cache{turn}"))
        imports.append(seconds_of([sys.executable, "-c", IMPORTS], folder / "none"))
    one_pass, epoch = _pass_seconds(count), _keras_epoch_seconds(count)
    took = min(whole) - min(imports)
    keras = TRIALS * EPOCHS * epoch
    rows = [
        ["one pass of the backbone", f"{one_pass:.1f}"],
        [
            f"sweep of {TRIALS} trials, {EPOCHS} epochs, decoding included, imports ({min(imports):.1f} s) not",
            f"{took:.1f}",
        ],
        ["allowed: 1.3 passes and 5 s", f"{1.3 * one_pass + 5.0:.1f}"],
        [f"plain Keras: {TRIALS} x {EPOCHS} x one epoch of {epoch:.1f} s (measured once, multiplied)", f"{keras:.0f}"],
        ["plain Keras over the sweep", f"{keras / took:.0f} times"],
    ]
    print_table([f"{count:,} images, {SIDE} x {SIDE}", "seconds"], rows)


def _pass_seconds(count: int) -> float:
    """The pass alone, on all cores, as a sweep makes it; the better of two."""
    import lossopt_cli.training  # noqa: F401, I001
    import torch

    from lossopt_cli.catalogue.backbones import backbone_named
    from lossopt_cli.training.transfer.backbone import Backbone
    from lossopt_cli.training.transfer.extraction import Extraction

    model = Backbone(backbone_named("MobileNetV2"), "none", "auto", "average", (SIDE, SIDE, 3)).build()
    images = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    sample = torch.from_numpy(images[:2]).float() / 255.0
    extraction, spent = Extraction.of(model, torch.device("cpu"), "float32", sample), []
    for _ in range(2):
        began_at = time.perf_counter()
        for _ in extraction.features([images], 1.0 / 255.0, lambda done, of: None):
            pass
        spent.append(time.perf_counter() - began_at)
    return min(spent)


def _keras_epoch_seconds(count: int) -> float:
    """An epoch of `fit` as a tutorial has it: the frozen backbone in the model, images in batches, a quarter of them
    measured and multiplied."""
    import keras
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    backbone = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    backbone.trainable = False
    layers = [keras.layers.Rescaling(1 / 127.5, -1.0), backbone, keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *layers, keras.layers.Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    some = int(0.7 * count) // 4
    generator = np.random.default_rng(0)
    images, labels = (
        generator.integers(0, 256, (some, SIDE, SIDE, 3)).astype(np.float32),
        generator.integers(0, 4, some),
    )
    model.fit(images[:BATCH], labels[:BATCH], batch_size=BATCH, verbose=0)
    began_at = time.perf_counter()
    model.fit(images, labels, batch_size=BATCH, epochs=1, verbose=0)
    return 4.0 * (time.perf_counter() - began_at)


def measure_memory(folder: Path, count: int) -> None:
    """The peak of a training above what the imports take: images decoded, through the backbone, trained on."""
    images = write_images(folder / "images", count)
    words = ["train", "--data", images, *MODEL, "--epochs", 2, "-q", "--logs", folder / "logs"]
    process = subprocess.run(
        [sys.executable, "-c", MEMORY, *map(str, words)],
        check=True,
        env={**os.environ, "LOSSOPT_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
    )
    peak = float(process.stderr.strip().splitlines()[-1])
    print_table(
        [f"{count:,} images, {SIDE} x {SIDE}", "GiB above the imports"], [["decode, extract, train", f"{peak:.2f}"]]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["pass", "sweep", "memory"], default="pass")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=2000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if given.part == "pass":
            time_pass(given.rounds)
        elif given.part == "sweep":
            time_sweep(Path(place), given.images)
        else:
            measure_memory(Path(place), given.images)


if __name__ == "__main__":
    main()
