"""A task: a plain function whose result is written once, whichever process computes it."""

import json
import os
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from musemo_hf.files import atomic_write, is_whole


class SkipTask(Exception):
    """Raised by a task whose result can never be computed, for a reason that is no error of the task."""


@dataclass(frozen=True)
class Task:
    """A part of a run that is computed once.

    A task is sent to other processes, so its function and arguments must be picklable: the function is defined at the
    top level of a module, and the arguments are small. Large data belong in the context.

    Attributes:
        name: The unique name in the run; slashes make folders of its lock.
        function: Called as `function(context, *arguments)`. What it returns is written to `result`.
        arguments: The further arguments of the function.
        needs: The names of the tasks that must be done before this one starts.
        result: The JSON file of the result. The task is done when the file is there and whole.
        is_done: Called as the function is, where the function writes its own results; then `result` is None.
        gpu: Whether the task trains or samples a network, and so uses a GPU where the cluster has one.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    needs: tuple[str, ...] = ()
    result: Path | None = None
    is_done: Callable[..., bool] | None = None
    gpu: bool = False

    def done(self, context: Any) -> bool:
        """Return whether the result is there; an empty or broken file does not count."""
        if self.is_done is not None:
            return self.is_done(context, *self.arguments)
        return self.result is not None and is_whole(self.result)

    def compute(self, context: Any) -> None:
        """Call the function and write its result."""
        value = self.function(context, *self.arguments)
        if self.result is not None:
            atomic_write(self.result, json.dumps(value))


class State(Enum):
    """How an attempt at a task ended."""

    COMPUTED = auto()
    FOUND = auto()  # the result was there already
    BUSY = auto()  # another process is computing the task
    SKIPPED = auto()
    FAILED = auto()


@dataclass(frozen=True)
class Attempt:
    """The end of an attempt at a task.

    Attributes:
        state: How it ended.
        message: The error, the reason for skipping, or who else computes the task.
        seconds: The time that the computation took.
    """

    state: State
    message: str = ""
    seconds: float = 0.0


def attempt(context: Any, task: Task, locks: Path, since: float) -> Attempt:
    """Compute a task, unless it is done, another process computes it, or it has failed in another process.

    A lock of the operating system guards the task; it is released when its process dies, so a killed process leaves
    nothing behind that blocks the next one. Its note of who computes the task may stay: `clear_notes` removes it.

    Args:
        context: What all tasks of the run share.
        task: The task.
        locks: The folder of the locks, which every process and machine of the run must see.
        since: Failures written before this time, in seconds since the epoch, belong to an earlier run.
    """
    if not locks.is_dir():
        return Attempt(State.FAILED, f"{socket.gethostname()} does not see {locks}: the folder must be shared")
    base = locks / task.name
    base.parent.mkdir(parents=True, exist_ok=True)
    holder, failure = _notes(task, locks)
    try:
        with FileLock(base.with_name(f"{base.name}.lock"), timeout=0):
            if task.done(context):
                clear_notes(task, locks)
                return Attempt(State.FOUND)
            if failure.is_file() and failure.stat().st_mtime >= since:
                return Attempt(State.FAILED, failure.read_text(encoding="utf-8").strip().splitlines()[-1])
            atomic_write(holder, json.dumps({"process": os.getpid(), "host": socket.gethostname()}))
            try:
                return _compute(context, task, failure)
            finally:
                holder.unlink(missing_ok=True)
    except Timeout:
        return Attempt(State.BUSY, _describe(holder))


def clear_notes(task: Task, locks: Path) -> None:
    """Remove what a process that was killed after it had written the result of a task left beside its lock."""
    for note in _notes(task, locks):
        note.unlink(missing_ok=True)


def _notes(task: Task, locks: Path) -> tuple[Path, Path]:
    """Return the files that say who computes a task, and why it failed."""
    base = locks / task.name
    return base.with_name(f"{base.name}.running"), base.with_name(f"{base.name}.failed")


def _compute(context: Any, task: Task, failure: Path) -> Attempt:
    started = time.monotonic()
    failure.unlink(missing_ok=True)
    try:
        task.compute(context)
    except SkipTask as reason:
        return Attempt(State.SKIPPED, str(reason))
    except Exception as error:
        atomic_write(failure, traceback.format_exc())
        return Attempt(State.FAILED, f"{type(error).__name__}: {error} (see {failure})")
    return Attempt(State.COMPUTED, seconds=time.monotonic() - started)


def _describe(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # the holder has just begun or just ended
        return "another process"
    return f"process {facts['process']} on {facts['host']}"
