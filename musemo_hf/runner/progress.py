"""The progress of a run of tasks: a bar in a terminal, lines in a log, with the time that is left."""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Mapping

from tqdm.auto import tqdm

from .task import Task

logger = logging.getLogger(__name__)
BAR = "{desc}: {n_fmt} of {total_fmt} |{bar}| {elapsed}{postfix}"


class Progress:
    """Says how many tasks are done, which are computed now, and about how long the others will take.

    The time that is left is estimated from the tasks with the same function that have ended.

    Args:
        left: The tasks to compute, by name.
        capacity: The number of tasks that are computed at a time.
    """

    def __init__(self, left: Mapping[str, Task], capacity: int) -> None:
        self.left, self.capacity = left, capacity
        self.bar = tqdm(total=len(left), desc="tasks", bar_format=BAR, disable=None)
        self._seconds: dict[object, list[float]] = defaultdict(list)
        self._started: dict[str, float] = {}

    @property
    def shows_bar(self) -> bool:
        """Whether there is a terminal; otherwise lines are logged."""
        return not self.bar.disable

    def begins(self, name: str) -> None:
        """Note that a task begins."""
        self._started[name] = time.monotonic()
        if not self.shows_bar:
            logger.info("%d of %d tasks left%s; now %s", len(self.left), self.bar.total, self._about(), name)

    def ended(self, task: Task, seconds: float | None) -> None:
        """Note that a task has ended, with the seconds of its computation, or None where nothing was computed."""
        self._started.pop(task.name, None)
        if seconds is not None:
            self._seconds[task.function].append(seconds)
            if not self.shows_bar:
                logger.info("%s took %.0f s", task.name, seconds)
        self.bar.update()

    def show(self, running: Collection[str]) -> None:
        """Draw the bar anew."""
        self.bar.set_postfix_str(f"{', '.join(sorted(running))}{self._about()}".lstrip(", "))

    def seconds_left(self) -> float | None:
        """Return about how many seconds the tasks that are left will take; None while a kind of task is not known."""
        if any(task.function not in self._seconds for task in self.left.values()):
            return None
        now, total = time.monotonic(), 0.0
        for name, task in self.left.items():
            known = self._seconds[task.function]
            expected = sum(known) / len(known)
            total += max(expected - (now - self._started.get(name, now)), 0)
        return total / max(1, min(self.capacity, len(self.left)))

    def _about(self) -> str:
        seconds = self.seconds_left()
        if seconds is None:
            return ""
        return f", about {seconds:.0f} s" if seconds < 90 else f", about {seconds / 60:.0f} min"

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()
