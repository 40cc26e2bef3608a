"""Signals that ask a training to stop: it saves a checkpoint first, and leaves with an exit code of its own."""

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class TrainingInterrupted(SystemExit):
    """A training was stopped by a signal after it had saved a checkpoint.

    Where nobody catches it, the process ends with the code that shells use: 128 and the number of the signal, which is
    143 for SIGTERM and 130 for Ctrl-C.

    Args:
        number: The number of the signal.
        message: What was saved, and how to go on.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(128 + number)
        self.message = message

    def __str__(self) -> str:
        return self.message


class Interruption:
    """Notes SIGTERM and Ctrl-C while it is entered, instead of ending the process in the middle of an update.

    A second Ctrl-C ends the process at once. In any thread but the main one, signals are left alone.

    Attributes:
        number: The number of the signal that arrived; None if none did.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._note) for each in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT == self.number:
            raise KeyboardInterrupt
        self.number = number
