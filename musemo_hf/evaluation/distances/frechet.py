"""Frechet distance between two Gaussians by Cholesky and symmetric eigenvalues, normalised, and extrapolated."""

from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import scipy
from numpy.linalg import LinAlgError
from numpy.typing import ArrayLike, NDArray

from musemo_hf.evaluation.threads import single_blas

Array = NDArray[np.float64]

SMALL = 256  # dimensions up to which a second thread costs more than it gives


def covariance_factor(covariance: Array) -> Array:
    """Factor a covariance `(D, D)` into F F^T with F `(D, rank)`: Cholesky, with pivots where the rank is not full.

    Pivoting finds the rank (Higham 2002, section 10.3), so that few clips in many dimensions are cheap.
    """
    try:
        lower = np.linalg.cholesky(covariance)
        if np.diag(lower).min() > 1e-6 * np.diag(lower).max():
            return np.asarray(lower, dtype=np.float64)
    except LinAlgError:
        pass  # fewer clips than dimensions, or a constant feature
    packed, pivots, rank, _ = scipy.linalg.lapack.dpstrf(covariance, lower=1)
    factor = np.empty((len(covariance), rank))
    factor[pivots - 1] = np.tril(packed)[:, :rank]
    return factor


def _root_trace(cov_x: Array, cov_y: Array) -> float:
    """Compute tr((S_x S_y)^1/2) = tr((F^T S_y F)^1/2) with S_x = F F^T: roots of real eigenvalues."""
    factor = covariance_factor(cov_x)
    squares = np.linalg.eigvalsh(factor.T @ cov_y @ factor)
    if squares.size and squares[0] > 1e-12 * squares[-1]:
        return float(np.sqrt(squares).sum())
    return _nuclear_norm(factor.T @ covariance_factor(cov_y))  # squaring costs the small ones their digits


def _nuclear_norm(product: Array) -> float:
    """Sum the singular values of `(M, N)`."""
    if product.size == 0:
        return 0.0
    wide = product if product.shape[0] <= product.shape[1] else product.T
    squares = np.linalg.eigvalsh(wide @ wide.T)
    if squares[0] > 1e-12 * squares[-1]:
        return float(np.sqrt(squares).sum())
    return float(scipy.linalg.svdvals(product, check_finite=False).sum())


