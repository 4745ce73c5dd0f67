"""The settings that optimizers of Keras share, each named and explained once."""

from lossopt_cli.catalogue.rows import Setting, Value


def learning_rate(default: float) -> Setting:
    """The base rate; a schedule multiplies it."""
    return Setting(("learning_rate"), default, "the base rate; a schedule multiplies it", above=0.0)


def beta_1(default: float = 0.9, meaning: str = "decay of the mean of gradients, m") -> Setting:
    return Setting("beta_1", default, meaning, from_=0.0, below=1.0)


def beta_2(default: float = 0.999, meaning: str = "decay of the mean of squares, v") -> Setting:
    return Setting("beta_2", default, meaning, from_=0.0, below=1.0)


def epsilon(default: float = 1e-7, meaning: str = "added to sqrt(v)") -> Setting:
    return Setting("epsilon", default, meaning, from_=0.0)


def weight_decay(default: Value = None) -> Setting:
    """Keras: w -= learning_rate * weight_decay * w before the step, whatever the optimizer."""
    return Setting("weight_decay", default, "decoupled: w -= lr * weight_decay * w", from_=0.0, example=0.01)


AMSGRAD = Setting("amsgrad", False, "divide by the largest v so far", kind="switch")

CLIPPING = (
    Setting("clipnorm", None, "largest norm of the gradient of one weight array", above=0.0),
    Setting("clipvalue", None, "largest absolute value of a gradient", above=0.0),
    Setting("global_clipnorm", None, "largest norm of all gradients together", above=0.0),
)
AVERAGING = (
    Setting("use_ema", False, "end with a moving average of the weights", kind="switch"),
    Setting("ema_momentum", 0.99, "decay of that average", from_=0.0, to=1.0),
    Setting("ema_overwrite_frequency", None, "steps between writing it into the weights", kind="integer", from_=1),
)
LARGE_BATCHES = (
    Setting("loss_scale_factor", None, "multiplies the loss, divides the gradients", above=0.0),
    Setting("gradient_accumulation_steps", None, "batches to average before one update", kind="integer", from_=2),
)
# What each group is for, where its settings are not explained one by one.
GROUPS = (
    (CLIPPING, "cut large gradients"),
    (AVERAGING, "end with averaged weights"),
    (LARGE_BATCHES, "scale the loss, gather batches"),
)
SHARED = (*CLIPPING, *AVERAGING, *LARGE_BATCHES)
SHARED_BRANCHES = (
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)
