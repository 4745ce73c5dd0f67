"""What a setting of the user's code, or of an optimizer of another library, takes, as far as its default says so."""

from pathlib import Path

from lossopt_cli.catalogue.recipes import is_user_code
from lossopt_cli.training.user_code import load_object
from lossopt_cli.training.user_optimizers import class_named
from lossopt_cli.training.user_signatures import signature_of


def takes_a_list(name: str, setting: str, where: str) -> bool:
    """Whether a list is one value of the setting: `betas` is a pair, `momentum` a number. One without a default, or of
    which nothing is known, is given whatever was written. UsageError where there is nothing of that name."""
    value = load_object(name, where, Path.cwd()).value if is_user_code(name) else class_named(name, where)[1]
    signature = signature_of(value) if callable(value) else None
    known = {parameter.name: parameter.default for parameter in signature.named()} if signature else {}
    return not isinstance(known.get(setting), bool | int | float | str)
