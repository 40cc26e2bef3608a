"""The command-line arguments that choose an engine."""

import argparse

from .argument_types import real, whole
from .engines import Engine, InProcess, WorkerProcesses
from .ray_engine import RayCluster


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--engine`, `--jobs`, `--address`, `--num-cpus` and `--num-gpus`."""
    group = parser.add_argument_group("where the tasks run")
    group.add_argument("--engine", choices=("local", "ray"), default="local", help="this machine, or a Ray cluster")
    group.add_argument(
        "--jobs", type=whole(), default=1, metavar="N", help="number of processes of the local engine (1)"
    )
    group.add_argument("--address", help="address of the Ray cluster, or auto; without it Ray starts on this machine")
    group.add_argument("--num-cpus", type=real(), default=1, metavar="N", help="cores that Ray gives a task (1)")
    group.add_argument(
        "--num-gpus", type=real(), metavar="N", help="GPUs, or a fraction, that Ray gives a task that trains (1 if any)"
    )


def make_engine(arguments: argparse.Namespace, num_processes: int) -> Engine:
    """Make the engine that the arguments choose.

    Args:
        arguments: The parsed arguments of `add_arguments`.
        num_processes: The number of processes of the launch; if there are several, they share the tasks.

    Raises:
        ValueError: The arguments do not fit together, or Ray is not installed.
    """
    if num_processes > 1 and (arguments.engine == "ray" or arguments.jobs > 1):
        raise ValueError(f"expected one process with --engine ray or --jobs, which start more, got {num_processes}")
    if arguments.engine == "local":
        if arguments.address is not None:
            raise ValueError("expected --engine ray with --address")
        return InProcess() if arguments.jobs == 1 else WorkerProcesses(arguments.jobs)
    if arguments.jobs > 1:
        raise ValueError("expected --jobs with --engine local; Ray runs as many tasks as the cluster has cores for")
    return RayCluster(arguments.address, arguments.num_cpus, arguments.num_gpus)
