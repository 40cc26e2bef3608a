"""Whether the intervals of predictions hold what they promise: coverage, width and likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bootstrap import group_indices, interval, multinomial_weights

Array = NDArray[np.float64]
LEVELS = (0.8, 0.95)


def errors_and_deviations(
    predictions: ArrayLike, references: ArrayLike, deviation: ArrayLike | None
) -> tuple[Array, Array]:
    """Errors `(N, 2)`, reference less prediction, and the deviations that they are compared with, 1 where None.

    Raises:
        ValueError: other shapes, values that are not finite, or deviations that are not positive.
    """
    guess, truth = np.asarray(predictions, dtype=np.float64), np.asarray(references, dtype=np.float64)
    spread = np.ones_like(truth) if deviation is None else np.asarray(deviation, dtype=np.float64)
    if not guess.shape == truth.shape == spread.shape or truth.ndim != 2 or truth.shape[1:] != (2,):
        raise ValueError(
            f"expected predictions, labels and deviations (N, 2), got {guess.shape}, {truth.shape} and {spread.shape}"
        )
    if not (np.isfinite(guess).all() and np.isfinite(truth).all() and (np.isfinite(spread) & (spread > 0)).all()):
        raise ValueError("expected finite predictions and labels and positive deviations, got others")
    return truth - guess, spread


def interval_scores(error: Array, deviation: Array, levels: Sequence[float] = LEVELS) -> dict[str, Array]:
    """What a normal prediction of each song is worth, `(N, 2)` each.

    Args:
        error: `(N, 2)`.
        deviation: `(N, 2)`, positive.
        levels: of the central intervals, in (0, 1).

    Returns:
        `nll`, the negative log-likelihood in nats, and for each level `inside 0.95` (1 or 0) and `width 0.95`.
    """
    scores = {"nll": np.log(deviation) + 0.5 * np.log(2 * np.pi) + 0.5 * (error / deviation) ** 2}
    for level in levels:
        half = NormalDist().inv_cdf((1 + level) / 2) * deviation
        scores[f"inside {level:g}"] = (np.abs(error) <= half).astype(np.float64)
        scores[f"width {level:g}"] = 2 * half
    return scores


def coverage_report(
    predictions: ArrayLike,
    references: ArrayLike,
    deviation: ArrayLike,
    constant: ArrayLike,
    groups: Sequence | NDArray | None = None,
    levels: Sequence[float] = LEVELS,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Intervals from a deviation of each song's own, beside intervals from one error for all.

    The bootstrap draws whole groups. Where every song lies inside, so does every draw: that a share of 1 has no spread
    there does not mean that it is certain.

    Args:
        predictions: `(N, 2)` (valence, arousal) of songs that neither prediction nor deviations came from.
        references: `(N, 2)`.
        deviation: `(N, 2)`, calibrated.
        constant: what stands for it where all songs are taken to be equally hard, `(2,)` or `(N, 2)`.
        groups: one label a song, such as its artist.
        levels: of the intervals.
        confidence: of the bootstrap intervals.
        n_resamples: draws.
        seed: of the draws.

    Returns:
        `own` and `constant`, each with `coverage` (level, such as "0.95" -> `value` and `interval` of the share of
        labels inside), `width` (level -> mean) and `nll` (mean, nats a label); `nll_gain`, `value` and `interval` of
        the constant's less the own: above zero where a deviation of each song's own says more; `n`, `n_groups`. Every
        value is [valence, arousal], every interval [[low, high], [low, high]].

    Raises:
        ValueError: other shapes, values that are not finite, deviations that are not positive, or a wrong number of
            groups.
    """
    error, own = errors_and_deviations(predictions, references, deviation)
    _, same = errors_and_deviations(predictions, references, np.broadcast_to(np.asarray(constant), error.shape))
    sides = {"own": interval_scores(error, own, levels), "constant": interval_scores(error, same, levels)}
    members, n_groups = group_indices(len(error), groups)

    def with_interval(values: Array) -> dict[str, Any]:
        ends = _bootstrap(values, members, n_groups, confidence, n_resamples, seed)
        return {"value": values.mean(axis=0).tolist(), "interval": np.stack(ends, axis=-1).tolist()}

    report: dict[str, Any] = {"n": len(error), "n_groups": n_groups}
    for side, scores in sides.items():
        report[side] = {
            "coverage": {f"{level:g}": with_interval(scores[f"inside {level:g}"]) for level in levels},
            "width": {f"{level:g}": scores[f"width {level:g}"].mean(axis=0).tolist() for level in levels},
            "nll": scores["nll"].mean(axis=0).tolist(),
        }
    return report | {"nll_gain": with_interval(sides["constant"]["nll"] - sides["own"]["nll"])}


def _bootstrap(
    values: Array, members: NDArray[np.intp], n_groups: int, confidence: float, n_resamples: int, seed: int
) -> tuple[Array, Array]:
    """Interval of the mean of `(N, 2)` values, whole groups drawn."""
    sums = np.zeros((n_groups, 3))
    np.add.at(sums, members, np.column_stack([values, np.ones(len(values))]))
    drawn = np.concatenate([weights @ sums for weights in multinomial_weights(n_groups, n_resamples, seed)])
    return interval(drawn[:, :2] / drawn[:, 2:], confidence)
