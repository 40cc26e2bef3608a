"""A function applied to many items, in several processes."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

from .engines import share_cores
from .lifetime import die_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 4  # results a process that may wait to be taken, so that memory does not grow with the number of items


def map_tasks(function: Callable[[Item], Result], items: Iterable[Item], jobs: int = 1) -> Iterator[Result]:
    """Yield the function of each item, in the order of the items.

    Args:
        function: A function from the top level of a module, or a `functools.partial` of one.
        items: The items.
        jobs: The number of processes; 1 for this one.

    Raises:
        ValueError: `jobs` is under 1.
    """
    if jobs < 1:
        raise ValueError(f"expected at least one job, got {jobs}")
    if jobs == 1:
        yield from map(function, items)
        return
    share_cores(jobs)
    rest, pending = iter(items), deque[Future[Result]]()
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), die_with_parent)
    try:
        for item in islice(rest, AHEAD * jobs):
            pending.append(pool.submit(function, item))
        while pending:
            result = pending.popleft().result()
            for item in islice(rest, 1):
                pending.append(pool.submit(function, item))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
