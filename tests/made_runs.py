"""Run folders as `lossopt train` leaves them, made in a millisecond each: their curves are formulas, not trainings."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {"train": 1258, "validation": 359, "test": 180}
GUESS = {"accuracy": 0.1, "macro_f1": 0.018, "cross_entropy": 2.3026}
START = {"accuracy": 0.1, "macro_f1": 0.018, "cross_entropy": 2.31, "loss": 2.31}
SGD = {"name": "sgd", "learning_rate": 0.01, "momentum": 0.0, "nesterov": False, "weight_decay": None}
ADAM = {"name": "adam", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "weight_decay": None}
RMSPROP = {"name": "rmsprop", "learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "weight_decay": None}
OPTIMIZERS = {"sgd": SGD, "adam": ADAM, "rmsprop": RMSPROP, "momentum": {**SGD, "name": "momentum", "momentum": 0.9}}
LOSSES = {
    "cross_entropy": {"name": "cross_entropy", "from_logits": True, "label_smoothing": 0.0},
    "mse": {"name": "mse"},
    "huber": {"name": "huber", "delta": 1.0},
}


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def made_run(
    folder: Path,
    *,
    optimizer: str | Mapping = "adam",
    loss: str | Mapping = "cross_entropy",
    learning_rate: float = 0.01,
    seed: int = 0,
    test: float = 0.95,
    validation: float | None = None,
    epochs: int = 5,
    steps_per_epoch: int = 40,
    status: str = "done",
    learned: bool | None = True,
    batch_size: int = 32,
    split_seed: int = 20,
    metric: str = "accuracy",
    role: str | None = None,
    steps: bool = True,
    config: Mapping[str, Any] | None = None,
    tested: Mapping[str, float | None] | None = None,
    change: Mapping[str, Any] | None = None,
) -> Path:
    """A run whose test accuracy is `test` (validation the same unless said), reached as 1 - exp(-t) over its epochs.

    config: sections of the config, each laid over what is made here. tested: other test metrics, laid over as well.
    change: keys of result.json to lay over it. steps: whether steps.csv and epochs.csv are written."""
    validation = test if validation is None else validation
    recipe = {
        "loss": dict(LOSSES[loss]) if isinstance(loss, str) else dict(loss),
        "optimizer": {**(OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer)},
    }
    recipe["optimizer"]["learning_rate"] = learning_rate
    sections = {
        "data": {"name": "digits", "path": None, "split": [0.7, 0.2, 0.1], "split_seed": split_seed},
        "model": {"name": "minicnn", "filters": [32, 64], "hidden": [128], "dropout": 0.0},
        **recipe,
        "schedule": None,
        "train": {
            "epochs": epochs,
            "batch_size": batch_size,
            "seed": seed,
            "metric": None,
            "keep": "last",
            "precision": "float32",
            "evaluate_every": None,
        },
        "sweep": None,
    }
    for section, values in (config or {}).items():
        sections[section] = {**(sections[section] or {}), **values}
    config = sections
    share = 1.0 - np.exp(-np.arange(epochs + 1) / 1.2)
    curve = (0.1 + (validation - 0.1) * share / share[-1]).tolist()
    losses = 2.31 * np.exp(-np.arange(1, epochs * steps_per_epoch + 1) / (epochs * steps_per_epoch / 3.0))

    def metrics(accuracy: float) -> dict[str, float]:
        entropy = -float(np.log(max(accuracy, 1e-3)))
        return {"loss": entropy, "accuracy": accuracy, "macro_f1": accuracy - 0.01, "cross_entropy": entropy}

    final = {"train": metrics(min(validation + 0.02, 1.0)), "validation": metrics(validation), "test": metrics(test)}
    final["test"] |= tested or {}
    shared = {key: value for key, value in config["train"].items() if key != "seed"}
    problem, setting = digest([config["data"], metric]), digest([config["model"], shared])
    result = {
        "schema_version": 1,
        "run_dir": str(folder),
        "status": status,
        "reason": None,
        "learned": learned,
        "task": "multiclass",
        "metric": metric,
        **recipe,
        "seed": seed,
        "role": role,
        "epochs": epochs,
        "best_epoch": epochs,
        "metrics": final,
        "metrics_best": final,
        "guessing": {**{split: dict(GUESS) for split in SIZES}, "loss": 2.3026},
        "initial": {split: dict(START) for split in SIZES},
        "initial_outputs": [[0.1 * seed, 0.2, 0.3]],
        "sample": None,
        "standard_error": 0.011,
        "seconds": {"total": 6.0, "start_up": 4.0, "train": 1.0, "evaluate": 0.5},
        "timing": "alone",
        "engine": {"way": "traced"},
        "device": "cpu, 1 thread",
        "data": "digits",
        "target": "digit",
        "examples": "images",
        "sizes": dict(SIZES),
        "classes": [str(digit) for digit in range(10)],
        "config": config,
        "code": {},
        "curve": {
            "relapse": 0.03,
            "roughness": 5.0,
            "upward_share": 0.4,
            "area": float(np.mean(curve)),
            "steps_per_epoch": steps_per_epoch,
            "split": "validation",
            "epochs": [float(epoch) for epoch in range(epochs + 1)],
            "steps": [epoch * steps_per_epoch for epoch in range(epochs + 1)],
            metric: curve,
        },
        "trial": digest([problem, setting, recipe, config["schedule"], seed]),
        "problem": problem,
        "setting": setting,
        "warnings": [],
        "environment": {"packages": {}},
    }
    result |= change or {}
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    (folder / "result.json").write_text(json.dumps(result, indent=2))
    if steps:
        _write_tables(folder, losses, curve, steps_per_epoch, learning_rate)
    return folder


def _write_tables(folder: Path, losses: Sequence[float], curve: Sequence[float], per_epoch: int, rate: float) -> None:
    """epochs.csv and steps.csv in the columns of a real run."""
    rows = ["epoch,step,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy"]
    for epoch, value in enumerate(curve[1:], start=1):
        entropy = -np.log(value)
        rows.append(f"{epoch},{epoch * per_epoch},{rate},{entropy},{value},{entropy * 1.1},{value}")
    (folder / "epochs.csv").write_text("\n".join(rows) + "\n")
    lines = ["step,epoch,loss,learning_rate,gradient_norm"]
    lines += [f"{step},{-(-step // per_epoch)},{loss:.6g},{rate},1.0" for step, loss in enumerate(losses, start=1)]
    (folder / "steps.csv").write_text("\n".join(lines) + "\n")
