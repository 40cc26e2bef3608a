"""Distances between the distributions of structural features, beside those of real songs from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import wasserstein_distance

from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.statistics.bootstrap import check_confidence, check_draws, interval

from .resampled_distances import drawn_weights, group_labels
from .structure import FEATURES

MIN_CLIPS = 30
NAN = float("nan")


@dataclass(frozen=True)
class StructureDistance:
    """How far the distribution of one feature is from that of real songs.

    Attributes:
        distance: The Wasserstein distance of generated clips from real songs, in standard deviations of the latter; NaN
            with a reason.
        reason: The reason why it is NaN; None where it is a number.
        low: The lower end of the bootstrap interval.
        high: The upper end.
        real: The distance of real songs of other artists from the same real songs.
        real_low: The lower end of its interval.
        real_high: The upper end.
    """

    distance: float
    reason: str | None
    low: float = NAN
    high: float = NAN
    real: float = NAN
    real_low: float = NAN
    real_high: float = NAN

    @property
    def separates(self) -> bool:
        """Whether the two intervals are apart, with the generated clips further away."""
        return self.low > self.real_high


def structure_distances(
    reference: np.ndarray,
    candidate: np.ndarray,
    held_out: np.ndarray,
    reference_groups: Sequence | None = None,
    held_out_groups: Sequence | None = None,
    n_resamples: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, StructureDistance]:
    """Compare each feature of `structure.FEATURES` as a distribution, at equal N, by which all sides are thinned.

    Args:
        reference: The structural features of real songs `(N, n_features)`.
        candidate: Those of generated clips.
        held_out: Those of real songs of other artists.
        reference_groups: The artist of each reference song; None makes each its own group.
        held_out_groups: The artist of each held-out song, or None.
        n_resamples: The number of bootstrap draws, over artists of real songs and over generated clips.
        confidence: The confidence level of the intervals.
        seed: The seed of the bootstrap.

    Returns:
        One distance for each feature; NaN with a reason if a side has under `MIN_CLIPS` clips or a feature is constant
        in the reference.

    Raises:
        ValueError: The shapes do not fit, there is NaN or infinity, the labels of a side are not as many as its clips,
            or an option is out of range.
    """
    check_draws(n_resamples, seed)
    check_confidence(confidence)
    sides = {"reference": reference, "held_out": held_out, "candidate": candidate}
    sides = {name: np.asarray(rows, dtype=np.float64) for name, rows in sides.items()}
    for name, rows in sides.items():
        if rows.ndim != 2 or rows.shape[1] != len(FEATURES):
            raise ValueError(f"expected structural features (N, {len(FEATURES)}) of {name}, got {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError(f"expected finite structural features of {name}, got NaN or infinity")
    given = {"reference": reference_groups, "held_out": held_out_groups}
    groups = group_labels({name: own for name, own in given.items() if own is not None}, sides)
    n_clips = min(map(len, sides.values()))
    if n_clips < MIN_CLIPS:
        reason = f"expected at least {MIN_CLIPS} clips on every side to compare structure, got {n_clips}"
        return {name: StructureDistance(NAN, reason) for name in FEATURES}
    groups = {name: evenly_spaced(own, n_clips) for name, own in groups.items()}
    sides = {name: evenly_spaced(rows, n_clips) for name, rows in sides.items()}
    weights = drawn_weights({name: n_clips for name in sides}, groups, n_resamples, seed)
    return {
        name: _compared({side: rows[:, column] for side, rows in sides.items()}, weights, confidence)
        for column, name in enumerate(FEATURES)
    }


def _compared(
    values: dict[str, np.ndarray], weights: list[dict[str, np.ndarray]], confidence: float
) -> StructureDistance:
    deviation = values["reference"].std()
    if not deviation > 0:
        return StructureDistance(NAN, "the feature is constant in the real songs")
    scaled = {side: own / deviation for side, own in values.items()}
    found = {side: wasserstein_distance(scaled["reference"], scaled[side]) for side in ("candidate", "held_out")}
    ends = {side: interval(_draws(scaled, side, weights), confidence) for side in found}
    (low, high), (real_low, real_high) = ends["candidate"], ends["held_out"]
    return StructureDistance(
        float(found["candidate"]),
        None,
        float(low),
        float(high),
        float(found["held_out"]),
        float(real_low),
        float(real_high),
    )


def _draws(scaled: dict[str, np.ndarray], side: str, weights: list[dict[str, np.ndarray]]) -> np.ndarray:
    return np.array(
        [
            wasserstein_distance(scaled["reference"], scaled[side], counts["reference"], counts[side])
            for counts in weights
        ]
    )
