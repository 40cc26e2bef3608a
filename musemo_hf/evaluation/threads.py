"""Threads over clips, with one BLAS thread meanwhile, as BLAS pools would compete with them and each other."""

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

THREADS = min(4, os.cpu_count() or 1)  # numpy and scipy.fft release the interpreter lock


class SingleBlas(ContextDecorator):
    """Limits BLAS to one thread; a context manager and a decorator, which may be nested.

    numpy and scipy bring an OpenBLAS each, whose threads spin for a while after every product: with matrices of a
    hundred rows that costs more than the product. The limit applies to the whole process, hence the count.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._controller: ThreadpoolController | None = None
        self._limiter: Any = None

    def __enter__(self) -> SingleBlas:
        with self._lock:
            if self._inside == 0:
                self._controller = self._controller or ThreadpoolController()  # searches all libraries, once
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
    """Apply `function` to every item with `THREADS` threads, while BLAS has one; results are in order."""
    with single_blas, ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, items))
