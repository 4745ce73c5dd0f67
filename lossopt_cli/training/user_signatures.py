"""What a user's function or class takes is what its signature says; no setting is ever dropped."""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.training.user_code import UserObject

Settings = Mapping[str, Any]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_LIBRARIES = ("keras", "torch")


@dataclass(frozen=True)
class Signature:
    """The parameters of a callable without self.

    inherited: names that a class hands to Keras or torch through its **kwargs. open: a function with
    **kwargs, which takes any name.
    """

    parameters: tuple[inspect.Parameter, ...]
    inherited: frozenset[str] = frozenset()
    open: bool = False

    @property
    def positional(self) -> list[inspect.Parameter]:
        return [p for p in self.parameters if p.kind in _POSITIONAL]

    @property
    def takes_many(self) -> bool:
        """Whether it has *args."""
        return any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in self.parameters)

    def named(self, leading: int = 0) -> list[inspect.Parameter]:
        """What may be given by name, without the first `leading` positional ones."""
        first = {p.name for p in self.positional[:leading]}
        return [p for p in self.parameters if p.kind in _BY_NAME and p.name not in first]

    def names(self, leading: int = 0) -> set[str]:
        return {p.name for p in self.named(leading)} | self.inherited

    def __str__(self) -> str:
        return f"({', '.join(str(p.replace(annotation=inspect.Parameter.empty)) for p in self.parameters)})"


def signature_of(value: Callable) -> Signature | None:
    """The signature of a function, a class (of its construction) or a callable object; None where Python
    knows none.

    A class whose __init__ has **kwargs takes what the __init__ that comes next takes, and so on; once that is
    one of Keras or torch, everything that the library's classes name.
    """
    try:
        if not isinstance(value, type):
            found = inspect.signature(value)
            opened = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in found.parameters.values())
            return Signature(tuple(found.parameters.values()), open=opened)
        chain = [k for k in value.__mro__ if "__init__" in vars(k) and k is not object]
        if not chain:
            return Signature(())
        levels = [list(inspect.signature(k.__init__).parameters.values())[1:] for k in chain]
    except (TypeError, ValueError):  # both are what inspect raises where a builtin tells no signature
        return None
    inherited: set[str] = set()
    passes_on = _has_keywords(levels[0])
    for k, parameters in zip(chain[1:], levels[1:], strict=True):
        if not passes_on:
            break
        inherited |= {p.name for p in parameters if p.kind in _BY_NAME}
        passes_on = _has_keywords(parameters) or k.__module__.partition(".")[0] in _LIBRARIES
    return Signature(tuple(levels[0]), frozenset(inherited))


def _has_keywords(parameters: list[inspect.Parameter]) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


@dataclass(frozen=True)
class Arguments:
    """keywords: what is passed by name. resolved: those and the signature's defaults, where they are plain
    values that a config can hold (tuples as lists).
    """

    keywords: Mapping[str, Any]
    resolved: Mapping[str, Any]


def arguments(
    obj: UserObject,
    signature: Signature,
    settings: Settings,
    leading: int = 0,
    filled: Settings | None = None,
) -> Arguments:
    """Settings matched to a signature of which the first `leading` parameters are passed by position.

    filled: values that lossopt gives where the signature has the name and the user did not set it; they are
    not recorded. Raises UsageError with every unknown and every missing setting.
    """
    faults = setting_faults(obj.name, obj.where or obj.reference, signature, settings, leading, filled or {})
    if faults:
        raise UsageError(*faults)
    parameters = signature.named(leading)
    tuples = {p.name for p in parameters if isinstance(p.default, tuple)}
    given = {k: tuple(v) if k in tuples and isinstance(v, list) else v for k, v in settings.items()}
    lent = {k: v for k, v in (filled or {}).items() if k in {p.name for p in parameters} and k not in given}
    known = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
    recorded = {k: _for_yaml(v) for k, v in (known | given).items() if k not in lent and _is_plain(v)}
    recorded.pop("name", None)  # a config's part has a `name` of its own, and it changes no number
    return Arguments({**lent, **given}, recorded)


def defaults_of(value: Any) -> dict[str, Any]:
    """The plain defaults of a callable's parameters by name; none for what cannot be called."""
    signature = signature_of(value) if callable(value) else None
    named = signature.named() if signature is not None else []
    return {p.name: _for_yaml(p.default) for p in named if _is_plain(p.default)}


def setting_faults(
    name: str,
    where: str | None,
    signature: Signature,
    settings: Settings,
    leading: int = 0,
    filled: Collection[str] = (),
) -> list[Fault]:
    """Settings that the signature does not have, and required parameters that nothing gives."""
    takes = sorted(signature.names(leading))
    own = [p.name for p in signature.named(leading) if p.name not in (*filled, "name")]
    faults = []
    for setting in settings:
        if setting in takes or signature.open:
            continue
        close = nearest(setting, takes)
        remedy = f"did you mean {' or '.join(close)}?" if close else None
        expected = f"one of {', '.join(own)}" if own else f"none: its signature is {name}{signature}"
        faults.append(Fault(f"{name} has no setting '{setting}'", where, expected, remedy))
    for parameter in signature.named(leading):
        required = parameter.default is inspect.Parameter.empty
        if required and parameter.name not in settings and parameter.name not in filled:
            remedy = f"set it ({parameter.name}=...), or give it a default in {name}{signature}"
            faults.append(Fault(f"{name} needs the setting '{parameter.name}'", where, remedy=remedy))
    return faults


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(v) for v in value)
    return value is None or type(value) in (bool, int, float, str)


def _for_yaml(value: Any) -> Any:
    return [_for_yaml(v) for v in value] if isinstance(value, list | tuple) else value


def described(value: Any) -> str:
    """What a value is, for a sentence: `None`, `an int`, `a numpy ndarray`, `the class Foo`."""
    if value is None:
        return "None (is the return statement missing?)"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    module = type(value).__module__.partition(".")[0]
    kind = type(value).__name__
    words = kind if module == "builtins" or module.startswith("lossopt_user_") else f"{module} {kind}"
    return f"{'an' if words[0].lower() in 'aeiou' else 'a'} {words}"
