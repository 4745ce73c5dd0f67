"""Update rules on flat vectors: Keras's own formulas, applied to all weights at once where they are elementwise.

An elementwise rule does the same arithmetic on one vector of all weights as on each tensor by itself, so one
`keras.Variable` of the whole size stands for all of them. Adam and AdamW have a fused kernel of torch; rules that
read a tensor as a whole (Adafactor, Lamb, Muon, clipping by norm) see the tensors one by one.
"""

import math
import types
from collections.abc import Sequence
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
STEP_DEPENDENT_SETTINGS = ("gradient_accumulation_steps", "ema_overwrite_frequency")


class Rule(Protocol):
    """How weights move. `start` gives the slots of one trial; `update` changes weights and slots in place.

    weights, gradients: float32 [size], laid out by the Layout that the rule was made for. step counts from 1.
    """

    name: str

    def start(self, weights: torch.Tensor) -> list[torch.Tensor]: ...

    def update(
        self, weights: torch.Tensor, gradients: torch.Tensor, slots: list[torch.Tensor], rate: float, step: int
    ) -> None: ...

    def prepare(self, weights: torch.Tensor, slots: list[torch.Tensor], steps_to_come: int) -> None: ...

    def finish(self, weights: torch.Tensor, slots: list[torch.Tensor]) -> None: ...


class FusedAdam:
    """m += (1 - beta_1)(g - m); v += (1 - beta_2)(g^2 - v); w -= rate m_hat / (sqrt(v_hat) + epsilon_t).

    Kingma and Ba 2015; decoupled weight decay as Loshchilov and Hutter 2019. Keras adds epsilon to sqrt(v) before the
    bias correction, torch after it: epsilon / sqrt(1 - beta_2^t) turns one into the other (they agree to 1e-6).
    Slots: m, v, the largest v (amsgrad; else empty), and the step, each of one trial.
    """

    name = "fused adam"

    def __init__(self, settings: dict):
        self.beta_1, self.beta_2 = settings["beta_1"], settings["beta_2"]
        self.epsilon, self.amsgrad = settings["epsilon"], settings["amsgrad"]
        self.weight_decay = settings.get("weight_decay") or 0.0

    def start(self, weights: torch.Tensor) -> list[torch.Tensor]:
        largest = torch.zeros_like(weights) if self.amsgrad else weights.new_zeros(0)
        return [torch.zeros_like(weights), torch.zeros_like(weights), largest, weights.new_zeros(())]

    def prepare(self, weights, slots, steps_to_come) -> None:
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

    def finish(self, weights, slots) -> None:
        pass


