"""The losses of PyTorch, by their class names and with their own parameters; the mean over all elements."""

from lossopt_cli.catalogue.fits import (
    LABEL_SMOOTHING,
    NUMBERS,
    PROBABILITIES_SIGMOID,
    PROBABILITY,
    SCORE,
    SCORES,
    SIGMOID,
    SIGMOIDS,
    SOFTMAX_INTEGER,
    everywhere,
    for_classes,
    refuses_regression,
)
from lossopt_cli.catalogue.rows import LossRow, Setting

_EVERYWHERE = everywhere(SCORES, SCORE, NUMBERS)
_OUTPUT_WEIGHT = Setting(
    "weight", None, "a factor for each output: a list of K (of 1 for two classes)", kind="numbers", from_=0.0
)

TORCH_LOSSES = (
    LossRow(
        name="CrossEntropyLoss",
        library="torch",
        class_name="CrossEntropyLoss",
        family="PyTorch names",
        tasks=for_classes(SOFTMAX_INTEGER, SOFTMAX_INTEGER),
        formula="-w_y ln p_y, divided by the sum of the w_y;  p = softmax(f)",
        use="one class out of several; always reads raw outputs",
        paper="Bridle 1990; smoothing Szegedy et al. 2016",
        settings=(
            Setting("weight", None, "a weight for each class: a list of K", kind="numbers", from_=0.0),
            Setting("ignore_index", -100, "examples of this class number cost nothing", kind="integer"),
            LABEL_SMOOTHING,
        ),
        refusals=refuses_regression(),
        keras="keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
        note=(
            "Two classes take two units, as PyTorch's own class does. With weights it divides by their"
            " sum over the batch, which Keras's class weights do not."
        ),
    ),
    LossRow(
        name="BCEWithLogitsLoss",
        library="torch",
        class_name="BCEWithLogitsLoss",
        family="PyTorch names",
        tasks=for_classes(SIGMOIDS, SIGMOID),
        formula="-w (c y ln p + (1 - y) ln(1 - p)), the mean;  p = sigmoid(f), c = pos_weight",
        use="yes or no from raw outputs; pos_weight lifts a rare yes",
        paper="Cox 1958",
        settings=(
            _OUTPUT_WEIGHT,
            Setting(
                "pos_weight",
                None,
                "c, a factor for y = 1: a list of K (of 1 for two classes)",
                "numbers",
                from_=0.0,
            ),
        ),
        aliases=("bce_with_logits",),
        refusals=refuses_regression(),
        keras="keras.losses.BinaryCrossentropy(from_logits=True)",
    ),
    LossRow(
        name="BCELoss",
        library="torch",
        class_name="BCELoss",
        family="PyTorch names",
        tasks=for_classes(PROBABILITIES_SIGMOID, PROBABILITY),
        formula="-w (y ln p + (1 - y) ln(1 - p)), each ln at least -100, the mean;  p = sigmoid(f)",
        use="as many tutorials write it; BCEWithLogitsLoss is the same and exact",
        paper="Cox 1958",
        settings=(_OUTPUT_WEIGHT,),
        refusals=refuses_regression(),
        keras="keras.losses.BinaryCrossentropy()  (clips p at 1e-7 instead)",
        note=(
            "It reads probabilities: lossopt puts the sigmoid before it. A sigmoid that rounds to 0 or 1 has no slope."
        ),
    ),
    LossRow(
        name="MSELoss",
        library="torch",
        class_name="MSELoss",
        family="PyTorch names",
        tasks=_EVERYWHERE,
        formula="e^2, the mean over all elements; e = y - f",
        use="the mean of the target given the input; errors without heavy tails",
        paper="Legendre 1805",
        keras="keras.losses.MeanSquaredError()",
    ),
    LossRow(
        name="L1Loss",
        library="torch",
        class_name="L1Loss",
        family="PyTorch names",
        tasks=_EVERYWHERE,
        formula="|e|, the mean over all elements; e = y - f",
        use="the median of the target; outliers pull no harder than others",
        paper="Boscovich 1757; Laplace 1774",
        keras="keras.losses.MeanAbsoluteError()",
    ),
    LossRow(
        name="SmoothL1Loss",
        library="torch",
        class_name="SmoothL1Loss",
        family="PyTorch names",
        tasks=_EVERYWHERE,
        formula="e^2/(2 beta) while |e| < beta, |e| - beta/2 beyond; e = y - f",
        use="numbers with outliers; its slope beyond beta is 1, whatever beta",
        paper="Girshick 2015",
        settings=(
            Setting(
                "beta",
                1.0,
                "where the parabola ends, in units of the standardised target; 0 is L1",
                from_=0.0,
            ),
        ),
        keras="keras.losses.Huber(delta=beta), divided by beta",
        note="SmoothL1Loss(beta) = HuberLoss(beta) / beta: at beta 1 they are the same.",
    ),
    LossRow(
        name="HuberLoss",
        library="torch",
        class_name="HuberLoss",
        family="PyTorch names",
        tasks=_EVERYWHERE,
        formula="e^2/2 while |e| <= delta, delta (|e| - delta/2) beyond; e = y - f",
        use="numbers with outliers; between mse and mae",
        paper="Huber 1964",
        settings=(
            Setting(
                "delta", 1.0, "where the parabola ends, in units of the standardised target", above=0.0, example=0.5
            ),
        ),
        keras="keras.losses.Huber(delta=1.0)",
        note="The same as Keras's huber.",
    ),
)
