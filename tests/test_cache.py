"""The cache on disk: whole or absent, under two processes and a kill, within its limit; and rows of arrays in it."""

import io
import json
import os
import pickle
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lossopt_cli.__main__ import run
from lossopt_cli.data import cache
from lossopt_cli.data.rows import Rows, mapped, taken, write_array
from lossopt_cli.errors import UsageError

MAKE = """
import sys, time
from pathlib import Path
from lossopt_cli.data import cache

def make(folder):
    (folder / "half").write_bytes(b"x" * 1000)
    print("making", flush=True)
    time.sleep(float(sys.argv[1]))
    (folder / "half").rename(folder / "whole")

path = cache.entry("images", "k", {"what": "40 images"}, make, lambda text: print(text, flush=True))
print("got", sorted(p.name for p in path.iterdir()), flush=True)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LOSSOPT_CACHE_LIMIT", raising=False)
    return tmp_path / "cache"


def filled(size: int):
    """A maker of one file of so many bytes."""
    return lambda folder: (folder / "data").write_bytes(b"x" * size) and None


def keep(kind: str, key: str, size: int = 1000, unused_for: float = 0.0) -> Path:
    path = cache.entry(kind, key, {"what": f"{kind} {key}"}, filled(size), pytest.fail)
    used = time.time() - unused_for
    os.utime(path / "about.json", (used, used))
    return path


def process(seconds: float) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", MAKE, str(seconds)], stdout=subprocess.PIPE, text=True)


def test_it_is_made_once_and_then_found(folder):
    made = []
    assert cache.found("images", "a") is None
    paths = [cache.entry("images", "a", {"what": "w", "count": 3}, made.append, pytest.fail) for _ in range(2)]
    assert paths == [folder / "images" / "a"] * 2 == [cache.found("images", "a")] * 2
    assert len(made) == 1
    about = json.loads((paths[0] / "about.json").read_text())
    assert about["count"] == 3
    assert abs(about["made_at"] - time.time()) < 60


def test_a_use_is_noted(folder):
    path = keep("images", "a", unused_for=1000)
    cache.found("images", "a")
    assert cache.entries()[0].used_at == pytest.approx(time.time(), abs=60)
    assert cache.entries()[0].path == path


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_failed_leaves_nothing(folder, error):
    def make(place):
        (place / "half").write_text("x")
        raise error

    with pytest.raises(error):
        cache.entry("images", "a", {}, make, pytest.fail)
    assert cache.entries() == []
    assert list((folder / "images").iterdir()) == []


def test_the_second_process_waits_for_the_first_and_takes_what_it_made():
    with process(0.7) as first:
        assert first.stdout.readline() == "making\n"
        with process(0.7) as second:
            assert second.stdout.read() == (
                "waiting for 40 images, which another process is making\ngot ['about.json', 'whole']\n"
            )
        assert first.stdout.read() == "got ['about.json', 'whole']\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_after_a_kill_the_next_starts_clean(folder):
    with process(60) as killed:
        killed.stdout.readline()
        assert [p.name for p in (folder / "images").glob("*/half")] == ["half"]
        killed.send_signal(signal.SIGKILL)
    with process(0) as after:
        assert after.stdout.read() == "making\ngot ['about.json', 'whole']\n"
    assert [p.name for p in (folder / "images").iterdir()] == ["k"]


@pytest.mark.parametrize("tidy", [lambda: keep("images", "other"), lambda: cache.clear(keys=["other"])])
def test_what_a_kill_left_of_another_goes_too(folder, tidy):
    for name in (".gone.making", ".gone.deleted"):
        (folder / "images" / name).mkdir(parents=True)
        (folder / "images" / name / "half").write_bytes(b"x")
    tidy()
    assert list((folder / "images").glob(".gone*")) == []


@pytest.fixture(params=[0, 1], ids=["before it is looked at", "after the first look"])
def vanishing(monkeypatch, request) -> None:
    """Every file that is called `half` is gone soon after its folder was listed: another process empties it."""
    real, looks = os.stat, []

    def gone(path, *rest, **options):
        if Path(path).name == "half":
            looks.append(path)
            if len(looks) > request.param and os.path.lexists(path):
                os.unlink(path)
        return real(path, *rest, **options)

    monkeypatch.setattr(os, "stat", gone)


@pytest.mark.parametrize("tidy", [lambda: keep("images", "other"), cache.clear, cache.entries])
@pytest.mark.parametrize("name", [".gone.deleted", "there"])
def test_what_another_process_deletes_just_now_is_no_error(folder, vanishing, tidy, name):
    keep("images", "there")
    (folder / "images" / name).mkdir(exist_ok=True)
    (folder / "images" / name / "half").write_bytes(b"x")
    tidy()


@pytest.mark.skipif(sys.platform == "win32", reason="no permissions of POSIX")
def test_a_leftover_of_somebody_else_is_left_to_them(folder, monkeypatch):
    (folder / "images" / ".gone.deleted").mkdir(parents=True)
    real = cache._taken

    def refused(lock):
        if "gone" in lock.lock_file:
            raise PermissionError(13, "Permission denied", lock.lock_file)
        return real(lock)

    monkeypatch.setattr(cache, "_taken", refused)
    assert keep("images", "other").is_dir()
    assert [path.name for path in (folder / "images").glob(".*")] == [".gone.deleted"]


DAMAGES = {
    "no UTF-8": lambda path: path.write_bytes(b'{"what": "\xe9"}'),
    "no JSON": lambda path: path.write_bytes(b"{"),
    "a list": lambda path: path.write_bytes(b"[]"),
    "a time that is none": lambda path: path.write_bytes(b'{"made_at": "x", "what": 3}'),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_listed_and_cleared_like_the_others(folder, capsys, damage):
    keep("images", "whole")
    damage(keep("images", "odd") / "about.json")
    assert run(["cache", "list", "--format", "json"]) == 0
    assert {entry["key"] for entry in json.loads(capsys.readouterr().out)} == {"whole", "odd"}
    assert run(["cache", "list"]) == 0
    cache.clear()
    assert cache.entries() == []


def test_what_is_being_made_is_no_leftover(folder):
    with process(0.7) as maker:
        maker.stdout.readline()
        assert cache.clear() == 0
        assert maker.stdout.read() == "got ['about.json', 'whole']\n"


def test_beyond_the_limit_the_least_recently_used_go(folder, monkeypatch):
    for key, unused in (("a", 300), ("b", 500), ("c", 400)):
        keep("images", key, 1000, unused)
    assert len(cache.entries()) == 3
    monkeypatch.setenv("LOSSOPT_CACHE_LIMIT", "2.5 kB")
    said = []
    cache.entry("features", "d", {}, filled(1000), said.append)
    assert {e.key for e in cache.entries()} == {"a", "d"}
    assert len(said) == 1
    assert "2 of 4 entries" in said[0]
    assert "2.5 kB" in said[0]


@pytest.mark.parametrize("unused_for", [0, 1000])
def test_what_was_just_made_or_used_stays_whatever_the_limit(monkeypatch, unused_for):
    keep("images", "a", unused_for=unused_for)
    monkeypatch.setenv("LOSSOPT_CACHE_LIMIT", "1")
    cache.entry("images", "b", {}, filled(1000), lambda text: None)
    assert [e.key for e in cache.entries()] == (["b"] if unused_for else ["b", "a"])


@pytest.mark.parametrize(
    ("text", "limit"),
    [("20 GB", 20e9), ("500mb", 5e8), ("1.5 kB", 1500), ("77", 77), ("none", None), ("", 20e9), ("2 TB", 2e12)],
)
def test_sizes(monkeypatch, text, limit):
    monkeypatch.setenv("LOSSOPT_CACHE_LIMIT", text)
    assert cache.cache_limit() == limit


def test_a_size_that_is_none_is_refused_before_anything_is_made(monkeypatch):
    monkeypatch.setenv("LOSSOPT_CACHE_LIMIT", "20 G")
    with pytest.raises(UsageError, match="LOSSOPT_CACHE_LIMIT: '20 G' is no size"):
        cache.entry("images", "a", {}, pytest.fail, pytest.fail)


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({}, []),
        ({"kinds": ["images"]}, ["c"]),
        ({"keys": ["a", "c"]}, ["b"]),
        ({"older_than": 350.0}, ["a", "c"]),
        ({"kinds": ["features"], "older_than": 350.0}, ["a", "b", "c"]),
    ],
)
def test_clear_takes_what_was_named(chosen, left):
    for kind, key, unused in (("images", "a", 300), ("images", "b", 400), ("features", "c", 100)):
        keep(kind, key, 1000, unused)
    before = sum(e.bytes for e in cache.entries())
    freed = cache.clear(**chosen)
    assert sorted(e.key for e in cache.entries()) == left
    assert freed == before - sum(e.bytes for e in cache.entries())


def test_a_mapped_file_outlives_its_entry():
    array = np.arange(6, dtype=np.uint8)
    path = cache.entry("images", "a", {}, lambda at: write_array(at / "x.npy", np.uint8, (6,), [array]), pytest.fail)
    kept = mapped(path / "x.npy")
    cache.clear()
    np.testing.assert_array_equal(kept, array)


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(cache.CacheUnavailable, match=r"the cache cannot be written to[\s\S]*LOSSOPT_CACHE=FOLDER"):
        cache.entry("images", "a", {}, pytest.fail, pytest.fail)


ARRAY = np.arange(24, dtype=np.float32).reshape(6, 4)
PLACES = np.array([4, 1, 5])


@pytest.mark.parametrize(
    "words", [[], ["a"], ["--kind", "images"], ["a", "--kind", "images", "--older-than", "0.01min"]]
)
def test_where_nobody_can_be_asked_the_same_is_told_with_yes(words, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    keep("images", "a", unused_for=60.0)
    assert run(["cache", "clear", *words]) == 2
    assert f"  {shlex.join(['lossopt', 'cache', 'clear', *words, '--yes'])} does\n" in capsys.readouterr().err
    assert len(cache.entries()) == 1


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        slice(None),
        slice(1, None),
        slice(0, 0),
        np.array([2, 0]),
        PLACES < 5,
        (slice(None), 1),
        (..., slice(1, 3)),
    ],
)
def test_rows_are_what_the_array_has_there(index):
    np.testing.assert_array_equal(Rows(ARRAY, PLACES)[index], ARRAY[PLACES][index])


def test_rows_look_like_an_array():
    rows = Rows(ARRAY, PLACES)
    assert (len(rows), rows.shape, rows.dtype, rows.ndim) == (3, (3, 4), np.float32, 2)
    np.testing.assert_array_equal(np.asarray(rows), ARRAY[PLACES])
    assert np.asarray(rows, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="only as a copy"):
        np.array(rows, copy=False)


def test_rows_of_rows_share_the_array():
    rows = taken(Rows(ARRAY, PLACES), np.array([2, 0]))
    assert rows.array is ARRAY
    np.testing.assert_array_equal(rows[:], ARRAY[[5, 4]])


@pytest.mark.parametrize("travelled", [lambda rows: pickle.loads(pickle.dumps(rows)), Rows.copy])
def test_rows_travel_without_the_rest_of_the_array(travelled):
    there = travelled(Rows(ARRAY, PLACES, np.arange(6, dtype=np.uint64)))
    np.testing.assert_array_equal(there.array, ARRAY[PLACES])
    assert there.array.flags.writeable
    np.testing.assert_array_equal(there.digests, PLACES)


def test_an_array_is_written_in_chunks_and_mapped(tmp_path):
    write_array(tmp_path / "x.npy", np.float32, (6, 4), [ARRAY[:4], ARRAY[4:]])
    array = mapped(tmp_path / "x.npy")
    np.testing.assert_array_equal(array, ARRAY)
    assert not array.flags.writeable