def _checked(mean: ArrayLike, covariance: ArrayLike, side: str) -> tuple[Array, Array]:
    mean, covariance = np.asarray(mean, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise ValueError(
            f"expected a mean (D,) and a covariance (D, D) of {side}, got {mean.shape}, {covariance.shape}"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError(f"expected a finite mean and covariance of {side}, got NaN or infinity")
    return mean, covariance


def frechet_distance(mean_x: ArrayLike, cov_x: ArrayLike, mean_y: ArrayLike, cov_y: ArrayLike) -> float:
    """Compute the squared 2-Wasserstein distance of two Gaussians (Dowson & Landau 1982; Heusel et al. 2017, eq. 6).

    |m_x - m_y|^2 + tr(S_x) + tr(S_y) - 2 tr((S_x S_y)^1/2). With S_x = F F^T the last trace is the sum of the roots of
    the eigenvalues of the symmetric F^T S_y F or, where these lose digits, of the singular values of F_x^T F_y. It is
    real and exact to rounding for covariances of any rank, without a complex square root.

    Args:
        mean_x: The mean `(D,)` of x.
        cov_x: The covariance `(D, D)` of x, symmetric and positive semi-definite; N < D samples are allowed.
        mean_y: The mean `(D,)` of y.
        cov_y: The covariance `(D, D)` of y.

    Returns:
        The distance, at least 0.

    Raises:
        ValueError: The shapes do not fit, or there is NaN or infinity.
    """
    mean_x, cov_x = _checked(mean_x, cov_x, "x")
    mean_y, cov_y = _checked(mean_y, cov_y, "y")
    if mean_x.shape != mean_y.shape:
        raise ValueError(f"expected the same dimension on both sides, got {len(mean_x)} and {len(mean_y)}")
    with single_blas if len(mean_x) <= SMALL else nullcontext():
        shared = _root_trace(cov_x, cov_y)
    difference = mean_x - mean_y
    return float(max(difference @ difference + np.trace(cov_x) + np.trace(cov_y) - 2 * shared, 0.0))


def mean_and_covariance(features: ArrayLike, weights: ArrayLike | None = None) -> tuple[Array, Array]:
    """Compute the mean `(D,)` and the covariance `(D, D)` of features.

    Args:
        features: The features `(N, D)`.
        weights: How often each row counts `(N,)`; None for once each.

    Returns:
        The mean, and the covariance with denominator N - 1 (the sum of the weights, less one).

    Raises:
        ValueError: The features are not `(N, D)`, or there are fewer than two rows.
    """
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2:
        raise ValueError(f"expected features of shape (N, D), got {features.shape}")
    counts = np.ones(len(features)) if weights is None else np.asarray(weights, dtype=np.float64)
    if counts.sum() < 2:
        raise ValueError(f"expected at least two rows for a covariance, got {counts.sum():g}")
    mean = counts @ features / counts.sum()
    centred = (features - mean) * np.sqrt(counts)[:, None]
    return mean, centred.T @ centred / (counts.sum() - 1)


def features_frechet(
    x: ArrayLike, y: ArrayLike, x_weights: ArrayLike | None = None, y_weights: ArrayLike | None = None
) -> float:
    """Compute the Frechet distance of two sets of features `(N, D)` and `(M, D)`, whose rows may have weights."""
    return frechet_distance(*mean_and_covariance(x, x_weights), *mean_and_covariance(y, y_weights))


def frechet_score(distance: float, cov_reference: ArrayLike) -> float:
    """Put a Frechet distance on a scale: clip(100 - 100 distance / tr(cov_reference), 0, 100).

    100 is the same distribution; 0 is as far from the reference as the reference spreads. NaN if it does not spread.
    """
    total = float(np.trace(np.asarray(cov_reference, dtype=np.float64)))
    return float(np.clip(100 - 100 * distance / total, 0, 100)) if total > 0 else float("nan")


class ExtrapolatedFrechet(NamedTuple):
    """A Frechet distance extrapolated to infinite N, which may fall slightly below 0, and the largest N drawn."""

    distance: float
    n_clips: int


def extrapolated_frechet(x: ArrayLike, y: ArrayLike, seed: int = 0) -> ExtrapolatedFrechet:
    """Extrapolate the Frechet distance to infinite N (Chong & Forsyth 2020, section 4; FAD-inf, Gui et al. 2024).

    The bias is linear in 1 / N. Both sides are drawn twice without replacement at each of eight N, from 40 % of the
    smaller side to all of it; the distance is the intercept of the line through (1 / N, distance).

    Args:
        x: The features `(N, D)` of one side.
        y: The features `(M, D)` of the other side.
        seed: The seed of the draws.

    Raises:
        ValueError: A side has fewer than 10 rows.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    smaller = min(len(x), len(y))
    if smaller < 10:
        raise ValueError(f"expected at least 10 rows on each side to extrapolate, got {len(x)} and {len(y)}")
    sizes = np.unique(np.linspace(0.4 * smaller, smaller, 8).astype(int))
    rng = np.random.default_rng((seed, smaller))

    def at(size: int) -> float:
        pairs = [(rng.permutation(len(x))[:size], rng.permutation(len(y))[:size]) for _ in range(2)]
        return float(np.mean([features_frechet(x[i], y[j]) for i, j in pairs]))

    intercept = np.polyfit(1 / sizes, [at(int(size)) for size in sizes], 1)[1]
    return ExtrapolatedFrechet(float(intercept), int(sizes[-1]))
