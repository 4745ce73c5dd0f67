"""The data that have a name. Any other name is a folder of images, a .csv file, or `file.py:function`."""

from lossopt_cli.catalogue import lookup
from lossopt_cli.catalogue.rows import DataRow, Setting

_FEATURES = Setting("features", 10, "numbers per example, each normal", "integer", from_=1)
_SEED = Setting("seed", 0, "of the numbers; the split has its own", kind="integer", from_=0)

DATASETS: tuple[DataRow, ...] = (
    DataRow(
        ("digits"),
        "multiclass",
        "image",
        "1797 handwritten digits, 8x8 grey, 10 classes",
        "Alpaydin & Kaynak 1998",
    ),
    DataRow("iris", "multiclass", "table", "150 flowers, 4 lengths, 3 species", "Fisher 1936"),
    DataRow(("wine"), "multiclass", "table", "178 wines, 13 measurements, 3 growers", "Aeberhard & Forina 1991"),
    DataRow(
        ("breast_cancer"),
        "binary",
        "table",
        "569 tumours, 30 measurements, malignant or benign",
        "Wolberg et al. 1995",
    ),
    DataRow(
        ("diabetes"),
        "regression",
        "table",
        "442 patients, 10 numbers, progress of the disease",
        "Efron et al. 2004",
    ),
    DataRow(
        "synthetic_regression",
        "regression",
        "table",
        "signal * a linear function of normal numbers + noise * a normal number",
        "drawn with `seed`",
        settings=(
            Setting("samples", 100, "how many examples", kind="integer", from_=2),
            _FEATURES,
            Setting("signal", 1.0, "weight of what can be learned; 0: nothing to learn", from_=0.0),
            Setting("noise", 0.1, "weight of what cannot", from_=0.0),
            _SEED,
        ),
    ),
    DataRow(
        "synthetic_classification",
        "multiclass",
        "any",
        "normal numbers around a centre for each class, or random images (shape)",
        "drawn with `seed`",
        settings=(
            Setting("samples", 1000, "how many examples", kind="integer", from_=2),
            _FEATURES,
            Setting("shape", None, "height, width and channels of images instead: [32, 32, 3]", "widths"),
            Setting("classes", 5, "how many classes; 2 make a binary task", kind="integer", from_=2),
            Setting("signal", 1.0, "distance of the centres (images: 0 to 1); 0: nothing to learn", from_=0.0),
            _SEED,
        ),
    ),
    DataRow(
        ("mnist"),
        ("multiclass"),
        "image",
        "70,000 handwritten digits, 28x28 grey, 10 classes",
        "LeCun et al. 1998",
        "11 MB",
    ),
    DataRow(
        "fashion_mnist",
        "multiclass",
        "image",
        "70,000 clothes, 28x28 grey, 10 classes",
        "Xiao et al. 2017",
        "31 MB",
    ),
    DataRow("cifar10", "multiclass", "image", "60,000 photographs, 32x32, 10 classes", "Krizhevsky 2009", "170 MB"),
    DataRow(
        "cifar100",
        "multiclass",
        "image",
        "60,000 photographs, 32x32, 100 classes",
        "Krizhevsky 2009",
        "169 MB",
    ),
    DataRow("csv", None, "table", "your table: --data mine.csv --target COLUMN", "your file"),
    DataRow("image_folder", None, "image", "your images: --data DIR, with a folder for each class", "your folder"),
    DataRow(
        "kaggle",
        None,
        "any",
        "a folder or table of Kaggle: --data kaggle:OWNER/NAME[/versions/N]",
        "kaggle.com, downloaded once by kagglehub",
    ),
)


def dataset_named(name: str, where: str | None = None) -> DataRow:
    """The data set of that name. UsageError with the nearest names where there is none."""
    return lookup.find(DATASETS, name, "data set", where)
