"""The losses of Keras that read the probabilities of classes.

y is the target, one-hot [N, K] or 0/1 [N, 1]; f are the raw outputs of the linear head; p their softmax (K
outputs) or sigmoid (one output); p_y belongs to the right class. Sums run over the K classes.
"""

from lossopt_cli.catalogue.fits import (
    AXIS,
    AXIS_OR_ALL,
    FROM_LOGITS,
    LABEL_SMOOTHING,
    PROBABILITIES,
    PROBABILITIES_INTEGER,
    PROBABILITY,
    SIGMOID,
    SIGMOIDS,
    SOFTMAX_INTEGER,
    SOFTMAX_ONE_HOT,
    for_classes,
    refuses_regression,
)
from lossopt_cli.catalogue.rows import LossRow, Setting

GAMMA = Setting("gamma", 2.0, "how fast easy examples fade; 0 is plain cross-entropy", from_=0.0, example=1.0)

CROSS_ENTROPIES = (
    LossRow(
        name="sparse_categorical_crossentropy",
        library="keras",
        class_name="SparseCategoricalCrossentropy",
        family="cross-entropies",
        tasks=for_classes(SOFTMAX_INTEGER, SOFTMAX_INTEGER),
        formula="-ln p_y = ln sum exp(f) - f_y;  p = softmax(f)",
        use="the first choice for one class out of several; honest probabilities",
        paper="Good 1952; Bridle 1990",
        settings=(
            FROM_LOGITS,
            Setting("ignore_class", None, "examples of this class number cost nothing", kind="integer"),
            AXIS,
        ),
        aliases=("scce", "sparse_cross_entropy"),
        refusals=refuses_regression(),
        torch="torch.nn.CrossEntropyLoss()",
    ),
    LossRow(
        name="categorical_crossentropy",
        library="keras",
        class_name="CategoricalCrossentropy",
        family="cross-entropies",
        tasks=for_classes(SOFTMAX_ONE_HOT, SOFTMAX_ONE_HOT),
        formula="-sum y ln p;  p = softmax(f)",
        use="the same with one-hot targets, which label smoothing needs",
        paper="Bridle 1990; smoothing Szegedy et al. 2016",
        settings=(FROM_LOGITS, LABEL_SMOOTHING, AXIS),
        aliases=("cce", "categorical_cross_entropy"),
        refusals=refuses_regression(),
        torch="torch.nn.CrossEntropyLoss()  (takes class numbers or one-hot)",
        note="Two classes take two units: on one unit a softmax is always 1, and Keras would return 0.",
    ),
    LossRow(
        name="binary_crossentropy",
        library="keras",
        class_name="BinaryCrossentropy",
        family="cross-entropies",
        tasks=for_classes(SIGMOIDS, SIGMOID),
        formula="-y ln p - (1 - y) ln(1 - p), the mean over the outputs;  p = sigmoid(f)",
        use="yes or no; on K classes K separate yes-or-no questions",
        paper="Cox 1958; on K classes Beyer et al. 2020",
        settings=(FROM_LOGITS, LABEL_SMOOTHING, AXIS),
        aliases=("bce", "binary_cross_entropy"),
        refusals=refuses_regression(),
        torch="torch.nn.BCEWithLogitsLoss()",
        note=(
            "On K classes each output is told one against the rest. The mean over K makes the slopes K"
            " times smaller than a softmax's: a higher learning rate suits it."
        ),
    ),
    LossRow(
        name="categorical_focal_crossentropy",
        library="keras",
        class_name="CategoricalFocalCrossentropy",
        family="cross-entropies",
        tasks=for_classes(SOFTMAX_ONE_HOT, SOFTMAX_ONE_HOT),
        formula="-alpha (1 - p_y)^gamma ln p_y;  p = softmax(f), clipped at 1e-7",
        use="many easy examples and a few hard ones that they would drown",
        paper="Lin et al. 2017",
        settings=(
            Setting("alpha", 0.25, "factor of the loss; a list weighs each class", "number or list", from_=0.0),
            GAMMA,
            FROM_LOGITS,
            LABEL_SMOOTHING,
            AXIS,
        ),
        aliases=("categorical_focal_cross_entropy", "categorical_focal"),
        refusals=refuses_regression(),
        torch="torch has none; torchvision.ops.sigmoid_focal_loss is the binary one",
        note=(
            "alpha = 0.25 makes every slope four times smaller than cross-entropy's: compare at its own"
            " best rate. Keras takes the softmax first and clips it, with from_logits too: a wrong example"
            " that is sure teaches nothing."
        ),
    ),
    LossRow(
        name="binary_focal_crossentropy",
        library="keras",
        class_name="BinaryFocalCrossentropy",
        family="cross-entropies",
        tasks=for_classes(SIGMOIDS, SIGMOID),
        formula="-(1 - p_t)^gamma ln p_t, the mean over the outputs;  p_t = p if y = 1, else 1 - p",
        use="yes or no with many easy examples; on K classes one against the rest",
        paper="Lin et al. 2017",
        settings=(
            Setting("apply_class_balancing", False, "weigh y = 1 by alpha and y = 0 by 1 - alpha", "switch"),
            Setting("alpha", 0.25, "used only with apply_class_balancing, 0 to 1", from_=0.0, to=1.0),
            GAMMA,
            FROM_LOGITS,
            LABEL_SMOOTHING,
            AXIS,
        ),
        aliases=("binary_focal_cross_entropy", "binary_focal"),
        refusals=refuses_regression(),
        torch="torchvision.ops.sigmoid_focal_loss(alpha=-1, gamma=2, reduction='mean')",
        note="Keras takes the sigmoid first and clips it at 1e-7, with from_logits too.",
    ),
)

