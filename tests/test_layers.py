"""Imports go down, heavy packages are imported where they are used, and the contracts would notice if not."""

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lossopt_cli"
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = frozenset(
    [
        *("torch", "torchvision", "keras", "tensorboard", "tensorflow", "jax", "ray"),
        *("scipy", "sklearn", "matplotlib", "PIL", "pandas", "kagglehub"),
        *("pytorch_optimizer", "schedulefree"),
    ]
)
MAY_IMPORT_TORCH = ("training", "sweeps")
FORBIDDEN_NAMES = frozenset(["utils", "helpers", "common", "base", "misc", "core"])


def lint(folder: Path) -> subprocess.CompletedProcess:
    tool = Path(sysconfig.get_path("scripts")) / "lint-imports"
    return subprocess.run(
        [str(tool), "--no-cache"],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_contracts_hold():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


PLANTED = [
    ("runs/folder.py", "from lossopt_cli.data.problem import Problem", "Imports go down"),
    ("catalogue/rows.py", "from lossopt_cli.config.schema import Part", "Imports go down"),
    ("errors.py", "def f():\n    from lossopt_cli.catalogue import rows", "Imports go down"),
    ("training/__init__.py", "from lossopt_cli import console", "Imports go down"),
    ("data/problem.py", "import lossopt_cli.analysis", "Imports go down"),
    ("homeless.py", "", "Imports go down"),
    ("config/schema.py", "def f():\n    import torch.nn", "never reaches torch"),
    ("runs/events.py", "def f():\n    import tensorboard", "never reaches torch"),
    ("analysis/__init__.py", "from lossopt_cli.config import schema", "not configs"),
]


@pytest.mark.parametrize(("file", "line", "contract"), PLANTED, ids=[f"{f}: {s.split()[-1:]}" for f, s, _ in PLANTED])
def test_a_planted_import_is_noticed(tmp_path: Path, file: str, line: str, contract: str):
    shutil.copytree(PACKAGE, tmp_path / "lossopt_cli", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "lossopt_cli" / file).open("a") as target:
        target.write(f"\n{line}\n")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [row for row in done.stdout.splitlines() if row.endswith("BROKEN")]
    assert any(contract in row for row in broken), done.stdout


def run_at_import(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a module that happen when it is imported: all but those inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not _for_types(node):
            yield from run_at_import(node)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def packages(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]} if node.level == 0 else set()
    return {alias.name.split(".")[0] for alias in node.names}


@pytest.mark.parametrize("file", FILES, ids=[f.relative_to(PACKAGE).as_posix() for f in FILES])
def test_heavy_packages_are_imported_inside_the_function_that_needs_them(file: Path):
    allowed = {"torch", "keras"} if file.relative_to(PACKAGE).parts[0] in MAY_IMPORT_TORCH else set()
    found = set().union(*(packages(node) for node in run_at_import(ast.parse(file.read_text()))))
    assert found & (HEAVY - allowed) == set()


def test_importing_all_but_training_loads_nothing_heavy():
    light = [file for file in FILES if file.relative_to(PACKAGE).parts[0] not in (*MAY_IMPORT_TORCH, "__main__.py")]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in light]
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        f"print(sorted({set(HEAVY)!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("file", FILES, ids=[f.relative_to(PACKAGE).as_posix() for f in FILES])
def test_modules_are_short_and_named_after_what_they_hold(file: Path):
    assert len(file.read_text().splitlines()) <= 300
    assert file.stem not in FORBIDDEN_NAMES
