"""The README is true: its commands run, its outputs are the program's, what it names exists."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from made_runs import made_run

from lossopt_cli import errors
from lossopt_cli.__main__ import run

# A command redirects the process's real stdout once; under capsys, whose stdout is no file, it leaves it alone.
pytestmark = pytest.mark.usefixtures("capsys")

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"\s+# (exit code (?P<code>\d+)|downloads .*|takes .*)$")
FOR_A_SHELL = re.compile(r"[|>;$]|&&|\bfor\b|^Q=")
# What a fresh machine needs first; .ci/run carries these out in an environment of their own.
INSTALLS = re.compile(r"pip install")


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(TEXT) if found == language]


@dataclass(frozen=True)
class Command:
    """What a person pastes at once, and the exit code that it ends with. reason: why it is not run here."""

    text: str
    code: int = 0
    reason: str | None = None


def commands_of(block: str) -> list[Command]:
    """A block's lines; continued ones, loops, and variables with what follows them are one command."""
    if re.search(r"^(for|Q=)", block, re.MULTILINE):
        return [Command(block.strip())]
    found = []
    for line in re.sub(r"\\\n\s*", "", block.strip()).splitlines():
        mark = MARK.search(line)
        text = MARK.sub("", line)
        downloads = mark is not None and mark["code"] is None
        found.append(Command(text, int(mark["code"] or 0) if mark else 0, mark[0].strip(" #") if downloads else None))
    return found


