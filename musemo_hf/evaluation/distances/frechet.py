"""Frechet distance between two Gaussians: by Cholesky and symmetric eigenvalues, normalised, and extrapolated."""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import svdvals
from scipy.linalg.lapack import dpstrf

from musemo_hf.evaluation.threads import single_blas

Array = NDArray[np.float64]

SMALL = 256  # dimensions up to which a second thread costs more than it gives


def covariance_factor(covariance: Array) -> Array:
    """`F` `(D, rank)` with `F F^T` = `covariance`: Cholesky, with pivots where the matrix has not full rank.

    Pivots find the rank as they go (Higham 2002, section 10.3), so that few clips in many dimensions are cheap.
    """
    try:
        lower = np.linalg.cholesky(covariance)
        if np.diag(lower).min() > 1e-6 * np.diag(lower).max():
            return np.asarray(lower, dtype=np.float64)
    except LinAlgError:
        pass  # fewer clips than dimensions, or a constant feature
    packed, pivots, rank, _ = dpstrf(covariance, lower=1)
    factor = np.empty((len(covariance), rank))
    factor[pivots - 1] = np.tril(packed)[:, :rank]
    return factor


def _root_trace(cov_x: Array, cov_y: Array) -> float:
    """tr((S_x S_y)^1/2) = tr((F^T S_y F)^1/2) with S_x = F F^T: roots of real eigenvalues."""
    factor = covariance_factor(cov_x)
    squares = np.linalg.eigvalsh(factor.T @ cov_y @ factor)
    if squares.size and squares[0] > 1e-12 * squares[-1]:
        return float(np.sqrt(squares).sum())
    return _nuclear_norm(factor.T @ covariance_factor(cov_y))  # squares cost the small ones their digits


def _nuclear_norm(product: Array) -> float:
    """Sum of the singular values of `(M, N)`."""
    if product.size == 0:
        return 0.0
    wide = product if product.shape[0] <= product.shape[1] else product.T
    squares = np.linalg.eigvalsh(wide @ wide.T)
    if squares[0] > 1e-12 * squares[-1]:
        return float(np.sqrt(squares).sum())
    return float(svdvals(product, check_finite=False).sum())


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
    """Squared 2-Wasserstein distance of two Gaussians (Dowson & Landau 1982; Heusel et al. 2017, eq. 6).

    |m_x - m_y|^2 + tr(S_x) + tr(S_y) - 2 tr((S_x S_y)^1/2). With S_x = F F^T the last trace is the sum of the roots of
    the eigenvalues of F^T S_y F, symmetric, or where these lose digits of the singular values of F_x^T F_y: real, and
    exact to rounding for covariances of any rank. No complex square root, no small imaginary part to throw away.

    Args:
        mean_x: `(D,)`.
        cov_x: symmetric `(D, D)`, positive semi-definite; N < D samples are allowed.
        mean_y: `(D,)`.
        cov_y: `(D, D)`.

    Returns:
        At least 0.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity.
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
    """Mean `(D,)` and covariance `(D, D)` of `(N, D)` features.

    Args:
        features: `(N, D)`.
        weights: how often each row counts, `(N,)`; once where None.

    Returns:
        The mean, and the covariance with denominator N - 1 (the sum of the weights, less one).

    Raises:
        ValueError: not `(N, D)`, or fewer than two rows.
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


def frechet_score(distance: float, cov_reference: ArrayLike) -> float:
    """clip(100 - 100 distance / tr(cov_reference), 0, 100): a Frechet distance with a scale.

    100 is the same distribution; 0 is as far from the reference as the reference spreads. NaN where it does not.
    """
    total = float(np.trace(np.asarray(cov_reference, dtype=np.float64)))
    return float(np.clip(100 - 100 * distance / total, 0, 100)) if total > 0 else float("nan")


@dataclass(frozen=True)
class ExtrapolatedFrechet:
    """A Frechet distance at infinite N, and how it was reached.

    Attributes:
        distance: the intercept of the line through (1 / N, distance); may fall slightly below 0.
        slope: of that line: the bias at N is slope / N.
        sizes: the N that were drawn.
        distances: the mean distance at each.
    """

    distance: float
    slope: float
    sizes: tuple[int, ...]
    distances: tuple[float, ...]


def extrapolated_frechet(
    x: ArrayLike, y: ArrayLike, n_sizes: int = 8, n_repeats: int = 2, seed: int = 0
) -> ExtrapolatedFrechet:
    """Frechet distance at infinite N: linear in 1 / N (Chong & Forsyth 2020, section 4; FAD-inf, Gui et al. 2024).

    Both sides are drawn at the same N without replacement, from 40 % of the smaller side to all of it, as the bias of
    both falls as 1 / N.

    Args:
        x: features `(N, D)`.
        y: features `(M, D)`.
        n_sizes: how many N.
        n_repeats: draws at each.
        seed: of the draws.

    Returns:
        The distance at infinite N, with the N and distances that it was extrapolated from.

    Raises:
        ValueError: fewer than 10 rows on a side.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    smaller = min(len(x), len(y))
    if smaller < 10:
        raise ValueError(f"expected at least 10 rows on each side to extrapolate, got {len(x)} and {len(y)}")
    sizes = np.unique(np.linspace(max(0.4 * smaller, 4), smaller, n_sizes).astype(int))
    rng = np.random.default_rng((seed, smaller))

    def at(size: int) -> float:
        pairs = [(rng.permutation(len(x))[:size], rng.permutation(len(y))[:size]) for _ in range(n_repeats)]
        return float(
            np.mean([frechet_distance(*mean_and_covariance(x[i]), *mean_and_covariance(y[j])) for i, j in pairs])
        )

    distances = [at(int(size)) for size in sizes]
    slope, intercept = np.polyfit(1 / sizes, distances, 1)
    return ExtrapolatedFrechet(float(intercept), float(slope), tuple(map(int, sizes)), tuple(distances))
