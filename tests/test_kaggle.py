"""Data sets of Kaggle, through kagglehub itself: what its cache holds, and what a server may answer."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossopt_cli.config.kaggle import kaggle_name, kept_names
from lossopt_cli.config.references import data_reference
from lossopt_cli.config.resolving import resolve
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import sources
from lossopt_cli.data.problem import SPLITS
from lossopt_cli.errors import LossoptError, RunError, UsageError

NAME = "kaggle:jo/pets"
PICTURES = {f"{name}/{k}.png": 100 * number + k for number, name in enumerate(("cat", "dog")) for k in range(10)}
TABLE = {"a.csv": "x,y\n" + "".join(f"{k},{k % 2}\n" for k in range(20))}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """kagglehub with a cache and a home of the test's own, without credentials and without a network."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / ".kaggle"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # nobody listens at the port of `discard`
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "lossopt"))
    return tmp_path / "kagglehub"


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (value, 0, 255)).save(file, "png")
    return file.getvalue()


def contents(inside: str = "", pictures: bool = True, **tables: str) -> dict[str, bytes]:
    """The files of a data set: two classes in a folder, and tables."""
    found = {f"{inside}{name}": png(value) for name, value in PICTURES.items()} if pictures else {}
    return found | {name.replace("_csv", ".csv"): text.encode() for name, text in tables.items()}


def keep(cache: Path, version: int, files: dict[str, bytes]) -> Path:
    """A data set as kagglehub lays it out."""
    folder = cache / "datasets" / "jo" / "pets"
    for name, content in files.items():
        path = folder / "versions" / str(version) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / f"{version}.complete").touch()
    return folder / "versions" / str(version)


def load(name: str, said: list[str] | None = None, **keys):
    return sources.load(DataConfig(name=name, **keys), None, 0, (said if said is not None else []).append)


def message(kind: type[LossoptError], name: str) -> str:
    with pytest.raises(kind) as caught:
        load(name)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("text", "handle", "inside"),
    [
        ("kaggle:jo/pets", "jo/pets", ""),
        ("kaggle:jo/pets/", "jo/pets", ""),
        ("kaggle:jo/pets/versions/12", "jo/pets/versions/12", ""),
        ("kaggle:jo/pets/versions/12/a/b c", "jo/pets/versions/12", "a/b c"),
        ("kaggle:jo/pets/a/versions/1", "jo/pets", "a/versions/1"),
    ],
)
def test_a_name_has_a_handle_and_a_place_inside(text, handle, inside):
    name = kaggle_name(text, "--data")
    assert (name.handle, name.inside, str(name)) == (handle, inside, text.rstrip("/"))


@pytest.mark.parametrize("prefix", ["Kaggle:", "KAGGLE:"])
def test_the_prefix_is_written_as_one_likes(prefix, tmp_path):
    assert data_reference(f"{prefix}jo/Pets", None, tmp_path, "--data") == ("kaggle:jo/Pets", None)
    assert resolve(None, {}, {"data": f"{prefix}jo/Pets"}, ()).config.data.name == "kaggle:jo/Pets"


MEANT = {
    "kagle:jo/pets": "kaggle:jo/pets",
    "kagel:jo/pets/versions/3/data": "kaggle:jo/pets/versions/3/data",
    "kaggel://jo/pets": "kaggle:jo/pets",
    "https://www.kaggle.com/datasets/jo/pets": "kaggle:jo/pets",
    "https://www.kaggle.com/datasets/jo/pets/": "kaggle:jo/pets",
    "https://www.kaggle.com/datasets/jo/pets?select=a.csv": "kaggle:jo/pets",
    "https://www.kaggle.com/datasets/jo/pets/data?datasetVersionNumber=3": "kaggle:jo/pets",
    "https://www.kaggle.com/datasets/jo/pets/versions/3": "kaggle:jo/pets/versions/3",
    "www.kaggle.com/datasets/jo/pets": "kaggle:jo/pets",
    "kaggle.com/datasets/jo/pets": "kaggle:jo/pets",
}


@pytest.mark.parametrize(("text", "meant"), MEANT.items(), ids=MEANT)
def test_an_address_and_a_slip_are_told_the_name(text, meant, train):
    run = train("--data", text)
    assert run.code == 2
    assert f"'{text}' names no data" in run.err
    assert f"did you mean {meant}?\n" in run.err
    assert run.err.count("\n") == 3


@pytest.mark.parametrize("text", ["kaggle:jo/pets/version/3", "kaggle:jo/pets/v/3", "kaggle:jo/pets/Versions/3"])
def test_a_version_that_is_spelled_otherwise_is_told_the_way(text):
    with pytest.raises(UsageError, match=r"did you mean kaggle:jo/pets/versions/3\?"):
        kaggle_name(text, "--data")
    assert kaggle_name("kaggle:jo/pets/versions/1/version/3", "--data").inside == "version/3"


