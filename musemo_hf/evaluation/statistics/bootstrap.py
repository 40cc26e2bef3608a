"""Bootstrap over clips, or over groups of clips (artists), by multinomial weights."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def group_indices(n: int, groups: Sequence | NDArray | None = None) -> tuple[NDArray[np.intp], int]:
    """Number the groups of `n` items from 0.

    Args:
        n: The number of items.
        groups: One label for each item, such as the artist; None makes each item its own group.

    Returns:
        The group of each item `(n,)`, and the number of groups.

    Raises:
        ValueError: The labels are not a list or an array of `n` of one kind, or one is None or NaN.
    """
    if groups is None:
        return np.arange(n), n
    labels = _labels(groups)
    if len(labels) != n:
        raise ValueError(f"expected one group label for each of {n} items, got {len(labels)}")
    names, members = np.unique(labels, return_inverse=True)
    return members.reshape(-1), len(names)


def _labels(groups: Any) -> NDArray:
    """Return labels as an array `(n,)` that can be sorted."""
    if hasattr(groups, "detach"):  # torch, without importing it
        groups = groups.detach().cpu()
        groups = groups.double().numpy() if groups.is_floating_point() else groups.numpy()
    try:
        labels = np.asarray(groups if isinstance(groups, np.ndarray) else list(groups))
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected groups as a list of labels, got {type(groups).__name__}: {error}") from error
    if isinstance(groups, str | bytes | dict) or labels.ndim != 1:
        raise ValueError(f"expected groups as a list of labels, got {type(groups).__name__} of shape {labels.shape}")
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels):
        labels = labels.astype(str)  # a column of pandas
    missing = np.array([label is None for label in labels]) if labels.dtype.kind == "O" else labels != labels
    if missing.any():
        raise ValueError(f"expected a group label for each item, got {labels[missing.argmax()]} at {missing.argmax()}")
    if labels.dtype.kind not in "OVc" or not labels.size:
        return labels
    raise ValueError(f"expected group labels of one kind, such as names, got {labels[0]!r} among others")


def check_draws(n_resamples: Any, seed: Any) -> None:
    """Check the options of a bootstrap.

    Raises:
        ValueError: The number of draws is not a whole number from 1 on, or the seed not one from 0 on.
    """
    for name, value, least in (("n_resamples", n_resamples, 1), ("seed", seed, 0)):
        try:
            whole = not isinstance(value, bool) and operator.index(value) >= least
        except TypeError:
            whole = False
        if not whole:
            raise ValueError(f"expected {name} as a whole number from {least} on, got {value!r}")


def check_confidence(confidence: Any) -> None:
    """Raise a `ValueError` unless the confidence is a number in (0, 1)."""
    if isinstance(confidence, bool) or not isinstance(confidence, int | float | np.floating) or not 0 < confidence < 1:
        raise ValueError(f"expected a confidence in (0, 1), such as 0.95, got {confidence!r}")


def multinomial_weights(n_groups: int, n_resamples: int, seed: int = 0, chunk: int = 512) -> Iterator[Array]:
    """Draw `n_groups` groups with replacement, and count how often each is drawn.

    Args:
        n_groups: The number of groups, all equally likely.
        n_resamples: The number of draws.
        seed: The seed of the draws, which do not depend on `chunk`.
        chunk: The number of draws held at once, so that memory does not grow with `n_resamples`.

    Yields:
        The counts as float64 `(up to chunk, n_groups)`; each row sums to `n_groups`.

    Raises:
        ValueError: See `check_draws`.
    """
    check_draws(n_resamples, seed)
    rng = np.random.default_rng((seed, n_groups))
    for start in range(0, n_resamples, chunk):
        rows = min(chunk, n_resamples - start)
        drawn = rng.integers(0, n_groups, size=(rows, n_groups))
        drawn += n_groups * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n_groups).reshape(rows, n_groups).astype(np.float64)


def resampled_sums(values: Array, groups: Sequence | NDArray | None, n_resamples: int, seed: int) -> Array:
    """Resample items, or whole groups of them (the cluster bootstrap), and sum their values.

    Args:
        values: The values `(n, ...)`, such as the summands of a statistic.
        groups: One label for each item; whole groups are drawn, since items of one artist are not independent.
        n_resamples: The number of draws.
        seed: The seed of the draws.

    Returns:
        The sum of each draw `(n_resamples, ...)`; NaN for fewer than two groups, of which every draw would be the same.

    Raises:
        ValueError: The number of labels is not n, or see `check_draws`.
    """
    members, n_groups = group_indices(len(values), groups)
    if n_groups < 2:  # every draw would be the same: an interval of no width says that the figure is certain
        check_draws(n_resamples, seed)
        return np.full((n_resamples, *values.shape[1:]), np.nan)
    by_group = np.zeros((n_groups, int(np.prod(values.shape[1:]))))
    np.add.at(by_group, members, values.reshape(len(values), -1))
    drawn = np.concatenate([weights @ by_group for weights in multinomial_weights(n_groups, n_resamples, seed)])
    return drawn.reshape(-1, *values.shape[1:])


def interval(draws: ArrayLike, confidence: float = 0.95) -> tuple[Array, Array]:
    """Compute the percentile interval of bootstrap draws (Efron 1979), ignoring draws of an undefined statistic.

    Args:
        draws: The draws `(n_resamples, ...)`; NaN where the statistic is undefined.
        confidence: The confidence level, in (0, 1).

    Returns:
        The lower and upper ends, each `(...)`; NaN where every draw is NaN.

    Raises:
        ValueError: `confidence` is not in (0, 1).
    """
    check_confidence(confidence)
    values = np.asarray(draws, dtype=np.float64)
    tail = (1 - confidence) / 2
    undefined = np.isnan(values).all(axis=0)
    low, high = np.nanquantile(np.where(undefined, 0.0, values), [tail, 1 - tail], axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)
