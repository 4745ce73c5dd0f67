"""What a share takes along to a machine that has only lossopt: the files of the user's code, and the data."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lossopt_cli.config.schema import Config
from lossopt_cli.data.problem import SPLITS, Problem
from lossopt_cli.data.trial import has_user_code

if TYPE_CHECKING:
    from lossopt_cli.training.building import UserParts


@dataclass(frozen=True)
class Named:
    """What a config names as `file.py:name`, here as `file`, a place among the files that travel. where: the flag."""

    reference: str
    file: str
    name: str
    where: str | None


@dataclass(frozen=True)
class Code:
    """The user's code of a config. objects: by part; files: their contents, by place."""

    objects: Mapping[str, Named] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config) -> "Code":
        """As it is on this machine: each file with those that it imports of its folder."""
        if not has_user_code(config):
            return cls()
        from lossopt_cli.training.building import user_parts
        from lossopt_cli.training.user_code import keep_copies

        found = user_parts(config, Path.cwd()).objects
        with tempfile.TemporaryDirectory() as place:
            copies = keep_copies(found.values(), Path(place))
            files = {path.relative_to(place).as_posix(): path.read_bytes() for path in Path(place).rglob("*.py")}
        named = {part: Named(o.reference, copies[o.reference]["file"], o.name, o.where) for part, o in found.items()}
        return cls(named, files)

    def unpacked(self, folder: Path) -> "UserParts":
        """The code, executed from copies in the folder, under the references that it has in the config."""
        from lossopt_cli.training.building import UserParts
        from lossopt_cli.training.user_code import load_object

        for place, contents in self.files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(contents)
        loaded = {part: load_object(f"{one.file}:{one.name}", one.where, folder) for part, one in self.objects.items()}
        return UserParts({part: replace(obj, reference=self.objects[part].reference) for part, obj in loaded.items()})


def writable(problem: Problem) -> Problem:
    """The problem with arrays of its own: those that Ray hands out cannot be written to, and torch warns of them."""
    splits = {name: problem.split(name) for name in SPLITS}
    own = {name: replace(s, inputs=np.array(s.inputs), targets=np.array(s.targets)) for name, s in splits.items()}
    return replace(problem, **own)
