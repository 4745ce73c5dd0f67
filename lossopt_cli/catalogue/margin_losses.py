"""The losses of Keras that read raw scores of classes, and the two that no task here can use.

y is the target, one-hot [N, K] or -1/+1; f are the raw outputs of the linear head; f_y is the right class's.
Scores order the classes; they are no probabilities, so a run with these losses has no cross_entropy.
"""

from lossopt_cli.catalogue.fits import AXIS, SCORES, SIGN, SIGNS, for_classes, refuses_all, refuses_regression
from lossopt_cli.catalogue.rows import LossRow, Setting

MARGIN_LOSSES = (
    LossRow(
        name="hinge",
        library="keras",
        class_name="Hinge",
        family="of margins",
        tasks=for_classes(SIGNS, SIGN),
        formula="max(1 - y f, 0), the mean over the outputs;  y = -1 or +1",
        use="the margin of support vector machines; right and sure examples cost nothing",
        paper="Cortes & Vapnik 1995",
        refusals=refuses_regression(),
        torch="(1 - y * f).clamp(min=0).mean()  (HingeEmbeddingLoss is another loss)",
        note="Targets are -1 and +1. On K classes each output is told one against the rest.",
    ),
    LossRow(
        name="squared_hinge",
        library="keras",
        class_name="SquaredHinge",
        family="of margins",
        tasks=for_classes(SIGNS, SIGN),
        formula="max(1 - y f, 0)^2, the mean over the outputs;  y = -1 or +1",
        use="a hinge without a corner that minds large mistakes more",
        paper="Lee & Mangasarian 2001; Tang 2013",
        refusals=refuses_regression(),
        torch="(1 - y * f).clamp(min=0).square().mean()",
        note="Targets are -1 and +1. On K classes each output is told one against the rest.",
    ),
    LossRow(
        name="categorical_hinge",
        library="keras",
        class_name="CategoricalHinge",
        family="of margins",
        tasks=for_classes(SCORES, SCORES),
        formula="max(1 + max(0, the largest f of a wrong class) - f_y, 0)",
        use="the margin between the right class and its strongest rival",
        paper="Crammer & Singer 2001",
        refusals=refuses_regression(),
        torch="torch.nn.MultiMarginLoss()  (sums over all rivals, divides by K)",
        note=(
            "Keras takes the maximum of (1 - y) f, which holds a 0 in the place of the right class:"
            " outputs below 0 of the rivals do not count, so f_y must reach 1 whatever they are."
        ),
    ),
    LossRow(
        name="cosine_similarity",
        library="keras",
        class_name="CosineSimilarity",
        family="of margins",
        tasks=for_classes(SCORES, SCORES),
        formula="-sum y f / (|y| |f|) = -f_y / |f| on one-hot targets; from -1 to 1",
        use="the direction of the outputs, not their size; small data, embeddings",
        paper="Barz & Denzler 2020",
        settings=(AXIS,),
        aliases=("cosine",),
        refusals=refuses_regression(
            "with one output the cosine is a sign, 1 or -1, without a slope; take mse or huber"
        ),
        torch="-F.cosine_similarity(f, y).mean()  (CosineEmbeddingLoss is 1 - cos)",
        note="The minus is Keras's: -1 is best. Two classes take two units, for the cosine of one is a sign.",
    ),
)

REFUSED = (
    LossRow(
        name="ctc",
        library="keras",
        class_name="CTC",
        family="of sequences",
        tasks={},
        formula="-ln of the sum of p over all ways to stretch the labels over the time steps",
        use="speech and handwriting: a sequence of labels without their times",
        paper="Graves et al. 2006",
        aliases=("connectionist_temporal_classification",),
        refusals=refuses_all(
            "it aligns a sequence of outputs with a sequence of labels; here an example has one label and"
            " one output vector, so there is nothing to align; take cross_entropy (classes) or mse"
            " (numbers)"
        ),
        torch="torch.nn.CTCLoss()",
    ),
    LossRow(
        name="circle",
        library="keras",
        class_name="Circle",
        family="of embeddings",
        tasks={},
        formula="softplus(ln sum exp(gamma a_n (s_n - margin)) + ln sum exp(-gamma a_p (s_p - 1 + margin)))",
        use="faces and retrieval: pulls examples of a class together, pushes the others away",
        paper="Sun et al. 2020",
        settings=(
            Setting("gamma", 80.0, "scale of the similarities", above=0.0),
            Setting("margin", 0.4, "slack of the similarities, 0 to 1", from_=0.0, to=1.0),
            Setting("remove_diagonal", True, "leave out each example's distance to itself", kind="switch"),
        ),
        refusals=refuses_all(
            "it arranges embeddings and names no class, so there is no prediction to score; take"
            " cross_entropy (classes) or mse (numbers)"
        ),
        torch="torch has none; pytorch_metric_learning.losses.CircleLoss",
    ),
)
