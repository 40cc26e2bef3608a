"""The ends of processes: a child does not outlive the process that started it."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait as wait_for_end

import psutil

GRACE = 60.0  # seconds that a training has to save a checkpoint
POLL = 0.5  # seconds between two looks at the launcher
LAUNCHERS = ("accelerate", "torchrun", "torch.distributed.run", "torch/distributed/run")


def die_with_parent() -> None:
    """End this worker process as soon as its parent is gone: an orphan would go on computing unseen."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel
    _watch(lambda: wait_for_end([sentinel]))


def end_with_launcher() -> None:
    """End this process as soon as the launcher that started it is gone; one that has no launcher goes on."""
    parent = os.getppid()
    try:
        command = " ".join(psutil.Process(parent).cmdline())
    except psutil.Error:  # it is gone already, or belongs to somebody else
        return
    if any(name in command for name in LAUNCHERS):
        _watch(lambda: _wait_for_other_parent(parent))


def _wait_for_other_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL)


def _watch(wait: Callable[[], object]) -> None:
    """Wait in a thread; then ask this process to end, and after a time make it."""

    def watch() -> None:
        wait()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
