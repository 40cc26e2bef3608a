"""The scheduler: runs the tasks of a run on an engine, in the order of their dependencies."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .engines import Engine, InProcess
from .progress import Progress
from .task import Attempt, State, Task, clear_notes

logger = logging.getLogger(__name__)
POLL = 2.0  # seconds until a task that another process computes is looked at again, and the bar is drawn anew


@dataclass(frozen=True)
class Outcome:
    """What became of the tasks of a run.

    Attributes:
        computed: The names of the tasks that this run computed.
        failed: Name -> error.
        skipped: Name -> reason.
        left: The names of the tasks that were not begun: time was over, or they need a task that failed.
    """

    computed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def run_tasks(
    tasks: Sequence[Task],
    context: Any,
    locks: Path,
    engine: Engine | None = None,
    minutes: float | None = None,
    poll: float = POLL,
) -> Outcome:
    """Compute every task that is not done, and return when no task is left that could be.

    Processes and machines that are given the same folder of locks share the tasks. A task that fails is named, and
    those that do not need it go on.

    Args:
        tasks: The tasks, the most urgent first.
        context: What all tasks share, their function's first argument; picklable unless the engine is `InProcess`.
        locks: The folder of the locks.
        engine: Where the tasks run; None for this process.
        minutes: No task begins later than this many minutes after the start; None for no limit.
        poll: The number of seconds to wait where other processes compute all tasks that are left.

    Raises:
        ValueError: Two tasks have one name, or a task needs one that is not there.
    """
    names = [task.name for task in tasks]
    unknown = {need for task in tasks for need in task.needs} - set(names)
    if len(set(names)) < len(names) or unknown:
        raise ValueError(f"expected tasks with unique names and known needs, got {names} and the needs {unknown}")
    locks.mkdir(parents=True, exist_ok=True)
    _name_broken(tasks)
    left = []
    for task in tasks:
        if task.done(context):
            clear_notes(task, locks)
        else:
            left.append(task)
    if not left:
        return Outcome()
    engine = engine or InProcess()
    engine.start(context, locks.resolve(), time.time())
    try:
        run = _Run(left, engine, None if minutes is None else time.monotonic() + 60 * minutes, poll)
        return run.finish()
    finally:
        engine.stop()


def _name_broken(tasks: Sequence[Task]) -> None:
    for task in tasks:
        if task.result is not None and task.result.is_file() and not task.done(None):
            logger.warning("%s is empty or broken: %s is computed again", task.result, task.name)


class _Run:
    """The state of `run_tasks` between one event and the next."""

    def __init__(self, left: list[Task], engine: Engine, deadline: float | None, poll: float) -> None:
        self.engine, self.deadline, self.poll = engine, deadline, poll
        self.left = {task.name: task for task in left}
        self.progress = Progress(self.left, engine.capacity)
        self.running: set[str] = set()
        self.busy: dict[str, str] = {}  # name -> who else computes it
        self.outcome = Outcome()
        self._waiting_for = ""

    def finish(self) -> Outcome:
        """Submit what is ready and take in what has ended, until nothing more can be done."""
        while True:
            self._submit()
            if self.running:
                self.progress.show(self.running)
                room = len(self.running) < self.engine.capacity
                ends = self.engine.wait(self.poll if (self.busy and room) or self.progress.shows_bar else None)
                if not ends:
                    self.busy.clear()
                for name, end in ends:
                    self._take(name, end)
            elif self.busy and not self._is_over():
                self._tell_waiting()
                time.sleep(self.poll)
                self.busy.clear()
            else:
                break
        self.progress.close()
        self.outcome.left.extend(self.left)
        if self.left:
            logger.warning("not computed: %s", ", ".join(self.left))
        return self.outcome

    def _submit(self) -> None:
        """Submit the most urgent tasks that are ready, as many as the engine takes."""
        for name, task in self.left.items():
            if len(self.running) >= self.engine.capacity or self._is_over():
                return
            if name in self.running or name in self.busy or not self._is_ready(task):
                continue
            self.progress.begins(name)
            self.running.add(name)
            self.engine.submit(task)

    def _is_ready(self, task: Task) -> bool:
        """Return whether what a task needs is there: done before, or in this run, or skipped."""
        return not any(need in self.left or need in self.outcome.failed for need in task.needs)

    def _is_over(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def _take(self, name: str, end: Attempt) -> None:
        self.running.remove(name)
        if end.state is State.BUSY:
            self.busy[name] = end.message
            return
        self.busy.clear()  # time has passed: others may have finished
        self.progress.ended(self.left.pop(name), end.seconds if end.state is State.COMPUTED else None)
        if end.state is State.COMPUTED:
            self.outcome.computed.append(name)
        elif end.state is State.SKIPPED:
            logger.warning("%s is skipped: %s", name, end.message)
            self.outcome.skipped[name] = end.message
        elif end.state is State.FAILED:
            logger.error("%s failed: %s", name, end.message)
            self.outcome.failed[name] = end.message

    def _tell_waiting(self) -> None:
        """Say what this process waits for, once for each change."""
        waiting_for = ", ".join(f"{name} ({who})" for name, who in self.busy.items())
        if waiting_for != self._waiting_for:
            logger.warning("waiting for %s", waiting_for)
            self._waiting_for = waiting_for
