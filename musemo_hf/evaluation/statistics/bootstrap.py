"""Bootstrap over clips, or over groups of clips (artists), by multinomial weights."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def group_indices(n: int, groups: Sequence | NDArray | None = None) -> tuple[NDArray[np.intp], int]:
    """Number the groups of `n` items from 0.

    Args:
        n: items.
        groups: one label an item, such as the artist; None makes each item its own group.

    Returns:
        The group of each item `(n,)`, and how many groups there are.

    Raises:
        ValueError: the number of labels is not `n`.
    """
    if groups is None:
        return np.arange(n), n
    if len(groups) != n:
        raise ValueError(f"expected one group label for each of {n} items, got {len(groups)}")
    labels, members = np.unique(np.asarray(groups), return_inverse=True)
    return members.reshape(-1), len(labels)


def multinomial_weights(n_groups: int, n_resamples: int, seed: int = 0, chunk: int = 512) -> Iterator[Array]:
    """How often each group is drawn when `n_groups` are drawn with replacement.

    Args:
        n_groups: groups, all equally likely.
        n_resamples: draws in all.
        seed: of the draws, which do not depend on `chunk`.
        chunk: draws held at once, so that memory does not grow with `n_resamples`.

    Yields:
        `(up to chunk, n_groups)` counts as float64; each row sums to `n_groups`.
    """
    rng = np.random.default_rng((seed, n_groups))
    for start in range(0, n_resamples, chunk):
        rows = min(chunk, n_resamples - start)
        drawn = rng.integers(0, n_groups, size=(rows, n_groups))
        drawn += n_groups * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n_groups).reshape(rows, n_groups).astype(np.float64)


def interval(draws: ArrayLike, confidence: float = 0.95) -> tuple[Array, Array]:
    """Percentile interval of bootstrap draws (Efron 1979), leaving out the draws where the statistic is undefined.

    Args:
        draws: `(n_resamples, ...)`.
        confidence: in (0, 1).

    Returns:
        Lower and upper ends, each `(...)`; NaN where every draw is NaN.

    Raises:
        ValueError: `confidence` is not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence in (0, 1), such as 0.95, got {confidence}")
    values = np.asarray(draws, dtype=np.float64)
    tail = (1 - confidence) / 2
    undefined = np.isnan(values).all(axis=0)
    low, high = np.nanquantile(np.where(undefined, 0.0, values), [tail, 1 - tail], axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def bootstrap_interval(
    statistic: Callable[[Array], ArrayLike],
    n: int,
    groups: Sequence | NDArray | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Percentile bootstrap interval of a weighted statistic; with `groups`, the cluster bootstrap.

    Args:
        statistic: maps weights `(n,)`, how often each item was drawn, to a number or an array of fixed shape.
        n: items.
        groups: one label an item; whole groups are then drawn, as items of one artist are not independent.
        confidence: in (0, 1).
        n_resamples: draws.
        seed: of the draws.

    Returns:
        Lower and upper ends, in the shape of the statistic.

    Raises:
        ValueError: no items, a wrong number of labels, or a confidence outside (0, 1).
    """
    if n < 1:
        raise ValueError(f"expected at least one item to resample, got {n}")
    members, n_groups = group_indices(n, groups)
    draws = [statistic(row[members]) for rows in multinomial_weights(n_groups, n_resamples, seed) for row in rows]
    return interval(np.asarray(draws, dtype=np.float64), confidence)
