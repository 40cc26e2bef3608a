"""Fidelity, diversity and copying, read from nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

BLOCK = 256  # rows of the distance matrix held at once
NEIGHBOURS = 5


class Authenticity(NamedTuple):
    """The distance of samples from the training clips, compared with that of held-out real clips.

    Attributes:
        share: The share of samples that are no nearer to a training clip than held-out clips are: 1 - quantile for
            held-out clips themselves, 0 for copies.
        nearest: The distance of each sample to its nearest training clip `(N,)`.
        threshold: The distance below which a sample counts as copied.
    """

    share: float
    nearest: np.ndarray
    threshold: float


def nearest_distances(x: np.ndarray, y: np.ndarray, k: int = 1) -> np.ndarray:
    """Compute the distance of each row of `x` to its k-th nearest row of `y`, excluding itself where `x is y`.

    Args:
        x: The features `(N, D)`.
        y: The features `(M, D)`, M >= k (M > k where `x is y`).
        k: The number of the neighbour, from 1.

    Returns:
        The distances, float64 `(N,)`.

    Raises:
        ValueError: The shapes do not fit, there is NaN or infinity, or there are too few rows.
    """
    x_is_y = x is y
    x, y = _checked(x, y)
    if len(y) < k + x_is_y:
        raise ValueError(f"expected at least {k + x_is_y} rows for the {k}-th neighbour, got {len(y)}")
    return np.concatenate(
        [np.partition(rows, k - 1, axis=1)[:, k - 1] for _, rows in _distances(x, y, x_is_y)] or [np.empty(0)]
    )


def neighbour_shares(real: np.ndarray, fake: np.ndarray, k: int = NEIGHBOURS) -> dict[str, np.ndarray]:
    """Compute what each clip contributes to precision, recall, density and coverage, which are the means.

    With r_k(.) the distance to the k-th neighbour within a row's own set: precision is the share of fakes within r_k of
    some real, and recall of reals within r_k of some fake (Kynkaanniemi et al. 2019); density is the number of real
    balls that a fake lies in, divided by k, and coverage the share of reals with a fake within r_k (Naeem et al. 2020).

    Args:
        real: The features `(N, D)` of real clips.
        fake: The features `(M, D)` of generated clips, on the same scale.
        k: The number of neighbours.

    Returns:
        `precision` and `density` `(M,)`, one value for each fake; `recall` and `coverage` `(N,)`, one for each real;
        all of one NaN if a set has k rows or fewer.

    Raises:
        ValueError: The shapes do not fit, or there is NaN or infinity.
    """
    real, fake = _checked(real, fake)
    if min(len(real), len(fake)) <= k:
        return dict.fromkeys(("precision", "recall", "density", "coverage"), np.array([np.nan]))
    real_radius, fake_radius = nearest_distances(real, real, k), nearest_distances(fake, fake, k)
    balls, recalled, covered = np.zeros(len(fake)), np.empty(len(real)), np.empty(len(real))
    for rows, distances in _distances(real, fake):
        inside = distances <= real_radius[rows, None]
        balls += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (distances <= fake_radius).any(axis=1)
    return {"precision": (balls > 0).astype(float), "recall": recalled, "density": balls / k, "coverage": covered}


def prdc(real: np.ndarray, fake: np.ndarray, k: int = NEIGHBOURS) -> dict[str, float]:
    """Compute precision, recall, density and coverage, the means of `neighbour_shares`.

    Precision, recall and coverage are in [0, 1], density is at least 0; all are NaN if a set has k rows or fewer.
    """
    return {name: float(values.mean()) for name, values in neighbour_shares(real, fake, k).items()}


def authenticity(fake: np.ndarray, training: np.ndarray, held_out: np.ndarray, quantile: float = 0.05) -> Authenticity:
    """Compute the share of samples no closer to a training clip than held-out clips are (PROTOCOL, section 2).

    A sample is closer if it is nearer to the training set than all but `quantile` of the held-out clips. Alaa et al.
    2022 compare with the training clips' own neighbours instead; several training clips of one song make these small.

    Args:
        fake: The features `(N, D)` of samples.
        training: The features `(T, D)` of the generator's training clips.
        held_out: The features `(H, D)` of real clips that it was not trained on.
        quantile: The quantile of the held-out distances that is the threshold.

    Returns:
        The share, the distances and the threshold.

    Raises:
        ValueError: The shapes do not fit, there is NaN or infinity, or a set is empty.
    """
    for name, rows in (("fake", fake), ("training", training), ("held_out", held_out)):
        if len(rows) == 0:
            raise ValueError(f"expected at least one row of {name} for authenticity, got none")
    threshold = float(np.quantile(nearest_distances(held_out, training), quantile))
    nearest = nearest_distances(fake, training)
    return Authenticity(float((nearest >= threshold).mean()), nearest, threshold)


def _checked(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    same = x is y
    x = np.asarray(x, dtype=np.float64)
    y = x if same else np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"expected features (N, D) and (M, D), got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("expected finite features, got NaN or infinity")
    return x, y


def _distances(x: np.ndarray, y: np.ndarray, leave_out_diagonal: bool = False) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the Euclidean distance matrix in blocks of rows: (slice, `(rows, M)`)."""
    centre = y.mean(axis=0)  # small norms, so that |x|^2 + |y|^2 - 2 x.y loses few digits
    x, y = x - centre, y - centre
    squares = np.einsum("nd,nd->n", y, y)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, min(start + BLOCK, len(x)))
        squared = np.einsum("nd,nd->n", x[rows], x[rows])[:, None] + squares - 2 * x[rows] @ y.T
        distances = np.sqrt(np.maximum(squared, 0.0))
        if leave_out_diagonal:
            distances[np.arange(len(distances)), start + np.arange(len(distances))] = np.inf
        yield rows, distances
