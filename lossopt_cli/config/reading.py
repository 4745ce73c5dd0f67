"""YAML 1.2 to plain data, with the line and column of every key. Nothing in it is ever run or imported."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.errors import Fault, UsageError

CORE = "tag:yaml.org,2002:"
Place = tuple[int, int]


@dataclass(frozen=True)
class Document:
    """values: dicts, lists and scalars. places: dotted key -> (line, column), both from 1."""

    values: dict[str, Any]
    places: dict[str, Place]


def read(path: Path) -> Document:
    """The config file as plain data. UsageError with file:line:column, all duplicate keys in one go."""
    return parse(_text(path), str(path))


def scalar(text: str) -> Any:
    """One value as YAML 1.2 reads it: `1e-3` a number, `no` a word, `[1, 0]` a list. UsageError if it is
    no YAML."""
    try:
        node = YAML(pure=True).compose(text)
    except YAMLError as error:
        raise UsageError(Fault(f"{text!r} is no YAML value: {_problem(error)}")) from None
    reader = _Reader("")
    value = None if node is None else reader.value(node)
    if reader.faults:
        raise UsageError(*reader.faults)
    return value


def parse(text: str, name: str) -> Document:
    """As `read`, of a text; name: what places are said to be in."""
    try:
        node = YAML(pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise UsageError(Fault(f"not YAML: {_problem(error)}", where, remedy=_yaml_remedy(error))) from None
    except YAMLError as error:
        raise UsageError(Fault(f"not YAML: {_problem(error)}", name)) from None
    if node is None:
        raise UsageError(
            Fault(
                "the file is empty",
                name,
                "a mapping of sections",
                "lossopt config show prints one to begin with",
            )
        )
    if not isinstance(node, MappingNode):
        kind = "a list" if isinstance(node, SequenceNode) else "a single value"
        raise UsageError(
            Fault(f"the file holds {kind}", f"{name}:{_at(node)}", "a mapping of sections, as `loss: huber`")
        )
    reader = _Reader(name)
    values = reader.value(node)
    if reader.faults:
        raise UsageError(*reader.faults)
    return Document(values, reader.places)


def _text(path: Path) -> str:
    """UTF-8, with or without a byte order mark."""
    if path.is_dir():
        inside = path / "config.yaml"
        remedy = f"did you mean {inside}?" if inside.is_file() else None
        raise UsageError(Fault("is a folder", str(path), "a config file (YAML)", remedy))
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(Fault("no such file", str(path), "a config file (YAML)", _similar(path))) from None
    except UnicodeDecodeError:
        raise UsageError(Fault("not a text file (UTF-8)", str(path), "a config file (YAML)")) from None
    except OSError as error:
        raise UsageError(Fault(f"cannot be read: {error.strerror}", str(path))) from None


def _similar(path: Path) -> str | None:
    """Config files with a name like this one, in its folder or in configs/."""
    folders = [folder for folder in (path.parent, Path("configs")) if folder.is_dir()]
    files = {str(file): file for folder in folders for file in sorted(folder.glob("*.y*ml"))}
    near = nearest(path.stem, [file.stem for file in files.values()])
    found = [name for name, file in files.items() if file.stem in near]
    return f"did you mean {' or '.join(found)}?" if found else "lossopt config show > mine.yaml begins one"


class _Reader:
    """Nodes to plain data; notes the place of every key, and what is wrong, of a file of this name."""

    def __init__(self, name: str):
        self.name = name
        self.places: dict[str, Place] = {}
        self.faults: list[Fault] = []
        self.seen: set[int] = set()

    def value(self, node: Node, key: str = "") -> Any:
        if id(node) in self.seen:
            self._fault(f"{key} is an alias of another value", node, "the value itself, written out")
            return None
        self.seen.add(id(node))
        if not isinstance(node, ScalarNode) and str(node.tag) not in (CORE + "map", CORE + "seq"):
            self._fault(f"the tag {node.tag} is not allowed", node, "a plain value")
        if isinstance(node, MappingNode):
            return self._mapping(node, key)
        if isinstance(node, SequenceNode):
            return [self.value(item, f"{key}[{place}]") for place, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return self._scalar(node)

    def _mapping(self, node: MappingNode, key: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            word = str(key_node.value)
            dotted = f"{key}.{word}" if key else word
            if not isinstance(key_node, ScalarNode) or key_node.tag.endswith(":merge"):
                self._fault("a key must be a single word", key_node)
            elif word in values:
                self._fault(f"{dotted} is given twice (first in line {self.places[dotted][0]})", key_node)
            else:
                self.places[dotted] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
                values[word] = self.value(value_node, dotted)
        return values

    def _scalar(self, node: ScalarNode) -> Any:
        """null, true and false, integers (also 0o and 0x), floats; all else, dates among it, is text."""
        tag, text = str(node.tag).removeprefix(CORE), node.value
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag == "int":
            return int(text.replace("_", ""), 0 if text.lstrip("+-")[:2] in ("0x", "0o") else 10)
        if tag == "float":
            return float(text.lower().replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        if tag not in ("str", "timestamp"):
            self._fault(f"the tag {node.tag} is not allowed", node, "a plain value")
        return text

    def _fault(self, what: str, node: Node, expected: str | None = None) -> None:
        self.faults.append(Fault(what, f"{self.name}:{_at(node)}", expected))


def _at(node: Node) -> str:
    return f"{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _problem(error: YAMLError) -> str:
    """What ruamel found, in one line."""
    text = error.problem if isinstance(error, MarkedYAMLError) else str(error)
    return " ".join(str(text).split())


def _yaml_remedy(error: MarkedYAMLError) -> str | None:
    return "indent with spaces, not tabs" if "\\t" in str(error.problem) else None
