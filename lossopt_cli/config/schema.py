"""The config: frozen pydantic models. Values are never evaluated as code, and never converted from another
type."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_serializer, model_validator
from pydantic_core import PydanticCustomError

Value = None | bool | int | float | str | list
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)


def _check_split(split: list[float]) -> list[float]:
    finite = all(math.isfinite(share) and share >= 0 for share in split)
    if len(split) != 3 or not finite or abs(sum(split) - 1) > 1e-6 or split[0] == 0:
        raise PydanticCustomError(
            "split",
            "three shares, train, validation, test: at least 0, sum 1, train above 0, as [0.7, 0.2, 0.1]",
        )
    return split


def _check_image_size(size: int | list[int]) -> int | list[int]:
    sides = size if isinstance(size, list) else [size, size]
    if len(sides) != 2 or any(side < 1 for side in sides):
        raise PydanticCustomError("image_size", "pixels, as 32 or [height, width], each at least 1")
    return size


def _check_device(device: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise PydanticCustomError("device", "auto, cpu, cuda, cuda:N or mps")
    return device


class Part(BaseModel):
    """A named part with its settings: `huber`, or `{name: huber, delta: 2.0}`.

    Which settings a name takes is the catalogue's business (or the signature's, for `file.py:function`);
    it is checked when the config is resolved, never dropped.
    """

    model_config = STRICT

    name: str
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and not ("settings" in value and set(value) <= {"name", "settings"}):
            return {"name": value.get("name"), "settings": {k: v for k, v in value.items() if k != "name"}}
        return value

    @model_serializer
    def _to_flat(self) -> dict[str, Any]:
        return {"name": self.name, **self.settings}


class DataConfig(BaseModel):
    """Where the data come from and how they are split; `settings` are those of a synthetic set or a user's
    function."""

    model_config = STRICT

    name: str = Field(
        description="a name of `lossopt list data`, a folder, a .csv file, kaggle:OWNER/NAME, or file.py:function"
    )
    path: str | None = Field(None, description="the file or folder that was named, absolute")
    target: str | int | None = Field(
        None,
        description="csv: the target column, by name or position (0 first, -1 last); the last unless said",
    )
    header: bool | None = Field(None, description="csv: whether the first row names the columns; detected unless said")
    missing: Literal["error", "drop", "mean"] = Field(
        "error", description="csv: holes are an error, drop their rows, or take the training mean"
    )
    task: Literal["classification", "regression"] | None = Field(
        None, description="csv: what a numeric target means; from the target and the loss unless said"
    )
    image_size: Annotated[int | list[int], AfterValidator(_check_image_size)] | None = Field(
        None,
        description="images: pixels to resize to, a side or [height, width]; as the first image unless said",
    )
    skip_bad_images: bool = Field(False, description="images: leave out those that cannot be read, and count them")
    split: Annotated[list[float], AfterValidator(_check_split)] = Field(
        [0.7, 0.2, 0.1], description="shares of train, validation and test; each 0 to 1, sum 1"
    )
    split_seed: Annotated[int, Field(ge=0)] | Literal["seed"] = Field(
        20, description="seed of the split, 0 or more; `seed` draws one per training seed"
    )
    split_method: Literal["stratified", "random", "random_split"] = Field(
        "stratified",
        description="stratified keeps the shares of classes (numbers: random); random_split is torch's own",
    )
    classes: list[str | int] | None = Field(
        None, description="a subset of the classes, by name or number; all unless said"
    )
    limit: int | None = Field(
        None, ge=1, description="at most so many examples, drawn with split_seed; all unless said"
    )
    scale_target: bool = Field(True, description="regression: standardise the target by training statistics")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="parameters of a synthetic data set or of the user's function"
    )


class AugmentConfig(BaseModel):
    """How training images are changed at random, by Keras's layers; what stands beyond an edge is mirrored."""

    model_config = STRICT

    flip: Literal["horizontal", "vertical", "both"] | None = Field(
        None, description="RandomFlip: mirrored in half of the cases, left to right, upside down, or each"
    )
    crop: float = Field(
        0.0, ge=0.0, le=0.5, description="RandomTranslation: shifted by up to this share of a side, 0 to 0.5"
    )
    rotation: float = Field(
        0.0, ge=0.0, le=180.0, description="RandomRotation: turned by up to so many degrees either way, 0 to 180"
    )
    brightness: float = Field(
        0.0, ge=0.0, le=1.0, description="RandomBrightness: up to this share of white added or taken away, 0 to 1"
    )
    views: int | None = Field(
        None,
        ge=0,
        description="transfer: so many changed copies of each image, made once, take turns; 0: new ones at every step",
    )

    @model_validator(mode="after")
    def _changes_something(self) -> "AugmentConfig":
        if not (self.flip or self.crop or self.rotation or self.brightness):
            raise PydanticCustomError("augment", "at least one of flip, crop, rotation and brightness; null for none")
        return self


class TrainConfig(BaseModel):
    """How long, in what batches, from which seed, on what."""

    model_config = STRICT

    epochs: int = Field(10, ge=1, description="passes over the training data, 1 or more")
    batch_size: int = Field(32, ge=1, description="examples a step, 1 or more")
    seed: int = Field(0, ge=0, lt=2**63, description="of initial weights, batch order and dropout; 0 or more")
    device: Annotated[str, AfterValidator(_check_device)] = Field(
        "auto", description="auto (cuda where there is one, else cpu), cpu, cuda, cuda:N or mps"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the activations; weights and optimizer state stay float32"
    )
    metric: str | None = Field(None, description="what the run is judged by; accuracy or mae unless said")
    evaluate_every: int | None = Field(
        None, ge=1, description="steps between evaluations, 1 or more; an epoch unless said"
    )
    keep: Literal["last", "best"] = Field(
        "last", description="which epoch's weights model.keras has; best is by the metric on validation"
    )
    augment: AugmentConfig | None = Field(None, description="random changes of training images; none unless said")
    threads: int = Field(1, ge=1, description="CPU threads of torch, 1 or more")
    engine: Literal["auto", "stack", "single"] = Field("auto", description="auto unless you are measuring")


class Config(BaseModel):
    """Everything that defines a trial.

    `loss` and `model` are None only until data of a kind that is known once read (csv, user code) are loaded:
    see `choices.complete`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    data: DataConfig
    model: Part | None = Field(None, description="minicnn for images and mlp for tables unless said")
    loss: Part | None = Field(None, description="cross_entropy for classes and mse for numbers unless said")
    optimizer: Part
    schedule: Part | None = Field(None, description="of the learning rate; constant unless said")
    train: TrainConfig = Field(default_factory=TrainConfig)
    sweep: dict[str, Any] | None = Field(None, description="the axes of `lossopt sweep`")


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a config file: every section may be left out, every part be a
    name alone."""
    schema = Config.model_json_schema()
    definitions = schema["$defs"]
    definitions["Part"] = {
        "description": "a name, or a mapping of name and settings",
        "anyOf": [
            {"type": "string", "description": "NAME, NAME:key=value or file.py:function"},
            {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": True},
        ],
    }
    data = definitions["DataConfig"]
    data.pop("required")
    data["additionalProperties"] = True
    schema["properties"]["data"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/DataConfig"}, {"type": "null"}]}
    schema["properties"]["optimizer"] = {"$ref": "#/$defs/Part"}
    schema.pop("required")
    schema["title"] = "lossopt config"
    schema["description"] = "What `lossopt train` trains: data, model, loss, optimizer, schedule, training."
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