@pytest.mark.parametrize(
    "text",
    ["kaggle:", "kaggle:pets", "kaggle:jo//x", "kaggle:jo/pe ts", "kaggle:jo/pets/versions", "kaggle:-/pets",
     "kaggle:jo/pets/versions/two", "kaggle:jo/pets/../x", "kaggle:jo/pets/versions/1//x", "kaggle:jo/pets/versions/0"],
)  # fmt: skip
def test_what_names_no_data_set_is_bad_usage(text):
    with pytest.raises(UsageError, match=r"--data: .*\n  expected kaggle:OWNER/NAME"):
        data_reference(text, None, Path.cwd(), "--data")


# ------------------------------------------------------------------------------------ what is in the cache


def test_a_pinned_version_that_is_here_needs_no_network(cache):
    keep(cache, 3, contents())
    problem = load("kaggle:jo/pets/versions/3")
    assert problem.name == "pets"
    assert problem.classes == ("cat", "dog")
    assert problem.pinned == "kaggle:jo/pets/versions/3"
    assert problem.notes == ()
    for part in (problem.train, problem.validation, problem.test):
        np.testing.assert_array_equal(part.inputs[:, 0, 0, 0], part.rows % 10 + 100 * part.targets)


def test_the_same_data_elsewhere_are_the_same_problem(cache):
    folder = keep(cache, 3, contents())
    here, there = load("kaggle:jo/pets/versions/3"), load("pets", path=str(folder))
    assert here.facts == {**there.facts, "name": "pets"}


@pytest.mark.parametrize("place", ["tom/tom/", "data/"])
def test_class_folders_that_lie_deeper_are_found_and_named(cache, place):
    keep(cache, 1, contents(place, truth_csv="a,b\n1,2\n", more_csv="a,b\n1,2\n"))
    problem = load("kaggle:jo/pets/versions/1")
    assert problem.classes == ("cat", "dog")
    assert problem.pinned == f"kaggle:jo/pets/versions/1/{place.rstrip('/')}"
    assert problem.notes == (f"found inside jo/pets/versions/1: {place.rstrip('/')}",)
    assert load(problem.pinned).notes == ()


@pytest.mark.parametrize(("asked", "pinned"), [("", "/a.csv"), ("/a.csv", "/a.csv"), ("/deep/b.csv", "/deep/b.csv")])
def test_a_table_is_read_as_one(cache, asked, pinned):
    files = {"a.csv": TABLE["a.csv"].encode()} | ({"deep/b.csv": TABLE["a.csv"].encode()} if asked else {})
    keep(cache, 1, files)
    problem = load(f"kaggle:jo/pets/versions/1{asked}", target="y")
    assert problem.target == "y"
    assert problem.name == "pets"
    assert problem.pinned == f"kaggle:jo/pets/versions/1{pinned}"


@pytest.mark.parametrize(
    ("files", "asked", "words"),
    [
        (contents("a/") | contents("b/"), "", ["has 2 folders with class folders", "one of a, b", "versions/1/a"]),
        (contents("a/") | contents("my_train/"), "", ["one of a, my_train", "versions/1/my_train"]),
        ({"a.csv": b"x\n", "b.csv": b"x\n"}, "", ["2 tables", "one of a.csv, b.csv", "versions/1/a.csv"]),
        ({"a.txt": b""}, "", ["no class folders with images and no .csv file", "it has a.txt"]),
        (contents("data/"), "/dat", ["there is no dat in jo/pets", "did you mean data?"]),
        (contents("data/"), "/data/cats", ["there is no cats in jo/pets/versions/1/data", "one of cat, dog"]),
    ],
)
def test_what_cannot_be_chosen_is_told(cache, files, asked, words):
    keep(cache, 1, files)
    told = message(UsageError, f"kaggle:jo/pets/versions/1{asked}")
    assert [word for word in words if word not in told] == []


TWINS = {
    "named alike": ("seg_train/", "seg_test/"),
    "one in the other": ("seg_train/seg_train/", "seg_test/seg_test/"),
    "sets": ("training_set/training_set/", "test_set/test_set/"),
    "deeper": ("archive/train/train/", "archive/test/test/"),
}


@pytest.mark.parametrize(("trained", "tested"), TWINS.values(), ids=TWINS)
def test_twins_of_train_and_test_are_one_data_set(cache, trained, tested):
    keep(cache, 1, contents(trained) | contents(tested) | {"seg_pred/seg_pred/1.png": png(3)})
    problem = load("kaggle:jo/pets/versions/1")
    assert problem.pinned == "kaggle:jo/pets/versions/1" + ("/archive" if "archive" in trained else "")
    assert [len(problem.split(name)) for name in SPLITS] == [16, 4, 20]
    assert sorted(problem.test.rows) == list(range(20))  # test stands before train


def test_the_shell_offers_what_is_here(cache):
    keep(cache, 3, contents())
    keep(cache, 12, contents())
    (cache / "datasets" / "jo" / "half").mkdir()
    assert kept_names() == ["kaggle:jo/pets/versions/12"]


@pytest.mark.parametrize(("inside", "named"), [("/cat", "/cat"), ("/dta/cat", ""), ("/a.csv", "")])
def test_a_place_that_a_version_here_has_not_is_not_repeated(cache, inside, named):
    keep(cache, 3, contents())
    assert message(RunError, NAME + inside).endswith(f"version 3 is here: --data kaggle:jo/pets/versions/3{named}")


