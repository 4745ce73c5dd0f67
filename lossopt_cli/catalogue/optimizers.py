"""All optimizers that have a name, and the presets.

In the update rules g is the gradient, w a weight, lr the rate of the step, t the step from 1; m, v and u are
kept for every weight and start at 0. Keras shrinks w by lr * weight_decay * w before the step (decoupled) in
every optimizer.
"""

from dataclasses import replace
from types import MappingProxyType

from lossopt_cli.catalogue import lookup
from lossopt_cli.catalogue.adam_family import ADAM_FAMILY
from lossopt_cli.catalogue.optimizer_settings import (
    SHARED,
    SHARED_BRANCHES,
    epsilon,
    learning_rate,
    weight_decay,
)
from lossopt_cli.catalogue.rows import OptimizerRow, Setting, defaults
from lossopt_cli.errors import UsageError

SGD = OptimizerRow(
    name="sgd",
    library="keras",
    class_name="SGD",
    family="plain and momentum",
    update=(
        ("w -= lr g"),
        "momentum b > 0:  u = b u - lr g;  w += u",
        "nesterov:  w += b u - lr g  with the new u",
    ),
    use="the yardstick; with momentum and a schedule still hard to beat on images",
    trade="cheapest, forgets nothing; its best rate moves with every loss, model and batch size",
    paper="Robbins & Monro 1951; momentum Polyak 1964; nesterov Nesterov 1983, Sutskever et al. 2013",
    state="0 (1 with momentum)",
    settings=(
        learning_rate(0.01),
        Setting("momentum", 0.0, "b, share of the last step that is kept", from_=0.0, below=1.0, example=0.9),
        Setting("nesterov", False, "look ahead along the momentum", kind="switch"),
        weight_decay(),
        *SHARED,
    ),
    branches=("momentum", "nesterov", *SHARED_BRANCHES),
    torch="torch.optim.SGD(lr=0.01)",
    differs=(
        "torch: lr 0.001 (Keras 0.01); weight_decay is L2, g += wd w (Keras: decoupled); momentum"
        " holds u = b u + g and lr multiplies it later: another path when lr changes"
    ),
)

