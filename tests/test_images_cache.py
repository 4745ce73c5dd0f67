"""Folders of images at scale: decoded once into a file, the same bits as in memory, broken ones named or left out."""

import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lossopt_cli.config.resolving import resolve
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import cache, decoding, image_store, sources
from lossopt_cli.data.counted import Counted
from lossopt_cli.data.pictures import read_picture
from lossopt_cli.data.problem import SPLITS, ImageInputs, Problem, Split
from lossopt_cli.data.rows import Rows
from lossopt_cli.errors import UsageError
from lossopt_cli.training.feeding import feed
from lossopt_cli.training.objectives import objective_of

CLASSES, COUNT = ("cat", "dog"), 20


@pytest.fixture
def always(tmp_path, monkeypatch) -> Path:
    """Every folder is worth the cache; where that is."""
    monkeypatch.setattr(image_store, "FEW_FILES", 0)
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pets(tmp_path) -> Path:
    """Photographs in JPEG; the first of both classes are equal."""
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / "pets" / name).mkdir(parents=True)
        for k in range(COUNT):
            pixels = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8) if k else np.full((3, 4, 3), 9, dtype=np.uint8)
            Image.fromarray(pixels).resize((40, 30)).save(tmp_path / "pets" / name / f"{k:02}.jpg")
    return tmp_path / "pets"


def load(folder: Path, said: list | None = None, **keys) -> Problem:
    config = DataConfig(name=folder.name, path=str(folder), **keys)
    return sources.load(config, None, 0, (said if said is not None else []).append)


def contents(problem: Problem) -> dict:
    """All that a problem says of its data."""
    arrays = {name: [getattr(problem.split(name), of) for of in ("inputs", "targets", "rows")] for name in SPLITS}
    told = {name: [np.asarray(array).tolist() for array in found] for name, found in arrays.items()}
    digests = {name: problem.split(name).inputs.digests[problem.split(name).inputs.rows].tolist() for name in SPLITS}
    return {"told": told, "digests": digests, "facts": dict(problem.facts), "notes": problem.notes}


KEYS = [{}, {"image_size": 24}, {"image_size": [16, 24], "limit": 10}, {"classes": ["dog", "cat"], "limit": 30}]


@pytest.mark.parametrize("keys", KEYS, ids=str)
def test_the_bits_are_the_same_in_memory_decoded_now_and_from_the_cache(pets, always, monkeypatch, keys):
    with monkeypatch.context() as few:
        few.setattr(image_store, "FEW_FILES", 1 << 30)
        in_memory = load(pets, **keys)
    assert cache.entries() == []
    decoded = load(pets, **keys)
    assert len(cache.entries()) == 1
    monkeypatch.setattr(decoding, "read_picture", pytest.fail)
    mapped = load(pets, **keys)
    assert isinstance(mapped.train.inputs.array, np.memmap)
    assert contents(in_memory) == contents(decoded) == contents(mapped)


def test_many_small_pixels_are_worth_it_too(pets, monkeypatch, tmp_path):
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    load(pets)
    assert cache.entries() == []
    monkeypatch.setattr(image_store, "FEW_PIXELS", 40 * 30 * 40 * 3 - 1)
    load(pets)
    assert [entry.about["what"] for entry in cache.entries()] == ["40 images of pets"]


def _repaint(root):
    """Another picture in a file of the same size, with the time of the old one."""
    path = root / "dog" / "05.jpg"
    old, size = path.stat(), path.stat().st_size
    Image.new("RGB", (40, 30), (1, 2, 3)).save(path, quality=5)
    path.write_bytes(path.read_bytes() + b"\0" * (size - path.stat().st_size))
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))


CHANGES = {
    "a file painted over": (_repaint, {}),
    "a file gone": (lambda root: (root / "dog" / "05.jpg").unlink(), {}),
    "a file renamed": (lambda root: (root / "dog" / "05.jpg").rename(root / "dog" / "zz.jpg"), {}),
    "another size": (lambda root: None, {"image_size": 7}),
    "another limit": (lambda root: None, {"limit": 12}),
}


@pytest.mark.parametrize(("change", "keys"), CHANGES.values(), ids=CHANGES)
def test_what_changed_is_never_taken_from_an_old_entry(pets, always, change, keys):
    before = contents(load(pets))
    change(pets)
    after = contents(load(pets, **keys))
    assert after != before
    cache.clear()
    assert contents(load(pets, **keys)) == after
    assert len(cache.entries()) == 1