def test_without_a_network_the_versions_that_are_here_are_named(cache):
    keep(cache, 3, contents())
    told = message(RunError, NAME)
    assert "Kaggle cannot be reached: " in told
    assert told.endswith("version 3 is here: --data kaggle:jo/pets/versions/3")
    assert "versions 5, 3 are here" in (keep(cache, 5, contents()) and message(RunError, NAME))
    assert message(RunError, "kaggle:jo/other").endswith("connect, and run it again")


# ----------------------------------------------------------------------------------------- what a server says


@pytest.fixture
def kaggle(monkeypatch) -> Iterator[Callable]:
    """kaggle(archive=..., status=..., ...) begins to answer as Kaggle does; returns what it was asked for."""
    servers = []

    def serve(archive: bytes = b"", version: int = 4, status: int = 200, headers=(), missing: int = 0) -> list[str]:
        asked: list[str] = []

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                call = self.path.rsplit("/", 1)[-1]
                asked.append(call)
                self.rfile.read(int(self.headers["Content-Length"]))
                about = status != 200 or call == "GetDataset"
                body = json.dumps({"currentVersionNumber": version} if status == 200 else {}) if about else archive
                body = body.encode() if about else body
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if about else "application/zip")
                self.send_header("Content-Length", str(len(body) + missing))
                for name, value in () if about else headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
        return asked

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_the_latest_version_is_downloaded_once_and_named(cache, kaggle, capfd):
    asked, said = kaggle(zipped(contents("data/"))), []
    problem = load(NAME, said)
    assert problem.pinned == "kaggle:jo/pets/versions/4/data"
    assert "version 4 of jo/pets, the latest" in problem.notes[0]
    assert "asking Kaggle for jo/pets" in said[0]
    assert asked == ["GetDataset", "DownloadDataset"]
    assert capfd.readouterr().out == ""
    load(NAME)
    assert asked[2:] == ["GetDataset"]
    load(problem.pinned)
    assert len(asked) == 3


def test_a_download_does_without_the_cache_of_lossopt(kaggle, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "file"))
    kaggle(zipped(contents()))
    assert load(NAME).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("status", "token", "words"),
    [
        (401, None, ["Kaggle wants to know who asks (401)", "KAGGLE_API_TOKEN"]),
        (401, "wrong", ["Kaggle refuses the credentials (401)", "KAGGLE_API_TOKEN"]),
        (403, None, ["does not give jo/pets (403)", "without credentials", "https://www.kaggle.com/datasets/jo/pets"]),
        (403, "mine", ["does not give jo/pets (403)", "https://www.kaggle.com/datasets/jo/pets"]),
        (404, "mine", ["Kaggle has no data set jo/pets (404)", "https://www.kaggle.com/datasets/jo/pets"]),
        (500, None, ["Kaggle answers 500", "try again later"]),
    ],
)
def test_what_kaggle_refuses_is_told_with_the_remedy(kaggle, monkeypatch, status, token, words):
    if token:
        monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    kaggle(status=status)
    told = message(RunError, NAME)
    assert told.startswith("kaggle:jo/pets: ")
    assert [word for word in words if word not in told] == []
    assert ("without credentials" in told) == (status == 403 and token is None)


def test_credentials_that_cannot_be_read_are_told(tmp_path):
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "kaggle.json").write_text("{")
    assert "kagglehub cannot read its credentials" in message(RunError, NAME)


GOOD = zipped(contents())
BROKEN = {
    "cut short": ({"archive": GOOD[:-50], "missing": 50}, "the download broke off"),
    "half an archive": ({"archive": GOOD[: len(GOOD) // 2]}, "is damaged, and was deleted"),
    "no archive": ({"archive": b"<html>"}, "is damaged, and was deleted"),
    "another sum": ({"archive": GOOD, "headers": [("x-goog-hash", "md5=AAAA")]}, "is damaged, and was deleted"),
}


@pytest.mark.parametrize(("answer", "told"), BROKEN.values(), ids=BROKEN)
def test_after_a_broken_download_the_next_one_is_whole(kaggle, answer, told):
    headers = [("Accept-Ranges", "bytes"), *answer.get("headers", [])]
    kaggle(**{**answer, "headers": headers})
    assert told in message(RunError, NAME)
    kaggle(GOOD)
    assert load(NAME).classes == ("cat", "dog")


# -------------------------------------------------------------------------------------------- whole commands


def test_a_run_names_the_version_that_it_took_and_evaluate_finds_it(cache, kaggle, train, capsys):
    kaggle(zipped(contents("data/")))
    run = train("--data", NAME, "--model", "mlp", "--epochs", "1", "--quiet")
    assert run.code == 0
    assert "name: kaggle:jo/pets/versions/4/data\n" in (run.folder / "config.yaml").read_text()
    from lossopt_cli.__main__ import run as command

    for words in ([], ["--data", f"{NAME}/versions/4"], ["--data", f"{NAME}/versions/4", "--split", "test"]):
        capsys.readouterr()
        assert command(["evaluate", str(run.folder), *words, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["metrics"]["accuracy"] >= 0
