"""A tutorial on transfer learning as one finds it, in plain Keras: images in [0, 1] into a frozen MobileNetV2, Flatten,
a softmax.

    python tom_and_jerry.py FOLDER

FOLDER has a folder of images for each class. Two of its lines are mistakes, and marked.
"""

import argparse
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch
from torchvision import datasets, transforms


@dataclass(frozen=True)
class Pictures:
    """The images of a folder with their split: [0.7, 0.2, 0.1] by torch's random_split with generator seed 20."""

    images: datasets.ImageFolder
    train: Sequence[int]
    validation: Sequence[int]
    test: Sequence[int]

    def batch(self, rows: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        """Images [n, height, width, 3] and class numbers [n]."""
        pairs = [self.images[int(row)] for row in rows]
        return np.stack([x.numpy() for x, _ in pairs]), np.array([y for _, y in pairs])


def read(folder: str, size: int = 224) -> Pictures:
    """The images of class folders, resized."""
    # The first mistake: ToTensor gives numbers of [0, 1], and MobileNetV2 was trained on [-1, 1].
    steps = [transforms.Resize((size, size)), transforms.ToTensor(), transforms.Lambda(lambda x: x.permute(1, 2, 0))]
    images = datasets.ImageFolder(folder, transforms.Compose(steps))
    train, validation = int(0.7 * len(images)), int(0.2 * len(images))
    lengths = [train, validation, len(images) - train - validation]
    parts = torch.utils.data.random_split(images, lengths, generator=torch.Generator().manual_seed(20))
    return Pictures(images, *(part.indices for part in parts))


def network(size: int = 224, classes: int = 4, weights: str | None = "imagenet") -> keras.Model:
    """MobileNetV2 without its top, frozen; Flatten; Dense with a softmax."""
    backbone = keras.applications.MobileNetV2(input_shape=(size, size, 3), include_top=False, weights=weights)
    backbone.trainable = False
    # The second mistake: a softmax over so many features is saturated before it has learned anything. Keras clips its
    # probabilities at 1e-7, and beyond that the loss has no gradient.
    head = [keras.layers.Flatten(), keras.layers.Dense(classes, activation="softmax")]
    model = keras.Sequential([keras.Input((size, size, 3)), backbone, *head])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def losses(model: keras.Model, pictures: Pictures, batches: Iterable[Sequence[int]]) -> list[float]:
    """The loss of each batch, before the step that it makes; batches: rows of the folder."""
    found = []
    for rows in batches:
        model.reset_metrics()
        found.append(float(model.train_on_batch(*pictures.batch(rows))[0]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    pictures = read(parser.parse_args().folder)
    train, validation, test = (
        torch.utils.data.DataLoader(torch.utils.data.Subset(pictures.images, rows), 12, shuffle=rows is pictures.train)
        for rows in (pictures.train, pictures.validation, pictures.test)
    )
    model = network()
    model.fit(train, validation_data=validation, epochs=5)
    print(model.evaluate(test, return_dict=True))


if __name__ == "__main__":
    main()
