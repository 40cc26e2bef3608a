"""Comparison of arms on the same songs: agreement, paired differences over artists, and detectable effects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from musemo_hf.evaluation.arrays import as_numbers

from .bootstrap import interval
from .concordance import agreement, pair_sums, resampled_agreement

Array = NDArray[np.float64]
POWER = 0.8


def compare_arms(
    predictions: Mapping[str, ArrayLike],
    labels: ArrayLike,
    groups: Sequence | NDArray | None,
    reference: str | None = "real",
    alternatives: Sequence[str] = ("real",),
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute the agreement of each arm and its paired difference from the reference and the best alternative.

    Figures are computed from each seed's pooled predictions and then averaged over seeds; predictions are never
    averaged. The bootstrap draws artists, the same for all arms and seeds; the best alternative is chosen again in each
    draw.

    Args:
        predictions: The predictions `(seeds, N, 2)` of each arm, by its name.
        labels: The labels `(N, 2)`.
        groups: The artist of each song.
        reference: The arm that others are compared with; None for no differences.
        alternatives: The arms that need no generator; the best of them in mean CCC is the harder comparison.
        confidence: The confidence level of the intervals.
        n_resamples: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        The figures of each arm by its name: each of `ccc`, `pearson_r`, `bias`, `scale_ratio`, `rmse`, `r2`,
        `variance_matched_ccc` as {"valence", "arousal", "mean"} of {"value", "interval", "seed_deviation"};
        `delta_<reference>` and `delta_best_alternative` of the mean CCC as {"value", "interval", "p_value", "p_holm",
        "smallest_effect"}.

    Raises:
        ValueError: The shape of an arm does not fit the labels, or the reference is missing.
    """
    labels = as_numbers(labels, "labels")
    if reference is not None and reference not in predictions:
        raise ValueError(f"expected the arm {reference!r} among {sorted(predictions)}")
    point, drawn = _all_figures(predictions, labels, groups, n_resamples, seed)
    arms = {arm: _describe(point[arm], drawn[arm], confidence) for arm in predictions}
    if reference is not None:
        best = [arm for arm in alternatives if arm in predictions]
        _add_deltas(arms, point, drawn, reference, best, confidence)
    return arms


