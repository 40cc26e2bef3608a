"""Calibration of prediction intervals: coverage, width and likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from musemo_hf.evaluation.arrays import as_numbers

from .bootstrap import group_indices, interval, resampled_sums

Array = NDArray[np.float64]
LEVELS = (0.8, 0.95)


def errors_and_deviations(
    predictions: ArrayLike, references: ArrayLike, deviation: ArrayLike | None
) -> tuple[Array, Array]:
    """Return errors `(N, 2)`, reference less prediction, and predicted deviations `(N, 2)`, 1 where None.

    Raises:
        ValueError: The shapes are wrong, values are not finite, or deviations are not positive.
    """
    guess, truth = as_numbers(predictions, "predictions"), as_numbers(references, "labels")
    spread = np.ones_like(truth) if deviation is None else as_numbers(deviation, "deviations")
    if not guess.shape == truth.shape == spread.shape or truth.ndim != 2 or truth.shape[1:] != (2,):
        raise ValueError(
            f"expected predictions, labels and deviations (N, 2), got {guess.shape}, {truth.shape} and {spread.shape}"
        )
    if not (np.isfinite(guess).all() and np.isfinite(truth).all() and (np.isfinite(spread) & (spread > 0)).all()):
        raise ValueError("expected finite predictions and labels and positive deviations, got others")
    return truth - guess, spread


def interval_scores(error: Array, deviation: Array, levels: Sequence[float] = LEVELS) -> dict[str, Array]:
    """Score normal predictions of each song, `(N, 2)` each.

    Args:
        error: The errors `(N, 2)`.
        deviation: The predicted deviations `(N, 2)`, positive.
        levels: The levels of the central intervals, in (0, 1).

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
    """Compare intervals from a deviation predicted for each song with intervals from one deviation for all songs.

    The bootstrap draws whole groups. If every song lies inside, so does every draw: an interval [1, 1] of a share does
    not mean that the share is certain.

    Args:
        predictions: The predictions `(N, 2)` (valence, arousal) of songs used to fit neither them nor the deviations.
        references: The labels `(N, 2)`.
        deviation: The calibrated deviation predicted for each song `(N, 2)`.
        constant: The deviation if all songs are equally hard, `(2,)` or `(N, 2)`.
        groups: One label for each song, such as its artist.
        levels: The levels of the prediction intervals.
        confidence: The confidence level of the bootstrap intervals.
        n_resamples: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        `own` and `constant`, each with `coverage` (for each level, such as "0.95", `value` and `interval` of the share
        of labels inside), `width` (the mean for each level) and `nll` (the mean in nats a label); `nll_gain`, the
        `value` and `interval` of the constant's NLL less the own, above zero if individual deviations are better; `n`,
        `n_groups`. Every value is [valence, arousal], every interval [[low, high], [low, high]].

    Raises:
        ValueError: The shapes are wrong, values are not finite, deviations are not positive, or the number of groups is
            wrong.
    """
    error, own = errors_and_deviations(predictions, references, deviation)
    constant = np.broadcast_to(as_numbers(constant, "constant"), error.shape)
    _, same = errors_and_deviations(predictions, references, constant)
    sides = {"own": interval_scores(error, own, levels), "constant": interval_scores(error, same, levels)}

    def with_interval(values: Array) -> dict[str, Any]:
        drawn = resampled_sums(np.column_stack([values, np.ones(len(values))]), groups, n_resamples, seed)
        ends = interval(drawn[:, :2] / drawn[:, 2:], confidence)
        return {"value": values.mean(axis=0).tolist(), "interval": np.stack(ends, axis=-1).tolist()}

    report: dict[str, Any] = {"n": len(error), "n_groups": group_indices(len(error), groups)[1]}
    for side, scores in sides.items():
        report[side] = {
            "coverage": {f"{level:g}": with_interval(scores[f"inside {level:g}"]) for level in levels},
            "width": {f"{level:g}": scores[f"width {level:g}"].mean(axis=0).tolist() for level in levels},
            "nll": scores["nll"].mean(axis=0).tolist(),
        }
    return report | {"nll_gain": with_interval(sides["constant"]["nll"] - sides["own"]["nll"])}
