"""Event files: read with TensorBoard's own readers, and served by a real TensorBoard."""

import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from timeit import repeat

import numpy as np
import pytest

from lossopt_cli.runs import protobuf
from lossopt_cli.runs.events import EventFile, crc32c, record

STARTED_AT = 1_700_000_000.25
TAGS = ["batch/loss", "batch/learning_rate", "batch/gradient_norm"]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[EventFile]:
    file = EventFile(tmp_path, STARTED_AT)
    yield file
    if not file.closed:
        file.close("done")


def raw_events(path: Path) -> list:
    """Events: each record's length and checksums checked here, the protobuf parsed by TensorBoard's class."""
    from tensorboard.compat.proto.event_pb2 import Event

    data, place, events = path.read_bytes(), 0, []
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        end = place + 12 + length
        for start, stop in ((place, place + 8), (place + 12, end)):
            (said,) = struct.unpack_from("<I", data, stop)
            assert said == masked(slow_crc32c(data[start:stop]))
        events.append(Event.FromString(data[place + 12 : end]))
        place = end + 4
    return events


def slow_crc32c(data: bytes) -> int:
    """RFC 3720 bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # RFC 3720, appendix B.4, and the check value of the CRC catalogue
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_crc32c(data: bytes, expected: int):
    assert crc32c(data) == slow_crc32c(data) == expected


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**35 - 1, 2**63])
def test_varint_reads_back(value: int):
    from google.protobuf.internal.decoder import _DecodeVarint

    assert _DecodeVarint(protobuf.varint(value), 0)[0] == value


def test_bulk_records_are_those_of_tensorboards_classes(file: EventFile):
    rng = np.random.default_rng(0)
    steps = np.array([0, 1, 127, 128, 40_000, 2**31, 2**35 - 1])
    values = rng.lognormal(0, 20, (len(steps), 3)).astype(np.float32)
    times = STARTED_AT + np.arange(len(steps)) * 0.001
    values[1] = [np.inf, -np.inf, -0.0]
    file.scalars(TAGS, steps, values, times)
    version, *events = raw_events(file.path)
    assert (version.file_version, version.wall_time) == ("brain.Event:2", STARTED_AT)
    assert [e.step for e in events] == steps.tolist()
    assert [e.wall_time for e in events] == times.tolist()
    assert [[v.tag for v in e.summary.value] for e in events] == [TAGS] * len(steps)
    assert [[v.simple_value for v in e.summary.value] for e in events] == values.tolist()


def test_record_is_tensorboards_record(tmp_path: Path):
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    event = Event(wall_time=1.5, file_version="brain.Event:2").SerializeToString()
    with (tmp_path / "theirs").open("wb") as file:
        RecordWriter(file).write(event)
    assert record(event) == (tmp_path / "theirs").read_bytes()


def test_the_accumulator_reads_every_batch_and_epoch_also_while_it_grows(file: EventFile):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(file.path), size_guidance={"scalars": 0})
    loss = np.random.default_rng(1).random((3, 40), np.float32)
    for epoch in range(3):
        steps = 40 * epoch + np.arange(40)
        batch = np.stack([loss[epoch], np.full(40, 0.1), np.sqrt(loss[epoch])], axis=1)
        file.scalars(TAGS, steps, batch, STARTED_AT + steps)
        file.scalars(["train/loss", "validation/größe"], [steps[-1] + 1], [[0.5, np.nan]], STARTED_AT)
        reader.Reload()
        assert [s.step for s in reader.Scalars("batch/loss")] == list(range(40 * (epoch + 1)))
    assert [s.value for s in reader.Scalars("batch/loss")] == loss.ravel().tolist()
    assert [s.step for s in reader.Scalars("train/loss")] == [40, 80, 120]
    assert all(np.isnan(s.value) for s in reader.Scalars("validation/größe"))
    assert set(reader.Tags()["scalars"]) == {*TAGS, "train/loss", "validation/größe"}


def test_nothing_to_write_writes_nothing(file: EventFile):
    file.scalars(TAGS, [], np.empty((0, 3)), STARTED_AT)
    file.scalars([], [1, 2], np.empty((2, 0)), STARTED_AT)
    assert len(raw_events(file.path)) == 1


def test_hparams_as_the_plugin_parses_them(file: EventFile):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    settings = {
        "optimizer": "adam",
        "lr": 1e-3,
        "epochs": 5,
        "nesterov": True,
        "hidden": [64, 32],
        "clipnorm": None,
    }
    file.hparams(settings | {"clipnorm": None}, {"test/accuracy": 0.5}, step=200)
    file.close("diverged")
    _, start, metric, end = raw_events(file.path)
    infos = []
    for event in (start, end):
        [value] = event.summary.value
        assert value.metadata.plugin_data.plugin_name == "hparams"
        infos.append(HParamsPluginData.FromString(value.metadata.plugin_data.content))
    started = infos[0].session_start_info
    assert started.start_time_secs == STARTED_AT
    got = {name: getattr(v, v.WhichOneof("kind")) for name, v in started.hparams.items()}
    assert got == {"optimizer": "adam", "lr": 1e-3, "epochs": 5.0, "nesterov": True, "hidden": "[64, 32]"}
    assert infos[1].session_end_info.status == 2  # STATUS_FAILURE in the plugin's api.proto
    assert infos[1].session_end_info.end_time_secs >= STARTED_AT
    assert (metric.step, metric.summary.value[0].tag) == (200, "test/accuracy")


def test_two_files_of_one_second(tmp_path: Path):
    files = [EventFile(tmp_path, STARTED_AT) for _ in range(3)]
    for file in files:
        file.close("done")
    assert len({file.path for file in files}) == 3
    assert all("tfevents" in file.path.name for file in files)


@pytest.mark.parametrize("steps_an_epoch", [40, 1000])
def test_a_step_of_three_scalars_costs_under_five_microseconds(file: EventFile, steps_an_epoch: int):
    """Where this was written: 3.3 us at 40 steps an epoch, 0.6 at 1000. The best of 20, the layout known."""
    steps = np.arange(steps_an_epoch)
    values = np.random.default_rng(2).random((steps_an_epoch, 3), np.float32)
    seconds = min(repeat(lambda: file.scalars(TAGS, steps, values, STARTED_AT + steps), number=1, repeat=20))
    assert seconds / steps_an_epoch < 5e-6


RUNS = {
    "one": ({"loss": "mse", "momentum": 0.9}, {"test/mae": 1.5}),
    "two": ({"loss": "huber", "delta": 2.0, "nesterov": True}, {"test/rmse": 2.5}),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a TensorBoard over RUNS, on the loopback."""
    logs = tmp_path_factory.mktemp("logs")
    for name, (settings, metrics) in RUNS.items():
        (logs / name).mkdir()
        file = EventFile(logs / name, STARTED_AT)
        file.hparams(settings)
        file.scalars(TAGS, np.arange(40), np.ones((40, 3)), STARTED_AT + np.arange(40))
        file.scalars(list(metrics), [40], [list(metrics.values())], STARTED_AT + 40)
        file.close("done")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), "--host", "127.0.0.1"]
    with (logs / "server.log").open("w") as log:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log, env=os.environ)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: len(fetch(f"{address}/data/runs")) == len(RUNS), process)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def fetch(address: str, body: dict | None = None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def wait_for(ready, process: subprocess.Popen, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, "TensorBoard ended by itself"
        try:
            if ready():
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.2)
    pytest.fail("TensorBoard did not show the runs")


def test_a_server_lists_every_scalar(server: str):
    tags = fetch(f"{server}/data/plugin/scalars/tags")
    assert {run: set(found) for run, found in tags.items()} == {
        run: {*TAGS, *metrics} for run, (_, metrics) in RUNS.items()
    }
    series = fetch(f"{server}/data/plugin/scalars/scalars?run=one&tag=batch/loss")
    assert [point[1:] for point in series] == [[step, 1.0] for step in range(40)]


def test_a_server_shows_the_settings_and_metrics_of_both_runs(server: str):
    experiment = fetch(f"{server}/data/plugin/hparams/experiment", {})
    assert {info["name"] for info in experiment["hparamInfos"]} == {"loss", "momentum", "delta", "nesterov"}
    assert {info["name"]["tag"] for info in experiment["metricInfos"]} >= {"test/mae", "test/rmse", *TAGS}
    columns = [{"metric": info["name"]} for info in experiment["metricInfos"]]
    asked = {"startIndex": 0, "sliceSize": 10, "colParams": columns, "allowedStatuses": ["STATUS_SUCCESS"]}
    groups = fetch(f"{server}/data/plugin/hparams/session_groups", asked)["sessionGroups"]
    shown = {group["sessions"][0]["name"]: group for group in groups}
    assert {name: group["hparams"] for name, group in shown.items()} == {
        name: settings for name, (settings, _) in RUNS.items()
    }
    for name, (_, metrics) in RUNS.items():
        values = {v["name"]["tag"]: v["value"] for v in shown[name]["metricValues"]}
        assert values.items() >= metrics.items()
