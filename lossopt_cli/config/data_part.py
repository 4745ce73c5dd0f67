"""The data of a config: the name resolved to a data set, a file or code; its settings over the defaults of
its row."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lossopt_cli.catalogue.datasets import DATASETS
from lossopt_cli.catalogue.lookup import find_setting, nearest, value_fault
from lossopt_cli.catalogue.rows import DataRow, Value, defaults
from lossopt_cli.config.layers import DATA_KEYS, Given
from lossopt_cli.config.messages import shown, validated
from lossopt_cli.config.references import data_reference, is_user_code
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.errors import Fault, UsageError


@dataclass
class FilledData:
    """The data, the origin of each of its values by dotted key, and what is wrong with them."""

    data: DataConfig | None = None
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def name_data(layer: dict[str, Given]) -> None:
    """data.name and data.path of a layer, resolved in place: see `references.data_reference`."""
    name, path = layer.get("data.name"), layer.get("data.path")
    for key, item in (("data.name", name), ("data.path", path)):
        if item is not None and not isinstance(item.value, str | None):
            raise UsageError(Fault(f"{key} cannot be {shown(item.value)}", item.place, "text"))
    source = path if path is not None and path.value is not None else name
    if source is None:
        return
    where = source.value if source is path else None
    text = Path(source.value).name if name is None else name.value
    found, found_path = data_reference(text, where, source.folder, source.place)
    layer["data.name"] = replace(name or source, value=found)
    if found_path is not None:
        layer["data.path"] = replace(source, value=found_path)


def data_row(given: Mapping[str, Given]) -> DataRow | None:
    """The row of a data set by name; None for files, folders and code."""
    name, path = given.get("data.name"), given.get("data.path")
    if name is None or (path is not None and path.value is not None):
        return None
    return next((row for row in DATASETS if row.name == name.value), None)


def fill_data(given: Mapping[str, Given], row: DataRow | None) -> FilledData:
    """The data with `given` (dotted key -> Given, the name resolved) over their defaults.

    A single value for a key that both a row and DataConfig have (`classes`) is the row's.
    """
    values = {key.removeprefix("data."): item for key, item in given.items() if key.startswith("data.")}
    settings = {key.removeprefix("settings."): v for key, v in values.items() if key.startswith("settings.")}
    fields = {key: item for key, item in values.items() if not key.startswith("settings.")}
    for setting in row.settings if row else ():
        if setting.name in fields and not isinstance(fields[setting.name].value, list | None):
            settings[setting.name] = fields.pop(setting.name)
    filled = FilledData(origins={f"data.{key}": "default" for key in DATA_KEYS if key != "settings"})
    filled.origins |= {f"data.{key}": item.origin for key, item in fields.items()}
    if "path" in fields:
        filled.origins["data.path"] = fields["name"].origin
    chosen = _settings(fields["name"].value, row, settings, filled)
    fields["settings"] = Given(chosen, "default", "data.settings", Path())
    filled.data, faults = validated("data", DataConfig, fields)
    filled.faults += faults
    return filled


def _settings(name: str, row: DataRow | None, given: Mapping[str, Given], filled: FilledData) -> dict[str, Value]:
    """All settings of a data set: those of its row, or whatever was given to a user's function."""
    settings = defaults(row) if row else {}
    filled.origins |= {f"data.settings.{key}": "default" for key in settings}
    for key, item in given.items():
        setting = find_setting(row, key) if row else None
        if setting is None and not is_user_code(name):
            filled.faults.append(_unknown(key, item, [*DATA_KEYS[:-1], *settings]))
            continue
        if setting is not None and (fault := value_fault(setting, item.value)) is not None:
            what = f"data.{setting.name} cannot be {shown(item.value)}"
            filled.faults.append(replace(fault, what=what, where=item.place))
            continue
        own = setting.name if setting else key
        settings[own] = item.value
        filled.origins[f"data.settings.{own}"] = item.origin
    return settings


def _unknown(key: str, given: Given, known: list[str]) -> Fault:
    near = nearest(key, known)
    remedy = f"did you mean {' or '.join(near)}?" if near else f"data takes {', '.join(known)}"
    return Fault(f"unknown key data.{key}", given.place, remedy=remedy)
