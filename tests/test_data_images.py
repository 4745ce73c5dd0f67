"""Folders of images: layouts, decoding to the right RGB, sizes, and what is said about a bad folder."""

import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from lossopt_cli.__main__ import run as command
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import sources
from lossopt_cli.data.pictures import read_picture
from lossopt_cli.data.problem import SPLITS
from lossopt_cli.errors import UsageError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def load(folder, **keys):
    config = DataConfig(name=folder.name, path=str(folder), **keys)
    return sources.load(config, None, 0, lambda text: None)


def paint(path, colour=(200, 100, 50), size=(8, 6), mode="RGB", **options):
    """An image of one colour, size [width, height]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)
    return path


def fill(root, classes=("cat", "dog"), count=10, size=(8, 6), suffix="png"):
    """Class folders; the first channel of image k of class c is 100 c + k."""
    for number, name in enumerate(classes):
        for k in range(count):
            paint(root / name / f"{k:03}.{suffix}", (100 * number + k, 0, 255), size)
    return root


def message_of(folder, **keys):
    with pytest.raises(UsageError) as caught:
        load(folder, **keys)
    return str(caught.value)


def test_class_folders(tmp_path):
    problem = load(fill(tmp_path / "pets", count=20))
    assert problem.name == "pets"
    assert problem.task == "binary"
    assert problem.classes == ("cat", "dog")
    assert [len(problem.split(s)) for s in SPLITS] == [28, 8, 4]
    assert problem.inputs.shape == (6, 8, 3)
    assert problem.inputs.scale == 1 / 255
    assert problem.description == "pets: 40 images, 6x8, of cat or dog"
    for part in (problem.train, problem.validation, problem.test):
        assert part.inputs.dtype == np.uint8
        assert np.array_equal(part.inputs[:, 0, 0, 0], part.rows % 20 + 100 * part.targets)
        assert (part.inputs[..., 1:] == [0, 255]).all()


def test_three_classes_sorted_by_name(tmp_path):
    problem = load(fill(tmp_path / "x", ("zebra", "Ant", "bee")))
    assert problem.classes == ("Ant", "bee", "zebra")
    assert problem.task == "multiclass"


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        (("train", "test"), [15, 5, 20]),
        (("training", "testing"), [15, 5, 20]),
        (("train", "val", "test"), [20, 20, 20]),
        (("Train", "validation", "Test"), [20, 20, 20]),
        (("train",), [14, 4, 2]),
    ],
)
def test_parts_that_the_folder_gives(tmp_path, parts, sizes):
    for part in parts:
        fill(tmp_path / "x" / part)
    problem = load(tmp_path / "x")
    assert [len(problem.split(s)) for s in SPLITS] == pytest.approx(sizes, abs=1)
    assert sum(len(problem.split(s)) for s in SPLITS) == 20 * len(parts)
    assert problem.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train/train", "test/test"),
        ("pets-train", "pets-test"),
        ("Train Images", "Test Images"),
        ("set1.train/a", "set1.test"),
    ],
)
def test_twins_of_train_and_test_are_parts(tmp_path, train, test):
    fill(tmp_path / "x" / train)
    fill(tmp_path / "x" / test)
    (tmp_path / "x" / "notes").mkdir()
    problem = load(tmp_path / "x")
    assert [len(problem.split(s)) for s in SPLITS] == [16, 4, 20]
    assert problem.classes == ("cat", "dog")
    exact = train.startswith("train/")
    read = () if exact else (f"read as train: {train.split('/')[0]}", f"read as test: {test}")
    assert set(problem.notes) == {"not used: the folder notes", *read}


@pytest.mark.parametrize(
    "folders",
    [("a_train", "b_test"), ("a_train", "a_training", "a_test"), ("a_train", "b_train"), ("my_test", "my_validation")],
    ids=str,
)
def test_what_may_be_twins_or_not_is_asked(tmp_path, folders):
    for name in folders:
        fill(tmp_path / "x" / name)
    assert "the class folders seem to be one level down, in " in message_of(tmp_path / "x")


def test_classes_may_be_called_like_twins(tmp_path):
    assert load(fill(tmp_path / "x", ("bus_test", "bus_train"))).classes == ("bus_test", "bus_train")


def test_a_class_may_be_called_train(tmp_path):
    assert load(fill(tmp_path / "x", ("bus", "train"))).classes == ("bus", "train")


@pytest.mark.parametrize("chosen", [["b", "c"], [1, 2]], ids=str)
def test_some_classes_only(tmp_path, chosen):
    root = fill(tmp_path / "x", ("a", "b", "c"))
    (root / "a" / "000.png").write_bytes(b"never decoded")
    problem = load(root, classes=chosen)
    assert problem.classes == ("b", "c")
    assert problem.task == "binary"
    for part in (problem.train, problem.validation, problem.test):
        assert np.array_equal(part.inputs[:, 0, 0, 0] // 100, part.targets + 1)


def test_limit(tmp_path):
    problem = load(fill(tmp_path / "x"), limit=10)
    targets = np.concatenate([problem.split(s).targets for s in SPLITS])
    assert np.bincount(targets).tolist() == [5, 5]


def test_limit_keeps_the_share_of_the_test_folder(tmp_path):
    fill(tmp_path / "x" / "train", count=20)
    fill(tmp_path / "x" / "test", count=4)
    problem = load(tmp_path / "x", limit=24)
    assert np.bincount(problem.test.targets).tolist() == [2, 2]
    assert len(problem.train) + len(problem.validation) == 20


# ----------------------------------------------------------------------------------------------- decoding


def decoded(path):
    return read_picture(path.read_bytes(), None)


COLOUR = (200, 100, 50)


@pytest.mark.parametrize(
    ("mode", "colour", "name", "wanted", "tolerance"),
    [
        ("RGB", COLOUR, "a.png", COLOUR, 0),
        ("RGB", COLOUR, "a.bmp", COLOUR, 0),
        ("RGB", COLOUR, "a.JPG", COLOUR, 3),
        ("RGB", COLOUR, "a.webp", COLOUR, 6),
        ("L", 77, "a.png", (77, 77, 77), 0),
        ("1", 1, "a.png", (255, 255, 255), 0),
        ("I;16", 257 * 200, "a.png", (200, 200, 200), 0),
        ("I;16", 257 * 77, "a.tiff", (77, 77, 77), 0),
        ("I", 77, "a.tiff", (77, 77, 77), 0),
        ("RGBA", (*COLOUR, 255), "a.png", COLOUR, 0),
        # half transparent on white: 200 -> 227 or 228
        ("RGBA", (*COLOUR, 128), "a.png", (227, 177, 152), 1),
        ("RGBA", (0, 0, 0, 0), "a.png", (255, 255, 255), 0),
        ("LA", (77, 255), "a.png", (77, 77, 77), 0),
        # C 0, M 50 %, Y 100 %, K 0 is (255, 128, 0)
        ("CMYK", (0, 128, 255, 0), "a.jpg", (255, 127, 0), 4),
        ("CMYK", (0, 128, 255, 0), "a.tiff", (255, 127, 0), 1),
    ],
)
def test_the_right_colours(tmp_path, mode, colour, name, wanted, tolerance):
    pixels = decoded(paint(tmp_path / name, colour, mode=mode))
    assert pixels.shape == (6, 8, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - wanted).max() <= tolerance


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_palettes(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (8, 6), COLOUR).quantize(4).save(path)
    assert np.abs(decoded(path).astype(int) - COLOUR).max() <= 1


def test_a_transparent_colour_of_a_palette_is_white(tmp_path):
    image = Image.new("P", (8, 6), 1)
    image.putpalette([0, 0, 0, *COLOUR])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "a.png", transparency=0)
    pixels = decoded(tmp_path / "a.png")
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[1, 1].tolist() == list(COLOUR)


def test_turned_by_exif(tmp_path):
    upright = np.zeros((6, 8, 3), dtype=np.uint8)
    upright[:, :4] = COLOUR
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(np.rot90(upright).copy()).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(decoded(tmp_path / "a.png"), upright)


# --------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize(("given", "shape"), [(16, (16, 16, 3)), ([12, 20], (12, 20, 3)), ([6, 8], (6, 8, 3))])
def test_image_size(tmp_path, given, shape):
    problem = load(fill(tmp_path / "x"), image_size=given)
    assert problem.inputs.shape == shape
    assert problem.train.inputs.shape[1:] == shape
    assert np.array_equal(problem.train.inputs[:, 0, 0, 0], problem.train.rows % 10 + 100 * problem.train.targets)


def test_different_sizes_become_64_by_64_and_that_is_said(tmp_path):
    root = fill(tmp_path / "x")
    paint(root / "dog" / "wide.png", size=(30, 10))
    problem = load(root)
    assert problem.inputs.shape == (64, 64, 3)
    assert any("64x64" in n and "data.image_size" in n for n in problem.notes)
    assert load(fill(tmp_path / "y")).notes == ()


def test_large_photographs_become_64_by_64(tmp_path):
    problem = load(fill(tmp_path / "x", count=4, size=(300, 200), suffix="jpg"))
    assert problem.inputs.shape == (64, 64, 3)
    assert any("over 256" in n for n in problem.notes)


def test_resizing_keeps_the_picture(tmp_path):
    pixels = np.zeros((400, 600, 3), dtype=np.uint8)
    pixels[:, :300] = (255, 0, 0)
    pixels[:, 300:] = (0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95)
    small = read_picture((tmp_path / "a.jpg").read_bytes(), (10, 20)).astype(int)
    assert small.shape == (10, 20, 3)
    assert np.abs(small[:, :9] - (255, 0, 0)).max() <= 4
    assert np.abs(small[:, 11:] - (0, 0, 255)).max() <= 4


# ------------------------------------------------------------------------------------------- what is wrong


def _one_class(root):
    fill(root, ("cat",))


def _nothing(root):
    root.mkdir()


def _empty_folders(root):
    (root / "cat").mkdir(parents=True)
    (root / "dog").mkdir()


def _loose(root):
    for k in range(3):
        paint(root / f"{k}.png")


def _one_level_down(root):
    fill(root / "archive")


def _parts_one_level_down(root):
    fill(root / "archive" / "train")


def _texts(root):
    root.mkdir()
    (root / "readme.txt").write_text("no")
    (root / "table.csv").write_text("1,2\n")


def _unknown_in_test(root):
    fill(root / "train")
    fill(root / "test", ("cat", "dog", "fox"))


def _one_class_in_train(root):
    fill(root / "train", ("cat",))
    fill(root / "test", ("cat",))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_one_class, ["one class only, 'cat'", "two or more classes"]),
        (_one_class_in_train, ["one class only, 'cat'"]),
        (_nothing, ["the folder is empty", "a folder for each class"]),
        (_empty_folders, ["2 folders without images", ".jpg"]),
        (_loose, ["3 images in no class folder"]),
        (_one_level_down, ["one level down, in archive", "--data ", "x/archive"]),
        (_parts_one_level_down, ["one level down, in archive", "x/archive"]),
        (_texts, ["only 1 file (.txt), 1 file (.csv)", "table.csv"]),
        (_unknown_in_test, ["no training images of class fox"]),
    ],
)
def test_a_bad_folder(tmp_path, make, words):
    make(tmp_path / "x")
    message = message_of(tmp_path / "x")
    assert [w for w in words if w not in message] == [], message


def _cut(path):
    paint(path, size=(64, 64))
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda path: path.write_bytes(b"not an image"), "no known image format"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (_cut, "cannot be read as an image"),
    ],
    ids=["text", "empty", "cut"],
)
@pytest.mark.parametrize("keys", [{}, {"image_size": 8}], ids=str)
@pytest.mark.parametrize("number", ["000", "005"])
def test_a_broken_image_is_named(tmp_path, spoil, word, keys, number):
    root = fill(tmp_path / "x")
    broken = root / "cat" / f"{number}.png"
    spoil(broken)
    message = message_of(root, **keys)
    assert word in message
    assert str(broken) in message
    assert "delete or replace" in message


def test_all_broken_images_are_named_at_once(tmp_path):
    root = fill(tmp_path / "x")
    for k in range(7):
        (root / "dog" / f"00{k}.png").write_bytes(b"no")
    message = message_of(root)
    assert message.count("no known image format") == 5
    assert "2 more like it" in message


def test_what_is_left_aside_is_said(tmp_path):
    root = fill(tmp_path / "x")
    paint(root / "loose.png")
    (root / "notes").mkdir()
    (root / ".hidden").mkdir()
    paint(root / "cat" / "old" / "a.png")
    notes = " ".join(load(root).notes)
    assert "without images: x/notes" in notes
    assert "1 image beside the class folders" in notes
    assert "1 image in folders inside" in notes
    assert "hidden" not in notes


@pytest.mark.parametrize("suffix", ["jfif", "JPE", "jp2", *(["avif"] if features.check("avif") else [])])
def test_every_ending_that_pillow_reads_counts(tmp_path, suffix):
    kind = {"jp2": "JPEG2000", "avif": "AVIF"}.get(suffix, "JPEG")
    for name in ("cat", "dog"):
        for k in range(5):
            paint(tmp_path / "x" / name / f"{k}.{suffix}", size=(16, 16), format=kind)
    problem = load(tmp_path / "x")
    assert problem.description.startswith("x: 10 images, 16x16")
    assert problem.notes == ()


def test_files_that_are_no_images_are_counted(tmp_path):
    root = fill(tmp_path / "x" / "train").parent
    for k in range(3):
        (root / "train" / "cat" / f"{k}.heic").touch()
    for name in ("dog/a.txt", "dog/b.TXT", "dog/LICENSE", "cat/.hidden", "dog/Thumbs.db"):
        (root / "train" / name).touch()
    (root / "train" / "dog" / "gone.png").symlink_to("nowhere.png")
    assert load(root).notes == (
        "not used: 3 files (.heic), 2 files (.txt), 1 file (no ending), 1 dangling link in the class folders of train",
    )


def test_loose_images_to_predict_are_told_from_the_rest(tmp_path, train, capsys):
    run = train("--data", fill(tmp_path / "x"), "--model", "mlp", "--epochs", "1", "--quiet")
    paint(tmp_path / "album" / "1.jfif", format="JPEG")
    (tmp_path / "album" / "2.heic").touch()
    assert command(["evaluate", str(run.folder), "--data", str(tmp_path / "album")]) == 0
    told = capsys.readouterr()
    assert "1.jfif" in told.out
    assert "not used: 1 file (.heic) in album" in told.err


def test_class_folders_without_one_image_say_what_they_have(tmp_path):
    for name in ("cat/1.heic", "dog/1.heic", "dog/2.heic"):
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).touch()
    message = message_of(tmp_path / "x")
    assert "2 folders without images (cat, ...), with 3 files (.heic)" in message
    assert "images end in .jpg, .jpeg, .png" in message


def test_a_csv_key_does_not_apply(tmp_path):
    assert "data.target does not apply" in message_of(fill(tmp_path / "x"), target="dog")


def test_the_content_is_a_fact_and_the_place_is_not(tmp_path):
    first = load(fill(tmp_path / "x")).facts["sha256"]
    assert load(fill(tmp_path / "y")).facts["sha256"] == first
    paint(tmp_path / "y" / "cat" / "000.png", (1, 2, 3))
    assert load(tmp_path / "y").facts["sha256"] != first


# --------------------------------------------------------------------------------------------- real images


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the project's data folder beside the checkout")
def test_cifar10_6k(tmp_path):
    with zipfile.ZipFile(SHARED / "cifar10-6k.zip") as archive:
        archive.extractall(tmp_path)
    started_at = time.perf_counter()
    problem = load(tmp_path / "cifar10-6k")
    seconds = time.perf_counter() - started_at
    assert [len(problem.split(s)) for s in SPLITS] == [3889, 1111, 1000]
    assert np.bincount(problem.test.targets).tolist() == [100] * 10
    assert problem.inputs.shape == (32, 32, 3)
    assert problem.classes[0] == "airplane"
    first = np.asarray(Image.open(tmp_path / "cifar10-6k" / "test" / "airplane" / "0000.jpg"))
    assert np.array_equal(problem.test.inputs[0], first)
    assert seconds < 20
