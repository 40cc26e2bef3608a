"""Engines on one machine: tasks run in this process, or in several worker processes."""

import multiprocessing
import os
import pickle
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

from .lifetime import die_with_parent
from .task import Attempt, State, Task, attempt

MAX_RETRIES = 3  # of a task whose worker process or node died
# Set by torchrun and `accelerate launch` for the processes of a launch; a worker is none of them.
LAUNCH = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")


class Engine(Protocol):
    """Where tasks run.

    Attributes:
        capacity: The number of tasks that may be submitted at a time.
    """

    capacity: int

    def start(self, context: Any, locks: Path, since: float) -> None:
        """Get ready to run tasks with these arguments of `attempt`."""

    def submit(self, task: Task) -> None:
        """Begin an attempt at a task."""

    def wait(self, timeout: float | None) -> list[tuple[str, Attempt]]:
        """Return names and ends of attempts; none if the timeout in seconds passes first."""

    def stop(self) -> None:
        """End all workers."""


class InProcess:
    """Runs one task at a time in the calling process."""

    capacity = 1

    def start(self, context: Any, locks: Path, since: float) -> None:
        """Keep the arguments."""
        self._context, self._arguments = context, (locks, since)

    def submit(self, task: Task) -> None:
        """Keep the task until `wait`."""
        self._task = task

    def wait(self, timeout: float | None) -> list[tuple[str, Attempt]]:
        """Compute the task."""
        return [(self._task.name, attempt(self._context, self._task, *self._arguments))]

    def stop(self) -> None:
        """Do nothing."""


class WorkerProcesses:
    """Runs tasks in several processes of this machine, which share its devices.

    Args:
        jobs: The number of processes.
    """

    def __init__(self, jobs: int) -> None:
        self.capacity = jobs

    def start(self, context: Any, locks: Path, since: float) -> None:
        """Start the processes; each receives the context once."""
        share_cores(self.capacity)
        self._initial = (pickle.dumps((context, locks, since)),)
        self._tasks: dict[Future[Attempt], Task] = {}
        self._tries: dict[str, int] = {}
        self._open_pool()

    def _open_pool(self) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would inherit the threads of torch
        self._pool = ProcessPoolExecutor(self.capacity, spawn, _begin, self._initial)

    def submit(self, task: Task) -> None:
        """Send a task to a free process."""
        self._tries[task.name] = self._tries.get(task.name, 0) + 1
        try:
            future = self._pool.submit(_work, task)
        except BrokenProcessPool:  # a process was killed while it had no task
            self._open_pool()
            future = self._pool.submit(_work, task)
        self._tasks[future] = task

    def wait(self, timeout: float | None) -> list[tuple[str, Attempt]]:
        """Wait for a process; where one was killed, its pool is lost and the tasks begin again in a new one."""
        done, _ = wait(self._tasks, timeout, FIRST_COMPLETED)
        if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
            return self._recover()
        return [(self._tasks.pop(future).name, future.result()) for future in done]

    def _recover(self) -> list[tuple[str, Attempt]]:
        wait(self._tasks)
        ended, self._tasks = self._tasks, {}
        self._pool.shutdown()
        self._open_pool()
        ends = []
        for future, task in ended.items():
            if not isinstance(future.exception(), BrokenProcessPool):
                ends.append((task.name, future.result()))
            elif self._tries[task.name] <= MAX_RETRIES:
                self.submit(task)
            else:
                ends.append((task.name, Attempt(State.FAILED, "its process was killed again and again")))
        return ends

    def stop(self) -> None:
        """End the processes; what is queued is dropped."""
        self._pool.shutdown(cancel_futures=True)


def share_cores(jobs: int) -> None:
    """Give each worker process its share of the cores, unless OMP_NUM_THREADS says otherwise."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))


def leave_launch() -> None:
    """Forget the launch that started this process's parent, so that no process group is joined."""
    for name in LAUNCH:
        os.environ.pop(name, None)


_worker: dict[str, Any] = {}  # of this worker process: the arguments of `attempt`


def _begin(pickled: bytes) -> None:
    leave_launch()
    die_with_parent()
    _worker["arguments"] = pickle.loads(pickled)


def _work(task: Task) -> Attempt:
    context, locks, since = _worker["arguments"]
    return attempt(context, task, locks, since)
