"""How long a folder of images takes to read, the first time and after, and what memory that needs.

    python -m tests.benchmarks.images [--images 20000] [--size 96] [--folder DIR]

Makes JPEG files of 128 x 96 pixels in four class folders and reads them in fresh processes: decoding into the cache,
mapping what is there, and one epoch of batches; seconds, and MiB above what the imports took (resident, with the pages
of mapped files)."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 4
READ = """
import resource, sys, time
import PIL.Image, numpy
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import sources

def taken():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before, began = taken(), time.perf_counter()
problem = sources.load(DataConfig(name="x", path=sys.argv[1], image_size=int(sys.argv[2])), None, 0, lambda text: None)
if sys.argv[3] == "epoch":
    inputs = problem.train.inputs
    order = numpy.random.default_rng(0).permutation(len(inputs))
    for start in range(0, len(order), 32):
        inputs[order[start : start + 32]]
print(f"{time.perf_counter() - began:.2f} s, {taken() - before:.0f} MiB")
"""


def make(folder: Path, images: int) -> None:
    """Smooth random pictures: photographs are compressed like them."""
    rng = np.random.default_rng(0)
    for place in range(images):
        inside = folder / f"class{place % CLASSES}"
        inside.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((128, 96), Image.Resampling.BICUBIC).save(inside / f"{place}.jpg")


def measure(folder: Path, images: int, size: int) -> None:
    if not (folder / "images").exists():
        make(folder / "images", images)
    environment = {**os.environ, "LOSSOPT_CACHE": str(folder / "cache")}
    for what, then in (("decoded", ""), ("mapped", ""), ("mapped, one epoch", "epoch")):
        command = [sys.executable, "-c", READ, str(folder / "images"), str(size), then]
        told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        print(f"{images:,} images at {size} px, {what}: {told.strip()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.folder is not None:
        measure(asked.folder, asked.images, asked.size)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), asked.images, asked.size)


if __name__ == "__main__":
    main()
