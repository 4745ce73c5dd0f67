"""The user's own optimizer, and those of torch libraries by name: Keras instances, or factories for torch."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossopt_cli.catalogue.lookup import nearest, plain
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.training.user_code import Running, UserObject, running
from lossopt_cli.training.user_signatures import Settings, Signature, arguments, described, signature_of

if TYPE_CHECKING:
    import keras
    import torch

OPTIMIZER_FORM = (
    "a class of keras.optimizers.Optimizer or torch.optim.Optimizer, or a function that gives one: "
    "of settings for Keras, of params and settings for torch"
)
RATES = ("learning_rate", "lr")
PACKAGES = {"torch": "torch.optim", "pytorch_optimizer": "pytorch_optimizer", "schedulefree": "schedulefree"}

# What a signature does not say. Closures, wrappers and Hessians that it does say are found by _reason.
_GROUPS = "it needs parameter groups marked use_muon; Keras's muon sorts the weights itself"
REFUSED = {
    "torch.Muon": "it takes matrices only, and models have biases; Keras's muon gives those to AdamW",
    "torch.SparseAdam": "it takes sparse gradients only, and those of a Keras model are dense",
    "pytorch_optimizer.AliG": "it needs the loss within its step, through a closure",
    "pytorch_optimizer.BSAM": "it needs a closure that computes loss and gradients again within a step",
    "pytorch_optimizer.AdaGO": _GROUPS,
    "pytorch_optimizer.AdaMuon": _GROUPS,
    "pytorch_optimizer.Muon": _GROUPS,
    "pytorch_optimizer.MuonClip": _GROUPS,
    "pytorch_optimizer.NorMuon": _GROUPS,
    "pytorch_optimizer.DistributedMuon": "it needs several processes",
    "pytorch_optimizer.SpectralSphere": "it takes matrices only, and models have biases",
}


@dataclass(frozen=True)
class KerasOptimizer:
    """An optimizer of the user's for Keras, as constructed. learning_rate: of the settings or the signature,
    where it is a number; settings_resolved: without it, plain values only.
    """

    optimizer: "keras.optimizers.Optimizer"
    learning_rate: float | None
    settings_resolved: Mapping[str, Any]


@dataclass(frozen=True)
class TorchFactory:
    """params -> a torch optimizer. modes: it has train() and eval(), and evaluates at other weights than it
    trains at (schedule-free optimizers); learning_rate and settings_resolved as in KerasOptimizer.
    """

    name: str
    build: Callable[[Iterable["torch.nn.Parameter"]], "torch.optim.Optimizer"]
    learning_rate: float | None
    settings_resolved: Mapping[str, Any]
    modes: bool = False
    files: frozenset[Path] = frozenset()
    where: str | None = None

    def __call__(self, params: Iterable["torch.nn.Parameter"]) -> "torch.optim.Optimizer":
        """A new optimizer of these parameters; UsageError where it does not take them."""
        import torch

        with Running(self.files, self.where, f"{self.name} cannot be constructed"):
            optimizer = self.build(list(params))
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise UsageError(Fault(f"{self.name} gave {described(optimizer)}", self.where, OPTIMIZER_FORM))
        _refuse(self.name, self.where, type(optimizer))
        return optimizer


def make_optimizer(obj: UserObject, settings: Settings, learning_rate: float | None) -> KerasOptimizer | TorchFactory:
    """The optimizer that the user's object and its settings mean.

    learning_rate: what the user set, None where nothing was; it is passed as `learning_rate` or `lr`,
    whichever the signature has, and setting it for a signature without either is an error. Raises UsageError.
    """
    import keras
    import torch

    if isinstance(obj.value, keras.optimizers.Optimizer):
        return _ready(obj, settings, learning_rate)
    signature = signature_of(obj.value) if callable(obj.value) else None
    if signature is None:
        raise UsageError(obj.fault(f"{obj.name} is {described(obj.value)}", OPTIMIZER_FORM))
    where = obj.where or obj.reference
    torch_class = isinstance(obj.value, type) and issubclass(obj.value, torch.optim.Optimizer)
    first = signature.positional[0].name if signature.positional else ""
    if torch_class or first in ("params", "parameters"):
        if torch_class:
            _refuse(obj.name, where, obj.value)
        factory = _torch_factory(obj, obj.value, signature, settings, learning_rate)
        return replace(factory, files=obj.files, where=where)
    own, rate = _with_rate(obj, signature, settings, learning_rate, "learning_rate")
    matched = arguments(obj, signature, own)
    with running(obj, f"{obj.name} cannot be constructed"):
        optimizer = obj.value(**matched.keywords)
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        remedy = "its first parameter must be named params" if isinstance(optimizer, torch.optim.Optimizer) else None
        raise UsageError(obj.fault(f"{obj.name} gave {described(optimizer)}", OPTIMIZER_FORM, remedy))
    return KerasOptimizer(optimizer, rate, _without_rate(matched.resolved))


def needs_rate(obj: UserObject, settings: Settings) -> bool:
    """Whether its signature has a learning rate without a default, which the settings do not give either."""
    signature = signature_of(obj.value) if callable(obj.value) else None
    if signature is None or any(name in settings for name in RATES):
        return False
    return any(p.name in RATES and p.default is p.empty for p in signature.named())


def named_torch_optimizer(
    name: str, settings: Settings, learning_rate: float | None, where: str | None = None
) -> TorchFactory:
    """`torch.NAME`, `pytorch_optimizer.NAME` or `schedulefree.NAME` with settings that its signature has.

    Names match without case and underscores. Raises UsageError for a package that is not installed, an
    unknown name or setting, and an optimizer that an ordinary step cannot drive, with the reason.
    """
    full, found = class_named(name, where)
    _refuse(full, where, found)
    return _torch_factory(_Named(full, where), found, signature_of(found), settings, learning_rate)


def class_named(name: str, where: str | None) -> tuple[str, type]:
    """(its full name, the class) of an optimizer of another library. UsageError where there is none."""
    prefix, _, wanted = name.partition(".")
    if prefix not in PACKAGES or not wanted:
        raise UsageError(Fault(f"unknown optimizer '{name}'", where, f"{', '.join(p + '.NAME' for p in PACKAGES)}"))
    table = _classes(prefix, where)
    found = {plain(n): n for n in table}.get(plain(wanted))
    if found is None:
        close = [f"{prefix}.{n}" for n in nearest(wanted, table)] or [f"{prefix}.{n}" for n in sorted(table)[:8]]
        raise UsageError(
            Fault(f"unknown optimizer '{name}'", where, remedy=f"{PACKAGES[prefix]} has {', '.join(close)}")
        )
    return f"{prefix}.{found}", table[found]


@dataclass(frozen=True)
class _Named:
    """What errors say of an optimizer that is no user object."""

    name: str
    where: str | None

    @property
    def reference(self) -> str:
        return self.name

    def fault(self, what: str, expected: str | None = None, remedy: str | None = None) -> Fault:
        return Fault(what, self.where, expected, remedy)


def _classes(prefix: str, where: str | None) -> dict[str, type]:
    """The public optimizer classes of a package by name."""
    import torch

    try:
        module = importlib.import_module(PACKAGES[prefix])
    except ModuleNotFoundError as error:
        if error.name != prefix:
            raise
        remedy = f"pip install {prefix}"
        raise UsageError(Fault(f"{prefix} is not installed", where, remedy=remedy)) from error
    # schedulefree's wrapper is a class of its own beside torch's; all others inherit from
    # torch.optim.Optimizer.
    classes = {n: v for n, v in vars(module).items() if isinstance(v, type) and not n.startswith("_")}
    return {n: v for n, v in classes.items() if issubclass(v, torch.optim.Optimizer) and v is not torch.optim.Optimizer}


def _torch_factory(
    obj: UserObject | _Named,
    value: Callable,
    signature: Signature,
    settings: Settings,
    learning_rate: float | None,
) -> TorchFactory:
    own, rate = _with_rate(obj, signature, settings, learning_rate, "lr")
    matched = arguments(obj, signature, own, leading=1)
    modes = {"train", "eval"} <= set(dir(value))
    return TorchFactory(
        obj.name,
        lambda params: value(params, **matched.keywords),
        rate,
        _without_rate(matched.resolved),
        modes,
        where=obj.where,
    )


def _with_rate(
    obj: UserObject | _Named,
    signature: Signature,
    settings: Settings,
    learning_rate: float | None,
    usual: str,
) -> tuple[dict[str, Any], float | None]:
    """(settings with the learning rate under the signature's own name, the rate in force where it is a
    number).
    """
    rates = [settings[k] for k in RATES if k in settings] + ([] if learning_rate is None else [learning_rate])
    own = {k: v for k, v in settings.items() if k not in RATES}
    if any(rate != rates[0] for rate in rates):
        said = " and ".join(str(rate) for rate in rates)
        raise UsageError(obj.fault(f"two learning rates for {obj.name}: {said}", "one"))
    spelled = [n for n in RATES if n in signature.names()] or ([usual] if signature.open else [])
    if rates and not spelled:
        remedy = "give it a parameter learning_rate (or lr), or leave the learning rate out"
        raise UsageError(obj.fault(f"{obj.name}{signature} takes no learning rate", remedy=remedy))
    if rates:
        rate = rates[0]
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not rate > 0:
            raise UsageError(obj.fault(f"learning_rate cannot be {rate!r}", "a number above 0"))
        return own | {spelled[0]: float(rate)}, float(rate)
    defaults = [p.default for p in signature.named() if p.name in spelled]
    known = [float(d) for d in defaults if isinstance(d, int | float) and not isinstance(d, bool)]
    return own, known[0] if known else None


def _without_rate(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in settings.items() if k not in RATES}


def _ready(obj: UserObject, settings: Settings, learning_rate: float | None) -> KerasOptimizer:
    """An instance: it has its settings, and can be used for one run only."""
    given = [*settings, *(["learning_rate"] if learning_rate is not None else [])]
    remedy = f"make {obj.name} a function of its settings: def {obj.name}(learning_rate=0.01): return ..."
    if given:
        what = f"{obj.name} is an optimizer that is already constructed: {', '.join(given)} cannot be set"
        raise UsageError(obj.fault(what, remedy=remedy))
    if obj.value.built:
        raise UsageError(obj.fault(f"{obj.name} is an optimizer that has already trained another model", remedy=remedy))
    return KerasOptimizer(obj.value, float(obj.value.learning_rate), {})


def _refuse(name: str, where: str | None, optimizer_class: type) -> None:
    reason = REFUSED.get(name) or _reason(optimizer_class)
    if reason:
        raise UsageError(Fault(f"{name} cannot be used: {reason}", where, remedy="lossopt list optimizers"))


def _reason(optimizer_class: type) -> str | None:
    """Why an ordinary step (one gradient, then step()) cannot drive it, as its signatures say; None where it
    can.
    """
    import torch

    if issubclass(optimizer_class, torch.optim.SparseAdam):
        return REFUSED["torch.SparseAdam"]
    constructor = signature_of(optimizer_class)
    step = inspect.signature(optimizer_class.step).parameters
    if "hessian" in step:
        return "it needs second derivatives of the loss"
    if "base_optimizer" in constructor.names():
        return "it wraps another optimizer and computes the gradient twice a step"
    if "closure" in step and step["closure"].default is inspect.Parameter.empty:
        return "it needs a closure that computes the loss again within a step"
    first = constructor.positional[0].name if constructor.positional else "nothing"
    return f"its first argument is {first}, not params" if first in ("optimizer", "base", "model") else None
