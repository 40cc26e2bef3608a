"""Arguments that several commands share."""

import argparse
from pathlib import Path


def add_preparation(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the preparation of a data set."""
    what = "The number of processes that decode audio (default: 1)."
    parser.add_argument("--num-proc", type=int, metavar="N", help=what)
    what = "The folder of prepared data sets (default: the cache of datasets)."
    parser.add_argument("--cache-dir", type=Path, metavar="DIR", help=what)


def add_recogniser(parser: argparse.ArgumentParser, name: str = "--recogniser") -> None:
    """Add the argument that names a recogniser."""
    what = "The folder or repository of a recogniser (default: the packaged one)."
    parser.add_argument(name, metavar="PATH_OR_REPO", help=what)


def add_hop(parser: argparse.ArgumentParser) -> None:
    """Add the argument of the distance of windows."""
    what = "The distance of two windows (default: half a window)."
    parser.add_argument("--hop", type=float, metavar="SECONDS", help=what)
