"""Moments of clips: a short row for each clip, and the statistics of a set from any weighting of its rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from musemo_hf.evaluation.arrays import N_MELS
from musemo_hf.evaluation.distances.frechet import mean_and_covariance
from musemo_hf.evaluation.spaces.modulation import clamp_decibels

Array = NDArray[np.float64]

GROUP = 4  # mel bands averaged together in mel-statistics-v1
N_GROUPS = N_MELS // GROUP

# Columns of a row. All are in dB, so that the scale of the references, known only at the end, is applied afterwards.
FRAMES, MEAN_SQUARE, MINIMUM, MAXIMUM, LAG, SHUFFLED_LAG, ROW_CORRELATION = range(7)
PROFILE = slice(7, 7 + N_MELS)
DEVIATIONS = slice(7 + N_MELS, 7 + N_MELS + N_GROUPS)
ROW_LENGTH = 7 + N_MELS + N_GROUPS


def _lag_correlations(cells: Array, profile: Array, square: float) -> tuple[float, float]:
    """Correlate x[:, :-1] with x[:, 1:] (Pearson), and compute the expectation over all shuffles of the frames.

    The product of two frames in random order is (|sum of frames|^2 - sum of |frame|^2) / (T (T - 1)) on average. Cells
    are centred on their common mean; subtracting it from the sums saves a pass.
    """
    (n_mels, n_frames), mean = cells.shape, profile.mean()
    energy = square - cells.size * mean**2
    first, last = cells[:, 0] - mean, cells[:, -1] - mean
    products = np.einsum("mt,mt->", cells[:, :-1], cells[:, 1:]) + mean * (first.sum() + last.sum())
    products -= mean**2 * n_mels * (n_frames - 1)
    scale = np.sqrt(max(energy - last @ last, 0.0) * max(energy - first @ first, 0.0))
    if scale <= 1e-12 * energy or energy <= 1e-9 * cells.size:  # a constant clip, up to rounding
        return float("nan"), float("nan")
    across = np.square(n_frames * (profile - mean)).sum() - energy
    return float(products / scale), float(across / ((n_frames - 1) * energy))


def _row_correlation(clip: NDArray) -> float:
    """Correlate mel row 0 with mel row 1, which the published `np.corrcoef(x[:, :-1], x[:, 1:])[0, 1]` really does."""
    first, second = (row - row.mean() for row in clip[:2, :-1].astype(np.float64))
    scale = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / scale) if scale > 0 else float("nan")


def clip_row(clip_db: NDArray, clamp: bool = True) -> Array:
    """Compute all that the score needs of one clip.

    Args:
        clip_db: The clip `(128, n_frames)` in dB.
        clamp: Whether to clamp to [-60, 40] dB first; only unclamped surrogates are not clamped.

    Returns:
        The moments, float64 `(ROW_LENGTH,)`, 1.3 kB for any number of frames: frames, mean square, minimum, maximum,
        lag-1 Pearson correlation centred on the whole clip (NaN for a constant clip), its expectation with shuffled
        frames, the published row correlation, the temporal mean of every band, and the temporal deviations of 4-band
        averages.
    """
    clip = clamp_decibels(clip_db) if clamp else clip_db
    cells = clip.astype(np.float64)
    row = np.empty(ROW_LENGTH)
    profile = cells.mean(axis=1)
    row[FRAMES], row[MINIMUM], row[MAXIMUM] = cells.shape[1], clip.min(), clip.max()
    row[PROFILE] = profile
    groups = cells.reshape(N_GROUPS, GROUP, -1)
    group = groups[:, 0] + groups[:, 1] + groups[:, 2] + groups[:, 3]
    group -= group.mean(axis=1, keepdims=True)
    row[DEVIATIONS] = np.sqrt(np.einsum("gt,gt->g", group, group) / cells.shape[1]) / GROUP
    square = float(np.vdot(cells, cells))
    row[MEAN_SQUARE] = square / cells.size
    row[LAG], row[SHUFFLED_LAG] = _lag_correlations(cells, profile, square)
    row[ROW_CORRELATION] = _row_correlation(clip)
    return row


def shuffled_rows(rows: Array) -> Array:
    """Return the expected rows of the same clips with shuffled frames: only the lag changes."""
    shuffled = rows.copy()
    shuffled[:, LAG] = rows[:, SHUFFLED_LAG]
    return shuffled


def flipped_rows(rows: Array) -> Array:
    """Return the rows of the same clips upside down in frequency: profile and deviations reversed."""
    flipped = rows.copy()
    flipped[:, PROFILE] = rows[:, PROFILE][:, ::-1]
    flipped[:, DEVIATIONS] = rows[:, DEVIATIONS][:, ::-1]
    return flipped


def mel_statistics(rows: Array) -> Array:
    """Compute mel-statistics-v1, `(N, 64)` in dB: temporal means, then deviations, of 4-band averages.

    Standardising the cells by (m, s) turns means into (mean - m) / s and deviations into deviation / s: a Frechet
    distance is then s^2 smaller, and its ratio to the reference's variance is the same.
    """
    means = rows[:, PROFILE].reshape(len(rows), N_GROUPS, GROUP).mean(axis=2)
    return np.concatenate([means, rows[:, DEVIATIONS]], axis=1)


@dataclass(frozen=True)
class SetMoments:
    """Statistics of a set of clips, in dB.

    Attributes:
        n_clips: The number of clips, or the sum of their weights.
        mean: The mean of all cells.
        deviation: The population deviation of all cells.
        minimum: The minimum of all cells.
        maximum: The maximum of all cells.
        smoothness: The mean over clips of the lag-1 correlation, without constant clips; NaN if all are constant.
        row_correlation: The mean over clips of the published row correlation.
        profile: The mean of each band `(128,)`.
        features_mean: The mean of mel-statistics-v1 `(64,)`; NaN for under two clips.
        features_covariance: The covariance of mel-statistics-v1 `(64, 64)`; NaN for under two clips.
    """

    n_clips: float
    mean: float
    deviation: float
    minimum: float
    maximum: float
    smoothness: float
    row_correlation: float
    profile: Array
    features_mean: Array
    features_covariance: Array

    @classmethod
    def of(cls, rows: Array, weights: ArrayLike | None = None) -> SetMoments:
        """Compute the statistics of the clips with rows `(N, ROW_LENGTH)`, each counted `weights` `(N,)` times.

        Raises:
            ValueError: There are no clips.
        """
        counts = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
        if counts.sum() < 1:
            raise ValueError("expected at least one clip, got none")
        cells = counts * rows[:, FRAMES]
        profile = cells @ rows[:, PROFILE] / cells.sum()
        mean = float(profile.mean())
        variance = float(cells @ rows[:, MEAN_SQUARE] / cells.sum()) - mean**2
        present = counts > 0
        features = mel_statistics(rows)
        undefined = np.full(features.shape[1], np.nan), np.full((features.shape[1],) * 2, np.nan)
        location, covariance = mean_and_covariance(features, counts) if counts.sum() >= 2 else undefined
        return cls(
            n_clips=float(counts.sum()),
            mean=mean,
            deviation=float(np.sqrt(max(variance, 0.0))),
            minimum=float(rows[present, MINIMUM].min()),
            maximum=float(rows[present, MAXIMUM].max()),
            smoothness=_defined_mean(rows[:, LAG], counts),
            row_correlation=_defined_mean(rows[:, ROW_CORRELATION], counts),
            profile=profile,
            features_mean=location,
            features_covariance=covariance,
        )

    @property
    def range(self) -> float:
        """The maximum less the minimum, in dB."""
        return self.maximum - self.minimum


def _defined_mean(values: Array, counts: Array) -> float:
    counts = np.where(np.isnan(values), 0.0, counts)
    return float(counts @ np.nan_to_num(values) / counts.sum()) if counts.sum() else float("nan")
