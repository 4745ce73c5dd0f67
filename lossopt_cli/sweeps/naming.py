"""Names of recipes and of the folders of trials."""

from collections.abc import Collection

from lossopt_cli.catalogue.spelling import spelled_as
from lossopt_cli.config.references import is_user_code
from lossopt_cli.config.schema import Part
from lossopt_cli.runs.folder import LONGEST_NAME, safe

DIGITS_OF_HASH = 6


def brief(section: str, part: Part, without: Collection[str] = ()) -> str:
    """`sgd:momentum=0.9`: what differs from the defaults, but the learning rate and `without` (dotted keys); of the
    user's code only the name."""
    if is_user_code(part.name):
        return part.name.rpartition(":")[2]
    left_out = {key.partition(".")[2] for key in without if key.startswith(f"{section}.")}
    return spelled_as(section, part.name, {key: v for key, v in part.settings.items() if key not in left_out})


def trial_name(recipe: str, rate: float | None, seed: int, trial_hash: str) -> str:
    """`<loss>+<optimizer>-lr<lr>-s<seed>-<6 of its hash>`, a name on every file system."""
    loss, _, optimizer = recipe.partition("+")
    tail = f"-lr{safe(f'{rate:g}') if rate is not None else 'own'}-s{seed}-{trial_hash[:DIGITS_OF_HASH]}"
    return f"{safe(loss)}+{safe(optimizer)}"[: LONGEST_NAME - len(tail)] + tail