PROBABILITY_LOSSES = (
    LossRow(
        name="categorical_generalized_cross_entropy",
        library="keras",
        class_name="CategoricalGeneralizedCrossEntropy",
        family="of probabilities",
        tasks=for_classes(PROBABILITIES_INTEGER, PROBABILITIES_INTEGER),
        formula="(1 - p_y^q) / q;  p = softmax(f)",
        use="labels of which some are wrong: q near 0 is cross-entropy, q near 1 is 1 - p_y",
        paper="Zhang & Sabuncu 2018",
        settings=(
            Setting("q", 0.5, "from trusting (0) to forgiving (1), both excluded", above=0.0, below=1.0, example=0.7),
        ),
        aliases=("gce", "generalized_cross_entropy", "categorical_generalized_crossentropy"),
        refusals=refuses_regression(),
        torch="((1 - p.gather(1, y[:, None]) ** q) / q).mean()",
        note="Takes class numbers, unlike its name. A p_y that underflows to 0 has an infinite slope.",
    ),
    LossRow(
        name="kl_divergence",
        library="keras",
        class_name="KLDivergence",
        family="of probabilities",
        tasks=for_classes(PROBABILITIES, PROBABILITIES),
        formula="sum y ln(y / p), both clipped to 1e-7 .. 1;  p = softmax(f)",
        use="targets that are distributions (teachers); on class labels it is cross-entropy",
        paper="Kullback & Leibler 1951",
        aliases=("kld", "kullback_leibler_divergence", "KLD"),
        refusals=refuses_regression("it compares distributions, and the target is a number; take mse or huber"),
        torch="torch.nn.KLDivLoss(reduction='batchmean')  (input ln p, target y)",
        note="Where p_y is below 1e-7 the clip makes its slope 0: prefer cross_entropy for labels.",
    ),
    LossRow(
        name="poisson",
        library="keras",
        class_name="Poisson",
        family="of probabilities",
        tasks=for_classes(PROBABILITIES, PROBABILITIES),
        formula="p - y ln(p + 1e-7), the mean over the outputs;  p = softmax(f)",
        use="made for counts; on class labels it is (1 - ln p_y) / K, a scaled cross-entropy",
        paper="Nelder & Wedderburn 1972",
        refusals=refuses_regression(
            "it needs counts and a rate above 0, and a linear head on a standardised target gives neither"
            " (the log of a negative number is NaN); take msle, or torch's PoissonNLLLoss from a file of"
            " your own"
        ),
        torch="torch.nn.PoissonNLLLoss(log_input=False, eps=1e-7)",
    ),
    LossRow(
        name="dice",
        library="keras",
        class_name="Dice",
        family="of probabilities",
        tasks=for_classes(PROBABILITIES, PROBABILITY),
        formula="1 - 2 sum(y p) / (sum y + sum p + 1e-7), sums over the batch;  p = softmax or sigmoid",
        use="overlap, for a rare class or for pixels; on one-hot classes it is 1 - the mean of p_y",
        paper="Milletari, Navab & Ahmadi 2016",
        settings=(AXIS_OR_ALL,),
        refusals=refuses_regression("it measures the overlap of sets, and the target is a number; take mse or huber"),
        torch="1 - 2 * (y * p).sum() / (y.sum() + p.sum() + 1e-7)",
        note="One number for the whole batch, no mean over examples: it depends on the batch size.",
    ),
    LossRow(
        name="tversky",
        library="keras",
        class_name="Tversky",
        family="of probabilities",
        tasks=for_classes(PROBABILITIES, PROBABILITY),
        formula="1 - TP / (TP + alpha sum((1-p) y) + beta sum(p (1-y)) + 1e-7);  TP = sum(y p)",
        use="Dice with a price each for what is missed and for false alarms",
        paper="Salehi et al. 2017",
        settings=(
            Setting("alpha", 0.5, "weight of what is missed, (1 - p) y", from_=0.0, example=0.7),
            Setting("beta", 0.5, "weight of false alarms, p (1 - y)", from_=0.0),
            AXIS_OR_ALL,
        ),
        refusals=refuses_regression("it measures the overlap of sets, and the target is a number; take mse or huber"),
        torch="1 - tp / (tp + alpha * ((1 - p) * y).sum() + beta * (p * (1 - y)).sum() + 1e-7)",
        note=(
            "alpha and beta are as Keras computes them; its own documentation and the paper name them the"
            " other way round. alpha = beta = 0.5 is dice. One number for the whole batch."
        ),
    ),
)
