"""Update rules on flat vectors: Keras's own formulas, applied to all weights at once where they are elementwise.

An elementwise rule does the same arithmetic on one vector of all weights as on each tensor by itself, so one
`keras.Variable` of the whole size stands for all of them. Adam and AdamW have a fused kernel of torch; rules that
read a tensor as a whole (Adafactor, Lamb, Muon, clipping by norm) see the tensors one by one.
"""

import math
import types
from collections.abc import Callable, Sequence
from typing import Protocol

import keras
import torch
from keras.src.backend.torch.optimizers.torch_parallel_optimizer import TorchParallelOptimizer
from keras.src.optimizers.base_optimizer import BaseOptimizer

from lossopt_cli.training.layout import Layout
from lossopt_cli.training.tracing import Function, Untraceable, traced, verified

ELEMENTWISE = frozenset(
    {"SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Nadam", "Ftrl", "Lion", "ScheduleFreeAdamW"}
)
PER_TENSOR_SETTINGS = ("clipnorm", "global_clipnorm", "gradient_accumulation_steps")
DENOMINATORS = ("epsilon", "initial_accumulator_value")
STEP_DEPENDENT_SETTINGS = ("gradient_accumulation_steps", "ema_overwrite_frequency")


class Rule(Protocol):
    """How weights move. `start` gives the slots of one trial; `update` changes weights and slots in place.

    weights, gradients: float32 [size], laid out by the Layout that the rule was made for. step counts from 1; rate is
    NaN where the optimizer keeps its own. `attach` comes before the first update on weights and slots that may be any
    trial's, `detach` gives the slots after the last. `evaluated` and `finished` give the weights that results are of,
    between steps and at the end, where they are not the weights themselves; neither changes anything. note: what a
    user must know of its checkpoint.
    """

    name: str
    note: str | None

    def start(self, weights: torch.Tensor) -> list[torch.Tensor]: ...

    def attach(self, weights: torch.Tensor, slots: list[torch.Tensor]) -> None: ...

    def detach(self, slots: list[torch.Tensor]) -> list[torch.Tensor]: ...

    def update(
        self, weights: torch.Tensor, gradients: torch.Tensor, slots: list[torch.Tensor], rate: float, step: int
    ) -> None: ...

    def prepare(self, weights: torch.Tensor, slots: list[torch.Tensor]) -> None: ...

    def evaluated(self, weights: torch.Tensor, slots: list[torch.Tensor]) -> torch.Tensor | None: ...

    def finished(self, weights: torch.Tensor, slots: list[torch.Tensor]) -> torch.Tensor | None: ...


class FusedAdam:
    """m += (1 - beta_1)(g - m); v += (1 - beta_2)(g^2 - v); w -= rate m_hat / (sqrt(v_hat) + epsilon_t).

    Kingma and Ba 2015; decoupled weight decay as Loshchilov and Hutter 2019. Keras adds epsilon to sqrt(v) before the
    bias correction, torch after it: epsilon / sqrt(1 - beta_2^t) turns one into the other (they agree to 1e-6).
    Slots: m, v, the largest v (amsgrad; else empty), and the step, each of one trial.
    """

    name = "fused adam"
    note = None

    def __init__(self, settings: dict):
        self.beta_1, self.beta_2 = settings["beta_1"], settings["beta_2"]
        self.epsilon, self.amsgrad = settings["epsilon"], settings["amsgrad"]
        self.weight_decay = settings.get("weight_decay") or 0.0

    def start(self, weights: torch.Tensor) -> list[torch.Tensor]:
        largest = torch.zeros_like(weights) if self.amsgrad else weights.new_zeros(0)
        return [torch.zeros_like(weights), torch.zeros_like(weights), largest, weights.new_zeros(())]

    def attach(self, weights, slots) -> None:
        pass

    def detach(self, slots) -> list[torch.Tensor]:
        return slots

    def prepare(self, weights, slots) -> None:
        pass

    def update(self, weights, gradients, slots, rate, step) -> None:
        m, v, largest, counter = slots
        counter.fill_(step)
        torch._fused_adamw_(
            [weights],
            [gradients],
            [m],
            [v],
            [largest] if self.amsgrad else [],
            [counter],
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            weight_decay=self.weight_decay,
            eps=self.epsilon / math.sqrt(1.0 - self.beta_2**step),
            amsgrad=self.amsgrad,
            maximize=False,
        )

    def evaluated(self, weights, slots) -> None:
        return None

    def finished(self, weights, slots) -> None:
        return None


