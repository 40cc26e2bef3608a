"""Arguments that several commands share."""

import argparse
from pathlib import Path

from musemo_hf.pipelines.steering.condition_ranges import RANGES
from musemo_hf.runner.argument_types import whole


def add_preparation(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the preparation of a data set."""
    add_jobs(parser, "--num-proc")
    parser.add_argument(
        "--cache-dir",
        type=Path,
        metavar="DIR",
        help="The folder of prepared data sets (default: the cache of datasets).",
    )


def add_jobs(parser: argparse.ArgumentParser, *aliases: str) -> None:
    """Add the argument of the number of processes."""
    what = "The number of processes that decode audio (default: 1)."
    parser.add_argument("--jobs", *aliases, dest="jobs", type=whole(), default=1, metavar="N", help=what)


def add_recogniser(parser: argparse.ArgumentParser, name: str = "--recogniser", default: str = "recogniser") -> None:
    """Add the argument that names a recogniser."""
    what = f"The folder or repository of a recogniser, or the name of a packaged one (default: {default})."
    parser.add_argument(name, metavar="PATH_OR_REPO", help=what)


def add_hop(parser: argparse.ArgumentParser) -> None:
    """Add the argument of the distance of windows."""
    parser.add_argument(
        "--hop", type=float, metavar="SECONDS", help="The distance of two windows (default: half a window)."
    )


def add_emotion(parser: argparse.ArgumentParser, **several: str) -> None:
    """Add the arguments of the requested emotion; with `nargs="+"` of several."""
    add = parser.add_argument
    add("--valence", type=float, metavar="V", help="The requested valence in [-1, 1].", **several)  # type: ignore[arg-type]
    add("--arousal", type=float, metavar="A", help="The requested arousal in [-1, 1].", **several)  # type: ignore[arg-type]
    what = 'A point by its name: "sad", or "typical sad", where songs are.'
    add("--preset", metavar="NAME", help=what, **several)  # type: ignore[arg-type]


def add_steering(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of what a U-Net can be asked for beside the emotion."""
    what = "The genre, such as Jazz, if the generator was trained with genres; its configuration lists them."
    parser.add_argument("--genre", metavar="NAME", help=what)
    for name, (low, high, unit) in RANGES.items():
        what = f"The {name} in {unit}, from {low:g} to {high:g}, if the generator was trained with it."
        parser.add_argument(f"--{name}", type=float, metavar=name[0].upper(), help=what)


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the generator and of how it makes songs."""
    add = parser.add_argument
    what = "The folder or repository of a generator or pipeline, or a packaged one: flow (default) or generator."
    add("--checkpoint", metavar="PATH_OR_REPO", help=what)
    what = "The number of sampling steps of a flow (default: its own, 20 of the packaged one; 8 are about as good)."
    add("--num-inference-steps", type=int, metavar="N", help=what)
    what = "The guidance scale of a flow (default: the model's own setting)."
    add("--guidance-scale", type=float, metavar="W", help=what)
    what = "The folder or repository of a vocoder (default: the pipeline's own, else Griffin-Lim)."
    add("--vocoder", metavar="PATH_OR_REPO", help=what)