class KerasRule:
    """Keras's own `stateless_apply`, on one flat variable or on every tensor; recorded when many steps are to come.

    Slots: the optimizer's variables (learning rate and iterations among them), each of one trial.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, layout: Layout, variables: Sequence[keras.Variable]):
        self.optimizer = without_foreach(optimizer)
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
        self.rate = None
        fresh = [v.value.detach().clone().to(weights.device) for v in self.optimizer.variables]
        for place, index in self.copies.items():
            fresh[place].copy_(self._split(weights)[index])
        return fresh

    def _split(self, vector: torch.Tensor) -> list[torch.Tensor]:
        return [vector] if self.flat else self.layout.views(vector)

    def _function(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """(weights..., gradients..., slots...) -> (weights..., slots...)"""
        count = len(self.variables)
        weights, gradients, slots = tensors[:count], tensors[count : 2 * count], tensors[2 * count :]
        moved, kept = self.optimizer.stateless_apply(list(slots), list(gradients), list(weights))
        return [*moved, *kept]

    def prepare(self, weights, slots, steps_to_come) -> None:
        """Records the update when the steps to come repay it; called before the first update."""
        settings = self.optimizer.get_config()
        if self.recorded is not None or any(settings.get(key) for key in STEP_DEPENDENT_SETTINGS):
            return
        generator = torch.Generator().manual_seed(0)
        draw = torch.randn(weights.shape, generator=generator).to(weights.device)
        examples = [[*self._split(weights), *self._split(draw * scale), *slots] for scale in (1.0, 1e-3)]
        try:
            with torch.no_grad():
                self.recorded = verified(traced(self._function, examples[0]), self._function, examples)
        except Untraceable:
            self.recorded = None

    def update(self, weights, gradients, slots, rate, step) -> None:
        if rate != self.rate and self.rate_at is not None:
            slots[self.rate_at].fill_(rate)
            self.rate = rate
        old = [*self._split(weights), *slots]
        new = (self.recorded or self._function)(*self._split(weights), *self._split(gradients), *slots)
        changed = [(into, value) for into, value in zip(old, new, strict=True) if into is not value]
        torch._foreach_copy_([into for into, _ in changed], [value for _, value in changed])

    def finish(self, weights, slots) -> None:
        """The moving average in place of the weights, where `use_ema` asks for it."""
        if not self.optimizer.use_ema:
            return
        ours = self.optimizer.variables
        averages = self.optimizer._model_variables_moving_average
        for weight, average in zip(self._split(weights), averages, strict=True):
            place = next(i for i, variable in enumerate(ours) if variable is average)
            weight.copy_(slots[place])


class TorchRule:
    """An optimizer of torch over leaf parameters that share the weights' memory; its slots are its own state."""

    def __init__(self, factory, layout: Layout):
        self.factory, self.layout = factory, layout
        self.optimizer: torch.optim.Optimizer | None = None
        self.name = "torch"
        self.parameters: list[torch.nn.Parameter] = []
        self.rate: float | None = None

    def start(self, weights: torch.Tensor) -> list[torch.Tensor]:
        self.parameters = [torch.nn.Parameter(view) for view in self.layout.views(weights)]
        self.optimizer = self.factory(self.parameters)
        self.name = f"torch {type(self.optimizer).__name__}"
        if hasattr(self.optimizer, "train"):
            self.optimizer.train()
        return []

    def prepare(self, weights, slots, steps_to_come) -> None:
        pass

    def update(self, weights, gradients, slots, rate, step) -> None:
        if rate != self.rate:
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.rate = rate
        for parameter, gradient in zip(self.parameters, self.layout.views(gradients), strict=True):
            parameter.grad = gradient
        self.optimizer.step()

    def finish(self, weights, slots) -> None:
        """Schedule-free optimizers swap to the averaged weights that they are evaluated with."""
        if hasattr(self.optimizer, "eval"):
            self.optimizer.eval()


def without_foreach(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The same optimizer as Keras wrote it: the `_foreach` classes read values back or change their inputs."""
    if isinstance(optimizer, TorchParallelOptimizer):
        written = next(c for c in type(optimizer).__mro__ if c.__module__.startswith("keras.src.optimizers."))
        config = optimizer.get_config()
        optimizer = BaseOptimizer.__new__(written)
        optimizer.__init__(**config)
    own = next(c for c in type(optimizer).__mro__ if "_apply_weight_decay" in vars(c))
    if own.__module__.startswith("keras.src.backend.torch"):
        optimizer._apply_weight_decay = types.MethodType(BaseOptimizer._apply_weight_decay, optimizer)
    return optimizer


def is_elementwise(optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> bool:
    """Whether one flat variable gives the same numbers as the tensors by themselves."""
    if type(optimizer).__name__ not in ELEMENTWISE or not type(optimizer).__module__.startswith("keras.src."):
        return False
    config = optimizer.get_config()
    unlike = any(v.constraint is not None or v.overwrite_with_gradient for v in variables)
    return not unlike and not any(config.get(key) for key in PER_TENSOR_SETTINGS)


def _track_strays(optimizer: keras.optimizers.Optimizer) -> None:
    """Variables in no list (Nadam's product of decays), which `stateless_apply` and saving would lose."""
    known = {id(variable) for variable in optimizer.variables}
    for value in list(vars(optimizer).values()):
        if isinstance(value, keras.Variable) and id(value) not in known:
            optimizer._track_variable(value)


def _built(optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> dict[int, int]:
    """Builds the optimizer; {place of a slot: index of the variable} for slots that begin as copies of weights.

    They are found by building it over a probe that no other initial value equals.
    """
    originals = [variable.value.detach().clone() for variable in variables]
    for variable in variables:
        variable.assign(torch.arange(1.0, variable.value.numel() + 1.0).reshape(tuple(variable.shape)))
    optimizer.build(variables)
    _track_strays(optimizer)
    copies = {
        place: index
        for place, slot in enumerate(optimizer.variables)
        for index, variable in enumerate(variables)
        if slot.shape == variable.shape and torch.equal(slot.value, variable.value)
    }
    for variable, original in zip(variables, originals, strict=True):
        variable.assign(original)
    return copies
