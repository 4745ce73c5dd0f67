"""What may be wrong with a run: the names that `warnings` of a result.json has, the most important first."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ailment:
    """seen_at: when the doctor looks for it: at the `start` (the first batch), at the end of an `epoch`, at the `end`.

    better_said_by: findings that say the same and more; where one of them is there, this one is left out.
    blocks: whether nothing can be learned while it lasts, so that it explains a run that has not.
    """

    name: str
    meaning: str
    seen_at: tuple[str, ...]
    better_said_by: tuple[str, ...] = ()
    blocks: bool = False


# What explains that a loss stands still, or that a class is left out.
CAUSES = (
    *("input_range", "inputs_alike", "zero_gradient"),
    *("no_better_than_guessing", "rate_too_high", "rate_too_low", "loss_rose"),
    *("dead_layer", "saturated_layer", "vanishing_gradients"),
)

AILMENTS: tuple[Ailment, ...] = (
    Ailment("input_range", "images outside the range that the backbone was trained on", ("start",), blocks=True),
    Ailment("inputs_alike", "inputs that hardly differ from example to example", ("start",), blocks=True),
    Ailment("zero_gradient", "wrong examples whose loss has no gradient", ("start", "epoch"), blocks=True),
    Ailment("probabilities_for_logits", "probabilities where logits would be better", ("start",), ("zero_gradient",)),
    Ailment("no_better_than_guessing", "nothing that carries over was learned", ("end",)),
    Ailment(
        "rate_too_high",
        "a learning rate far above the useful range",
        ("epoch",),
        ("no_better_than_guessing", "loss_rose"),
    ),
    Ailment("rate_too_low", "a learning rate far below the useful range", ("epoch",), ("no_better_than_guessing",)),
    Ailment("loss_rose", "a training loss that ends above its start", ("end",), ("no_better_than_guessing",)),
    Ailment("dead_layer", "a layer whose units are zero for every example", ("start", "epoch"), blocks=True),
    Ailment("saturated_layer", "units at the flat ends of their activation", ("start", "epoch"), blocks=True),
    Ailment("vanishing_gradients", "first layers that hardly get a gradient", ("start",), blocks=True),
    Ailment("exploding_gradients", "gradients orders of magnitude too large", ("start", "epoch"), blocks=True),
    Ailment("one_class", "one class predicted for all", ("end",)),
    Ailment("missing_class", "a class that is never predicted", ("epoch", "end"), ("one_class", "loss_still", *CAUSES)),
    Ailment(
        "start_loss",
        "a start far above what knowing nothing costs",
        ("start", "end"),
        ("zero_gradient", "exploding_gradients"),
    ),
    Ailment("loss_still", "a loss that stands still and is not below guessing", ("epoch",), CAUSES),
    Ailment("overfitting", "training examples learned by heart", ("epoch", "end")),
    Ailment("repeated_images", "equal images in train and in what is judged", ("start",)),
    Ailment("metric_undefined", "a metric that says nothing of whether the run learned", ("end",)),
)
NAMES = tuple(ailment.name for ailment in AILMENTS)
BLOCKING = frozenset(ailment.name for ailment in AILMENTS if ailment.blocks)
