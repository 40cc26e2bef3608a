"""Kernel distance (KID), unbiased at any N, with its standard error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCK = 512  # rows of the kernel matrix held at once: memory is O(BLOCK * max(N, M))


class KernelDistance(NamedTuple):
    """The kernel distance `kid`, which may be slightly negative, and its standard error `kid_se`."""

    kid: float
    kid_se: float


def cubic_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute the kernel (x . y / D + 1)^3 of `(N, D)` and `(M, D)`: `(N, M)` (Binkowski et al. 2018, section 3)."""
    product = x @ y.T / x.shape[1] + 1
    return product * product * product


def kernel_distance(x: np.ndarray, y: np.ndarray) -> KernelDistance:
    """Estimate the squared maximum mean discrepancy under the cubic kernel (KID, Binkowski et al. 2018).

    The estimate is the unbiased U-statistic (Gretton et al. 2012, eq. 3). The standard error is the two-sample
    jackknife, exact here since leaving out a row only subtracts its row sum; for equal distributions, where the
    first-order term vanishes, it is too large by up to the square root of two.

    Args:
        x: The reference features `(N, D)`, standardised by themselves (`embedders.standardise`).
        y: The candidate features `(M, D)`, standardised by the reference.

    Returns:
        The distance and its standard error; both NaN with under two rows on a side, the error NaN with two.

    Raises:
        ValueError: The features are not `(N, D)` and `(M, D)`, or contain NaN or infinity.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"expected features (N, D) and (M, D), got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("expected finite features, got NaN or infinity")
    if min(len(x), len(y)) < 2:
        return KernelDistance(float("nan"), float("nan"))
    within_x, within_y = _row_sums(x, x)[0], _row_sums(y, y)[0]
    across_x, across_y = _row_sums(x, y)
    value = _unbiased(within_x.sum(), within_y.sum(), across_x.sum(), len(x), len(y))
    if min(len(x), len(y)) < 3:
        return KernelDistance(float(value), float("nan"))
    # a row is at either end of a pair within its own sample, so that its sum is subtracted twice
    without_x = _unbiased(within_x.sum() - 2 * within_x, within_y.sum(), across_x.sum() - across_x, len(x) - 1, len(y))
    without_y = _unbiased(within_x.sum(), within_y.sum() - 2 * within_y, across_x.sum() - across_y, len(x), len(y) - 1)
    variance = (len(x) - 1) * np.var(without_x) + (len(y) - 1) * np.var(without_y)
    return KernelDistance(float(value), float(np.sqrt(variance)))


def _unbiased(within_x: np.ndarray, within_y: np.ndarray, across: np.ndarray, n: int, m: int) -> np.ndarray:
    return within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * across / (n * m)


def _row_sums(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum the kernel matrix over columns `(N,)` and over rows `(M,)`, without its diagonal where x is y."""
    rows, columns = np.empty(len(x)), np.zeros(len(y))
    for start in range(0, len(x), BLOCK):
        values = cubic_kernel(x[start : start + BLOCK], y)
        if x is y:
            values[np.arange(len(values)), start + np.arange(len(values))] = 0
        rows[start : start + BLOCK] = values.sum(axis=1)
        columns += values.sum(axis=0)
    return rows, columns
