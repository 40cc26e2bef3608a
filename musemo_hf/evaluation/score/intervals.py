"""Bootstrap intervals of the quality report, over the clips of both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from musemo_hf.evaluation.distances.frechet import features_frechet
from musemo_hf.evaluation.statistics.bootstrap import group_indices, interval, multinomial_weights

from .composite import quality_score
from .moments import SetMoments
from .published import published_score

Array = NDArray[np.float64]
Interval = list[float]
Groups = Sequence | NDArray | None


def score_intervals(
    references: Array,
    predictions: Array,
    confidence: float,
    n_resamples: int = 400,
    seed: int = 0,
    reference_groups: Groups = None,
    prediction_groups: Groups = None,
) -> dict[str, Interval]:
    """Compute intervals of the score, its parts and the published score.

    A resample contains clips twice and so varies less, which adds the bias of N clips a second time; the draws are
    shifted so that their mean is the estimate.

    Args:
        references: The moments of real clips `(N, ROW_LENGTH)`.
        predictions: The moments of generated clips `(M, ROW_LENGTH)`.
        confidence: The confidence level, in (0, 1).
        n_resamples: The number of bootstrap draws; each draws the clips of both sides again.
        seed: The seed of the draws.
        reference_groups: The artist of each real clip: artists are drawn instead of clips; None draws clips.
        prediction_groups: The same of generated clips.

    Returns:
        [low, high] by name, within the range of each figure.
    """

    def figures(real_counts: Array | None, fake_counts: Array | None) -> dict[str, float]:
        real, fake = SetMoments.of(references, real_counts), SetMoments.of(predictions, fake_counts)
        return {**quality_score(real, fake).figures(), "published_score": published_score(real, fake)}

    estimate = figures(None, None)
    groups = (reference_groups, prediction_groups)
    drawn = [figures(*counts) for counts in _counts(len(references), len(predictions), n_resamples, seed, *groups)]
    result = {}
    for name, value in estimate.items():
        ends = recentred(np.array([draw[name] for draw in drawn]), value, confidence)
        result[name] = [float(np.clip(end, *_bounds(name))) for end in ends]
    return result


def _bounds(name: str) -> tuple[float, float]:
    """Return the range of a figure, which shifted draws could leave."""
    if name.endswith("_score") and name != "published_score":
        return 0, 100
    if name in ("smoothness", "frequency_correlation"):
        return -1, 1
    return (-np.inf, np.inf) if name == "published_score" else (0, np.inf)


def frechet_interval(
    x: Array, y: Array, confidence: float, n_resamples: int = 400, seed: int = 0, x_groups: Groups = None
) -> Interval:
    """Compute the interval of the Frechet distance of features `(N, D)` and `(M, D)`; draws are shifted as above.

    Args:
        x: The features of real clips.
        y: The features of generated clips.
        confidence: The confidence level, in (0, 1).
        n_resamples: The number of bootstrap draws.
        seed: The seed of the draws.
        x_groups: The artist of each real clip: artists are drawn instead of clips; None draws clips.
    """
    draws = [features_frechet(x, y, *counts) for counts in _counts(len(x), len(y), n_resamples, seed, x_groups)]
    return [max(end, 0.0) for end in recentred(np.array(draws), features_frechet(x, y), confidence)]


def normal_interval(value: float, standard_error: float, confidence: float) -> Interval:
    """Compute the interval of a normal estimate from its standard error."""
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * standard_error
    return [value - half, value + half]


def mean_interval(
    values: Array, confidence: float, n_resamples: int = 400, seed: int = 0, groups: Groups = None
) -> Interval:
    """Compute the interval of the mean of one value for each clip `(N,)`, over clips or whole groups of them."""
    members, n_groups = group_indices(len(values), groups)
    drawn = (counts[:, members] for counts in multinomial_weights(n_groups, n_resamples, seed))
    means = [counts @ values / counts.sum(axis=1) for counts in drawn]
    return [float(end) for end in interval(np.concatenate(means), confidence)]


def recentred(draws: Array, estimate: float, confidence: float) -> Interval:
    """Compute the percentile interval of draws, shifted so that their mean is the estimate."""
    defined = draws[np.isfinite(draws)]
    if not len(defined) or not np.isfinite(estimate):
        return [float("nan"), float("nan")]
    return [float(end) for end in interval(defined - defined.mean() + estimate, confidence)]


def _counts(
    n: int, m: int, n_resamples: int, seed: int, real_groups: Groups = None, fake_groups: Groups = None
) -> Iterator[tuple[Array, Array]]:
    """Yield the counts of both sides, drawn independently, whole groups at once where a side has groups."""
    (real_members, n), (fake_members, m) = group_indices(n, real_groups), group_indices(m, fake_groups)
    for real, fake in zip(
        multinomial_weights(n, n_resamples, seed), multinomial_weights(m, n_resamples, seed + 1), strict=True
    ):
        yield from zip(real[:, real_members], fake[:, fake_members], strict=True)
