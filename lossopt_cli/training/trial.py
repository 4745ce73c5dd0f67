"""What is trained: plain data, without torch, that travels to a worker."""

from dataclasses import dataclass

from lossopt_cli.config.schema import Config


@dataclass(frozen=True)
class Trial:
    """A recipe with a learning rate and a seed on a problem: the resolved config and the hash of what defines it."""

    config: Config
    hash: str
