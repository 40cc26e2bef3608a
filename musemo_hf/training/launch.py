"""What the scripts of `training/` share: arguments, the accelerator, and the configuration in print."""

import argparse
import logging
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from .configuration import Configuration, load_configuration

DATA_DIR = "folder of DEAM or of `musemo listen`, or a file of `musemo prepare --pack`; else the procedural corpus"


def parse_arguments(
    description: str | None,
    default_config: Path,
    output_dir: str,
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> argparse.Namespace:
    """The arguments that every script takes; `--hold-out` and `--report-only` concern some of them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=default_config, help="YAML, merged over the defaults")
    parser.add_argument("--data-dir", type=Path, help=DATA_DIR)
    parser.add_argument(
        "--output-dir", type=Path, default=Path(output_dir), help="the run's folder; resumes what it holds"
    )
    parser.add_argument(
        "--set", nargs="*", action="extend", default=[], metavar="SECTION.KEY=VALUE", help="override single values"
    )
    parser.add_argument(
        "--hold-out", type=int, metavar="FOLD", help="leave out this artist-disjoint fold (train_* only)"
    )
    parser.add_argument(
        "--report-only", action="store_true", help="report what is finished, compute nothing (ablate.py only)"
    )
    if add_arguments is not None:
        add_arguments(parser)
    return parser.parse_args()


def start(arguments: argparse.Namespace, defaults: Configuration | None = None) -> tuple[Any, Accelerator]:
    """Read the configuration, print it in full, and start the accelerator with a tracker where one is installed.

    Args:
        arguments: of `parse_arguments`.
        defaults: of a script that has sections of its own, see `load_configuration`.
    """
    configuration = load_configuration(arguments.config, arguments.set, defaults)
    tracker = "tensorboard" if find_spec("tensorboard") else None
    accelerator = Accelerator(log_with=tracker, project_dir=str(arguments.output_dir))
    if accelerator.is_main_process:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        print(f"# {command()}\n{configuration.to_yaml()}", flush=True)
    if tracker:
        accelerator.init_trackers("tracker")
    return configuration, accelerator


def finish(accelerator: Accelerator) -> None:
    """End what `start` began; call it when no trainer is left.

    What wraps models for data parallelism goes first. It holds the process group, and were it the last to do so, gloo's
    thread and Python's lock would wait for each other as it goes: the process then hangs, or aborts.

    Args:
        accelerator: of the launch.
    """
    accelerator.free_memory()
    accelerator.end_training()


def command() -> str:
    """The command line that reproduces this run."""
    return "accelerate launch " + " ".join([str(Path(sys.argv[0])), *sys.argv[1:]])
