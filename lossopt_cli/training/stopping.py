"""Ctrl-C and SIGTERM between two steps, so that what is kept of an interrupted training is a state that it had."""

import signal
import threading
from types import FrameType
from typing import Self

from lossopt_cli.errors import Terminated


class Stopping:
    """While entered, the first signal is kept in `cause` for whoever asks between steps; a second one raises at once.

    A signal that was ignored stays ignored (nohup, jobs in the background). Outside the main thread nothing changes.
    """

    def __init__(self) -> None:
        self.cause: KeyboardInterrupt | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._asked)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if self.cause is not None:
            raise self.cause
        self.cause = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