OPTIMIZERS: tuple[OptimizerRow, ...] = (
    SGD,
    replace(
        SGD,
        name="momentum",
        aliases=("sgd_momentum",),
        preset=MappingProxyType({"momentum": 0.9}),
        update=("u = 0.9 u - lr g;  w += u",),
        use="SGD with momentum 0.9: steps up to ten times longer where gradients agree",
        trade="the standard for images; may overshoot and oscillate where the rate is too high",
        paper="Polyak 1964",
        state="1",
        torch="torch.optim.SGD(lr=0.01, momentum=0.9)",
    ),
    replace(
        SGD,
        name="nesterov",
        aliases=("nag",),
        preset=MappingProxyType({"momentum": 0.9, "nesterov": True}),
        update=("u = 0.9 u - lr g;  w += 0.9 u - lr g",),
        use="momentum that looks where it is going to land; brakes a little earlier",
        trade="as momentum; seldom worse, seldom much better",
        paper="Nesterov 1983; in this form Sutskever et al. 2013",
        state="1",
        torch="torch.optim.SGD(lr=0.01, momentum=0.9, nesterov=True)",
    ),
    OptimizerRow(
        name="rmsprop",
        library="keras",
        class_name="RMSprop",
        family="adaptive, by squares",
        update=(
            "v = rho v + (1 - rho) g^2",
            "w -= lr g / sqrt(v + epsilon)",
            "centered: v - mean(g)^2 for v;  momentum b > 0: u = b u + that step;  w -= u",
        ),
        use="recurrent networks and reinforcement learning; a simple adaptive rate",
        trade="no bias correction: the first steps are about 1/sqrt(1 - rho) = 3 times larger",
        paper="Tieleman & Hinton 2012 (lecture 6.5)",
        state="1",
        settings=(
            learning_rate(0.001),
            Setting("rho", 0.9, "decay of the mean of squares, v", from_=0.0, below=1.0),
            Setting("momentum", 0.0, "b, share of the last step that is kept", from_=0.0, below=1.0, example=0.9),
            epsilon(meaning="inside the root: sqrt(v + epsilon)"),
            Setting("centered", False, "divide by the deviation instead of the root mean square", "switch"),
            weight_decay(),
            *SHARED,
        ),
        branches=("momentum", "centered", *SHARED_BRANCHES),
        torch="torch.optim.RMSprop(lr=0.001, alpha=0.9)",
        differs=(
            "torch: lr 0.01 (Keras 0.001), alpha 0.99 (rho 0.9), eps 1e-8 outside the root (1e-7 inside);"
            " weight_decay is L2 (Keras: decoupled)"
        ),
    ),
    OptimizerRow(
        name="adagrad",
        library="keras",
        class_name="Adagrad",
        family="adaptive, by squares",
        update=("v += g^2", "w -= lr g / sqrt(v + epsilon)"),
        use="sparse inputs: rare features keep large steps",
        trade="v only grows, so the steps only shrink; wants a high rate (0.01 to 1), no schedule",
        paper="Duchi, Hazan & Singer 2011",
        state="1",
        settings=(
            learning_rate(0.001),
            Setting("initial_accumulator_value", 0.1, "v before the first step", from_=0.0, example=0.0),
            epsilon(meaning="inside the root: sqrt(v + epsilon)"),
            weight_decay(),
            *SHARED,
        ),
        branches=SHARED_BRANCHES,
        torch="torch.optim.Adagrad(lr=0.001, initial_accumulator_value=0.1)",
        differs=(
            "torch: lr 0.01 (Keras 0.001), v starts at 0 (0.1), eps 1e-10 outside the root (1e-7 inside);"
            " weight_decay is L2 (Keras: decoupled)"
        ),
    ),
    OptimizerRow(
        name="adadelta",
        library="keras",
        class_name="Adadelta",
        family="adaptive, by squares",
        update=(
            "v = rho v + (1 - rho) g^2",
            "d = sqrt(u + epsilon) / sqrt(v + epsilon) g;  u = rho u + (1 - rho) d^2",
            "w -= lr d",
        ),
        use="the paper's promise is no learning rate: lr 1.0",
        trade="slow to start, for its first steps have size sqrt(epsilon); Keras's lr 0.001 hardly moves",
        paper="Zeiler 2012",
        state="2",
        settings=(
            learning_rate(0.001),
            Setting("rho", 0.95, "decay of both means of squares", from_=0.0, below=1.0),
            epsilon(meaning="inside both roots; sets the size of the first steps"),
            weight_decay(),
            *SHARED,
        ),
        branches=SHARED_BRANCHES,
        torch="torch.optim.Adadelta(lr=0.001, rho=0.95, eps=1e-7)",
        differs=(
            "torch and the paper: lr 1.0 (Keras 0.001: take --lr 1 for the paper's); torch: rho 0.9 (0.95),"
            " eps 1e-6 (1e-7); weight_decay is L2 (Keras: decoupled)"
        ),
    ),
    OptimizerRow(
        name="ftrl",
        library="keras",
        class_name="Ftrl",
        family="adaptive, by squares",
        update=(
            "s = (sqrt(v + g^2) - sqrt(v)) / lr;  z += g - s w;  v += g^2",
            "w = (clip(z, -l1, l1) - z) / (sqrt(v)/lr + 2 l2 + beta/lr)",
        ),
        use="linear models on sparse data (clicks): l1 makes weights exactly 0",
        trade="steps shrink as Adagrad's; the first update forgets the initial weights: no deep networks",
        paper="McMahan et al. 2013",
        state="2",
        settings=(
            learning_rate(0.001),
            Setting("learning_rate_power", -0.5, "steps fall as v to this power; at most 0", to=0.0),
            Setting("initial_accumulator_value", 0.1, "v before the first step", from_=0.0),
            Setting("l1_regularization_strength", 0.0, "l1, makes small weights 0", from_=0.0),
            Setting("l2_regularization_strength", 0.0, "l2, shrinks weights", from_=0.0),
            Setting("l2_shrinkage_regularization_strength", 0.0, "adds 2 times this w to g", from_=0.0),
            Setting("beta", 0.0, "makes the first steps smaller", from_=0.0),
            weight_decay(),
            *SHARED,
        ),
        branches=SHARED_BRANCHES,
        torch="torch has none",
        differs=(
            "torch has no FTRL. With all strengths 0 it is Adagrad but for the first step: z starts at 0"
            " and not at the initial weights, so these are lost"
        ),
    ),
    OptimizerRow(
        name="lion",
        library="keras",
        class_name="Lion",
        family="by sign and by shape",
        update=("w -= lr sign(beta_1 m + (1 - beta_1) g)", "m = beta_2 m + (1 - beta_2) g"),
        use="large models and batches, half of Adam's memory",
        trade="every weight moves by lr each step: take a rate 3 to 10 times below Adam's, and more decay",
        paper="Chen et al. 2023",
        state="1",
        settings=(
            learning_rate(0.001),
            Setting("beta_1", 0.9, "share of m in the direction", above=0.0, to=1.0),
            Setting("beta_2", 0.99, "decay of m", from_=0.0, below=1.0),
            weight_decay(),
            *SHARED,
        ),
        branches=SHARED_BRANCHES,
        torch="torch.optim has none; pytorch_optimizer.Lion(lr=0.001)",
        differs=("The paper's rate is 1e-4 with weight_decay 0.1 to 1; Keras's default is Adam's 0.001, high for Lion"),
    ),
    OptimizerRow(
        name="muon",
        library="keras",
        class_name="Muon",
        family="by sign and by shape",
        update=(
            "m = b m + g;  d = g + b m, its singular values made about 1",
            "w -= lr rms_rate sqrt(rows or columns, the larger) d     for matrices",
            "AdamW for the rest: biases, convolutions, embeddings",
        ),
        use="hidden dense layers of large networks; fewer steps than AdamW there",
        trade="five products of matrices a step; on small networks the time goes into them",
        paper="Jordan et al. 2024; Liu et al. 2025 (rms_rate)",
        state="1 (2 where AdamW)",
        settings=(
            learning_rate(0.001),
            Setting("adam_beta_1", 0.9, "of the AdamW part: decay of m", from_=0.0, below=1.0),
            Setting("adam_beta_2", 0.999, "of the AdamW part: decay of v", from_=0.0, below=1.0),
            Setting("adam_weight_decay", 0.004, "of the AdamW part, decoupled", from_=0.0),
            epsilon(meaning="of the AdamW part: added to sqrt(v)"),
            weight_decay(0.004),
            *SHARED,
            Setting("exclude_layers", None, "patterns of layer paths that AdamW trains", kind="words"),
            Setting("exclude_embeddings", True, "AdamW trains embeddings", kind="switch"),
            Setting("muon_a", 3.4445, "Newton-Schulz: a x + b x^3 + c x^5"),
            Setting("muon_b", -4.775, "b of it"),
            Setting("muon_c", 2.0315, "c of it"),
            Setting("adam_lr_ratio", 1, "rate of the AdamW part over that of the matrices", above=0.0),
            Setting("momentum", 0.95, "b, share of the mean of gradients that is kept", from_=0.0, below=1.0),
            Setting("ns_steps", 5, "Newton-Schulz steps", kind="integer", from_=1),
            Setting("nesterov", True, "look ahead along the momentum", kind="switch"),
            Setting(
                "rms_rate", 0.2, "size of a step against Adam's; null is the first Muon's 1", nullable=True, above=0.0
            ),
        ),
        branches=(
            "exclude_layers",
            "exclude_embeddings",
            "ns_steps",
            "nesterov",
            "rms_rate",
            *SHARED_BRANCHES,
        ),
        torch="torch.optim.Muon(lr=0.001, weight_decay=0.004, adjust_lr_fn='match_rms_adamw')",
        differs=(
            "torch: matrices only (give the rest to AdamW yourself), weight_decay 0.1 (Keras 0.004), scale"
            " max(1, rows/columns)^0.5 unless adjust_lr_fn='match_rms_adamw' (Keras's). Keras trains the"
            " last layer with Muon too; Jordan advises AdamW there: exclude_layers"
        ),
    ),
    *ADAM_FAMILY,
)

FOREIGN = ("torch.", "pytorch_optimizer.", "schedulefree.")


def default_rate(name: str) -> float | None:
    """The learning rate that its row has; None for one without a row: a user's, another library's, an unknown one."""
    try:
        row = optimizer_named(name)
    except UsageError:
        return None
    return None if row is None else defaults(row).get("learning_rate")


def optimizer_named(name: str, where: str | None = None) -> OptimizerRow | None:
    """The optimizer of that name, or None for one of another library (`torch.NAME`, ...) or of a user's file.

    UsageError with the nearest names where there is none.
    """
    if name.startswith(FOREIGN) or ".py:" in name:
        return None
    return lookup.find(OPTIMIZERS, name, "optimizer", where)
