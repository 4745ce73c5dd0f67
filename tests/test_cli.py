"""The command line as a shell sees it: streams, exit codes, errors, help, completion, what is imported."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lossopt_cli import __version__
from lossopt_cli.config.words import WORDS

HEAVY = ("torch", "keras", "torchvision", "tensorboard", "matplotlib", "scipy", "sklearn", "PIL", "pandas")


def lossopt(*arguments: str, cwd=None, **environ: str) -> subprocess.CompletedProcess:
    """`lossopt` in a process of its own, without the LOSSOPT_* of this one, 80 columns wide."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LOSSOPT", "_LOSSOPT"))}
    return subprocess.run(
        [sys.executable, "-m", "lossopt_cli", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=clean | {"COLUMNS": "80", "PYTHONUTF8": "1"} | environ,
        timeout=60,
    )


def imported_by(*arguments: str) -> set[str]:
    """The modules in the process when `lossopt` with these arguments is about to leave."""
    program = (
        "import sys; from lossopt_cli.__main__ import run; code = run(sys.argv[1:]);"
        "print('\\n'.join(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        ((), (*HEAVY, "ruamel", "numpy", "rich")),
        (("--help",), (*HEAVY, "pydantic", "ruamel", "numpy", "rich")),
        (("--version",), (*HEAVY, "pydantic", "ruamel", "numpy", "rich")),
        (("train", "--help"), (*HEAVY, "ruamel", "numpy", "rich")),
        (("config", "--help"), (*HEAVY, "ruamel", "numpy", "rich")),
        (("config", "show", "--loss", "huber"), HEAVY),
        (("config", "schema"), HEAVY),
        (("list",), HEAVY),
        (("cache", "list"), HEAVY),
        (("plot", "--help"), HEAVY),
    ],
    ids=" ".join,
)
def test_what_does_not_train_imports_nothing_heavy(arguments, forbidden):
    loaded = imported_by(*arguments)
    assert "lossopt_cli.app" in loaded
    assert loaded & set(forbidden) == set()


def test_alone_it_prints_what_a_newcomer_needs():
    done = lossopt()
    assert done.returncode == 0
    assert done.stderr == ""
    assert "  lossopt train  " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("train", "-h"),
        ("list", "-h"),
        ("plot", "-h"),
        ("config", "-h"),
        ("config",),
        ("cache",),
        ("cache", "clear", "-h"),
    ],
)
def test_help_is_on_stdout_within_80_columns(arguments):
    done = lossopt(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: lossopt")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_lists_every_exit_code():
    text = lossopt("--help").stdout.split("Exit codes")[1].split()
    assert {"0", "1", "2", "3", "5", "130", "143"} <= set(text)


def test_every_word_of_the_config_but_one_is_a_flag_of_train():
    text = lossopt("train", "--help").stdout
    assert [word.flag for word in WORDS if f" {word.flag} " not in text] == ["--engine"]


def test_version():
    assert lossopt("--version").stdout == f"lossopt {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "what", "remedy"),
    [
        (("trian",), "no such command: trian", "did you mean: lossopt train?"),
        (("config", "shw"), "no such command: shw", "did you mean: lossopt config show?"),
        (("xyzzy",), "no such command: xyzzy", "see: lossopt --help"),
        (("train", "--epoch", "3"), "no such option: --epoch", "did you mean --epochs"),
        (("train", "--seeds", "3"), "no such option: --seeds", "lossopt sweep trains several seeds"),
        (("train", "--opt", "sgd,adam"), "--opt: sgd,adam are several optimizers", "lossopt sweep trains several"),
        (("train", "--loss"), "option '--loss' requires an argument", ""),
        (("train", "--format", "xml"), "'xml' is not one of", "see: lossopt train --help"),
        (("config", "check"), "missing argument", "see: lossopt config check --help"),
        (("config", "schema", "x"), "got unexpected extra argument", "see: lossopt config schema --help"),
        (("config", "show", "--loss", "hubr"), "--loss: unknown loss 'hubr'", "did you mean huber?"),
    ],
)
def test_a_mistake_is_one_short_message_on_stderr(arguments, what, remedy):
    done = lossopt(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert what in done.stderr
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 4


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("train", "--format", "json", "--epoch", "3"), 1),
        (("train", "--format=json", "--loss", "hubr", "--lr", "0", "--epochs", "0"), 3),
        (("trian", "--format", "json"), 1),
        (("train", "-f", "json", "missing.yaml"), 1),
    ],
)
def test_an_error_is_json_on_stdout_where_json_was_asked_for(arguments, count):
    done = lossopt(*arguments)
    report = json.loads(done.stdout)
    assert (done.returncode, report["status"]) == (2, "bad_usage")
    assert set(report["error"]) == {"what", "where", "expected", "remedy"}
    assert report["errors"][0] == report["error"]
    assert len(report["errors"]) == count


