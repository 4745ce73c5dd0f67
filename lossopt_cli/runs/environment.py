"""What a run ran on, without secrets: versions, machine, commit, command line."""

import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "lossopt",
    "keras",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-learn",
    "tensorboard",
    "pillow",
    "pytorch_optimizer",
    "schedulefree",
)
VARIABLES = re.compile(
    r"LOSSOPT_\w+|(OMP|MKL|KMP|OPENBLAS|VECLIB|NUMEXPR)_\w+|KERAS_BACKEND|TORCH_NUM_THREADS|PYTHONHASHSEED"
    r"|CUDA_VISIBLE_DEVICES|CUDA_LAUNCH_BLOCKING|CUBLAS_WORKSPACE_CONFIG|NVIDIA_TF32_OVERRIDE|PYTORCH_\w*ALLOC_CONF"
)
SECRET_WORD = "token|password|passwd|passphrase|pwd|secrets?|keys?|api_?key|accesskey|secretkey|credentials?|auth"
HIDDEN = "***"
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # microseconds of a core in each period: "150000 100000", or "max 100000"
GIT = ("git", "-c", "core.fsmonitor=false", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
GIT_SECONDS = 1.0
# Forms that issuers give their tokens, so that one is known without a name beside it.
TOKEN = re.compile(
    r"\b(hf_|gh[pousr]_|github_pat_|glpat-|sk-|pypi-|KGAT_|xox[abprs]-|AKIA|ASIA|AIza)[A-Za-z0-9_\-]{16,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+"
)
CREDENTIALS_OF_URL = re.compile(r"(?<=://)[^/@\s]+@")
SECRET_NAME = re.compile(rf"(?<![A-Za-z0-9])({SECRET_WORD})(?![A-Za-z0-9])", re.IGNORECASE)
SECRET_VALUE = re.compile(
    rf"(?P<name>(?<![A-Za-z0-9])({SECRET_WORD})([_.\-]\w+)*[\"']?\s*[=:]\s*[\"']?)[^,&;\s\"'}}]+",
    re.IGNORECASE,
)


class Commit:
    """The git commit of the working directory, asked for at once and read later, so that git runs beside the
    imports.

    `read()` gives {"commit": 40 hexadecimal digits, "dirty": bool}, or None without git, outside a
    repository, before a first commit, and where git takes longer than GIT_SECONDS after the asking is read.
    """

    def __init__(self, folder: Path | None = None):
        try:
            self._process = subprocess.Popen(
                GIT,
                cwd=folder,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError:  # no git, or not allowed to start it
            self._process = None

    def read(self) -> dict[str, Any] | None:
        if self._process is None:
            return None
        try:
            said, _ = self._process.communicate(timeout=GIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return None
        match = re.fullmatch(r"([0-9a-f]{40,64})(-dirty)?", said.strip())
        return {"commit": match[1], "dirty": match[2] is not None} if match else None


def environment(command: Sequence[str], commit: Commit | None = None) -> dict[str, Any]:
    """What a run ran on, in plain types: command, python, platform, cpu, packages, git, variables.

    Neither the name of the machine nor of the user is in it, secrets on the command line are replaced by ***,
    and of the environment variables only those that change a run are named. commit: a Commit started earlier.
    """
    commit = commit or Commit()
    return {
        "command": without_secrets(command),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": {"model": cpu_model(), "cores": cores()},
        "packages": versions(),
        "git": commit.read(),
        "variables": _variables(os.environ),
    }


def versions() -> dict[str, str]:
    """The version of each installed package that takes part in the numbers, without importing any."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def cpu_model() -> str:
    """As the maker calls it ("Intel(R) Xeon(R) Platinum 8481C"). On Linux and macOS as the system says, else
    as Python does."""
    if sys.platform == "linux":
        with Path("/proc/cpuinfo").open() as file:
            found = re.search(r"^model name\s*:\s*(.+)$", file.read(4096), re.MULTILINE)
        return found[1].strip() if found else platform.machine()
    if sys.platform == "darwin":
        asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()


def without_secrets(command: Sequence[str]) -> list[str]:
    """The command line with *** for what looks like a secret: values of names such as `token`, `password`,
    `api_key` (`--set data.token=x`, `--hub-token x`, `?key=x`), credentials in URLs, and tokens known by
    their form. The path of the program is left out."""
    words = [Path(command[0]).name, *command[1:]] if command else []
    said = []
    for before, word in zip(["", *words], words, strict=False):
        if before.startswith("-") and "=" not in before and SECRET_NAME.search(before) and not word.startswith("-"):
            said.append(HIDDEN)
        else:
            said.append(_hide(word))
    return said


def _hide(text: str) -> str:
    text = CREDENTIALS_OF_URL.sub(f"{HIDDEN}@", text)
    text = SECRET_VALUE.sub(rf"\g<name>{HIDDEN}", text)
    return TOKEN.sub(HIDDEN, text)


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    chosen = sorted(name for name in environ if VARIABLES.fullmatch(name))
    return {name: HIDDEN if SECRET_NAME.search(name) else _hide(environ[name]) for name in chosen}


def cores() -> int:
    """The cores that this process was given: by affinity, and by the quota of its container."""
    given = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota, _, period = QUOTA.read_text().strip().partition(" ") if QUOTA.is_file() else ("max", "", "")
    return given if quota == "max" else max(1, min(given, math.ceil(int(quota) / int(period))))