ALL = [command for block in blocks("sh") for command in commands_of(block)]
COMMANDS = [command for command in ALL if not INSTALLS.search(command.text)]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """An empty folder with what the README speaks of: a table, a folder of photographs, its own Python files, the
    config that one begins."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("home")
    for name in ("configs", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(80, 3))
    lines = [f"{a},{b},{'old' if c > 0 else 'new'},{2 * a - b + (c > 0)}" for a, b, c in rows]
    (folder / "mine.csv").write_text("\n".join(["area,distance,state,price", *lines]))
    for label, level in (("cat", 60), ("dog", 180)):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(40):
            pixels = generator.integers(0, 70, size=(40, 48, 3), dtype=np.uint8) + np.uint8(level)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{number}.png")
    for source in blocks("python"):
        (folder / source.splitlines()[0].removeprefix("# ")).write_text(source)
    (folder / "mine.yaml").write_text("loss: huber\noptimizer: sgd\n")
    recipes = product(("demo", "optimizers"), ("adam", "sgd"), (0.001, 0.01, 0.1), (0, 1))
    for place, optimizer, rate, seed in recipes:
        name = f"{optimizer}-{rate}-{seed}"
        made = made_run(folder / "logs" / place / name, optimizer=optimizer, learning_rate=rate, seed=seed)
        os.utime(made / "config.yaml", (0, 0))
    # What lists runs needs one, also where another process runs the commands before it.
    code, said = in_a_shell("lossopt train --model linear --epochs 1 -q --name begun", folder)
    assert code == 0, said
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: re.sub(r"\s+", " ", command.text)[:60])
def test_a_command_runs(command, home, monkeypatch, capsys):
    if command.reason:
        pytest.skip(f"the README says that it {command.reason}")
    monkeypatch.chdir(home)
    if "--name first" in command.text:
        shutil.rmtree(home / "logs" / "first", ignore_errors=True)
    if FOR_A_SHELL.search(without_quotes(command.text)):
        code, said = in_a_shell(command.text, home)
    else:
        code = run(shlex.split(command.text)[1:])
        said = capsys.readouterr().err
    assert code == command.code, said


def without_quotes(text: str) -> str:
    """`'accuracy < 0.8'` is no redirection."""
    return re.sub(r"'[^']*'", "", text)


def in_a_shell(text: str, folder: Path) -> tuple[int, str]:
    """Exit code and what was on stderr."""
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stderr


def test_the_model_predicts_without_lossopt(home):
    if not (home / "logs" / "first").exists():
        assert run(["train", "--epochs", "5", "--logs", str(home / "logs"), "--name", "first", "-q"]) == 0
    shown = subprocess.run([sys.executable, "predict.py"], cwd=home, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[0 1 2]"


def test_the_loss_of_ones_own_learns(home, tmp_path):
    words = ["train", "--data", "digits", "--loss", f"{home / 'mine.py'}:focal", "--epochs", "5"]
    assert run([*words, "--logs", str(tmp_path), "--fail-if", "accuracy < 0.8", "-q"]) == 0


def test_the_table_of_recipes_is_of_options_that_exist(monkeypatch, tmp_path, capsys):
    rows = re.findall(r"^\| [^|]+ \| (`--[^|]+) \|$", TEXT, re.MULTILINE)
    options = [option for row in rows for option in re.findall(r"`(--[^`]+)`", row) if option.isascii()]
    assert len(options) >= 10
    wrong = [option for option in options if "section.key" not in option and shown(option) != 0]
    assert wrong == []


def shown(option: str) -> int:
    """Exit code of `lossopt config show` with it; its own `mine.csv` and `photos` are told of elsewhere."""
    if option.startswith("--data"):
        return 0
    return run(["config", "show", *shlex.split(option)])


def masked(text: str) -> list[str]:
    """Its lines without numbers, curves, spacing and what repeats: what may not differ from one machine to another."""
    text = re.sub(r"[▁▂▃▄▅▆▇█]+", "~", text)
    lines = [re.sub(r"\s+", " ", re.sub(r"\d[\d.,e+-]*", "#", line)).strip() for line in text.splitlines()]
    return [line for line, before in zip(lines, ["", *lines], strict=False) if line and line != before]


def test_the_first_picture_is_what_train_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = (text for text in blocks("console") if "lossopt train" in text)
    command, _, expected = block.partition("\n")
    assert run(shlex.split(command.removeprefix("$ "))[1:]) == 0
    out, err = capsys.readouterr()
    assert masked(err + out) == masked(expected)


def test_the_help_is_the_programs(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (block,) = (text for text in blocks("console") if "--help" in text)
    assert run(["--help"]) == 0
    assert block.partition("\n")[2].split() == capsys.readouterr().out.split()


def test_the_exit_codes_are_those_of_the_program():
    told = {int(code) for code in re.findall(r"^\| (\d+) \| ", TEXT, re.MULTILINE)}
    assert told == {value for name, value in vars(errors).items() if name.isupper()}


def test_links_and_named_files_exist():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    named = re.findall(r"(?:configs|tests|lossopt_cli)/[\w/.-]*\.\w+", TEXT)
    assert len(links) > 10
    assert [path for path in {*links, *named} if not (ROOT / path).exists()] == []


def test_the_file_tree_is_the_package():
    tree = next(text for text in blocks("text") if text.startswith("lossopt_cli/"))
    told = re.findall(r"^    (\w+(?:\.py|/))", tree, re.MULTILINE)
    package = ROOT / "lossopt_cli"
    there = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]
    there += [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]
    assert sorted(told) == sorted(there)


def test_a_run_leaves_what_the_readme_lists(home):
    listing = next(text for text in blocks("text") if text.startswith("config.yaml"))
    patterns = [line.split()[0].rstrip("/") for line in listing.strip().splitlines()]
    logs = home / "own"
    loss = f"{home / 'mine.py'}:focal"
    words = ["train", "--loss", loss, "--data", "iris", "--epochs", "1", "--logs", str(logs), "-q"]
    assert run(words) == 0
    (folder,) = logs.iterdir()
    assert [pattern for pattern in patterns if not list(folder.glob(pattern))] == []
    assert [path.name for path in folder.iterdir() if not any(path.match(pattern) for pattern in patterns)] == []


def test_one_line_installs_and_tests_and_one_trains():
    assert len([command for command in ALL if re.search(r"pip install .*&& .*pytest", command.text)]) == 1
    assert any(re.search(r"venv .*&& .*pip install \. && .*lossopt train$", command.text) for command in ALL)
