"""pydantic's errors in the words of a config."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from lossopt_cli.config.layers import Given, did_you_mean
from lossopt_cli.config.writing import flow
from lossopt_cli.errors import Fault

KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def validated(section: str, model: type[BaseModel], values: Mapping[str, Given]) -> tuple[Any, list[Fault]]:
    """(the model of these values, []), or (None, one Fault for every field that is wrong, at its place)."""
    try:
        return model.model_validate({key: item.value for key, item in values.items()}), []
    except ValidationError as error:
        return None, _faults_of(error, section, model, {key: item.place for key, item in values.items()})


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Each fault once: those of a file by line and column, then the others."""

    def position(fault: Fault) -> tuple[int, int, int]:
        found = re.search(r":(\d+):(\d+)$", fault.where or "")
        return (0, int(found[1]), int(found[2])) if found else (1, 0, 0)

    return sorted(dict.fromkeys(faults), key=position)


def shown(value: Any) -> str:
    """As in YAML, with text in quotes, so that "3" is seen not to be 3."""
    return f'"{value}"' if isinstance(value, str) else flow(value)


def _faults_of(error: ValidationError, section: str, model: type[BaseModel], places: Mapping[str, str]) -> list[Fault]:
    """One Fault for every field that is wrong; the alternatives of a union in one sentence."""
    wanted: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    faults = []
    for detail in error.errors(include_url=False):
        if not detail["loc"]:  # of the whole of it
            faults.append(Fault(f"{section} changes nothing", next(iter(places.values()), None), detail["msg"]))
            continue
        key = str(detail["loc"][0])
        if detail["type"] == "extra_forbidden":
            remedy = did_you_mean(key, model.model_fields)
            faults.append(Fault(f"unknown key {section}.{key}", places.get(key), remedy=remedy))
            continue
        sentence = _wanted(detail)
        values[key] = detail["input"] if len(detail["loc"]) == 1 else values.get(key, detail["input"])
        if sentence not in wanted.setdefault(key, []):
            wanted[key].append(sentence)
    for key, sentences in wanted.items():
        what = f"{section}.{key} cannot be {shown(values[key])}"
        faults.append(Fault(what, places.get(key), " or ".join(sentences), _remedy(model, key)))
    return faults


def _wanted(detail: Mapping[str, Any]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    inside = "items that are " if any(isinstance(step, int) for step in detail["loc"]) else ""
    match kind:
        case "greater_than_equal":
            return f"{inside}a number of at least {context['ge']}"
        case "less_than":
            return f"{inside}a number below {context['lt']}"
        case "less_than_equal":
            return f"{inside}a number of at most {context['le']}"
        case "literal_error":
            return str(context["expected"]).replace("'", "")
    return inside + KINDS.get(kind, detail["msg"])


def _remedy(model: type[BaseModel], key: str) -> str | None:
    """What the field is, from its description."""
    field = model.model_fields.get(key)
    return f"it is: {field.description}" if field is not None and field.description else None
