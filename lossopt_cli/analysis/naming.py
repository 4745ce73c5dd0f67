"""How recipes are called: as short as tells them apart; what all share stands in the head instead."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lossopt_cli.analysis.recipes import Recipe

IN_THE_HEAD = ("model", "train.epochs", "train.batch_size")  # of the setting, said even where all agree
HASH_SHOWN = 6  # hexadecimal digits of a hash that tells two of one name apart


def differing(recipes: Sequence[Recipe]) -> list[str]:
    """The config keys of the setting in which some of the recipes differ."""
    keys = dict.fromkeys(key for recipe in recipes for key in recipe.setting)
    return [key for key in keys if not _agree(recipe.setting.get(key) for recipe in recipes)]


def names(recipes: Sequence[Recipe]) -> list[str]:
    """`adam`, `mse + adam`, `adam + cosine`, `adam (epochs=5)`: as short as tells them apart, all different."""
    losses_vary = not _agree(recipe.loss for recipe in recipes)
    optimizers_vary = not _agree(recipe.optimizer for recipe in recipes)
    found = []
    for recipe in recipes:
        loss = [recipe.loss] if losses_vary else []
        optimizer = [recipe.optimizer] if optimizers_vary or not losses_vary else []
        schedule = [recipe.schedule] if recipe.schedule and not _agree(other.schedule for other in recipes) else []
        name = " + ".join([*loss, *optimizer, *schedule])
        found.append(f"{name} (baseline)" if recipe.of_baseline else name)
    for mark in (_by_setting, _by_tuning, _by_hash_of_setting, _by_hash_of_code):
        found = _told_apart(found, recipes, mark)
    return found


def common(recipes: Sequence[Recipe]) -> dict[str, Any]:
    """What all recipes share and no name of theirs says: model, loss, optimizer, schedule, epochs, batch size."""
    shared: dict[str, Any] = {}
    varying = differing(recipes)
    first = recipes[0]
    model, *numbers = IN_THE_HEAD
    if model not in varying:
        shared[model] = first.setting[model]
    losses_vary = not _agree(recipe.loss for recipe in recipes)
    if not losses_vary:
        shared["loss"] = first.loss
    elif _agree(recipe.optimizer for recipe in recipes):
        shared["optimizer"] = first.optimizer
    if first.schedule and _agree(recipe.schedule for recipe in recipes):
        shared["schedule"] = first.schedule
    return shared | {key: first.setting[key] for key in numbers if key not in varying}


def _agree(values: Iterable[Any]) -> bool:
    return len({repr(value) for value in values}) <= 1


def _told_apart(
    found: Sequence[str], recipes: Sequence[Recipe], mark: Callable[[Recipe, Sequence[Recipe]], str]
) -> list[str]:
    """The names; those that several recipes have, with a mark in brackets."""
    named = defaultdict(list)
    for name, recipe in zip(found, recipes, strict=True):
        named[name].append(recipe)
    marked = []
    for name, recipe in zip(found, recipes, strict=True):
        said = mark(recipe, named[name]) if len(named[name]) > 1 else ""
        marked.append(f"{name} ({said})" if said else name)
    return marked


def _by_setting(recipe: Recipe, alike: Sequence[Recipe]) -> str:
    """`mlp, epochs=5`: what of the setting tells it from those of the same name."""
    values = {key: recipe.setting.get(key) for key in differing(alike)}
    return ", ".join(
        str(value) if key == "model" else f"{key.rpartition('.')[2]}={value}" for key, value in values.items()
    )


def _by_tuning(recipe: Recipe, alike: Sequence[Recipe]) -> str:
    """`momentum tuned`."""
    settings = [key.partition(".")[2] for key in recipe.tuned]
    return f"{' and '.join(settings)} tuned" if settings else ""


def _by_hash_of_setting(recipe: Recipe, alike: Sequence[Recipe]) -> str:
    """Where the configs agree and yet the setting does not: the width of the head, a user's model."""
    same = _agree(other.setting_hash for other in alike)
    return "" if same else f"setting {recipe.setting_hash[:HASH_SHOWN]}"


def _by_hash_of_code(recipe: Recipe, alike: Sequence[Recipe]) -> str:
    """Of a user's loss or optimizer that was edited."""
    return "" if _agree(other.code for other in alike) else f"code {recipe.code[:HASH_SHOWN]}"
