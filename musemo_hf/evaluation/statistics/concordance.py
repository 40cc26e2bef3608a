"""Agreement of predicted and annotated emotion: Lin's concordance correlation coefficient (CCC) and its parts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from musemo_hf.evaluation.arrays import as_numbers, check_finite

from .bootstrap import check_confidence, check_draws, group_indices, interval, resampled_sums

Array = NDArray[np.float64]

ROUNDING = 64 * np.finfo(np.float64).eps  # a spread below this share of the values is a rounding error

# The summands of an item; every figure of the report is a function of their sums.
_N, _P, _R, _PP, _RR, _PR, _OFFSET = range(7)


def _paired(predictions: ArrayLike, references: ArrayLike) -> tuple[Array, Array, bool]:
    """Return both sides as float64 `(N, dimensions)`, and whether they were one-dimensional."""
    predicted, annotated = as_numbers(predictions, "predictions"), as_numbers(references, "references")
    if predicted.shape != annotated.shape:
        raise ValueError(f"expected as many predictions as references, got {predicted.shape} and {annotated.shape}")
    if predicted.ndim not in (1, 2):
        raise ValueError(f"expected (N,) or (N, 2) predictions and references, got {predicted.shape}")
    if predicted.size == 0:
        raise ValueError(f"expected at least one prediction and reference, got {predicted.shape}")
    check_finite(predicted, "predictions")
    check_finite(annotated, "references")
    single = predicted.ndim == 1
    return predicted.reshape(len(predicted), -1), annotated.reshape(len(annotated), -1), single


def pair_sums(predicted: Array, annotated: Array) -> Array:
    """Compute the seven summands `(7, N, dimensions)` of each item, each side about its own mean to keep digits."""
    (p, mean_p), (r, mean_r) = _centred(predicted), _centred(annotated)
    return np.stack([np.ones_like(p), p, r, p * p, r * r, p * r, np.broadcast_to(mean_p - mean_r, p.shape)])


def _centred(values: Array) -> tuple[Array, Array]:
    """Return values `(N, dimensions)` less their mean, exactly 0 for a constant, and the mean."""
    mean = values.mean(axis=0)
    constant = np.ptp(values, axis=0) <= ROUNDING * np.abs(values).max(axis=0)
    return np.where(constant, 0.0, values - mean), mean


def agreement(sums: Array) -> dict[str, Array]:
    """Compute every figure from the seven sums `(7, ..., dimensions)`; NaN where a figure is undefined.

    Population moments throughout, as Lin (1989, Biometrics 45, p. 257) defines the concordance correlation:
    2 s_pr / (s_p^2 + s_r^2 + (m_p - m_r)^2). It is 0 where one side is constant, as the
    covariance is, and NaN where both are the same constant.
    """
    mean_p, mean_r = sums[_P] / sums[_N], sums[_R] / sums[_N]
    var_p, var_r = _variances(sums)
    covariance = sums[_PR] / sums[_N] - mean_p * mean_r
    offset = sums[_OFFSET] / sums[_N]
    bias = mean_p - mean_r + offset
    mse = (sums[_PP] - 2 * sums[_PR] + sums[_RR]) / sums[_N] + offset * (2 * (mean_p - mean_r) + offset)
    covariance = np.where((var_p > 0) & (var_r > 0), covariance, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        pearson = np.clip(covariance / np.sqrt(var_p * var_r), -1, 1)
        return {
            "ccc": 2 * covariance / (var_p + var_r + bias**2),
            "pearson_r": pearson,
            "bias": bias,
            "scale_ratio": np.where(var_r > 0, np.sqrt(var_p / var_r), np.nan),
            "rmse": np.sqrt(np.maximum(mse, 0)),
            "r2": np.where(var_r > 0, 1 - mse / var_r, np.nan),
            "variance_matched_ccc": 2 * pearson * var_r / (2 * var_r + bias**2),
        }


def _variances(sums: Array) -> tuple[Array, Array]:
    """Return the variances of predictions and annotations; one below rounding error is 0."""
    variances = []
    for total, squares in ((sums[_P], sums[_PP]), (sums[_R], sums[_RR])):
        mean, mean_square = total / sums[_N], squares / sums[_N]
        variance = np.maximum(mean_square - mean**2, 0)
        kept = (variance > 1e-20 * (1 + mean**2)) & (variance > ROUNDING * mean_square)
        variances.append(np.where(kept, variance, 0))
    return variances[0], variances[1]


def concordance_correlation(predictions: ArrayLike, references: ArrayLike) -> float | Array:
    """Compute the concordance correlation coefficient with population moments (Lin 1989).

    Args:
        predictions: The predictions `(N,)`, or `(N, 2)` = (valence, arousal).
        references: The annotations, in the same shape.

    Returns:
        The coefficient in [-1, 1]: a float for `(N,)`, float64 `(2,)` for `(N, 2)`; NaN where a side is constant, which
        has no correlation.

    Raises:
        ValueError: The shapes differ, have another rank or are empty, or there is something else than finite numbers.
    """
    predicted, annotated, single = _paired(predictions, references)
    ccc = _figures(pair_sums(predicted, annotated))["ccc"]
    return float(ccc[0]) if single else ccc


def _figures(sums: Array) -> dict[str, Array]:
    """Compute every figure of all items; the concordance of a constant is undefined too.

    Within a bootstrap or a comparison of arms, where a figure is needed in each draw, `agreement` counts it as 0.
    """
    figures = agreement(sums.sum(axis=1))
    return figures | {"ccc": np.where(np.isnan(figures["pearson_r"]), np.nan, figures["ccc"])}


def resampled_agreement(
    sums: Array, groups: Sequence | NDArray | None, n_resamples: int, seed: int
) -> dict[str, Array]:
    """Compute every figure `(n_resamples, ...)` of bootstrap draws from the summands `(7, N, ...)` of the items."""
    drawn = resampled_sums(np.moveaxis(sums, 1, 0), groups, n_resamples, seed)
    return agreement(np.moveaxis(drawn, 1, 0))


def _plain(values: Array, single: bool) -> Any:
    """Convert to a float, or a list of one float for each dimension, as JSON needs it."""
    return float(values[0]) if single else [float(value) for value in values]


def concordance_report(
    predictions: ArrayLike,
    references: ArrayLike,
    groups: Sequence | NDArray | None = None,
    confidence: float | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute the concordance correlation coefficient and its parts, with bootstrap intervals if requested.

    Args:
        predictions: The predictions `(N,)`, or `(N, 2)` = (valence, arousal) in [-1, 1].
        references: The annotations, in the same shape.
        groups: One label for each row, such as the artist: the bootstrap then draws whole groups (cluster bootstrap).
        confidence: The confidence level of the intervals, such as 0.95; None for no intervals.
        n_resamples: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        A float each for `(N,)`, a list of one float for each dimension for `(N, 2)`: `ccc`, `pearson_r`, `bias` (mean
        prediction less mean reference), `scale_ratio` (deviation of the predictions over that of the references),
        `rmse`, `r2` (1 - mean square error / variance of the references), `variance_matched_ccc` (CCC after the
        predictions are stretched about their own mean to the spread of these references). `ccc_mean` is the mean of
        `ccc` over dimensions. With `confidence`, `<name>_interval` = [low, high] for each, in the same nesting.
        `notes` holds a reason for every figure that is NaN.

    Raises:
        ValueError: The shapes differ, have another rank or are empty, there is something else than finite numbers, the
            number of labels is wrong, the confidence is outside (0, 1), or the number of draws or the seed is not a
            whole number from 1 or 0 on.
    """
    predicted, annotated, single = _paired(predictions, references)
    check_draws(n_resamples, seed)
    if confidence is not None:
        check_confidence(confidence)
    sums = pair_sums(predicted, annotated)
    figures = _figures(sums)
    report: dict[str, Any] = {name: _plain(values, single) for name, values in figures.items()}
    report["ccc_mean"] = float(np.mean(figures["ccc"]))
    if confidence is not None:
        draws = resampled_agreement(sums, groups, n_resamples, seed)
        for name, values in draws.items():
            ends = np.where(np.isnan(figures[name])[:, None], np.nan, np.stack(interval(values, confidence), axis=-1))
            report[f"{name}_interval"] = ends[0].tolist() if single else ends.tolist()
        ends = np.stack(interval(draws["ccc"].mean(axis=1), confidence))
        report["ccc_mean_interval"] = np.where(np.isnan(report["ccc_mean"]), np.nan, ends).tolist()
    report["n"] = len(predicted)
    report["notes"] = _notes(sums)
    if confidence is not None and (n_groups := group_indices(len(predicted), groups)[1]) < 2:
        what = "items" if groups is None else "groups"
        report["notes"]["interval"] = f"an interval needs at least 2 {what}, got {n_groups}"
    return report


def _notes(sums: Array) -> dict[str, str]:
    """Explain why a figure is undefined, or says less than it seems to."""
    if sums.shape[1] < 2:
        return {"n": "one prediction has no spread: ccc and correlations are undefined"}
    var_p, var_r = _variances(sums.sum(axis=1))
    notes = {}
    if (var_p == 0).any():
        notes["predictions"] = "constant predictions: ccc, pearson_r and variance_matched_ccc are undefined"
    if (var_r == 0).any():
        notes["references"] = (
            "constant references: ccc, pearson_r, scale_ratio, r2 and variance_matched_ccc are undefined"
        )
    return notes
