"""Fidelity, diversity and copying, read from nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

BLOCK = 256  # rows of the distance matrix held at once


class Authenticity(NamedTuple):
    """How far from the training clips the samples are, against held-out real clips.

    Attributes:
        share: of samples that are no nearer to a training clip than held-out clips are; held-out clips have
            1 - quantile, copies 0.
        nearest: distance of each sample to its nearest training clip, `(N,)`.
        threshold: the distance below which a sample counts as copied.
    """

    share: float
    nearest: np.ndarray
    threshold: float


def nearest_distances(x: np.ndarray, y: np.ndarray, k: int = 1, block: int = BLOCK) -> np.ndarray:
    """Distance of each row of `x` to its k-th nearest row of `y`, itself left out where `x is y`.

    Args:
        x: `(N, D)`.
        y: `(M, D)`, M >= k (M > k where `x is y`).
        k: which neighbour, from 1.
        block: rows of the distance matrix held at once.

    Returns:
        float64 `(N,)`.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity, or too few rows.
    """
    x_is_y = x is y
    x, y = _checked(x, y)
    if len(y) < k + x_is_y:
        raise ValueError(f"expected at least {k + x_is_y} rows for the {k}-th neighbour, got {len(y)}")
    return np.concatenate(
        [np.partition(rows, k - 1, axis=1)[:, k - 1] for _, rows in _distances(x, y, block, x_is_y)] or [np.empty(0)]
    )


def prdc(real: np.ndarray, fake: np.ndarray, k: int = 5) -> dict[str, float]:
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020).

    With r_k(.) the distance to the k-th neighbour within a row's own set:
    precision, the share of fakes within r_k of some real; recall, of reals within r_k of some fake; density, the number
    of real balls a fake falls into, over k; coverage, the share of reals with a fake within r_k.

    Args:
        real: `(N, D)`, N > k.
        fake: `(M, D)`, M > k, on the same scale.
        k: neighbours.

    Returns:
        precision, recall and coverage in [0, 1], density >= 0; NaN with a set of k rows or fewer.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity.
    """
    names = ("precision", "recall", "density", "coverage")
    real, fake = _checked(real, fake)
    if min(len(real), len(fake)) <= k:
        return dict.fromkeys(names, float("nan"))
    real_radius, fake_radius = nearest_distances(real, real, k), nearest_distances(fake, fake, k)
    balls = np.zeros(len(fake))
    recalled, covered = np.empty(len(real), bool), np.empty(len(real), bool)
    for rows, distances in _distances(real, fake, BLOCK):
        inside = distances <= real_radius[rows, None]
        balls += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (distances <= fake_radius).any(axis=1)
    values = ((balls > 0).mean(), recalled.mean(), balls.mean() / k, covered.mean())
    return dict(zip(names, map(float, values), strict=True))


def authenticity(fake: np.ndarray, training: np.ndarray, held_out: np.ndarray, quantile: float = 0.05) -> Authenticity:
    """The share of samples not closer to a training clip than held-out real clips are (PROTOCOL, section 2).

    "Closer than held-out clips are" is: nearer to the training set than all but `quantile` of the held-out clips. Alaa
    et al. 2022 compare with the training clips' own neighbours instead, which training clips of one song make small.

    Args:
        fake: `(N, D)`.
        training: `(T, D)`, what the generator was trained on.
        held_out: `(H, D)`, real clips that it was not.
        quantile: of the held-out distances, the threshold.

    Returns:
        The share, the distances and the threshold.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity, or an empty set.
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


def _distances(
    x: np.ndarray, y: np.ndarray, block: int, leave_out_diagonal: bool = False
) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows of the Euclidean distance matrix: (slice, `(rows, M)`)."""
    centre = y.mean(axis=0)  # small norms, so that |x|^2 + |y|^2 - 2 x.y cancels little
    x, y = x - centre, y - centre
    squares = np.einsum("nd,nd->n", y, y)
    for start in range(0, len(x), block):
        rows = slice(start, min(start + block, len(x)))
        squared = np.einsum("nd,nd->n", x[rows], x[rows])[:, None] + squares - 2 * x[rows] @ y.T
        distances = np.sqrt(np.maximum(squared, 0.0))
        if leave_out_diagonal:
            distances[np.arange(len(distances)), start + np.arange(len(distances))] = np.inf
        yield rows, distances
