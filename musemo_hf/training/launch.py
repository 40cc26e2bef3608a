"""What the scripts of `training/` share: arguments, accelerator, printed configuration, and training a generator."""

import argparse
import logging
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from accelerate import Accelerator

from musemo_hf.files import atomic_write
from musemo_hf.runner.argument_types import whole
from musemo_hf.runner.lifetime import end_with_launcher
from musemo_hf.runner.options import add_arguments

from .clips import Clips
from .configuration import Configuration, load_configuration
from .corpus import hold_out, load_songs
from .generators import create_trainer, save_generator, write_training_report
from .identity import origin_of
from .unet.initial_weights import check_fold

DATA_DIR = (
    "The folder of DEAM or of `musemo pseudo-label`, or a file of `musemo prepare --pack` (default: the "
    "demonstration corpus)."
)
Kind = TypeVar("Kind")
OPTIONS: dict[str, dict[str, Any]] = {
    "hold-out": {
        "type": whole(0),
        "metavar": "FOLD",
        "help": "The artist-disjoint fold that is left out of the training.",
    },
    "log": {"type": Path, "metavar": "FILE", "help": "The log of readings of folds (default: docs/fold-readings.md)."},
    "note": {"default": "", "help": "What the fold is read for, for the log."},
    "accept-other-hardware": {
        "action": "store_true",
        "help": "Resume a run that was begun on another device or with another number of processes; it is recorded.",
    },
    "verbose": {"action": "store_true", "help": "Print the whole configuration at the start."},
    "plan": {
        "action": "store_true",
        "help": "Print what would be computed and the smallest effects that it could detect, and compute nothing.",
    },
    "no-sound": {"action": "store_true", "help": "Leave out what another model hears, which decides."},
    "report-only": {"action": "store_true", "help": "Report what is finished, and compute nothing."},
}


def parse_arguments(
    description: str | None, default_config: Path, output_dir: str, *options: str, runs_tasks: bool = False
) -> argparse.Namespace:
    """Parse the arguments that every script takes, those of `OPTIONS` that are named, and those that choose an engine.

    Args:
        description: The docstring of the script.
        default_config: The configuration that is used if none is given.
        output_dir: The output folder that is used if none is given.
        options: Names of `OPTIONS`.
        runs_tasks: Whether the script runs tasks, and so takes the arguments of `musemo_hf.runner.options`.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--config", type=Path, default=default_config, help="The YAML file that is merged over the defaults."
    )
    parser.add_argument("--data-dir", type=Path, help=DATA_DIR)
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=Path(output_dir),
        help="The folder of the run; a run that it holds is resumed.",
    )
    parser.add_argument(
        "--set", nargs="*", action="extend", default=[], metavar="SECTION.KEY=VALUE", help="Override single values."
    )
    for name in ("accept-other-hardware", "verbose", *options):
        parser.add_argument(f"--{name}", **OPTIONS[name])
    if runs_tasks:
        add_arguments(parser)
    return parser.parse_args()


def generator_parser(description: str | None, generator: str, path: type = Path) -> argparse.ArgumentParser:
    """Return a parser for a script that takes a trained generator and songs: which generator, and which songs.

    Args:
        description: The docstring of the script.
        generator: The help on the generator.
        path: What the argument of the generator becomes; `str` where it may be a repository.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", type=path, help=generator)
    parser.add_argument("--config", type=Path, help="The YAML file that it was trained with, which chooses the songs.")
    parser.add_argument("--data-dir", type=Path, help=DATA_DIR)
    parser.add_argument("--hold-out", type=whole(0), metavar="FOLD", help="The fold whose songs are left out.")
    return parser


def of_kind(parser: argparse.ArgumentParser, generator: Any, *kinds: type[Kind]) -> Kind:
    """Return a generator that is of one of the kinds a script is for, and end the script where it is not.

    Args:
        parser: The parser of the script, which says what is wrong.
        generator: The loaded generator.
        kinds: The classes of generators.

    Raises:
        SystemExit: It is of another kind.
    """
    if not isinstance(generator, kinds):
        wanted = " or a ".join(kind.__name__ for kind in kinds)
        parser.error(f"expected the folder of a {wanted}, got that of a {type(generator).__name__}")
    return generator


def start(arguments: argparse.Namespace, defaults: Configuration | None = None) -> tuple[Any, Accelerator]:
    """Read the configuration, and start the accelerator, with a tracker if one is installed.

    The whole configuration goes to `configuration.yaml` in the output folder, which scripts that run tasks write
    themselves, and with `--verbose` to the terminal.

    Args:
        arguments: The result of `parse_arguments`.
        defaults: The defaults of a script that has sections of its own, see `load_configuration`.
    """
    configuration = load_configuration(arguments.config, arguments.set, defaults)
    end_with_launcher()
    tracker = "tensorboard" if find_spec("tensorboard") else None
    accelerator = Accelerator(log_with=tracker, project_dir=str(arguments.output_dir))
    if accelerator.is_main_process:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        text = f"# {command()}\n{configuration.to_yaml()}"
        if not hasattr(arguments, "engine"):  # a run of tasks writes it itself, where its folder may be continued
            atomic_write(arguments.output_dir / "configuration.yaml", text)
        if arguments.verbose:
            print(text, flush=True)
    if tracker:
        accelerator.init_trackers("tracker")
    return configuration, accelerator


def train_generator(kind: str, arguments: argparse.Namespace) -> None:
    """Train a generator as the arguments say, and write `generator/` into the output folder.

    Args:
        kind: "gan" or "flow".
        arguments: The result of `parse_arguments`, with `hold-out`.
    """
    configuration, accelerator = start(arguments)
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    initial = configuration.unet_training.initial if kind == "unet" else None
    if initial is not None:
        check_fold(initial, corpus["name"], arguments.hold_out)
    learnt = hold_out(songs, arguments.hold_out)
    clips, origin = Clips.of_songs(learnt), origin_of(learnt, configuration.data, arguments.hold_out)
    run_dir = arguments.output_dir
    trainer = create_trainer(kind, configuration, clips, run_dir, accelerator, data_parallel=True, origin=origin)
    generator = trainer.train(arguments.accept_other_hardware)
    if accelerator.is_main_process:
        folder = arguments.output_dir / "generator"
        save_generator(folder, generator, trainer.objects.get("discriminator"))
        budget, seeds = arguments.config.stem, [trainer.training.seed]
        write_training_report(folder, corpus, len(clips), budget, seeds, command())
        print(f"generator: {folder}")
    del trainer
    finish(accelerator)


def finish(accelerator: Accelerator) -> None:
    """End what `start` began; call it when no trainer is left.

    The wrapper of a model for data parallelism holds the process group, so it must go first: if it were the last to do
    so, gloo's thread and Python's lock would wait for each other, and the process would hang or abort.
    """
    accelerator.free_memory()
    accelerator.end_training()


def command() -> str:
    """Return the command line that reproduces this run."""
    program = Path(sys.argv[0])
    if program.suffix == ".py":
        return f"accelerate launch {shlex.join([str(program), *sys.argv[1:]])}"
    return shlex.join([program.name, *sys.argv[1:]])
