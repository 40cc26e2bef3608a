"""Arguments that several commands share."""

import argparse
from pathlib import Path


def add_preparation(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the preparation of a data set."""
    parser.add_argument(
        "--num-proc", type=int, metavar="N", help="The number of processes that decode audio (default: 1)."
    )
    parser.add_argument(
        "--cache-dir",
        type=Path,
        metavar="DIR",
        help="The folder of prepared data sets (default: the cache of datasets).",
    )


def add_recogniser(parser: argparse.ArgumentParser, name: str = "--recogniser") -> None:
    """Add the argument that names a recogniser."""
    what = "The folder or repository of a recogniser (default: the packaged one)."
    parser.add_argument(name, metavar="PATH_OR_REPO", help=what)


def add_hop(parser: argparse.ArgumentParser) -> None:
    """Add the argument of the distance of windows."""
    parser.add_argument(
        "--hop", type=float, metavar="SECONDS", help="The distance of two windows (default: half a window)."
    )