class KerasRule:
    """Keras's own `stateless_apply`, on one flat variable or on every tensor; recorded when many steps are to come.

    Slots: the optimizer's variables (learning rate and iterations among them), each of one trial.
    """

    note = None

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        layout: Layout,
        variables: Sequence[keras.Variable],
        remembered: Callable[[keras.optimizers.Optimizer], object] = lambda optimizer: None,
    ):
        """remembered: what an optimizer of the user's keeps in plain Python; an update that changes it is not
        recorded."""
        self.remembered = remembered
        self.optimizer = without_foreach(optimizer)
        self.optimizer.loss_scale_factor = None  # gradients come of the loss itself
        self.flat = is_elementwise(self.optimizer, variables)
        self.name = f"keras {type(self.optimizer).__name__.lower()}" + (" on one vector" if self.flat else "")
        self.layout = layout
        shape = (layout.size,)
        self.variables = [keras.Variable(torch.zeros(shape), name="weights")] if self.flat else list(variables)
        self.copies = _built(self.optimizer, self.variables)
        rate = self.optimizer._learning_rate
        ours = self.optimizer.variables
        self.rate_at = next((i for i, variable in enumerate(ours) if variable is rate), None)
        self.recorded: Function | None = None
        self.rate: float | None = None

    def start(self, weights: torch.Tensor) -> list[torch.Tensor]:
        fresh = [v.value.detach().clone().to(weights.device) for v in self.optimizer.variables]
        for place, index in self.copies.items():
            fresh[place].copy_(self._split(weights)[index])
        return fresh

    def attach(self, weights, slots) -> None:
        self.rate = None

    def detach(self, slots) -> list[torch.Tensor]:
        return slots

    def _split(self, vector: torch.Tensor) -> list[torch.Tensor]:
        return [vector] if self.flat else self.layout.views(vector)

    def _function(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """(weights..., gradients..., slots...) -> (weights..., slots...)"""
        count = len(self.variables)
        weights, gradients, slots = tensors[:count], tensors[count : 2 * count], tensors[2 * count :]
        moved, kept = self.optimizer.stateless_apply(list(slots), list(gradients), list(weights))
        return [*moved, *kept]

    def prepare(self, weights, slots) -> None:
        """Records the update, where it is the same at every step."""
        if self.recorded is not None or any(vars(self.optimizer).get(key) for key in STEP_DEPENDENT_SETTINGS):
            return
        generator = torch.Generator().manual_seed(0)
        draw = torch.randn(weights.shape, generator=generator).to(weights.device)
        examples = [[*self._split(weights), *self._split(draw * scale), *slots] for scale in (1.0, 1e-3)]
        try:
            with torch.no_grad():
                before = self.remembered(self.optimizer)
                recorded = verified(traced(self._function, examples[0]), self._function, examples)
            self.recorded = recorded if self.remembered(self.optimizer) == before else None
        except Untraceable:
            self.recorded = None

    def update(self, weights, gradients, slots, rate, step) -> None:
        if rate != self.rate and not math.isnan(rate) and self.rate_at is not None:
            slots[self.rate_at].fill_(rate)
            self.rate = rate
        old = [*self._split(weights), *slots]
        new = (self.recorded or self._function)(*self._split(weights), *self._split(gradients), *slots)
        changed = [(into, value) for into, value in zip(old, new, strict=True) if into is not value]
        torch._foreach_copy_([into for into, _ in changed], [value for _, value in changed])

    def evaluated(self, weights, slots) -> torch.Tensor | None:
        """As at the end, so that every evaluation is of weights that may be kept; `fit` swaps at its end only."""
        return self.finished(weights, slots)

    def finished(self, weights, slots) -> torch.Tensor | None:
        """The moving average in place of the weights, where `use_ema` asks for it."""
        if not self.optimizer.use_ema:
            return None
        place = {id(variable): place for place, variable in enumerate(self.optimizer.variables)}
        averaged = weights.clone()
        for weight, average in zip(self._split(averaged), self.optimizer._model_variables_moving_average, strict=True):
            weight.copy_(slots[place[id(average)]])
        return averaged


def without_foreach(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The same optimizer as Keras wrote it: the `_foreach` classes read values back or change their inputs."""
    if isinstance(optimizer, TorchParallelOptimizer):
        given, written = optimizer, next(c for c in type(optimizer).__mro__ if _is_of_keras(c))
        config = given.get_config()
        if not isinstance(given._learning_rate, keras.Variable):
            config["learning_rate"] = given._learning_rate
        optimizer = BaseOptimizer.__new__(written)
        optimizer.__init__(**config)
        for name in _exclusions(given):
            setattr(optimizer, name, getattr(given, name))
    own = next(c for c in type(optimizer).__mro__ if "_apply_weight_decay" in vars(c))
    if own.__module__.startswith("keras.src.backend.torch"):
        optimizer._apply_weight_decay = types.MethodType(BaseOptimizer._apply_weight_decay, optimizer)
    return optimizer


def is_elementwise(optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> bool:
    """Whether one flat variable gives the same numbers as the tensors by themselves.

    The gaps of a layout must stay finite too, where a gradient is always 0: not with a denominator that can be 0.
    """
    if type(optimizer).__name__ not in ELEMENTWISE or not _is_of_keras(type(optimizer)) or _exclusions(optimizer):
        return False
    config = optimizer.get_config()
    unlike = any(v.constraint is not None or v.overwrite_with_gradient for v in variables)
    vanishing = any(config.get(key) == 0.0 for key in DENOMINATORS)
    return not unlike and not vanishing and not any(config.get(key) for key in PER_TENSOR_SETTINGS)


def _is_of_keras(optimizer_class: type) -> bool:
    return optimizer_class.__module__.startswith("keras.src.optimizers.")


def _exclusions(optimizer: keras.optimizers.Optimizer) -> list[str]:
    """The attributes in which `exclude_from_weight_decay` keeps what it was told."""
    return [name for name, value in vars(optimizer).items() if name.startswith("_exclude_from_weight_decay") and value]


def _built(optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> dict[int, int]:
    """Builds the optimizer; {place of a slot: index of the variable} for slots that begin as copies of weights.

    They are found by building it over a probe that no other variable and no other initial value equals.
    """
    originals = [variable.value.detach().clone() for variable in variables]
    for number, variable in enumerate(variables, 1):
        count = variable.value.numel()
        variable.assign(number * torch.arange(1.0, count + 1.0).reshape(tuple(variable.shape)))
    optimizer.build(variables)
    copies = {
        place: index
        for place, slot in enumerate(optimizer.variables)
        for index, variable in enumerate(variables)
        if slot.shape == variable.shape and torch.equal(slot.value, variable.value)
    }
    for variable, original in zip(variables, originals, strict=True):
        variable.assign(original)
    return copies
