"""The moments of a set of clips, streamed: a short row a clip, and the set's statistics from any weighting of rows."""

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

# Columns of a row. All are in dB, so that the reference's scale, known only at the end, can be applied afterwards.
FRAMES, MEAN_SQUARE, MINIMUM, MAXIMUM, LAG, SHUFFLED_LAG, ROW_CORRELATION = range(7)
PROFILE = slice(7, 7 + N_MELS)
DEVIATIONS = slice(7 + N_MELS, 7 + N_MELS + N_GROUPS)
ROW_LENGTH = 7 + N_MELS + N_GROUPS


def _lag_correlations(cells: Array, profile: Array, square: float) -> tuple[float, float]:
    """Pearson correlation of x[:, :-1] and x[:, 1:], and its expectation over all shuffles of the frames.

    The products of two frames drawn without order average (|sum of frames|^2 - sum of |frame|^2) / (T (T - 1)). Cells
    are about their common mean in all of this; taking it out of the sums spares a pass.
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
    """What the published `np.corrcoef(x[:, :-1], x[:, 1:])[0, 1]` really is: mel row 0 against mel row 1."""
    first, second = (row - row.mean() for row in clip[:2, :-1].astype(np.float64))
    scale = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / scale) if scale > 0 else float("nan")


def clip_row(clip_db: NDArray, clamp: bool = True) -> Array:
    """All that the score needs of one clip.

    Args:
        clip_db: `(128, n_frames)`, dB.
        clamp: clamp to [-60, 40] dB first, as everything is but the ladder's unclamped surrogates.

    Returns:
        float64 `(ROW_LENGTH,)`, 1.3 kB whatever the number of frames: frames, mean square, minimum, maximum, lag-1
        Pearson correlation centred on the whole clip (NaN for a constant clip), the same with its frames shuffled,
        the published row correlation, the temporal mean of every band, and the temporal deviations of 4-band averages.
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
    """Rows of the same clips with their frames in random order, in expectation: only the lag changes."""
    shuffled = rows.copy()
    shuffled[:, LAG] = rows[:, SHUFFLED_LAG]
    return shuffled


def flipped_rows(rows: Array) -> Array:
    """Rows of the same clips upside down in frequency: profile and deviations reversed."""
    flipped = rows.copy()
    flipped[:, PROFILE] = rows[:, PROFILE][:, ::-1]
    flipped[:, DEVIATIONS] = rows[:, DEVIATIONS][:, ::-1]
    return flipped


def mel_statistics(rows: Array) -> Array:
    """The mel-statistics-v1 space, `(N, 64)` in dB: temporal means, then deviations, of 4-band averages.

    Standardising the cells by (m, s) turns means into (mean - m) / s and deviations into deviation / s: a Frechet
    distance is then s^2 smaller, and its ratio to the reference's variance is the same.
    """
    means = rows[:, PROFILE].reshape(len(rows), N_GROUPS, GROUP).mean(axis=2)
    return np.concatenate([means, rows[:, DEVIATIONS]], axis=1)


@dataclass(frozen=True)
class SetMoments:
    """Statistics of a set of clips, in dB.

    Attributes:
        n_clips: clips, or the sum of their weights.
        mean: of all cells.
        deviation: population deviation of all cells.
        minimum: of all cells.
        maximum: of all cells.
        smoothness: mean over clips of the lag-1 correlation, leaving out constant clips; NaN where all are.
        row_correlation: mean over clips of the published row correlation.
        profile: mean of each band `(128,)`.
        features_mean: of mel-statistics-v1 `(64,)`; NaN for under two clips.
        features_covariance: `(64, 64)`; NaN for under two clips.
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
        """Statistics of the clips behind `rows` `(N, ROW_LENGTH)`, each counted `weights` `(N,)` times.

        Raises:
            ValueError: no clips.
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
        """Maximum less minimum, dB."""
        return self.maximum - self.minimum


def _defined_mean(values: Array, counts: Array) -> float:
    counts = np.where(np.isnan(values), 0.0, counts)
    return float(counts @ np.nan_to_num(values) / counts.sum()) if counts.sum() else float("nan")