def test_another_pillow_decodes_again(pets, always, monkeypatch):
    load(pets)
    monkeypatch.setattr("PIL.__version__", "0.0.1")
    load(pets)
    assert len(cache.entries()) == 2


@pytest.mark.parametrize("keys", [{}, {"image_size": 8}], ids=str)
def test_a_broken_image_leaves_no_entry(pets, always, keys):
    (pets / "cat" / "03.jpg").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"03\.jpg cannot be read[\s\S]*leave it out: --skip-bad-images"):
        load(pets, **keys)
    assert cache.entries() == []


@pytest.mark.parametrize("few", [0, 1 << 30])
@pytest.mark.parametrize("keys", [{}, {"image_size": 8}], ids=str)
def test_broken_images_are_left_out_and_counted(pets, always, monkeypatch, few, keys):
    monkeypatch.setattr(image_store, "FEW_FILES", few)
    whole = load(pets, **keys, skip_bad_images=True)
    assert contents(whole) == contents(load(pets, **keys))
    for name in ("cat/00.jpg", "cat/03.jpg", "dog/07.jpg"):
        (pets / name).write_bytes(b"")
    problem = load(pets, **keys, skip_bad_images=True)
    assert problem.facts["skipped_images"] == 3
    assert problem.facts["sha256"] != whole.facts["sha256"]
    note = "left out, since they cannot be read: 3 of 40 images: cat/00.jpg (the file is empty), "
    assert any(told.startswith(note) for told in problem.notes)
    rows = np.concatenate([problem.split(name).rows for name in SPLITS])
    assert sorted(rows) == [row for row in range(40) if row not in (0, 3, 27)]
    for name in SPLITS:
        split = problem.split(name)
        for row, target, pixels in zip(split.rows, split.targets, split.inputs, strict=True):
            path = pets / CLASSES[target] / f"{row % COUNT:02}.jpg"
            size = (8, 8) if keys else None
            np.testing.assert_array_equal(pixels, read_picture(path.read_bytes(), size))


def test_what_was_left_out_once_is_still_refused_without_the_flag(pets, always):
    (pets / "cat" / "03.jpg").write_bytes(b"no")
    load(pets, skip_bad_images=True)
    with pytest.raises(UsageError, match=r"03\.jpg cannot be read as an image: no known image format"):
        load(pets)


def test_a_folder_of_broken_images_only_is_refused(pets):
    for path in pets.glob("*/*"):
        path.write_bytes(b"no")
    with pytest.raises(UsageError, match="35 more like it"):
        load(pets, skip_bad_images=True)


@pytest.mark.parametrize("file", [image_store.PIXELS, image_store.DIGESTS, image_store.DECODED])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_a_damaged_entry_is_made_again(pets, always, file, damage):
    whole = contents(load(pets))
    damage(cache.entries()[0].path / file)
    assert contents(load(pets)) == whole


def test_without_a_cache_the_images_stay_in_memory(pets, always, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "file"))
    said = []
    problem = load(pets, said)
    assert type(problem.train.inputs.array) is np.ndarray
    assert "the images stay in memory" in next(text for text in said if not isinstance(text, Counted))


def test_how_far_it_is_is_told_up_to_the_end(pets, always, monkeypatch):
    monkeypatch.setattr(decoding, "MOST_IN_A_CHUNK", 16)
    said = []
    load(pets, said)
    assert [(text.done, text.count) for text in said] == [(16, 40), (32, 40), (40, 40)]
    assert said[1] == "32 of 40 images decoded"


def test_only_a_few_chunks_are_decoded_ahead(monkeypatch):
    monkeypatch.setattr(decoding, "MOST_IN_A_CHUNK", 1)
    monkeypatch.setattr(decoding, "_threads", lambda: 2)
    begun = []
    monkeypatch.setattr(decoding, "_chunk", lambda paths, size, resize: begun.append(paths[0]))
    chunks = decoding.decoded([Path(str(k)) for k in range(100)], (8, 8), resize=True)
    for _ in range(10):
        next(chunks)
    assert len(begun) <= 10 + 2 * 2 + 1
    chunks.close()


