"""An engine on a Ray cluster: every node may compute tasks, and tasks of a node that dies begin again on another."""

import os
import warnings
from pathlib import Path
from typing import Any

from .engines import MAX_RETRIES, leave_launch
from .task import Attempt, State, Task, attempt

PASSED_ON = ("ACCELERATE_", "HF_HUB_")  # beginnings of environment variables that workers get from the driver


class RayCluster:
    """Runs tasks on a Ray cluster, each with its number of cores and GPUs.

    The context is put into the object store once. Results and checkpoints are files, so all nodes must see the run's
    folder under the same path, and have the same environment installed.

    Args:
        address: The address of a running cluster, "auto" for that of this machine; None for RAY_ADDRESS if that is
            set, and otherwise for a cluster on this machine that ends with the run.
        num_cpus: The number of cores that a task occupies.
        num_gpus: The number of GPUs, or fraction of one, that a task with `gpu` occupies; None for one if the cluster
            has GPUs.

    Raises:
        ValueError: Ray is not installed.
    """

    capacity = 10_000  # Ray queues what it has no room for, and adds nodes for it if the cluster grows by itself

    def __init__(self, address: str | None = None, num_cpus: float = 1, num_gpus: float | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported
        try:
            import ray
        except ImportError as error:
            raise ValueError("expected Ray for --engine ray: pip install 'musemo-hf[cluster]'") from error
        self._ray = ray
        self.address = address or os.environ.get("RAY_ADDRESS") or "local"
        self.num_cpus, self.num_gpus = num_cpus, num_gpus

    def start(self, context: Any, locks: Path, since: float) -> None:
        """Join or start the cluster, and hand the context to it."""
        ray = self._ray
        options: dict[str, Any] = {"include_dashboard": False} if self.address == "local" else {}
        # the progress bars of dozens of workers would hide the progress of the tasks; Ray keeps them in its own logs
        ray.init(self.address, log_to_driver=False, logging_level="WARNING", **options)
        if self.num_gpus is None:
            self.num_gpus = float(ray.cluster_resources().get("GPU", 0) > 0)
        variables = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        # in a list, so that Ray does not fetch it before the worker is ready to receive it
        self._arguments = ([ray.put(context)], variables, locks, since)
        self._work = ray.remote(_work)
        self._running: dict[Any, str] = {}

    def submit(self, task: Task) -> None:
        """Queue a task."""
        gpus = self.num_gpus if task.gpu else 0
        options = self._work.options(name=task.name, num_cpus=self.num_cpus, num_gpus=gpus, max_retries=MAX_RETRIES)
        self._running[options.remote(task, *self._arguments)] = task.name

    def wait(self, timeout: float | None) -> list[tuple[str, Attempt]]:
        """Wait for the first task to end."""
        ended, _ = self._ray.wait(list(self._running), timeout=timeout)
        return [(self._running.pop(reference), self._outcome(reference)) for reference in ended]

    def _outcome(self, reference: Any) -> Attempt:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:  # its nodes died again and again, or a worker could not start
            return Attempt(State.FAILED, f"{type(error).__name__}: {error}")

    def stop(self) -> None:
        """Leave the cluster, and end what still runs there."""
        self._ray.shutdown()


_contexts: dict[Any, Any] = {}  # of this worker process: the context that it fetched


def _work(task: Task, context: list[Any], variables: dict[str, str], locks: Path, since: float) -> Attempt:
    """Attempt a task in a worker, which fetches the context once."""
    import ray

    (reference,) = context
    if reference not in _contexts:
        leave_launch()
        os.environ.update(variables)
        # the object store hands out arrays that cannot be written to, and no task writes to the context
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        _contexts.clear()
        _contexts[reference] = ray.get(reference)
    return attempt(_contexts[reference], task, locks, since)
