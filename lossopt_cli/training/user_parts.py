"""The user's own loss, model and data, built and checked before anything is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.training.user_code import UserObject, running
from lossopt_cli.training.user_faults import NO_GRADIENT, tensorflow_remedy
from lossopt_cli.training.user_signatures import Settings, Signature, arguments, described, signature_of

if TYPE_CHECKING:
    import torch

Convention = Literal["keras", "torch"]

# Settings of every user's loss that are lossopt's, unless the signature has them: see catalogue.rows.Fit.
RESERVED = {
    "targets": ("integer", "one_hot", "binary", "signs", "numbers"),
    "reads": ("logits", "probabilities", "scores", "values"),
}
LOSS_FORM = (
    "a function (y_true, y_pred, settings with defaults), a class or instance of keras.losses.Loss or "
    "torch.nn.Module, or a function of settings alone that returns one"
)

# The names by which the order of a loss's arguments is known.
_PREDICTED = (
    *("input", "inputs", "output", "outputs", "pred", "preds", "prediction", "predictions"),
    *("y_pred", "y_hat"),
)
_TRUE = ("target", "targets", "label", "labels", "truth", "y_true", "y")


@dataclass(frozen=True)
class UserLoss:
    """A loss of the user's. function: (y_true, y_pred) -> scalar, per example or per element, whatever the
    user's own order is, which `convention` says: "keras" (y_true, y_pred) or "torch" (input, target).

    targets, reads: what the user said of its encoding and of what it is given; None where nothing was said.
    """

    obj: UserObject
    function: Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
    convention: Convention
    settings_resolved: Mapping[str, Any]
    targets: str | None = None
    reads: str | None = None

    def __call__(self, y_true: "torch.Tensor", y_pred: "torch.Tensor") -> "torch.Tensor":
        """The scalar that is minimised: the mean of what the function returns, as in Keras."""
        value = self.function(y_true, y_pred)
        return value.mean() if value.ndim else value

    def check(self, y_true: "torch.Tensor", y_pred: "torch.Tensor") -> None:
        """Calls it once on a first batch (y_pred must require a gradient); UsageError for whatever is wrong
        with it.
        """
        try:
            with running(self.obj, f"{self.obj.name} cannot be called with (y_true, y_pred)"):
                value = self.function(y_true, y_pred)
        except UsageError as error:
            given = f"y_true was {_array(y_true)}, y_pred {_array(y_pred)}"
            if self.targets is None and _is_one_hot(y_true):
                given += f"; y_true is one-hot, for class numbers: {self.obj.path.name}:{self.obj.name}:targets=integer"
            faults = [fault if fault.remedy else replace(fault, remedy=given) for fault in error.faults]
            raise UsageError(*faults) from error
        check_loss_value(value, len(y_pred), self.obj.name, self.obj.where or self.obj.reference, tuple(y_pred.shape))


def _array(tensor: "torch.Tensor") -> str:
    """`float32 of shape [32, 10]`."""
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {list(tensor.shape)}"


def _is_one_hot(y_true: "torch.Tensor") -> bool:
    wide = y_true.ndim == 2 and y_true.shape[1] > 1
    return wide and bool(((y_true == 0) | (y_true == 1)).all()) and bool((y_true.sum(dim=1) == 1).all())


def make_loss(obj: UserObject, settings: Settings) -> UserLoss:
    """The loss that the user's object and its settings mean.

    Two or more positional parameters without default and not among the settings (or *args) make a loss
    function; any other function, and every class, is called with the settings and must return a loss. Raises
    UsageError.
    """
    signature = _signature(obj, _called(obj.value))
    own, reserved = _split_reserved(obj, settings, signature)
    if not isinstance(obj.value, type) and _takes_two(signature, own):
        loss, resolved = obj.value, {}
        if own or signature.named(2):
            matched = arguments(obj, signature, own, leading=2)
            loss, resolved = partial(obj.value, **matched.keywords), matched.resolved
    else:
        loss, resolved = _from_factory(obj, signature, own)
    _refuse_layers(obj, loss)
    names = [p.name for p in _signature(obj, _called(loss)).positional[:2]]
    convention = _convention(loss, names)
    function = loss if convention == "keras" else lambda y_true, y_pred: loss(y_pred, y_true)
    return UserLoss(obj, function, convention, resolved, **reserved)


def _from_factory(obj: UserObject, signature: Signature, settings: Settings) -> tuple[Callable, Mapping[str, Any]]:
    missing = [p.name for p in signature.positional if p.default is p.empty and p.name not in settings]
    if len(missing) == 1 and not isinstance(obj.value, type):
        remedy = f"as a function of settings, it needs {missing[0]}=..."
        raise UsageError(
            obj.fault(f"{obj.name}{signature} takes one argument, not (y_true, y_pred)", LOSS_FORM, remedy)
        )
    matched = arguments(obj, signature, settings)
    with running(obj, f"{obj.name} cannot be called with its settings"):
        loss = obj.value(**matched.keywords)
    if not callable(loss) or isinstance(loss, type) or not _takes_two(_signature(obj, _called(loss)), {}):
        raise UsageError(obj.fault(f"{obj.name}(...) returned {described(loss)}, not a loss", LOSS_FORM))
    return loss, matched.resolved


def _called(loss: Callable) -> Callable:
    """What runs when the loss is called: where the order of its arguments can be read."""
    import keras
    import torch

    if isinstance(loss, keras.losses.Loss):
        return loss.call
    return loss.forward if isinstance(loss, torch.nn.Module) else loss


def _signature(obj: UserObject, value: Any) -> Signature:
    if not callable(value):
        raise UsageError(obj.fault(f"{obj.name} is {described(value)}, which cannot be called"))
    signature = signature_of(value)
    if signature is None:
        remedy = f"put it into a function of your own: def my_{obj.name}(...)"
        raise UsageError(obj.fault(f"{obj.name} does not tell its signature", remedy=remedy))
    return signature


def _takes_two(signature: Signature, settings: Settings) -> bool:
    required = [p for p in signature.positional if p.default is p.empty and p.name not in settings]
    return signature.takes_many or len(required) >= 2


def _convention(loss: Callable, names: list[str]) -> Convention:
    """By the names of the first two parameters where they say it; else (input, target) for a torch module
    only.
    """
    import torch

    if len(names) == 2 and names[0] in _PREDICTED and names[1] in _TRUE:
        return "torch"
    if len(names) == 2 and names[0] in _TRUE and names[1] in _PREDICTED:
        return "keras"
    return "torch" if isinstance(loss, torch.nn.Module) else "keras"


def _refuse_layers(obj: UserObject, loss: Callable) -> None:
    """Refuses a Keras layer (a torch module too), and a loss with weights, which would not be trained."""
    import keras
    import torch

    if isinstance(loss, keras.layers.Layer):
        raise UsageError(obj.fault(f"{obj.name} is a Keras layer, not a loss", LOSS_FORM))
    if isinstance(loss, torch.nn.Module) and any(p.requires_grad for p in loss.parameters()):
        remedy = "put them into the model, or make them buffers"
        raise UsageError(obj.fault(f"{obj.name} has weights of its own, which would not be trained", remedy=remedy))


def _split_reserved(obj: UserObject, settings: Settings, signature: Signature) -> tuple[dict, dict[str, str]]:
    """(the loss's own settings, `targets` and `reads`)."""
    ours = {k: v for k, v in settings.items() if k in RESERVED and k not in signature.names()}
    faults = []
    for key, value in ours.items():
        if value not in RESERVED[key]:
            close = nearest(str(value), RESERVED[key])
            remedy = f"did you mean {close[0]}?" if close else None
            faults.append(obj.fault(f"{key} cannot be '{value}'", " or ".join(RESERVED[key]), remedy))
    if faults:
        raise UsageError(*faults)
    return {k: v for k, v in settings.items() if k not in ours}, ours


def check_loss_value(
    value: Any,
    batch: int,
    name: str = "the loss",
    where: str | None = None,
    outputs: tuple[int, ...] | None = None,
) -> None:
    """A loss's value must be a finite float tensor with a gradient: a scalar, [batch], or one value an
    element.

    batch: examples in it; outputs: the shape of y_pred, where values per element are allowed. Raises
    UsageError.
    """
    import torch

    right = "a float tensor: a scalar, or one value an example"
    if not isinstance(value, torch.Tensor):
        library = type(value).__module__.partition(".")[0]
        remedy = "add the return statement" if value is None else NO_GRADIENT
        remedy = tensorflow_remedy("") if library == "tensorflow" else remedy
        raise UsageError(Fault(f"{name} returned {described(value)}", where, right, remedy))
    shape = tuple(value.shape)
    if shape not in ((), (batch,), (batch, 1), outputs):
        remedy = "y_true and y_pred of different shapes broadcast; average with keras.ops.mean(..., axis=-1)"
        what = f"{name} returned a tensor of shape {list(shape)} for a batch of {batch}"
        raise UsageError(Fault(what, where, f"a scalar or shape [{batch}]", remedy))
    if not value.dtype.is_floating_point:
        raise UsageError(Fault(f"{name} returned {str(value.dtype).removeprefix('torch.')} values", where, right))
    if not value.requires_grad:
        raise UsageError(Fault(f"{name} returned a tensor without a gradient", where, right, NO_GRADIENT))
    if not bool(torch.isfinite(value).all()):
        kind = "NaN" if bool(torch.isnan(value).any()) else "infinite"
        remedy = "look for a logarithm, a root or a division whose argument can be 0 or negative"
        raise UsageError(Fault(f"{name} is {kind} on the first batch, before any step", where, "finite values", remedy))


def make_data(obj: UserObject, settings: Settings) -> Any:
    """What the user's function returns for the settings; the object itself, where it is no function."""
    if not callable(obj.value):
        if settings:
            raise UsageError(obj.fault(f"{obj.name} is {described(obj.value)} and takes no settings"))
        return obj.value
    matched = arguments(obj, _signature(obj, obj.value), settings)
    with running(obj, f"{obj.name} cannot be called with its settings"):
        return obj.value(**matched.keywords)
