"""Threads: ours over clips, and meanwhile one of BLAS, whose pools otherwise spin against ours and each other."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ContextDecorator
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = min(4, os.cpu_count() or 1)  # numpy and scipy.fft let go of the interpreter


class SingleBlas(ContextDecorator):
    """While anyone is inside, BLAS has one thread; a context and a decorator, which may be nested.

    numpy and scipy bring an OpenBLAS each, whose threads spin for a while after every product: with matrices of a
    hundred rows that costs more than the product. The limit is the whole process's, hence the count of those inside.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._controller: ThreadpoolController | None = None
        self._limiter: Any = None

    def __enter__(self) -> SingleBlas:
        with self._lock:
            if self._inside == 0:
                self._controller = self._controller or ThreadpoolController()  # looks through all libraries: once
                self._limiter = self._controller.limit(limits=1, user_api="blas")
            self._inside += 1
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limiter.restore_original_limits()


single_blas = SingleBlas()


def over_clips(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`function` of every item, in order, by `THREADS` threads while BLAS has one."""
    with single_blas, ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, items))