def test_config_show_prints_a_config_that_config_check_accepts(tmp_path):
    shown = lossopt("config", "show", "--loss", "huber:delta=2", "--opt", "sgd", "--lr", "0.1").stdout
    (tmp_path / "mine.yaml").write_text(shown)
    checked = lossopt("config", "check", "mine.yaml", cwd=tmp_path)
    assert (checked.returncode, checked.stdout) == (0, "mine.yaml: ok\n")
    again = lossopt("config", "show", "mine.yaml", cwd=tmp_path).stdout
    assert [line.split("#")[0].rstrip() for line in again.splitlines()] == [
        line.split("#")[0].rstrip() for line in shown.splitlines()
    ]


def test_config_check_tells_the_good_from_the_bad(tmp_path):
    (tmp_path / "good.yaml").write_text("loss: mse\n")
    (tmp_path / "bad.yaml").write_text("loss: msee\nepochs: 3\n")
    done = lossopt("config", "check", "bad.yaml", "good.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "good.yaml: ok\n")
    assert "bad.yaml:1:1: unknown loss 'msee'" in done.stderr
    assert "bad.yaml:2:1: unknown key epochs" in done.stderr


def test_config_schema_is_json():
    assert json.loads(lossopt("config", "schema").stdout)["title"] == "lossopt config"


def test_an_environment_variable_is_named_as_the_origin():
    done = lossopt("config", "show", LOSSOPT_SEED="7")
    assert any(line.split() == ["seed:", "7", "#", "LOSSOPT_SEED"] for line in done.stdout.splitlines())
    done = lossopt("config", "show", LOSSOPT_SEDE="7")
    assert done.returncode == 2
    assert "did you mean LOSSOPT_SEED" in done.stderr


def completions(line: str, cwd: Path) -> list[str]:
    """What bash would offer for the last word of the line."""
    words = line.split(" ")
    done = lossopt(cwd=cwd, COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), _LOSSOPT_COMPLETE="complete_bash")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("lossopt ", {"train", "plot", "list", "config"}),
        ("lossopt config s", {"show", "schema"}),
        ("lossopt train --loss hub", {"huber"}),
        ("lossopt train --opt sgd,rms", {"sgd,rmsprop"}),
        ("lossopt train --model mini", {"minicnn"}),
        ("lossopt train --data dig", {"digits"}),
        ("lossopt train --data ta", {"table.csv"}),
        ("lossopt train --schedule cos", {"cosine"}),
        ("lossopt train --metric acc", {"accuracy"}),
        ("lossopt train m", {"mine.yaml"}),
        ("lossopt train c", {"configs/"}),
        ("lossopt train configs/a", {"configs/a.yml"}),
        ("lossopt list losses hub", {"huber"}),
        ("lossopt list ", {"losses", "data", "runs"}),
        ("lossopt train --device cu", {"cuda"}),
    ],
)
def test_the_shell_completes(tmp_path, line, offered):
    (tmp_path / "configs").mkdir()
    for name in ("mine.yaml", "mine.txt", "table.csv", "configs/a.yml"):
        (tmp_path / name).write_text("")
    assert offered <= set(completions(line, tmp_path))
    assert "mine.txt" not in completions(line, tmp_path)


STAND_IN = """
import sys
from lossopt_cli import app, __main__
def stand_in(format: str = "table", debug: bool = False) -> int:
    \"\"\"A command that stands in for another.\"\"\"
    BODY
app._loaded = lambda entry: app._command(entry.name, stand_in)
__main__.main()
"""


def command_with(body: str, *arguments: str) -> subprocess.CompletedProcess:
    """`lossopt train` with this body."""
    program = STAND_IN.replace("BODY", body)
    return subprocess.run(
        [sys.executable, "-c", program, "train", *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("return 5", 5),
        ("return 0", 0),
        ("import typer; raise typer.Exit(4)", 4),
        ("from lossopt_cli.errors import RunError; raise RunError('no')", 1),
        ("raise KeyboardInterrupt", 130),
        ("import os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", 143),
        ("1 / 0", 1),
        ("import os; raise BrokenPipeError(32, 'Broken pipe')", 1),
    ],
)
def test_how_a_command_ends_is_the_exit_code(body, code):
    done = command_with(body)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_an_unforeseen_error_is_a_sentence_and_with_debug_a_traceback():
    done = command_with("1 / 0")
    assert done.stderr.startswith("error: internal error: ZeroDivisionError: division by zero\n")
    assert "--debug" in done.stderr
    assert "Traceback" in command_with("1 / 0", "--debug").stderr
    report = json.loads(command_with("1 / 0", "--format", "json").stdout)
    assert report["status"] == "failed"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped_says_so_in_json(stop):
    body = f"import os, time; os.kill(os.getpid(), {int(stop)}); time.sleep(9)"
    done = command_with(body, "--format", "json")
    assert json.loads(done.stdout)["status"] == "interrupted"


def test_a_reader_that_leaves_early_is_no_error():
    program = f"{sys.executable} -m lossopt_cli config schema | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_only_results_reach_a_protected_stdout():
    program = (
        "import os, sys; from lossopt_cli.console import Console\n"
        "console = Console('json').protect_stdout(); print('library'); os.write(1, b'native\\n')\n"
        "os.system('echo child'); console.result('result'); console.note('note'); sys.stdout.flush()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "result\n"
    assert sorted(done.stderr.split()) == ["child", "library", "native", "note"]
