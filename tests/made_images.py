"""Folders of images to train on, drawn: a disc on a ground, the colours of both told by the class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

TOM_AND_JERRY = ("jerry", "tom", "tom_jerry_0", "tom_jerry_1")


def class_folders(
    root: Path, classes: Sequence[str] = TOM_AND_JERRY, each: int = 30, size: tuple[int, int] = (48, 64), seed: int = 0
) -> Path:
    """`root`, with `each` JPEG files of [height, width] pixels in a folder for each class."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    hues = np.random.default_rng(seed).uniform(-60.0, 60.0, (len(classes), 2, 3))
    for number, name in enumerate(classes):
        folder = root / name
        folder.mkdir(parents=True)
        for count in range(each):
            rng = np.random.default_rng((seed, number, count))
            image = rng.normal(120.0, 2.0, (height, width, 3)) + hues[number, 0]
            row, column = rng.uniform(0.45, 0.55, 2) * size
            radius = rng.uniform(0.2, 0.25) * min(size)
            inside = (y - row) ** 2 + (x - column) ** 2 < radius**2
            image[inside] += 2.0 * hues[number, 1]
            Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / f"frame{count}.jpg", quality=92)
    return root
