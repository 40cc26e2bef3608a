"""Bootstrap intervals of the quality report, over the clips of both sides."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from musemo_hf.evaluation.distances.frechet import frechet_distance, mean_and_covariance
from musemo_hf.evaluation.distances.neighbours import nearest_distances
from musemo_hf.evaluation.statistics.bootstrap import interval, multinomial_weights

from .composite import quality_score
from .moments import SetMoments
from .published import published_score

Array = NDArray[np.float64]
Interval = list[float]


def score_intervals(
    references: Array, predictions: Array, confidence: float, n_resamples: int = 400, seed: int = 0
) -> dict[str, Interval]:
    """Intervals of the score, its parts and the published score.

    A resample holds clips twice and so looks less varied than it is, which adds a second time the bias that N clips
    have already; the draws are moved back so that their mean is the estimate.

    Args:
        references: moments of real clips `(N, ROW_LENGTH)`.
        predictions: of generated clips `(M, ROW_LENGTH)`.
        confidence: in (0, 1).
        n_resamples: draws; each draws the clips of both sides again.
        seed: of the draws.

    Returns:
        [low, high] by name, within what each figure can be.
    """

    def figures(real_counts: Array | None, fake_counts: Array | None) -> dict[str, float]:
        real, fake = SetMoments.of(references, real_counts), SetMoments.of(predictions, fake_counts)
        return {**quality_score(real, fake).figures(), "published_score": published_score(real, fake)}

    estimate = figures(None, None)
    drawn = [figures(*counts) for counts in _counts(len(references), len(predictions), n_resamples, seed)]
    result = {}
    for name, value in estimate.items():
        ends = recentred(np.array([draw[name] for draw in drawn]), value, confidence)
        result[name] = [float(np.clip(end, *_bounds(name))) for end in ends]
    return result


def _bounds(name: str) -> tuple[float, float]:
    """What a figure cannot leave, and moved draws would."""
    if name.endswith("_score") and name != "published_score":
        return 0, 100
    if name in ("smoothness", "frequency_correlation"):
        return -1, 1
    return (-np.inf, np.inf) if name == "published_score" else (0, np.inf)


def frechet_interval(x: Array, y: Array, confidence: float, n_resamples: int = 400, seed: int = 0) -> Interval:
    """Interval of the Frechet distance of features `(N, D)` and `(M, D)`, recentred likewise, at least 0."""
    value = frechet_distance(*mean_and_covariance(x), *mean_and_covariance(y))
    draws = [
        frechet_distance(*mean_and_covariance(x, x_counts), *mean_and_covariance(y, y_counts))
        for x_counts, y_counts in _counts(len(x), len(y), n_resamples, seed)
    ]
    return [max(end, 0.0) for end in recentred(np.array(draws), value, confidence)]


def normal_interval(value: float, standard_error: float, confidence: float) -> Interval:
    """Estimate +- z standard errors."""
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * standard_error
    return [value - half, value + half]


def neighbour_intervals(
    real: Array, fake: Array, confidence: float, k: int = 5, n_resamples: int = 400, seed: int = 0
) -> dict[str, Interval]:
    """Intervals of precision, recall, density and coverage, the balls of both sets held as they are.

    Radii of a resample would shrink, as a clip drawn twice is its own neighbour: what varies here is which clips are
    judged, not what they are judged by, and so the intervals are slightly too narrow.

    Args:
        real: features `(N, D)`, N > k.
        fake: `(M, D)`, M > k, on the same scale.
        k: neighbours.
        confidence: in (0, 1).
        n_resamples: draws.
        seed: of the draws.

    Returns:
        [low, high] by name.
    """
    real_radius, fake_radius = nearest_distances(real, real, k), nearest_distances(fake, fake, k)
    balls, recalled, covered = np.zeros(len(fake)), np.empty(len(real)), np.empty(len(real))
    for index, clip in enumerate(real):
        distances = np.sqrt(np.square(fake - clip).sum(axis=1))
        inside = distances <= real_radius[index]
        balls += inside
        covered[index], recalled[index] = inside.any(), (distances <= fake_radius).any()
    shares = {"precision": (balls > 0).astype(float), "density": balls / k, "recall": recalled, "coverage": covered}
    return {name: mean_interval(values, confidence, n_resamples, seed) for name, values in shares.items()}


def mean_interval(values: Array, confidence: float, n_resamples: int = 400, seed: int = 0) -> Interval:
    """Interval of the mean of one value a clip `(N,)`."""
    means = [counts @ values / len(values) for counts in multinomial_weights(len(values), n_resamples, seed)]
    return [float(end) for end in interval(np.concatenate(means), confidence)]


def recentred(draws: Array, estimate: float, confidence: float) -> Interval:
    """Percentile interval of draws that were moved so that their mean is the estimate."""
    defined = draws[np.isfinite(draws)]
    if not len(defined) or not np.isfinite(estimate):
        return [float("nan"), float("nan")]
    return [float(end) for end in interval(defined - defined.mean() + estimate, confidence)]


def _counts(n: int, m: int, n_resamples: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """Counts of both sides, drawn apart."""
    for real, fake in zip(
        multinomial_weights(n, n_resamples, seed), multinomial_weights(m, n_resamples, seed + 1), strict=True
    ):
        yield from zip(real, fake, strict=True)