def test_odd_metadata_of_the_first_image_are_not_spoken_of(pets, recwarn):
    odd = b"Exif\0\0II*\0" + struct.pack("<IHHHII", 8, 1, 0x010F, 2, 40, 9999)  # a text of 40 bytes beyond the end
    Image.new("RGB", (40, 30)).save(pets / "cat" / "00.jpg", exif=odd)
    assert len(load(pets).train) == 28
    assert recwarn.list == []


def test_equal_images_have_equal_digests(pets):
    problem = load(pets)
    inputs = problem.train.inputs
    assert inputs.digests[0] == inputs.digests[COUNT]
    assert len(set(inputs.digests.tolist())) == 2 * COUNT - 1


# ------------------------------------------------------------------------------------------------ modes


def png_of(depth: int, colour_type: int, rows: list[bytes]) -> bytes:
    """A PNG written by hand, where Pillow cannot write its kind (16 bits a colour)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    width = {2: 3, 6: 4, 4: 2}[colour_type]
    head = struct.pack(">IIBBBBB", len(rows[0]) // (width * depth // 8), len(rows), depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def saved(path: Path, image: Image.Image, **options) -> bytes:
    image.save(path, **options)
    return path.read_bytes()


def animated(path: Path) -> bytes:
    frames = [Image.new("RGB", (4, 2), colour).quantize(4) for colour in ((200, 100, 50), (0, 0, 0))]
    return saved(path, frames[0], save_all=True, append_images=frames[1:])


MODES = {
    "16 bits a colour": (lambda path: png_of(16, 2, [struct.pack(">HHH", 51400, 25700, 12850)] * 2), (200, 100, 50)),
    "16 bits and alpha": (lambda path: png_of(16, 6, [struct.pack(">HHHH", 51400, 0, 0, 65535)] * 2), (200, 0, 0)),
    "16 bits grey and alpha": (lambda path: png_of(16, 4, [struct.pack(">HH", 25700, 65535)] * 2), (100, 100, 100)),
    "the first frame of an animation": (animated, (200, 100, 50)),
    "1 bit, black": (lambda path: saved(path, Image.new("1", (4, 2), 0)), (0, 0, 0)),
    "1 bit, white, TIFF": (lambda path: saved(path, Image.new("1", (4, 2), 1), format="TIFF"), (255, 255, 255)),
    "16 bits, the other way round": (
        lambda path: saved(path, Image.new("I;16B", (4, 2), 257 * 77), format="TIFF"), (77, 77, 77),
    ),
    "YCbCr": (lambda path: saved(path, Image.new("YCbCr", (4, 2), (77, 128, 128)), format="TIFF"), (77, 77, 77)),
    "grey, transparent": (lambda path: saved(path, Image.new("LA", (4, 2), (0, 0))), (255, 255, 255)),
    "palette with alpha": (lambda path: saved(path, Image.new("RGBA", (4, 2), (9, 9, 9, 0)).quantize(4)), (255,) * 3),
    "WebP with alpha": (lambda path: saved(path, Image.new("RGBA", (4, 2), (9, 9, 9, 0)), format="WEBP"), (255,) * 3),
    "CMYK in JPEG": (lambda path: saved(path, Image.new("CMYK", (8, 8), (0, 0, 0, 255)), format="JPEG"), (0, 0, 0)),
}  # fmt: skip


@pytest.mark.parametrize(("make", "wanted"), MODES.values(), ids=MODES)
def test_every_mode_becomes_the_rgb_that_people_see(tmp_path, make, wanted):
    for size in (None, (2, 2)):
        pixels = read_picture(make(tmp_path / "a.gif" if make is animated else tmp_path / "a.png"), size)
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3
        assert np.abs(pixels.astype(int) - wanted).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [None, (32, 48)])
def test_photographs_stand_upright_whatever_their_exif(tmp_path, orientation, size):
    upright = np.zeros((64, 96, 3), dtype=np.uint8)
    upright[:32, :48] = (250, 0, 0)
    undo = {2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.swapaxes(0, 1),
            6: np.rot90, 7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: np.rot90(a, -1)}  # fmt: skip
    stored = undo.get(orientation, np.asarray)(upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    found = read_picture((tmp_path / "a.jpg").read_bytes(), size).astype(int)
    shrunk = upright if size is None else upright[::2, ::2]
    assert found.shape == shrunk.shape
    assert np.abs(found - shrunk).mean() < 8


# ------------------------------------------------------------------------------------------------ feeding


def problem_with(inputs, split: np.ndarray) -> tuple[Problem, Split]:
    part = Split(inputs, np.arange(len(split)) % 2, split)
    empty = Split(inputs[:0], part.targets[:0], split[:0])
    return Problem("x", "binary", ImageInputs((4, 5, 3), 1 / 255), part, empty, empty, ("a", "b")), part


PLACES = {"some": np.array([7, 2, 9, 4, 0]), "all": np.arange(12), "all, in another order": np.arange(12)[::-1].copy()}


@pytest.mark.parametrize("places", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("channels_first", [True, False])
def test_rows_of_a_file_are_fed_as_an_array_would_be(tmp_path, places, channels_first):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 4, 5, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    config, fed = resolve(None, {}, {"loss": "cross_entropy"}, ()).config, []
    for inputs in (pixels[places], Rows(mapped, places)):
        problem, split = problem_with(inputs, places)
        fed.append(feed(problem, split, objective_of(config, problem), torch.device("cpu"), channels_first))
    own, shared = fed
    assert shared.inputs.data_ptr() == mapped.ctypes.data
    batches = zip(own.epoch(3, 0, 2), shared.epoch(3, 0, 2), strict=True)
    assert all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in batches)
    assert torch.equal(torch.cat(list(own.all())), torch.cat(list(shared.all())))


# ------------------------------------------------------------------------------------- `lossopt cache` itself


@pytest.fixture
def command(capsys):
    from lossopt_cli.__main__ import run

    def called(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return run(["cache", *words]), *capsys.readouterr()

    return called


@pytest.fixture
def kept(tmp_path, monkeypatch) -> list[str]:
    """The keys of three entries, the last used first."""
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    for kind, key, days in (("images", "aa11", 1), ("images", "bb22", 40), ("features", "cc33", 90)):
        fill = lambda at: (at / "x").write_bytes(b"x" * 2000) and None  # noqa: E731
        path = cache.entry(kind, key, {"what": f"{kind} of pets", "from": "/x"}, fill, pytest.fail)
        used = path.stat().st_mtime - 86400 * days
        os.utime(path / "about.json", (used, used))
    return ["aa11", "bb22", "cc33"]


def test_cache_list_is_a_table_and_json(command, kept, tmp_path):
    code, out, err = command("list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == kept
    assert "images of pets" in out
    assert "40 days ago" in out
    assert max(map(len, out.splitlines())) <= 80
    assert f"3 entries, 6.2 kB of 20 GB, in {tmp_path / 'cache'}" in err
    listed = json.loads(command("list", "--format", "json", "--kind", "features")[1])
    assert [(entry["kind"], entry["key"], entry["from"]) for entry in listed] == [("features", "cc33", "/x")]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ((), []),
        (("--kind", "images"), ["cc33"]),
        (("--older-than", "30d"), ["aa11"]),
        (("--older-than", "2w", "--kind", "features"), ["aa11", "bb22"]),
        (("bb", "cc33"), ["aa11"]),
        (("--older-than", "99d"), ["aa11", "bb22", "cc33"]),
    ],
    ids=str,
)
def test_cache_clear_deletes_what_was_named(command, kept, words, left):
    code, out, _ = command("clear", "--yes", *words)
    assert code == 0
    assert out.startswith(f"deleted {3 - len(left)} entr")
    assert [entry.key for entry in cache.entries()] == left


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("clear",), "--yes: this would delete 3 entries, 6.2 kB"),
        (("clear", "--yes", "zz"), "KEY: no entry begins with zz"),
        (("clear", "--yes", "--older-than", "3"), "--older-than: '3' is no time"),
        (("list", "--kind", "image"), "--kind: no such kind: image"),
        (("clean",), "did you mean: lossopt cache clear?"),
    ],
    ids=str,
)
def test_cache_mistakes_delete_nothing(command, kept, words, told):
    code, _, err = command(*words)
    assert code == 2
    assert told in err
    assert len(cache.entries()) == 3


@pytest.mark.parametrize(("typed", "left"), [("y\n", 0), ("\n", 3), ("", 3)])
def test_cache_clear_asks_at_a_terminal(command, kept, monkeypatch, typed, left):
    monkeypatch.setattr("lossopt_cli.commands.cache._watched", lambda: True)
    monkeypatch.setattr("sys.stdin.readline", lambda: typed)
    code, _, err = command("clear")
    assert code == (0 if left == 0 else 1)
    assert "delete 3 entries, 6.2 kB? [y/N] " in err
    assert len(cache.entries()) == left
