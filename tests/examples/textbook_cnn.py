"""A convolutional network for 28 x 28 x 1 images as a textbook writes it."""

from keras import layers, models


def linear_head(input_shape=(28, 28, 1), num_classes=10, filters=4):
    model = models.Sequential()
    model.add(layers.Input(input_shape))
    model.add(layers.Conv2D(filters, (3, 3), activation="relu"))
    model.add(layers.BatchNormalization())
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Flatten())
    model.add(layers.Dense(num_classes))
    return model


def softmax_head():
    return models.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
