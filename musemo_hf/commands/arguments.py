"""Arguments that several commands share."""

import argparse
from pathlib import Path

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
