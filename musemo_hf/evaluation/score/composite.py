"""The published five-part quality score, bounded and on one scale (PROTOCOL, section 2)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from musemo_hf.evaluation.distances.frechet import frechet_distance, frechet_score

from .moments import SetMoments

# the published weights, percent
WEIGHTS = {
    "frechet_score": 30,
    "moment_score": 20,
    "smoothness_score": 20,
    "frequency_score": 15,
    "range_score": 15,
}
TIERS = ((70.0, "excellent"), (50.0, "good"))  # at least; below is "poor"


@dataclass(frozen=True)
class QualityScore:
    """The score of a candidate set against a reference set, every part in [0, 100]; NaN where it is undefined.

    Attributes:
        quality_score: The weighted sum of the parts.
        frechet_score: The part clip(100 - 100 FD / tr(S_ref), 0, 100) in mel-statistics-v1.
        moment_score: The part from mean and deviation.
        smoothness_score: The part from the lag-1 correlation, the smaller of the two ratios.
        frequency_score: The part from the correlation of the mean band profiles.
        range_score: The part from maximum - minimum.
        frechet_distance: The Frechet distance FD in mel-statistics-v1, cells standardised by the reference.
        normalised_frechet_distance: The ratio 100 FD / tr(S_ref); the published target is under 50.
        smoothness: The mean lag-1 correlation of the candidates; the target is over 0.7.
        frequency_correlation: The correlation of the mean band profiles; the target is over 0.6.
        range_ratio: The candidate range over the reference range; the target is 0.8 to 1.2.
    """

    quality_score: float
    frechet_score: float
    moment_score: float
    smoothness_score: float
    frequency_score: float
    range_score: float
    frechet_distance: float
    normalised_frechet_distance: float
    smoothness: float
    frequency_correlation: float
    range_ratio: float

    @property
    def tier(self) -> str | None:
        """The tier of the total."""
        return tier(self.quality_score)

    @property
    def targets(self) -> dict[str, bool | None]:
        """Whether each published target is met; None where its figure is undefined."""
        verdicts = {
            "normalised_frechet_below_50": (self.normalised_frechet_distance, self.normalised_frechet_distance < 50),
            "smoothness_above_0.7": (self.smoothness, self.smoothness > 0.7),
            "frequency_correlation_above_0.6": (self.frequency_correlation, self.frequency_correlation > 0.6),
            "range_within_20_percent": (self.range_ratio, abs(self.range_ratio - 1) <= 0.2),
        }
        return {name: None if np.isnan(value) else bool(met) for name, (value, met) in verdicts.items()}

    def figures(self) -> dict[str, Any]:
        """Return all attributes by name, as floats."""
        return asdict(self)


def tier(total: float) -> str | None:
    """Name the published tier, poor < 50 <= good < 70 <= excellent; None for NaN."""
    if np.isnan(total):
        return None
    return next((name for least, name in TIERS if total >= least), "poor")


def moment_score(reference: SetMoments, candidate: SetMoments) -> float:
    """Compute clip(100 (1 - (|d mean| + |d std|) / 2), 0, 100), cells standardised by the reference."""
    difference = abs(candidate.mean - reference.mean) + abs(candidate.deviation - reference.deviation)
    return _percent(1 - difference / reference.deviation / 2)


def smoothness_score(reference: SetMoments, candidate: SetMoments) -> float:
    """Compute 100 min(s_f / s_r, s_r / s_f); 0 if s_f <= 0 or undefined or s_r <= 0, NaN if s_r is undefined.

    The score is 100 for the same s on both sides, even if it is not above 0, so that a set equals itself.
    """
    if np.isnan(reference.smoothness):
        return float("nan")
    if abs(candidate.smoothness - reference.smoothness) < 1e-12:
        return 100.0
    if not (candidate.smoothness > 0 and reference.smoothness > 0):
        return 0.0
    ratio = candidate.smoothness / reference.smoothness
    return _percent(min(ratio, 1 / ratio))


def frequency_correlation(reference: SetMoments, candidate: SetMoments) -> float:
    """Correlate the two 128-band mean profiles (Pearson); 0 for a flat candidate, NaN for a flat reference."""
    x, y = reference.profile - reference.profile.mean(), candidate.profile - candidate.profile.mean()
    if np.abs(x).max() < 1e-9:
        return float("nan")
    if np.abs(y).max() < 1e-9:
        return 0.0
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1, 1))


def quality_score(reference: SetMoments, candidate: SetMoments) -> QualityScore:
    """Compute the five parts and their weighted sum.

    Args:
        reference: The moments of real clips, clamped to [-60, 40] dB.
        candidate: The moments of the clips to score.

    Returns:
        The score; parts that need two clips are NaN with one, and so is the total.

    Raises:
        ValueError: The reference is constant, so that nothing can be measured on its scale.
    """
    if reference.deviation < 1e-6:
        raise ValueError(
            f"expected references that vary, got {reference.n_clips:g} clips of constant {reference.mean} dB"
        )
    distance = standardised_frechet(reference, candidate)
    spread = reference.features_covariance / reference.deviation**2
    correlation = frequency_correlation(reference, candidate)
    parts = {
        "frechet_score": frechet_score(distance, spread),
        "moment_score": moment_score(reference, candidate),
        "smoothness_score": smoothness_score(reference, candidate),
        "frequency_score": _percent(correlation),
        "range_score": _percent(1 - abs(candidate.range / reference.range - 1)),
    }
    trace = float(np.trace(spread))
    return QualityScore(
        quality_score=sum(weight * parts[name] for name, weight in WEIGHTS.items()) / 100,
        **parts,
        frechet_distance=distance,
        normalised_frechet_distance=100 * distance / trace if trace > 0 else float("nan"),
        smoothness=candidate.smoothness,
        frequency_correlation=correlation,
        range_ratio=candidate.range / reference.range,
    )


def standardised_frechet(reference: SetMoments, candidate: SetMoments) -> float:
    """Compute the Frechet distance in mel-statistics-v1, cells standardised by the reference; NaN under two clips."""
    if min(reference.n_clips, candidate.n_clips) < 2:
        return float("nan")
    distance = frechet_distance(
        reference.features_mean, reference.features_covariance, candidate.features_mean, candidate.features_covariance
    )
    return distance / reference.deviation**2


def _percent(share: float) -> float:
    return float(np.clip(100 * share, 0, 100))