def compare_with_best(
    predictions: Mapping[str, ArrayLike],
    labels: ArrayLike,
    groups: Sequence | NDArray | None,
    arm: str,
    rivals: Sequence[str],
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute the CCC of an arm less that of the best of its rivals, which is chosen again in each draw.

    Args:
        predictions: The predictions `(seeds, N, 2)` of each arm and rival, by its name.
        labels: The labels `(N, 2)`.
        groups: The artist of each song.
        arm: The name of the arm to compare.
        rivals: The names of at least one rival.
        confidence: The confidence level of the intervals.
        n_resamples: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        For "valence", "arousal" and "mean": {"best" (on all songs), "value", "interval", "p_value",
        "smallest_effect"}.

    Raises:
        ValueError: As in `compare_arms`, or an arm or rival has no predictions.
    """
    if not rivals or not {arm, *rivals} <= set(predictions):
        raise ValueError(f"expected predictions of {arm!r} and of rivals, got {sorted(predictions)} and {rivals}")
    chosen = {name: predictions[name] for name in (arm, *rivals)}
    point, drawn = _all_figures(chosen, as_numbers(labels, "labels"), groups, n_resamples, seed)
    values = {name: _three(point[name]["ccc"].mean(axis=0)) for name in chosen}
    draws = {name: _three(drawn[name]["ccc"]) for name in chosen}
    result = {}
    for column, dimension in enumerate(("valence", "arousal", "mean")):
        best = max(rivals, key=lambda name, of=column: values[name][of])  # type: ignore[misc]
        best_draws = np.max([draws[name][:, column] for name in rivals], axis=0)
        difference = draws[arm][:, column] - best_draws
        delta = _delta(float(values[arm][column] - values[best][column]), difference, confidence)
        result[dimension] = {"best": best, **delta}
    return result


def _three(figures: Array) -> Array:
    """Append the mean of valence and arousal: `(..., 3)`."""
    return np.concatenate([figures, figures.mean(axis=-1, keepdims=True)], axis=-1)


def _all_figures(
    predictions: Mapping[str, ArrayLike],
    labels: Array,
    groups: Sequence | NDArray | None,
    n_resamples: int,
    seed: int,
) -> tuple[dict[str, dict[str, Array]], dict[str, dict[str, Array]]]:
    """Compute each arm's figures and their bootstrap draws."""
    point, drawn = {}, {}
    for arm, given in predictions.items():
        values = as_numbers(given, f"predictions of {arm!r}")
        if values.ndim != 3 or values.shape[1:] != labels.shape:
            raise ValueError(f"expected (seeds, {labels.shape[0]}, 2) predictions of {arm!r}, got {values.shape}")
        point[arm], drawn[arm] = _figures(values, labels, groups, n_resamples, seed)
    return point, drawn


def _figures(
    predicted: Array, labels: Array, groups: Sequence | NDArray | None, n_resamples: int, seed: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Compute each figure as `(seeds, 2)`, and its draws averaged over seeds as `(n_resamples, 2)`."""
    sums = np.stack([pair_sums(one, labels) for one in predicted], axis=2)  # (7, N, seeds, 2)
    drawn = resampled_agreement(sums, groups, n_resamples, seed)
    return agreement(sums.sum(axis=1)), {name: values.mean(axis=1) for name, values in drawn.items()}


def _describe(point: dict[str, Array], drawn: dict[str, Array], confidence: float) -> dict[str, Any]:
    described = {}
    for name, by_seed in point.items():
        columns = {
            "valence": (by_seed[:, 0], drawn[name][:, 0]),
            "arousal": (by_seed[:, 1], drawn[name][:, 1]),
            "mean": (by_seed.mean(axis=1), drawn[name].mean(axis=1)),
        }
        described[name] = {
            column: {
                "value": float(values.mean()),
                "interval": [float(end) for end in interval(draws, confidence)],
                "seed_deviation": float(values.std(ddof=1)) if len(values) > 1 else None,
            }
            for column, (values, draws) in columns.items()
        }
    return described


def _add_deltas(
    arms: dict[str, Any],
    point: dict[str, dict[str, Array]],
    drawn: dict[str, dict[str, Array]],
    reference: str,
    alternatives: list[str],
    confidence: float,
) -> None:
    value = {arm: float(figures["ccc"].mean()) for arm, figures in point.items()}
    draws = {arm: figures["ccc"].mean(axis=1) for arm, figures in drawn.items()}
    others = [arm for arm in arms if arm != reference]
    for arm in others:
        arms[arm][f"delta_{reference}"] = _delta(
            value[arm] - value[reference], draws[arm] - draws[reference], confidence
        )
        rivals = [name for name in alternatives if name != arm]
        if rivals:
            best_draws = np.max([draws[name] for name in rivals], axis=0)
            best = max(rivals, key=value.__getitem__)
            delta = _delta(value[arm] - value[best], draws[arm] - best_draws, confidence)
            arms[arm]["delta_best_alternative"] = {"alternative": best, **delta}
    for key in (f"delta_{reference}", "delta_best_alternative"):
        holm(arms[arm][key] for arm in others if key in arms[arm])


def _delta(value: float, draws: Array, confidence: float) -> dict[str, Any]:
    share = float(np.mean(draws <= 0))
    # two-sided, from the draws; their number limits its resolution
    p_value = min(1.0, max(2 * min(share, 1 - share), 1 / len(draws)))
    if np.isnan(draws).all():  # songs of one artist: nothing can be said of others
        p_value = float("nan")
    return {
        "value": value,
        "interval": [float(end) for end in interval(draws, confidence)],
        "p_value": p_value,
        "smallest_effect": smallest_effect(float(draws.std(ddof=1)), 1 - confidence),
    }


def holm(deltas: Any) -> None:
    """Add `p_holm` to each difference: Holm's (1979) step-down adjustment over all with a p-value; NaN for others."""
    listed = list(deltas)
    for delta in listed:
        delta["p_holm"] = float("nan")
    ordered = sorted((delta for delta in listed if not np.isnan(delta["p_value"])), key=lambda delta: delta["p_value"])
    highest = 0.0
    for rank, delta in enumerate(ordered):
        highest = max(highest, min(1.0, (len(ordered) - rank) * delta["p_value"]))
        delta["p_holm"] = highest


def smallest_effect(standard_error: float, alpha: float = 0.05, power: float = POWER) -> float:
    """Compute the true difference that a two-sided test at `alpha` finds with probability `power`."""
    return float((stats.norm.isf(alpha / 2) + stats.norm.ppf(power)) * standard_error)
