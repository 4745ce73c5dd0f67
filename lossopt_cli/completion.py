"""What the shell offers for a value: names of the catalogue and config files. The tables load when asked."""

import os
from collections.abc import Iterator
from pathlib import Path

import typer

Offer = list[tuple[str, str]]


def _matching(rows, incomplete: str) -> Offer:
    """Rows whose name begins with the text after its last comma; what stands before it is kept."""
    before, comma, last = incomplete.rpartition(",")
    return [(before + comma + row.name, row.use) for row in rows if row.name.startswith(last)]


def losses(incomplete: str) -> Offer:
    from lossopt_cli.catalogue.losses import LOSSES

    return _matching(LOSSES, incomplete)


def optimizers(incomplete: str) -> Offer:
    from lossopt_cli.catalogue.optimizers import OPTIMIZERS

    return _matching(OPTIMIZERS, incomplete)


def models(incomplete: str) -> Offer:
    from lossopt_cli.catalogue.models import MODELS

    return _matching(MODELS, incomplete)


def schedules(incomplete: str) -> Offer:
    from lossopt_cli.catalogue.schedules import SCHEDULES

    return _matching(SCHEDULES, incomplete)


def metrics(incomplete: str) -> Offer:
    from lossopt_cli.catalogue.metrics import METRICS

    return [(row.name, row.formula) for row in METRICS if row.name.startswith(incomplete)]


def data(incomplete: str) -> Offer:
    """Data sets by name, those of Kaggle that are here, .csv files and folders."""
    from lossopt_cli.catalogue.datasets import DATASETS
    from lossopt_cli.config.kaggle import kept_names

    names = [(row.name, row.contents) for row in DATASETS if row.name.startswith(incomplete)]
    names += [(name, "of Kaggle, downloaded") for name in kept_names() if name.startswith(incomplete)]
    paths = [(path, "") for path in _paths(incomplete, (".csv", ".tsv", ".py"))]
    return names + (paths if incomplete or not names else [])


def config_files(incomplete: str) -> Offer:
    """YAML files and the folders on the way to them."""
    return [(path, "") for path in _paths(incomplete, (".yaml", ".yml"))]


def runs(ctx: typer.Context, incomplete: str) -> Offer:
    """`last`, the runs below --logs by name, and the folders on the way to others."""
    logs = Path(ctx.params.get("logs") or os.environ.get("LOSSOPT_LOGS") or "logs")
    found = sorted(logs.iterdir()) if logs.is_dir() else []
    names = ["last", *(path.name for path in found if path.is_dir() and not path.name.startswith("."))]
    offered = [name for name in names if name.startswith(incomplete)]
    return [(name, "") for name in (*offered, *_paths(incomplete, ()))]


def cache_kinds(incomplete: str) -> list[str]:
    from lossopt_cli.data.cache import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def cache_keys(incomplete: str) -> Offer:
    from lossopt_cli.data.cache import entries

    return [(entry.key, str(entry.about.get("what", ""))) for entry in entries() if entry.key.startswith(incomplete)]


def devices(incomplete: str) -> list[str]:
    return [name for name in ("auto", "cpu", "cuda", "mps") if name.startswith(incomplete)]


def precisions(incomplete: str) -> list[str]:
    return [name for name in ("float32", "bfloat16") if name.startswith(incomplete)]


def plot_kinds(incomplete: str) -> Offer:
    from lossopt_cli.analysis.figures.kinds import KINDS

    return [(name, kind.sentence) for name, kind in KINDS.items() if name.startswith(incomplete)]


def tables(incomplete: str) -> list[str]:
    """What `lossopt list` has."""
    return [name for name in (*_ENTRIES, "runs") if name.startswith(incomplete)]


def entries(ctx: typer.Context, incomplete: str) -> Offer:
    """Names in the table that `lossopt list TABLE` was given."""
    table = _ENTRIES.get(ctx.params.get("table"))
    return table(incomplete) if table else []


def _dataset_names(incomplete: str) -> Offer:
    from lossopt_cli.catalogue.datasets import DATASETS

    return [(row.name, row.contents) for row in DATASETS if row.name.startswith(incomplete)]


_ENTRIES = {
    "losses": losses,
    "optimizers": optimizers,
    "models": models,
    "data": _dataset_names,
    "schedules": schedules,
    "metrics": metrics,
}


def _paths(incomplete: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Folders and files of these kinds whose path begins with the text, hidden ones left out."""
    folder_text, slash, start = incomplete.rpartition("/")
    folder = Path(folder_text + slash or ".")
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(start) and not entry.name.startswith("."):
            if entry.is_dir():
                yield f"{folder_text}{slash}{entry.name}/"
            elif entry.suffix in suffixes:
                yield f"{folder_text}{slash}{entry.name}"
