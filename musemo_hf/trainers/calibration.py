"""How wide a recogniser's intervals must be, from songs that it did not learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from musemo_hf.data.folds import artist_folds
from musemo_hf.models.vit import MusemoViTForEmotionRegression

from .clips import Clips
from .prediction import predict_with_deviation

LEVELS = (0.9, 0.95)


@dataclass(frozen=True)
class Calibration:
    """A width for each dimension, and how often intervals of it hold the label on songs that it did not come from.

    Attributes:
        scale: of (valence, arousal): factors of the predicted deviations, or constant errors where there are none.
        predicted_deviation: which of the two.
        coverage: level -> share of the songs of held-out artists whose label lies in the interval, (valence, arousal).
        width: level -> mean width of those intervals, (valence, arousal).
        n_songs: that it came from.
    """

    scale: tuple[float, float]
    predicted_deviation: bool
    coverage: dict[float, tuple[float, float]]
    width: dict[float, tuple[float, float]]
    n_songs: int

    def apply(self, config: Any) -> None:
        """Write it into a `MusemoViTConfig`: `deviation_scale`, on top of one that is there, or `emotion_error`."""
        if self.predicted_deviation:
            before = config.deviation_scale or [1.0, 1.0]
            config.deviation_scale = [b * s for b, s in zip(before, self.scale, strict=True)]
        else:
            config.emotion_error = list(self.scale)


def inner_split(
    artists: Sequence[str], emotion: ArrayLike, years: Sequence[int], n_folds: int = 5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training songs to learn from, and of others by other artists to calibrate on.

    Args:
        artists: (N,) names of the training songs, "" where unknown.
        emotion: `(N, 2)`.
        years: (N,).
        n_folds: one part in so many is for calibration.
        seed: of the split.
    """
    folds = artist_folds(artists, np.asarray(emotion), years, n_folds, seed)
    return np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)


def calibrate(
    predicted: ArrayLike,
    labels: ArrayLike,
    artists: Sequence[str],
    deviation: ArrayLike | None = None,
    n_folds: int = 5,
    levels: Sequence[float] = LEVELS,
) -> Calibration:
    """The scale of normal intervals about predictions, by maximum likelihood: the root mean square of the ratios of
    error to deviation (Laves et al. 2020, eq. 8), or the root mean square error itself.

    The coverage is of songs whose artists the scale did not come from: each of `n_folds` parts is covered with the
    scale of the others; the scale returned is of all.

    Args:
        predicted: `(N, 2)` of songs that the recogniser did not learn from.
        labels: `(N, 2)`.
        artists: (N,) names, "" where unknown.
        deviation: `(N, 2)` predicted, positive; None for a constant error.
        n_folds: artist-disjoint parts.
        levels: of the intervals whose coverage is measured.

    Raises:
        ValueError: other shapes, values that are not finite, deviations that are not positive, or fewer artists than
            parts.
    """
    error, spread = _checked(predicted, labels, deviation)
    folds = artist_folds(artists, np.asarray(labels), [0] * len(error), n_folds)
    ratio = error / spread
    held_out = np.stack([_root_mean_square(ratio[folds != fold]) for fold in folds])  # (N, 2)
    half = {level: NormalDist().inv_cdf((1 + level) / 2) * held_out * spread for level in levels}
    return Calibration(
        scale=_pair(_root_mean_square(ratio)),
        predicted_deviation=deviation is not None,
        coverage={level: _pair((np.abs(error) <= half[level]).mean(axis=0)) for level in levels},
        width={level: _pair(2 * half[level].mean(axis=0)) for level in levels},
        n_songs=len(error),
    )


def calibrate_recogniser(
    model: MusemoViTForEmotionRegression, clips: Clips, artists: Sequence[str], crops: int = 1, n_folds: int = 5
) -> Calibration:
    """Calibrate a recogniser on clips that it did not learn from, and write the result into its configuration.

    Args:
        model: with `uncertainty` its deviations are scaled; without, it gets a constant `emotion_error`.
        clips: of other artists than those trained on.
        artists: of the clips.
        crops: copies of each clip whose predictions are averaged, as in use.
        n_folds: artist-disjoint parts in which the coverage is measured.
    """
    emotion, deviation = predict_with_deviation(model, clips.spectrogram, crops=crops)
    spread = None if deviation is None else deviation.numpy()
    found = calibrate(emotion.numpy(), clips.emotion.cpu().numpy(), artists, spread, n_folds)
    found.apply(model.config)
    return found


def _checked(predicted: ArrayLike, labels: ArrayLike, deviation: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    """Errors `(N, 2)` and what they are compared with: the deviations, or one."""
    guess, truth = np.asarray(predicted, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    spread = np.ones_like(truth) if deviation is None else np.asarray(deviation, dtype=np.float64)
    if not guess.shape == truth.shape == spread.shape or truth.ndim != 2 or truth.shape[1:] != (2,):
        raise ValueError(
            f"expected predictions, labels and deviations (N, 2), got {guess.shape}, {truth.shape} and {spread.shape}"
        )
    if not (np.isfinite(guess).all() and np.isfinite(truth).all() and (np.isfinite(spread) & (spread > 0)).all()):
        raise ValueError("expected finite predictions and labels and positive deviations, got others")
    return truth - guess, spread


def _root_mean_square(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(values**2, axis=0))


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
