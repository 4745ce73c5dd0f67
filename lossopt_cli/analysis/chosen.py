"""Which one of many runs to train again, to have its model."""

from collections.abc import Sequence
from pathlib import Path

from lossopt_cli.analysis.ranking import Request, compare
from lossopt_cli.errors import UsageError
from lossopt_cli.runs.records import Record


def chosen_run(records: Sequence[Record]) -> Path:
    """The first seed that was not lost of the best recipe at its chosen learning rate, of the newest problem; the
    newest run where the runs cannot be ranked."""
    try:
        arm = compare(records, Request())[0].recipes[0].arm
    except UsageError:  # that is said by compare; here any run is better than none
        return max(records, key=lambda record: record.began_at).folder
    kept = [folder for folder, lost in zip(arm.folders, arm.lost, strict=True) if not lost]
    return (kept or arm.folders)[0]
