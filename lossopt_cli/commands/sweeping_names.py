"""What the recipes of a sweep are called on the screen: by what sets them apart."""

from collections import Counter
from collections.abc import Sequence

from lossopt_cli.catalogue.recipes import spell_value
from lossopt_cli.config.schema import Config
from lossopt_cli.sweeps.candidates import Candidate
from lossopt_cli.sweeps.naming import brief


def shown_names(candidates: Sequence[Candidate]) -> list[str]:
    """`mse + sgd:momentum=0.9`; those that share a name with what else they differ in, `mse + adam, batch_size=32`."""
    return _set_apart([candidate.name.replace("+", " + ", 1) for candidate in candidates], candidates)


def short_names(candidates: Sequence[Candidate], width: int) -> list[str]:
    """The same in so many columns, without the loss where there is one only; what is longer lacks its middle."""
    names = [candidate.name for candidate in candidates]
    if len({name.partition("+")[0] for name in names}) == 1:
        names = [name.partition("+")[2] for name in names]
    shown = _set_apart([name.replace("+", " + ", 1) for name in names], candidates)
    half = (width - 1) // 2
    return [name if len(name) <= width else f"{name[: width - 1 - half]}…{name[-half:]}" for name in shown]


def shown_setting(candidates: Sequence[Candidate]) -> str:
    """`minicnn, cross_entropy, 5 epochs, batch 16 and 32`: what the sweep has of each; the loss where there is one."""
    configs = [candidate.arms[0].config for candidate in candidates]
    models = list(dict.fromkeys(brief("model", config.model) for config in configs))
    epochs = sorted({config.train.epochs for config in configs})
    batches = sorted({config.train.batch_size for config in configs})
    word = "epoch" if epochs == [1] else "epochs"
    losses = {candidate.name.partition("+")[0] for candidate in candidates}
    loss = f"{losses.pop()}, " if len(losses) == 1 else ""
    return f"{_listed(models)}, {loss}{_listed(epochs)} {word}, batch {_listed(batches)}"


def _listed(values: Sequence) -> str:
    return " and ".join(filter(None, (", ".join(map(str, values[:-1])), str(values[-1]))))


def _set_apart(names: Sequence[str], candidates: Sequence[Candidate]) -> list[str]:
    told = _differences([candidate.arms[0].config for candidate in candidates])
    shared = Counter(names)
    return [", ".join([name, *said]) if shared[name] > 1 else name for name, said in zip(names, told, strict=True)]


def _differences(configs: Sequence[Config]) -> list[list[str]]:
    """For each config what it has where not all have the same, but for losses and optimizers."""
    told: list[list[str]] = [[] for _ in configs]
    for section in ("data", "train"):
        dumps = [getattr(config, section).model_dump() for config in configs]
        differing = [key for key in dumps[0] if any(dump[key] != dumps[0][key] for dump in dumps)]
        for said, dump in zip(told, dumps, strict=True):
            said += [_said(key, dump[key]) for key in (["name"] if "name" in differing else differing)]
    for section in ("model", "schedule"):
        parts = [getattr(config, section) for config in configs]
        if any(part != parts[0] for part in parts):
            for said, part in zip(told, parts, strict=True):
                said.append(f"no {section}" if part is None else brief(section, part))
    return told


def _said(key: str, value: object) -> str:
    return str(value) if key == "name" else f"{key}={spell_value(value)}"
