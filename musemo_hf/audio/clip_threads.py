"""Threads over clips or parts of clips, each of which computes with one thread of torch.

torch's own threads share every single operation, and after each of them they wait for one another in a loop that keeps
a core busy. Beside another job on the same cores they wait most of the time: Griffin-Lim then takes ten times as much
processor time as with one thread for each clip, which waits for nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def clip_threads(
    most: int | None = None,
) -> Iterator[Callable[[Callable[[Item], Result], Sequence[Item]], list[Result]]]:
    """Give a function that applies a function to items in threads, and returns the results in order.

    There are as many threads as torch has in the calling thread, each with one thread of torch and without gradients.
    Where that is one, as within such a thread, the calling thread does the work. Meanwhile it, too, has one thread of
    torch.

    Args:
        most: The largest number of threads; None for as many as torch has.
    """
    threads = torch.get_num_threads()
    workers = min(threads, threads if most is None else most)
    pool = ThreadPoolExecutor(workers, initializer=_begin) if workers > 1 else None
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            yield lambda function, items: list((pool.map if pool else map)(function, items))
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # also for threads that begin later


def map_clips(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Apply a function to items in threads, and return the results in order; see `clip_threads`."""
    with clip_threads(len(items)) as over:
        return over(function, items)


def _begin() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
