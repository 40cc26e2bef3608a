"""Run benchmarks and print one table: python -m benchmarks [--deam DIR] [name ...]."""

import argparse
import multiprocessing
import os
import pkgutil
import platform
import textwrap
from concurrent.futures import ProcessPoolExecutor

import torch

import benchmarks
from benchmarks.printed import printed

HELPERS = {"__main__", "baseline_gan", "printed", "recogniser_agreement", "reliability", "timing"}


def names():
    """Every module of this folder that has a `main`."""
    return sorted({module.name for module in pkgutil.iter_modules(benchmarks.__path__)} - HELPERS)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--deam", metavar="DIR", help="measure on real songs of this folder, where a benchmark can")
    parser.add_argument("name", nargs="*", help=f"out of {', '.join(names())}; all of them where none is given")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.name) - set(names()))
    if unknown:
        parser.error(f"expected names out of {', '.join(names())}, got {', '.join(unknown)}")
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {torch.get_num_threads()} threads")
    load = os.getloadavg()[0]
    print(f"medians of several repeats, in turns with what is compared; load {load:.1f} before the first")
    print('"quiet" is as the machine is, which other work makes less than quiet\n' if load > 0.5 else "")
    width = max(map(len, names()))
    for name in arguments.name or names():
        # a process of its own, so that a benchmark's peak of memory is not that of those before it
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            lines = process.submit(printed, name, arguments.deam).result()
        for line in lines:
            wrapped = textwrap.wrap(line, 118 - width)
            print(f"{name:{width}}  {wrapped[0]}")
            print(textwrap.indent("\n".join(wrapped[1:]), " " * (width + 2)))
        print(flush=True)


if __name__ == "__main__":
    main()
