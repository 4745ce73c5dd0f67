"""The losses of Keras that measure an error e = y - f between numbers; y is the target, f the raw output.

Targets are standardised unless `data.scale_target: false`, so an error of 1 is one standard deviation of the
target. On classes the same formulas compare the outputs with a one-hot vector.
"""

from types import MappingProxyType

from lossopt_cli.catalogue.fits import NUMBERS, SCORE, SCORES, everywhere, refuses_classes
from lossopt_cli.catalogue.rows import Fit, LossRow, Setting

_EVERYWHERE = everywhere(SCORES, SCORE, NUMBERS)

NUMBER_LOSSES = (
    LossRow(
        name="mse",
        library="keras",
        class_name="MeanSquaredError",
        family="errors of numbers",
        tasks=_EVERYWHERE,
        formula="e^2, the mean over the outputs; e = y - f",
        use="the mean of the target given the input; errors without heavy tails",
        paper="Legendre 1805; on classes Hui & Belkin 2021",
        aliases=("mean_squared_error", "l2"),
        torch="torch.nn.MSELoss()",
        note=("No factor 1/2: the slope is 2e. On K classes the mean over K makes slopes K times smaller than a sum."),
    ),
    LossRow(
        name="mae",
        library="keras",
        class_name="MeanAbsoluteError",
        family="errors of numbers",
        tasks=_EVERYWHERE,
        formula="|e|, the mean over the outputs; e = y - f",
        use="the median of the target; a single wild target pulls no harder than any other",
        paper="Boscovich 1757; Laplace 1774",
        aliases=("mean_absolute_error", "l1"),
        torch="torch.nn.L1Loss()",
        note=(
            "The slope is 1 however small the error: let the learning rate fall towards the end. On many"
            " classes it learns slowly or not at all, for all zeros is the median of a one-hot target."
        ),
    ),
    LossRow(
        name="huber",
        library="keras",
        class_name="Huber",
        family="errors of numbers",
        tasks=_EVERYWHERE,
        formula="e^2/2 while |e| <= delta, delta (|e| - delta/2) beyond; e = y - f",
        use="numbers with outliers; between mse and mae",
        paper="Huber 1964",
        settings=(
            Setting(
                "delta", 1.0, "where the parabola ends, in units of the standardised target", above=0.0, example=0.5
            ),
        ),
        torch="torch.nn.HuberLoss(delta=1.0);  SmoothL1Loss(beta=b) = Huber(b)/b",
    ),
    LossRow(
        name="log_cosh",
        library="keras",
        class_name="LogCosh",
        family="errors of numbers",
        tasks=_EVERYWHERE,
        formula="ln cosh(f - y): near e^2/2 for small errors, |e| - ln 2 for large ones",
        use="a smooth Huber without a setting: its slope is tanh e",
        paper="Green 1990; Saleh & Saleh 2022",
        torch="(e + F.softplus(-2 * e) - math.log(2)).mean()",
    ),
    LossRow(
        name="mape",
        library="keras",
        class_name="MeanAbsolutePercentageError",
        family="errors of numbers",
        tasks=MappingProxyType({"regression": Fit("numbers", "one", "values", own_units=True, domain="not zero")}),
        formula="100 |y - f| / max(|y|, 1e-7)",
        use="positive targets of very different size, where 10 % off is as bad for small as for large",
        paper="de Myttenaere et al. 2016",
        aliases=("mean_absolute_percentage_error",),
        refusals=refuses_classes(
            "a one-hot target is mostly 0, and a percentage of 0 is infinite (Keras divides by 1e-7);"
            " take cross_entropy"
        ),
        torch="(100 * ((y - f) / y.abs().clamp(min=1e-7)).abs()).mean()",
        note=(
            "Computed in the target's own units, since percentages of a standardised target, which lies"
            " around 0, mean nothing. Its best constant answer is below the median."
        ),
    ),
    LossRow(
        name="msle",
        library="keras",
        class_name="MeanSquaredLogarithmicError",
        family="errors of numbers",
        tasks=MappingProxyType({"regression": Fit("numbers", "one", "values", own_units=True, domain="not negative")}),
        formula="(ln(1 + max(y, 1e-7)) - ln(1 + max(f, 1e-7)))^2",
        use="prices and counts over several orders of magnitude: the ratio matters, not the difference",
        paper="no one paper; known as RMSLE, the root of it",
        aliases=("mean_squared_logarithmic_error",),
        refusals=refuses_classes("it measures the ratio of sizes, and classes have none; take cross_entropy"),
        torch="F.mse_loss(f.clamp(min=1e-7).log1p(), y.clamp(min=1e-7).log1p())",
        note=(
            "Computed in the target's own units, for a standardised target is negative half of the time."
            " Where the model predicts less than 0 the slope is 0. mse on ln(1 + y) is the sturdier way."
        ),
    ),
)
